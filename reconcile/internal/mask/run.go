package mask

import (
	"strings"
	"unicode/utf8"
)

// digitAt reads the character at i, of size bytes.
func digitAt(s string, i int) (d byte, size int, ok bool) {
	r, size := utf8.DecodeRuneInString(s[i:])
	switch {
	case '0' <= r && r <= '9':
		return byte(r), size, true
	case '０' <= r && r <= '９':
		return byte(r-'０') + '0', size, true
	}
	return 0, size, false
}

// separators are what people write between the fours of a card number.
const separators = " -._/\u00a0\u2002\u2003\u2009\u202f\u3000–—−－．·"

// run is digits with one or two separators between them here and there.
type run struct {
	digits []byte
	at     []int  // where in the text each digit begins
	from   []int  // the first digit of each group without separators
	odd    []bool // before each group stands other than one blank or hyphen
	end    int    // behind the last digit in the text
}

func runAt(s string, i int) (r run) {
	between := 0 // separators since the last digit
	odd := false
	for i < len(s) {
		d, size, ok := digitAt(s, i)
		if ok {
			if len(r.digits) == 0 || between > 0 {
				r.from, r.odd = append(r.from, len(r.digits)), append(r.odd, odd || between > 1)
			}
			r.digits, r.at, r.end = append(r.digits, d), append(r.at, i), i+size
			between, odd = 0, false
		} else {
			if between++; between > 2 || !strings.Contains(separators, s[i:i+size]) {
				break
			}
			odd = odd || s[i] != ' ' && s[i] != '-'
		}
		i += size
	}
	return r
}

// hidden tells which of the digits are in the middle of a card number; nil: none.
func (r run) hidden() (out []bool) {
	hide := func(from, to int) {
		if out == nil {
			out = make([]bool, len(r.digits))
		}
		for i := from + 6; i < to-4; i++ {
			out[i] = true
		}
	}
	for a, from := range r.from {
		for b := a; b < len(r.from) && r.from[b]-from < longest; b++ {
			to := r.behind(b)
			if number(string(r.digits[from:to])) && r.inFours(a, b) {
				hide(from, to)
			}
		}
		if to := r.behind(a); to-from > longest {
			for _, n := range []int{16, 19} {
				for _, at := range []int{from, to - n} {
					if attached(string(r.digits[at : at+n])) {
						hide(at, at+n)
					}
				}
			}
		}
	}
	return out
}

// behind is the first digit that is not of group g any more.
func (r run) behind(g int) int {
	if g+1 < len(r.from) {
		return r.from[g+1]
	}
	return len(r.digits)
}

// inFours tells whether groups a to b may be one number: where a separator
// between them is an odd one, all have four digits but the last.
func (r run) inFours(a, b int) bool {
	odd, fours := false, true
	for g := a; g <= b; g++ {
		n := r.behind(g) - r.from[g]
		odd = odd || g > a && r.odd[g]
		fours = fours && (n == 4 || g == b && n < 4)
	}
	return !odd || fours
}

// attached tells whether digits that others follow, or go before, are likely to
// be a card number: with a date, say.
func attached(digits string) bool {
	return strings.HasPrefix(digits, "62") || len(digits) == 16 && (digits[0] == '4' || digits[0] == '5') && luhn(digits)
}
