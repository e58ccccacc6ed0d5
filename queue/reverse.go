package queue

import (
	"context"
	"fmt"
)

// reversalOf journals the reversal of a request in doubt: with its STAN, its
// batch, its content, and a reason that is frozen with it (I3).
func (v *fileView) reversalOf(e Entry, why Reason) (Entry, error) {
	id, err := v.nextID()
	if err != nil {
		return Entry{}, err
	}
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return Entry{}, err
	}
	r := Entry{ID: id, Transaction: e.Transaction, Kind: Reversal, STAN: e.STAN, Batch: e.Batch,
		HostBatch: e.HostBatch, State: Pending, Reason: why, MaskedPAN: e.MaskedPAN}
	r.Ref = fmt.Sprintf("reversal of entry %d", e.ID)
	r.Original, r.Data = e.ID, nil
	return v.journalled(r, l)
}

// Reverse undoes an entry in the way that its state asks for, and returns the
// entry that tells how that goes on:
//   - never attempted: it is cancelled and nothing is sent; itself is returned;
//   - a request in doubt: its reversal is journalled, if it is not yet;
//   - an accepted request of the host's current batch: a void is journalled,
//     with the ref "void of entry N", which Forward sends as a request;
//   - a sale taken offline that was sent and has no answer yet: a refund of what
//     is not refunded of it is journalled, with the ref "refund of entry N", which
//     waits for that answer.
//
// A void that meets a host which wants a sign-in first is declined, and goes once
// more under the same ref, as another entry. Calling Reverse again returns the
// same, but for a void that the host declined or that was undone, and a refund
// that was cancelled: another one is journalled then. Everything else is ErrState: a delivered
// advice, or a request of a batch that is closed, is refunded by a Refund.
//
// Errors: ErrNotFound, ErrState, ErrNotSynced, ErrClosed, ctx.Err().
func (q *Queue) Reverse(ctx context.Context, id ID) (Entry, error) {
	var out Entry
	err := q.update(ctx, func(v *fileView) error {
		e, err := v.entry(id)
		if err != nil {
			return err
		}
		out, err = q.reverse(v, e)
		return err
	})
	if err != nil {
		return Entry{}, err
	}
	return out, nil
}

func (q *Queue) reverse(v *fileView, e Entry) (Entry, error) {
	if e.Deferred && e.Op == Sale && e.State == InDoubt && !e.withdrawn && !q.lines.claimed(e.Lane, e.ID) {
		if err := v.apply(event{kind: evWithdrawn, id: e.ID}); err != nil {
			return Entry{}, err
		}
		e.withdrawn = true
	}
	switch {
	case q.lines.claimed(e.Lane, e.ID):
		return Entry{}, stateError(e.ID, e.State, "an attempt is under way: wait for its end")
	case e.State == Cancelled:
		return v.full(e)
	case e.State == Pending && e.Attempts == 0 && e.Kind != Reversal:
		if err := v.apply(event{kind: evCancelled, id: e.ID}); err != nil {
			return Entry{}, err
		}
		return v.entry(e.ID)
	case e.Kind == Request && e.Reversal != 0:
		r, err := v.entry(e.Reversal)
		if err != nil {
			return Entry{}, err
		}
		return v.full(r)
	case e.Kind == Request && e.State == InDoubt:
		return v.reversalOf(e, Other)
	case e.Kind == Request && e.State == Accepted && e.Op != Void:
		return v.voidOf(e)
	case e.underway() && e.Op == Sale && e.State == InDoubt:
		return v.refundOf(e)
	}
	return Entry{}, stateError(e.ID, e.State, "it cannot be reversed: refund it once it is accepted")
}

// maxUndone bounds how often Reverse voids or refunds one entry anew.
const maxUndone = 50

// nthOf is the ref of what Reverse journals of an entry.
func nthOf(what string, n int, id ID) string {
	if n > 1 {
		what = fmt.Sprintf("%s %d", what, n)
	}
	return fmt.Sprintf("%s of entry %d", what, id)
}

