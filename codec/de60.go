package codec

// Network management codes of DE 60.3.
const (
	NetFinancial      = 0   // financial messages
	NetSignInSingle   = 1   // sign in, working keys of single length
	NetSignOff        = 2   // sign off
	NetSignInDouble   = 3   // sign in, working keys of double length
	NetSignInTrackKey = 4   // sign in, double length with a track key
	NetSignInSM4      = 5   // sign in, SM4 keys
	NetBatch          = 201 // settlement, and details in groups
	NetBatchEnd       = 202 // end of an upload that did not balance
	NetChipBalanced   = 203 // chip details, balanced
	NetChipFailed     = 204 // failed chip transactions, balanced
	NetChipUnbalanced = 205 // chip details, not balanced
	NetChipFailedUnb  = 206 // failed chip transactions, not balanced
	NetBatchEndEqual  = 207 // end of an upload that balanced
	NetEcho           = 301 // echo test
	NetParameters     = 360 // parameter download
	NetParametersEnd  = 361 // end of the parameter download
	NetStatus         = 362 // status upload
	NetScript         = 951 // result of an issuer script
)

// Transaction types of DE 60.1.
const (
	TypeManagement        = 0
	TypeBalance           = 1
	TypePreAuth           = 10
	TypePreAuthVoid       = 11
	TypeCompletion        = 20
	TypeCompletionVoid    = 21
	TypeSale              = 22
	TypeSaleVoid          = 23
	TypeCompletionAdvice  = 24
	TypeRefund            = 25
	TypeOfflineSale       = 30
	TypeSettlementAdjust  = 32
	TypeTipAdjust         = 34
	TypeOfflineChipUpload = 36
)

// Private60 is DE 60 of UnionPay. On the wire it ends after any subfield, so
// Digits says how much of it is there: 8 (to the batch), 11 (to the network
// code), 12, 13, 14 or 17. Zero means as many as the subfields that are not
// zero need, at least 11.
type Private60 struct {
	Type       int // 60.1, a Type… constant
	Batch      int // 60.2, 0 to 999999
	Network    int // 60.3, a Net… constant
	Capability int // 60.4: 0 unknown, 2 magnetic stripe, 5 also contact chip, 6 also contactless
	Condition  int // 60.5: 2 after a failed chip read, else 0 or 1
	Partial    int // 60.6: 1 if a part of the amount may be approved and the balance returned
	Account    int // 60.7, the kind of account, 0 to 999
	Digits     int
}

var lengths60 = [...]int{8, 11, 12, 13, 14, 17}

// ParsePrivate60 reads the digits of DE 60.
func ParsePrivate60(s string) (Private60, error) {
	p := Private60{Digits: len(s)}
	if !p.lengthKnown() {
		return Private60{}, &FieldError{DE: 60, Offset: -1, Err: ErrStructure, Detail: "needs 8, 11, 12, 13, 14 or 17 digits, " + count(len(s), "digit")}
	}
	r := readDigits(60, s)
	p.Type = int(r.number(2, "60.1"))
	p.Batch = int(r.number(6, "60.2"))
	for i, to := range p.optional() {
		if len(s) >= lengths60[i+1] {
			*to.value = int(r.number(to.digits, to.part))
		}
	}
	if err := r.done(); err != nil {
		return Private60{}, err
	}
	return p, nil
}

type subfield struct {
	value  *int
	digits int
	part   string
}

// optional lists what may be missing at the end.
func (p *Private60) optional() [5]subfield {
	return [5]subfield{
		{&p.Network, 3, "60.3"}, {&p.Capability, 1, "60.4"}, {&p.Condition, 1, "60.5"},
		{&p.Partial, 1, "60.6"}, {&p.Account, 3, "60.7"},
	}
}

func (p *Private60) lengthKnown() bool {
	for _, n := range lengths60 {
		if n == p.Digits {
			return true
		}
	}
	return false
}

// Append appends the digits of DE 60 to dst.
func (p Private60) Append(dst []byte) ([]byte, error) {
	fields := p.optional()
	if p.Digits == 0 {
		p.Digits = 11
		for i, f := range fields {
			if *f.value != 0 {
				p.Digits = max(p.Digits, lengths60[i+1])
			}
		}
	}
	if !p.lengthKnown() {
		return dst, &FieldError{DE: 60, Offset: -1, Err: ErrStructure, Detail: "needs 8, 11, 12, 13, 14 or 17 digits"}
	}
	w := digitWriter{out: dst, de: 60}
	w.number(int64(p.Type), 2, "60.1")
	w.number(int64(p.Batch), 6, "60.2")
	for i, f := range fields {
		switch {
		case p.Digits >= lengths60[i+1]:
			w.number(int64(*f.value), f.digits, f.part)
		case *f.value != 0:
			w.fail(f.part, ErrTooLong)
		}
	}
	return w.result(dst)
}
