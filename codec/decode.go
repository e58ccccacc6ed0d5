package codec

import (
	"encoding/binary"
	"math/bits"
)

// Decode reads a message that fills b to its last byte. What it accepts,
// Append writes as the same bytes again. The message keeps no reference to b.
// An error is a *FieldError.
func (s *Spec) Decode(b []byte) (*Message, error) {
	d := newData(s)
	if err := s.decode(d, b); err != nil {
		d.reset()
		return nil, err
	}
	return &d.self, nil
}

// DecodeInto is Decode into a message that exists, whose memory is used again;
// it becomes one of the dialect s. On an error m is left without any field; nil
// is refused with ErrDialect.
func (s *Spec) DecodeInto(m *Message, b []byte) error {
	if m == nil {
		return &FieldError{Offset: -1, Err: ErrDialect, Detail: "no message to decode into"}
	}
	if m.at == nil {
		m.at = newData(s).self.at
	}
	d := m.data()
	d.forget()
	d.spec = s
	if err := s.decode(d, b); err != nil {
		d.reset()
		return err
	}
	return nil
}

// decode fills d, which is empty, from b.
func (s *Spec) decode(d *data, b []byte) error {
	if len(b) > maxMessage {
		return &FieldError{Offset: maxMessage, Err: ErrTooLong, Detail: atMost(len(b), maxMessage) + " bytes"}
	}
	at, err := s.decodeHead(d, b)
	if err != nil {
		return err
	}
	d.fill(b[at:])
	if s.quick(d, len(b)-at) {
		return nil
	}
	return s.careful(d, b, at)
}

// careful is quick field by field, and says what is wrong.
func (s *Spec) careful(d *data, b []byte, at int) error {
	d.slots = [lastField]slot{}
	start := at
	for de := range d.self.Fields {
		f := s.field(de)
		if f == nil {
			return &FieldError{DE: de, Offset: s.bitOffset(de), Err: ErrUndefined}
		}
		end, err := f.scan(b, at)
		if err != nil {
			return err
		}
		d.slots[de-1] = slotAt(at-start, end-at)
		at, d.last = end, uint8(de)
	}
	if at != len(b) {
		return &FieldError{Offset: at, Err: ErrTrailing, Detail: count(len(b)-at, "byte")}
	}
	return nil
}

// bitOffset is where in a message the bit of a field stands.
func (s *Spec) bitOffset(de int) int {
	at := (de - 1) / 8
	if s.bitmap == wireHex {
		at = (de - 1) / 4
	}
	return s.mtiBytes() + at
}

// decodeHead reads the message type and the bitmaps.
func (s *Spec) decodeHead(d *data, b []byte) (at int, err error) {
	at = s.mtiBytes()
	if len(b) < at {
		return 0, &FieldError{Offset: len(b), Err: ErrTruncated, Detail: "in the message type"}
	}
	n, ok := 0, true
	if s.mti == wireBCD {
		d.mti = MTI(binary.BigEndian.Uint16(b))
		ok = d.mti.Valid()
	} else if n, ok = readNumber(b[:4], s.mti); ok {
		d.mti = MTI(n/1000<<12 | n/100%10<<8 | n/10%10<<4 | n%10)
	}
	if !ok {
		return 0, &FieldError{Offset: badNumber(b[:at], s.mti), Err: ErrMTI}
	}
	if d.bits[0], at, err = s.readBitmap(b, at); err != nil {
		return at, err
	}
	if d.bits[0]&1 != 0 {
		d.wide = true
		d.bits[0] &^= 1
		if d.bits[1], at, err = s.readBitmap(b, at); err != nil {
			return at, err
		}
		if d.bits[1]&1 != 0 {
			return at, &FieldError{DE: 65, Offset: s.bitOffset(65), Err: ErrTertiary}
		}
	}
	return at, nil
}

func (s *Spec) readBitmap(b []byte, at int) (word uint64, end int, err error) {
	end = at + s.bitmapBytes()
	if len(b) < end {
		return 0, at, &FieldError{Offset: len(b), Err: ErrTruncated, Detail: "in the bitmap"}
	}
	if s.bitmap != wireHex {
		return bits.Reverse64(binary.BigEndian.Uint64(b[at:])), end, nil
	}
	for i := at; i < end; i++ {
		if charSet[b[i]]&setUpperHex == 0 {
			return 0, at, &FieldError{Offset: i, Err: ErrBitmap, Detail: "not an upper-case hexadecimal digit"}
		}
		word = word<<4 | uint64(hexValue(b[i]))
	}
	return bits.Reverse64(word), end, nil
}

// readNumber reads decimal digits written as characters.
func readNumber(b []byte, w wire) (n int, ok bool) {
	zero := byte('0')
	if w == wireEBCDIC || w == wireEBCDIC1047 {
		zero = 0xF0
	}
	for _, c := range b {
		c -= zero
		if c > 9 {
			return 0, false
		}
		n = n*10 + int(c)
	}
	return n, true
}

// badNumber gives the index of the first byte of a number that is wrong.
func badNumber(b []byte, w wire) int {
	if w == wireBCD {
		return max(badNibble(b), 0)
	}
	for i := range b {
		if _, ok := readNumber(b[i:i+1], w); !ok {
			return i
		}
	}
	return 0
}

// readPrefix reads the length in front of a variable field: the count of its
// content as written.
func (f *field) readPrefix(b []byte) (n int, ok bool) {
	switch f.prefix {
	case wireBCD:
		for i, c := range b {
			if c > 0x99 || c&15 > 9 || i == 0 && f.digits == 3 && c > 9 {
				return 0, false
			}
			n = n*100 + int(c>>4)*10 + int(c&15)
		}
		return n, true
	case wireRaw:
		for _, c := range b {
			n = n<<8 | int(c)
		}
		return n, true
	}
	return readNumber(b, f.prefix)
}

