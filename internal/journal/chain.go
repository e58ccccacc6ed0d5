package journal

import (
	"encoding/binary"
	"hash"
)

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
