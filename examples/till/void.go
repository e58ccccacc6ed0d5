package main

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"

	"github.com/tallystick/tallystick/queue"
)

// void undoes a receipt in the way that its state asks for: what was never sent
// is cancelled, what the host has approved today is voided, and what was
// delivered or settled is given back by a refund.
func (t *till) void(ctx context.Context, receipt string) error {
	n, err := strconv.ParseUint(receipt, 10, 64)
	if err != nil {
		t.say(sayHelp)
		return nil
	}
	sale, err := t.q.Get(ctx, queue.ID(n))
	switch {
	case errors.Is(err, queue.ErrNotFound), err == nil && (sale.Op != queue.Sale || sale.Kind == queue.Reversal):
		t.say(sayNoReceipt, n)
		return nil
	case err != nil:
		return err
	}
	e, err := t.q.Reverse(ctx, sale.ID)
	switch {
	case errors.Is(err, queue.ErrState) && sale.State == queue.Accepted && sale.Refunded == 0:
		e, err = t.q.Append(ctx, queue.Transaction{Ref: "refund-" + rand.Text()[:12], Lane: sale.Lane, Op: queue.Refund,
			Original: sale.ID, Amount: sale.Amount})
		if err == nil {
			t.say(sayRefunding, n, e.ID)
		}
		return err
	case errors.Is(err, queue.ErrState) && sale.Refunded > 0:
		t.say(sayGivenBack, n)
		return nil
	case errors.Is(err, queue.ErrState):
		t.say(sayStands, n, states[sale.State].in(t.lang))
		return nil
	case err != nil:
		return err
	case e.State == queue.Cancelled:
		t.say(sayCancelled, n)
	default:
		t.say(sayVoiding, n, e.ID) // tell says when the host has it
	}
	return nil
}
