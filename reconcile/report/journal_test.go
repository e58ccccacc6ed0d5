package report

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
	"github.com/tallystick/tallystick/reconcile/statement"
)

var bg = context.Background()

// scripted is a host that answers what the test says, by ref; nil is silence.
type scripted struct {
	says   map[string]queue.Verdict
	totals queue.Balance
	detail queue.Verdict
	end    queue.Verdict
}

func (h *scripted) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	v, ok := h.says[e.Ref]
	if !ok || e.Kind == queue.Reversal {
		return queue.Answer{}, errors.New("silence")
	}
	return queue.Answer{Verdict: v, Code: "xx", RRN: fmt.Sprintf("%012d", e.STAN)}, nil
}

func (h *scripted) Prepare(context.Context) (queue.Line, error) { return queue.Line{HostBatch: 7}, nil }

func (h *scripted) SendTotals(context.Context, queue.Batch, queue.Totals) (in, abroad queue.Balance, err error) {
	return h.totals, queue.Balanced, nil
}

func (h *scripted) SendDetail(context.Context, queue.Batch, queue.Entry) (queue.Answer, error) {
	return queue.Answer{Verdict: h.detail}, nil
}

func (h *scripted) EndBatch(context.Context, queue.Batch, bool, int) (queue.Answer, error) {
	return queue.Answer{Verdict: h.end}, nil
}

func (*scripted) Foreign(queue.Entry) bool { return false }

func openJournal(t *testing.T) *queue.Queue {
	t.Helper()
	q, err := queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true, RetryMin: 1, RetryMax: 2, ReversalTries: 1})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	return q
}

func sale(ref string, tender queue.Tender, minor int64) queue.Transaction {
	tr := queue.Transaction{Ref: ref, Lane: lane, Op: queue.Sale, Tender: tender, Amount: cny(minor)}
	if tender == queue.Cash {
		tr.Lane.Terminal = "10000002"
	}
	return tr
}

func offline(ref string, minor int64) queue.Transaction {
	tr := sale(ref, queue.CardTender, minor)
	tr.Approval, tr.Card = "Y1", queue.Card{PAN: queue.NewSecret("6221558812340000")}
	return tr
}

// Each state of an entry is counted where it belongs, and said of what is not
// decided.
func TestAddJournal(t *testing.T) {
	q := openJournal(t)
	host := &scripted{says: map[string]queue.Verdict{"card": queue.Approved, "no": queue.Refused, "qr": queue.Approved,
		"offline": queue.Approved, "refused advice": queue.Refused, "risk": queue.Refused}}
	for _, s := range []queue.Transaction{sale("card", queue.CardTender, 1000), sale("no", queue.CardTender, 200), sale("qr", queue.QR, 300)} {
		_, err := q.Do(bg, host, s)
		require.NoError(t, err)
	}
	for _, tr := range []queue.Transaction{offline("offline", 400), offline("refused advice", 500)} {
		_, err := q.Append(bg, tr)
		require.NoError(t, err)
	}
	risk := offline("risk", 600)
	risk.Approval = ""
	_, err := q.AppendAtRisk(bg, risk)
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, lane, host))
	card, err := q.ByRef(bg, "card")
	require.NoError(t, err)
	_, err = q.Append(bg, queue.Transaction{Ref: "refund", Lane: lane, Op: queue.Refund, Amount: cny(50), Original: card.ID})
	require.NoError(t, err)
	_, err = q.Append(bg, offline("waiting", 700))
	require.NoError(t, err)
	_, err = q.Append(bg, sale("cash", queue.Cash, 800))
	require.NoError(t, err)
	cancelled, err := q.Append(bg, offline("cancelled", 900))
	require.NoError(t, err)
	_, err = q.Reverse(bg, cancelled.ID)
	require.NoError(t, err)

	r := New("", made)
	require.NoError(t, r.AddJournal(bg, q, Span{}))
	require.Equal(t, []Row{
		{CardOnline, queue.CNY, Figure{1, 1000}, Figure{1, 1000}, Figure{}},
		{CardOffline, queue.CNY, Figure{3, 1600}, Figure{1, 400}, Figure{2, 1200}},
		{QRCode, queue.CNY, Figure{1, 300}, Figure{1, 300}, Figure{}},
		{Cash, queue.CNY, Figure{1, 800}, Figure{}, Figure{1, 800}},
		{Refunds, queue.CNY, Figure{1, -50}, Figure{}, Figure{1, -50}},
	}, r.Taken)
	require.Equal(t, []Undone{{queue.Declined, queue.CNY, Figure{2, 800}}, {queue.Cancelled, queue.CNY, Figure{1, 900}}}, r.Undone)
	require.Equal(t, map[string]Finding{"refused advice": Parked, "risk": Loss, "refund": Waiting, "waiting": Waiting, "cash": Waiting}, said1(r))
	require.False(t, r.Agrees())
	require.NotContains(t, render(t, r, Text, English), "6221558812340000")
	require.Contains(t, render(t, r, Text, English), "622155******0000")

	// Outside the span only what is not decided is told.
	r = New("", made)
	require.NoError(t, r.AddJournal(bg, q, Span{To: time.Now().Add(-time.Hour)}))
	require.Equal(t, []Row{
		{CardOffline, queue.CNY, Figure{2, 1200}, Figure{}, Figure{2, 1200}},
		{Cash, queue.CNY, Figure{1, 800}, Figure{}, Figure{1, 800}},
		{Refunds, queue.CNY, Figure{1, -50}, Figure{}, Figure{1, -50}},
	}, r.Taken)
}

