package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

// rankedHost wants refunds last and what was asked online in the middle.
type rankedHost struct{ *ledgerHost }

func (rankedHost) DetailRank(e queue.Entry) int {
	switch {
	case e.Op == queue.Refund:
		return 2
	case e.Kind == queue.Request:
		return 1
	}
	return 0
}

var errCut = errors.New("the line is gone")

// settled calls Settle until it gives a result, cutting the line once, at the
// nth call before or behind which the hooks come by.
func settled(t *testing.T, q *queue.Queue, b queue.BatchID, h Host, l *ledgerHost, n int) (Result, error) {
	t.Helper()
	cut := func(string) error {
		if n--; n == 0 {
			return errCut
		}
		return nil
	}
	l.before, l.after = cut, cut
	for {
		r, err := Settle(bg, q, b, h)
		if !errors.Is(err, errCut) {
			return r, err
		}
	}
}

// Details go in the host's order, whatever call is cut off.
func TestDetailsGoByRank(t *testing.T) {
	for n := range 24 {
		q, l := open(t), newHost()
		h := rankedHost{l}
		b := day(t, q, l)
		require.NoError(t, q.Drain(bg, lane, h))
		lost := map[queue.ID]bool{}
		for e, err := range q.All(bg, queue.Filter{Batch: b}) {
			require.NoError(t, err)
			if e.State == queue.Accepted && e.Op != queue.Void {
				delete(l.side(e), e.STAN)
				lost[e.ID] = true
			}
		}
		r, err := settled(t, q, b, h, l, n)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(r.Mended), len(lost)-1, "one whose answer was lost is known when it comes again")
		require.Equal(t, r.Totals.Inland, queue.Sums{DebitCount: len(l.booked), Debit: sum(l.booked), CreditCount: len(l.credits), Credit: sum(l.credits)})
		var ranks []int
		for _, call := range l.calls {
			id, detail := strings.CutPrefix(call, "detail ")
			if !detail {
				continue
			}
			var n queue.ID
			_, err := fmt.Sscan(id, &n)
			require.NoError(t, err)
			e, err := q.Get(bg, n)
			require.NoError(t, err)
			ranks = append(ranks, h.DetailRank(e))
		}
		require.True(t, slices.IsSorted(ranks), "%v", ranks)
		require.Contains(t, ranks, 0)
		require.Contains(t, ranks, 1)
		require.Contains(t, ranks, 2)
	}
}

// moneyHost compares each currency by itself and has no end message.
type moneyHost struct {
	*ledgerHost
	books map[queue.Currency]map[queue.STAN]int64
	per   bool
}

func (h moneyHost) PerCurrency() bool { return h.per }

func (h moneyHost) Prepare(context.Context) (queue.Line, error) { return queue.Line{}, nil }

func (h moneyHost) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	h.books[e.Amount.Currency][e.STAN] = e.Amount.Minor
	return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
}

func (h moneyHost) compare(t queue.Totals) queue.Balance {
	mine := h.books[t.Currency]
	if t.Inland == (queue.Sums{DebitCount: len(mine), Debit: sum(mine)}) {
		return queue.Balanced
	}
	return queue.NotBalanced
}

func (h moneyHost) SendTotals(_ context.Context, _ queue.Batch, t queue.Totals) (in, out queue.Balance, err error) {
	if err := h.call(fmt.Sprint("totals ", t.Currency)); err != nil {
		return 0, 0, err
	}
	said := h.compare(t)
	return said, said, h.after("")
}

func (h moneyHost) SendDetail(_ context.Context, _ queue.Batch, e queue.Entry) (queue.Answer, error) {
	if err := h.call(fmt.Sprint("detail ", e.Amount.Currency)); err != nil {
		return queue.Answer{}, err
	}
	a := queue.Answer{Verdict: queue.Duplicate}
	if _, ok := h.books[e.Amount.Currency][e.STAN]; !ok {
		h.books[e.Amount.Currency][e.STAN] = e.Amount.Minor
		a.Verdict = queue.Approved
	}
	return a, h.after("")
}

func (h moneyHost) EndTotals(_ context.Context, _ queue.Batch, t queue.Totals, balanced bool) (queue.Answer, error) {
	if err := h.call(fmt.Sprint("end ", t.Currency)); err != nil {
		return queue.Answer{}, err
	}
	a := queue.Answer{Verdict: queue.Refused}
	if balanced || h.compare(t) == queue.Balanced {
		a.Verdict = queue.Approved
	}
	return a, h.after("")
}

// moneyDay sells in three currencies.
func moneyDay(t *testing.T, per bool) (*queue.Queue, queue.BatchID, moneyHost) {
	q := open(t)
	h := moneyHost{newHost(), map[queue.Currency]map[queue.STAN]int64{queue.CNY: {}, queue.USD: {}, queue.HKD: {}}, per}
	for i, c := range []queue.Currency{queue.USD, queue.CNY, queue.HKD, queue.USD} {
		s := sale(fmt.Sprint("sale-", i), int64(100+i))
		s.Amount.Currency = c
		_, err := q.Append(bg, s)
		require.NoError(t, err)
	}
	require.NoError(t, q.Drain(bg, lane, h))
	b, err := q.CloseBatch(bg, lane)
	require.NoError(t, err)
	return q, b, h
}

