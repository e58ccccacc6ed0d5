package routes

import (
	"context"
	"errors"
	"fmt"

	"github.com/tallystick/tallystick/queue"
)

// Settler is what a route needs besides queue.Uplink to settle: the methods of
// package reconcile's Host.
type Settler interface {
	SendTotals(ctx context.Context, b queue.Batch, t queue.Totals) (inland, foreign queue.Balance, err error)
	SendDetail(ctx context.Context, b queue.Batch, e queue.Entry) (queue.Answer, error)
	EndBatch(ctx context.Context, b queue.Batch, balanced bool, records int) (queue.Answer, error)
	Foreign(e queue.Entry) bool
}

// Host is an Uplink whose routes all settle: a Host of package reconcile. Each
// message goes over one route; the next one is tried for it only where nothing
// left, as with Send.
type Host struct{ *Uplink }

// Host returns u with the methods of a settlement. It refuses when a route has
// not got them.
func (u *Uplink) Host() (*Host, error) {
	for _, r := range u.routes {
		if _, ok := r.Uplink.(Settler); !ok {
			return nil, fmt.Errorf("route %s: its uplink does not settle", r.Name)
		}
	}
	return &Host{u}, nil
}

type balances struct{ inland, foreign queue.Balance }

// settle calls fn for the route in use, and for others where nothing left.
func settle[T any](ctx context.Context, h *Host, fn func(context.Context, Settler) (T, error)) (T, error) {
	first := h.choose.using()
	return over(ctx, h.Uplink, false, func(ctx context.Context, r *route) (out T, err error) {
		if r != h.routes[first] {
			if _, err := r.prepare(ctx); err != nil {
				return out, fmt.Errorf("%w: %w", queue.ErrNotSent, err)
			}
		}
		if err := r.enter(ctx); err != nil {
			return out, fmt.Errorf("%w: %w", queue.ErrNotSent, err)
		}
		defer r.leave()
		return fn(ctx, r.Uplink.(Settler))
	})
}

// SendTotals is that of the route in use.
func (h *Host) SendTotals(ctx context.Context, b queue.Batch, t queue.Totals) (inland, foreign queue.Balance, err error) {
	out, err := settle(ctx, h, func(ctx context.Context, s Settler) (out balances, err error) {
		out.inland, out.foreign, err = s.SendTotals(ctx, b, t)
		return out, err
	})
	return out.inland, out.foreign, err
}

// SendDetail is that of the route in use.
func (h *Host) SendDetail(ctx context.Context, b queue.Batch, e queue.Entry) (queue.Answer, error) {
	return settle(ctx, h, func(ctx context.Context, s Settler) (queue.Answer, error) { return s.SendDetail(ctx, b, e) })
}

// EndBatch is that of the route in use.
func (h *Host) EndBatch(ctx context.Context, b queue.Batch, balanced bool, records int) (queue.Answer, error) {
	return settle(ctx, h, func(ctx context.Context, s Settler) (queue.Answer, error) {
		return s.EndBatch(ctx, b, balanced, records)
	})
}

// Foreign is that of the best route: all lead to one host.
func (h *Host) Foreign(e queue.Entry) bool { return h.routes[0].Uplink.(Settler).Foreign(e) }

// EndTotals ends a batch by telling the totals again, over the route in use: for
// dialects without a message of its own for that. It wraps
// errors.ErrUnsupported where the route has no such method.
func (h *Host) EndTotals(ctx context.Context, b queue.Batch, t queue.Totals, balanced bool) (queue.Answer, error) {
	type ender interface {
		EndTotals(ctx context.Context, b queue.Batch, t queue.Totals, balanced bool) (queue.Answer, error)
	}
	if _, ok := h.routes[0].Uplink.(ender); !ok {
		return queue.Answer{}, fmt.Errorf("route %s: its uplink ends a batch otherwise: %w", h.routes[0].Name, errors.ErrUnsupported)
	}
	return settle(ctx, h, func(ctx context.Context, s Settler) (queue.Answer, error) {
		e, ok := s.(ender)
		if !ok {
			return queue.Answer{}, fmt.Errorf("%w: %w", queue.ErrNotSent, errors.ErrUnsupported)
		}
		return e.EndTotals(ctx, b, t, balanced)
	})
}

// PerCurrency is what the best route says; false where it says nothing.
func (h *Host) PerCurrency() bool {
	p, ok := h.routes[0].Uplink.(interface{ PerCurrency() bool })
	return ok && p.PerCurrency()
}

// DetailRank is what the best route says; 0 where it says nothing.
func (h *Host) DetailRank(e queue.Entry) int {
	if p, ok := h.routes[0].Uplink.(interface{ DetailRank(queue.Entry) int }); ok {
		return p.DetailRank(e)
	}
	return 0
}
