package agree

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// nonce is what one side adds to the key of a session.
type nonce [8]byte

// secret turns leaves into values of the field and sequences into walks, by
// AES-128 under keys that neither side, nor anyone who made the entries, could
// know beforehand.
type secret struct{ values, walks cipher.Block }

func newSecret(device, host nonce) secret {
	sum := sha256.Sum256([]byte("tallystick sketch 1" + string(device[:]) + string(host[:])))
	return secret{block(sum[:16]), block(sum[16:])}
}

// block is AES-128 under key, which has 16 bytes: only another length fails.
func block(key []byte) cipher.Block {
	b, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	return b
}

// bound is a leaf bound to its sequence.
func bound(seq uint64, l *Leaf) (b [16]byte) {
	b = *l
	binary.BigEndian.PutUint64(b[8:], binary.BigEndian.Uint64(b[8:])^seq)
	return b
}

// keyed is a secret at work; it is not safe for concurrent use.
type keyed struct {
	secret
	in, out [16]byte
}

// value is what a leaf counts for: 1 to prime-1, and 0 for the zero Leaf.
func (k *keyed) value(seq uint64, l *Leaf) uint64 {
	if *l == (Leaf{}) {
		return 0
	}
	k.in = bound(seq, l)
	k.values.Encrypt(k.out[:], k.in[:])
	return max(fold(binary.BigEndian.Uint64(k.out[:])>>3), 1)
}

func (k *keyed) walk(seq uint64) spread {
	k.in = [16]byte{}
	binary.BigEndian.PutUint64(k.in[8:], seq)
	k.walks.Encrypt(k.out[:], k.in[:])
	return spread{binary.BigEndian.Uint64(k.out[:])}
}

// cell is one of a sketch: two sums over what stands, v being a value.
//
//	by power   cell i is (Σ s^2i·v, Σ s^(2i+1)·v) over every sequence s
//	spread     cell i is (Σ v, Σ s·v) over the sequences whose walk meets i
type cell [2]uint64

// way is how the cells of a sketch are made up.
type way byte

const (
	byPower way = 0 // finds as many differences as it has cells, whichever they are; the work grows with both
	spreads way = 1 // finds seven for ten cells, when there are many
)

// most is how many cells a sketch may have.
func (w way) most() int {
	if w == byPower {
		return 64
	}
	return maxCells
}

// sketch is the cells of what stands in a half.
type sketch struct {
	way   way
	cells []cell
	root  Leaf // the keyed root
}

// sketchOf makes n cells over what stands at 1 to upTo.
func sketchOf(h *Half, upTo uint64, s secret, w way, n int) sketch {
	k := &keyed{secret: s}
	out := sketch{way: w, cells: make([]cell, n)}
	sum := newRootSum()
	put := out.spread
	if w == byPower {
		put = out.power
	}
	h.standing(upTo, func(seq uint64, l *Leaf) bool {
		v := k.value(seq, l)
		sum.put(seq, v)
		put(k, seq, v)
		return true
	})
	out.root = sum.done()
	return out
}

func (t *sketch) power(_ *keyed, seq, v uint64) {
	for i := range t.cells {
		c := &t.cells[i]
		c[0] = add(c[0], v)
		v = mul(v, seq)
		c[1] = add(c[1], v)
		v = mul(v, seq)
	}
}

func (t *sketch) spread(k *keyed, seq, v uint64) {
	if len(t.cells) == 0 {
		return
	}
	w, sv, end := k.walk(seq), mul(seq, v), uint32(len(t.cells))
	for i := uint32(0); i < end; i = w.next(i, end) {
		c := &t.cells[i]
		c[0], c[1] = add(c[0], v), add(c[1], sv)
	}
}

// rootSum makes the keyed root: the first 16 bytes of SHA-256 over sequence and
// value, 8 bytes each, of all that stands.
type rootSum struct {
	h hash.Hash
	b []byte
}

func newRootSum() *rootSum { return &rootSum{sha256.New(), make([]byte, 0, 4096)} }

func (r *rootSum) put(seq, v uint64) {
	r.b = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(r.b, seq), v)
	if len(r.b) == cap(r.b) {
		r.h.Write(r.b)
		r.b = r.b[:0]
	}
}

func (r *rootSum) done() (l Leaf) {
	r.h.Write(r.b)
	copy(l[:], r.h.Sum(nil))
	return l
}
