package main

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"

	"github.com/tallystick/tallystick/reconcile/agree"
)

// halves makes what a device and a host hold of a journal of n entries that
// differ at the given sequences: there the host has never seen them (gaps), or
// has another content (mismatches).
func halves(n uint64, differ map[uint64]bool, gaps bool) (device, host *agree.Half, err error) {
	device, host = &agree.Half{}, &agree.Half{}
	for s := uint64(1); s <= n; s++ {
		d := sha256.Sum256(binary.BigEndian.AppendUint64(nil, s))
		if err := device.Set(s, agree.LeafOf(d)); err != nil {
			return nil, nil, err
		}
		if differ[s] && gaps {
			continue
		}
		if differ[s] {
			d[0] ^= 1
		}
		if err := host.Set(s, agree.LeafOf(d)); err != nil {
			return nil, nil, err
		}
	}
	return device, host, nil
}

// draw chooses d of 1 to n, at random or in bursts of 50.
func draw(r *rand.Rand, n uint64, d int, bursts bool) map[uint64]bool {
	out := map[uint64]bool{}
	for len(out) < d {
		s := r.Uint64N(n) + 1
		out[s] = true
		for i := uint64(1); bursts && i < 50 && len(out) < d && s+i <= n; i++ {
			out[s+i] = true
		}
	}
	return out
}
