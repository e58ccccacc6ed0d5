package report

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/statement"
)

// findingOf is what is said of each kind of difference; what agrees is counted
// only.
var findingOf = map[statement.Kind]Finding{
	statement.AmountDiffers: AmountDiffers, statement.StateDiffers: StandsThere, statement.Doubled: Doubled,
	statement.MissingThere: MissingThere, statement.MissingHere: MissingHere,
}

// AddStatement tells what an acquirer's statement came to: what statement.Diff
// yields for entries of q. The first MaxLines differences are listed, all are
// counted.
//
// Errors: ErrOverflow, and those of q and of the differences.
func (r *Report) AddStatement(ctx context.Context, q *queue.Queue, differences iter.Seq2[statement.Difference, error]) error {
	if r.Statement == nil {
		r.Statement = &Statement{}
	}
	for d, err := range differences {
		if err == nil {
			err = r.Statement.count(d)
		}
		if err == nil && !d.Kind.Agrees() {
			err = r.difference(ctx, q, d)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Statement) count(d statement.Difference) error {
	currency := cmp.Or(d.Ours.Currency, d.Line.Amount.Currency)
	if currency == 0 {
		return errCurrency
	}
	row := s.row(findingOf[d.Kind], currency)
	row.Count++
	there := int64(0)
	if d.Line.Amount.Currency == currency {
		there = d.Line.Amount.Minor
	}
	var overflow bool
	if row.Here, overflow = sum(row.Here, d.Ours.Minor); overflow {
		return ErrOverflow
	}
	if row.There, overflow = sum(row.There, there); overflow {
		return ErrOverflow
	}
	if d.Line.Fee == 0 {
		return nil
	}
	fee := s.fee(d.Line.Amount.Currency)
	if fee.Minor, overflow = sum(fee.Minor, d.Line.Fee); overflow {
		return ErrOverflow
	}
	return nil
}

func sum(a, b int64) (s int64, overflow bool) {
	return a + b, b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b
}

func (s *Statement) row(f Finding, cur queue.Currency) *StatementRow {
	i, found := slices.BinarySearchFunc(s.Rows, StatementRow{Finding: f, Currency: cur}, func(a, b StatementRow) int {
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.Finding, b.Finding))
	})
	if !found {
		s.Rows = slices.Insert(s.Rows, i, StatementRow{Finding: f, Currency: cur})
	}
	return &s.Rows[i]
}

func (s *Statement) fee(cur queue.Currency) *queue.Money {
	for i := range s.Fees {
		if s.Fees[i].Currency == cur {
			return &s.Fees[i]
		}
	}
	s.Fees = append(s.Fees, queue.Money{Currency: cur})
	return &s.Fees[len(s.Fees)-1]
}

// difference lists a difference, with what the journal knows of its entry.
func (r *Report) difference(ctx context.Context, q *queue.Queue, d statement.Difference) error {
	if len(r.Lines) >= MaxLines {
		r.More++
		return nil
	}
	l := Line{Finding: findingOf[d.Kind]}
	if d.ID != 0 {
		e, err := q.Get(ctx, d.ID)
		if err != nil {
			return fmt.Errorf("entry %d: %w", d.ID, err)
		}
		l = lineOf(l.Finding, e)
	}
	if t := d.Line; t.Number != 0 {
		l.There, l.FileLine = t.Amount, t.Number
		if d.ID == 0 {
			l.Ref, l.Terminal, l.HostBatch, l.STAN, l.RRN, l.Card, l.Time = t.Ref, t.Terminal, t.HostBatch, t.STAN, t.RRN, t.Card, t.Time
		}
	}
	r.Add(l)
	return nil
}
