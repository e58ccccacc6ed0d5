package report

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/internal/mask"
)

// maxShown is how many characters of a text from outside are written.
const maxShown = 200

// safe makes a text from outside harmless: one line, without control, format
// and direction characters, with card numbers masked, and not endless.
func safe(s string) string {
	s = mask.Text(strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '?'
		case r == '\t' || r == '\n' || r == '\r' || unicode.In(r, unicode.Zl, unicode.Zp):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co):
			return -1
		}
		return r
	}, s))
	n := 0
	for i := range s {
		if n++; n > maxShown {
			return s[:i] + "…"
		}
	}
	return s
}

// amount writes money in major units with commas between thousands, without its
// currency.
func amount(minor int64, c queue.Currency) string {
	s, _, _ := strings.Cut(queue.Money{Minor: minor, Currency: c}.String(), " ")
	whole, fraction, point := strings.Cut(s, ".")
	sign := ""
	if rest, negative := strings.CutPrefix(whole, "-"); negative {
		sign, whole = "-", rest
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if point {
		whole += "." + fraction
	}
	return sign + whole
}

// currency names a currency; of one without a name amounts are in minor units.
func currency(c queue.Currency) string {
	if c.String() == c.Numeric() {
		return c.Numeric() + " (minor)"
	}
	return c.String()
}

func money(m queue.Money) string { return amount(m.Minor, m.Currency) + " " + currency(m.Currency) }

const clock = "2006-01-02 15:04:05 -07:00"

// when writes a time in the report's zone.
func (r *Report) when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(r.Made.Location()).Format(clock)
}
