package routes_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/internal/faultproxy"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
	"github.com/tallystick/tallystick/queue/routes"
)

// One terminal, one session, two lines to one acquirer: the link goes on over
// the backup without another sign-in, comes back, and both ledgers are equal,
// whatever strikes the lines.
func TestTerminalOverTwoLines(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	acquirer, err := host.Listen(host.Config{Ledger: filepath.Join(dir, "ledger")})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- acquirer.Serve(ctx) }()
	var proxies []*faultproxy.Proxy
	var lines []routes.Line
	for _, name := range []string{"fibre", "mobile"} {
		p, err := faultproxy.Listen(acquirer.Addr().String(), faultproxy.Frames)
		require.NoError(t, err)
		defer p.Close()
		proxies = append(proxies, p)
		lines = append(lines, routes.Line{Name: name, Dial: isolink.TCP(p.Addr())})
	}
	dialer, err := routes.NewDialer(&routes.Options{Probe: 20 * time.Millisecond, Proven: 2, Hold: time.Millisecond}, lines...)
	require.NoError(t, err)
	defer dialer.Close()
	q, err := queue.Open(filepath.Join(dir, "journal"), nil, &queue.Options{Unsealed: true, AnswerTimeout: 3 * time.Second, PrepareTimeout: 5 * time.Minute,
		RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond, ReversalTries: 1000})
	require.NoError(t, err)
	defer q.Close()
	keys, err := codec.NewMasterKey(host.DefaultTMK())
	require.NoError(t, err)
	terminal := queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}
	var signIns atomic.Int32
	link, err := isolink.New(terminal, dialer.Dial, q, keys, &isolink.Options{TryTimeout: time.Minute, LineTimeout: 2 * time.Minute, OnEvent: func(ev isolink.Event) {
		if ev.Kind == isolink.SigningIn {
			signIns.Add(1)
		}
	}})
	require.NoError(t, err)
	defer link.Close()

	n := 0
	sell := func(offline bool) {
		n++
		s := queue.Transaction{Ref: fmt.Sprint("s", n), Lane: terminal, Op: queue.Sale, Tender: queue.CardTender, EntryMode: "052",
			Amount: queue.Money{Minor: int64(100 + n), Currency: queue.CNY},
			Card:   queue.Card{PAN: queue.NewSecret("6216261000000000018"), Expiry: queue.NewSecret("3012"), Sequence: "1"}}
		if offline {
			s.Approval = "Y1"
			_, err = q.Append(ctx, s)
			require.NoError(t, err)
			return
		}
		_, _ = q.Do(ctx, link, s) // its state is compared below
	}
	using := func(name string) bool {
		for _, h := range dialer.Health() {
			if h.Name == name && h.InUse {
				return true
			}
		}
		return false
	}
	sell(false)
	require.EqualValues(t, 1, signIns.Load())
	require.True(t, using("fibre"))
	for _, f := range []faultproxy.Fault{{Kind: faultproxy.Cut, At: 1}, {Kind: faultproxy.Cut, To: faultproxy.ToDevice, At: 9},
		{Kind: faultproxy.Drop}, {Kind: faultproxy.Reset, To: faultproxy.ToDevice, At: 20}} {
		sell(true)
		proxies[0].Strike(f)
		sell(false)
		require.NoError(t, q.Drain(ctx, terminal, link))
	}
	proxies[0].Refuse()
	for range 4 {
		sell(true)
		sell(false)
		require.NoError(t, q.Drain(ctx, terminal, link))
	}
	require.True(t, using("mobile"))
	require.NotZero(t, proxies[1].Passed(faultproxy.ToHost))
	require.NoError(t, proxies[0].Admit())
	require.Eventually(t, func() bool { return using("fibre") }, 5*time.Minute, time.Millisecond)
	sell(false)
	require.NoError(t, q.Drain(ctx, terminal, link))
	require.EqualValues(t, 1, signIns.Load(), "a change of line costs no sign-in")

	require.NoError(t, link.Close())
	require.NoError(t, acquirer.Close())
	require.NoError(t, <-served)
	ledger, err := host.ReadLedger(filepath.Join(dir, "ledger"))
	require.NoError(t, err)
	agree(t, q, ledger)
}

// agree holds the journal against the acquirer's books.
func agree(t *testing.T, q *queue.Queue, l host.Ledger) {
	standing := map[uint32]int64{}
	for _, b := range l.Bookings {
		require.Zero(t, b.Conflicts)
		if b.State == host.Booked {
			standing[b.STAN] = b.Amount
		}
	}
	sold := 0
	for e, err := range q.All(context.Background(), queue.Filter{}) {
		require.NoError(t, err)
		if e.Kind == queue.Reversal {
			require.Equal(t, queue.Accepted, e.State)
			continue
		}
		amount, there := standing[uint32(e.STAN)]
		require.Equal(t, e.State == queue.Accepted, there, "%s is %s", e.Ref, e.State)
		if there {
			sold++
			require.Equal(t, e.Amount.Minor, amount)
		}
	}
	require.Len(t, standing, sold)
	require.Greater(t, sold, 10)
}
