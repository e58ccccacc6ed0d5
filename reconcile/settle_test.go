package reconcile

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

var (
	bg   = context.Background()
	lane = queue.Lane{Host: "acquirer", Merchant: "104110048161234", Terminal: "10000001"}
)

// ledgerHost is a host in memory with a ledger of its own.
type ledgerHost struct {
	batch   uint32
	booked  map[queue.STAN]int64 // debits of the open batch
	credits map[queue.STAN]int64
	ends    map[uint32]queue.Verdict
	extra   int64 // what the host has and the device does not
	calls   []string
	before  func(call string) error // crash or loss before the message arrives
	after   func(call string) error // crash or loss of its answer
}

func newHost() *ledgerHost {
	none := func(string) error { return nil }
	return &ledgerHost{batch: 1, booked: map[queue.STAN]int64{}, credits: map[queue.STAN]int64{}, ends: map[uint32]queue.Verdict{},
		before: none, after: none}
}

func (h *ledgerHost) side(e queue.Entry) map[queue.STAN]int64 {
	if e.Op == queue.Sale {
		return h.booked
	}
	return h.credits
}

func (h *ledgerHost) Prepare(context.Context) (queue.Line, error) {
	return queue.Line{HostBatch: h.batch}, nil
}

func (*ledgerHost) Foreign(queue.Entry) bool { return false }

func (h *ledgerHost) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	h.side(e)[e.STAN] = e.Amount.Minor
	return queue.Answer{Verdict: queue.Approved, Code: "00", RRN: "1"}, nil
}

func (h *ledgerHost) call(name string) error {
	h.calls = append(h.calls, name)
	return h.before(name)
}

func sum(m map[queue.STAN]int64) (s int64) {
	for _, v := range m {
		s += v
	}
	return s
}

func (h *ledgerHost) SendTotals(_ context.Context, b queue.Batch, t queue.Totals) (in, out queue.Balance, err error) {
	if err := h.call("totals"); err != nil {
		return 0, 0, err
	}
	in, out = queue.Balanced, queue.Balanced
	same := t.Inland == queue.Sums{DebitCount: len(h.booked), Debit: sum(h.booked) + h.extra, CreditCount: len(h.credits), Credit: sum(h.credits)}
	if b.HostBatch == h.batch && !same {
		in = queue.NotBalanced
	}
	return in, out, h.after("totals")
}

func (h *ledgerHost) SendDetail(_ context.Context, _ queue.Batch, e queue.Entry) (queue.Answer, error) {
	name := fmt.Sprint("detail ", e.ID)
	if err := h.call(name); err != nil {
		return queue.Answer{}, err
	}
	have, ok := h.side(e)[e.STAN]
	a := queue.Answer{Verdict: queue.Duplicate, Code: "94"}
	switch {
	case !ok:
		h.side(e)[e.STAN] = e.Amount.Minor
		a = queue.Answer{Verdict: queue.Approved, Code: "00"}
	case have != e.Amount.Minor:
		a = queue.Answer{Verdict: queue.Refused, Code: "64"}
	}
	return a, h.after(name)
}

func (h *ledgerHost) EndBatch(_ context.Context, b queue.Batch, _ bool, _ int) (queue.Answer, error) {
	if err := h.call("end"); err != nil {
		return queue.Answer{}, err
	}
	v, closed := h.ends[b.HostBatch]
	if !closed {
		v = queue.Approved
		if h.extra != 0 {
			v = queue.Refused
		}
		h.ends[b.HostBatch] = v
		h.batch++
	}
	return queue.Answer{Verdict: v}, h.after("end")
}

func open(t *testing.T) *queue.Queue {
	q, err := queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true, RetryMin: 1, RetryMax: 2})
	require.NoError(t, err)
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func sale(ref string, minor int64) queue.Transaction {
	return queue.Transaction{Ref: ref, Lane: lane, Op: queue.Sale, Tender: queue.CardTender, Approval: "Y1",
		Amount: queue.Money{Minor: minor, Currency: queue.CNY}, Card: queue.Card{PAN: queue.NewSecret("6221558812340000")}}
}

// day journals three sales, a declined one, a reversed one, a voided one with
// its void, and a refund, closes the batch and begins the next.
func day(t *testing.T, q *queue.Queue, h *ledgerHost) queue.BatchID {
	for i := range 3 {
		_, err := q.Append(bg, sale(fmt.Sprint("s", i), 100+int64(i)))
		require.NoError(t, err)
	}
	require.NoError(t, q.Drain(bg, lane, h))
	online := sale("online", 5000)
	online.Approval = ""
	e, err := q.Do(bg, h, online)
	require.NoError(t, err)
	_, err = q.Do(bg, h, queue.Transaction{Ref: "void", Lane: lane, Op: queue.Void, Original: e.ID})
	require.NoError(t, err)
	_, err = q.Append(bg, queue.Transaction{Ref: "refund", Lane: lane, Op: queue.Refund, Original: 1, Amount: queue.Money{Minor: 40, Currency: queue.CNY}})
	require.NoError(t, err)
	b, err := q.CloseBatch(bg, lane)
	require.NoError(t, err)
	_, err = q.Append(bg, sale("tomorrow", 7))
	require.NoError(t, err)
	return b
}

