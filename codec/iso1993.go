package codec

// PointOfService22 is DE 22 of ISO 8583:1993: twelve positions of one character
// each, a digit or an upper-case letter.
type PointOfService22 struct {
	InputCapability   byte // 1: how the terminal can read cards
	AuthCapability    byte // 2: how it can know the cardholder
	CaptureCapability byte // 3: whether it can keep the card
	Environment       byte // 4: attended, on or off premises
	CardholderPresent byte // 5
	CardPresent       byte // 6
	InputMode         byte // 7: how the card was read
	AuthMethod        byte // 8: how the cardholder was known
	AuthEntity        byte // 9: who knew the cardholder
	OutputCapability  byte // 10: whether it can write to the card
	TerminalOutput    byte // 11: printing, display
	PINCapability     byte // 12: the longest PIN
}

// ParsePointOfService22 reads the twelve characters.
func ParsePointOfService22(s string) (PointOfService22, error) {
	var p PointOfService22
	if len(s) != 12 {
		return p, &FieldError{DE: 22, Offset: -1, Err: lengthError(len(s), 12), Detail: exactly(len(s), 12)}
	}
	for i, to := range p.positions() {
		if !posChar(s[i]) {
			return PointOfService22{}, &FieldError{DE: 22, Offset: i, Err: ErrContent}
		}
		*to = s[i]
	}
	return p, nil
}

func posChar(c byte) bool { return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' }

func (p *PointOfService22) positions() [12]*byte {
	return [12]*byte{
		&p.InputCapability, &p.AuthCapability, &p.CaptureCapability, &p.Environment, &p.CardholderPresent, &p.CardPresent,
		&p.InputMode, &p.AuthMethod, &p.AuthEntity, &p.OutputCapability, &p.TerminalOutput, &p.PINCapability,
	}
}

// Append appends the twelve characters to dst. A position that is zero is
// written as "0".
func (p PointOfService22) Append(dst []byte) ([]byte, error) {
	out := dst
	for i, c := range p.positions() {
		switch {
		case *c == 0:
			out = append(out, '0')
		case posChar(*c):
			out = append(out, *c)
		default:
			return dst, &FieldError{DE: 22, Offset: i, Err: ErrContent}
		}
	}
	return out, nil
}

// Function24 is DE 24 of ISO 8583:1993, three digits: what the message is for.
type Function24 int

const (
	FuncOriginal       Function24 = 200 // original financial request or advice
	FuncAuthorisedSame Function24 = 201 // authorised before, same amount
	FuncAuthorisedDiff Function24 = 202 // authorised before, other amount
	FuncFullReversal   Function24 = 400
	FuncPartReversal   Function24 = 401
	FuncFinalReconcile Function24 = 500
	FuncCheckpoint     Function24 = 501
	FuncSignOn         Function24 = 801
	FuncSignOff        Function24 = 802
	FuncCutOver        Function24 = 821
	FuncEcho           Function24 = 831
)

// ParseFunction24 reads the three digits.
func ParseFunction24(s string) (Function24, error) {
	r := readDigits(24, s)
	f := Function24(r.number(3, "function"))
	return f, r.done()
}

// Append appends the three digits to dst.
func (f Function24) Append(dst []byte) ([]byte, error) {
	w := digitWriter{out: dst, de: 24}
	w.number(int64(f), 3, "function")
	return w.result(dst)
}

// Reason25 is DE 25 of ISO 8583:1993, four digits: why the message is sent.
type Reason25 int

const (
	ReasonTerminal     Reason25 = 1004 // processed by the terminal
	ReasonChip         Reason25 = 1005 // processed by the chip
	ReasonFloorLimit   Reason25 = 1006 // under the floor limit
	ReasonCancelled    Reason25 = 4000 // cancelled by the customer
	ReasonUnspecified  Reason25 = 4001 // malfunction, not specified
	ReasonMalfunction  Reason25 = 4002 // suspected malfunction
	ReasonTooLate      Reason25 = 4006 // answer received too late
	ReasonIncomplete   Reason25 = 4007 // the device could not complete it
	ReasonUndelivered  Reason25 = 4013 // the message could not be delivered
	ReasonNoAnswerTime Reason25 = 4021 // time-out waiting for the answer
)

// ParseReason25 reads the four digits.
func ParseReason25(s string) (Reason25, error) {
	r := readDigits(25, s)
	n := Reason25(r.number(4, "reason"))
	return n, r.done()
}

// Append appends the four digits to dst.
func (n Reason25) Append(dst []byte) ([]byte, error) {
	w := digitWriter{out: dst, de: 25}
	w.number(int64(n), 4, "reason")
	return w.result(dst)
}

// Original56 is DE 56 of ISO 8583:1993: the message that this one refers to, 24
// to 35 digits.
type Original56 struct {
	MTI      MTI
	STAN     int    // at most 6 digits
	Local    string // date and time YYMMDDhhmmss, 12 digits
	Acquirer string // at most 11 digits
}

// ParseOriginal56 reads the digits.
func ParseOriginal56(s string) (Original56, error) {
	r := readDigits(56, s)
	var o Original56
	o.MTI, _ = ParseMTI(r.text(4, "type"))
	o.STAN = int(r.number(6, "STAN"))
	o.Local = r.text(12, "local time")
	n := int(r.number(2, "length of the acquirer"))
	if n > 11 {
		r.fail("acquirer", ErrTooLong)
	}
	o.Acquirer = r.text(n, "acquirer")
	if err := r.done(); err != nil {
		return Original56{}, err
	}
	return o, nil
}

// Append appends the digits to dst.
func (o Original56) Append(dst []byte) ([]byte, error) {
	w := digitWriter{out: dst, de: 56}
	w.text(o.MTI.String(), "type")
	w.number(int64(o.STAN), 6, "STAN")
	if len(o.Local) != 12 {
		w.fail("local time", ErrStructure)
	}
	w.text(o.Local, "local time")
	if len(o.Acquirer) > 11 {
		w.fail("acquirer", ErrTooLong)
	}
	w.number(int64(len(o.Acquirer)), 2, "length of the acquirer")
	w.text(o.Acquirer, "acquirer")
	return w.result(dst)
}
