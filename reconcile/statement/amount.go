package statement

import (
	"errors"
	"math"
	"strings"
)

var (
	errAmount   = errors.New("this is no amount; amounts are written like 1,234.50, -3.00 or ￥5")
	errDecimals = errors.New("the amount has more decimals than its currency")
	errFen      = errors.New("an amount in fen has no decimals; if these are yuan, say so in the mapping")
	errGroups   = errors.New("the commas of the amount do not stand between thousands")
	errLarge    = errors.New("the amount does not fit 64 bits")
)

// parseAmount reads an amount as an integer of minor units, without rounding.
// decimals is how many its major unit has; minor says that s is in minor units.
func parseAmount(s string, decimals int, minor bool) (int64, error) {
	s, negative := sign(s)
	for _, symbol := range []string{"¥", "￥"} {
		if rest, ok := strings.CutPrefix(s, symbol); ok {
			var inner bool
			before := negative
			if s, inner = sign(strings.TrimSpace(rest)); inner && before {
				return 0, errAmount
			}
			negative = before || inner
			break
		}
	}
	s = strings.TrimSpace(strings.TrimSuffix(s, "元"))
	whole, fraction, point := strings.Cut(s, ".")
	if minor {
		if point {
			return 0, errFen
		}
		decimals = 0
	}
	if point && fraction == "" {
		return 0, errAmount
	}
	whole, err := ungroup(whole)
	if err != nil {
		return 0, err
	}
	for len(fraction) > decimals && fraction[len(fraction)-1] == '0' {
		fraction = fraction[:len(fraction)-1]
	}
	if len(fraction) > decimals {
		if strings.Trim(fraction, "0123456789") != "" {
			return 0, errAmount
		}
		return 0, errDecimals
	}
	return integer(whole+fraction+strings.Repeat("0", decimals-len(fraction)), negative)
}

// sign takes a sign off s.
func sign(s string) (rest string, negative bool) {
	for _, minus := range []string{"-", "−", "－"} {
		if rest, ok := strings.CutPrefix(s, minus); ok {
			return rest, true
		}
	}
	return strings.TrimPrefix(s, "+"), false
}

// ungroup takes the commas out of the whole part.
func ungroup(s string) (string, error) {
	if s == "" {
		return "", errAmount
	}
	groups := strings.Split(s, ",")
	for i, g := range groups {
		if len(groups) > 1 && (i > 0 && len(g) != 3 || i == 0 && (g == "" || len(g) > 3)) {
			return "", errGroups
		}
	}
	return strings.Join(groups, ""), nil
}

// integer adds digits up on the negative side, which has room for one more.
func integer(digits string, negative bool) (int64, error) {
	var n int64
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, errAmount
		}
		d := int64(c - '0')
		if n < (math.MinInt64+d)/10 {
			return 0, errLarge
		}
		n = n*10 - d
	}
	switch {
	case n == math.MinInt64: // its opposite does not fit
		return 0, errLarge
	case negative:
		return n, nil
	}
	return -n, nil
}
