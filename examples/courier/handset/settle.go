package handset

import (
	"context"
	"errors"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
)

// settle agrees with both hosts and closes their batches. After a crash in the
// middle the same command goes on from there; when all is settled it says so.
func settle(h *handset, ctx context.Context, _ []string) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Patience)
	defer cancel()
	total := settled{}
	for _, l := range []line{h.cards, h.cash} {
		err := h.settleLane(ctx, l, &total)
		if err == nil {
			err = l.host.unsaid(ctx, &h.settlements)
		}
		if err != nil {
			return h.unsettled(l, err)
		}
	}
	l, err := h.counts(ctx, newLine(WordSettle).with("state", Settled).number("batches", total.batches).number("mended", total.mended))
	if err != nil {
		return err
	}
	h.say(l)
	return nil
}

// The states of the answer to settle.
const (
	Settled      = "settled"
	Unsettled    = "unsettled"      // not yet: giving the command again goes on
	Unsettlable  = "unsettlable"    // never, as things are: a message of the settlement cannot be made
	OutOfBalance = "out-of-balance" // the host has closed a batch and has something else in it
)

// settled counts what one settle command did.
type settled struct{ batches, mended int64 }

// unsettled answers why a lane could not be settled. An error of the journal
// itself is returned.
func (h *handset) unsettled(l line, err error) error {
	if errors.Is(err, queue.ErrNotSynced) || errors.Is(err, queue.ErrClosed) || errors.Is(err, queue.ErrDamaged) {
		return err
	}
	state := Unsettled
	var different *reconcile.OutOfBalanceError
	switch {
	case errors.As(err, &different):
		state = OutOfBalance
	case errors.Is(err, queue.ErrUnsendable):
		state = Unsettlable
	}
	l.host.answers(err)
	h.say(newLine(WordSettle).with("state", state).with("terminal", l.lane.Terminal).with("why", h.words.why(err)))
	return nil
}

// settleLane settles the batches that a crash left closed, then closes the open
// one and settles it, until nothing is left.
func (h *handset) settleLane(ctx context.Context, l line, total *settled) error {
	for {
		waiting, err := h.q.Unsettled(ctx, l.lane)
		if err != nil {
			return err
		}
		if len(waiting) == 0 {
			open, err := h.openBatch(ctx, l.lane)
			if err != nil || open == 0 {
				return err
			}
			h.step(l.lane, StepClosing, queue.Entry{})
			if _, err := h.q.CloseBatch(ctx, l.lane); err != nil {
				return err
			}
			continue
		}
		h.step(l.lane, StepDrain, queue.Entry{})
		for _, b := range waiting {
			r, err := h.settleBatch(ctx, b.ID, l.host)
			if err == nil {
				l.host.complain(ctx, aboutSettling, nil)
			}
			total.mended += int64(len(r.Mended))
			if err != nil {
				return err
			}
			total.batches++
		}
		h.step(l.lane, StepSettled, queue.Entry{})
	}
}

// settleBatch repeats the settlement until the host has said all it must: an
// answer that got lost leaves open whether the host heard, and asking again is
// safe.
func (h *handset) settleBatch(ctx context.Context, b queue.BatchID, host *watched) (reconcile.Result, error) {
	for {
		r, err := reconcile.Settle(ctx, h.q, b, host)
		var different *reconcile.OutOfBalanceError
		var outstanding *queue.OutstandingError
		switch {
		case err == nil:
			return r, nil
		case errors.As(err, &different), errors.As(err, &outstanding), errors.Is(err, queue.ErrNotSynced),
			errors.Is(err, queue.ErrClosed), errors.Is(err, queue.ErrState), errors.Is(err, queue.ErrUnsendable),
			errors.Is(err, reconcile.ErrWithoutHost):
			return r, err
		}
		host.complain(ctx, aboutSettling, err)
		pause := time.NewTimer(h.cfg.RetryMin)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return r, err
		}
	}
}

// openBatch returns how many entries the lane's open batch has.
func (h *handset) openBatch(ctx context.Context, lane queue.Lane) (entries int, err error) {
	s, err := h.q.Status(ctx)
	if err != nil {
		return 0, err
	}
	for _, l := range s.Lanes {
		if l.Lane == lane {
			b, err := h.q.Batch(ctx, l.OpenBatch)
			return b.Entries, err
		}
	}
	return 0, nil
}
