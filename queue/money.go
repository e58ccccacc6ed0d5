package queue

import (
	"fmt"
	"strconv"
)

// Currency is an ISO 4217 numeric code, 1 to 999.
type Currency uint16

// Some ISO 4217 codes; any other code from 1 to 999 can be used as well.
const (
	CNY Currency = 156
	EUR Currency = 978
	GBP Currency = 826
	HKD Currency = 344
	JPY Currency = 392
	KRW Currency = 410
	MOP Currency = 446
	SGD Currency = 702
	THB Currency = 764
	TWD Currency = 901
	USD Currency = 840
)

var currencies = map[Currency]struct {
	alpha    string
	exponent int
}{
	CNY: {"CNY", 2}, EUR: {"EUR", 2}, GBP: {"GBP", 2}, HKD: {"HKD", 2}, JPY: {"JPY", 0}, KRW: {"KRW", 0},
	MOP: {"MOP", 2}, SGD: {"SGD", 2}, THB: {"THB", 2}, TWD: {"TWD", 2}, USD: {"USD", 2},
}

// String returns the alphabetic code where this package names it, else the
// three digits.
func (c Currency) String() string {
	if k, ok := currencies[c]; ok {
		return k.alpha
	}
	return c.Numeric()
}

// Numeric returns the three digits of the code, as ISO 8583 DE 49 carries them.
func (c Currency) Numeric() string { return fmt.Sprintf("%03d", uint16(c)) }

// Money is an amount in the minor units of its currency: fen, cents, yen.
type Money struct {
	Minor    int64
	Currency Currency
}

// String returns the amount in major units, "12.50 CNY"; a currency that this
// package does not name is shown in minor units, "1250 (minor) 036".
func (m Money) String() string {
	k, ok := currencies[m.Currency]
	if !ok {
		return fmt.Sprintf("%d (minor) %s", m.Minor, m.Currency)
	}
	digits := strconv.FormatInt(m.Minor, 10)
	sign := ""
	if m.Minor < 0 {
		sign, digits = "-", digits[1:]
	}
	for len(digits) <= k.exponent {
		digits = "0" + digits
	}
	if k.exponent > 0 {
		at := len(digits) - k.exponent
		digits = digits[:at] + "." + digits[at:]
	}
	return sign + digits + " " + k.alpha
}
