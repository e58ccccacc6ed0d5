package screen

import "strconv"

// yuan writes an amount in fen as yuan with two decimals and a comma between
// thousands.
func yuan(fen int64) string {
	digits, sign := uint64(fen), ""
	if fen < 0 {
		digits, sign = -digits, "-"
	}
	whole := strconv.FormatUint(digits/100, 10)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	cents := strconv.FormatUint(100+digits%100, 10)[1:]
	return sign + whole + "." + cents
}
