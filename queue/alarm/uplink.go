package alarm

import (
	"context"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// Uplink is an uplink that tells a Monitor what becomes of each Prepare and
// Send, and changes nothing else: what the uplink in it leaves out (Preparer,
// Windower, LateAnswerer) it does as package queue would without it.
type Uplink struct {
	m    *Monitor
	lane queue.Lane
	up   queue.Uplink
}

// Uplink wraps the uplink of a lane. Give the wrapped one to Do, Forward and
// Drain; it may be used as up may.
func (m *Monitor) Uplink(l queue.Lane, up queue.Uplink) *Uplink {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lineOf(l)
	return &Uplink{m, l, up}
}

// Send is the uplink's, measured.
func (u *Uplink) Send(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	began := time.Now()
	a, err := u.up.Send(ctx, e)
	u.m.sent(u.lane, e.Kind, ctx, time.Since(began), err)
	return a, err
}

// Prepare is the uplink's, measured; without one the line is always ready.
func (u *Uplink) Prepare(ctx context.Context) (queue.Line, error) {
	p, ok := u.up.(queue.Preparer)
	if !ok {
		return queue.Line{}, nil
	}
	began := time.Now()
	line, err := p.Prepare(ctx)
	u.m.prepared(u.lane, ctx, time.Since(began), err)
	return line, err
}

// Window is the uplink's, 1 without one.
func (u *Uplink) Window() int {
	if w, ok := u.up.(queue.Windower); ok {
		return w.Window()
	}
	return 1
}

// LateAnswers are the uplink's, none without them.
func (u *Uplink) LateAnswers() []queue.LateAnswer {
	if l, ok := u.up.(queue.LateAnswerer); ok {
		return l.LateAnswers()
	}
	return nil
}

// Host is an uplink that can settle as well: package reconcile's Host.
type Host interface {
	queue.Uplink
	Settler
}

// Settler is what package reconcile asks of a host besides an Uplink.
type Settler interface {
	SendTotals(ctx context.Context, b queue.Batch, t queue.Totals) (inland, foreign queue.Balance, err error)
	SendDetail(ctx context.Context, b queue.Batch, e queue.Entry) (queue.Answer, error)
	EndBatch(ctx context.Context, b queue.Batch, balanced bool, records int) (queue.Answer, error)
	Foreign(e queue.Entry) bool
}

// HostUplink is an Uplink that can settle as well; a settlement is not measured.
type HostUplink struct {
	*Uplink
	Settler
}

// Host wraps the host link of a lane, as Uplink does. What it returns is a Host
// of package reconcile.
func (m *Monitor) Host(l queue.Lane, h Host) *HostUplink { return &HostUplink{m.Uplink(l, h), h} }
