package queue

import (
	"encoding/binary"
	"fmt"
	"math/bits"

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
	return be64(append(make([]byte, 0, len(name)+8), name...), n/spanSize)
}

// span returns the bitmap that n belongs to, nil where there is none.
func (v *fileView) span(in journal.Bucket, name []byte, n uint64) ([]byte, error) {
	b, err := v.tx.Get(in, spanKey(name, n))
	if err == nil && b != nil && len(b) != spanBytes {
		err = badSet(in)
	}
	return b, err
}

func (v *fileView) has(in journal.Bucket, name []byte, n uint64) (bool, error) {
	b, err := v.span(in, name, n)
	i := n % spanSize
	return err == nil && b != nil && b[i/8]&(1<<(i%8)) != 0, err
}

func (v *fileView) include(in journal.Bucket, name []byte, n uint64) error {
	b, err := v.edit(in, name, n)
	if err == nil {
		i := n % spanSize
		b[i/8] |= 1 << (i % 8)
	}
	return err
}

func (v *fileView) exclude(in journal.Bucket, name []byte, n uint64) error {
	if there, err := v.has(in, name, n); err != nil || !there {
		return err
	}
	b, err := v.edit(in, name, n)
	if err != nil {
		return err
	}
	i := n % spanSize
	b[i/8] &^= 1 << (i % 8)
	if [spanBytes]byte(b) == [spanBytes]byte{} {
		return v.tx.Delete(in, spanKey(name, n))
	}
	return nil
}

// edit returns the bitmap that n belongs to, to be changed.
func (v *fileView) edit(in journal.Bucket, name []byte, n uint64) ([]byte, error) {
	b, err := v.tx.Edit(in, spanKey(name, n), spanBytes)
	if err == nil && len(b) != spanBytes {
		err = badSet(in)
	}
	return b, err
}

func badSet(in journal.Bucket) error { return fmt.Errorf("%w: a set in %q", ErrDamaged, in) }

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
			return false, badSet(in)
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