// said1 is the finding of each ref.
func said1(r *Report) map[string]Finding {
	out := map[string]Finding{}
	for _, l := range r.Lines {
		out[l.Ref] = l.Finding
	}
	return out
}

// A request without an answer is open, not taken; so is its reversal's failure.
func TestAddJournalInDoubt(t *testing.T) {
	q := openJournal(t)
	_, err := q.Do(bg, &scripted{}, sale("silent", queue.CardTender, 1000))
	require.ErrorIs(t, err, queue.ErrInDoubt)
	r := New("", made)
	require.NoError(t, r.AddJournal(bg, q, Span{}))
	require.Equal(t, []Row{{CardOnline, queue.CNY, Figure{}, Figure{}, Figure{1, 1000}}}, r.Taken)
	require.Equal(t, map[string]Finding{"silent": Undecided}, said1(r))
	require.True(t, r.Agrees(), "it goes on by itself")
}

func TestAddSettlement(t *testing.T) {
	for name, c := range map[string]struct {
		host   scripted
		result BatchResult
		lines  []Finding
		agrees bool
	}{
		"balanced":      {scripted{totals: queue.Balanced, end: queue.Approved}, Balanced, nil, true},
		"mended":        {scripted{totals: queue.NotBalanced, detail: queue.Approved, end: queue.Approved}, AfterUpload, []Finding{Mended}, true},
		"different":     {scripted{totals: queue.NotBalanced, detail: queue.Refused, end: queue.Approved}, OutOfBalance, []Finding{ContentDiffers}, false},
		"host has left": {scripted{totals: queue.NotBalanced, detail: queue.NotFound, end: queue.NotFound}, OutOfBalance, []Finding{HostLeft}, false},
		"host has more": {scripted{totals: queue.NotBalanced, detail: queue.Duplicate, end: queue.Refused}, OutOfBalance, []Finding{HostHasMore}, false},
		"not settled":   {scripted{totals: queue.NotBalanced, detail: queue.Unknown}, NotSettled, []Finding{BatchWaits}, true},
	} {
		t.Run(name, func(t *testing.T) {
			q := openJournal(t)
			c.host.says = map[string]queue.Verdict{"card": queue.Approved}
			_, err := q.Do(bg, &c.host, sale("card", queue.CardTender, 1000))
			require.NoError(t, err)
			b, err := q.CloseBatch(bg, lane)
			require.NoError(t, err)
			res, settled := reconcile.Settle(bg, q, b, &c.host)
			if c.result == NotSettled {
				res.Batch = b
			}
			direct, read := New("", made), New("", made)
			require.NoError(t, direct.AddSettlement(bg, q, res, settled))
			require.NoError(t, read.AddJournal(bg, q, Span{}))
			for _, r := range []*Report{direct, read} {
				require.Len(t, r.Batches, 1)
				require.Equal(t, c.result, r.Batches[0].Result)
				require.Equal(t, 1, r.Batches[0].Records)
				require.EqualValues(t, 7, r.Batches[0].HostBatch)
				if c.result != NotSettled {
					require.Equal(t, Figure{1, 1000}, r.Batches[0].Debits)
				}
				var got []Finding
				for _, l := range r.Lines {
					got = append(got, l.Finding)
				}
				require.Equal(t, c.lines, got)
				require.Equal(t, c.agrees, r.Agrees())
			}
		})
	}
	q := openJournal(t)
	_, err := q.Append(bg, offline("x", 1))
	require.NoError(t, err)
	host := &scripted{says: map[string]queue.Verdict{"x": queue.Approved}}
	require.NoError(t, q.Drain(bg, lane, host))
	b, err := q.CloseBatch(bg, lane)
	require.NoError(t, err)
	require.NoError(t, q.SettleBatch(bg, b))
	r := New("", made)
	require.NoError(t, r.AddJournal(bg, q, Span{}))
	require.Equal(t, SettledAlone, r.Batches[0].Result)
}

