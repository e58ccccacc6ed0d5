package report

import (
	"context"
	"errors"
	"fmt"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
)

// AddJournal tells of the entries of q taken in the span, of all that is not
// decided, whenever it was taken, and of the batches closed in the span or not
// settled. It reads the journal once and keeps sums and lines, not entries.
//
// Errors: ErrOverflow, those of queue.All and of ctx. After one of them the
// report is not to be used.
func (r *Report) AddJournal(ctx context.Context, q *queue.Queue, span Span) error {
	r.Span = span
	for e, err := range q.All(ctx, queue.Filter{Pruned: true}) {
		if err == nil && (span.holds(e.Time) || !e.State.Final()) {
			err = r.entry(e)
		}
		if err != nil {
			return err
		}
	}
	s, err := q.Status(ctx)
	if err != nil {
		return err
	}
	for _, l := range s.Lanes {
		if err := r.batches(ctx, q, l, span); err != nil {
			return err
		}
	}
	return nil
}

// entry counts an entry, and lists it when it is not decided.
func (r *Report) entry(e queue.Entry) error {
	if e.Kind == queue.Reversal || e.Kind == queue.Notice {
		if e.Kind == queue.Notice && e.State == queue.Parked {
			r.Add(lineOf(Parked, e))
		}
		return nil
	}
	if f := openFinding(e); f != 0 {
		r.Add(lineOf(f, e))
	}
	if e.State.Final() && e.State != queue.Accepted {
		return r.undone(e.State, e.Amount.Currency).add(e.Amount.Minor)
	}
	amount := signed(e)
	row, taken := r.row(category(e), amount.Currency), e.Kind == queue.Advice || e.Deferred
	var err error
	if e.State == queue.Accepted {
		taken, err = true, row.Host.add(amount.Minor)
	} else {
		err = row.Open.add(amount.Minor)
	}
	if taken {
		err = errors.Join(err, row.Taken.add(amount.Minor))
	}
	return err
}

// openFinding is what is to be said of an entry by its state alone, 0 for
// nothing.
func openFinding(e queue.Entry) Finding {
	told := e.Kind == queue.Advice || e.Deferred
	switch {
	case e.State == queue.Parked:
		return Parked
	case e.State == queue.Declined && e.Deferred && e.Op == queue.Sale:
		return Loss
	case e.State == queue.Pending && told:
		return Waiting
	case e.State == queue.Pending:
		return Unsent
	case e.State == queue.InDoubt && e.Kind == queue.Advice:
		return Unanswered
	case e.State == queue.InDoubt:
		return Undecided
	}
	return 0
}

func category(e queue.Entry) Category {
	switch {
	case e.Op == queue.Void:
		return Voids
	case e.Op == queue.Refund:
		return Refunds
	case e.Tender == queue.Cash:
		return Cash
	case e.Tender == queue.QR:
		return QRCode
	case e.Kind == queue.Advice:
		return CardOffline
	}
	return CardOnline
}

// signed is the amount of an entry, negative for a void or refund.
func signed(e queue.Entry) queue.Money {
	m := e.Amount
	if e.Op == queue.Void || e.Op == queue.Refund {
		m.Minor = -m.Minor
	}
	return m
}

// lineOf is a line about an entry of the journal.
func lineOf(f Finding, e queue.Entry) Line {
	return Line{Finding: f, Entry: e.ID, State: e.State, Ref: e.Ref, Terminal: e.Lane.Terminal, HostBatch: e.HostBatch,
		STAN: e.STAN, RRN: e.Answer.RRN, Card: e.MaskedPAN, Time: e.Time, Here: signed(e), Detail: e.ParkedWhy}
}

