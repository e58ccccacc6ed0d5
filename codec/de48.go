package codec

// Verdict is the host's answer to a total in DE 48, the same digit that
// ISO 8583:1987 has in DE 66.
type Verdict int

const (
	VerdictNone       Verdict = 0 // in a request
	VerdictBalanced   Verdict = 1 // 对账平
	VerdictUnbalanced Verdict = 2 // 对账不平
	VerdictError      Verdict = 3 // 对账出错
)

// GroupTotals are the totals of one group of cards, amounts in minor units.
type GroupTotals struct {
	DebitAmount  int64 // sales, completions and offline sales, at most 12 digits
	DebitCount   int   // at most 999
	CreditAmount int64 // voids and refunds, at most 12 digits
	CreditCount  int   // at most 999
	Verdict      Verdict
}

// Totals48 is DE 48 of a settlement (0500, 0510), 62 digits: cards of inland
// schemes, then of foreign ones.
type Totals48 struct{ Inland, Foreign GroupTotals }

// ParseTotals48 reads the 62 digits.
func ParseTotals48(s string) (Totals48, error) {
	r := readDigits(48, s)
	t := Totals48{Inland: readGroup(r, "inland"), Foreign: readGroup(r, "foreign")}
	if err := r.done(); err != nil {
		return Totals48{}, err
	}
	return t, nil
}

func readGroup(r *digitReader, part string) GroupTotals {
	return GroupTotals{
		DebitAmount:  r.number(12, part),
		DebitCount:   int(r.number(3, part)),
		CreditAmount: r.number(12, part),
		CreditCount:  int(r.number(3, part)),
		Verdict:      Verdict(r.number(1, part)),
	}
}

// Append appends the 62 digits to dst.
func (t Totals48) Append(dst []byte) ([]byte, error) {
	w := digitWriter{out: dst, de: 48}
	w.group(t.Inland, "inland")
	w.group(t.Foreign, "foreign")
	return w.result(dst)
}

func (w *digitWriter) group(g GroupTotals, part string) {
	w.number(g.DebitAmount, 12, part)
	w.number(int64(g.DebitCount), 3, part)
	w.number(g.CreditAmount, 12, part)
	w.number(int64(g.CreditCount), 3, part)
	w.number(int64(g.Verdict), 1, part)
}

// Detail48 is one transaction in a batch upload.
type Detail48 struct {
	Foreign bool // a card of a foreign scheme
	STAN    int  // at most 6 digits
	PAN     PAN
	Amount  int64 // minor units, at most 12 digits
}

// MaxDetails48 is the number of transactions that one upload message holds.
const MaxDetails48 = 8

// Details48 is DE 48 of a batch upload in groups (0320 with network code 201):
// two digits of count, then 40 digits for each transaction, 1 to 8 of them.
type Details48 []Detail48

// ParseDetails48 reads the digits. Zeros in front of a card number are filler
// and not part of it.
func ParseDetails48(s string) (Details48, error) {
	r := readDigits(48, s)
	n := int(r.number(2, "count"))
	if r.err == nil && (n < 1 || n > MaxDetails48) {
		r.fail("count", ErrStructure)
	}
	if r.err != nil {
		return nil, r.err
	}
	list := make(Details48, 0, n)
	for range n {
		kind := r.number(2, "card type")
		if kind > 1 {
			r.fail("card type", ErrStructure)
		}
		d := Detail48{Foreign: kind == 1, STAN: int(r.number(6, "STAN"))}
		pan := r.text(20, "card number")
		d.Amount = r.number(12, "amount")
		for len(pan) > 1 && pan[0] == '0' {
			pan = pan[1:]
		}
		if r.err != nil {
			return nil, r.err
		}
		var err error
		if d.PAN, err = NewPAN(pan); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	if err := r.done(); err != nil {
		return nil, err
	}
	return list, nil
}

// Append appends the digits to dst.
func (l Details48) Append(dst []byte) ([]byte, error) {
	w := digitWriter{out: dst, de: 48}
	if len(l) < 1 || len(l) > MaxDetails48 {
		w.fail("count", ErrStructure)
	}
	w.number(int64(len(l)), 2, "count")
	for _, d := range l {
		kind := int64(0)
		if d.Foreign {
			kind = 1
		}
		w.number(kind, 2, "card type")
		w.number(int64(d.STAN), 6, "STAN")
		w.padded(d.PAN.Reveal(), 20, "card number")
		w.number(d.Amount, 12, "amount")
	}
	return w.result(dst)
}

// UploadCount48 is DE 48 of the end of a batch upload (0320 with network code
// 202 or 207): how many transactions were uploaded, four digits.
type UploadCount48 int

// ParseUploadCount48 reads the four digits.
func ParseUploadCount48(s string) (UploadCount48, error) {
	r := readDigits(48, s)
	n := r.number(4, "count")
	return UploadCount48(n), r.done()
}

// Append appends the four digits to dst.
func (n UploadCount48) Append(dst []byte) ([]byte, error) {
	w := digitWriter{out: dst, de: 48}
	w.number(int64(n), 4, "count")
	return w.result(dst)
}
