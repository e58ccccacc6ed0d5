package handset

import (
	"regexp"
	"strings"
)

var refForm = regexp.MustCompile(`^[A-Za-z0-9/-]{1,40}$`)

// badRef answers a ref that is malformed or looks like a card number, and tells
// whether it was one.
func (h *handset) badRef(refs ...string) bool {
	for _, ref := range refs {
		switch {
		case !refForm.MatchString(ref):
			h.mistake(h.words.badRef, clipped(ref))
		case CardLike(ref):
			h.mistake("%s", h.words.cardRef)
		default:
			continue
		}
		return true
	}
	return false
}

// CardLike tells whether a part of a ref, between slashes and whatever hyphens
// are in it, looks like a card number: 13 to 19 digits with a right Luhn check
// digit, or 16 to 19 that begin as those of UnionPay do, whose check digits are
// not always right. The handset takes no such ref, for it would be repeated,
// stored and listed in clear.
func CardLike(ref string) bool {
	for part := range strings.SplitSeq(strings.ReplaceAll(ref, "-", ""), "/") {
		if len(part) < 13 || len(part) > 19 || strings.Trim(part, "0123456789") != "" {
			continue
		}
		if len(part) >= 16 && strings.HasPrefix(part, "62") || luhn(part) {
			return true
		}
	}
	return false
}

// luhn checks the last of some digits.
func luhn(digits string) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 1 {
			d = d*2/10 + d*2%10
		}
		sum += d
	}
	return sum%10 == 0
}
