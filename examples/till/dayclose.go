package main

import (
	"context"
	"errors"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
)

// closeDay closes the batch of each lane and settles it with its host. After a
// crash or an outage in the middle the same command goes on from there.
func (t *till) closeDay(ctx context.Context) error {
	for _, lane := range []queue.Lane{cards, cash} {
		if err := t.settle(ctx, lane); err != nil {
			return err
		}
	}
	return t.status(ctx)
}

func (t *till) settle(ctx context.Context, lane queue.Lane) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if _, err := t.q.CloseBatch(ctx, lane); errors.Is(err, queue.ErrNotFound) {
		return nil // the lane was never used
	} else if err != nil {
		return err
	}
	batches, err := t.q.Unsettled(ctx, lane)
	if err != nil {
		return err
	}
	for _, b := range batches {
		r, err := reconcile.Settle(ctx, t.q, b.ID, t.links[lane])
		var different *reconcile.OutOfBalanceError
		var outstanding *queue.OutstandingError
		switch {
		case errors.As(err, &different):
			t.say(sayDiffers, lane.Host, b.ID.N)
		case errors.As(err, &outstanding):
			t.say(sayOutstanding, lane.Host, outstanding.Count)
		case err != nil && !errors.Is(err, queue.ErrNotSynced) && !errors.Is(err, queue.ErrClosed):
			t.say(sayNotSettled, lane.Host, err)
		case err != nil:
			return err
		case b.Entries > 0:
			t.say(saySettled, lane.Host, b.ID.N, b.Entries, len(r.Mended))
		}
	}
	return nil
}
