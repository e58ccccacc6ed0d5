package handset

import (
	"context"
	"errors"

	"github.com/tallystick/tallystick/queue"
)

// void undoes an accepted sale of the current batch, online.
func void(h *handset, ctx context.Context, args []string) error {
	if h.badRef(args...) {
		return nil
	}
	asked := Answer{Ref: args[0], Of: args[1], Op: queue.Void.String()}
	orig, t, err := h.undoing(ctx, &asked, queue.Void)
	if err != nil || t.Ref == "" {
		return h.tell(ctx, asked, orig, err)
	}
	l := h.lineOf(orig)
	e, err := h.q.Do(ctx, l.host, t)
	if errors.Is(err, queue.ErrNotSent) {
		if e, err = h.q.ByRef(ctx, t.Ref); err == nil {
			e, err = h.q.Reverse(ctx, e.ID)
		} else if errors.Is(err, queue.ErrNotFound) {
			asked.State = NotSent
			h.answer(asked)
			return nil
		}
	}
	return h.tell(ctx, asked, e, err)
}

// refund gives back a part of an accepted sale: journalled at once, and
// delivered when there is a line.
func refund(h *handset, ctx context.Context, args []string) error {
	if h.badRef(args[:2]...) {
		return nil
	}
	fen, err := parseFen(args[2])
	if err != nil {
		h.mistake(h.words.badAmount, clipped(args[2]))
		return nil
	}
	asked := Answer{Ref: args[0], Of: args[1], Op: queue.Refund.String(), Fen: fen}
	orig, t, err := h.undoing(ctx, &asked, queue.Refund)
	if err != nil || t.Ref == "" {
		return h.tell(ctx, asked, orig, err)
	}
	t.Amount = queue.Money{Minor: fen, Currency: queue.CNY}
	e, err := h.q.Append(ctx, t)
	return h.tell(ctx, asked, e, err)
}

// undoing prepares the void or refund that was asked for. When its ref is in
// the journal already and nothing is to be done for it, the Transaction is
// empty and the entry is what is told.
func (h *handset) undoing(ctx context.Context, asked *Answer, op queue.Op) (queue.Entry, queue.Transaction, error) {
	orig, err := h.q.ByRef(ctx, asked.Of)
	if err != nil {
		return orig, queue.Transaction{}, err
	}
	asked.Tender = orig.Tender.String()
	e, err := h.q.ByRef(ctx, asked.Ref)
	switch {
	case err == nil && (e.Op != op || e.Original != orig.ID || op == queue.Refund && e.Amount.Minor != asked.Fen):
		return e, queue.Transaction{}, queue.ErrConflict
	case err == nil && (e.Kind != queue.Request || e.State != queue.Pending):
		return e, queue.Transaction{}, nil
	case err != nil && !errors.Is(err, queue.ErrNotFound):
		return e, queue.Transaction{}, err
	}
	return orig, queue.Transaction{
		Ref: asked.Ref, Lane: orig.Lane, Op: op, Original: orig.ID, Operator: h.cfg.Operator,
	}, nil
}

func (h *handset) lineOf(e queue.Entry) line {
	if e.Lane == h.cash.lane {
		return h.cash
	}
	return h.cards
}
