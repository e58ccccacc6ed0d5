package host

import (
	"fmt"

	"github.com/tallystick/tallystick/codec"
)

// DefaultParameters are those of examples: 60 seconds of patience, 3 tries to
// dial, 3 of a reversal.
func DefaultParameters() codec.Parameters62 {
	return codec.Parameters62{List: []codec.Parameter{
		{Tag: codec.ParamApplication, Value: "60"}, {Tag: codec.ParamTimeout, Value: "60"}, {Tag: codec.ParamRedials, Value: "3"},
		{Tag: codec.ParamAutoSignOff, Value: "0"}, {Tag: codec.ParamMerchant, Value: "示例商户"}, {Tag: codec.ParamReversals, Value: "3"},
	}}
}

// Ask has the answers to a terminal ask it for something in their header, until
// it is done: to download its parameters, to upload its status, or to sign in.
// A terminal that never signed in is not known yet.
func (s *Server) Ask(terminal string, p codec.Processing) error {
	known := false
	err := s.update(func(b books) error {
		t, err := b.terminal(terminal)
		if err != nil || t == nil {
			return err
		}
		known, t.Ask = true, p
		return b.saveTerminal(t)
	})
	if err == nil && !known {
		err = fmt.Errorf("terminal %q has not signed in yet", terminal)
	}
	return err
}

// done notes that the terminal has done what it was asked for.
func (x *exchange) done(p codec.Processing) {
	if x.terminal.Ask == p {
		x.terminal.Ask = codec.ProcessNothing
	}
}

// parameters answers the download of parameters and its end.
func (s *Server) parameters(b books, x *exchange) error {
	x.echo(60)
	x.finish(codeDone)
	if x.p60.Network == codec.NetParameters {
		x.setValue(62, s.cfg.Parameters)
		return nil
	}
	x.done(codec.ProcessStripeParams)
	x.terminal.Loads++
	return b.saveTerminal(x.terminal)
}

// status takes the terminal's status.
func (s *Server) status(b books, x *exchange) error {
	raw, ok := x.req.Bytes(62)
	list, err := codec.ParseParameters62(raw)
	if err != nil || !ok {
		x.finish(codeFormat)
		return nil
	}
	x.done(codec.ProcessUploadStatus)
	x.terminal.Status = list.List
	x.finish(codeDone)
	return b.saveTerminal(x.terminal)
}

// signIn gives the terminal its batch number and fresh working keys.
func (s *Server) signIn(b books, x *exchange) error {
	x.stamp()
	if x.p60.Network == codec.NetParameters || x.p60.Network == codec.NetParametersEnd {
		return s.parameters(b, x)
	}
	keys, err := newWorkingKeys(x.p60.Network, s.cfg.TMK)
	if err != nil || !x.has(11) {
		x.echo(60)
		refusal := codeFunction
		if !x.has(11) {
			refusal = codeFormat
		}
		x.finish(refusal)
		return nil
	}
	t := x.terminal
	t.PIK, t.MAK, t.SignedIn = keys.pik, keys.mak, true
	t.SignIns++
	x.done(codec.ProcessSignIn)
	x.setValue(60, codec.Private60{Batch: int(t.Batch), Network: x.p60.Network})
	x.note(x.reply.SetBytes(62, keys.wire))
	x.finish(codeDone)
	return b.saveTerminal(t)
}

// network answers the echo, the sign-off and the status.
func (s *Server) network(b books, x *exchange) error {
	x.stamp()
	x.echo(60)
	switch x.p60.Network {
	case codec.NetEcho:
		x.finish(codeDone)
		return nil
	case codec.NetStatus:
		return s.status(b, x)
	case codec.NetSignOff:
		x.finish(codeDone)
		x.terminal.SignedIn = false
		return b.saveTerminal(x.terminal)
	}
	x.finish(codeFunction)
	return nil
}

