// Package seal gives every stored record its digest: sealed with AES-256-GCM
// under an app's key, or, where the app has none, with a truncated SHA-256
// that finds damage but keeps no secret.
//
//	byte  0      0x00 digest, 0x01 AES-256-GCM
//	0x00: 1..16  SHA-256(context length u16 | context | plain)[:16]   17.. plain
//	0x01: 1      length of the key's name   2.. name   4 CRC-32 of length and name
//	      12 nonce   ciphertext   16 tag
//
// The CRC tells a damaged name from the name of a key that the app has lost.
// The context (journal id, keyspace, key) is bound to the record, so that a
// record moved to another place does not open there.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"slices"
	"sync"
)

// Keys gives keys by name. Key must return 32 bytes.
type Keys interface {
	Current() (name string, err error)
	Key(name string) ([]byte, error)
}

const (
	formDigest = 0x00
	formAEAD   = 0x01
	digestSize = 16
	nameSum    = 4
	nonceSize  = 12
	tagSize    = 16
	// MaxKeyName bounds the name that each sealed record carries.
	MaxKeyName = 32
	// Overhead is what a seal adds at most.
	Overhead = 2 + MaxKeyName + nameSum + nonceSize + tagSize
)

var (
	// ErrDamaged is returned for a record that does not carry a valid digest
	// or seal of its bytes at its place.
	ErrDamaged = errors.New("record is damaged")
	// ErrKey is returned when the app has no usable key for a record.
	ErrKey = errors.New("no usable key")
)

// Box seals and opens the records of one journal. It is safe for concurrent use.
type Box struct {
	keys    Keys
	journal [16]byte

	mu      sync.Mutex
	ciphers map[string]cipher.AEAD
}

// New returns the box of the journal id; nil keys mean digests only.
func New(keys Keys, journal [16]byte) *Box {
	return &Box{keys: keys, journal: journal, ciphers: map[string]cipher.AEAD{}}
}

// Sealed tells whether the box encrypts.
func (b *Box) Sealed() bool { return b.keys != nil }

// derive makes a subkey of the named key for one purpose in this journal.
func (b *Box) derive(name, purpose string) ([]byte, error) {
	if len(name) == 0 || len(name) > MaxKeyName {
		return nil, fmt.Errorf("%w: a key's name has 1 to %d bytes", ErrKey, MaxKeyName)
	}
	key, err := b.keys.Key(name)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrKey, name, err)
	}
	if len(key) != 32 {
		return nil, fmt.Errorf("%w: %q has %d bytes, not 32", ErrKey, name, len(key))
	}
	return hkdf.Key(sha256.New, key, b.journal[:], "tallystick "+purpose, 32)
}

func (b *Box) aead(name string) (cipher.AEAD, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a, ok := b.ciphers[name]; ok {
		return a, nil
	}
	sub, err := b.derive(name, "record")
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(sub)
	if err != nil {
		return nil, err
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	b.ciphers[name] = a
	return a, nil
}

// Seal appends the sealed form of plain at context to dst.
func (b *Box) Seal(dst, plain, context []byte) ([]byte, error) {
	dst = slices.Grow(dst, len(plain)+Overhead)
	if b.keys == nil {
		d := b.digest(plain, context)
		dst = append(dst, formDigest)
		dst = append(dst, d[:digestSize]...)
		return append(dst, plain...), nil
	}
	name, err := b.keys.Current()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKey, err)
	}
	a, err := b.aead(name)
	if err != nil {
		return nil, err
	}
	dst = append(dst, formAEAD, byte(len(name)))
	dst = append(dst, name...)
	dst = binary.BigEndian.AppendUint32(dst, crc32.ChecksumIEEE(dst[len(dst)-len(name)-1:]))
	var nonce [nonceSize]byte
	rand.Read(nonce[:])
	dst = append(dst, nonce[:]...)
	bound := b.bind(context)
	defer bounds.Put(bound)
	return a.Seal(dst, nonce[:], plain, *bound), nil
}