func TestSettleInBalance(t *testing.T) {
	q, h := open(t), newHost()
	b := day(t, q, h)
	for range 2 {
		r, err := Settle(bg, q, b, h)
		require.NoError(t, err)
		require.True(t, r.Balanced)
		require.Equal(t, 6, r.Records)
		require.Equal(t, queue.Sums{DebitCount: 4, Debit: 5303, CreditCount: 2, Credit: 5040}, r.Totals.Inland)
	}
	require.Equal(t, []string{"totals", "end"}, h.calls, "a settled batch is not settled again")
	require.NoError(t, q.Drain(bg, lane, h))
	e, err := q.ByRef(bg, "tomorrow")
	require.NoError(t, err)
	require.EqualValues(t, 2, e.HostBatch, "the next batch goes on after the end")
}

func TestSettleMendsWhatTheHostLacks(t *testing.T) {
	q, h := open(t), newHost()
	b := day(t, q, h)
	require.NoError(t, q.Drain(bg, lane, h))
	delete(h.booked, 2)
	delete(h.credits, 5)
	r, err := Settle(bg, q, b, h)
	require.NoError(t, err)
	require.False(t, r.Balanced)
	require.Equal(t, []queue.ID{2, 5}, r.Mended)
	require.EqualValues(t, 5303, sum(h.booked))
}

func TestSettleNamesWhatDiffers(t *testing.T) {
	q, h := open(t), newHost()
	b := day(t, q, h)
	require.NoError(t, q.Drain(bg, lane, h))
	h.booked[2] = 99999
	h.extra = 1
	for range 2 {
		_, err := Settle(bg, q, b, h)
		var out *OutOfBalanceError
		require.ErrorAs(t, err, &out)
		require.Equal(t, []queue.ID{2}, out.Different)
		require.Contains(t, err.Error(), "entries 2")
	}
	batch, err := q.Batch(bg, b)
	require.NoError(t, err)
	require.Equal(t, queue.BatchSettled, batch.State)
}

func TestSettleTellsWhatIsInTheWay(t *testing.T) {
	q, h := open(t), newHost()
	_, err := q.Append(bg, sale("s", 100))
	require.NoError(t, err)
	_, err = Settle(bg, q, queue.BatchID{Lane: lane, N: 1}, h)
	require.ErrorIs(t, err, queue.ErrState)
	b, err := q.CloseBatch(bg, lane)
	require.NoError(t, err)
	_, err = Settle(bg, q, b, refusing{h})
	var out *queue.OutstandingError
	require.ErrorAs(t, err, &out)
	require.Equal(t, []queue.ID{1}, out.Entries)
	require.Empty(t, h.calls)
}

// refusing refuses every entry.
type refusing struct{ *ledgerHost }

func (refusing) Send(context.Context, queue.Entry) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Refused, Code: "30"}, nil
}

// A device that dies before or after any message of a settlement, or loses it
// or its answer, ends where an undisturbed one does, and repeats no detail
// that was marked.
func TestSettleGoesOnFromEveryPoint(t *testing.T) {
	lost := errors.New("lost")
	for _, when := range []string{"before", "after"} {
		for _, dies := range []bool{false, true} {
			for point := 0; point < 8; point++ {
				t.Run(fmt.Sprint(when, " ", dies, " ", point), func(t *testing.T) {
					q, h := open(t), newHost()
					b := day(t, q, h)
					require.NoError(t, q.Drain(bg, lane, h))
					delete(h.booked, 2)
					n := 0
					hit := func(string) error {
						if n++; n == point+1 {
							return lost
						}
						return nil
					}
					if when == "before" {
						h.before = hit
					} else {
						h.after = hit
					}
					_, err := Settle(bg, q, b, h)
					if point < 8 {
						require.ErrorIs(t, err, lost)
					}
					if dies {
						q = reopenCopy(t, q)
					}
					r, err := Settle(bg, q, b, h)
					require.NoError(t, err)
					require.EqualValues(t, 5303, sum(h.booked))
					require.EqualValues(t, 5040, sum(h.credits))
					require.EqualValues(t, 2, h.batch)
					if when == "before" || point == 0 || point > 6 {
						require.Equal(t, []queue.ID{2}, r.Mended)
					}
					times := map[string]int{}
					for _, c := range h.calls {
						times[c]++
						require.LessOrEqual(t, times[c], 2, c)
					}
					require.Len(t, h.calls, 9, "one message was repeated, no other")
					require.NoError(t, q.Verify(bg))
				})
			}
		}
	}
}

