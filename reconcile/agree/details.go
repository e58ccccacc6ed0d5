package agree

import (
	"context"
	"fmt"
	"slices"
)

// Details asks what the host has at the given sequences and calls tell for each
// of them, ascending; it sends as many messages as the answers take. What a
// host tells is its word: nothing proves it.
//
// Errors: those of exchange, tell and ctx; ErrMessage for answers that are none.
func Details(ctx context.Context, about Subject, seqs []uint64, exchange Exchange, tell func(seq uint64, held []Held) error) error {
	c := comparison{head: head{Subject: about}, exchange: exchange}
	left := slices.Clone(seqs)
	slices.Sort(left)
	left = slices.Compact(left)
	if len(left) > 0 && left[len(left)-1] > MaxSequence {
		return fmt.Errorf("sequence %d cannot be asked for", left[len(left)-1])
	}
	for len(left) > 0 {
		q := heldQuery{left[:min(len(left), maxHeld)]}
		a := heldAnswer{want: len(q.seqs)}
		if err := c.ask(ctx, &q, &a); err != nil {
			return err
		}
		for i, held := range a.held {
			if err := tell(left[i], held); err != nil {
				return err
			}
		}
		left = left[len(a.held):]
	}
	return nil
}
