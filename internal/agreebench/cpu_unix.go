//go:build unix

package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// userTime is the processor time that this process has spent outside the kernel.
func userTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano())
}
