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
	k, at, size := &d.spec.kinds[de], int(d.slots[de].off), int(d.slots[de].len)
	switch {
	case k.kind == kindBCD && at+8 <= cap(d.buf) && len(dst)+2*size <= cap(dst):
		// Eight bytes are looked at, those behind the field in vain.
		n := len(dst)
		dst = dst[:n+2*size]
		putDigits(dst[n:], binary.BigEndian.Uint64(d.buf[at:at+8]))
		return dst, true
	case k.plain:
		return append(dst, d.buf[at+int(k.before):at+size]...), true
	case k.kind == kindBCD:
		return unpackNibbles(dst, d.wireOf(de)), true
	case k.kind == kindBCDVar && d.buf[at]&1 == 0: // the number of digits
		return unpackNibbles(dst, d.buf[at+1:at+size]), true
	case k.kind == kindBCDOdd:
		return unpackNibbles(append(dst, '0'|d.buf[at]&15), d.buf[at+1:at+size]), true
	}
	return d.spec.fields[de].appendContent(dst, d.wireOf(de)), true
}

// putDigits fills dst, of an even size up to 16, with the first nibbles of x as
// digits. What two stores are needed for they write with the middle in both.
func putDigits(dst []byte, x uint64) {
	y := spread(uint32(x>>32)) | eachZero
	n := len(dst)
	switch {
	case n > 8:
		binary.BigEndian.PutUint64(dst[n-8:], spread(uint32(x>>((64-4*n)&63)))|eachZero)
		fallthrough
	case n == 8:
		binary.BigEndian.PutUint64(dst, y)
	case n >= 4:
		binary.BigEndian.PutUint32(dst[n-4:], uint32(y>>((64-8*n)&63)))
		binary.BigEndian.PutUint32(dst, uint32(y>>32))
	default:
		binary.BigEndian.PutUint16(dst, uint16(y>>48))
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
