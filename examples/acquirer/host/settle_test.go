package host

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
)

func detailOf(t *testing.T, m *codec.Message) codec.Detail48 {
	t.Helper()
	d := codec.Detail48{STAN: stanOf(m), Amount: amountOf(m)}
	if v, ok := m.Text(2); ok {
		pan, err := codec.NewPAN(v)
		require.NoError(t, err)
		d.PAN = pan
	}
	return d
}

func TestSettlementInBalance(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	p := open(t, s.Addr().String())
	sale, gone := p.sale(1000), p.sale(9999)
	answered := p.ask(sale)
	require.Equal(t, "00", p.codeOf(gone))
	require.Equal(t, "00", p.codeOf(p.reversal(gone)))
	void := p.void(sale, answered)
	require.Equal(t, "00", p.codeOf(void))
	abroad := p.offline(500, testVisa)
	p.set(abroad, 63, codec.OrgVisa)
	foreign := p.ask(abroad)
	refund := p.refund(abroad, foreign, 200)
	p.set(refund, 63, codec.OrgVisa)
	require.Equal(t, "00", p.codeOf(refund))

	// A voided sale and its void both count, what was reversed does not.
	claim := codec.Totals48{
		Inland:  codec.GroupTotals{DebitAmount: 1000, DebitCount: 1, CreditAmount: 1000, CreditCount: 1},
		Foreign: codec.GroupTotals{DebitAmount: 500, DebitCount: 1, CreditAmount: 200, CreditCount: 1},
	}
	for range 2 {
		a := p.ask(p.settle(claim))
		require.False(t, a.Has(39), "a settlement is answered in DE 48")
		inland, abroad := p.verdicts(a)
		require.Equal(t, codec.VerdictBalanced, inland)
		require.Equal(t, codec.VerdictBalanced, abroad)
	}
	wrong := claim
	wrong.Foreign.CreditCount = 2
	inland, outland := p.verdicts(p.ask(p.settle(wrong)))
	require.Equal(t, codec.VerdictBalanced, inland)
	require.Equal(t, codec.VerdictUnbalanced, outland)
	p.ask(p.settle(claim))

	require.Equal(t, "00", p.codeOf(p.end(codec.NetBatchEndEqual, 0)))
	require.Equal(t, "00", p.codeOf(p.end(codec.NetBatchEndEqual, 0)), "the same end again")
	inland, outland = p.verdicts(p.ask(p.settle(claim)))
	require.Equal(t, codec.VerdictBalanced, inland, "a closed batch repeats its result")
	require.Equal(t, codec.VerdictBalanced, outland)
	inland, outland = p.verdicts(p.ask(p.settle(wrong)))
	require.Equal(t, codec.VerdictBalanced, inland)
	require.Equal(t, codec.VerdictUnbalanced, outland, "another claim is not what was balanced")

	require.Equal(t, "77", p.codeOf(p.sale(1)), "the batch is closed")
	require.Equal(t, "94", p.codeOf(sale), "but what is booked is known for ever")
	require.Equal(t, "00", p.codeOf(p.reversal(gone)), "and so is what was reversed")
	require.Equal(t, "22", p.codeOf(p.reversal(void)), "no undoing after the end")
	p.signIn(codec.NetSignInDouble)
	require.Equal(t, 2, p.batch)
	refund = p.refund(abroad, foreign, 300)
	require.Equal(t, "00", p.codeOf(refund), "the rest is refunded in the next batch")

	l := stopAndRead(t, s)
	require.Len(t, l.Batches, 1)
	require.Equal(t, Batch{Terminal: testTerminal, Number: 1, State: BatchClosed,
		Claimed: Totals{Inland: Group{DebitAmount: 1000, DebitCount: 1, CreditAmount: 1000, CreditCount: 1}, Foreign: Group{DebitAmount: 500, DebitCount: 1, CreditAmount: 200, CreditCount: 1}},
		Own:     Totals{Inland: Group{DebitAmount: 1000, DebitCount: 1, CreditAmount: 1000, CreditCount: 1}, Foreign: Group{DebitAmount: 500, DebitCount: 1, CreditAmount: 200, CreditCount: 1}},
		Inland:  Balanced, Foreign: Balanced, End: "00", EndType: 207}, l.Batches[0])
}