// reopenCopy opens what a device would find if it died now.
func reopenCopy(t *testing.T, q *queue.Queue) *queue.Queue {
	b, err := os.ReadFile(q.Path())
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	after, err := queue.Open(path, nil, &queue.Options{Unsealed: true, RetryMin: 1, RetryMax: 2})
	require.NoError(t, err)
	t.Cleanup(func() { _ = after.Close() })
	return after
}

// foreigners counts a card by its first digit, as the host does.
type foreigners struct {
	*ledgerHost
	foreign []int64
}

func (*foreigners) Foreign(e queue.Entry) bool { return e.MaskedPAN[0] != '6' }

func (h *foreigners) Send(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	if h.Foreign(e) {
		h.foreign = append(h.foreign, e.Amount.Minor)
		return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
	}
	return h.ledgerHost.Send(ctx, e)
}

func (h *foreigners) SendTotals(ctx context.Context, b queue.Batch, t queue.Totals) (in, out queue.Balance, err error) {
	in, _, err = h.ledgerHost.SendTotals(ctx, b, t)
	if t.Foreign != (queue.Sums{DebitCount: len(h.foreign), Debit: h.foreign[0]}) {
		return in, queue.NotBalanced, err
	}
	return in, queue.Balanced, err
}

// Foreign cards are added up apart, and only the group that differs is
// uploaded.
func TestForeignCardsAreApart(t *testing.T) {
	q, h := open(t), &foreigners{ledgerHost: newHost()}
	for i, pan := range []string{"6221558812340000", "4111111111111111", "6216261000000000018"} {
		s := sale(fmt.Sprint(i), 100)
		s.Card.PAN = queue.NewSecret(pan)
		_, err := q.Append(bg, s)
		require.NoError(t, err)
	}
	b, err := q.CloseBatch(bg, lane)
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, lane, h))
	delete(h.booked, 3)
	r, err := Settle(bg, q, b, h)
	require.NoError(t, err)
	require.Equal(t, queue.Sums{DebitCount: 1, Debit: 100}, r.Totals.Foreign)
	require.Equal(t, queue.Sums{DebitCount: 2, Debit: 200}, r.Totals.Inland)
	require.Equal(t, []queue.ID{3}, r.Mended)
	require.Equal(t, []string{"totals", "detail 1", "detail 3", "end"}, h.calls)
}

func TestTotalsOverflowIsAnError(t *testing.T) {
	var s queue.Sums
	e := queue.Entry{Transaction: queue.Transaction{Op: queue.Sale, Amount: queue.Money{Minor: math.MaxInt64}}}
	require.NoError(t, add(&s, e))
	e.Amount.Minor = 1
	require.ErrorIs(t, add(&s, e), ErrOverflow)
	require.Equal(t, int64(math.MaxInt64), s.Debit)
}

func TestTwoCurrenciesAreAnError(t *testing.T) {
	q := open(t)
	for i, c := range []queue.Currency{queue.CNY, queue.HKD} {
		s := sale(fmt.Sprint(i), 100)
		s.Amount.Currency = c
		_, err := q.Append(bg, s)
		require.NoError(t, err)
	}
	require.NoError(t, q.Drain(bg, lane, newHost()))
	_, _, err := Totals(bg, q, queue.BatchID{Lane: lane, N: 1}, nil)
	require.ErrorIs(t, err, ErrCurrencies)
}

// A depot's batch of cash is added up; cash among cards is left out.
func TestCashInTotals(t *testing.T) {
	q := open(t)
	cash := sale("cash", 100)
	cash.Tender, cash.Card, cash.Approval = queue.Cash, queue.Card{}, ""
	_, err := q.Append(bg, cash)
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, lane, newHost()))
	b := queue.BatchID{Lane: lane, N: 1}
	got, n, err := Totals(bg, q, b, nil)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.EqualValues(t, 100, got.Inland.Debit)
	_, err = q.Append(bg, sale("card", 7))
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, lane, newHost()))
	got, n, err = Totals(bg, q, b, nil)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.EqualValues(t, 7, got.Inland.Debit)
}

// What a settlement keeps of its entries has an end, however many they are.
func TestNamedEntriesAreBounded(t *testing.T) {
	var p progress
	for id := queue.ID(1) << 60; len(p.mended) < maxNamed; id++ {
		p.mended, p.different = withID(p.mended, id), withID(p.different, id)
	}
	require.Len(t, withID(p.mended, 1), maxNamed)
	require.Less(t, len(p.encode()), 64<<10)
}

