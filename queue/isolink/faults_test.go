package isolink_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/internal/faultproxy"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
	"github.com/tallystick/tallystick/reconcile"
)

// passage is a till whose line to the acquirer leads through a fault proxy.
type passage struct {
	*till
	*hasty
	t     *testing.T
	proxy *faultproxy.Proxy
	fault faultproxy.Fault // what strikes each type of message
	armed int
	n     int
}

func newPassage(t *testing.T, f faultproxy.Fault) *passage {
	s := newTill(t, host.Mischief{})
	return s.through(t, s.host.Addr().String(), faultproxy.Frames, isolink.TCP, f)
}

// through puts a proxy in front of target and a new link of the till on it.
func (s *till) through(t *testing.T, target string, split bufio.SplitFunc, dial func(string) isolink.Dialer, f faultproxy.Fault) *passage {
	t.Helper()
	proxy, err := faultproxy.Listen(target, split)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	over := dial(proxy.Addr())
	h := newHasty(t, s.Queue, func(o isolink.Options) (*isolink.Link, error) {
		return isolink.New(cardLane, over, s.Queue, masterKey(t), &o)
	})
	return &passage{till: s, hasty: h, t: t, proxy: proxy, fault: f}
}

// strike arms the fault for the next message of a type with a network code, or
// for its answer.
func (p *passage) strike(mti codec.MTI, network string) {
	f := p.fault
	if f.To == faultproxy.ToDevice {
		mti = mti.Response()
	}
	head := []byte{byte(mti >> 8), byte(mti)}
	f.Match = func(u []byte) bool {
		if len(u) < 15 || !bytes.Equal(u[13:15], head) {
			return false
		}
		m, err := codec.UnionPay().Decode(u[13:])
		return err == nil && text(m, 60)[8:11] == network
	}
	p.armed++
	p.proxy.Strike(f)
}

func (p *passage) sale() queue.Transaction {
	p.n++
	return cardSale(fmt.Sprintf("sale-%d", p.n), int64(1000+p.n))
}

// take asks for a sale until it has left the device.
func (p *passage) take(x queue.Transaction) {
	for {
		if _, err := p.Do(p.t.Context(), p.up(), x); !errors.Is(err, queue.ErrNotSent) {
			return
		}
		p.failed()
	}
}

// accepted takes sales until the host has accepted one.
func (p *passage) accepted() queue.Entry {
	for {
		e, err := p.Do(p.t.Context(), p.up(), p.sale())
		if err == nil && e.State == queue.Accepted {
			return e
		}
		p.failed()
		p.drain()
	}
}

// drain delivers everything. What the host refuses because the message was
// damaged is looked at by a person, who lets it go on.
func (p *passage) drain() {
	ctx := p.t.Context()
	for {
		p.deliver()
		parked := false
		for e, err := range p.All(ctx, queue.Filter{States: []queue.State{queue.Parked}}) {
			require.NoError(p.t, err)
			if e.Kind == queue.Request {
				continue // with its reversal
			}
			parked = true
			if e.Kind == queue.Reversal && e.Answer.Verdict == queue.NotFound {
				// The host approved the sale, late, and has forgotten it since: that
				// there is nothing to reverse is a person's to believe.
				require.NoError(p.t, p.Resolve(ctx, e.ID, queue.Answer{Verdict: queue.Approved}, "test", "the host has nothing of it"))
				continue
			}
			require.NoError(p.t, p.Unpark(ctx, e.ID, "test", "the message was damaged on its way"))
		}
		if !parked {
			return
		}
	}
}

// untilStruck does something until all that is armed has struck: on a dark line
// the first try may not come that far.
func (p *passage) untilStruck(do func()) {
	for p.proxy.Struck() < p.armed {
		do()
		p.drain()
		p.failed()
	}
}

