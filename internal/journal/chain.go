package journal

import (
	"encoding/binary"
	"hash"
)

// linker makes what chains the events of a journal.
type linker struct{ newHash func() hash.Hash }

func (l linker) chainer() chainer { return chainer{hash: l.newHash()} }

// next is chainer.next for a single event.
func (l linker) next(prev [chainSize]byte, n uint64, body []byte) [chainSize]byte {
	c := l.chainer()
	return c.next(prev, n, body)
}

// chainer chains events one after another, in memory that it uses again.
type chainer struct {
	hash hash.Hash
	room [64]byte
}

// next returns chain(n) = H(chain(n-1) | n | body)[:16].
func (c *chainer) next(prev [chainSize]byte, n uint64, body []byte) (head [chainSize]byte) {
	b := append(c.room[:0], prev[:]...)
	b = binary.BigEndian.AppendUint64(b, n)
	c.hash.Reset()
	c.hash.Write(b)
	c.hash.Write(body)
	copy(head[:], c.hash.Sum(c.room[:0]))
	return head
}
