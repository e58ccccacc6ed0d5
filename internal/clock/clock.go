// Package clock reads the evidence that a device has of time: its wall clock,
// which people and networks set, and the time since its boot, which nobody
// sets but which a reboot ends.
package clock

import (
	"crypto/rand"
	"sync"
	"time"
)

// Reading is one look at the clocks.
type Reading struct {
	Wall time.Time
	// Boot names the boot of the device that Since counts from. Where the
	// system does not tell, it names this process.
	Boot [16]byte
	// Since is the time since that boot, time asleep included where the
	// system counts it.
	Since time.Duration
}

// Now reads the clocks.
func Now() Reading {
	id, since := boot()
	return Reading{Wall: time.Now(), Boot: id, Since: since}
}

var process = sync.OnceValues(func() ([16]byte, time.Time) {
	var id [16]byte
	rand.Read(id[:])
	return id, time.Now()
})

// ofProcess is the boot of a system that tells nothing of its own.
func ofProcess() ([16]byte, time.Duration) {
	id, start := process()
	return id, time.Since(start)
}

// Age is how old something read at then is at least by any clock, and whether
// that can be proven: a wall clock that went back, with no boot in common,
// proves nothing.
func (now Reading) Age(then Reading) (age time.Duration, proven bool) {
	age = now.Wall.Sub(then.Wall)
	proven = age >= 0
	if now.Boot == then.Boot {
		age = max(age, now.Since-then.Since)
		proven = true
	}
	return max(age, 0), proven
}