// day sends one of each message type, each struck by the fault once.
func (p *passage) day() {
	ctx := p.t.Context()
	p.strike(0x0800, "003")
	for {
		if _, err := p.up().Prepare(ctx); err == nil {
			break
		}
		p.failed()
	}
	// A sale, and then one whose answer is lost, so that its reversal is struck.
	p.strike(0x0200, "000")
	p.untilStruck(func() { p.take(p.sale()) })
	lose := func() {
		p.proxy.Strike(faultproxy.Fault{Kind: faultproxy.Drop, To: faultproxy.ToDevice,
			Match: func(u []byte) bool { return len(u) > 15 && u[13] == 0x02 && u[14] == 0x10 }})
		p.armed++
	}
	lose()
	p.strike(0x0400, "000")
	n := 0
	p.untilStruck(func() {
		if n++; n%20 == 0 {
			lose() // the first one struck an answer that was late anyway
		}
		p.take(p.sale())
	})
	// An advice, a refund, a void.
	told := p.sale()
	told.Approval = "Y1"
	p.append(told)
	refunded := p.accepted()
	p.append(queue.Transaction{Ref: "refund", Lane: cardLane, Op: queue.Refund, Original: refunded.ID, Amount: fen(5)})
	voided := p.accepted()
	p.strike(0x0200, "000")
	p.untilStruck(func() {
		p.n++
		_, err := p.Do(ctx, p.up(), queue.Transaction{Ref: fmt.Sprintf("void-%d", p.n), Lane: cardLane, Op: queue.Void, Original: voided.ID})
		if errors.Is(err, queue.ErrState) { // it is voided already
			voided = p.accepted()
		}
	})
	p.manage()
	p.settle()
}

func (p *passage) append(x queue.Transaction) {
	p.strike(0x0220, "000")
	_, err := p.Append(p.t.Context(), x)
	require.NoError(p.t, err)
	p.drain()
	require.Equal(p.t, p.armed, p.proxy.Struck())
}

// manage has the host ask for parameters, status and a sign-in, ends the session,
// and asks for an echo: each message struck once, none of which may cost a
// payment.
func (p *passage) manage() {
	ctx := p.t.Context()
	for _, x := range []struct {
		ask     codec.Processing
		mti     codec.MTI
		network string
	}{
		{codec.ProcessStripeParams, 0x0800, "360"}, {codec.ProcessStripeParams, 0x0800, "361"},
		{codec.ProcessUploadStatus, 0x0820, "362"}, {codec.ProcessSignIn, 0x0800, "003"},
	} {
		p.renew(isolink.Options{}) // and with it the tries
		p.strike(x.mti, x.network)
		p.untilStruck(func() {
			require.NoError(p.t, p.host.Ask(cardTerm, x.ask))
			p.take(p.sale())
		})
	}
	p.strike(0x0820, "002")
	p.untilStruck(func() {
		_, _ = p.up().Prepare(ctx)
		_ = p.up().SignOff(ctx)
	})
	p.renew(isolink.Options{EchoAfter: time.Nanosecond})
	p.strike(0x0820, "301")
	p.untilStruck(func() { _, _ = p.up().Prepare(ctx) })
	p.renew(isolink.Options{})
}

// settle settles a batch of which the host has lost a sale, so that details go.
func (p *passage) settle() {
	ctx := p.t.Context()
	for forgotten := false; !forgotten; p.drain() {
		require.NoError(p.t, p.host.SetMischief(host.Mischief{Forget: 1}))
		e, err := p.Do(ctx, p.up(), p.sale())
		forgotten = err == nil && e.State == queue.Accepted && p.host.Mischief().Forget == 0
		require.NoError(p.t, p.host.SetMischief(host.Mischief{}))
		if !forgotten {
			p.failed()
		}
	}
	b, err := p.CloseBatch(ctx, cardLane)
	require.NoError(p.t, err)
	p.strike(0x0500, "201")
	p.strike(0x0320, "201")
	p.strike(0x0320, "202")
	p.settled(b)
	// Of one in which both agree at once.
	p.accepted()
	b, err = p.CloseBatch(ctx, cardLane)
	require.NoError(p.t, err)
	p.strike(0x0320, "207")
	p.settled(b)
}

func (p *passage) settled(b queue.BatchID) {
	for {
		_, err := reconcile.Settle(p.t.Context(), p.Queue, b, p.up())
		var unequal *reconcile.OutOfBalanceError
		require.False(p.t, errors.As(err, &unequal), "%v", err)
		if err == nil {
			return
		}
		p.failed()
	}
}