// settlement answers 0500. Where the totals were compared, DE 48 says it all and
// there is no DE 39.
func (s *Server) settlement(b books, x *exchange) error {
	x.stamp()
	x.echo(49, 60, 63)
	x.set(15, x.now.Format("0102"))
	claimed, err := codec.ParseTotals48(x.text(48))
	switch {
	case err != nil || !x.has(11) || x.p60.Network != codec.NetBatch:
		x.finish(codeFormat)
		return nil
	case !x.terminal.SignedIn:
		x.finish(codeSignIn)
		return nil
	}
	r, refusal, err := b.settle(x.terminal, uint32(x.p60.Batch), Totals{group(claimed.Inland), group(claimed.Foreign)})
	if err != nil {
		return err
	}
	claimed.Inland.Verdict, claimed.Foreign.Verdict = codec.Verdict(r.Inland), codec.Verdict(r.Foreign)
	x.setValue(48, claimed)
	x.code = refusal
	if refusal != "" {
		x.finish(refusal)
	}
	return nil
}

func group(g codec.GroupTotals) Group {
	return Group{DebitAmount: g.DebitAmount, DebitCount: g.DebitCount, CreditAmount: g.CreditAmount, CreditCount: g.CreditCount}
}

// batchUpload answers 0320: details in groups, one transaction with its own
// fields, or the end.
func (s *Server) batchUpload(b books, x *exchange) (err error) {
	x.stamp()
	x.echo(48, 60)
	refusal := codeFormat
	switch number := uint32(x.p60.Batch); {
	case !x.has(11):
	case !x.terminal.SignedIn:
		refusal = codeSignIn
	case x.p60.Network == codec.NetBatch:
		if items, err := codec.ParseDetails48(x.text(48)); err == nil {
			if refusal, err = b.upload(x.terminal, number, s.details(x, items)); err != nil {
				return err
			}
		}
	case x.p60.Network == codec.NetBatchEnd, x.p60.Network == codec.NetBatchEndEqual:
		if _, err := codec.ParseUploadCount48(x.text(48)); err == nil {
			if refusal, err = b.end(x.terminal, number, x.p60.Network); err != nil {
				return err
			}
		}
	case x.p60.Network == codec.NetFinancial:
		if refusal, err = s.uploadOne(b, x); err != nil {
			return err
		}
	default:
		refusal = codeFunction
	}
	x.finish(refusal)
	return nil
}

// details turns the items of DE 48 into what would be booked. Their kind is not
// said, and a card number of zeros is none.
func (s *Server) details(x *exchange, items codec.Details48) (out []detail) {
	for _, it := range items {
		d := detail{Booking: Booking{
			Identity: Identity{Terminal: x.terminal.ID, Batch: uint32(x.p60.Batch), STAN: uint32(it.STAN)},
			Merchant: x.terminal.Merchant, MTI: mtiUpload.String(),
			Amount: it.Amount, Currency: s.cfg.Currency, Foreign: it.Foreign,
		}}
		if pan := it.PAN.Reveal(); len(pan) >= 13 {
			d.PAN = codec.MaskPAN(pan)
		}
		d.content = s.fingerprint("detail", x.text(41), it.PAN.Reveal(), d.Identity.String())
		out = append(out, d)
	}
	return out
}

// uploadOne takes one transaction with its own fields: DE 60 has its own type,
// and DE 11 its own STAN.
func (s *Server) uploadOne(b books, x *exchange) (string, error) {
	form, known := shapes[x.p60.Type]
	switch {
	case !known:
		return codeFunction, nil
	case !x.has(3, 4, 11, 22) || x.text(3) != form.processing:
		return codeFormat, nil
	}
	r, refusal := s.read(x, form, true)
	if refusal != "" {
		return refusal, nil
	}
	x.amount = r.Amount
	r.RRN, r.AuthCode = x.trimmed(37), x.trimmed(38)
	if form.kind.credit() {
		r.RRN = "" // DE 37 names the original
	}
	return b.upload(x.terminal, uint32(x.p60.Batch), []detail{{Booking: r.Booking, content: r.content}})
}
