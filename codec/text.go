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
	i := uint(de - 1)
	if m.at == nil || i >= lastField {
		return dst, false
	}
	d := *m.at
	if d.bits[i>>6]>>(i&63)&1 == 0 {
		return dst, false
	}
	w, slot, n := &d.spec.ways[i], d.slots[i], len(dst)
	at := slot.off()
	if w.plain {
		return append(dst, d.buf[at+int(w.before):at+slot.size()]...), true
	}
	end := n + int(w.max)
	if w.kind != kindNumber || at+8 > cap(d.buf) || end > cap(dst) {
		return d.appendOther(dst, de, w), true
	}
	x := binary.BigEndian.Uint64(d.buf[at:at+8:at+8]) << (w.skip & 63)
	y := spread(uint32(x>>32)) | eachZero
	dst = dst[:end]
	// What two stores are needed for they write with the middle in both.
	switch size := end - n; {
	case size > 8:
		binary.BigEndian.PutUint64(dst[end-8:end:end], spread(uint32(x>>((64-4*size)&63)))|eachZero)
		binary.BigEndian.PutUint64(dst[n:n+8:n+8], y)
	case size == 8:
		binary.BigEndian.PutUint64(dst[n:n+8:n+8], y)
	case size >= 4:
		binary.BigEndian.PutUint32(dst[end-4:end:end], uint32(y>>((64-8*size)&63)))
		binary.BigEndian.PutUint32(dst[n:n+4:n+4], uint32(y>>32))
	case size >= 2:
		binary.BigEndian.PutUint16(dst[end-2:end:end], uint16(y>>((64-8*size)&63)))
		binary.BigEndian.PutUint16(dst[n:n+2:n+2], uint16(y>>48))
	default:
		dst[n] = byte(y >> 56)
	}
	return dst, true
}

// appendOther is AppendBytes of a field that is present, without the short way
// of numbers.
func (d *data) appendOther(dst []byte, de int, w *way) []byte {
	at, size := d.slotOf(de).off(), d.slotOf(de).size()
	switch {
	case w.kind == kindNumberVar && d.buf[at]&1 == 0: // the number of digits
		return unpackNibbles(dst, d.buf[at+1:at+size])
	}
	return d.spec.fields[de].appendContent(dst, d.wireOf(de))
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