// voidOf journals a void, or finds the one that is under way or took effect. A
// void that was declined or undone is followed by another.
func (v *fileView) voidOf(e Entry) (Entry, error) {
	for n := 1; n <= maxUndone; n++ {
		ref := nthOf("void", n, e.ID)
		old, found, err := v.byRef(ref)
		if err != nil {
			return Entry{}, err
		}
		if found && (old.Op != Void || old.Original != e.ID || old.State == Declined || old.State == Reversed || old.State == Cancelled) {
			continue
		}
		r, _, err := v.add(Transaction{Ref: ref, Lane: e.Lane, Op: Void, Original: e.ID}, Request, true)
		return r, err
	}
	return Entry{}, stateError(e.ID, e.State, "the host declined every void of it: refund it")
}

// TakeOffline turns a sale whose attempt was proven unsent into an advice with
// the given offline approval, under the same ref and STAN. Cash needs none.
//
// Errors: ErrNotFound, ErrState when it is in doubt, final, or not a sale by
// Do; *InvalidError for a payment code, or for a card without approval;
// ErrNotSynced, ErrClosed, ctx.Err().
func (q *Queue) TakeOffline(ctx context.Context, id ID, approval string) (Entry, error) {
	var out Entry
	err := q.update(ctx, func(v *fileView) error {
		e, err := v.entry(id)
		if err != nil {
			return err
		}
		if e.Kind == Advice && e.Approval == approval {
			out, err = v.full(e)
			return err
		}
		if q.lines.claimed(e.Lane, id) {
			return stateError(id, e.State, "an attempt is under way: wait for its end")
		}
		t := e.Transaction
		t.Approval = approval
		if err := t.validateTender(Advice); err != nil {
			return err
		}
		if len(approval) > 6 {
			return invalid("Approval", "has %d bytes, allowed are up to 6", len(approval))
		}
		if err := v.apply(event{kind: evOffline, id: id, text: approval}); err != nil {
			return err
		}
		if e, err = v.entry(id); err != nil {
			return err
		}
		if v.warnings, err = v.check(q.opts.Limits, e); err != nil {
			return err
		}
		out, err = v.full(e)
		return err
	})
	if err != nil {
		return Entry{}, err
	}
	return out, nil
}

// Resolve records what a person learned of a parked entry by other means: who
// learned it (1 to 64 bytes) and why it is so (1 to 256) are kept with the event.
// a.Verdict is Approved or Refused.
//
// Errors: *InvalidError, ErrNotFound, ErrState, ErrNotSynced, ErrClosed,
// ctx.Err().
func (q *Queue) Resolve(ctx context.Context, id ID, a Answer, who, why string) error {
	if err := signed(who, why); err != nil {
		return err
	}
	return q.update(ctx, func(v *fileView) error {
		if err := v.apply(event{kind: evResolved, id: id, answer: clip(a), who: who, text: why}); err != nil {
			return err
		}
		e, err := v.entry(id)
		if err != nil || e.Kind != Reversal {
			return err
		}
		return v.presentAnew(e)
	})
}

// Unpark lets a parked entry go on where it stood, on the word of who (1 to 64
// bytes), for the reason why (1 to 256), both kept with the event. What was never
// sent waits to be sent. An advice, notice or reversal that was sent is sent
// again, unchanged, even one too old for the host's duplicate memory: make sure
// that the host has nothing of it. A request that was sent is reversed; where its
// reversal is parked, that is what to unpark. What the host knows the STAN of for
// another transaction is ErrState: resolve it, for the host would answer a repeat
// for the other one, and a reversal would undo that.
//
// Errors: *InvalidError, ErrNotFound, ErrState, ErrNotSynced, ErrClosed,
// ctx.Err().
func (q *Queue) Unpark(ctx context.Context, id ID, who, why string) error {
	if err := signed(who, why); err != nil {
		return err
	}
	return q.update(ctx, func(v *fileView) error {
		return v.apply(event{kind: evReleased, id: id, who: who, text: why})
	})
}

// signed refuses a person's decision without a name or a reason.
func signed(who, why string) error {
	for _, x := range []struct {
		field, value string
		max          int
	}{{"who", who, 64}, {"why", why, 256}} {
		if len(x.value) < 1 || len(x.value) > x.max {
			return invalid(x.field, "has %d bytes, allowed are 1 to %d", len(x.value), x.max)
		}
	}
	return nil
}
