package codec

import (
	"bytes"
	"sync"
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

// validChinese reports whether b is text in the charset e whose characters
// lead back to the same bytes.
func validChinese(e wire, b []byte) bool {
	out, err := chinese(e).NewDecoder().Bytes(b)
	if err != nil || bytes.ContainsRune(out, utf8.RuneError) {
		return false
	}
	back, err := chinese(e).NewEncoder().Bytes(out)
	return err == nil && bytes.Equal(back, b)
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
