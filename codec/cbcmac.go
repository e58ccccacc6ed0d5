package codec

import (
	"crypto/cipher"
	"crypto/subtle"
)

// MACForm is how the eight bytes of the MAC field are made of a result.
type MACForm uint8

const (
	MACWhole MACForm = iota // the eight bytes as they are
	MACLeft                 // the left four bytes, then four zero bytes
	MACHex                  // the left four bytes as eight hexadecimal characters
)

// MACOptions says what hosts do differently with the algorithms of ANSI.
type MACOptions struct {
	Pad80 bool // fill up with 0x80 and zeros (ISO 9797-1 method 2) instead of zeros only
	Form  MACForm
}

// cbcMAC is ANSI X9.9, or X9.19 if there is a right key.
type cbcMAC struct {
	left, right secret
	options     MACOptions
}

// NewX99MAC makes the MAC of ANSI X9.9 (FIPS 113): DES in CBC mode with a key
// of 8 bytes, from zero.
func NewX99MAC(key []byte, o MACOptions) (MAC, error) {
	if len(key) != 8 {
		return nil, &FieldError{Offset: -1, Part: "key", Err: ErrKeySize, Detail: count(len(key), "byte")}
	}
	left, err := newCipher(key)
	if err != nil {
		return nil, err
	}
	return cbcMAC{left: left, options: o}, nil
}

// NewX919MAC makes the MAC of ANSI X9.19 (ISO 9797-1 algorithm 3) with a key of
// 16 bytes: CBC with the left half, then the last block decrypted with the
// right half and encrypted with the left.
func NewX919MAC(key []byte, o MACOptions) (MAC, error) {
	if len(key) != 16 {
		return nil, &FieldError{Offset: -1, Part: "key", Err: ErrKeySize, Detail: count(len(key), "byte")}
	}
	left, err := newCipher(key[:8])
	if err != nil {
		return nil, err
	}
	right, err := newCipher(key[8:])
	if err != nil {
		return nil, err
	}
	return cbcMAC{left, right, o}, nil
}

func (c cbcMAC) Sum(mab []byte) (mac [8]byte, err error) {
	block := c.left()
	var last [8]byte
	x := last[:]
	for len(mab) >= 8 {
		chain(block, x, mab[:8])
		mab = mab[8:]
	}
	if len(mab) > 0 || c.options.Pad80 {
		var end [8]byte
		n := copy(end[:], mab)
		if c.options.Pad80 {
			end[n] = 0x80
		}
		chain(block, x, end[:])
	}
	if c.right != nil {
		c.right().Decrypt(x, x)
		block.Encrypt(x, x)
	}
	switch c.options.Form {
	case MACLeft:
		copy(mac[:4], x)
	case MACHex:
		appendHex(mac[:0], x[:4])
	default:
		mac = last
	}
	return mac, nil
}

// chain adds one block to a CBC chain whose state is x.
func chain(block cipher.Block, x, b []byte) {
	subtle.XORBytes(x, x, b)
	block.Encrypt(x, x)
}
