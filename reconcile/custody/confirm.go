package custody

import (
	"crypto/ed25519"
	"errors"
	"fmt"
)

// Side is one of the two that confirm a hand-over.
type Side uint8

// The sides.
const (
	Courier Side = iota + 1
	Clerk
)

func (s Side) String() string {
	switch s {
	case Courier:
		return "courier"
	case Clerk:
		return "clerk"
	}
	return fmt.Sprintf("Side(%d)", uint8(s))
}

// Confirmation is a side's word for a digest, in whatever form the app checks: a
// signature, or proof of a PIN that was typed. 1 to 512 bytes. It is kept in the
// journal: no PIN itself may be in it.
type Confirmation []byte

const maxConfirmation = 512

// Sign is a side's confirmation by an Ed25519 key: over its side and the digest,
// so that one side's cannot pass for the other's.
func Sign(key ed25519.PrivateKey, side Side, digest [32]byte) Confirmation {
	return ed25519.Sign(key, signed(side, digest))
}

// Ed25519 checks confirmations made by Sign. keys names the key that a side signs
// with; nil for one that may not.
func Ed25519(keys func(Side) ed25519.PublicKey) func(Side, [32]byte, Confirmation) error {
	return func(side Side, digest [32]byte, c Confirmation) error {
		key := keys(side)
		if len(key) != ed25519.PublicKeySize {
			return errors.New("there is no key for this side")
		}
		if !ed25519.Verify(key, signed(side, digest), c) {
			return errors.New("the signature is wrong")
		}
		return nil
	}
}

func signed(side Side, digest [32]byte) []byte {
	return append([]byte("tallystick hand-over "+side.String()+" "), digest[:]...)
}
