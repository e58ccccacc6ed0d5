//go:build unix

package journal

import (
	"os"
	"syscall"
)

// allocated is how many bytes of blocks the file has.
func allocated(info os.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512
	}
	return info.Size()
}
