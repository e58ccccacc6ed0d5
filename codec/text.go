package codec

import "encoding/binary"

// Text gives a field's content in its own characters: digits as digits, text as
// UTF-8, binary fields as upper-case hexadecimal digits, "=" between the parts
// of track data. It reports false if the field is absent.
//
// The content is given unmasked. AppendText does the same without allocating.
func (m *Message) Text(de int) (string, bool) {
	var scratch [256]byte
	b, ok := m.AppendText(scratch[:0], de)
	return string(b), ok
}

// AppendText appends a field's content, as Text gives it, to dst.
func (m *Message) AppendText(dst []byte, de int) ([]byte, bool) {
	d := m.data()
	if !d.has(de) {
		return dst, false
	}
	return d.spec.fields[de].appendText(dst, d.wireOf(de)), true
}

// Bytes gives a copy of the bytes of a binary field, and of any other field its
// content in characters. It reports false if the field is absent.
func (m *Message) Bytes(de int) ([]byte, bool) { return m.AppendBytes(nil, de) }

// AppendBytes appends what Bytes gives to dst.
func (m *Message) AppendBytes(dst []byte, de int) ([]byte, bool) {
	d := m.data()
	if d == nil || uint(de) > lastField || d.slots[de].len == 0 {
		return dst, false
	}
	k, at, n := d.spec.kinds[de], int(d.slots[de].off), len(dst)
	if k.kind == kindBCD && at+8 <= cap(d.buf) && n+2*int(k.bytes) <= cap(dst) {
		// Eight bytes are looked at, those behind the field in vain.
		dst = dst[:n+2*int(k.bytes)]
		putDigits(dst[n:], binary.BigEndian.Uint64(d.buf[at:at+8]))
		return dst, true
	}
	w := d.wireOf(de)
	switch {
	case k.plain:
		return append(dst, w[k.before:]...), true
	case k.kind == kindBCD:
		return unpackNibbles(dst, w), true
	case k.kind == kindBCDVar && w[0]&1 == 0: // the number of digits
		return unpackNibbles(dst, w[1:]), true
	case k.kind == kindBCDOdd:
		return unpackNibbles(append(dst, '0'|w[0]&15), w[1:]), true
	}
	return d.spec.fields[de].appendContent(dst, w), true
}

// putDigits fills dst, of an even size up to 16, with the first nibbles of x as
// digits.
func putDigits(dst []byte, x uint64) {
	y := spread(uint32(x>>32)) | eachZero
	if len(dst) >= 8 {
		binary.BigEndian.PutUint64(dst, y)
		if len(dst) == 8 {
			return
		}
		dst, y = dst[8:], spread(uint32(x))|eachZero
	}
	switch len(dst) {
	case 2:
		binary.BigEndian.PutUint16(dst, uint16(y>>48))
	case 4:
		binary.BigEndian.PutUint32(dst, uint32(y>>32))
	case 6:
		binary.BigEndian.PutUint32(dst, uint32(y>>32))
		binary.BigEndian.PutUint16(dst[4:], uint16(y>>16))
	case 8:
		binary.BigEndian.PutUint64(dst, y)
	}
}

// appendContent appends the bytes of a binary field, the characters of others.
func (f *field) appendContent(dst, w []byte) []byte {
	switch f.wire {
	case wireRaw, wireASCII:
		return append(dst, w[f.before:]...)
	case wireHex:
		return appendUnhex(dst, w[f.before:])
	}
	return f.appendText(dst, w)
}

// appendText appends the content of a wire form that was checked before.
func (f *field) appendText(dst, w []byte) []byte {
	switch f.wire {
	case wireASCII, wireHex:
		return append(dst, w[f.before:]...)
	case wireBCD:
		return f.appendNibbles(dst, w)
	case wireRaw:
		return appendHex(dst, w[f.before:])
	case wireGBK, wireGB18030:
		return appendUTF8(dst, f.wire, w[f.before:])
	case wireEBCDIC, wireEBCDIC1047:
		p := f.wire.page()
		for _, e := range w[f.before:] {
			dst = append(dst, p.from[e])
		}
		return dst
	}
	return dst
}

func (f *field) appendNibbles(dst, w []byte) []byte {
	if f.class == classXN {
		return unpackNibbles(append(dst, w[0]), w[1:])
	}
	n, c := f.max, w
	if f.digits > 0 {
		var from, end int
		from, end, n, _ = f.extent(w, 0)
		c = w[from:end]
	}
	if n%2 == 0 {
		return unpackNibbles(dst, c)
	}
	if f.right {
		dst = append(dst, '0'|c[0]&15)
		return unpackNibbles(dst, c[1:])
	}
	dst = unpackNibbles(dst, c)
	return dst[:len(dst)-1]
}
