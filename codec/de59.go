package codec

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Tags of DE 59 of UnionPay.
const (
	TagPayCode = "A3" // the payer's code that was scanned
	TagVoucher = "A4" // the host's voucher number, needed to undo the payment
)

// Tagged59 is one element of DE 59. It shows its tag and length only: a payment
// code is as good as a card.
type Tagged59 struct {
	Tag   string // two characters
	value func() string
}

// NewTagged59 makes an element.
func NewTagged59(tag, value string) Tagged59 { return Tagged59{tag, func() string { return value }} }

// Value gives the value, unmasked.
func (t Tagged59) Value() string {
	if t.value == nil {
		return ""
	}
	return t.value()
}

// String gives the tag and the length of the value.
func (t Tagged59) String() string { return t.Tag + "[" + strconv.Itoa(len(t.Value())) + "]" }

// Format gives the same for every verb.
func (t Tagged59) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, t.String()) }

// MarshalText gives the same, in JSON too.
func (t Tagged59) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// Private59 is DE 59 of UnionPay: elements of a tag of two characters, three
// digits of length and a value, in their order. The length counts bytes of GBK:
// not for dialects that say "text gb18030".
type Private59 []Tagged59

// ParsePrivate59 takes the content of DE 59, as Text gives it, apart.
func ParsePrivate59(s string) (Private59, error) {
	var list Private59
	whole := len(s)
	for s != "" {
		fail := func(err error) (Private59, error) {
			return nil, &FieldError{DE: 59, Offset: whole - len(s), Part: "element " + strconv.Itoa(len(list)+1), Err: err}
		}
		if len(s) < 5 || badChar(s[:2], setAlpha|setDigit) >= 0 {
			return fail(ErrStructure)
		}
		n, ok := readNumber([]byte(s[2:5]), wireASCII)
		if !ok {
			return fail(ErrPrefix)
		}
		value, rest := cutWidth(s[5:], n)
		if width(value) != n {
			return fail(ErrTruncated)
		}
		if !utf8.ValidString(value) {
			return fail(ErrContent)
		}
		if _, twice := list.Get(s[:2]); twice {
			return fail(ErrStructure)
		}
		list = append(list, NewTagged59(strings.Clone(s[:2]), value))
		s = rest
	}
	return list, nil
}

// Get gives the value of the first element with the tag.
func (l Private59) Get(tag string) (string, bool) {
	for _, t := range l {
		if t.Tag == tag {
			return t.Value(), true
		}
	}
	return "", false
}

// Append appends the content of DE 59 in UTF-8 to dst.
func (l Private59) Append(dst []byte) ([]byte, error) {
	out := dst
	for i, t := range l {
		n := width(t.Value())
		_, twice := l[:i].Get(t.Tag)
		if len(t.Tag) != 2 || badChar(t.Tag, setAlpha|setDigit) >= 0 || n > 999 || twice {
			return dst, &FieldError{DE: 59, Offset: -1, Part: "element " + strconv.Itoa(i+1), Err: ErrStructure}
		}
		out = append(out, t.Tag...)
		out = appendNumber(out, wireASCII, n, 3)
		out = append(out, t.Value()...)
	}
	return out, nil
}