// badPrefix gives the index of the first byte of a length that is wrong.
func (f *field) badPrefix(b []byte) int {
	if f.prefix == wireBCD && f.digits == 3 && b[0] > 9 {
		return 0
	}
	return badNumber(b, f.prefix)
}

// extent reads where the content of a field that begins at b[at] lies and how
// many units it has.
func (f *field) extent(b []byte, at int) (from, end, n int, err error) {
	if f.digits == 0 {
		n, from = f.max, at
	} else {
		from = at + int(f.before)
		if from > len(b) {
			return 0, 0, 0, f.fail(len(b), ErrTruncated, "in the length")
		}
		written, ok := f.readPrefix(b[at:from])
		if !ok {
			return 0, 0, 0, f.fail(at+f.badPrefix(b[at:from]), ErrPrefix, "")
		}
		if n = f.units(written); n < 0 {
			return 0, 0, 0, f.fail(at, ErrPrefix, "an odd number of hexadecimal digits")
		}
		if f.count(n) > f.count(f.max) {
			return 0, 0, 0, f.fail(at, ErrTooLong, atMost(written, f.count(f.max)))
		}
	}
	end = from + f.size(n)
	if end > len(b) {
		return 0, 0, 0, f.fail(len(b), ErrTruncated, exactly(len(b)-from, end-from)+" bytes")
	}
	if f.wire == wireBCD && f.inByte && f.digits > 0 && n > 0 && f.filler > 9 && b[end-1]&15 == f.filler {
		n--
	}
	if n > f.max {
		return 0, 0, 0, f.fail(at, ErrTooLong, atMost(n, f.max))
	}
	return from, end, n, nil
}

// units is the reverse of count: the units of content behind a written length;
// negative if there is no such content. The last digit of content that is
// counted in bytes may turn out to be filler.
func (f *field) units(written int) int {
	switch {
	case f.wire == wireBCD && f.inByte:
		return 2 * written
	case f.wire == wireHex && !f.inByte:
		if written%2 != 0 {
			return -1
		}
		return written / 2
	}
	return written
}

// scan checks the field that begins at b[at] and gives its end.
func (f *field) scan(b []byte, at int) (end int, err error) {
	from, end, n, err := f.extent(b, at)
	if err != nil {
		return 0, err
	}
	c := b[from:end]
	bad := -1
	switch f.wire {
	case wireBCD:
		return end, f.scanBCD(c, from, n)
	case wireRaw:
		return end, f.checkTLV(c, from)
	case wireHex:
		bad = badHex(c)
	case wireGBK, wireGB18030:
		if firstHigh(c) >= 0 {
			if bad = badChinese(f.wire, c); bad >= 0 {
				return 0, f.fail(from+bad, ErrContent, "not text of the charset")
			}
			return end, nil
		}
		bad = badIn(c, f.allow)
	case wireEBCDIC, wireEBCDIC1047:
		bad = f.badEBCDIC(c)
	default:
		bad = f.badASCII(c)
	}
	if bad >= 0 {
		return 0, f.fail(from+bad, ErrContent, "")
	}
	return end, nil
}

func (f *field) badASCII(c []byte) int {
	switch f.class {
	case classN:
		return badDigit(c)
	case classXN:
		if !f.goodSign(c[0]) {
			return 0
		}
		if i := badDigit(c[1:]); i >= 0 {
			return i + 1
		}
		return -1
	}
	return badIn(c, f.allow)
}

func (f *field) badEBCDIC(c []byte) int {
	p := f.wire.page()
	for i, e := range c {
		a := p.from[e]
		if i == 0 && f.class == classXN {
			if !f.goodSign(a) {
				return 0
			}
			continue
		}
		if charSet[a]&f.allow == 0 {
			return i
		}
	}
	return -1
}

// scanBCD checks n nibbles of content and their filler; at is the offset of c.
func (f *field) scanBCD(c []byte, at, n int) error {
	if f.class == classXN {
		if !f.goodSign(c[0]) {
			return f.fail(at, ErrContent, "the sign is neither C nor D")
		}
		c, at = c[1:], at+1
	}
	whole := c
	switch odd := n%2 != 0; {
	case odd && f.right:
		if err := f.scanHalf(c[0]>>4, c[0]&15, at); err != nil {
			return err
		}
		whole, at = c[1:], at+1
	case odd:
		whole = c[:len(c)-1]
	}
	bad := badNibble(whole)
	if bad >= 0 && f.class == classZ {
		bad = badTrackNibble(whole)
	}
	if bad >= 0 {
		return f.fail(at+bad, ErrContent, "")
	}
	if n%2 != 0 && !f.right {
		last := c[len(c)-1]
		return f.scanHalf(last&15, last>>4, at+len(whole))
	}
	return nil
}

// scanHalf checks the byte that holds the filler and one digit.
func (f *field) scanHalf(filler, digit byte, at int) error {
	if f.accept>>filler&1 == 0 {
		return f.fail(at, ErrFiller, "")
	}
	if digit > 9 && (f.class != classZ || digit != 0xD) {
		return f.fail(at, ErrContent, "")
	}
	return nil
}

func badTrackNibble(c []byte) int {
	for i, b := range c {
		if h := b >> 4; h > 9 && h != 0xD {
			return i
		}
		if l := b & 15; l > 9 && l != 0xD {
			return i
		}
	}
	return -1
}
