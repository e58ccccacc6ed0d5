package isolink

import "syscall"

// The numbers of Winsock, which package syscall does not name.
var (
	errnosRefused     = []error{syscall.Errno(10061)}
	errnosUnreachable = []error{syscall.Errno(10050), syscall.Errno(10051)}
	errnosNoRoute     = []error{syscall.Errno(10064), syscall.Errno(10065)}
)