// Each currency is compared by itself; details go of the one that differs.
func TestCurrenciesAreSettledApart(t *testing.T) {
	for n := range 20 {
		q, b, h := moneyDay(t, true)
		clear(h.books[queue.USD])
		r, err := settled(t, q, b, h, h.ledgerHost, n)
		require.NoError(t, err)
		require.Equal(t, queue.CNY, r.Totals.Currency)
		require.Len(t, r.Others, 2)
		require.Equal(t, queue.Totals{Currency: queue.HKD, Inland: queue.Sums{DebitCount: 1, Debit: 102}}, r.Others[0])
		require.Equal(t, queue.Totals{Currency: queue.USD, Inland: queue.Sums{DebitCount: 2, Debit: 203}}, r.Others[1])
		require.Equal(t, 4, r.Records)
		require.Subset(t, []queue.ID{1, 4}, r.Mended)
		require.Equal(t, int64(203), sum(h.books[queue.USD]))
		require.NotContains(t, h.calls, "detail CNY")
		if n == 0 {
			require.Len(t, r.Mended, 2)
			require.Equal(t, []string{"totals CNY", "totals HKD", "totals USD", "detail USD", "detail USD", "end CNY", "end HKD", "end USD"}, h.calls)
		}
		again, err := Settle(bg, q, b, h)
		require.NoError(t, err)
		require.Equal(t, r, again)
	}
	q, b, h := moneyDay(t, true)
	h.books[queue.HKD][999] = 1
	r, err := Settle(bg, q, b, h)
	var unequal *OutOfBalanceError
	require.ErrorAs(t, err, &unequal)
	require.False(t, r.Balanced)

	q, b, h = moneyDay(t, false)
	_, err = Settle(bg, q, b, h)
	require.ErrorIs(t, err, ErrCurrencies)
}

func TestProgressOfManyCurrenciesIsKept(t *testing.T) {
	p := progress{stage: uploading, totals: queue.Totals{Currency: queue.CNY}, records: 9, uploaded: 10, rank: 2,
		more: []part{{queue.Totals{Currency: queue.USD, Inland: queue.Sums{DebitCount: 1, Debit: 2}, Foreign: queue.Sums{CreditCount: 3, Credit: 4}}, queue.Balanced, queue.NotBalanced}}}
	b := p.encode()
	got, err := decodeProgress(b)
	require.NoError(t, err)
	require.Equal(t, p, got)
	for i := 1; i < len(b); i++ {
		_, err := decodeProgress(b[:i])
		require.Error(t, err, "cut at %d", i)
	}
}

// leftHost says of a batch that it has left no more than that.
type leftHost struct {
	*ledgerHost
	details bool // also to its details
}

func (h leftHost) SendDetail(ctx context.Context, b queue.Batch, e queue.Entry) (queue.Answer, error) {
	if h.details {
		h.calls = append(h.calls, "detail")
		return queue.Answer{Verdict: queue.NotFound, Code: "77"}, nil
	}
	return h.ledgerHost.SendDetail(ctx, b, e)
}

// rankedLeft wants its details in an order of its own.
type rankedLeft struct{ leftHost }

func (rankedLeft) DetailRank(e queue.Entry) int { return int(e.ID) % 3 }

// A host that left the batch before its end was answered holds the lane up no
// longer. What it had said of the totals stands.
func TestSettleAfterTheHostHasLeft(t *testing.T) {
	for _, c := range []struct{ lacks, details, ranked bool }{{}, {lacks: true}, {lacks: true, details: true}, {true, true, true}} {
		q, l := open(t), newHost()
		var h Host = leftHost{l, c.details}
		if c.ranked {
			h = rankedLeft{leftHost{l, true}}
		}
		b := day(t, q, l)
		require.NoError(t, q.Drain(bg, lane, h))
		if c.lacks {
			delete(l.booked, 2)
		}
		l.ends[1] = queue.NotFound
		for range 2 {
			r, err := Settle(bg, q, b, h)
			require.Equal(t, !c.lacks, r.Balanced)
			require.True(t, r.Left)
			require.Empty(t, r.Different)
			if !c.lacks {
				require.NoError(t, err)
				continue
			}
			var out *OutOfBalanceError
			require.ErrorAs(t, err, &out)
			require.True(t, out.Left)
			require.ErrorContains(t, err, "compare its statement")
			require.Equal(t, c.details, len(out.Mended) == 0)
		}
		if c.details {
			require.Equal(t, []string{"totals", "detail", "end"}, l.calls, "one such answer is enough")
		}
		batch, err := q.Batch(bg, b)
		require.NoError(t, err)
		require.Equal(t, queue.BatchSettled, batch.State)
	}
}
