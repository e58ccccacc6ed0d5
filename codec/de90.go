package codec

// Original90 is DE 90 of ISO 8583:1987, 42 digits: the message that a reversal
// refers to.
type Original90 struct {
	MTI       MTI
	STAN      int    // at most 6 digits
	Sent      string // transmission date and time MMDDhhmmss, 10 digits; "" for zeros
	Acquirer  string // at most 11 digits
	Forwarder string // at most 11 digits
}

// ParseOriginal90 reads the 42 digits. Institutions lose zeros in front.
func ParseOriginal90(s string) (Original90, error) {
	r := readDigits(90, s)
	var o Original90
	o.MTI, _ = ParseMTI(r.text(4, "type"))
	o.STAN = int(r.number(6, "STAN"))
	o.Sent = r.text(10, "sent")
	o.Acquirer = noZeros(r.text(11, "acquirer"))
	o.Forwarder = noZeros(r.text(11, "forwarder"))
	if err := r.done(); err != nil {
		return Original90{}, err
	}
	return o, nil
}

// noZeros cuts off zeros in front.
func noZeros(s string) string {
	for s != "" && s[0] == '0' {
		s = s[1:]
	}
	return s
}

// Append appends the 42 digits to dst.
func (o Original90) Append(dst []byte) ([]byte, error) {
	w := digitWriter{out: dst, de: 90}
	w.text(o.MTI.String(), "type")
	w.number(int64(o.STAN), 6, "STAN")
	w.padded(o.Sent, 10, "sent")
	w.padded(o.Acquirer, 11, "acquirer")
	w.padded(o.Forwarder, 11, "forwarder")
	return w.result(dst)
}

// Replacement95 is DE 95 of ISO 8583:1987, 42 characters: what was really
// dispensed or delivered when a part of a transaction is reversed. Amounts are
// in minor units; a fee that is negative is a credit.
type Replacement95 struct {
	Transaction    int64 // at most 12 digits
	Settlement     int64 // at most 12 digits
	TransactionFee int64 // at most 8 digits
	SettlementFee  int64 // at most 8 digits
}

// ParseReplacement95 reads the 42 characters. The sign of a fee is C or D.
func ParseReplacement95(s string) (Replacement95, error) {
	if len(s) != 42 {
		return Replacement95{}, &FieldError{DE: 95, Offset: -1, Err: lengthError(len(s), 42), Detail: exactly(len(s), 42)}
	}
	r := readDigits(95, s[:24]+s[25:33]+s[34:])
	p := Replacement95{Transaction: r.number(12, "transaction"), Settlement: r.number(12, "settlement")}
	for i, fee := range []*int64{&p.TransactionFee, &p.SettlementFee} {
		*fee = r.number(8, "fee")
		switch sign := s[24+9*i]; {
		case sign == 'D':
		case sign == 'C' && *fee != 0:
			*fee = -*fee
		default:
			return Replacement95{}, &FieldError{DE: 95, Offset: 24 + 9*i, Part: "sign", Err: ErrStructure}
		}
	}
	if err := r.done(); err != nil {
		return Replacement95{}, err
	}
	return p, nil
}

// Append appends the 42 characters to dst.
func (p Replacement95) Append(dst []byte) ([]byte, error) {
	w := digitWriter{out: dst, de: 95}
	w.number(p.Transaction, 12, "transaction")
	w.number(p.Settlement, 12, "settlement")
	for _, fee := range []int64{p.TransactionFee, p.SettlementFee} {
		sign := byte('D')
		if fee < 0 {
			sign, fee = 'C', -fee
		}
		w.out = append(w.out, sign)
		w.number(fee, 8, "fee")
	}
	return w.result(dst)
}
