//go:build !windows

package isolink

import "syscall"

var (
	errnosRefused     = []error{syscall.ECONNREFUSED}
	errnosUnreachable = []error{syscall.ENETUNREACH, syscall.ENETDOWN}
	errnosNoRoute     = []error{syscall.EHOSTUNREACH, syscall.EHOSTDOWN}
)
