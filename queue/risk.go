package queue

import "context"

// AppendAtRisk journals a card sale that is sent to the host for its decision
// when the network is back: the merchant has handed the goods over and bears
// the loss if the host declines. Use it on lanes for which the merchant has
// accepted that risk.
//
// The forwarder sends it as a request. In doubt it is reversed like any other;
// once that reversal is answered the sale is presented anew as another entry,
// with a new STAN under the same Ref, until the host decides: after RetryMin at
// first, and twice as long each further time, up to RetryMax or Spread. A decline is
// logged as an error and is an Event of the entry: it is the merchant's loss.
// ByRef gives the newest presentation. Reverse ends it: what is in doubt is then
// reversed and not presented again.
//
// Errors: those of Append.
func (q *Queue) AppendAtRisk(ctx context.Context, t Transaction) (Entry, error) {
	if t.Op != Sale || t.Tender != CardTender {
		return Entry{}, invalid("Tender", "only a card sale is taken at the merchant's risk")
	}
	if !t.Card.PINBlock.IsZero() {
		return Entry{}, invalid("Card.PINBlock", "is never stored: it can go with a Do only")
	}
	return q.journal(ctx, t, Request, true)
}

// presentAnew journals a deferred sale again once its reversal is answered.
func (v *fileView) presentAnew(rev Entry) error {
	orig, err := v.entry(rev.Original)
	if err != nil {
		return ignoreNotFound(err)
	}
	if !orig.Deferred || orig.Op != Sale || orig.State != Reversed || orig.withdrawn {
		return nil
	}
	card, err := v.card(orig.ID)
	if err != nil {
		return err
	}
	l, err := v.laneOf(orig.Lane)
	if err != nil {
		return err
	}
	t := orig.Transaction
	t.Card = card
	_, err = v.insert(t, Request, true, l)
	return err
}

// presentedAs is the entry as which a sale at risk was presented anew, with the
// answer to its reversal e just now; 0: none was.
func (v *fileView) presentedAs(e Entry) (ID, error) {
	if e.Kind != Reversal || v.ids == 0 { // nothing is new in this commit
		return 0, nil
	}
	orig, err := v.entry(e.Original)
	if err != nil || !orig.Deferred || orig.State != Reversed || orig.withdrawn {
		return 0, err
	}
	next, err := v.entry(ID(v.ids))
	if err != nil || next.Kind != Request || !next.Deferred || next.Ref != orig.Ref {
		return 0, err
	}
	return next.ID, nil
}
