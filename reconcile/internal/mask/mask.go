// Package mask hides card numbers in texts that come from outside: a ref, a
// name, a remark in which somebody typed one.
package mask

import "strings"

// The lengths that card numbers have.
const (
	shortest = 13
	longest  = 19
)

// Text returns s with the middle of every card number replaced by asterisks:
// of 13 to 19 digits, single blanks or hyphens between them allowed, that pass
// the Luhn check or, from 16 digits on, begin with 62.
func Text(s string) string {
	var out []byte
	for i := 0; i < len(s); {
		if !digit(s[i]) {
			i++
			continue
		}
		end, digits := run(s, i)
		if number(digits) {
			if out == nil {
				out = []byte(s)
			}
			hide(out[i:end], len(digits))
		}
		i = end
	}
	if out == nil {
		return s
	}
	return string(out)
}

// Card returns the masked form of what a card column holds: a number with its
// first six and last four digits left, or what is masked already. Anything
// that is neither is hidden as a whole.
func Card(s string) string {
	if s == "" {
		return ""
	}
	digits, stars := 0, 0
	for i := range len(s) {
		switch c := s[i]; {
		case digit(c):
			digits++
		case c == '*' || c == 'x' || c == 'X':
			stars++
		case c != ' ' && c != '-':
			return "***"
		}
	}
	switch {
	case stars >= 3 && digits <= 10 && digits+stars <= longest:
		return s
	case stars > 0 || digits < shortest || digits > longest:
		return "***"
	}
	out := []byte(strings.NewReplacer(" ", "", "-", "").Replace(s))
	hide(out, len(out))
	return string(out)
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// run takes the digits from i on, with single separators between them, and
// returns where they end.
func run(s string, i int) (end int, digits string) {
	var b []byte
	for end = i; i < len(s); i++ {
		switch {
		case digit(s[i]):
			b = append(b, s[i])
			end = i + 1
		case s[i] != ' ' && s[i] != '-' || !digit(s[i-1]):
			return end, string(b)
		}
	}
	return end, string(b)
}

func number(digits string) bool {
	if len(digits) < shortest || len(digits) > longest {
		return false
	}
	return len(digits) >= 16 && strings.HasPrefix(digits, "62") || luhn(digits)
}

func luhn(digits string) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			d = 2*d/10 + 2*d%10
		}
		sum += d
	}
	return sum%10 == 0
}

// hide leaves the first six and the last four of n digits.
func hide(b []byte, n int) {
	seen := 0
	for i, c := range b {
		if !digit(c) {
			continue
		}
		if seen++; seen > 6 && seen <= n-4 {
			b[i] = '*'
		}
	}
}
