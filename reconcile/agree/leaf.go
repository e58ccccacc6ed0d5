package agree

import (
	"bytes"
	"crypto/sha256"
	"slices"
)

// Leaf is what one side holds at one sequence; the zero Leaf: nothing stands
// there.
type Leaf [16]byte

// LeafOf is the leaf of a sequence at which entries with these digests (SHA-256
// over their canonical bytes) stand: of none it is zero, of one its digest's
// first 16 bytes, of several the first 16 bytes of SHA-256 over "TSL1" and all
// of them in ascending order.
func LeafOf(digests ...[sha256.Size]byte) (l Leaf) {
	switch len(digests) {
	case 0:
		return l
	case 1:
		copy(l[:], digests[0][:])
		return l
	}
	sorted := slices.Clone(digests)
	slices.SortFunc(sorted, func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) })
	h := sha256.New()
	h.Write([]byte("TSL1"))
	for _, d := range sorted {
		h.Write(d[:])
	}
	copy(l[:], h.Sum(nil))
	return l
}

// fan is how many children a node of the tree has, levels how many levels of
// nodes stand over the leaves: 16^12 leaves.
const (
	fan    = 16
	levels = 12
)

// MaxSequence is the highest sequence that can be compared.
const MaxSequence = 1<<(4*levels) - 1

// nodeHash is a node over its children: the first 16 bytes of SHA-256 over the
// node's level (1 over leaves) and the children. Over nothing but zeros it is
// zero, at every level: what is absent needs no hash and no memory.
func nodeHash(level int, kids *[fan]Leaf) (out Leaf) {
	if *kids == ([fan]Leaf{}) {
		return out
	}
	var b [1 + fan*len(out)]byte
	b[0] = byte(level)
	for i := range kids {
		copy(b[1+i*len(out):], kids[i][:])
	}
	sum := sha256.Sum256(b[:])
	copy(out[:], sum[:])
	return out
}
