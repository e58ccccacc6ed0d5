package codec

import (
	"crypto/subtle"
	"fmt"
	"io"
	"strconv"
)

// WrappedKey is a working key as a sign-in brings it: encrypted under the
// terminal master key, with its check value. It holds nothing secret to those
// who lack the master key. Printed it shows its size and its check value; fmt
// cannot ask it that in a field that is not exported.
type WrappedKey struct {
	Cipher []byte  // 8 or 16 bytes; nil if there is no such key
	Check  [4]byte // the key check value
}

// Present reports whether there is a key.
func (k WrappedKey) Present() bool { return len(k.Cipher) > 0 }

// String gives the number of bytes and the check value.
func (k WrappedKey) String() string {
	return "key[" + strconv.Itoa(len(k.Cipher)) + "] " + string(appendHex(nil, k.Check[:]))
}

// Format gives the same for every verb.
func (k WrappedKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// MarshalText gives the same, in JSON too.
func (k WrappedKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// WorkingKeys is DE 62 of a sign-in's answer.
//
//	24 bytes  PIN key 8, check 4, MAC key 8, check 4
//	32 bytes  PIN key 16, check 4, MAC key 8, check 4 (ChinaUMS)
//	40 bytes  PIN key 16, check 4, MAC key 16, check 4
//	60 bytes  as 40, then track key 16, check 4
//
// In the last two a MAC key of single length is followed by 8 zero bytes.
type WorkingKeys struct {
	PIN, MAC, Track WrappedKey

	Compact bool // a PIN key of 16 bytes and a MAC key of 8 take the 32-byte layout
}

// layouts62 gives the sizes of the key slots for each length of DE 62.
var layouts62 = map[int][]int{24: {8, 8}, 32: {16, 8}, 40: {16, 16}, 60: {16, 16, 16}}

// ParseWorkingKeys splits DE 62 by its length. A length of another layout is
// refused with ErrKeyLayout. The keys are copies.
func ParseWorkingKeys(b []byte) (WorkingKeys, error) {
	slots, ok := layouts62[len(b)]
	if !ok {
		return WorkingKeys{}, &FieldError{DE: 62, Offset: -1, Err: ErrKeyLayout, Detail: count(len(b), "byte")}
	}
	k := WorkingKeys{Compact: len(b) == 32}
	for i, to := range []*WrappedKey{&k.PIN, &k.MAC, &k.Track}[:len(slots)] {
		n := slots[i]
		slot := b[:n]
		if n == 16 && to == &k.MAC && [8]byte(slot[8:]) == [8]byte{} {
			slot = slot[:8]
		}
		to.Cipher = append([]byte(nil), slot...)
		copy(to.Check[:], b[n:])
		b = b[n+4:]
	}
	return k, nil
}

// SplitKeys takes apart a block of working keys whose layout the acquirer has
// told: for each size a key of so many bytes and its check value of four. The
// keys are copies.
func SplitKeys(b []byte, sizes ...int) ([]WrappedKey, error) {
	keys := make([]WrappedKey, 0, len(sizes))
	for _, n := range sizes {
		if n < 0 || len(b) < n+4 {
			return nil, &FieldError{DE: 62, Offset: -1, Err: ErrKeyLayout, Detail: "shorter than its layout"}
		}
		keys = append(keys, WrappedKey{append([]byte(nil), b[:n]...), [4]byte(b[n:])})
		b = b[n+4:]
	}
	if len(b) > 0 {
		return nil, &FieldError{DE: 62, Offset: -1, Err: ErrKeyLayout, Detail: count(len(b), "byte") + " more than its layout"}
	}
	return keys, nil
}

// Append appends the bytes of DE 62 to dst. The layout follows from the sizes
// of the keys: a PIN key of 16 bytes takes the 40-byte layout unless Compact is
// set, with a track key the 60-byte one.
func (k WorkingKeys) Append(dst []byte) ([]byte, error) {
	bad := &FieldError{DE: 62, Offset: -1, Err: ErrKeyLayout}
	size := len(k.PIN.Cipher)
	mac := len(k.MAC.Cipher)
	switch {
	case size == 8 && mac == 8 && !k.Track.Present() && !k.Compact:
	case k.Compact && (size != 16 || mac != 8 || k.Track.Present()):
		return dst, bad
	case size == 16 && (mac == 8 || mac == 16) && (!k.Track.Present() || len(k.Track.Cipher) == 16):
	default:
		return dst, bad
	}
	for _, w := range []WrappedKey{k.PIN, k.MAC, k.Track} {
		if !w.Present() {
			continue
		}
		dst = append(dst, w.Cipher...)
		if !k.Compact {
			dst = append(dst, make([]byte, size-len(w.Cipher))...)
		}
		dst = append(dst, w.Check[:]...)
	}
	return dst, nil
}

// KeyLoader takes the MAC key of a sign-in into use. A PED or an HSM implements
// it; MasterKey is the software version. A key whose check value does not match
// is refused with ErrKeyCheck, and the caller must
// not go on with the keys it had before.
type KeyLoader interface {
	LoadMAC(k WrappedKey) (MAC, error)
}

// MasterKey is a terminal master key in software, for tests, simulators and
// hosts. It never shows its key.
type MasterKey struct{ key secret }

// NewMasterKey takes a master key of 8, 16 or 24 bytes.
func NewMasterKey(key []byte) (*MasterKey, error) {
	c, err := newCipher(key)
	if err != nil {
		return nil, err
	}
	return &MasterKey{c}, nil
}

// Wrap encrypts a working key of 8 or 16 bytes and adds its check value, as a
// host does for a sign-in's answer.
func (t *MasterKey) Wrap(key []byte) (WrappedKey, error) {
	if len(key) != 8 && len(key) != 16 {
		return WrappedKey{}, &FieldError{Offset: -1, Part: "key", Err: ErrKeySize, Detail: count(len(key), "byte")}
	}
	check, err := KeyCheck(key)
	if err != nil {
		return WrappedKey{}, err
	}
	w := WrappedKey{Cipher: make([]byte, len(key)), Check: check}
	for i := 0; i < len(key); i += 8 {
		t.key().Encrypt(w.Cipher[i:i+8], key[i:i+8])
	}
	return w, nil
}

// Unwrap decrypts a working key and checks it against its check value.
func (t *MasterKey) Unwrap(k WrappedKey) ([]byte, error) {
	if n := len(k.Cipher); n != 8 && n != 16 {
		return nil, &FieldError{DE: 62, Offset: -1, Part: "key", Err: ErrKeySize, Detail: count(n, "byte")}
	}
	key := make([]byte, len(k.Cipher))
	for i := 0; i < len(key); i += 8 {
		t.key().Decrypt(key[i:i+8], k.Cipher[i:i+8])
	}
	check, err := KeyCheck(key)
	if err == nil && subtle.ConstantTimeCompare(check[:], k.Check[:]) != 1 {
		err = &FieldError{DE: 62, Offset: -1, Part: "key", Err: ErrKeyCheck}
	}
	if err != nil {
		clear(key)
		return nil, err
	}
	return key, nil
}

// LoadMAC unwraps a MAC key and makes UnionPay's ECB MAC with it.
func (t *MasterKey) LoadMAC(k WrappedKey) (MAC, error) { return t.For(NewECBMAC).LoadMAC(k) }

// For gives a loader that makes another algorithm's MAC with the keys it
// unwraps, such as that of a dialect:
//
//	loader := master.For(spec.NewMAC)
func (t *MasterKey) For(algorithm func(key []byte) (MAC, error)) KeyLoader {
	return softLoader{t, algorithm}
}

type softLoader struct {
	master    *MasterKey
	algorithm func(key []byte) (MAC, error)
}

func (l softLoader) LoadMAC(k WrappedKey) (MAC, error) {
	key, err := l.master.Unwrap(k)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return l.algorithm(key)
}

// KeyCheck gives a key's check value: the first four bytes of eight zero bytes
// encrypted with it.
func KeyCheck(key []byte) (check [4]byte, err error) {
	c, err := newCipher(key)
	if err != nil {
		return check, err
	}
	var block [8]byte
	c().Encrypt(block[:], block[:])
	copy(check[:], block[:])
	return check, nil
}
