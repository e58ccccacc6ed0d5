package reconcile

import (
	"context"
	"sync"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// Mirror keeps in memory what a journal holds for one host, in some 25 bytes an
// entry, so that a later Incomplete reads only what is new: the first call reads
// the whole journal. It is safe for concurrent use; calls take their turns.
type Mirror struct {
	q    *queue.Queue
	host string

	mu   sync.Mutex
	half agree.Half
	next queue.ID
	open map[queue.ID]bool // what is not final: it is read again
}

// NewMirror returns a Mirror of what q holds for host, the name that Lane.Host
// has. Nothing is read yet.
func NewMirror(q *queue.Queue, host string) *Mirror {
	return &Mirror{q: q, host: host, next: 1, open: map[queue.ID]bool{}}
}

// Incomplete is the function of that name, on what the Mirror knows already.
func (m *Mirror) Incomplete(ctx context.Context, p Peer) (Incompleteness, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := inquiry{q: m.q, mirror: m, peer: p, out: &Incompleteness{Host: m.host}}
	err := i.run(ctx)
	return *i.out, err
}

// refresh brings the half up to date. What is final never changes again (I5).
func (m *Mirror) refresh(ctx context.Context) error {
	for id := range m.open {
		e, err := m.q.Get(ctx, id)
		if err != nil {
			return err
		}
		if err := m.take(e); err != nil {
			return err
		}
	}
	for e, err := range m.q.All(ctx, queue.Filter{From: m.next, Pruned: true}) {
		if err != nil {
			return err
		}
		if err := m.take(e); err != nil {
			return err
		}
		m.next = e.ID + 1
	}
	return nil
}

// take sets the leaf of an entry: what is accepted stands, for good.
func (m *Mirror) take(e queue.Entry) error {
	var l agree.Leaf
	if m.stands(e) {
		l = agree.LeafOf(m.q.Digest(e))
	}
	if e.State.Final() {
		delete(m.open, e.ID)
	} else {
		m.open[e.ID] = true
	}
	return m.half.Set(uint64(e.ID), l)
}

func (m *Mirror) stands(e queue.Entry) bool {
	return e.State == queue.Accepted && e.Lane.Host == m.host && e.Origin == queue.Origin{}
}
