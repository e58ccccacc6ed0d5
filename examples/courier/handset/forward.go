package handset

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
)

// forward delivers what a lane has, and settles a batch that has reached the
// host's limit, until ctx is done. What cannot be settled at all ends it.
func (h *handset) forward(ctx context.Context, l line) {
	err := reconcile.Forward(ctx, h.q, l.lane, beside{l.host}, func(r reconcile.Result, err error) {
		l.host.settled(ctx, err)
		if err == nil {
			h.step(l.lane, StepSettled, queue.Entry{})
		}
		h.settlements.ring()
	})
	l.host.complain(ctx, aboutSettling, err)
}

// bell wakes whoever waits for its next ring.
type bell struct {
	mu   sync.Mutex
	next chan struct{}
}

// listen returns what the next ring closes.
func (b *bell) listen() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next == nil {
		b.next = make(chan struct{})
	}
	return b.next
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.next != nil {
		close(b.next)
		b.next = nil
	}
}

// longestLull is how many answer timeouts a payment code waits for the end of a
// settlement in mid-day.
const longestLull = 4

// request asks the host for a payment. While a batch is settled in mid-day the
// lane holds requests back: a card goes offline then, a code, which cannot,
// waits for the settlement's end, but not for longer than a customer does.
func (h *handset) request(ctx context.Context, t queue.Transaction) (queue.Entry, error) {
	lull := time.NewTimer(longestLull * h.cfg.AnswerTimeout)
	defer lull.Stop()
	for {
		rung := h.settlements.listen() // before Do: what ends meanwhile is heard
		e, err := h.q.Do(ctx, h.cards.host, t)
		if t.Tender != queue.QR || !errors.Is(err, queue.ErrHeldBack) || !h.lulled(ctx, rung, lull.C) {
			return e, err
		}
	}
}

// lulled waits until a settlement that holds the cards' lane back has ended. It
// is false when there is none, or not in time.
func (h *handset) lulled(ctx context.Context, rung <-chan struct{}, late <-chan time.Time) bool {
	select {
	case <-rung:
		return true
	default:
	}
	if h.wire.isOff() || !h.settling(ctx) {
		return false
	}
	select {
	case <-rung:
		return true
	case <-late:
	case <-ctx.Done():
	}
	return false
}

// settling tells whether the cards' lane waits for a settlement.
func (h *handset) settling(ctx context.Context) bool {
	closed, err := h.q.Unsettled(ctx, h.cards.lane)
	for _, b := range closed {
		if !b.Superseded {
			return true
		}
	}
	if err != nil {
		return false
	}
	s, err := h.q.Status(ctx)
	for _, l := range s.Lanes {
		if l.Lane == h.cards.lane && l.Full {
			return err == nil
		}
	}
	return false
}
