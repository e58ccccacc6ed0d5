package reconcile

import (
	"context"
	"errors"
	"sync"

	"github.com/tallystick/tallystick/queue"
)

// Forward is queue.Forward for a host that limits its batches: when the open
// batch has reached the limit it is closed and settled, and what waits goes on
// in the next one. Each settlement is told to settled, which may be nil, with
// what Settle returned.
//
// It runs until ctx is done or the journal is closed. A settlement that fails,
// because an entry is parked or the line is down, is told and tried again after
// a pause as the queue's background keeps it (queue.Queue.Rest); one that the
// host's dialect cannot express ends Forward with its error, which wraps
// queue.ErrUnsendable. A batch that was closed before, by a crash in a
// settlement or by the app, is settled first. One that the host left by itself
// (queue.Batch.Superseded) holds nothing up and is the app's to settle.
func Forward(ctx context.Context, q *queue.Queue, l queue.Lane, h Host, settled func(Result, error)) error {
	if settled == nil {
		settled = func(Result, error) {}
	}
	ctx, stop := context.WithCancelCause(ctx)
	var sending sync.WaitGroup
	sending.Go(func() { stop(q.Forward(ctx, l, h)) })
	defer sending.Wait()
	defer stop(nil)
	for {
		err := settleFull(ctx, q, l, h, settled)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// settleFull waits for a full batch, or takes one that is closed already, and
// settles it.
func settleFull(ctx context.Context, q *queue.Queue, l queue.Lane, h Host, settled func(Result, error)) error {
	b, err := nextFull(ctx, q, l)
	if err != nil {
		return err
	}
	for failures := 1; ; failures++ {
		r, err := Settle(ctx, q, b, h)
		if ctx.Err() != nil {
			return err
		}
		settled(r, err)
		var out *OutOfBalanceError
		if err == nil || errors.As(err, &out) || errors.Is(err, ErrWithoutHost) {
			return nil
		}
		if errors.Is(err, queue.ErrUnsendable) {
			return err
		}
		if err := q.Rest(ctx, l, failures, err); err != nil {
			return err
		}
	}
}

func nextFull(ctx context.Context, q *queue.Queue, l queue.Lane) (queue.BatchID, error) {
	open, err := q.Unsettled(ctx, l)
	if err != nil {
		return queue.BatchID{}, err
	}
	for _, b := range open {
		if !b.Superseded {
			return b.ID, nil
		}
	}
	if err := q.WaitFull(ctx, l); err != nil {
		return queue.BatchID{}, err
	}
	return q.CloseBatch(ctx, l)
}