// A batch of several currencies has a row for each.
func TestAddSettlementOfCurrencies(t *testing.T) {
	q := openJournal(t)
	res := reconcile.Result{Batch: queue.BatchID{Lane: lane, N: 9}, Records: 3, Balanced: true,
		Totals: queue.Totals{Currency: queue.CNY, Inland: queue.Sums{DebitCount: 2, Debit: 300}, Foreign: queue.Sums{CreditCount: 1, Credit: 5}}}
	res.Others = append(res.Others, queue.Totals{Currency: queue.USD, Foreign: queue.Sums{DebitCount: 1, Debit: 70}})
	r := New("", made)
	require.NoError(t, r.AddSettlement(bg, q, res, nil))
	require.Equal(t, []Batch{
		{res.Batch, 0, 3, Figure{2, 300}, Figure{1, 5}, queue.CNY, Balanced},
		{res.Batch, 0, 0, Figure{1, 70}, Figure{}, queue.USD, Balanced},
	}, r.Batches)
	res.Others[0].Inland.Debit = math.MaxInt64
	require.ErrorIs(t, New("", made).AddSettlement(bg, q, res, nil), ErrOverflow)
}

// Of an entry that a salvage has lost since, its number is told.
func TestAddSettlementOfALostEntry(t *testing.T) {
	res := reconcile.Result{Batch: queue.BatchID{Lane: lane, N: 9}, Mended: []queue.ID{7}, Different: []queue.ID{8}}
	r := New("", made)
	require.NoError(t, r.AddSettlement(bg, openJournal(t), res, &reconcile.OutOfBalanceError{Batch: res.Batch, Different: res.Different}))
	require.Equal(t, []Line{{Finding: Mended, Entry: 7}, {Finding: ContentDiffers, Entry: 8}}, r.Lines)
}