// batches tells of a lane's batches, newest first, as far back as the span
// goes.
func (r *Report) batches(ctx context.Context, q *queue.Queue, l queue.LaneStatus, span Span) error {
	unsettled := l.Unsettled
	for n := l.OpenBatch.N; n > 0; n-- {
		b, err := q.Batch(ctx, queue.BatchID{Lane: l.Lane, N: n})
		if errors.Is(err, queue.ErrNotFound) {
			return nil // older ones were condensed away
		}
		if err != nil {
			return err
		}
		switch {
		case b.State == queue.BatchOpen || b.Entries == 0:
		case b.State == queue.BatchSettled && span.holds(b.Closed):
			res, err := reconcile.Settle(ctx, q, b.ID, nil) // tells again how it ended
			if err := r.AddSettlement(ctx, q, res, err); err != nil {
				return err
			}
		case b.State == queue.BatchClosed:
			unsettled--
			r.Batches = append(r.Batches, Batch{ID: b.ID, HostBatch: b.HostBatch, Records: b.Entries, Result: NotSettled})
			r.Add(Line{Finding: BatchWaits, Terminal: l.Lane.Terminal, HostBatch: b.HostBatch, Time: b.Closed, Detail: b.ID.String()})
		case b.Closed.Before(span.From) && unsettled == 0:
			return nil
		}
	}
	return nil
}

// AddSettlement tells how a settlement ended: give it what reconcile.Settle
// returned. A settlement that has not come to an end is a line of its own.
//
// Errors: those of q. The error of Settle is not among them.
func (r *Report) AddSettlement(ctx context.Context, q *queue.Queue, res reconcile.Result, settled error) error {
	var out *reconcile.OutOfBalanceError
	b := Batch{ID: res.Batch, Records: res.Records}
	batch, err := q.Batch(ctx, res.Batch)
	if err != nil && !errors.Is(err, queue.ErrNotFound) {
		return err
	}
	b.HostBatch = batch.HostBatch
	switch {
	case errors.Is(settled, reconcile.ErrWithoutHost):
		b.Result, b.Records = SettledAlone, batch.Entries
	case settled != nil && !errors.As(settled, &out):
		b.Result, b.Records = NotSettled, batch.Entries
		r.Add(Line{Finding: BatchWaits, Terminal: res.Batch.Lane.Terminal, HostBatch: b.HostBatch, Detail: settled.Error()})
	case settled != nil:
		b.Result = OutOfBalance
	case res.Balanced:
		b.Result = Balanced
	default:
		b.Result = AfterUpload
	}
	for i, t := range append([]queue.Totals{res.Totals}, res.Others...) {
		if err := b.add(t); err != nil {
			return err
		}
		if r.Batches = append(r.Batches, b); i == 0 {
			b.Records = 0 // counted in the first row
		}
	}
	if out != nil && (out.Left || len(res.Different) == 0) {
		f := HostHasMore
		if out.Left {
			f = HostLeft
		}
		r.Add(Line{Finding: f, Terminal: res.Batch.Lane.Terminal, HostBatch: b.HostBatch, Detail: res.Batch.String()})
	}
	return errors.Join(r.addEntries(ctx, q, Mended, res.Mended), r.addEntries(ctx, q, ContentDiffers, res.Different))
}

// add takes the totals of one currency over.
func (b *Batch) add(t queue.Totals) (err error) {
	in, abroad := t.Inland, t.Foreign
	b.Currency = t.Currency
	b.Debits.Count = int64(in.DebitCount + abroad.DebitCount)
	b.Credits.Count = int64(in.CreditCount + abroad.CreditCount)
	var overflow, too bool
	b.Debits.Sum, overflow = sum(in.Debit, abroad.Debit)
	b.Credits.Sum, too = sum(in.Credit, abroad.Credit)
	if overflow || too {
		return ErrOverflow
	}
	return nil
}

func (r *Report) addEntries(ctx context.Context, q *queue.Queue, f Finding, ids []queue.ID) error {
	for _, id := range ids {
		e, err := q.Get(ctx, id)
		switch {
		case errors.Is(err, queue.ErrNotFound): // lost to a salvage since
			r.Add(Line{Finding: f, Entry: id})
		case err != nil:
			return fmt.Errorf("entry %d: %w", id, err)
		default:
			r.Add(lineOf(f, e))
		}
	}
	return nil
}
