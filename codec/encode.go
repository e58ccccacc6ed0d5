package codec

import (
	"math/bits"
)

// maxHead is the most that message type and bitmaps take.
const maxHead = 4 + 2*16

// Append appends the message in its wire form to dst. The message must be of
// the dialect s. On an error dst is returned as it was.
func (s *Spec) Append(dst []byte, m *Message) ([]byte, error) {
	d, err := s.own(m)
	if err != nil {
		return dst, err
	}
	out := s.appendHead(grow(dst, maxHead+len(d.buf)), d.mti, d.bits, d.wide)
	if !d.loose {
		return append(out, d.buf...), nil
	}
	return d.appendFields(out, lastField), nil
}

// own gives the content of a message that can be written in the dialect s.
func (s *Spec) own(m *Message) (*data, error) {
	if m == nil || m.data() == nil || m.data().spec != s {
		return nil, &FieldError{Offset: -1, Err: ErrDialect}
	}
	d := m.data()
	if !d.mti.Valid() {
		return nil, &FieldError{Offset: -1, Err: ErrMTI}
	}
	return d, nil
}

// appendFields appends the wire form of the present fields below limit or equal
// to it.
func (d *data) appendFields(dst []byte, limit int) []byte {
	for half, word := range d.bits {
		for word != 0 {
			de := half<<6 + bits.TrailingZeros64(word) + 1
			word &= word - 1
			if de > limit {
				return dst
			}
			dst = append(dst, d.wireOf(de)...)
		}
	}
	return dst
}

// appendHead appends the message type and the bitmaps.
func (s *Spec) appendHead(dst []byte, t MTI, present [2]uint64, wide bool) []byte {
	if s.mti == wireBCD {
		dst = append(dst, byte(t>>8), byte(t))
	} else {
		dst = appendNumber(dst, s.mti, int(t>>12)*1000+int(t>>8&15)*100+int(t>>4&15)*10+int(t&15), 4)
	}
	if wide || present[1] != 0 {
		dst = s.appendBitmap(dst, present[0]|1)
		return s.appendBitmap(dst, present[1])
	}
	return s.appendBitmap(dst, present[0])
}

func (s *Spec) appendBitmap(dst []byte, word uint64) []byte {
	word = bits.Reverse64(word)
	if s.bitmap == wireHex {
		for shift := 60; shift >= 0; shift -= 4 {
			dst = append(dst, hexDigits[word>>shift&15])
		}
		return dst
	}
	return append(dst, byte(word>>56), byte(word>>48), byte(word>>40), byte(word>>32),
		byte(word>>24), byte(word>>16), byte(word>>8), byte(word))
}

// appendNumber appends n in the given number of decimal digits as characters.
func appendNumber(dst []byte, w wire, n, digits int) []byte {
	at := len(dst)
	for range digits {
		dst = append(dst, 0)
	}
	zero := byte('0')
	if w == wireEBCDIC || w == wireEBCDIC1047 {
		zero = 0xF0
	}
	for i := len(dst) - 1; i >= at; i-- {
		dst[i] = zero + byte(n%10)
		n /= 10
	}
	return dst
}

// appendPrefix appends the length n of a variable field.
func (f *field) appendPrefix(dst []byte, n int) []byte {
	switch f.prefix {
	case wireBCD:
		if f.digits > 2 {
			dst = append(dst, byte(n/1000<<4|n/100%10))
		}
		return append(dst, byte(n/10%10<<4|n%10))
	case wireRaw:
		if f.digits > 2 {
			dst = append(dst, byte(n>>8))
		}
		return append(dst, byte(n))
	}
	return appendNumber(dst, f.prefix, n, f.digits)
}

func (f *field) fail(at int, err error, detail string) error {
	return &FieldError{DE: f.de, Offset: at, Err: err, Detail: detail}
}

// checkLength refuses n units of content if the field cannot hold them.
func (f *field) checkLength(n int) error {
	if n > f.max {
		return f.fail(-1, ErrTooLong, atMost(n, f.max))
	}
	if n < f.max && f.digits == 0 && !f.pad {
		return f.fail(-1, ErrTooShort, exactly(n, f.max))
	}
	return nil
}

// encode appends the wire form of v, given in the field's own characters.
func (f *field) encode(dst []byte, v string) ([]byte, error) {
	switch f.class {
	case classB:
		return f.encodeHex(dst, v)
	case classXN:
		return f.encodeSigned(dst, v)
	case classN, classZ:
		if err := f.checkLength(len(v)); err != nil {
			return dst, err
		}
		if f.wire == wireBCD {
			return f.encodeBCD(dst, v)
		}
	}
	return f.encodeText(dst, v)
}

