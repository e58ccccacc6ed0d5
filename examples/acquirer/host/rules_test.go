package host

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
)

// Each row is a terminal's day on a fresh host: what it asks, and the ledger it
// leaves behind.
func TestRules(t *testing.T) {
	for _, row := range []struct {
		name string
		day  func(p *pos) []string // the codes answered, in order
		want []string
		left []Booking // Kind, State, Amount, Refunded, Arrivals, Conflicts are compared
		tomb []Tombstone
	}{
		{"sale", func(p *pos) []string {
			return []string{p.codeOf(p.sale(1250))}
		}, []string{"00"}, []Booking{{Kind: Sale, State: Booked, Amount: 1250, Arrivals: 1}}, nil},
		{"a repeat is answered 94 and booked once", func(p *pos) []string {
			m := p.sale(1250)
			return []string{p.codeOf(m), p.codeOf(m), p.codeOf(m)}
		}, []string{"00", "94", "94"}, []Booking{{Kind: Sale, State: Booked, Amount: 1250, Arrivals: 3}}, nil},
		{"another sale under a taken STAN is a conflict", func(p *pos) []string {
			a := p.sale(1250)
			b := p.sale(990)
			p.set(b, 11, six(stanOf(a)))
			return []string{p.codeOf(a), p.codeOf(b)}
		}, []string{"00", "94"}, []Booking{{Kind: Sale, State: Booked, Amount: 1250, Arrivals: 2, Conflicts: 1}}, nil},
		{"code sale", func(p *pos) []string {
			return []string{p.codeOf(p.qrSale(300, "6212345678901234567"))}
		}, []string{"00"}, []Booking{{Kind: Sale, State: Booked, Amount: 300, Arrivals: 1}}, nil},
		{"code sale whose code is cut short", func(p *pos) []string {
			m := p.qrSale(300, "6212345678901234567")
			p.set(m, 59, "A3019621234567890123456")
			return []string{p.codeOf(m)}
		}, []string{"30"}, nil, nil},
		{"offline sales by card and in cash", func(p *pos) []string {
			return []string{p.codeOf(p.offline(4000, testCard)), p.codeOf(p.offline(5000, ""))}
		}, []string{"00", "00"}, []Booking{
			{Kind: OfflineSale, State: Booked, Amount: 4000, Arrivals: 1},
			{Kind: OfflineSale, State: Booked, Amount: 5000, Arrivals: 1},
		}, nil},
		{"an offline sale by card without a card", func(p *pos) []string {
			m := p.offline(4000, testCard)
			m.Unset(2)
			return []string{p.codeOf(m)}
		}, []string{"30"}, nil, nil},
		{"cash is not sold online", func(p *pos) []string {
			m := p.sale(4000)
			m.Unset(2)
			p.set(m, 22, "000")
			return []string{p.codeOf(m)}
		}, []string{"30"}, nil, nil},
		{"void, once", func(p *pos) []string {
			s := p.sale(1250)
			a := p.ask(s)
			return []string{p.codeOf(p.void(s, a)), p.codeOf(p.void(s, a))}
		}, []string{"00", "12"}, []Booking{
			{Kind: Sale, State: Voided, Amount: 1250, Arrivals: 1},
			{Kind: Void, State: Booked, Amount: 1250, Arrivals: 1},
		}, nil},
		{"void of something unknown, of another RRN, of another amount", func(p *pos) []string {
			s := p.sale(1250)
			a := p.ask(s)
			unknown := p.void(p.sale(1250), a)
			rrn := p.void(s, a)
			p.set(rrn, 37, "999999999999")
			amount := p.void(s, a)
			p.set(amount, 4, twelve(1249))
			return []string{p.codeOf(unknown), p.codeOf(rrn), p.codeOf(amount)}
		}, []string{"25", "25", "64"}, []Booking{{Kind: Sale, State: Booked, Amount: 1250, Arrivals: 1}}, nil},
		{"void of an offline sale", func(p *pos) []string {
			s := p.offline(1250, testCard)
			a := p.ask(s)
			return []string{p.codeOf(p.void(s, a))}
		}, []string{"12"}, []Booking{{Kind: OfflineSale, State: Booked, Amount: 1250, Arrivals: 1}}, nil},
		{"refunds, up to the amount", func(p *pos) []string {
			s := p.sale(1000)
			a := p.ask(s)
			byRRN := p.refund(s, a, 300)
			byRRN.Unset(61)
			by61 := p.refund(s, a, 300)
			by61.Unset(37)
			return []string{p.codeOf(p.refund(s, a, 400)), p.codeOf(p.refund(s, a, 601)), p.codeOf(byRRN), p.codeOf(by61), p.codeOf(p.refund(s, a, 1))}
		}, []string{"00", "64", "00", "00", "64"}, []Booking{
			{Kind: Sale, State: Booked, Amount: 1000, Refunded: 1000, Arrivals: 1},
			{Kind: Refund, State: Booked, Amount: 300, Arrivals: 1},
			{Kind: Refund, State: Booked, Amount: 300, Arrivals: 1},
			{Kind: Refund, State: Booked, Amount: 400, Arrivals: 1},
		}, nil},
		{"refund repeated takes nothing more", func(p *pos) []string {
			s := p.sale(1000)
			a := p.ask(s)
			r := p.refund(s, a, 400)
			return []string{p.codeOf(r), p.codeOf(r)}
		}, []string{"00", "94"}, []Booking{
			{Kind: Sale, State: Booked, Amount: 1000, Refunded: 400, Arrivals: 1},
			{Kind: Refund, State: Booked, Amount: 400, Arrivals: 2},
		}, nil},
		{"refund of something voided, void of something refunded", func(p *pos) []string {
			s, r := p.sale(1000), p.sale(2000)
			a, b := p.ask(s), p.ask(r)
			return []string{p.codeOf(p.void(s, a)), p.codeOf(p.refund(s, a, 1)), p.codeOf(p.refund(r, b, 1)), p.codeOf(p.void(r, b))}
		}, []string{"00", "12", "00", "12"}, []Booking{
			{Kind: Sale, State: Voided, Amount: 1000, Arrivals: 1},
			{Kind: Sale, State: Booked, Amount: 2000, Refunded: 1, Arrivals: 1},
			{Kind: Void, State: Booked, Amount: 1000, Arrivals: 1},
			{Kind: Refund, State: Booked, Amount: 1, Arrivals: 1},
		}, nil},
		{"reversal, and the same reversal again", func(p *pos) []string {
			s := p.sale(1250)
			return []string{p.codeOf(s), p.codeOf(p.reversal(s)), p.codeOf(p.reversal(s)), p.codeOf(s)}
		}, []string{"00", "00", "00", "94"}, []Booking{{Kind: Sale, State: Reversed, Amount: 1250, Arrivals: 2}}, nil},
		{"reversal before its original", func(p *pos) []string {
			s := p.sale(1250)
			return []string{p.codeOf(p.reversal(s)), p.codeOf(p.reversal(s)), p.codeOf(s), p.codeOf(s)}
		}, []string{"25", "25", "12", "12"}, nil, []Tombstone{{Kind: Sale, Amount: 1250, Arrivals: 2, Refused: 2}}},
		{"reversal of a void lets the sale stand", func(p *pos) []string {
			s := p.sale(1250)
			a := p.ask(s)
			v := p.void(s, a)
			return []string{p.codeOf(v), p.codeOf(p.reversal(v)), p.codeOf(p.void(s, a))}
		}, []string{"00", "00", "00"}, []Booking{
			{Kind: Sale, State: Voided, Amount: 1250, Arrivals: 1},
			{Kind: Void, State: Reversed, Amount: 1250, Arrivals: 1},
			{Kind: Void, State: Booked, Amount: 1250, Arrivals: 1},
		}, nil},
		{"void of something reversed, reversal of something voided", func(p *pos) []string {
			s, v := p.sale(1000), p.sale(2000)
			a, b := p.ask(s), p.ask(v)
			return []string{p.codeOf(p.reversal(s)), p.codeOf(p.void(s, a)), p.codeOf(p.void(v, b)), p.codeOf(p.reversal(v))}
		}, []string{"00", "25", "00", "12"}, []Booking{
			{Kind: Sale, State: Reversed, Amount: 1000, Arrivals: 1},
			{Kind: Sale, State: Voided, Amount: 2000, Arrivals: 1},
			{Kind: Void, State: Booked, Amount: 2000, Arrivals: 1},
		}, nil},
		{"reversal under a STAN that another sale has", func(p *pos) []string {
			s := p.sale(1250)
			other := p.sale(990)
			p.set(other, 11, six(stanOf(s)))
			return []string{p.codeOf(s), p.codeOf(p.reversal(other)), p.codeOf(p.reversal(s))}
		}, []string{"00", "25", "00"}, []Booking{{Kind: Sale, State: Reversed, Amount: 1250, Arrivals: 1, Conflicts: 1}}, nil},
		{"an advice is not reversed", func(p *pos) []string {
			s := p.offline(1250, testCard)
			return []string{p.codeOf(s), p.codeOf(p.reversal(s))}
		}, []string{"00", "12"}, []Booking{{Kind: OfflineSale, State: Booked, Amount: 1250, Arrivals: 1}}, nil},
		{"a batch that is not the current one", func(p *pos) []string {
			p.batch++
			return []string{p.codeOf(p.sale(1250))}
		}, []string{"77"}, nil, nil},
		{"nothing, of another currency, without its amount, of a kind not offered", func(p *pos) []string {
			currency := p.sale(1)
			p.set(currency, 49, "840")
			none := p.sale(1)
			none.Unset(4)
			balance := p.sale(1)
			p.setValue(balance, 60, codec.Private60{Type: codec.TypeBalance, Batch: p.batch})
			return []string{p.codeOf(p.sale(0)), p.codeOf(currency), p.codeOf(none), p.codeOf(balance)}
		}, []string{"13", "30", "30", "40"}, nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := start(t, Config{Ledger: ledgerPath(t)})
			require.Equal(t, row.want, row.day(open(t, s.Addr().String())))
			l := stopAndRead(t, s)
			require.Equal(t, len(row.left), len(l.Bookings), "%+v", l.Bookings)
			for i, got := range l.Bookings {
				require.Equal(t, row.left[i], Booking{Kind: got.Kind, State: got.State, Amount: got.Amount,
					Refunded: got.Refunded, Arrivals: got.Arrivals, Conflicts: got.Conflicts}, "booking %d", i)
			}
			require.Equal(t, len(row.tomb), len(l.Tombstones))
			for i, got := range l.Tombstones {
				got.Identity = Identity{}
				require.Equal(t, row.tomb[i], got)
			}
		})
	}
}

