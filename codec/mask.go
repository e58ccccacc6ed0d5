package codec

// mask is how a field is shown.
type mask uint8

const (
	maskHide mask = iota // not at all; the zero value, so that what is forgotten is hidden
	maskPAN              // first 6 and last 4 characters
	maskShow
)

var maskNames = map[string]mask{"pan": maskPAN, "hide": maskHide, "show": maskShow}

// defaultMask shows only the fields whose meaning every edition of the standard
// has fixed as harmless, and hides all that an acquirer may fill at will.
func defaultMask(de int) mask {
	switch {
	case de == 2:
		return maskPAN
	case de == 14, de >= 34 && de <= 36, de == 72, de == 95, de == 96:
		return maskHide
	case de >= 3 && de <= 43, de >= 49 && de <= 51, de == 64, de >= 66 && de <= 101, de == 128:
		return maskShow
	}
	return maskHide
}

const hidden = "***"

// MaskPAN gives the first 6 and last 4 digits of a card number with asterisks
// between. What is no card number of 13 to 19 digits is hidden as a whole.
func MaskPAN(s string) string {
	if len(s) < 13 || len(s) > 19 || badDigit([]byte(s)) >= 0 {
		return hidden
	}
	b := []byte(s)
	for i := 6; i < len(b)-4; i++ {
		b[i] = '*'
	}
	return string(b)
}
