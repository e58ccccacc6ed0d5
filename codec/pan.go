package codec

import (
	"fmt"
	"io"
	"log/slog"
)

// PAN is a card number that shows itself masked: whatever prints it, alone or
// within another value, gives its first 6 and last 4 digits at most.
type PAN struct {
	reveal func() string // a function, so that no format verb reaches the digits
}

// NewPAN takes a card number of 1 to 20 digits. It is not checked further:
// UnionPay's own test cards fail the Luhn check.
func NewPAN(s string) (PAN, error) {
	if i := badChar(s, setDigit); i >= 0 || len(s) < 1 || len(s) > 20 {
		return PAN{}, &FieldError{DE: 2, Offset: -1, Err: ErrContent, Detail: "a card number has 1 to 20 digits"}
	}
	return PAN{func() string { return s }}, nil
}

// Reveal gives the digits; "" of the zero PAN.
func (p PAN) Reveal() string {
	if p.reveal == nil {
		return ""
	}
	return p.reveal()
}

// String gives the masked form.
func (p PAN) String() string {
	if p.reveal == nil {
		return ""
	}
	return MaskPAN(p.reveal())
}

// Format gives the masked form for every verb.
func (p PAN) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.String()) }

// LogValue gives the masked form.
func (p PAN) LogValue() slog.Value { return slog.StringValue(p.String()) }

// MarshalText gives the masked form, in JSON too.
func (p PAN) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
