package isolink_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

const (
	testPAN   = "6216261000000000018"
	merchant  = "898100000000001"
	cardTerm  = "10000001"
	depotTerm = "10000002"
)

var (
	cardLane  = queue.Lane{Host: "acquirer", Merchant: merchant, Terminal: cardTerm}
	depotLane = queue.Lane{Host: "acquirer", Merchant: merchant, Terminal: depotTerm}
)

// till is a device with a journal, its acquirer, and a link between them.
type till struct {
	*queue.Queue
	host   *host.Server
	ledger string
	link   *isolink.Link
	depot  *isolink.Link
}

func newTill(t *testing.T, m host.Mischief) *till {
	t.Helper()
	dir := t.TempDir()
	s := &till{ledger: filepath.Join(dir, "ledger")}
	var err error
	s.host, err = host.Listen(host.Config{Ledger: s.ledger, Mischief: m})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.host.Serve(context.Background()) }()
	t.Cleanup(func() {
		_ = s.host.Close()
		require.NoError(t, <-served)
	})
	s.Queue, err = queue.Open(filepath.Join(dir, "journal"), nil, &queue.Options{Unsealed: true,
		AnswerTimeout: plenty, PrepareTimeout: 2 * plenty, RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond, ReversalTries: 1000})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Queue.Close() })
	s.link = s.newLink(t, cardLane)
	s.depot = s.newLink(t, depotLane)
	return s
}