// The host forgets two sales; the settlement finds it and the upload mends it.
func TestUploadMendsWhatTheHostForgot(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t), Mischief: Mischief{Forget: 2}})
	p := open(t, s.Addr().String())
	card, cash, kept := p.sale(100), p.offline(200, ""), p.sale(300)
	for _, m := range []*codec.Message{card, cash, kept} {
		require.Equal(t, "00", p.codeOf(m))
	}
	require.Zero(t, s.Mischief().Forget)
	claim := codec.Totals48{Inland: codec.GroupTotals{DebitAmount: 600, DebitCount: 3}}

	require.Equal(t, "12", p.codeOf(p.details(codec.Details48{detailOf(t, card)})), "details before the totals")
	require.Equal(t, "12", p.codeOf(p.end(codec.NetBatchEnd, 0)), "an end before the totals")
	inland, _ := p.verdicts(p.ask(p.settle(claim)))
	require.Equal(t, codec.VerdictUnbalanced, inland)

	missing := codec.Details48{detailOf(t, card), detailOf(t, cash)}
	require.Equal(t, "00", p.codeOf(p.details(missing)))
	require.Equal(t, "94", p.codeOf(p.details(missing)), "again")
	require.Equal(t, "94", p.codeOf(p.details(codec.Details48{detailOf(t, kept)})))
	require.Equal(t, "94", p.codeOf(card), "the sale itself, late")
	require.Equal(t, "00", p.codeOf(p.end(codec.NetBatchEnd, 3)))
	require.Equal(t, "94", p.codeOf(p.details(missing)), "after the end")
	inland, _ = p.verdicts(p.ask(p.settle(claim)))
	require.Equal(t, codec.VerdictBalanced, inland, "the result at the close")

	l := stopAndRead(t, s)
	require.Len(t, l.Bookings, 3)
	require.True(t, l.Bookings[0].FromUpload)
	require.Equal(t, "622155******0000", l.Bookings[0].PAN)
	require.Empty(t, l.Bookings[1].PAN)
	require.Zero(t, l.Bookings[0].Conflicts)
	require.Equal(t, 2, l.Batches[0].Uploaded)
	require.Empty(t, l.Conflicts)
}

func TestUploadThatDiffers(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	p := open(t, s.Addr().String())
	a, extra := p.sale(100), p.sale(300)
	require.Equal(t, "00", p.codeOf(a))
	require.Equal(t, "00", p.codeOf(extra))
	late := p.sale(400)
	p.ask(p.reversal(late))
	p.ask(p.settle(codec.Totals48{Inland: codec.GroupTotals{DebitAmount: 110, DebitCount: 1}}))

	other := detailOf(t, a)
	other.Amount = 110
	lost := p.offline(50, "")
	require.Equal(t, "64", p.codeOf(p.details(codec.Details48{other, detailOf(t, lost)})), "one differs")
	require.Equal(t, "94", p.codeOf(p.details(codec.Details48{detailOf(t, lost)})), "the other was booked all the same")
	require.Equal(t, "64", p.codeOf(p.details(codec.Details48{detailOf(t, late)})), "what was reversed is not booked again")
	require.Equal(t, "95", p.codeOf(p.end(codec.NetBatchEnd, 2)))
	require.Equal(t, "95", p.codeOf(p.end(codec.NetBatchEnd, 2)), "again")
	require.Equal(t, "64", p.codeOf(p.details(codec.Details48{detailOf(t, p.sale(9))})), "nothing new enters a closed batch")

	l := stopAndRead(t, s)
	require.Len(t, l.Bookings, 3)
	require.Equal(t, int64(100), l.Bookings[0].Amount)
	require.Len(t, l.Conflicts, 3)
	require.Equal(t, uint32(2), l.Terminals[0].Batch)
	require.Equal(t, Unbalanced, l.Batches[0].Inland)
}

// An advice, a void and a refund can be uploaded one by one, with their own
// STAN, type and fields; the kind is kept and the original follows.
func TestUploadOneByOne(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	p := open(t, s.Addr().String())
	sale, partly := p.sale(700), p.sale(800)
	a, b := p.ask(sale), p.ask(partly)
	advice := p.offline(500, testCard)
	p.set(advice, 38, "123456")
	void, refund := p.void(sale, a), p.refund(partly, b, 250)
	p.ask(p.settle(codec.Totals48{}))
	for _, m := range []*codec.Message{advice, void, refund} {
		up := p.message(mtiUpload, codec.Private60{Type: p.typeOf(m), Batch: p.batch, Digits: 11})
		for _, de := range []int{2, 3, 4, 11, 22, 25, 37, 38, 49, 61, 63} {
			if v, ok := m.Text(de); ok {
				p.set(up, de, v)
			}
		}
		require.Equal(t, "00", p.codeOf(up))
		require.Equal(t, "94", p.codeOf(up))
		p.set(up, 4, twelve(1))
		require.Equal(t, "64", p.codeOf(up))
	}
	l := stopAndRead(t, s)
	require.Len(t, l.Bookings, 5)
	require.Equal(t, Voided, l.Bookings[0].State)
	require.Equal(t, int64(250), l.Bookings[1].Refunded)
	for i, want := range []Kind{OfflineSale, Void, Refund} {
		require.Equal(t, want, l.Bookings[2+i].Kind)
		require.True(t, l.Bookings[2+i].FromUpload)
	}
	require.Equal(t, "123456", l.Bookings[2].AuthCode)
}

func (p *pos) typeOf(m *codec.Message) int {
	v, _ := m.Text(60)
	d, err := codec.ParsePrivate60(v)
	require.NoError(p.t, err)
	return d.Type
}

func TestSettlementOfAnUnknownBatch(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	p := open(t, s.Addr().String())
	p.batch = 7
	a := p.ask(p.settle(codec.Totals48{}))
	inland, foreign := p.verdicts(a)
	require.Equal(t, codec.VerdictError, inland)
	require.Equal(t, codec.VerdictError, foreign)
	code, _ := a.Text(39)
	require.Equal(t, "77", code)
	require.Equal(t, "77", p.codeOf(p.end(codec.NetBatchEnd, 0)))
	require.Equal(t, "77", p.codeOf(p.details(codec.Details48{{STAN: 1, Amount: 1}})))
}
