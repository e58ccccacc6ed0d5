// Package codec reads and writes ISO 8583 card messages.
package codec
