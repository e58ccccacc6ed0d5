package isolink_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
	"github.com/tallystick/tallystick/reconcile"
)

// bothStyles runs a test at hosts of 1987 and of 1993.
func bothStyles(t *testing.T, o isolink.Options, test func(t *testing.T, s *isoTill)) {
	t.Parallel()
	for _, style := range []isolink.Style{isolink.ISO1987, isolink.ISO1993} {
		t.Run(style.String(), func(t *testing.T) {
			t.Parallel()
			test(t, newISOTill(t, style, o))
		})
	}
}

// isoDay makes one of each kind of entry.
func (s *isoTill) isoDay(t *testing.T) {
	t.Helper()
	ctx := t.Context()
	a, b := s.sell(t, "sale", 1250), s.sell(t, "voided", 300)
	e, err := s.Do(ctx, s.link, queue.Transaction{Ref: "void", Lane: cardLane, Op: queue.Void, Original: b.ID})
	require.NoError(t, err)
	require.Equal(t, queue.Accepted, e.State)
	told := cardSale("told", 4000)
	told.Approval = "Y1"
	_, err = s.Append(ctx, told)
	require.NoError(t, err)
	_, err = s.Append(ctx, queue.Transaction{Ref: "refund", Lane: cardLane, Op: queue.Refund, Original: a.ID, Amount: fen(250)})
	require.NoError(t, err)
	s.host.mu.Lock()
	s.host.lose = 1
	s.host.mu.Unlock()
	_, err = s.Do(ctx, s.link, cardSale("reversed", 77))
	require.ErrorIs(t, err, queue.ErrInDoubt)
	require.NoError(t, s.Drain(ctx, cardLane, s.link))
	for e, err := range s.All(ctx, queue.Filter{}) {
		require.NoError(t, err)
		require.True(t, e.State == queue.Accepted || e.State == queue.Reversed, "%s is %s: %s", e.Ref, e.State, e.ParkedWhy)
	}
}

func (s *isoTill) settle(t *testing.T) (reconcile.Result, error) {
	t.Helper()
	b, err := s.CloseBatch(t.Context(), cardLane)
	require.NoError(t, err)
	for {
		r, err := reconcile.Settle(t.Context(), s.Queue, b, s.link)
		var line *isolink.LineError
		if !errors.As(err, &line) {
			return r, err
		}
	}
}

func TestISODay(t *testing.T) {
	bothStyles(t, isolink.Options{}, func(t *testing.T, s *isoTill) {
		s.isoDay(t)
		r, err := s.settle(t)
		require.NoError(t, err)
		require.True(t, r.Balanced)
		require.Equal(t, queue.Sums{DebitCount: 3, Debit: 5550, CreditCount: 2, Credit: 550}, r.Totals.Inland)
		for _, b := range s.host.books {
			require.True(t, b.reversed || b.closed)
		}
		_, err = s.settle(t)
		require.NoError(t, err, "an empty batch")
	})
}

// The messages, field by field.
func TestISOMessages(t *testing.T) {
	want := map[isolink.Style][]string{
		isolink.ISO1987: {
			"0800 7 11=000001 12 13 32=123456 41=10000001 42=898100000000001 70=001",
			"0200 2 3=000000 4=000000001250 7 11=000002 12 13 14 22=052 23=001 25=00 32=123456 41=10000001 42=898100000000001 49=156",
			"0420 2 3=000000 4=000000000077 7 11=000007 12 13 14 22=052 23=001 25=00 32=123456 39=68 41=10000001 42=898100000000001 49=156",
			"0500 7 11=000008 12 13 32=123456 41=10000001 42=898100000000001 50=156 71=0001 74=0000000002 75=0000000000 76=0000000003 77=0000000000 " +
				"86=0000000000000550 87=0000000000000000 88=0000000000005550 89=0000000000000000 97=D0000000000005000",
		},
		isolink.ISO1993: {
			"1804 7 11=000001 12 24=801 32=123456 41=10000001 42=898100000000001",
			"1200 2 3=000000 4=000000001250 7 11=000002 12 14 22=500001500000 23=001 24=200 32=123456 41=10000001 42=898100000000001 49=156",
			"1420 2 3=000000 4=000000000077 7 11=000007 12 14 22=500001500000 23=001 24=400 25=4021 32=123456 41=10000001 42=898100000000001 49=156",
			"1500 7 11=000008 12 24=500 28 29=001 32=123456 41=10000001 42=898100000000001 50=156 74=0000000002 75=0000000000 76=0000000003 77=0000000000 " +
				"86=0000000000000550 87=0000000000000000 88=0000000000005550 89=0000000000000000 97=D0000000000005000",
		},
	}
	bothStyles(t, isolink.Options{}, func(t *testing.T, s *isoTill) {
		s.isoDay(t)
		_, err := s.settle(t)
		require.NoError(t, err)
		style := isolink.ISO1987
		if s.host.iso1993 {
			style = isolink.ISO1993
		}
		for _, w := range want[style] {
			found := false
			for _, got := range s.host.seen {
				for _, of := range []string{" 56=", " 90="} { // holds times
					if i := strings.Index(got, of); i > 0 {
						end := strings.Index(got[i+1:], " ")
						if end < 0 {
							got = got[:i]
						} else {
							got = got[:i] + got[i+1+end:]
						}
					}
				}
				found = found || got == w
			}
			require.True(t, found, "%s\namong\n%s", w, strings.Join(s.host.seen, "\n"))
		}
	})
}

