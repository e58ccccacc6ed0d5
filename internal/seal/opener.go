package seal

import (
	"bytes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"hash"
)

// Opener opens many records of a box, one after another, in memory that it uses
// again. It is not safe for concurrent use: each goroutine has its own.
type Opener struct {
	box   *Box
	hash  hash.Hash
	sum   [sha256.Size]byte
	head  []byte      // what the newest sealed record began with, to its CRC
	aead  cipher.AEAD // of the key that it names
	bound []byte
	plain []byte
}

// Opener returns an Opener for b's records.
func (b *Box) Opener() *Opener {
	return &Opener{box: b, hash: sha256.New()}
}

// Open is Box.Open, but what it returns holds until the next call only.
func (o *Opener) Open(sealed, context []byte) (plain []byte, err error) {
	n := len(o.head)
	switch {
	case o.box.keys == nil && len(sealed) >= 1+digestSize && sealed[0] == formDigest:
		plain = append(o.plain[:0], sealed[1+digestSize:]...)
		o.bound = o.box.writeDigest(o.hash, o.bound, plain, context)
		if subtle.ConstantTimeCompare(o.hash.Sum(o.sum[:0])[:digestSize], sealed[1:1+digestSize]) != 1 {
			return nil, ErrDamaged
		}
	case o.aead != nil && len(sealed) >= n+nonceSize+tagSize && bytes.Equal(sealed[:n], o.head):
		o.bound = append(append(o.bound[:0], o.box.journal[:]...), context...)
		plain, err = o.aead.Open(o.plain[:0], sealed[n:n+nonceSize], sealed[n+nonceSize:], o.bound)
		if err != nil {
			return nil, ErrDamaged
		}
	default:
		if plain, err = o.box.OpenTo(o.plain, sealed, context); err != nil {
			return nil, err
		}
		o.keep(sealed)
	}
	o.plain = plain
	return plain, nil
}

// keep takes the key of a record that was opened for the next ones.
func (o *Opener) keep(sealed []byte) {
	if sealed[0] != formAEAD {
		return
	}
	n := int(sealed[1])
	if a, err := o.box.aead(string(sealed[2 : 2+n])); err == nil {
		o.aead, o.head = a, append(o.head[:0], sealed[:2+n+nameSum]...)
	}
}