func (f *field) encodeText(dst []byte, v string) ([]byte, error) {
	chinese := false
	if f.wire == wireGBK || f.wire == wireGB18030 {
		if i := firstHigh(v); i >= 0 {
			local, ok := fromUTF8(f.wire, v)
			if !ok || badChinese(f.wire, []byte(local)) >= 0 {
				return dst, f.fail(badRune(f.wire, v), ErrContent, "not a printable character of the charset")
			}
			v, chinese = local, true
		}
	}
	if err := f.checkLength(len(v)); err != nil {
		return dst, err
	}
	if i := badChar(v, f.allow); !chinese && i >= 0 {
		return dst, f.fail(i, ErrContent, "")
	}
	if f.digits > 0 {
		dst = f.appendPrefix(dst, len(v))
	}
	if p := f.wire.page(); p != nil {
		for i := range len(v) {
			dst = append(dst, p.to[v[i]])
		}
	} else {
		dst = append(dst, v...)
	}
	if f.digits == 0 {
		for n := len(v); n < f.max; n++ {
			dst = append(dst, f.space())
		}
	}
	return dst, nil
}

func (f *field) space() byte {
	if p := f.wire.page(); p != nil {
		return p.to[' ']
	}
	return ' '
}

// encodeBCD appends digits and track characters, two to a byte.
func (f *field) encodeBCD(dst []byte, v string) ([]byte, error) {
	odd := len(v)%2 != 0
	if f.digits > 0 {
		if odd && f.inByte && f.filler <= 9 {
			return dst, f.fail(-1, ErrTooShort, "an odd number of digits cannot be told apart when the length counts bytes")
		}
		dst = f.appendPrefix(dst, f.count(len(v)))
	}
	if f.class == classN && !odd {
		out, ok := packDigits(dst, v)
		if !ok {
			return dst, f.fail(badChar(v, setDigit), ErrContent, "")
		}
		return out, nil
	}
	half, pending := byte(0), false
	if odd && f.right {
		half, pending = f.filler<<4, true
	}
	for i := range len(v) {
		c := f.nibble(v[i])
		if c > 15 {
			return dst, f.fail(i, ErrContent, "")
		}
		if pending {
			dst = append(dst, half|c)
		}
		half, pending = c<<4, !pending
	}
	if pending {
		dst = append(dst, half|f.filler)
	}
	return dst, nil
}

// nibble is the nibble that stands for a character of the field, 0xFF if none
// does.
func (f *field) nibble(c byte) byte {
	switch {
	case c-'0' <= 9:
		return c - '0'
	case f.class == classZ && (c == '=' || c == 'D'):
		return 0xD
	}
	return 0xFF
}

// encodeHex appends bytes given as hexadecimal digits.
func (f *field) encodeHex(dst []byte, v string) ([]byte, error) {
	if len(v)%2 != 0 {
		return dst, f.fail(len(v), ErrContent, "an odd number of hexadecimal digits")
	}
	if err := f.checkLength(len(v) / 2); err != nil {
		return dst, err
	}
	if f.digits > 0 {
		dst = f.appendPrefix(dst, f.count(len(v)/2))
	}
	if f.wire == wireRaw {
		start := len(dst)
		out, bad := unhex(dst, v)
		if bad >= 0 {
			return dst, f.fail(bad, ErrContent, "")
		}
		return out, f.checkTLV(out[start:], 0)
	}
	for i := range len(v) {
		c := hexValue(v[i])
		if c > 15 {
			return dst, f.fail(i, ErrContent, "")
		}
		dst = append(dst, hexDigits[c])
	}
	return dst, nil
}

// encodeBytes appends the wire form of a binary field.
func (f *field) encodeBytes(dst, v []byte) ([]byte, error) {
	if err := f.checkLength(len(v)); err != nil {
		return dst, err
	}
	if err := f.checkTLV(v, 0); err != nil {
		return dst, err
	}
	if f.digits > 0 {
		dst = f.appendPrefix(dst, f.count(len(v)))
	}
	if f.wire == wireHex {
		return appendHex(dst, v), nil
	}
	return append(dst, v...), nil
}

// encodeSigned appends an x+n value: its sign, then digits.
func (f *field) encodeSigned(dst []byte, v string) ([]byte, error) {
	if len(v) != f.max+1 {
		return dst, f.fail(-1, lengthError(len(v), f.max+1), exactly(len(v), f.max+1))
	}
	if !f.goodSign(v[0]) {
		return dst, f.fail(0, ErrContent, "the sign is neither C nor D")
	}
	sign, v := v[0], v[1:]
	if i := badChar(v, setDigit); i >= 0 {
		return dst, f.fail(i+1, ErrContent, "")
	}
	if p := f.wire.page(); p != nil {
		dst = append(dst, p.to[sign])
		for i := range len(v) {
			dst = append(dst, p.to[v[i]])
		}
		return dst, nil
	}
	dst = append(dst, sign)
	if f.wire == wireBCD {
		dst, _ = packDigits(dst, v)
		return dst, nil
	}
	return append(dst, v...), nil
}

func (f *field) goodSign(c byte) bool {
	return c == 'C' || c == 'D' || f.sign0 && c == '0'
}

func lengthError(got, want int) error {
	if got > want {
		return ErrTooLong
	}
	return ErrTooShort
}
