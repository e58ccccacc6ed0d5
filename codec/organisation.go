package codec

// Organisation names the card organisation of a card number in the way of 63.1,
// by its first digits; a masked number with six of them will do. What is not
// known is OrgUnknown.
func Organisation(pan string) string {
	for i := range min(len(pan), 6) {
		if pan[i] < '0' || pan[i] > '9' {
			return OrgUnknown
		}
	}
	if len(pan) < 6 {
		return OrgUnknown
	}
	for _, r := range issuerRanges {
		if head := pan[:len(r.from)]; head >= r.from && head <= r.to {
			return r.org
		}
	}
	return OrgUnknown
}

// ForeignOrg reports whether a settlement counts cards of the organisation, as
// 63.1 has it, among the foreign ones. Unknown ones count as inland.
func ForeignOrg(org string) bool {
	switch org {
	case OrgVisa, OrgMasterCard, OrgMaestro, OrgJCB, OrgDiners, OrgAmex, "AMX":
		return true
	}
	return false
}

// issuerRanges are the first digits of each organisation's card numbers.
var issuerRanges = []struct{ from, to, org string }{
	{"62", "62", OrgUnionPay}, {"81", "81", OrgUnionPay},
	{"4", "4", OrgVisa},
	{"51", "55", OrgMasterCard}, {"2221", "2720", OrgMasterCard},
	{"34", "34", OrgAmex}, {"37", "37", OrgAmex},
	{"3528", "3589", OrgJCB},
	{"300", "305", OrgDiners}, {"36", "36", OrgDiners}, {"38", "39", OrgDiners},
	{"50", "50", OrgMaestro}, {"56", "58", OrgMaestro}, {"6304", "6304", OrgMaestro}, {"67", "67", OrgMaestro},
}
