//go:build !linux

// Package faultkit makes the disk under a journal fail, for tests; it does so
// on Linux only.
package faultkit
