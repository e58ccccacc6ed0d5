package codec

// Processing3 is DE 3: what is done, from which and to which kind of account,
// two digits each.
type Processing3 struct{ Type, From, To int }

// Kinds of transaction in DE 3.
const (
	ProcPurchase = 0
	ProcCash     = 1
	ProcReturn   = 20 // returns and voids
	ProcBalance  = 31
	ProcPreAuth  = 3 // UnionPay
	ProcLoad     = 63
)

// ParseProcessing3 reads the six digits.
func ParseProcessing3(s string) (Processing3, error) {
	r := readDigits(3, s)
	p := Processing3{int(r.number(2, "type")), int(r.number(2, "from")), int(r.number(2, "to"))}
	if err := r.done(); err != nil {
		return Processing3{}, err
	}
	return p, nil
}

// Append appends the six digits to dst.
func (p Processing3) Append(dst []byte) ([]byte, error) {
	w := digitWriter{out: dst, de: 3}
	w.number(int64(p.Type), 2, "type")
	w.number(int64(p.From), 2, "from")
	w.number(int64(p.To), 2, "to")
	return w.result(dst)
}

// EntryMode22 is DE 22 of UnionPay and ISO 8583:1987, three digits: how the
// card was read and whether a PIN was entered.
type EntryMode22 struct {
	Mode int // an Entry… constant, two digits
	PIN  int // a PIN… constant, one digit
}

// How a card was read.
const (
	EntryUnknown       = 0
	EntryManual        = 1
	EntryStripe        = 2
	EntryCode          = 3 // a bar code or QR code
	EntryChip          = 5
	EntryContactless   = 7
	EntryContactStripe = 91 // magnetic stripe data, contactless
	EntryFallback      = 95
	EntryMobile        = 96
	EntryContactFull   = 98
)

// Whether a PIN was entered.
const (
	PINUnknown = 0
	PINEntered = 1
	PINNone    = 2
)

// ParseEntryMode22 reads the three digits.
func ParseEntryMode22(s string) (EntryMode22, error) {
	r := readDigits(22, s)
	e := EntryMode22{int(r.number(2, "mode")), int(r.number(1, "PIN"))}
	if err := r.done(); err != nil {
		return EntryMode22{}, err
	}
	return e, nil
}

// Append appends the three digits to dst.
func (e EntryMode22) Append(dst []byte) ([]byte, error) {
	w := digitWriter{out: dst, de: 22}
	w.number(int64(e.Mode), 2, "mode")
	w.number(int64(e.PIN), 1, "PIN")
	return w.result(dst)
}
