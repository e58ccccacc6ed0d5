package codec

import (
	"bytes"
	"crypto/cipher"
	"crypto/des"
	"crypto/subtle"
)

// MAC makes the message authentication code of a message. A PED or an HSM
// implements it, so that its keys never leave it; the software versions here
// serve tests, simulators and hosts.
//
// Sum is given the bytes from the message type to the last field before the
// MAC, and returns the eight bytes of the MAC field. It must not keep mab.
type MAC interface {
	Sum(mab []byte) ([8]byte, error)
}

// macField is where a message of these fields carries its MAC: last of all.
func macField(present [2]uint64, wide bool) int {
	if wide || present[1] != 0 {
		return 128
	}
	return 64
}

// AppendMAC appends the wire form of m with its MAC, made by mac over all that
// comes before it, and leaves the MAC in m as well. The MAC is DE 64, or DE 128
// in a message with a secondary bitmap. On an error dst is returned as it was,
// and m carries no MAC, but for a nil mac, refused with ErrNoMAC: then m is as it
// was too.
func (s *Spec) AppendMAC(dst []byte, m *Message, mac MAC) ([]byte, error) {
	d, err := s.own(m)
	if err != nil {
		return dst, err
	}
	if mac == nil {
		return dst, &FieldError{Offset: -1, Err: ErrNoMAC, Detail: "no algorithm is given"}
	}
	de := macField(d.bits, d.wide)
	m.Unset(64) // of before the message had a secondary bitmap
	m.Unset(de)
	if err := s.macDef(de); err != nil {
		return dst, err
	}
	present := d.bits
	present[(de-1)>>6] |= 1 << 63
	start := len(dst)
	out := d.appendFields(s.appendHead(grow(dst, maxHead+len(d.buf)+16), d.mti, present, d.wide), de-1)
	sum, err := mac.Sum(out[start:])
	if err != nil {
		clear(out[start:])
		return dst, err
	}
	if err := m.SetBytes(de, sum[:]); err != nil {
		clear(out[start:])
		return dst, err
	}
	return append(out, d.wireOf(de)...), nil
}

// macDef refuses dialects whose MAC field is not eight bytes.
func (s *Spec) macDef(de int) error {
	f := s.field(de)
	if f == nil {
		return &FieldError{DE: de, Offset: -1, Err: ErrUndefined}
	}
	if f.class != classB || f.digits != 0 || f.max != 8 {
		return &FieldError{DE: de, Offset: -1, Err: ErrNoMAC, Detail: "the dialect does not define eight bytes for it"}
	}
	return nil
}

// VerifyMAC checks the MAC of m, which was decoded from raw. It returns
// ErrNoMAC if m carries none and ErrBadMAC if it is not the one that mac makes,
// both within a *FieldError, and errors of mac as they are. The comparison
// takes the same time wherever the difference is.
func VerifyMAC(raw []byte, m *Message, mac MAC) error {
	if m == nil || m.data() == nil || mac == nil {
		return &FieldError{Offset: -1, Err: ErrNoMAC, Detail: "no message or no algorithm is given"}
	}
	d := m.data()
	de := macField(d.bits, d.wide)
	if !d.has(de) {
		return &FieldError{DE: de, Offset: -1, Err: ErrNoMAC}
	}
	if err := d.spec.macDef(de); err != nil {
		return err
	}
	w := d.wireOf(de)
	at := len(raw) - len(w)
	if at < 0 || !bytes.Equal(raw[at:], w) {
		return &FieldError{DE: de, Offset: -1, Err: ErrBadMAC, Detail: "the message does not end in its MAC"}
	}
	sum, err := mac.Sum(raw[:at])
	if err != nil {
		return err
	}
	var has [8]byte
	got, _ := m.AppendBytes(has[:0], de)
	if subtle.ConstantTimeCompare(sum[:], got) != 1 {
		return &FieldError{DE: de, Offset: at, Err: ErrBadMAC}
	}
	return nil
}

// secret is a block cipher whose key no format verb reaches: fmt prints the
// address of a function.
type secret func() cipher.Block

func (secret) String() string   { return hidden }
func (secret) GoString() string { return hidden }

// newCipher makes DES of 8 bytes of key and triple DES of 16 or 24.
func newCipher(key []byte) (secret, error) {
	var block cipher.Block
	var err error
	switch len(key) {
	case 8:
		block, err = des.NewCipher(key)
	case 16:
		full := append(append(make([]byte, 0, 24), key...), key[:8]...)
		block, err = des.NewTripleDESCipher(full)
		clear(full)
	case 24:
		block, err = des.NewTripleDESCipher(key)
	default:
		return nil, &FieldError{Offset: -1, Part: "key", Err: ErrKeySize, Detail: count(len(key), "byte")}
	}
	if err != nil {
		return nil, &FieldError{Offset: -1, Part: "key", Err: ErrKeySize}
	}
	return func() cipher.Block { return block }, nil
}

// ecbMAC is UnionPay's algorithm.
type ecbMAC struct{ key secret }

// NewECBMAC makes the ECB MAC of UnionPay with a MAK of 8 or 16 bytes: all
// blocks of 8 bytes are combined by exclusive or; the result is written as 16
// hexadecimal characters; their first half is encrypted, combined with the
// second, and encrypted again; the MAC is the first 8 hexadecimal characters of
// that, in ASCII.
func NewECBMAC(mak []byte) (MAC, error) {
	if len(mak) == 24 {
		return nil, &FieldError{Offset: -1, Part: "key", Err: ErrKeySize, Detail: "24 bytes"}
	}
	key, err := newCipher(mak)
	if err != nil {
		return nil, err
	}
	return ecbMAC{key}, nil
}

func (e ecbMAC) Sum(mab []byte) (mac [8]byte, err error) {
	var folded [8]byte
	for i, c := range mab {
		folded[i&7] ^= c
	}
	var text [16]byte
	appendHex(text[:0], folded[:])
	block := e.key()
	x := text[:8]
	block.Encrypt(x, x)
	subtle.XORBytes(x, x, text[8:])
	block.Encrypt(x, x)
	appendHex(mac[:0], x[:4])
	return mac, nil
}
