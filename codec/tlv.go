package codec

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Tag is a BER tag of one to four bytes read as a number: 0x9F26.
type Tag uint32

// String gives the hexadecimal digits, such as "9F26".
func (t Tag) String() string {
	s := fmt.Sprintf("%02X", uint32(t))
	if len(s)%2 != 0 {
		s = "0" + s
	}
	return s
}

// Constructed reports whether the value is itself made of TLV, which ParseTLV
// then takes apart. Vendors' tags say so of values that are not.
func (t Tag) Constructed() bool {
	for t > 0xFF {
		t >>= 8
	}
	return t&0x20 != 0
}

func (t Tag) append(dst []byte) []byte {
	for shift := 24; shift >= 0; shift -= 8 {
		if t>>shift != 0 || shift == 0 {
			dst = append(dst, byte(t>>shift))
		}
	}
	return dst
}

// valid reports whether t is what readTag reads.
func (t Tag) valid() bool {
	b := t.append(nil)
	got, n, ok := readTag(b)
	return ok && n == len(b) && got == t
}

// TLV is one tag and its value. It shows the tag and the length only: values
// may hold a card number or a track.
type TLV struct {
	Tag   Tag
	value func() []byte
}

// NewTLV makes a TLV of a copy of value.
func NewTLV(t Tag, value []byte) TLV {
	c := append([]byte(nil), value...)
	return TLV{t, func() []byte { return c }}
}

// Value gives the value, unmasked. It must not be changed.
func (t TLV) Value() []byte {
	if t.value == nil {
		return nil
	}
	return t.value()
}

// String gives the tag and the length of the value.
func (t TLV) String() string { return t.Tag.String() + "[" + strconv.Itoa(len(t.Value())) + "]" }

// Format gives the same for every verb.
func (t TLV) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// MarshalText gives the same, in JSON too.
func (t TLV) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// TLVs is BER-TLV data in its order, as DE 55 holds it.
type TLVs []TLV

// String gives the tags and the lengths.
func (l TLVs) String() string {
	parts := make([]string, len(l))
	for i, t := range l {
		parts[i] = t.String()
	}
	return strings.Join(parts, " ")
}

// Get gives the value of the tag.
func (l TLVs) Get(t Tag) ([]byte, bool) {
	for _, e := range l {
		if e.Tag == t {
			return e.Value(), true
		}
	}
	return nil, false
}

// maxTLV is the largest value: what a two-byte length says.
const maxTLV = 65535

// ParseTLV takes BER-TLV data apart. Tags that it does not know are kept.
// Refused are tags of more than four bytes, tags that occur twice, lengths that
// are indefinite, not as short as can be or go beyond the end, and padding.
// What it accepts, Append writes as the same bytes again. The values are
// copies.
func ParseTLV(b []byte) (TLVs, error) {
	n := 0
	for at := 0; at < len(b); n++ {
		_, _, end, err := readElement(b, at)
		if err != nil {
			return nil, err
		}
		at = end
	}
	if n == 0 {
		return nil, nil
	}
	list := make(TLVs, 0, n)
	copied := append([]byte(nil), b...)
	for at := 0; at < len(b); {
		tag, from, end, _ := readElement(b, at)
		value := copied[from:end:end]
		list = append(list, TLV{tag, func() []byte { return value }})
		at = end
	}
	if i := list.repeated(); i >= 0 {
		at := 0
		for range i {
			_, _, at, _ = readElement(b, at)
		}
		return nil, &FieldError{DE: 55, Offset: at, Part: list[i].Tag.String(), Err: ErrStructure, Detail: "occurs twice"}
	}
	return list, nil
}

// readElement reads the element that begins at b[at]: its tag, and where its
// value lies.
func readElement(b []byte, at int) (t Tag, from, end int, err error) {
	fail := func(part string, err error, detail string) (Tag, int, int, error) {
		return 0, 0, 0, &FieldError{DE: 55, Offset: at, Part: part, Err: err, Detail: detail}
	}
	t, n, ok := readTag(b[at:])
	if !ok {
		return fail("tag", ErrStructure, "not one to four bytes of BER")
	}
	size, m, ok := readLength(b[at+n:])
	if !ok {
		return fail(t.String(), ErrStructure, "its length is malformed")
	}
	from = at + n + m
	if size > len(b)-from {
		return fail(t.String(), ErrTruncated, exactly(len(b)-from, size)+" bytes")
	}
	return t, from, from + size, nil
}

// repeated gives the index of the first element whose tag another one in front
// of it has, or -1.
func (l TLVs) repeated() int {
	order := make([]uint64, len(l))
	for i, t := range l {
		order[i] = uint64(t.Tag)<<32 | uint64(i)
	}
	slices.Sort(order)
	first := -1
	for i := 1; i < len(order); i++ {
		if at := int(uint32(order[i])); order[i]>>32 == order[i-1]>>32 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// checkTLV refuses what is no BER-TLV data, if the field must be; at is the
// offset of b.
func (f *field) checkTLV(b []byte, at int) error {
	if !f.tlv {
		return nil
	}
	_, err := ParseTLV(b)
	var fe *FieldError
	if errors.As(err, &fe) {
		fe.DE, fe.Offset = f.de, fe.Offset+at
		return fe
	}
	return nil
}

// readTag reads a tag of n bytes.
func readTag(b []byte) (t Tag, n int, ok bool) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0, false
	}
	t = Tag(b[0])
	if b[0]&0x1F != 0x1F {
		return t, 1, true
	}
	for n = 1; n < 4 && n < len(b); n++ {
		t = t<<8 | Tag(b[n])
		if b[n]&0x80 == 0 {
			return t, n + 1, true
		}
	}
	return 0, 0, false
}

// readLength reads a length of n bytes.
func readLength(b []byte) (size, n int, ok bool) {
	switch {
	case len(b) >= 1 && b[0] < 0x80:
		return int(b[0]), 1, true
	case len(b) >= 2 && b[0] == 0x81 && b[1] >= 0x80:
		return int(b[1]), 2, true
	case len(b) >= 3 && b[0] == 0x82 && b[1] > 0:
		return int(b[1])<<8 | int(b[2]), 3, true
	}
	return 0, 0, false
}

// Append appends the data to dst.
func (l TLVs) Append(dst []byte) ([]byte, error) {
	out, twice := dst, l.repeated()
	for i, t := range l {
		value := t.Value()
		fail := func(err error, detail string) ([]byte, error) {
			return dst, &FieldError{DE: 55, Offset: -1, Part: t.Tag.String(), Err: err, Detail: detail}
		}
		if !t.Tag.valid() {
			return fail(ErrStructure, "no tag of one to four bytes of BER")
		}
		if i == twice {
			return fail(ErrStructure, "occurs twice")
		}
		out = t.Tag.append(out)
		switch n := len(value); {
		case n < 0x80:
			out = append(out, byte(n))
		case n <= 0xFF:
			out = append(out, 0x81, byte(n))
		case n <= maxTLV:
			out = append(out, 0x82, byte(n>>8), byte(n))
		default:
			return fail(ErrTooLong, atMost(n, maxTLV)+" bytes")
		}
		out = append(out, value...)
	}
	return out, nil
}
