package reconcile

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/tallystick/tallystick/queue"
)

var (
	// ErrOverflow is returned when a sum does not fit 64 bits.
	ErrOverflow = errors.New("the totals overflow")
	// ErrCurrencies is returned for a batch with more than one currency where its
	// totals have room for one.
	ErrCurrencies = errors.New("the batch has more than one currency")
)

// counts tells whether an entry stands in its batch's totals: what the host
// accepted of sales, voids and refunds, but no reversals and nothing that was
// reversed. Cash counts only in a batch of nothing but cash, a depot's.
func counts(e queue.Entry, cash bool) bool {
	return e.State == queue.Accepted && e.Kind != queue.Reversal && e.Op != queue.Report && (e.Tender == queue.Cash) == cash
}

// ofCash tells whether all that b took is cash. What did not come about was not
// taken.
func ofCash(ctx context.Context, q *queue.Queue, b queue.BatchID) (bool, error) {
	cash := false
	for e, err := range q.All(ctx, queue.Filter{Batch: b}) {
		if err != nil {
			return false, err
		}
		if !counts(e, false) && !counts(e, true) {
			continue
		}
		if e.Tender != queue.Cash {
			return false, nil
		}
		cash = true
	}
	return cash, nil
}

// Totals adds up batch b by the book: a sale is a debit, a void or refund a
// credit; a voided sale and its void both count, a reversed one does not. Cash
// stays outside the totals of cards; a batch of nothing but cash, in the lane
// towards a depot, is added up as such. Cards are told apart by foreign; nil
// counts all of them as inland. It also returns how many entries it counted.
//
// Errors: ErrOverflow, ErrCurrencies, and those of queue.All.
func Totals(ctx context.Context, q *queue.Queue, b queue.BatchID, foreign func(queue.Entry) bool) (t queue.Totals, records int, err error) {
	all, records, err := TotalsByCurrency(ctx, q, b, foreign)
	switch {
	case err != nil:
		return t, 0, err
	case len(all) > 1:
		return t, 0, fmt.Errorf("batch %s: %w", b, ErrCurrencies)
	case len(all) == 1:
		t = all[0]
	}
	return t, records, nil
}

// TotalsByCurrency is Totals for a batch of any number of currencies, in the
// order of their codes. An empty batch has none.
//
// Errors: ErrOverflow, and those of queue.All.
func TotalsByCurrency(ctx context.Context, q *queue.Queue, b queue.BatchID, foreign func(queue.Entry) bool) (all []queue.Totals, records int, err error) {
	cash, err := ofCash(ctx, q, b)
	if err != nil {
		return nil, 0, err
	}
	for e, err := range q.All(ctx, queue.Filter{Batch: b}) {
		if err != nil {
			return nil, 0, err
		}
		if !counts(e, cash) {
			continue
		}
		i, found := slices.BinarySearchFunc(all, e.Amount.Currency, func(t queue.Totals, c queue.Currency) int { return cmp.Compare(t.Currency, c) })
		if !found {
			all = slices.Insert(all, i, queue.Totals{Currency: e.Amount.Currency})
		}
		side := &all[i].Inland
		if foreign != nil && foreign(e) {
			side = &all[i].Foreign
		}
		if err := add(side, e); err != nil {
			return nil, 0, fmt.Errorf("batch %s, entry %d: %w", b, e.ID, err)
		}
		records++
	}
	return all, records, nil
}

func add(s *queue.Sums, e queue.Entry) error {
	sum, n := &s.Debit, &s.DebitCount
	if e.Op != queue.Sale {
		sum, n = &s.Credit, &s.CreditCount
	}
	if *sum > math.MaxInt64-e.Amount.Minor {
		return ErrOverflow
	}
	*sum += e.Amount.Minor
	*n++
	return nil
}