func TestWhoIsNotKnownOrSignedIn(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	p := dial(t, s.Addr().String())
	p.mac, _ = codec.NewECBMAC(make([]byte, 8))
	p.batch = 1
	require.Equal(t, "77", p.codeOf(p.sale(1)), "before the first sign-in")

	p.signIn(codec.NetSignInSingle)
	require.Equal(t, "00", p.codeOf(p.sale(1)), "keys of single length")

	own := p.mac
	p.mac, _ = codec.NewECBMAC([]byte{1, 2, 3, 4, 5, 6, 7, 8})
	require.Equal(t, "A0", p.codeOf(p.sale(1)))
	p.mac = own

	p.terminal = "10000009"
	require.Equal(t, "97", p.codeOf(p.sale(1)))
	p.terminal, p.merchant = testTerminal, "898100000000002"
	require.Equal(t, "03", p.codeOf(p.sale(1)))
	p.merchant = testMerchant

	off := p.message(mtiNetwork, codec.Private60{Batch: p.batch, Network: codec.NetSignOff})
	p.next(off)
	require.Equal(t, "00", p.codeOf(off))
	require.Equal(t, "77", p.codeOf(p.sale(1)), "after the sign-off")
	require.Equal(t, "00", p.codeOf(p.echo()))
	require.Equal(t, "40", func() string { v, _ := p.signIn(codec.NetSignInSM4).Text(39); return v }())
	require.Len(t, stopAndRead(t, s).Bookings, 1)
}

