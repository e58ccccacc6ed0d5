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

// presentedAs tells as which entry a sale at risk, or a void that waits for its
// sign-in, was journalled anew with the answer to e just now: of e's original, or
// of e. 0: none was.
func (v *fileView) presentedAs(e Entry) (old, next ID, err error) {
	if v.ids == 0 { // nothing is new in this commit
		return 0, 0, nil
	}
	old = e.ID
	if e.Kind == Reversal {
		old = e.Original
	}
	was, err := v.entry(old)
	if err != nil || !was.Deferred || was.withdrawn || (was.State != Reversed && was.State != Declined) {
		return 0, 0, err
	}
	now, err := v.entry(ID(v.ids))
	if err != nil || now.Kind != Request || !now.Deferred || now.Ref != was.Ref || now.ID == old {
		return 0, 0, err
	}
	return old, now.ID, nil
}
