package codec

// Original61 is DE 61 of UnionPay: the transaction that a void, a refund or an
// adjustment refers to. On the wire it ends after any subfield, so Digits says
// how much of it is there: 12 (to the STAN), 16, 18 or 29. Zero means as many
// as the subfields that are not empty need.
type Original61 struct {
	Batch  int    // 61.1, 0 to 999999
	STAN   int    // 61.2, 0 to 999999
	Date   string // 61.3, MMDD; "" if it is not there
	Mode   int    // 61.4: 0 terminal, 1 telephone, 2 stand-in for small amounts
	Org    string // 61.5, the authorising organisation, at most 11 digits
	Digits int
}

// ParseOriginal61 reads the digits of DE 61.
func ParseOriginal61(s string) (Original61, error) {
	o := Original61{Digits: len(s)}
	r := readDigits(61, s)
	o.Batch = int(r.number(6, "61.1"))
	o.STAN = int(r.number(6, "61.2"))
	if len(s) > 12 {
		o.Date = r.text(4, "61.3")
	}
	if len(s) > 16 {
		o.Mode = int(r.number(2, "61.4"))
	}
	if len(s) > 18 {
		o.Org = r.text(11, "61.5")
	}
	if err := r.done(); err != nil {
		return Original61{}, err
	}
	return o, nil
}

// Append appends the digits of DE 61 to dst.
func (o Original61) Append(dst []byte) ([]byte, error) {
	if o.Digits == 0 {
		switch {
		case o.Org != "":
			o.Digits = 29
		case o.Mode != 0:
			o.Digits = 18
		case o.Date != "":
			o.Digits = 16
		default:
			o.Digits = 12
		}
	}
	w := digitWriter{out: dst, de: 61}
	w.number(int64(o.Batch), 6, "61.1")
	w.number(int64(o.STAN), 6, "61.2")
	if o.Digits > 12 {
		if o.Date != "" && len(o.Date) < 4 {
			w.fail("61.3", ErrTooShort)
		}
		w.padded(o.Date, 4, "61.3")
	}
	if o.Digits > 16 {
		w.number(int64(o.Mode), 2, "61.4")
	}
	if o.Digits > 18 {
		w.padded(o.Org, 11, "61.5")
	}
	if w.err == nil && len(w.out)-len(dst) != o.Digits {
		w.err = &FieldError{DE: 61, Offset: -1, Err: ErrStructure, Detail: "needs 12, 16, 18 or 29 digits"}
	}
	switch {
	case o.Org != "" && o.Digits < 29:
		w.fail("61.5", ErrTooLong)
	case o.Mode != 0 && o.Digits < 18:
		w.fail("61.4", ErrTooLong)
	case o.Date != "" && o.Digits < 16:
		w.fail("61.3", ErrTooLong)
	}
	return w.result(dst)
}