// Every fault on every type of message, either way, ends with both ledgers equal.
func TestEveryFaultOnEveryMessage(t *testing.T) {
	const end, soon, long = 1 << 20, 10 * time.Millisecond, 250 * time.Millisecond
	faults := []faultproxy.Fault{
		{Kind: faultproxy.Cut, At: 20}, {Kind: faultproxy.Cut, At: -1}, {Kind: faultproxy.Cut, At: end}, {Kind: faultproxy.Reset, At: end},
		{Kind: faultproxy.Truncate, At: 1}, {Kind: faultproxy.Corrupt, At: 13}, {Kind: faultproxy.Corrupt, At: 60}, {Kind: faultproxy.Corrupt, At: -1},
		{Kind: faultproxy.Duplicate}, {Kind: faultproxy.Drop}, {Kind: faultproxy.Delay, For: long}, {Kind: faultproxy.Trickle, At: 1, For: time.Millisecond},
		{Kind: faultproxy.BlackHole, At: 0}, {Kind: faultproxy.HalfOpen, At: 20},
	}
	if os.Getenv("TALLYSTICK_LONG") != "" { // the same at other bytes
		faults = append(faults, faultproxy.Fault{Kind: faultproxy.Cut, At: 0}, faultproxy.Fault{Kind: faultproxy.Cut, At: 1},
			faultproxy.Fault{Kind: faultproxy.Reset, At: 0}, faultproxy.Fault{Kind: faultproxy.Truncate, At: -1},
			faultproxy.Fault{Kind: faultproxy.Corrupt, At: 0}, faultproxy.Fault{Kind: faultproxy.Corrupt, At: 40}, faultproxy.Fault{Kind: faultproxy.Delay, For: soon},
			faultproxy.Fault{Kind: faultproxy.BlackHole, At: end}, faultproxy.Fault{Kind: faultproxy.HalfOpen, At: end})
	}
	days := map[string]func(*testing.T){}
	for _, to := range []faultproxy.Direction{faultproxy.ToHost, faultproxy.ToDevice} {
		for _, f := range faults {
			f.To = to
			days[fmt.Sprintf("%s at %d for %s %s", f.Kind, f.At, f.For, to)] = func(t *testing.T) {
				p := newPassage(t, f)
				p.day()
				require.Equal(t, p.armed, p.proxy.Struck(), "each armed fault has struck")
				p.agree(t)
			}
		}
	}
	sideBySide(t, days)
}

// sideBySide runs tests that mostly wait, many at once whatever the number of
// processors; in short mode every fourth of them.
func sideBySide(t *testing.T, tests map[string]func(*testing.T)) {
	if testing.Short() {
		for i, name := range slices.Sorted(maps.Keys(tests)) {
			if i%4 != 0 {
				delete(tests, name)
			}
		}
	}
	places := make(chan struct{}, 12)
	var all sync.WaitGroup
	for name, test := range tests {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			t.Run(name, test)
		})
	}
	all.Wait()
}

// Over TLS a fault strikes whatever record comes by, of a handshake, a sign-in
// or a payment.
func TestFaultsOverTLS(t *testing.T) {
	ca, err := newAuthority("acquirer")
	require.NoError(t, err)
	server, err := ca.demand()
	require.NoError(t, err)
	cert, err := ca.issue("terminal", x509.ExtKeyUsageClientAuth)
	require.NoError(t, err)
	client := &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{cert}}
	days := map[string]func(*testing.T){}
	for _, to := range []faultproxy.Direction{faultproxy.ToHost, faultproxy.ToDevice} {
		for _, f := range []faultproxy.Fault{
			{Kind: faultproxy.Cut, At: 7}, {Kind: faultproxy.Cut, At: 1 << 20}, {Kind: faultproxy.Reset, At: -1}, {Kind: faultproxy.Truncate, At: -1},
			{Kind: faultproxy.Corrupt, At: 0}, {Kind: faultproxy.Corrupt, At: -1}, {Kind: faultproxy.Duplicate}, {Kind: faultproxy.Drop},
			{Kind: faultproxy.Delay, For: 200 * time.Millisecond}, {Kind: faultproxy.BlackHole, At: 7}, {Kind: faultproxy.HalfOpen, At: 1 << 20},
		} {
			f.To = to
			days[fmt.Sprintf("%s at %d %s", f.Kind, f.At, to)] = func(t *testing.T) {
				s := newTill(t, host.Mischief{})
				address, stop, err := front(s.host.Addr().String(), server)
				require.NoError(t, err)
				defer stop()
				p := s.through(t, address, faultproxy.Records, func(a string) isolink.Dialer { return isolink.TLS(a, client) }, f)
				for i := range 6 {
					passing := 0
					f.Match = func([]byte) bool { passing++; return passing > i }
					p.armed++
					p.proxy.Strike(f)
					told := p.sale()
					told.Approval = "Y1"
					_, err := p.Append(t.Context(), told)
					require.NoError(t, err)
					p.untilStruck(func() { p.take(p.sale()) })
				}
				p.agree(t)
			}
		}
	}
	sideBySide(t, days)
}

