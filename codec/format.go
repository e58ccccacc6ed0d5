package codec

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
)

// Masked gives a field's content as it may be shown: card numbers as first 6
// and last 4 digits, what the dialect hides as "***". It reports false if the
// field is absent.
func (m Message) Masked(de int) (string, bool) {
	if !m.data().has(de) {
		return "", false
	}
	switch m.data().spec.fields[de].mask {
	case maskShow:
		return m.Text(de)
	case maskPAN:
		v, _ := m.Text(de)
		return MaskPAN(v), true
	}
	return hidden, true
}

// String gives the type and the masked fields on one line.
func (m Message) String() string {
	if m.data() == nil {
		return "iso8583 (empty)"
	}
	b := append([]byte(nil), m.data().mti.String()...)
	for de := range m.Fields {
		v, _ := m.Masked(de)
		b = append(b, ' ')
		b = strconv.AppendInt(b, int64(de), 10)
		b = append(b, '=')
		b = strconv.AppendQuote(b, v)
	}
	return string(b)
}

// Format gives the masked form for every verb.
func (m Message) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, m.String()) }

// LogValue gives the type and the masked fields.
func (m Message) LogValue() slog.Value {
	if m.data() == nil {
		return slog.StringValue(m.String())
	}
	attrs := []slog.Attr{slog.String("mti", m.data().mti.String())}
	for de := range m.Fields {
		v, _ := m.Masked(de)
		attrs = append(attrs, slog.String(strconv.Itoa(de), v))
	}
	return slog.GroupValue(attrs...)
}

// MarshalJSON gives an object of the type and the masked fields.
func (m Message) MarshalJSON() ([]byte, error) {
	b := []byte("{")
	if m.data() != nil {
		b = append(b, `"mti":"`+m.data().mti.String()+`"`...)
		for de := range m.Fields {
			v, _ := m.Masked(de)
			b = append(b, `,"`+strconv.Itoa(de)+`":`...)
			b = appendJSON(b, v)
		}
	}
	return append(b, '}'), nil
}

// appendJSON appends s, which is UTF-8 without control characters, as a string.
func appendJSON(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}
