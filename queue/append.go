package queue

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/internal/record"
)

// Append journals an advice, a notice or a void, assigning sequence, STAN and
// batch; a Forward or Drain of its lane delivers it. On a nil error t is
// synced (I1). Appending a Ref again returns the first Entry, or ErrConflict
// when the rest of t differs; Time is not compared.
//
// A Sale becomes an advice: the decision was taken here. A card needs an
// Approval for that, a payment code is refused, cash is always taken. A Refund
// needs an original that is accepted, or was taken offline and has no answer yet;
// it is delivered like an advice, behind the answer to its original, and cancelled
// where that comes to nothing. A Void needs an accepted original under the host's
// current batch number.
//
// Errors: *InvalidError, ErrConflict, ErrNotFound and ErrState for Original,
// *LimitError, *DoubleTapError, ErrNumbers, ErrFull, ErrNotSynced, ErrClosed,
// ctx.Err(). With all of them but ErrNotSynced nothing was kept.
func (q *Queue) Append(ctx context.Context, t Transaction) (Entry, error) {
	return q.journal(ctx, t, appendKind(t), t.Op == Void)
}

func appendKind(t Transaction) Kind {
	switch t.Op {
	case Void:
		return Request
	case Report:
		return Notice
	}
	return Advice
}

func (q *Queue) journal(ctx context.Context, t Transaction, k Kind, deferred bool) (Entry, error) {
	if err := t.validate(k); err != nil {
		return Entry{}, err
	}
	var e Entry
	err := q.update(ctx, func(v *fileView) error {
		var isNew bool
		var err error
		if err = v.doubleTap(t, q.opts.DoubleTap); err != nil {
			return err
		}
		if e, isNew, err = v.add(t, k, deferred); err != nil || !isNew || e.Op != Sale {
			return err
		}
		v.warnings, err = v.check(q.opts.Limits, e)
		return err
	})
	if err != nil {
		return Entry{}, err
	}
	return e, nil
}

// validate checks what the journal itself does not know.
func (t Transaction) validate(k Kind) error {
	texts := []struct {
		field, value string
		min, max     int
	}{
		{"Ref", t.Ref, 1, 64}, {"Lane.Host", t.Lane.Host, 1, 64}, {"Lane.Merchant", t.Lane.Merchant, 1, 64},
		{"Lane.Terminal", t.Lane.Terminal, 1, 64}, {"Approval", t.Approval, 0, 6}, {"EntryMode", t.EntryMode, 0, 3},
		{"Operator", t.Operator, 0, 16}, {"Data", string(t.Data), 0, 4096},
		{"Card.PAN", t.Card.PAN.Reveal(), 0, 19}, {"Card.Expiry", t.Card.Expiry.Reveal(), 0, 4},
		{"Card.Sequence", t.Card.Sequence, 0, 3}, {"Card.Track2", t.Card.Track2.Reveal(), 0, 37},
		{"Card.Track3", t.Card.Track3.Reveal(), 0, 104}, {"Card.ICC", t.Card.ICC.Reveal(), 0, 999},
		{"Card.PayCode", t.Card.PayCode.Reveal(), 0, 64},
	}
	for _, x := range texts {
		if len(x.value) < x.min || len(x.value) > x.max {
			return invalid(x.field, "has %d bytes, allowed are %d to %d", len(x.value), x.min, x.max)
		}
	}
	if t.Op < Sale || t.Op > Report {
		return invalid("Op", "is not one of Sale, Void, Refund, Report")
	}
	if (t.Op == Void || t.Op == Refund) != (t.Original != 0) {
		return invalid("Original", "belongs to a Void or a Refund, and is required there")
	}
	if err := t.validateAmount(); err != nil {
		return err
	}
	return t.validateTender(k)
}

func (t Transaction) validateAmount() error {
	switch {
	case t.Op == Report && t.Amount != (Money{}):
		return invalid("Amount", "a Report moves no money")
	case t.Op == Void && t.Amount != (Money{}):
		return invalid("Amount", "a Void takes its original's")
	case t.Op == Sale || t.Op == Refund:
		if t.Amount.Minor <= 0 || t.Amount.Minor > maxAmount {
			return invalid("Amount", "is %d minor units, allowed are 1 to %d", t.Amount.Minor, maxAmount)
		}
		if t.Amount.Currency < 1 || t.Amount.Currency > 999 {
			return invalid("Amount.Currency", "is not an ISO 4217 numeric code")
		}
	}
	return nil
}

// maxAmount is what the twelve digits of DE 4 hold.
const maxAmount = int64(999_999_999_999)

func (t Transaction) validateTender(k Kind) error {
	if t.Op == Void || t.Op == Refund || t.Op == Report {
		if t.Tender != 0 {
			return invalid("Tender", "belongs to a Sale; a Void or Refund takes its original's")
		}
		return nil
	}
	if t.Tender < CardTender || t.Tender > Cash {
		return invalid("Tender", "is not one of CardTender, QR, Cash")
	}
	if k != Advice {
		return nil
	}
	if t.Tender == QR {
		return invalid("Tender", "a payment code is never taken offline: use Do")
	}
	if t.Tender == CardTender && t.Approval == "" {
		return invalid("Approval", "a card taken offline needs an offline approval: use Do without one")
	}
	if !t.Card.PINBlock.IsZero() {
		return invalid("Card.PINBlock", "is never stored: it can go with a Do only")
	}
	return nil
}

