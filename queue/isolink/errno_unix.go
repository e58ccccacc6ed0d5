//go:build !windows

package isolink

import "syscall"

var (
	errnosRefused     = []error{syscall.ECONNREFUSED}
	errnosUnreachable = []error{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN}
)
