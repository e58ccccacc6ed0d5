package codec

import (
	"bytes"
	"encoding/binary"
	"sync"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// Sets of characters that a field's class may allow, as bits of charSet.
const (
	setDigit uint8 = 1 << iota
	setAlpha
	setSpecial
	setSpace
	setEqual // the field separator of track data
	setUpperHex
)

// setPrintable are all characters that ASCII prints.
const setPrintable = setAlpha | setDigit | setSpecial | setSpace

// charSet tells of each ASCII character which sets it is in; 0 for all others.
var charSet = func() (t [256]uint8) {
	for c := 0x20; c < 0x7F; c++ {
		switch {
		case c >= '0' && c <= '9':
			t[c] = setDigit | setUpperHex
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
			t[c] = setAlpha
		case c == ' ':
			t[c] = setSpace
		default:
			t[c] = setSpecial
		}
	}
	for c := 'A'; c <= 'F'; c++ {
		t[c] |= setUpperHex
	}
	t['='] |= setEqual
	t['D'] |= setEqual
	return t
}()

// badChar gives the index of the first byte of s that is in none of the sets in
// allow, or -1.
func badChar[T string | []byte](s T, allow uint8) int {
	for i := range len(s) {
		if charSet[s[i]]&allow == 0 {
			return i
		}
	}
	return -1
}

const eachTop = 0x8080808080808080
const eachOne = 0x0101010101010101

// within sets the top bit of each byte of x that lies in lo..hi; no byte of x
// may have its own top bit set.
func within(x, lo, hi uint64) uint64 {
	return (x + (0x80-lo)*eachOne) &^ (x + (0x7F-hi)*eachOne)
}

// all8 reports whether all 8 characters in x are in the sets in allow. It may
// say no of what is allowed, and badChar decides.
func all8(x uint64, allow uint8) bool {
	var in uint64
	switch allow {
	case setDigit:
		in = within(x, '0', '9')
	case setAlpha | setDigit:
		in = within(x, '0', '9') | within(x|0x20*eachOne, 'a', 'z')
	case setAlpha | setDigit | setSpace:
		in = within(x, '0', '9') | within(x|0x20*eachOne, 'a', 'z') | within(x, ' ', ' ')
	case setPrintable:
		in = within(x, 0x20, 0x7E)
	}
	return in&^x&eachTop == eachTop
}

// badIn gives the index of the first byte of b that is in none of the sets in
// allow, or -1, looking at 8 bytes at a time where there are as many.
func badIn(b []byte, allow uint8) int {
	if len(b) < 8 {
		return badChar(b, allow)
	}
	for i := 0; i+8 < len(b); i += 8 {
		if !all8(binary.BigEndian.Uint64(b[i:]), allow) {
			return badChar(b, allow)
		}
	}
	if !all8(binary.BigEndian.Uint64(b[len(b)-8:]), allow) {
		return badChar(b, allow)
	}
	return -1
}

func firstHigh[T string | []byte](s T) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return i
		}
	}
	return -1
}

func chinese(e wire) encoding.Encoding {
	if e == wireGB18030 {
		return simplifiedchinese.GB18030
	}
	return simplifiedchinese.GBK
}

// fromUTF8 gives s in the charset e, false if it cannot be expressed.
func fromUTF8(e wire, s string) (string, bool) {
	if !utf8.ValidString(s) {
		return "", false
	}
	out, err := chinese(e).NewEncoder().String(s)
	return out, err == nil
}

// appendUTF8 appends b, text in the charset e that was checked before.
func appendUTF8(dst []byte, e wire, b []byte) []byte {
	if firstHigh(b) < 0 {
		return append(dst, b...)
	}
	out, err := chinese(e).NewDecoder().Bytes(b)
	if err != nil {
		return dst
	}
	return append(dst, out...)
}

// badChinese gives the index of the first byte of b that is not of a printable
// character of the charset e, or -1. Good are only characters that lead back to
// the same bytes.
func badChinese(e wire, b []byte) int {
	c := charReader{chinese(e).NewDecoder(), chinese(e).NewEncoder()}
	for i := 0; i < len(b); {
		n := 1
		if b[i] >= utf8.RuneSelf {
			if n = c.size(b[i:]); n == 0 {
				return i
			}
		} else if b[i] < 0x20 || b[i] == 0x7F {
			return i
		}
		i += n
	}
	return -1
}

// badRune gives the index in s, UTF-8, of the first character that is not a
// printable one of the charset e, or -1.
func badRune(e wire, s string) int {
	for i, r := range s {
		local, ok := fromUTF8(e, string(r))
		if !ok || badChinese(e, []byte(local)) >= 0 {
			return i
		}
	}
	return -1
}

// charReader looks at one character of a charset at a time.
type charReader struct {
	decoder *encoding.Decoder
	encoder *encoding.Encoder
}

// size is the number of bytes that the first character of b takes, 0 if there
// is no such character.
func (c charReader) size(b []byte) int {
	for _, n := range [...]int{1, 2, 4} {
		if n <= len(b) && c.isOne(b[:n]) {
			return n
		}
	}
	return 0
}

// isOne reports whether b is one printable character, and the one way to write
// it. Control and format characters, which could take over the screen or the
// printer that shows them, and private ones are none.
func (c charReader) isOne(b []byte) bool {
	var text, back [8]byte
	n, read, err := c.decoder.Transform(text[:], b, true)
	if err != nil || read != len(b) {
		return false
	}
	r, size := utf8.DecodeRune(text[:n])
	if r == utf8.RuneError || size != n || !unicode.IsGraphic(r) {
		return false
	}
	n, _, err = c.encoder.Transform(back[:], text[:n], true)
	return err == nil && bytes.Equal(back[:n], b)
}

// page is an EBCDIC code page, narrowed to what ISO 8583 uses: the printable
// characters of ASCII. 0 stands for a character that has no counterpart.
type page struct{ to, from [256]byte }

func newPage(m *charmap.Charmap) *page {
	p := new(page)
	for c := byte(0x20); c < 0x7F; c++ {
		if e, ok := m.EncodeRune(rune(c)); ok {
			p.to[c], p.from[e] = e, c
		}
	}
	return p
}

var (
	page037  = sync.OnceValue(func() *page { return newPage(charmap.CodePage037) })
	page1047 = sync.OnceValue(func() *page { return newPage(charmap.CodePage1047) })
)
