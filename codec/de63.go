package codec

import (
	"strings"
	"unicode/utf8"
)

// Card organisations as DE 63.1 names them.
const (
	OrgUnionPay   = "CUP"
	OrgVisa       = "VIS"
	OrgMasterCard = "MCC"
	OrgMaestro    = "MAE"
	OrgJCB        = "JCB"
	OrgDiners     = "DCC"
	OrgAmex       = "AEX"
	OrgUnknown    = "000" // counts as inland
)

// Private63 is DE 63 of UnionPay: in requests the operator or the card
// organisation, in answers the card organisation and what issuer, UnionPay and
// acquirer have to say. The texts keep the spaces that fill them up. Where each
// begins is counted in bytes of GBK: not for dialects that say "text gb18030".
type Private63 struct {
	Code     string // 63.1: operator ("01 ") or an Org… constant, at most 3 characters
	Issuer   string // 63.2.1, at most 20 bytes of GBK
	UnionPay string // 63.2.2, at most 20 bytes of GBK
	Acquirer string // 63.2.3, the rest, at most 120 bytes of GBK
}

// ParsePrivate63 takes the content of DE 63, as Text gives it, apart.
func ParsePrivate63(s string) (p Private63, err error) {
	if !utf8.ValidString(s) {
		return p, &FieldError{DE: 63, Offset: -1, Err: ErrContent, Detail: "not UTF-8"}
	}
	for i, to := range []*string{&p.Code, &p.Issuer, &p.UnionPay, &p.Acquirer} {
		*to, s = cutWidth(s, widths63[i])
		if s != "" && (width(*to) < widths63[i] || i == len(widths63)-1) {
			return Private63{}, &FieldError{DE: 63, Offset: -1, Part: parts63[i], Err: ErrStructure, Detail: "too long, or ends inside a character"}
		}
	}
	return p, nil
}

var widths63 = [4]int{3, 20, 20, 120}

// Append appends the content of DE 63 in UTF-8 to dst. A text that another one
// follows is filled up with spaces.
func (p Private63) Append(dst []byte) ([]byte, error) {
	start, spaces := len(dst), 0
	for i, s := range []string{p.Code, p.Issuer, p.UnionPay, p.Acquirer} {
		part, rest := cutWidth(s, widths63[i])
		if rest != "" {
			return dst[:start], &FieldError{DE: 63, Offset: -1, Part: parts63[i], Err: ErrTooLong, Detail: atMost(width(s), widths63[i]) + " bytes"}
		}
		if s != "" {
			dst = append(dst, strings.Repeat(" ", spaces)...)
			dst, spaces = append(dst, part...), 0
		}
		spaces += widths63[i] - width(part)
	}
	return dst, nil
}

var parts63 = [4]string{"63.1", "63.2.1", "63.2.2", "63.2.3"}

// width is the number of bytes that s takes in GBK.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is the number of bytes that r takes in GBK, where the euro sign has
// a byte of its own.
func runeWidth(r rune) int {
	if r < utf8.RuneSelf || r == '€' {
		return 1
	}
	return 2
}

// cutWidth cuts off what takes n bytes in GBK, or less if s ends before.
func cutWidth(s string, n int) (head, tail string) {
	for i, r := range s {
		if n -= runeWidth(r); n < 0 {
			return s[:i], s[i:]
		}
	}
	return s, ""
}