func TestAddStatement(t *testing.T) {
	q := openJournal(t)
	host := &scripted{says: map[string]queue.Verdict{"a": queue.Approved, "b": queue.Approved, "c": queue.Approved, "d": queue.Refused}}
	for i, ref := range []string{"a", "b", "c", "d"} {
		_, err := q.Do(bg, host, sale(ref, queue.CardTender, int64(1000+i)))
		require.NoError(t, err)
	}
	m, err := statement.ParseMapping("rrn rrn\namount fen fen\nfee fee fen\n")
	require.NoError(t, err)
	file := "rrn,fen,fee\n000000000001,1000,6\n000000000002,999,0\n000000000004,1003,0\n000000000009,5,1\n000000000009,5,0\n"
	r := New("", made)
	require.NoError(t, r.AddStatement(bg, q, statement.Diff(q.All(bg, queue.Filter{}), statement.Read(strings.NewReader(file), m), nil)))
	require.Equal(t, &Statement{Rows: []StatementRow{
		{0, queue.CNY, 1, 1000, 1000}, {MissingThere, queue.CNY, 1, 1002, 0}, {MissingHere, queue.CNY, 1, 0, 5},
		{AmountDiffers, queue.CNY, 1, 1001, 999}, {StandsThere, queue.CNY, 1, 1003, 1003}, {Doubled, queue.CNY, 1, 0, 5},
	}, Fees: []queue.Money{cny(7)}}, r.Statement)
	lines := map[Finding]Line{}
	for _, l := range r.Lines {
		lines[l.Finding] = l
	}
	require.Len(t, r.Lines, 5)
	require.Equal(t, "c", lines[MissingThere].Ref)
	require.Equal(t, 3, lines[AmountDiffers].FileLine)
	require.Equal(t, []queue.Money{cny(1001), cny(999)}, []queue.Money{lines[AmountDiffers].Here, lines[AmountDiffers].There})
	require.Equal(t, queue.Declined, lines[StandsThere].State)
	require.Equal(t, "000000000009", lines[MissingHere].RRN)
	require.Equal(t, 6, lines[Doubled].FileLine)
	require.False(t, r.Agrees())
}

func TestAddStatementFails(t *testing.T) {
	q := openJournal(t)
	each := func(all ...statement.Difference) iter.Seq2[statement.Difference, error] {
		return func(yield func(statement.Difference, error) bool) {
			for _, d := range all {
				if !yield(d, nil) {
					return
				}
			}
			yield(statement.Difference{}, errors.New("cut short"))
		}
	}
	most := statement.Difference{Kind: statement.MissingHere, Line: statement.Line{Number: 1, Amount: cny(math.MaxInt64)}}
	require.ErrorIs(t, New("", made).AddStatement(bg, q, each(most, most)), ErrOverflow)
	here := statement.Difference{Kind: statement.Matched, Ours: cny(math.MaxInt64)}
	require.ErrorIs(t, New("", made).AddStatement(bg, q, each(here, here)), ErrOverflow)
	require.ErrorContains(t, New("", made).AddStatement(bg, q, each()), "cut short")
	require.ErrorIs(t, New("", made).AddStatement(bg, q, each(statement.Difference{Kind: statement.AmountDiffers, ID: 9, Ours: cny(1)})), queue.ErrNotFound)
}

func TestFiguresOverflow(t *testing.T) {
	f := Figure{1, math.MaxInt64}
	require.ErrorIs(t, f.add(1), ErrOverflow)
	require.Equal(t, Figure{1, math.MaxInt64}, f)
	f = Figure{1, math.MinInt64}
	require.ErrorIs(t, f.add(-1), ErrOverflow)
	require.NoError(t, f.add(5))
}

// A row says that it differs unless what is open explains it.
func TestRowDiffers(t *testing.T) {
	for _, c := range []struct {
		row     Row
		differs bool
	}{
		{Row{Taken: Figure{2, 5}, Host: Figure{2, 5}}, false},
		{Row{Taken: Figure{2, 5}, Host: Figure{2, 6}}, true},
		{Row{Taken: Figure{2, 5}, Host: Figure{1, 3}}, true},
		{Row{Taken: Figure{2, 5}, Host: Figure{1, 3}, Open: Figure{1, 2}}, false},
		{Row{Taken: Figure{1, 5}, Host: Figure{2, 6}, Open: Figure{1, 1}}, true},
	} {
		require.Equal(t, c.differs, c.row.differs(), c.row)
		require.Equal(t, !c.differs, (&Report{Taken: []Row{c.row}}).Agrees())
	}
}