// A card that came to nothing does not make a depot's cash that of cards.
func TestADeclinedCardAmongCash(t *testing.T) {
	q := open(t)
	cash := sale("cash", 100)
	cash.Tender, cash.Card, cash.Approval = queue.Cash, queue.Card{}, ""
	_, err := q.Append(bg, cash)
	require.NoError(t, err)
	e, err := q.Append(bg, sale("card", 200))
	require.NoError(t, err)
	_, err = q.Reverse(bg, e.ID) // cancelled
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cash.Lane, newHost()))
	all, n, err := TotalsByCurrency(bg, q, e.Batch, nil)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.EqualValues(t, 100, all[0].Inland.Debit)
}

func TestProgressOfABatchThatWasLeftIsKept(t *testing.T) {
	p := progress{stage: ended, records: 3, left: true, different: []queue.ID{13}}
	b := p.encode()
	got, err := decodeProgress(b)
	require.NoError(t, err)
	require.Equal(t, p, got)
	b[0] = progressLeft + 1
	_, err = decodeProgress(b)
	require.ErrorIs(t, err, errProgress)
}

func TestProgressIsKeptAsItIs(t *testing.T) {
	p := progress{stage: uploading, totals: queue.Totals{Currency: queue.CNY, Inland: queue.Sums{DebitCount: 1, Debit: 2, CreditCount: 3, Credit: 4},
		Foreign: queue.Sums{DebitCount: 5, Debit: 6, CreditCount: 7, Credit: 8}}, records: 9, inland: queue.NotBalanced, foreign: queue.Balanced,
		uploaded: 10, mended: []queue.ID{11, 12}, different: []queue.ID{13}, agreed: true}
	got, err := decodeProgress(p.encode())
	require.NoError(t, err)
	require.Equal(t, p, got)
	for i := range len(p.encode()) {
		_, err := decodeProgress(p.encode()[:i])
		if i > 0 {
			require.Error(t, err, "cut at %d", i)
		}
	}
}

// Settling by other hands is no balance: the host was never told.
func TestSettledWithoutItsHost(t *testing.T) {
	q, h := open(t), newHost()
	b := day(t, q, h)
	require.NoError(t, q.Drain(bg, lane, h))
	require.NoError(t, q.SettleBatch(bg, b))
	_, err := Settle(bg, q, b, h)
	require.ErrorIs(t, err, ErrWithoutHost)
	require.Empty(t, h.calls)
}

// What is in the way can end at any moment: Settle never takes that for a
// settlement.
func TestSettleRacesAPerson(t *testing.T) {
	for range 30 {
		q, h := open(t), newHost()
		_, err := q.Append(bg, sale("s", 100))
		require.NoError(t, err)
		require.NoError(t, q.Drain(bg, lane, refusing{h}))
		h.booked[1] = 100
		b, err := q.CloseBatch(bg, lane)
		require.NoError(t, err)
		resolved := make(chan error, 1)
		go func() { resolved <- q.Resolve(bg, 1, queue.Answer{Verdict: queue.Approved}, "Li", "it is there") }()
		var out *queue.OutstandingError
		for {
			r, err := Settle(bg, q, b, h)
			if errors.As(err, &out) {
				continue
			}
			require.NoError(t, err)
			require.Equal(t, 1, r.Records)
			break
		}
		require.NoError(t, <-resolved)
		require.Equal(t, []string{"totals", "end"}, h.calls)
	}
}

// A batch in which all was cancelled before any attempt is none of the host's.
func TestSettleWhatWasOnlyCancelled(t *testing.T) {
	q, h := open(t), newHost()
	e, err := q.Append(bg, sale("s", 100))
	require.NoError(t, err)
	_, err = q.Reverse(bg, e.ID)
	require.NoError(t, err)
	b, err := q.CloseBatch(bg, lane)
	require.NoError(t, err)
	r, err := Settle(bg, q, b, h)
	require.NoError(t, err)
	require.Zero(t, r.Records)
	require.Empty(t, h.calls)
}

// Two calls at once take turns and say the same.
func TestTwoSettlementsAtOnce(t *testing.T) {
	for range 10 {
		q, h := open(t), newHost()
		b := day(t, q, h)
		require.NoError(t, q.Drain(bg, lane, h))
		h.booked[2] = 99999
		errs := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := Settle(bg, q, b, h)
				errs <- err
			}()
		}
		for range 2 {
			var out *OutOfBalanceError
			require.ErrorAs(t, <-errs, &out)
			require.Equal(t, []queue.ID{2}, out.Different)
		}
		require.Len(t, h.calls, 8)
	}
}