// With eight entries under way a fault strikes one of them, or the connection of
// all; each is booked once and known to be.
func TestFaultsInAWindow(t *testing.T) {
	days := map[string]func(*testing.T){}
	for _, to := range []faultproxy.Direction{faultproxy.ToHost, faultproxy.ToDevice} {
		for _, f := range []faultproxy.Fault{
			{Kind: faultproxy.Cut, At: 0}, {Kind: faultproxy.Cut, At: 20}, {Kind: faultproxy.Cut, At: 1 << 20}, {Kind: faultproxy.Reset, At: 20},
			{Kind: faultproxy.Truncate, At: -1}, {Kind: faultproxy.Corrupt, At: 0}, {Kind: faultproxy.Corrupt, At: 13}, {Kind: faultproxy.Corrupt, At: 16},
			{Kind: faultproxy.Corrupt, At: -1}, {Kind: faultproxy.Duplicate}, {Kind: faultproxy.Drop}, {Kind: faultproxy.Delay, For: 200 * time.Millisecond},
			{Kind: faultproxy.Trickle, At: 1, For: time.Millisecond}, {Kind: faultproxy.BlackHole, At: 20}, {Kind: faultproxy.HalfOpen, At: 1 << 20},
		} {
			f.To = to
			days[fmt.Sprintf("%s at %d %s", f.Kind, f.At, to)] = func(t *testing.T) {
				p := newPassage(t, f)
				p.renew(isolink.Options{Window: 8})
				var sales sync.WaitGroup
				for i := range 5 {
					passing := 0
					f.Match = func([]byte) bool { passing++; return passing > 5*i }
					p.armed++
					p.proxy.Strike(f)
					for range 8 {
						told := p.sale()
						told.Approval = "Y1"
						_, err := p.Append(t.Context(), told)
						require.NoError(t, err)
					}
					for range 3 {
						sale := p.sale()
						sales.Go(func() { p.take(sale) })
					}
					p.drain()
				}
				sales.Wait()
				p.untilStruck(func() { p.take(p.sale()) })
				p.drain()
				p.agree(t)
			}
		}
	}
	sideBySide(t, days)
}

// A line that is slow, narrow or unsteady costs time, and nothing else.
func TestAnUnsteadyLine(t *testing.T) {
	days := map[string]func(*testing.T){}
	for name, shape := range map[string]faultproxy.Shape{
		"slow":     {Latency: 40 * time.Millisecond},
		"unsteady": {Latency: time.Millisecond, Jitter: 80 * time.Millisecond},
		"narrow":   {Rate: 3000},
		"all":      {Latency: 5 * time.Millisecond, Jitter: 40 * time.Millisecond, Rate: 6000},
	} {
		days[name] = func(t *testing.T) {
			p := newPassage(t, faultproxy.Fault{})
			p.proxy.Shape(shape)
			p.waits(2*time.Second, isolink.Options{Window: 4})
			var sales sync.WaitGroup
			for range 12 {
				sale, told := p.sale(), p.sale()
				told.Approval = "Y1"
				_, err := p.Append(t.Context(), told)
				require.NoError(t, err)
				sales.Go(func() { p.take(sale) })
			}
			p.drain()
			sales.Wait()
			p.drain()
			p.agree(t)
		}
	}
	sideBySide(t, days)
}

// While the port refuses, sales go on offline; all of it arrives.
func TestARefusedPort(t *testing.T) {
	p := newPassage(t, faultproxy.Fault{})
	p.waits(plenty, isolink.Options{})
	ctx := context.Background()
	p.accepted()
	p.proxy.Refuse()
	_, err := p.up().Prepare(ctx)
	for err == nil { // until the end of the connection is seen
		_, err = p.up().Prepare(ctx)
	}
	requireReason(t, isolink.ConnRefused, err)
	_, err = p.Do(ctx, p.up(), p.sale())
	require.ErrorIs(t, err, queue.ErrNotSent)
	told := p.sale()
	told.Approval = "Y1"
	_, err = p.Append(ctx, told)
	require.NoError(t, err)
	require.NoError(t, p.proxy.Admit())
	p.drain()
	require.Zero(t, p.agree(t))
}