// Two terminals may use one STAN; what one books is not the other's.
func TestTerminalsAreApart(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	a := open(t, s.Addr().String())
	b := dial(t, s.Addr().String())
	b.terminal = "10000002"
	b.signIn(codec.NetSignInDouble)
	sale := a.sale(700)
	answered := a.ask(sale)
	require.Equal(t, "00", b.codeOf(b.sale(700)))
	require.Equal(t, "12", b.codeOf(b.void(sale, answered)), "a void is for the terminal that sold")
	refund := b.refund(sale, answered, 100)
	refund.Unset(61)
	require.Equal(t, "00", b.codeOf(refund), "the same merchant may refund at another terminal")
	require.Equal(t, int64(100), stopAndRead(t, s).Bookings[0].Refunded)
}

// What one merchant sold another cannot refund.
func TestMerchantsAreApart(t *testing.T) {
	const other = "898100000000002"
	s := start(t, Config{Ledger: ledgerPath(t), Terminals: map[string]string{testTerminal: testMerchant, "10000002": other}})
	a := open(t, s.Addr().String())
	b := dial(t, s.Addr().String())
	b.terminal, b.merchant = "10000002", other
	b.signIn(codec.NetSignInDouble)
	sale := a.sale(700)
	refund := b.refund(sale, a.ask(sale), 100)
	refund.Unset(61)
	require.Equal(t, "25", b.codeOf(refund))
	require.Len(t, stopAndRead(t, s).Bookings, 1)
}

func TestAnswerCarriesWhatIsNeeded(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	p := open(t, s.Addr().String())
	m := p.sale(1250)
	a := p.ask(m)
	for _, de := range []int{3, 4, 11, 12, 13, 15, 25, 32, 37, 38, 39, 41, 42, 49, 60, 64} {
		require.True(t, a.Has(de), "DE %d", de)
	}
	again := p.ask(m)
	require.True(t, again.Has(64))
	first, _ := a.Text(37)
	second, _ := again.Text(37)
	require.Equal(t, first, second, "a repeat learns the RRN of the booking")

	got := stopAndRead(t, s).Bookings[0]
	require.Equal(t, "622155******0000", got.PAN)
	require.Equal(t, first, got.RRN)
	require.Equal(t, "051", got.Entry)
}