// Open returns the plain bytes of a record at context, in memory of its own.
// The error wraps ErrDamaged or ErrKey.
func (b *Box) Open(sealed, context []byte) ([]byte, error) {
	return b.OpenTo(nil, sealed, context)
}

// OpenTo is Open into the memory of dst, from its beginning, where that is
// enough.
func (b *Box) OpenTo(dst, sealed, context []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, ErrDamaged
	}
	switch sealed[0] {
	case formDigest:
		if b.keys != nil || len(sealed) < 1+digestSize {
			return nil, ErrDamaged
		}
		plain := append(dst[:0:cap(dst)], sealed[1+digestSize:]...)
		d := b.digest(plain, context)
		if subtle.ConstantTimeCompare(d[:digestSize], sealed[1:1+digestSize]) != 1 {
			return nil, ErrDamaged
		}
		return plain, nil
	case formAEAD:
		return b.openAEAD(dst[:0:cap(dst)], sealed[1:], context)
	}
	return nil, ErrDamaged
}

func (b *Box) openAEAD(dst, s, context []byte) ([]byte, error) {
	if len(s) == 0 || s[0] == 0 || s[0] > MaxKeyName {
		return nil, ErrDamaged
	}
	n := int(s[0])
	if len(s) < 1+n+nameSum+nonceSize+tagSize {
		return nil, ErrDamaged
	}
	if binary.BigEndian.Uint32(s[1+n:]) != crc32.ChecksumIEEE(s[:1+n]) {
		return nil, ErrDamaged
	}
	if b.keys == nil {
		return nil, fmt.Errorf("%w: the record is sealed and no keys were given", ErrKey)
	}
	a, err := b.aead(string(s[1 : 1+n]))
	if err != nil {
		return nil, err
	}
	s = s[1+n+nameSum:]
	bound := b.bind(context)
	defer bounds.Put(bound)
	plain, err := a.Open(dst, s[:nonceSize], s[nonceSize:], *bound)
	if err != nil {
		return nil, ErrDamaged
	}
	return plain, nil
}

// Mark returns the 16 bytes of a sealed record that differ between any two
// versions of it: its digest or tag. They alias sealed; nil when it is cut short.
func Mark(sealed []byte) []byte {
	switch {
	case len(sealed) < 1+digestSize:
		return nil
	case sealed[0] == formDigest:
		return sealed[1 : 1+digestSize]
	}
	return sealed[len(sealed)-tagSize:]
}

// bounds are used again for what seals are bound to.
var bounds = sync.Pool{New: func() any { return new([]byte) }}

func (b *Box) bind(context []byte) *[]byte {
	bound := bounds.Get().(*[]byte)
	*bound = append(append((*bound)[:0], b.journal[:]...), context...)
	return bound
}

func (b *Box) digest(plain, context []byte) [sha256.Size]byte {
	h := sha256.New()
	b.writeDigest(h, nil, plain, context)
	var d [sha256.Size]byte
	h.Sum(d[:0])
	return d
}

// writeDigest has h hold what a record's digest is made of. It returns room, to
// be used again.
func (b *Box) writeDigest(h hash.Hash, room, plain, context []byte) []byte {
	room = append(room[:0], b.journal[:]...)
	room = binary.BigEndian.AppendUint16(room, uint16(len(context)))
	room = append(room, context...)
	h.Reset()
	h.Write(room)
	h.Write(plain)
	return room
}

// Chain returns the hash that links the journal's events: an HMAC under the
// named key, or SHA-256 where name is empty.
func (b *Box) Chain(name string) (func() hash.Hash, error) {
	if name == "" {
		return sha256.New, nil
	}
	if b.keys == nil {
		return nil, fmt.Errorf("%w: the chain is keyed and no keys were given", ErrKey)
	}
	sub, err := b.derive(name, "chain")
	if err != nil {
		return nil, err
	}
	return func() hash.Hash { return hmac.New(sha256.New, sub) }, nil
}
