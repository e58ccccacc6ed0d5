package host

import (
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/codec"
)

// shape is what a transaction looks like on the wire.
type shape struct {
	kind       Kind
	mti        codec.MTI
	processing string // DE 3
	required   []int
}

// shapes are the transactions the host takes, by 60.1.
var shapes = map[int]shape{
	codec.TypeSale:        {Sale, mtiFinancial, "000000", []int{3, 4, 11, 22, 25, 41, 42, 49, 60, 64}},
	codec.TypeSaleVoid:    {Void, mtiFinancial, "200000", []int{3, 4, 11, 22, 25, 37, 41, 42, 49, 60, 61, 64}},
	codec.TypeRefund:      {Refund, mtiAdvice, "200000", []int{3, 4, 11, 22, 25, 41, 42, 49, 60, 64}},
	codec.TypeOfflineSale: {OfflineSale, mtiAdvice, "000000", []int{3, 4, 11, 22, 25, 41, 42, 60, 64}},
}

// financial answers 0200, 0220 and 0400.
func (s *Server) financial(b books, x *exchange) error {
	x.echo(2, 3, 4, 14, 25, 49, 53, 59, 60)
	x.stamp()
	x.set(15, x.now.Format("0102"))
	v, err := s.judge(b, x)
	if err != nil {
		return err
	}
	if v.RRN != "" {
		x.set(37, v.RRN)
		x.set(38, v.AuthCode)
	}
	x.forgot = v.forgotten
	x.finish(v.Code)
	return nil
}

// judge checks session, MAC and form, then lets the rules decide.
func (s *Server) judge(b books, x *exchange) (verdict, error) {
	if !x.terminal.SignedIn {
		return code(codeSignIn), nil
	}
	mac, err := codec.NewECBMAC(x.terminal.MAK)
	if err != nil {
		return verdict{}, err
	}
	if codec.VerifyMAC(x.raw, x.req, mac) != nil {
		return code(codeBadMAC), nil
	}
	x.mac = mac
	r, refusal := s.request(x)
	if refusal != "" {
		return code(refusal), nil
	}
	x.amount = r.Amount
	if x.req.Type() == mtiReversal {
		return b.reverse(x.terminal, r)
	}
	r.refuse, r.forget = x.fate.refuse, x.fate.forget
	return b.transact(x.terminal, r)
}

// request reads a transaction, or the reversal of one, from the message.
func (s *Server) request(x *exchange) (r *request, refusal string) {
	form, known := shapes[x.p60.Type]
	reversal := x.req.Type() == mtiReversal
	switch {
	case !known, !reversal && form.mti != x.req.Type():
		return nil, codeFunction
	case reversal && form.mti != mtiFinancial:
		return nil, codeInvalid
	case reversal && !x.has(3, 4, 11, 22, 25, 39, 41, 42, 49, 60, 64):
		return nil, codeFormat
	case !reversal && !x.has(form.required...), x.text(3) != form.processing:
		return nil, codeFormat
	}
	return s.read(x, form, reversal)
}

// read takes the fields that a request, a reversal and a detail of an upload
// have in common.
func (s *Server) read(x *exchange, form shape, partial bool) (*request, string) {
	r := &request{original: x.trimmed(37), content: s.contentOf(x)}
	r.Identity, r.Merchant, r.MTI, r.Kind = x.identity(), x.trimmed(42), x.req.Type().String(), form.kind
	r.Entry, r.Currency = x.text(22), s.cfg.Currency
	if x.has(49) {
		r.Currency = x.text(49)
	}
	r.Foreign = foreignCard(x.text(63), x.pan())
	if pan := x.pan(); pan != "" {
		r.PAN = codec.MaskPAN(pan)
	}
	r.Amount, _ = strconv.ParseInt(x.text(4), 10, 64)
	switch {
	case r.Currency != s.cfg.Currency:
		return nil, codeFormat
	case r.Amount == 0:
		return nil, "13"
	case !partial && !x.wellEntered(form.kind):
		return nil, codeFormat
	}
	return r, x.readOriginal(r, partial)
}

// readOriginal names the original of a void or refund. A void names it twice, a
// refund by DE 37, DE 61 or both.
func (x *exchange) readOriginal(r *request, partial bool) (refusal string) {
	if !r.Kind.credit() {
		return ""
	}
	if x.has(61) {
		o, err := codec.ParseOriginal61(x.text(61))
		if err != nil {
			return codeFormat
		}
		r.Original = Identity{Terminal: r.Terminal, Batch: uint32(o.Batch), STAN: uint32(o.STAN)}
	}
	if !partial && r.original == "" && r.Original.STAN == 0 {
		return codeFormat
	}
	return ""
}

// foreignCard says whether the card is from abroad: by the organisation that
// DE 63.1 names, or by the card's number in a message without one.
func foreignCard(de63, pan string) bool {
	p, err := codec.ParsePrivate63(de63)
	if err != nil || de63 == "" {
		return codec.ForeignOrg(codec.Organisation(pan))
	}
	return codec.ForeignOrg(p.Code)
}

// pan is the card number, from DE 2 or from track 2.
func (x *exchange) pan() string {
	if x.has(2) {
		return x.text(2)
	}
	pan, _, _ := strings.Cut(x.text(35), "=")
	return pan
}

// wellEntered says whether the message has what its entry mode (DE 22) needs:
// a card number, for an advice in DE 2; a payment code; or, for cash, neither.
func (x *exchange) wellEntered(k Kind) bool {
	entry := x.text(22)
	if k.credit() {
		return true
	}
	switch entry[:2] {
	case "03":
		return k == Sale && paymentCode(x.text(59))
	case "00":
		return k == OfflineSale && x.pan() == ""
	}
	return x.has(2) || k == Sale && x.pan() != ""
}

// paymentCode checks DE 59 of a scanned code: A3, three digits of length, the code.
func paymentCode(v string) bool {
	rest, ok := strings.CutPrefix(v, "A3")
	if !ok || len(rest) < 4 {
		return false
	}
	n, err := strconv.ParseUint(rest[:3], 10, 16)
	return err == nil && len(rest) == 3+int(n)
}

// contentOf is the fingerprint of what a repeat must not change. STAN, batch and
// terminal are the identity; time, MAC and header may change.
func (s *Server) contentOf(x *exchange) []byte {
	parts := []string{x.req.Type().String(), strconv.Itoa(x.p60.Type), x.pan()}
	for _, de := range []int{3, 4, 22, 25, 37, 38, 42, 49, 59, 61, 63} {
		parts = append(parts, x.text(de))
	}
	return s.fingerprint(parts...)
}
