package isolink_test

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/faultproxy"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
	"github.com/tallystick/tallystick/reconcile"
)

// isoPassage is a till whose line to an ISO host leads through a fault proxy.
type isoPassage struct {
	*isoTill
	*hasty
	t     *testing.T
	style isolink.Style
	proxy *faultproxy.Proxy
	fault faultproxy.Fault
	armed int
	n     int
}

func newISOPassage(t *testing.T, style isolink.Style, f faultproxy.Fault) *isoPassage {
	s := newISOTill(t, style, isolink.Options{})
	s.host.rough = true
	proxy, err := faultproxy.Listen(s.host.ln.Addr().String(), faultproxy.Frames)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	h := newHasty(t, s.Queue, func(o isolink.Options) (*isolink.Link, error) {
		o.Style, o.Institution = style, "123456"
		return isolink.New(cardLane, isolink.TCP(proxy.Addr()), s.Queue, nil, &o)
	})
	return &isoPassage{isoTill: s, hasty: h, t: t, style: style, proxy: proxy, fault: f}
}

// strike arms the fault for the next message of a type, named as 1987 does, or for
// its answer.
func (p *isoPassage) strike(f faultproxy.Fault, mti string) {
	if f.To == faultproxy.ToDevice {
		mti = mti[:2] + string(mti[2]+1) + mti[3:]
	}
	if p.style == isolink.ISO1993 {
		mti = "1" + mti[1:]
		if mti[1] == '8' {
			mti = mti[:3] + "4"
		}
	}
	f.Match = func(u []byte) bool { return len(u) > 6 && string(u[2:6]) == mti }
	p.armed++
	p.proxy.Strike(f)
}

func (p *isoPassage) sale() queue.Transaction {
	p.n++
	return cardSale(fmt.Sprintf("sale-%d", p.n), int64(1000+p.n))
}

// untilStruck does something until all that is armed has struck.
func (p *isoPassage) untilStruck(do func()) {
	for p.proxy.Struck() < p.armed {
		do()
		p.deliver()
		p.failed()
	}
}

func (p *isoPassage) accepted() queue.Entry {
	for {
		e, err := p.Do(p.t.Context(), p.up(), p.sale())
		if err == nil && e.State == queue.Accepted {
			return e
		}
		p.failed()
		p.deliver()
	}
}

// day sends one of each message type, each struck by the fault once.
func (p *isoPassage) day() {
	ctx := p.t.Context()
	sell := func() { _, _ = p.Do(ctx, p.up(), p.sale()) }
	p.strike(p.fault, "0800")
	p.untilStruck(sell)
	p.strike(p.fault, "0200")
	p.untilStruck(sell)
	p.strike(faultproxy.Fault{Kind: faultproxy.Drop, To: faultproxy.ToDevice}, "0200")
	p.strike(p.fault, "0420")
	p.untilStruck(func() {
		if p.failures%10 == 9 { // what was dropped was late anyway
			p.strike(faultproxy.Fault{Kind: faultproxy.Drop, To: faultproxy.ToDevice}, "0200")
		}
		sell()
	})
	told := p.sale()
	told.Approval = "Y1"
	refund := queue.Transaction{Ref: "refund", Lane: cardLane, Op: queue.Refund, Original: p.accepted().ID, Amount: fen(5)}
	for _, x := range []queue.Transaction{told, refund} {
		p.strike(p.fault, "0220")
		_, err := p.Append(ctx, x)
		require.NoError(p.t, err)
		p.untilStruck(func() {})
	}
	voided := p.accepted()
	p.strike(p.fault, "0200")
	p.untilStruck(func() {
		p.n++
		_, err := p.Do(ctx, p.up(), queue.Transaction{Ref: fmt.Sprintf("void-%d", p.n), Lane: cardLane, Op: queue.Void, Original: voided.ID})
		if errors.Is(err, queue.ErrState) { // it is voided already
			voided = p.accepted()
		}
	})
	p.renew(isolink.Options{EchoAfter: time.Nanosecond})
	_, _ = p.up().Prepare(ctx)
	p.strike(p.fault, "0800")
	p.untilStruck(func() { _, _ = p.up().Prepare(ctx) })
	for _, advise := range []bool{false, true} {
		p.renew(isolink.Options{AdviseTotals: advise})
		p.strike(p.fault, map[bool]string{false: "0500", true: "0520"}[advise])
		p.accepted()
		b, err := p.CloseBatch(ctx, cardLane)
		require.NoError(p.t, err)
		for {
			r, err := reconcile.Settle(ctx, p.Queue, b, p.up())
			if err == nil {
				require.True(p.t, r.Balanced)
				break
			}
			p.failed()
		}
	}
}

// agree compares the journal with the host's books, both ways.
func (p *isoPassage) agree() {
	p.host.mu.Lock()
	defer p.host.mu.Unlock()
	standing := map[string]int64{}
	for stan, b := range p.host.books {
		if !b.reversed {
			standing[stan] = b.amount
		}
	}
	for e, err := range p.All(p.t.Context(), queue.Filter{}) {
		require.NoError(p.t, err)
		require.True(p.t, e.State.Final(), "%s is %s: %s", e.Ref, e.State, e.ParkedWhy)
		if e.Kind == queue.Reversal {
			continue
		}
		amount, booked := standing[e.STAN.String()]
		require.Equal(p.t, e.State == queue.Accepted, booked, "%s is %s", e.Ref, e.State)
		if booked {
			require.Equal(p.t, e.Amount.Minor, amount)
			delete(standing, e.STAN.String())
		}
	}
	require.Empty(p.t, standing, "booked, but not taken")
}

// Every fault on every message type of ISO 8583, either way, ends with both ledgers
// equal; with TALLYSTICK_LONG all of them at both styles, else in turn. What is
// corrupted goes unnoticed without a MAC, and is not among them.
func TestEveryFaultOnEveryISOMessage(t *testing.T) {
	const end = 1 << 20
	days := map[string]func(*testing.T){}
	for _, style := range []isolink.Style{isolink.ISO1987, isolink.ISO1993} {
		for _, to := range []faultproxy.Direction{faultproxy.ToHost, faultproxy.ToDevice} {
			for i, f := range []faultproxy.Fault{
				{Kind: faultproxy.Cut, At: 1}, {Kind: faultproxy.Cut, At: -1}, {Kind: faultproxy.Cut, At: end}, {Kind: faultproxy.Reset, At: end},
				{Kind: faultproxy.Truncate, At: -1}, {Kind: faultproxy.Duplicate}, {Kind: faultproxy.Drop}, {Kind: faultproxy.Delay, For: 250 * time.Millisecond},
				{Kind: faultproxy.Trickle, At: 1, For: time.Millisecond}, {Kind: faultproxy.BlackHole, At: 20}, {Kind: faultproxy.HalfOpen, At: end},
			} {
				if os.Getenv("TALLYSTICK_LONG") == "" && (i+int(style)+int(to))%2 == 0 {
					continue
				}
				f.To = to
				days[fmt.Sprintf("%s: %s at %d %s", style, f.Kind, f.At, to)] = func(t *testing.T) {
					p := newISOPassage(t, style, f)
					p.day()
					require.Equal(t, p.armed, p.proxy.Struck(), "each armed fault has struck")
					p.agree()
				}
			}
		}
	}
	sideBySide(t, days)
}
