package main

import (
	"os"
	"syscall"
)

// datasync syncs what reading the file back needs.
func datasync(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
