package queue

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"

	"github.com/tallystick/tallystick/internal/journal"
)

// A set of numbers is kept as bitmaps of spanSize numbers each: the key is the
// set's name and the place of the bitmap, the lowest bit of its first byte
// stands for the lowest number. A bitmap without numbers is not kept.
const (
	spanSize  = 512
	spanBytes = spanSize / 8
)

func spanKey(name []byte, n uint64) []byte {
	return be64(slices.Clone(name), n/spanSize)
}

// span returns the bitmap that n belongs to, nil where there is none.
func (v *fileView) span(in journal.Bucket, name []byte, n uint64) ([]byte, error) {
	b, err := v.tx.Get(in, spanKey(name, n))
	if err == nil && b != nil && len(b) != spanBytes {
		err = fmt.Errorf("%w: a set in %q", ErrDamaged, in)
	}
	return b, err
}

func (v *fileView) has(in journal.Bucket, name []byte, n uint64) (bool, error) {
	b, err := v.span(in, name, n)
	i := n % spanSize
	return err == nil && b != nil && b[i/8]&(1<<(i%8)) != 0, err
}

func (v *fileView) include(in journal.Bucket, name []byte, n uint64) error {
	old, err := v.span(in, name, n)
	if err != nil {
		return err
	}
	b := make([]byte, spanBytes)
	copy(b, old)
	i := n % spanSize
	b[i/8] |= 1 << (i % 8)
	return v.tx.Put(in, spanKey(name, n), b)
}

func (v *fileView) exclude(in journal.Bucket, name []byte, n uint64) error {
	old, err := v.span(in, name, n)
	if err != nil || old == nil {
		return err
	}
	b := slices.Clone(old)
	i := n % spanSize
	b[i/8] &^= 1 << (i % 8)
	if slices.ContainsFunc(b, func(c byte) bool { return c != 0 }) {
		return v.tx.Put(in, spanKey(name, n), b)
	}
	return v.tx.Delete(in, spanKey(name, n))
}

// numbers calls fn with the numbers of the sets whose names have size bytes and
// begin with prefix, by name and ascending, until it returns false; the first
// set's from the number from on.
func (v *fileView) numbers(in journal.Bucket, prefix []byte, size int, from uint64, fn func(name []byte, n uint64) (bool, error)) error {
	begin := prefix
	if len(prefix) == size {
		begin = spanKey(prefix, from)
	} else {
		from = 0
	}
	return v.spans(in, prefix, begin, size, from, fn)
}

// spans is numbers from a key on.
func (v *fileView) spans(in journal.Bucket, prefix, begin []byte, size int, from uint64, fn func(name []byte, n uint64) (bool, error)) error {
	return v.tx.Scan(in, prefix, begin, func(k, b []byte) (bool, error) {
		if len(k) != size+8 || len(b) != spanBytes {
			return false, fmt.Errorf("%w: a set in %q", ErrDamaged, in)
		}
		first := binary.BigEndian.Uint64(k[size:]) * spanSize
		for i, c := range b {
			for ; c != 0; c &= c - 1 {
				n := first + uint64(8*i+bits.TrailingZeros8(c))
				if n < from {
					continue
				}
				if more, err := fn(k[:size], n); !more || err != nil {
					return false, err
				}
			}
		}
		return true, nil
	})
}
