// Package mask hides card numbers in texts that come from outside: a ref, a
// name, a remark in which somebody typed one.
package mask

import (
	"strings"
)

// The lengths that card numbers have.
const (
	shortest = 13
	longest  = 19
)

// Text returns s with the middle of every card number replaced by asterisks: of
// 13 to 19 digits that pass the Luhn check or, from 16 digits on, begin with 62.
// Single blanks or hyphens may stand between its digits, and other separators, or
// two of them, between its fours; other numbers may stand before it and behind
// it. Digits may be of full width. In more than 19 digits at a stretch it is found
// at either end.
func Text(s string) string {
	for same := false; !same; { // what was hidden may leave other numbers to be seen
		shown := once(s)
		same = shown == s
		s = shown
	}
	return s
}

func once(s string) string {
	if !many(s) {
		return s
	}
	var out strings.Builder
	done := 0
	for i := 0; i < len(s); {
		if _, n, ok := digitAt(s, i); !ok {
			i += n
			continue
		}
		r := runAt(s, i)
		if hidden := r.hidden(); hidden != nil {
			for n, at := range r.at {
				if hidden[n] {
					_, size, _ := digitAt(s, at)
					out.WriteString(s[done:at] + "*")
					done = at + size
				}
			}
		}
		i = r.end
	}
	if done == 0 {
		return s
	}
	return out.String() + s[done:]
}

// many tells whether s can have the digits of a card number.
func many(s string) bool {
	n := 0
	for i := range len(s) {
		if digit(s[i]) || s[i] == "０"[0] {
			n++
		}
	}
	return n >= shortest
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
