package codec

// Amount54 is one of the additional amounts of DE 54: a balance. It is the
// cardholder's own business and not for a log.
type Amount54 struct {
	Account  int    // kind of account, two digits
	Kind     int    // kind of amount, two digits: 1 ledger balance, 2 available balance
	Currency string // ISO 4217, three digits
	Amount   int64  // minor units; negative for a debit balance
}

// Amounts54 is DE 54: 20 characters for each amount, at most 6.
type Amounts54 []Amount54

const (
	width54 = 20
	max54   = 6
)

// ParseAmounts54 reads the characters of DE 54.
func ParseAmounts54(s string) (Amounts54, error) {
	if len(s)%width54 != 0 || len(s) > max54*width54 {
		return nil, &FieldError{DE: 54, Offset: -1, Err: ErrStructure, Detail: "needs 20 characters for each of at most 6 amounts"}
	}
	var list Amounts54
	for at := 0; at < len(s); at += width54 {
		sign := s[at+7]
		r := readDigits(54, s[at:at+7]+s[at+8:at+width54])
		a := Amount54{Account: int(r.number(2, "account")), Kind: int(r.number(2, "kind")), Currency: r.text(3, "currency"), Amount: r.number(12, "amount")}
		if sign != 'C' && sign != 'D' || sign == 'D' && a.Amount == 0 {
			return nil, &FieldError{DE: 54, Offset: at + 7, Part: "sign", Err: ErrStructure}
		}
		if err := r.done(); err != nil {
			return nil, err
		}
		if sign == 'D' {
			a.Amount = -a.Amount
		}
		list = append(list, a)
	}
	return list, nil
}

// Append appends the characters of DE 54 to dst.
func (l Amounts54) Append(dst []byte) ([]byte, error) {
	w := digitWriter{out: dst, de: 54}
	if len(l) > max54 {
		w.fail("count", ErrTooLong)
	}
	for _, a := range l {
		w.number(int64(a.Account), 2, "account")
		w.number(int64(a.Kind), 2, "kind")
		if len(a.Currency) != 3 {
			w.fail("currency", ErrStructure)
		}
		w.text(a.Currency, "currency")
		sign, amount := byte('C'), a.Amount
		if amount < 0 {
			sign, amount = 'D', -amount
		}
		w.out = append(w.out, sign)
		w.number(amount, 12, "amount")
	}
	return w.result(dst)
}
