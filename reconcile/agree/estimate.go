package agree

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
)

// counters estimate how much two halves differ before anything else is known:
// each counts every standing leaf as 1 or -1, drawn from a key, modulo 256. The
// difference of two sides' counters is a random walk of as many steps as there
// are leaves on one side only.
type counters [32]byte

func countersOf(h *Half, upTo uint64, device nonce) (c counters) {
	sum := sha256.Sum256([]byte("tallystick estimate 1" + string(device[:])))
	b := block(sum[:16])
	var in, out [16]byte
	// Each byte of ups counts one counter's 1s. A byte of them is full after
	// 255 leaves, and modulo 256 is all that is wanted.
	var ups [len(c)]byte
	n := 0
	h.standing(upTo, func(seq uint64, l *Leaf) bool {
		in = bound(seq, l)
		b.Encrypt(out[:], in[:])
		word := binary.BigEndian.Uint32(out[:])
		for i := range ups {
			ups[i] += byte(word >> i & 1)
		}
		n++
		return true
	})
	for i := range c {
		c[i] = 2*ups[i] - byte(n)
	}
	return c
}

// leaves is how many leaves are likely to stand on one side only; beyond some
// 3,000 the counters have wrapped around and tell no more.
func (c counters) leaves(other counters) float64 {
	var squares float64
	for i := range c {
		d := float64(int8(c[i] - other[i]))
		squares += d * d
	}
	return squares / float64(len(c))
}

// first is how many cells to send first to a side that has the other counters.
// Two leaves make one difference where the content is another, which is what is
// left when gaps have been told.
func first(leaves float64) (way, int) {
	d := leaves / 2
	if n := int(1.2*d) + 4; n <= byPower.most()/2 {
		return byPower, n
	}
	return spreads, int(1.25*d) + firstSpread
}

const firstSpread = 16

// guess is the number of differences from which first made n cells.
func guess(w way, n int) float64 {
	if w == byPower {
		return float64(2 * n) // too few for what there is
	}
	return max(float64(n-firstSpread)/1.25, 8)
}

// more is how many cells a spread sketch is likely to need in all, from a first
// guess at how many differences there are and from how many of the differences
// of its first cells are zero: the fewer, the more stand in them.
func more(cells []cell, guessed float64) int {
	zero := 0.0
	for _, c := range cells {
		if c == (cell{}) {
			zero++
		}
	}
	// The guess is off by a quarter, zeros come as Poisson has it: the likeliest
	// d between the two.
	best, likeliest, sharp := guessed, math.Inf(-1), 0.0
	for d := guessed / 4; d <= 8*guessed; d *= 1.02 {
		expected, info := 1e-9, 16.0
		for i := range cells {
			l := d / (1 + float64(i)/2)
			none := math.Exp(-l)
			expected += none
			info += l * l * none / (1 - none + 1e-9)
		}
		off := math.Log(d/guessed) / 0.25
		if is := zero*math.Log(expected) - expected - off*off/2; is > likeliest {
			best, likeliest, sharp = d, is, info
		}
	}
	return max(int(1.45*best*(1+3/math.Sqrt(sharp)))+16, len(cells)+len(cells)/8+8)
}