// A repeat bears its mark, and is booked once.
func TestISORepeats(t *testing.T) {
	bothStyles(t, isolink.Options{}, func(t *testing.T, s *isoTill) {
		s.sell(t, "first", 1)
		s.host.mu.Lock()
		s.host.lose = 2
		s.host.mu.Unlock()
		told := cardSale("told", 4000)
		told.Approval = "Y1"
		_, err := s.Append(t.Context(), told)
		require.NoError(t, err)
		require.NoError(t, s.Drain(t.Context(), cardLane, s.link))
		var types []string
		for _, m := range s.host.seen {
			if strings.Contains(m[:4], "22") {
				types = append(types, m[1:4])
				require.Equal(t, strings.Replace(m, "221 ", "220 ", 1), strings.Replace(s.host.seen[len(s.host.seen)-1], "221 ", "220 ", 1))
			}
		}
		require.Equal(t, []string{"220", "221", "221"}, types)
		e, err := s.ByRef(t.Context(), "told")
		require.NoError(t, err)
		require.Equal(t, queue.Accepted, e.State)
	})
}

// Where the totals differ the details go as advices, and the totals again.
func TestISODetails(t *testing.T) {
	bothStyles(t, isolink.Options{AdviseTotals: true}, func(t *testing.T, s *isoTill) {
		s.sell(t, "a", 100)
		s.host.mu.Lock()
		s.host.forget = 1
		s.host.mu.Unlock()
		lost := s.sell(t, "lost", 250)
		r, err := s.settle(t)
		require.NoError(t, err)
		require.False(t, r.Balanced)
		require.Equal(t, []queue.ID{lost.ID}, r.Mended)
		totals := 0
		for _, m := range s.host.seen {
			if strings.HasPrefix(m[1:], "520") {
				totals++
			}
		}
		require.Equal(t, 2, totals)

		s.sell(t, "b", 5)
		s.host.mu.Lock()
		s.host.books["777777"] = &isoBooking{amount: 9, currency: "156", kind: "000000"}
		s.host.mu.Unlock()
		_, err = s.settle(t)
		var unequal *reconcile.OutOfBalanceError
		require.ErrorAs(t, err, &unequal)
	})
}

// Each currency is compared by itself.
func TestISOCurrencies(t *testing.T) {
	bothStyles(t, isolink.Options{}, func(t *testing.T, s *isoTill) {
		require.True(t, s.link.PerCurrency())
		s.sell(t, "yuan", 100)
		dollars := cardSale("dollars", 900)
		dollars.Amount.Currency = queue.USD
		_, err := s.Do(t.Context(), s.link, dollars)
		require.NoError(t, err)
		b := queue.Batch{ID: queue.BatchID{Lane: cardLane, N: 1}}
		for currency, sum := range map[queue.Currency]int64{queue.CNY: 100, queue.USD: 900} {
			said, _, err := s.link.SendTotals(t.Context(), b, queue.Totals{Currency: currency, Foreign: queue.Sums{DebitCount: 1, Debit: sum + 1}})
			require.NoError(t, err)
			require.Equal(t, queue.NotBalanced, said)
			a, err := s.link.EndTotals(t.Context(), b, queue.Totals{Currency: currency, Inland: queue.Sums{DebitCount: 1, Debit: sum}}, false)
			require.NoError(t, err)
			require.Equal(t, queue.Approved, a.Verdict)
		}
		_, err = s.link.EndBatch(t.Context(), queue.Batch{ID: queue.BatchID{Lane: cardLane, N: 9}}, false, 1)
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})
}

// A batch of two currencies is settled, and mended in the one that differs.
func TestISOCurrenciesAreSettled(t *testing.T) {
	bothStyles(t, isolink.Options{}, func(t *testing.T, s *isoTill) {
		s.sell(t, "yuan", 100)
		s.host.mu.Lock()
		s.host.forget = 1
		s.host.mu.Unlock()
		dollars := cardSale("dollars", 900)
		dollars.Amount.Currency = queue.USD
		lost, err := s.Do(t.Context(), s.link, dollars)
		require.NoError(t, err)
		r, err := s.settle(t)
		require.NoError(t, err)
		require.Equal(t, []queue.ID{lost.ID}, r.Mended)
		require.Len(t, r.Others, 1)
		for _, b := range s.host.books {
			require.True(t, b.closed)
		}
	})
}

