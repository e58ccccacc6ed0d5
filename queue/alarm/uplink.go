package alarm

import (
	"context"
	"errors"
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
	took := time.Since(began)
	u.m.safely(func() { u.m.sent(u.lane, e.Kind, ctx, took, err) })
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
	took := time.Since(began)
	u.m.safely(func() { u.m.prepared(u.lane, ctx, took, err) })
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

// HostUplink is an Uplink that can settle as well; a settlement is not
// measured. What a host link may leave out of it (PerCurrency, EndTotals,
// DetailRank) is as package reconcile takes it without.
type HostUplink struct {
	*Uplink
	Settler
}

// Host wraps the host link of a lane, as Uplink does. What it returns is a Host
// of package reconcile.
func (m *Monitor) Host(l queue.Lane, h Host) *HostUplink { return &HostUplink{m.Uplink(l, h), h} }

// PerCurrency is the link's, false without one.
func (h *HostUplink) PerCurrency() bool {
	p, ok := h.Settler.(interface{ PerCurrency() bool })
	return ok && p.PerCurrency()
}

// EndTotals is the link's, errors.ErrUnsupported without one.
func (h *HostUplink) EndTotals(ctx context.Context, b queue.Batch, t queue.Totals, balanced bool) (queue.Answer, error) {
	e, ok := h.Settler.(interface {
		EndTotals(ctx context.Context, b queue.Batch, t queue.Totals, balanced bool) (queue.Answer, error)
	})
	if !ok {
		return queue.Answer{}, errors.ErrUnsupported
	}
	return e.EndTotals(ctx, b, t, balanced)
}

// DetailRank is the link's, 0 without one.
func (h *HostUplink) DetailRank(e queue.Entry) int {
	if r, ok := h.Settler.(interface{ DetailRank(queue.Entry) int }); ok {
		return r.DetailRank(e)
	}
	return 0
}
