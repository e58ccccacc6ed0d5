package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/tallystick/tallystick/queue"
)

var (
	// ErrOverflow is returned when a sum does not fit 64 bits.
	ErrOverflow = errors.New("the totals overflow")
	// ErrCurrencies is returned for a batch with more than one currency: its
	// totals have room for one.
	ErrCurrencies = errors.New("the batch has more than one currency")
)

// counts tells whether an entry stands in its batch's totals: what the host
// accepted of sales, voids and refunds, but no reversals, nothing that was
// reversed, and no cash.
func counts(e queue.Entry) bool {
	return e.State == queue.Accepted && e.Kind != queue.Reversal && e.Op != queue.Report && e.Tender != queue.Cash
}

// Totals adds up batch b by the book: a sale is a debit, a void or refund a
// credit; a voided sale and its void both count, a reversed one does not;
// cash not at all. It also returns how many entries it counted.
//
// Errors: ErrOverflow, ErrCurrencies, and those of queue.All.
func Totals(ctx context.Context, q *queue.Queue, b queue.BatchID) (t queue.Totals, records int, err error) {
	for e, err := range q.All(ctx, queue.Filter{Batch: b}) {
		if err != nil {
			return t, 0, err
		}
		if !counts(e) {
			continue
		}
		if t.Currency != 0 && t.Currency != e.Amount.Currency {
			return t, 0, fmt.Errorf("batch %s, entry %d: %w", b, e.ID, ErrCurrencies)
		}
		t.Currency = e.Amount.Currency
		if err := add(&t.Inland, e); err != nil {
			return t, 0, fmt.Errorf("batch %s, entry %d: %w", b, e.ID, err)
		}
		records++
	}
	return t, records, nil
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
