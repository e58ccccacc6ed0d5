package queue

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// Secret holds a sensitive text so that no format verb, log handler or JSON
// encoder shows it, nested in whatever struct: the text sits behind a closure.
// The zero Secret is empty.
type Secret struct{ reveal func() string }

// NewSecret returns a Secret of s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{func() string { return s }}
}

// Reveal returns the text.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero reports whether the text is empty.
func (s Secret) IsZero() bool { return s.reveal == nil }

func (s Secret) mask() string {
	if s.IsZero() {
		return ""
	}
	return "***"
}

// Format writes a mask for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.mask()) }

// MarshalText returns a mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.mask()), nil }

// LogValue returns a mask.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.mask()) }

// Card is what a card or a payment code gave. All of it is sealed apart from
// the rest of the entry and forgotten when it is no longer needed: tracks at
// the final answer, the rest once the batch has settled. The tracks of a Do are
// not stored at all: it alone sends them.
type Card struct {
	PAN      Secret // 8 to 19 digits
	Expiry   Secret // YYMM
	Sequence string // card sequence number, up to 3 digits
	Track2   Secret
	Track3   Secret
	ICC      Secret // raw bytes of DE 55 (BER-TLV)
	PayCode  Secret // the payment code shown by a customer's phone

	// PINBlock goes to the uplink of a Do and nowhere else: it is never
	// stored, so no later attempt can carry it.
	PINBlock Secret
}

// MaskedPAN returns the PAN's first six and last four digits with asterisks
// between; a PAN of fewer than 13 digits or with anything but digits is
// hidden as a whole.
func (c Card) MaskedPAN() string { return maskPAN(c.PAN.Reveal()) }

func maskPAN(pan string) string {
	if pan == "" {
		return ""
	}
	masked := []byte(pan)
	for i := range masked {
		if pan[i] < '0' || pan[i] > '9' || len(pan) < 13 || len(pan) > 19 {
			return "***"
		}
		if i >= 6 && i < len(pan)-4 {
			masked[i] = '*'
		}
	}
	return string(masked)
}

// withPAN takes the PAN from track 2 where only that was read: the number is
// needed after the track is forgotten.
func (c Card) withPAN() Card {
	if !c.PAN.IsZero() {
		return c
	}
	pan, _, found := strings.Cut(strings.Map(separator, c.Track2.Reveal()), "=")
	if found && maskPAN(pan) != "***" {
		c.PAN = NewSecret(pan)
	}
	return c
}

// separator writes track 2's field separator one way: 0xD is read as D or d.
func separator(r rune) rune {
	if r == 'D' || r == 'd' {
		return '='
	}
	return r
}

func (c Card) isZero() bool {
	return c.PAN.IsZero() && c.Expiry.IsZero() && c.Sequence == "" && c.Track2.IsZero() &&
		c.Track3.IsZero() && c.ICC.IsZero() && c.PayCode.IsZero()
}

// withoutTracks is what may be kept after the final answer.
func (c Card) withoutTracks() Card {
	c.Track2, c.Track3, c.PINBlock = Secret{}, Secret{}, Secret{}
	return c
}
