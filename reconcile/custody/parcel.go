package custody

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/tallystick/tallystick/queue"
)

// Take records that the courier has taken the parcel out, with what is due for
// it, and claims its waybill where Claims can be reached. Taking it again with
// the same amount changes nothing; after a return it begins a new round.
//
// Errors: ErrWaybill, ErrAmount, *TakenError with nothing journalled; ErrState
// for a parcel that is out with another amount, or was pruned; those of
// queue.Append.
func (b *Book) Take(ctx context.Context, waybill string, due queue.Money) (Parcel, error) {
	if due.Minor <= 0 || due.Currency == 0 {
		return Parcel{}, fmt.Errorf("waybill %s: %w: what is due is above zero, in a currency", waybill, ErrAmount)
	}
	if err := checkWaybill(waybill); err != nil {
		return Parcel{}, err
	}
	release, err := b.hold(waybill)
	if err != nil {
		return Parcel{}, err
	}
	defer release()
	p, err := b.Parcel(ctx, waybill)
	switch {
	case errors.Is(err, ErrUnknown):
	case err != nil:
		return p, err
	case p.Pruned || p.Round == maxRounds:
		return p, fmt.Errorf("waybill %s: %w: it was out before and is forgotten", waybill, ErrState)
	case p.State != Returned && p.Due == due:
		return p, nil
	case p.State != Returned:
		return p, fmt.Errorf("waybill %s: %w: it is out with another amount due", waybill, ErrState)
	}
	claimed, err := b.claim(ctx, waybill)
	if err != nil {
		return p, err
	}
	d := parcelData{waybill: waybill, due: due, claimed: claimed}
	if err := b.notice(ctx, outRef(waybill, p.Round+1), d.encode()); err != nil {
		return p, err
	}
	return b.Parcel(ctx, waybill)
}

// claim asks for the waybill. It is false without an error when nobody can be
// asked.
func (b *Book) claim(ctx context.Context, waybill string) (bool, error) {
	if b.opts.Claims == nil {
		return false, nil
	}
	ask, cancel := context.WithTimeout(ctx, b.opts.ClaimWait)
	defer cancel()
	holder, since, err := b.opts.Claims.Claim(ask, waybill)
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil:
		return false, nil
	case holder != b.q.JournalID():
		return false, &TakenError{Waybill: waybill, Holder: holder, Since: since}
	}
	return true, nil
}

// Collect takes a payment for the parcel. The caller gives Lane, Tender, Amount
// and what the tender needs; Ref, Op and Data are the book's, and cash goes to
// the depot's lane. send journals and sends it, by queue.Do, say, with the very
// Transaction that it is given; nil means queue.Append. A part of what is due is
// a payment like any other.
//
// The parcel is returned as it stands afterwards, whatever send returned, with
// send's error: read its State. ErrInDoubt, for one, leaves it open, to be paid
// otherwise by another Collect.
//
// Errors with nothing journalled: ErrUnknown, ErrCollected, ErrUnderWay,
// ErrAmount, ErrState, ErrTries, ErrWaybill, *TakenError when another device has
// the waybill. Claims that cannot be reached are no error: see Parcel.Claimed.
// After a crash Parcel tells what became of the payment.
func (b *Book) Collect(ctx context.Context, waybill string, t queue.Transaction,
	send func(context.Context, queue.Transaction) (queue.Entry, error)) (Parcel, error) {
	release, err := b.hold(waybill)
	if err != nil {
		return Parcel{}, err
	}
	defer release()
	p, err := b.Parcel(ctx, waybill)
	if err != nil {
		return p, err
	}
	if err := b.payable(p, t); err != nil {
		return p, fmt.Errorf("waybill %s: %w", waybill, err)
	}
	claimed, err := b.claim(ctx, waybill)
	if err != nil {
		return p, err
	}
	d := payData{waybill: waybill, due: p.Due, claimed: claimed || p.Claimed}
	_, _ = rand.Read(d.nonce[:]) // never fails
	t.Ref, t.Op, t.Data = payRef(waybill, p.Round, len(p.Payments)+1), queue.Sale, d.encode()
	if t.Tender == queue.Cash {
		t.Lane = b.opts.Depot
	}
	if send == nil {
		send = b.q.Append
	}
	e, sent := send(ctx, t)
	b.note(ctx, e)
	p, err = b.Parcel(context.WithoutCancel(ctx), waybill)
	return p, errors.Join(sent, err)
}

func (b *Book) payable(p Parcel, t queue.Transaction) error {
	switch {
	case p.Pruned:
		return ErrCollected
	case t.Amount.Currency != p.Due.Currency:
		return fmt.Errorf("%w: it is due in %s", ErrAmount, p.Due.Currency)
	case len(p.Payments) >= maxPayments:
		return ErrTries
	}
	return p.facts.collect(t.Amount.Minor)
}

// note tells the depot of a payment that goes to another host. What fails here
// Recheck makes good.
func (b *Book) note(ctx context.Context, e queue.Entry) bool {
	if e.ID == 0 || e.Lane == b.opts.Depot || e.Pruned {
		return true
	}
	if minor, _ := worth(e, false); minor == 0 {
		return true
	}
	return b.notice(context.WithoutCancel(ctx), noteRef(e.Ref), e.Data) == nil
}

// Refuse records that the recipient did not take the parcel, and why, in up to
// 200 bytes. Refusing again changes nothing.
//
// Errors: ErrUnknown, ErrUnderWay, ErrState for a parcel of which something is
// paid or that went back; those of queue.Append.
func (b *Book) Refuse(ctx context.Context, waybill, reason string) (Parcel, error) {
	return b.end(ctx, waybill, reason, Refused, refusedRef, facts.refuse)
}

// Return records that the depot has the parcel back, and gives its claim up.
// Returning it again changes nothing.
//
// Errors: ErrUnknown, ErrUnderWay, ErrState for a parcel of which something is
// paid: void or refund it first; those of queue.Append.
func (b *Book) Return(ctx context.Context, waybill, reason string) (Parcel, error) {
	p, err := b.end(ctx, waybill, reason, Returned, returnedRef, facts.giveBack)
	if err == nil {
		b.release(ctx, waybill)
	}
	return p, err
}

// release gives a claim up where that is possible now; Recheck tries again.
func (b *Book) release(ctx context.Context, waybill string) {
	if b.opts.Claims == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, b.opts.ClaimWait)
	defer cancel()
	_ = b.opts.Claims.Release(ctx, waybill)
}

const maxReason = 200

func (b *Book) end(ctx context.Context, waybill, reason string, to State, ref func(string, int) string, allowed func(facts) error) (Parcel, error) {
	release, err := b.hold(waybill)
	if err != nil {
		return Parcel{}, err
	}
	defer release()
	p, err := b.Parcel(ctx, waybill)
	if err != nil || p.State == to {
		return p, err
	}
	if len(reason) > maxReason {
		return p, fmt.Errorf("waybill %s: the reason has more than %d bytes", waybill, maxReason)
	}
	if err := allowed(p.facts); err != nil || p.Pruned {
		return p, fmt.Errorf("waybill %s: %w", waybill, errors.Join(err, pruned(p)))
	}
	d := parcelData{waybill: waybill, due: p.Due, claimed: p.Claimed, reason: reason}
	if err := b.notice(ctx, ref(waybill, p.Round), d.encode()); err != nil {
		return p, err
	}
	return b.Parcel(ctx, waybill)
}

func pruned(p Parcel) error {
	if p.Pruned {
		return ErrState
	}
	return nil
}