// What a host says of totals.
func TestISOVerdicts(t *testing.T) {
	totals := queue.Totals{Currency: queue.CNY}
	for _, x := range []struct {
		style  isolink.Style
		change func(m *codec.Message)
		want   queue.Balance
		reason isolink.Reason
	}{
		{isolink.ISO1987, func(m *codec.Message) { set(m, 66, "1") }, queue.Balanced, 0},
		{isolink.ISO1987, func(m *codec.Message) { set(m, 66, "2") }, queue.NotBalanced, 0},
		{isolink.ISO1987, func(m *codec.Message) { set(m, 66, "3") }, queue.BalanceError, 0},
		{isolink.ISO1987, func(m *codec.Message) { m.Unset(66) }, queue.Balanced, 0},
		{isolink.ISO1987, func(m *codec.Message) { m.Unset(66); set(m, 39, "95") }, queue.NotBalanced, 0},
		{isolink.ISO1987, func(m *codec.Message) { m.Unset(66); set(m, 39, "91") }, 0, isolink.HostBusy},
		{isolink.ISO1987, func(m *codec.Message) { m.Unset(66); set(m, 39, "58") }, 0, isolink.HostRefused},
		{isolink.ISO1987, func(m *codec.Message) { set(m, 88, "0000000000000001") }, queue.NotBalanced, 0},
		{isolink.ISO1987, func(m *codec.Message) { set(m, 97, "D0000000000000000") }, queue.NotBalanced, 0},
		{isolink.ISO1987, func(m *codec.Message) { set(m, 50, "840") }, queue.NotBalanced, 0},
		{isolink.ISO1993, func(m *codec.Message) {}, queue.Balanced, 0},
		{isolink.ISO1993, func(m *codec.Message) { set(m, 39, "501") }, queue.NotBalanced, 0},
		{isolink.ISO1993, func(m *codec.Message) { set(m, 39, "502") }, queue.NotBalanced, 0},
		{isolink.ISO1993, func(m *codec.Message) { set(m, 39, "503") }, 0, isolink.HostBusy},
		{isolink.ISO1993, func(m *codec.Message) { set(m, 39, "504") }, queue.NotBalanced, 0},
	} {
		s := newISOTill(t, x.style, isolink.Options{})
		s.host.change = func(m *codec.Message) {
			if m.Type()&0x0F00 == 0x0500 {
				x.change(m)
			}
		}
		inland, foreign, err := s.link.SendTotals(t.Context(), queue.Batch{}, totals)
		if x.reason != 0 {
			requireReason(t, x.reason, err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, x.want, inland)
		require.Equal(t, x.want, foreign)
	}
}

// A MAC that both sides have the key of is demanded of every approval.
func TestISOMAC(t *testing.T) {
	mac, err := codec.NewX919MAC([]byte("0123456789abcdef"), codec.MACOptions{})
	require.NoError(t, err)
	s := newISOTill(t, isolink.ISO1987, isolink.Options{MAC: mac})
	_, err = s.link.Prepare(t.Context())
	require.NoError(t, err)
	_, err = s.link.Send(t.Context(), cardEntry())
	require.ErrorIs(t, err, queue.ErrBadMAC, "the host signs nothing")
	inDoubt(t, err)
}

// What a style cannot express is said before anything is sent.
func TestISOUnsendable(t *testing.T) {
	s := newISOTill(t, isolink.ISO1987, isolink.Options{})
	qr := cardEntry()
	qr.Tender = queue.QR
	for _, e := range []queue.Entry{qr, entry(queue.Notice, queue.Report, 0), entry(queue.Request, queue.Sale, queue.Cash),
		entry(queue.Request, queue.Sale, queue.CardTender), entry(queue.Advice, queue.Refund, queue.CardTender)} {
		_, err := s.link.Send(t.Context(), e)
		require.ErrorIs(t, err, queue.ErrUnsendable)
	}
	require.Empty(t, s.host.seen)
	_, err := isolink.New(cardLane, isolink.TCP("127.0.0.1:1"), new(series), nil, &isolink.Options{Style: 9})
	require.Error(t, err)
	_, err = isolink.New(cardLane, isolink.TCP("127.0.0.1:1"), new(series), nil, nil)
	require.Error(t, err, "UnionPay's sign-in brings keys")
	_, err = isolink.New(cardLane, isolink.TCP("127.0.0.1:1"), new(series), nil, &isolink.Options{Style: isolink.ISO1987, Institution: "12x"})
	require.Error(t, err)
}

func TestDetailRank(t *testing.T) {
	l := newScripted(t, nil).link(nil)
	for rank, e := range []queue.Entry{entry(queue.Advice, queue.Sale, queue.CardTender), entry(queue.Request, queue.Void, queue.CardTender),
		entry(queue.Advice, queue.Refund, queue.CardTender)} {
		require.Equal(t, rank, l.DetailRank(e))
		require.Zero(t, newISOTill(t, isolink.ISO1993, isolink.Options{}).link.DetailRank(e))
	}
	_, err := l.EndTotals(t.Context(), queue.Batch{}, queue.Totals{}, true)
	require.ErrorIs(t, err, errors.ErrUnsupported)
}