// add journals t, or finds the entry that already has its Ref.
func (v *fileView) add(t Transaction, k Kind, deferred bool) (e Entry, isNew bool, err error) {
	first, found, err := v.byRef(t.Ref)
	if err != nil {
		return Entry{}, false, err
	}
	if found {
		if !first.sameAs(t, k) {
			return Entry{}, false, fmt.Errorf("ref of entry %d: %w", first.ID, ErrConflict)
		}
		e, err := v.full(first)
		return e, false, err
	}
	// What is new leaves room for the answers and reversals of what is not.
	if err := v.tx.Admit(); err != nil {
		return Entry{}, false, err
	}
	l, err := v.openLane(t.Lane)
	if err != nil {
		return Entry{}, false, err
	}
	if t.Original != 0 {
		if t, err = v.about(t, l); err != nil {
			return Entry{}, false, err
		}
	}
	e, err = v.insert(t, k, deferred, l)
	return e, true, err
}

// insert numbers a new entry and journals it.
func (v *fileView) insert(t Transaction, k Kind, deferred bool, l laneRecord) (Entry, error) {
	id, err := v.nextID()
	if err != nil {
		return Entry{}, err
	}
	stan, err := v.nextSTAN(l)
	if err != nil {
		return Entry{}, err
	}
	if t.Time.IsZero() {
		t.Time = v.reading.Wall
	}
	t.Time = t.Time.Truncate(time.Millisecond)
	t.Card = t.Card.withPAN()
	e := Entry{ID: id, Transaction: t, Kind: k, STAN: stan, Batch: BatchID{l.name, l.open}, State: Pending,
		Deferred: deferred, MaskedPAN: t.Card.MaskedPAN()}
	e.Data = bytes.Clone(t.Data)
	kept := t.Card
	if k == Request && !deferred {
		kept = kept.withoutTracks() // its one attempt is Do's, which has them
	}
	if !kept.isZero() {
		v.keepCard(id, kept)
	}
	return v.journalled(e, l)
}

func (v *fileView) journalled(e Entry, l laneRecord) (Entry, error) {
	e.Card = Card{}
	if err := v.apply(event{kind: evAppended, lane: l.number, entry: e}); err != nil {
		return Entry{}, err
	}
	e, err := v.entry(e.ID)
	if err != nil {
		return Entry{}, err
	}
	return v.full(e)
}

// about fills in what a Void or Refund takes from its original and checks
// that the original allows it.
func (v *fileView) about(t Transaction, l laneRecord) (Transaction, error) {
	orig, err := v.entry(t.Original)
	if err != nil {
		return t, err
	}
	if orig.Lane != t.Lane {
		return t, invalid("Lane", "is not the lane of the original, entry %d", orig.ID)
	}
	t.Tender = orig.Tender
	mayWait := t.Op == Refund && orig.underway()
	if (orig.State != Accepted && !mayWait) || (orig.Op != Sale && orig.Op != Refund) {
		return t, stateError(orig.ID, orig.State, "a void or refund needs an accepted sale")
	}
	if orig.VoidedBy != 0 {
		voided, err := v.entry(orig.VoidedBy)
		if err != nil {
			return t, err
		}
		if s := voided.State; s == Accepted || !s.Final() {
			return t, stateError(orig.ID, orig.State, fmt.Sprintf("entry %d voids it", voided.ID))
		}
	}
	if t.Op == Refund {
		if orig.Op != Sale || t.Amount.Currency != orig.Amount.Currency || t.Amount.Minor > orig.Amount.Minor-orig.Refunded {
			return t, invalid("Amount", "the refunds of a sale are at most its amount, in its currency")
		}
	} else {
		t.Amount = orig.Amount
		if orig.Refunded > 0 {
			return t, stateError(orig.ID, orig.State, "it is refunded: only a whole sale is voided")
		}
		if orig.Kind != Request || orig.HostBatch != l.hostBatch || orig.Batch.N != l.open {
			return t, stateError(orig.ID, orig.State, "only a request of the current batch is voided: refund it")
		}
	}
	full, err := v.full(orig)
	if err != nil {
		return t, err
	}
	if t.Card.isZero() {
		t.Card = full.Card.withoutTracks() // which go with the sale's answer
	}
	if t.EntryMode == "" {
		t.EntryMode = orig.EntryMode
	}
	return t, nil
}

// sameAs tells whether t, journalled as k, is what e was journalled from.
func (e Entry) sameAs(t Transaction, k Kind) bool {
	had := e.essence
	if !e.Pruned {
		had = e.given().content(e.MaskedPAN)
	}
	if had != t.content(t.Card.withPAN().MaskedPAN()) {
		return false
	}
	if e.Kind == k {
		return e.Approval == t.Approval
	}
	// A request that was taken offline is still the request that Do was given.
	return k == Request && e.Kind == Advice && e.Op == Sale
}

// content is a digest of what a Ref stands for, but for the Approval.
func (t Transaction) content(maskedPAN string) (sum [16]byte) {
	var w record.Writer
	w.String(t.Ref)
	encodeLaneName(&w, t.Lane)
	w.Byte(byte(t.Op))
	w.Uint(uint64(t.Original))
	w.String(t.Operator)
	w.Bytes(t.Data)
	if t.Op == Sale || t.Op == Report {
		w.Byte(byte(t.Tender))
		w.String(maskedPAN)
		w.String(t.EntryMode)
	}
	if t.Op != Void {
		encodeMoney(&w, t.Amount)
	}
	d := sha256.Sum256(w.B)
	copy(sum[:], d[:])
	return sum
}
