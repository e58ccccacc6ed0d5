package handset

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// The steps of a settlement, as events name them.
const (
	StepClosing = "closing"
	StepDrain   = "draining"
	StepTotals  = "totals"
	StepDetail  = "detail"
	StepEnd     = "end"
	StepSettled = "settled"
)

// step tells of a step in the settlement of a lane.
func (h *handset) step(lane queue.Lane, step string, e queue.Entry) {
	l := newLine(WordEvent).with("about", "settling").with("terminal", lane.Terminal).with("step", step)
	if e.ID != 0 {
		at := h.cards
		if lane == h.cash.lane {
			at = h.cash
		}
		sent, of := at.host.place(e)
		l = l.number("entry", int64(e.ID)).number("sent", int64(sent)).number("of", int64(of))
	}
	h.say(l)
}

// members knows which entries the batch has that a lane settles.
type members struct {
	q     *queue.Queue
	mu    sync.Mutex
	batch queue.BatchID
	ids   []queue.ID
}

// place tells how far in its batch an entry stands, and how many the batch has.
func (m *members) place(e queue.Entry) (place, of int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.batch != e.Batch {
		m.batch, m.ids = e.Batch, nil
		for e, err := range m.q.All(context.Background(), queue.Filter{Batch: e.Batch}) {
			if err != nil {
				break // it is for the screen only
			}
			m.ids = append(m.ids, e.ID)
		}
	}
	i, _ := slices.BinarySearch(m.ids, e.ID)
	return i + 1, len(m.ids)
}

// insistence is how often a message of a settlement is sent before the
// settlement is given up for now.
const insistence = 5

// insist sends a message of a settlement, which is safe to repeat, until it is
// answered: where much gets lost, one in a hundred would end the settlement.
func (w *watched) insist(ctx context.Context, send func() error) error {
	for try := 1; ; try++ {
		err := send()
		if err == nil || try == insistence || errors.Is(err, queue.ErrUnsendable) || w.off() {
			return err
		}
		pause := time.NewTimer(w.pause)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return err
		}
	}
}

func (w *watched) SendTotals(ctx context.Context, b queue.Batch, t queue.Totals) (inland, foreign queue.Balance, err error) {
	w.tell(StepTotals, queue.Entry{})
	err = w.insist(ctx, func() error {
		w.traps.at(TrapSettlement, "totals ready")
		inland, foreign, err = w.Host.SendTotals(ctx, b, t)
		return err
	})
	if err == nil {
		w.traps.at(TrapSettlement, "totals answered")
	}
	return inland, foreign, err
}

func (w *watched) SendDetail(ctx context.Context, b queue.Batch, e queue.Entry) (a queue.Answer, err error) {
	err = w.insist(ctx, func() error {
		w.traps.at(TrapUpload, "detail ready")
		w.traps.at(TrapDetails, "detail ready")
		a, err = w.Host.SendDetail(ctx, b, e)
		return err
	})
	if err == nil {
		w.traps.at(TrapUpload, "detail answered")
		w.traps.at(TrapDetails, "detail answered")
		w.tell(StepDetail, e)
	}
	return a, err
}

func (w *watched) EndBatch(ctx context.Context, b queue.Batch, balanced bool, records int) (a queue.Answer, err error) {
	w.tell(StepEnd, queue.Entry{})
	err = w.insist(ctx, func() error {
		w.traps.at(TrapSettlement, "end ready")
		a, err = w.Host.EndBatch(ctx, b, balanced, records)
		return err
	})
	if err == nil {
		w.traps.at(TrapSettlement, "end answered")
	}
	return a, err
}
