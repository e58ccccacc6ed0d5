package clock

import (
	"bytes"
	"encoding/hex"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// bootID is the kernel's name of this boot; Android may hide it.
var bootID = sync.OnceValues(func() ([16]byte, bool) {
	var id [16]byte
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id, false
	}
	n, err := hex.Decode(id[:], bytes.ReplaceAll(bytes.TrimSpace(text), []byte("-"), nil))
	return id, err == nil && n == len(id)
})

func boot() ([16]byte, time.Duration) {
	id, ok := bootID()
	var ts unix.Timespec
	if !ok || unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return ofProcess()
	}
	return id, time.Duration(ts.Nano())
}