func (s *till) newLink(t *testing.T, lane queue.Lane) *isolink.Link {
	t.Helper()
	tmk, err := codec.NewMasterKey(host.DefaultTMK())
	require.NoError(t, err)
	l, err := isolink.New(lane, isolink.TCP(s.host.Addr().String()), s.Queue, tmk, patient(nil))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

func cardSale(ref string, fen int64) queue.Transaction {
	return queue.Transaction{Ref: ref, Lane: cardLane, Op: queue.Sale, Tender: queue.CardTender,
		Amount: queue.Money{Minor: fen, Currency: queue.CNY}, EntryMode: "052",
		Card: queue.Card{PAN: queue.NewSecret(testPAN), Expiry: queue.NewSecret("3012"), Sequence: "1"}}
}

func TestSaleAtTheAcquirer(t *testing.T) {
	s := newTill(t, host.Mischief{})
	ctx := context.Background()
	e, err := s.Do(ctx, s.link, cardSale("a", 1250))
	require.NoError(t, err)
	require.Equal(t, queue.Accepted, e.State)
	require.Equal(t, "00", e.Answer.Code)
	require.NotEmpty(t, e.Answer.RRN)
	require.WithinDuration(t, time.Now(), e.Answer.HostTime, 24*time.Hour)
}

// settler is what settling asks of a link, written down here so that a link
// fits it without knowing it.
type settler interface {
	queue.Uplink
	queue.Preparer
	SendTotals(ctx context.Context, b queue.Batch, t queue.Totals) (inland, foreign queue.Balance, err error)
	SendDetail(ctx context.Context, b queue.Batch, e queue.Entry) (queue.Answer, error)
	EndBatch(ctx context.Context, b queue.Batch, balanced bool, records int) (queue.Answer, error)
}

var _ settler = (*isolink.Link)(nil)

func fen(n int64) queue.Money { return queue.Money{Minor: n, Currency: queue.CNY} }

// day makes one of each kind of entry and returns them by ref.
func (s *till) day(t *testing.T) map[string]queue.Entry {
	t.Helper()
	ctx := context.Background()
	do := func(x queue.Transaction) queue.Entry {
		e, err := s.Do(ctx, s.link, x)
		require.NoError(t, err)
		require.Equal(t, queue.Accepted, e.State, x.Ref)
		return e
	}
	a, b := do(cardSale("sale", 1250)), do(cardSale("voided", 300))
	qr := cardSale("qr", 880)
	qr.Tender, qr.EntryMode, qr.Card = queue.QR, "", queue.Card{PayCode: queue.NewSecret("6212345678901234567")}
	do(qr)
	do(queue.Transaction{Ref: "void", Lane: cardLane, Op: queue.Void, Original: b.ID})
	told := cardSale("told", 4000)
	told.Approval = "Y1"
	_, err := s.Append(ctx, told)
	require.NoError(t, err)
	_, err = s.Append(ctx, queue.Transaction{Ref: "refund", Lane: cardLane, Op: queue.Refund, Original: a.ID, Amount: fen(250)})
	require.NoError(t, err)
	_, err = s.Append(ctx, queue.Transaction{Ref: "cash", Lane: depotLane, Op: queue.Sale, Tender: queue.Cash, Amount: fen(5000)})
	require.NoError(t, err)
	require.NoError(t, s.Drain(ctx, cardLane, s.link))
	require.NoError(t, s.Drain(ctx, depotLane, s.depot))
	all := map[string]queue.Entry{}
	for e, err := range s.All(ctx, queue.Filter{}) {
		require.NoError(t, err)
		all[e.Ref] = e
	}
	return all
}

func TestADayAtTheAcquirer(t *testing.T) {
	s := newTill(t, host.Mischief{})
	ctx := context.Background()
	all := s.day(t)
	for ref, e := range all {
		require.Equal(t, queue.Accepted, e.State, ref)
		require.Equal(t, uint32(1), e.HostBatch, ref)
	}
	id, err := s.CloseBatch(ctx, cardLane)
	require.NoError(t, err)
	b, err := s.Batch(ctx, id)
	require.NoError(t, err)
	wrong := queue.Totals{Currency: queue.CNY, Inland: queue.Sums{DebitCount: 1, Debit: 1}}
	inland, foreign, err := s.link.SendTotals(ctx, b, wrong)
	require.NoError(t, err)
	require.Equal(t, []queue.Balance{queue.NotBalanced, queue.Balanced}, []queue.Balance{inland, foreign})

	for ref, e := range all {
		if e.Lane != cardLane {
			continue
		}
		a, err := s.link.SendDetail(ctx, b, e)
		require.NoError(t, err, ref)
		require.Equal(t, queue.Duplicate, a.Verdict, ref)
	}
	other := all["sale"]
	other.Amount.Minor++
	a, err := s.link.SendDetail(ctx, b, other)
	require.NoError(t, err)
	require.Equal(t, queue.Refused, a.Verdict)
	lacking := all["told"]
	lacking.STAN = 777777
	a, err = s.link.SendDetail(ctx, b, lacking)
	require.NoError(t, err)
	require.Equal(t, queue.Approved, a.Verdict)

	right := queue.Totals{Currency: queue.CNY, Inland: queue.Sums{DebitCount: 5, Debit: 10430, CreditCount: 2, Credit: 550}}
	inland, foreign, err = s.link.SendTotals(ctx, b, right)
	require.NoError(t, err)
	require.Equal(t, []queue.Balance{queue.Balanced, queue.Balanced}, []queue.Balance{inland, foreign})
	for range 2 { // the second time the batch is closed already
		a, err = s.link.EndBatch(ctx, b, true, 6)
		require.NoError(t, err)
		require.Equal(t, "95", a.Code) // one detail differed
		require.Equal(t, queue.Refused, a.Verdict)
	}
	line, err := s.link.Prepare(ctx)
	require.NoError(t, err)
	require.Equal(t, uint32(2), line.HostBatch)
}

// A foreign card is counted as such on both sides, taken online or told.
func TestForeignCardsAreCountedApart(t *testing.T) {
	s := newTill(t, host.Mischief{})
	ctx := context.Background()
	visa := queue.Card{PAN: queue.NewSecret("4111111111111111")}
	online, told := cardSale("online", 100), cardSale("told", 30)
	online.Card, told.Card, told.Approval = visa, visa, "Y1"
	sold, err := s.Do(ctx, s.link, online)
	require.NoError(t, err)
	_, err = s.Append(ctx, told)
	require.NoError(t, err)
	_, err = s.Append(ctx, queue.Transaction{Ref: "void", Lane: cardLane, Op: queue.Void, Original: sold.ID})
	require.NoError(t, err)
	_, err = s.Do(ctx, s.link, cardSale("inland", 7))
	require.NoError(t, err)
	require.NoError(t, s.Drain(ctx, cardLane, s.link))
	id, err := s.CloseBatch(ctx, cardLane)
	require.NoError(t, err)
	b, err := s.Batch(ctx, id)
	require.NoError(t, err)
	totals := queue.Totals{Currency: queue.CNY}
	for e, err := range s.All(ctx, queue.Filter{Batch: id}) {
		require.NoError(t, err)
		require.Equal(t, queue.Accepted, e.State, e.Ref)
		sums := &totals.Inland
		if s.link.Foreign(e) {
			sums = &totals.Foreign
		}
		if e.Op == queue.Sale {
			sums.Debit, sums.DebitCount = sums.Debit+e.Amount.Minor, sums.DebitCount+1
		} else {
			sums.Credit, sums.CreditCount = sums.Credit+e.Amount.Minor, sums.CreditCount+1
		}
	}
	require.Equal(t, queue.Sums{Debit: 130, DebitCount: 2, Credit: 100, CreditCount: 1}, totals.Foreign)
	inland, foreign, err := s.link.SendTotals(ctx, b, totals)
	require.NoError(t, err)
	require.Equal(t, []queue.Balance{queue.Balanced, queue.Balanced}, []queue.Balance{inland, foreign})
	for e, err := range s.All(ctx, queue.Filter{Batch: id}) {
		require.NoError(t, err)
		a, err := s.link.SendDetail(ctx, b, e)
		require.NoError(t, err)
		require.Equal(t, queue.Duplicate, a.Verdict, e.Ref)
	}
	a, err := s.link.EndBatch(ctx, b, true, 4)
	require.NoError(t, err)
	require.Equal(t, queue.Approved, a.Verdict)
}
