package host

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
)

// clock lets a test say when a time has passed.
type clock struct {
	mu      sync.Mutex
	waiting map[time.Duration]chan time.Time
	started chan time.Duration
}

func newClock() *clock {
	return &clock{waiting: map[time.Duration]chan time.Time{}, started: make(chan time.Duration, 64)}
}

func (c *clock) after(d time.Duration) (<-chan time.Time, func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := make(chan time.Time, 1)
	c.waiting[d] = ch
	c.started <- d
	return ch, func() bool { return true }
}

// pass waits until someone waits for d, and lets it pass.
func (c *clock) pass(d time.Duration) {
	for got := range c.started {
		if got == d {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting[d] <- time.Time{}
}

// saleStrikes runs a host whose mischief strikes every 0200 and nothing else.
func saleStrikes(t *testing.T, m Mischief, c *clock) (*Server, *pos) {
	t.Helper()
	m.Only = []codec.MTI{mtiFinancial}
	cfg := Config{Ledger: ledgerPath(t), Mischief: m}
	if c != nil {
		cfg.after = c.after
	}
	s := start(t, cfg)
	return s, open(t, s.Addr().String())
}

// next is what the host says when a sale is followed by an echo: without
// mischief, 0210 and then 0830.
func types(p *pos, n int) (got []codec.MTI) {
	for range n {
		got = append(got, p.receive().Type())
	}
	return got
}

func TestLostRequest(t *testing.T) {
	s, p := saleStrikes(t, Mischief{LoseRequest: 1}, nil)
	p.send(p.sale(100))
	p.send(p.echo())
	require.Equal(t, []codec.MTI{0x0830}, types(p, 1))
	require.Empty(t, stopAndRead(t, s).Bookings)
}

func TestLostAnswer(t *testing.T) {
	s, p := saleStrikes(t, Mischief{LoseAnswer: 1}, nil)
	m := p.sale(100)
	p.send(m)
	p.send(p.echo())
	require.Equal(t, []codec.MTI{0x0830}, types(p, 1))
	require.NoError(t, s.SetMischief(Mischief{}))
	require.Equal(t, "94", p.codeOf(m))
	require.Len(t, stopAndRead(t, s).Bookings, 1)
}

func TestLateAnswer(t *testing.T) {
	c := newClock()
	s, p := saleStrikes(t, Mischief{Late: 1, LateBy: time.Hour}, c)
	p.send(p.sale(100))
	p.send(p.echo())
	require.Equal(t, []codec.MTI{0x0830}, types(p, 1), "the echo overtakes")
	c.pass(time.Hour)
	require.Equal(t, []codec.MTI{0x0210}, types(p, 1))
	require.Len(t, stopAndRead(t, s).Bookings, 1)
}

// An answer that is still waiting does not hold up the end.
func TestLateAnswerThatNeverComes(t *testing.T) {
	s, p := saleStrikes(t, Mischief{Late: 1, LateBy: time.Hour}, nil)
	p.send(p.sale(100))
	p.send(p.echo())
	require.Equal(t, []codec.MTI{0x0830}, types(p, 1))
	require.Len(t, stopAndRead(t, s).Bookings, 1)
}

func TestAnsweredTwice(t *testing.T) {
	s, p := saleStrikes(t, Mischief{Twice: 1}, nil)
	p.send(p.sale(100))
	p.send(p.echo())
	require.Equal(t, []codec.MTI{0x0210, 0x0210, 0x0830}, types(p, 3))
	require.Equal(t, 1, stopAndRead(t, s).Bookings[0].Arrivals)
}

func TestCutInTheAnswer(t *testing.T) {
	s, p := saleStrikes(t, Mischief{Cut: 1}, nil)
	p.send(p.sale(100))
	_, err := codec.Framing{}.Read(p, nil)
	var half *codec.FrameError
	require.ErrorAs(t, err, &half)
	require.Greater(t, half.Offset, 2, "some of the answer came")
	require.Len(t, stopAndRead(t, s).Bookings, 1)
}

func TestForeignAnswer(t *testing.T) {
	s, p := saleStrikes(t, Mischief{Foreign: 1}, nil)
	p.send(p.sale(100))
	a := p.receive()
	merchant, _ := a.Text(42)
	require.Equal(t, "999999999999999", merchant)
	require.True(t, a.Has(64), "only DE 42 tells it from a good one: receive has checked the MAC")
	require.Len(t, stopAndRead(t, s).Bookings, 1)
}

func TestRefusal(t *testing.T) {
	s, p := saleStrikes(t, Mischief{}, nil)
	booked := p.sale(100)
	require.Equal(t, "00", p.codeOf(booked))
	require.NoError(t, s.SetMischief(Mischief{Refuse: 1, RefuseCode: "91"}))
	require.Equal(t, "91", p.codeOf(p.sale(200)))
	require.Equal(t, "91", p.codeOf(p.offline(200, "")))
	require.Equal(t, "94", p.codeOf(booked), "what is booked is not refused")
	require.Equal(t, "00", p.codeOf(p.reversal(booked)), "nor is its reversal")
	require.Len(t, stopAndRead(t, s).Bookings, 1)
}

func TestDownForAWhile(t *testing.T) {
	c := newClock()
	s := start(t, Config{Ledger: ledgerPath(t), after: c.after, Mischief: Mischief{DownEvery: time.Hour, DownFor: time.Minute}})
	p := open(t, s.Addr().String())
	c.pass(time.Hour)
	p.gone()
	_, err := net.Dial("tcp", s.Addr().String())
	require.Error(t, err)
	c.pass(time.Minute)
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", s.Addr().String())
		if err == nil {
			conn.Close()
		}
		return err == nil
	}, patience, time.Millisecond)
	q := open(t, s.Addr().String())
	require.Equal(t, "00", q.codeOf(q.sale(1)))
}

func TestDownAndUp(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	p := open(t, s.Addr().String())
	s.Down()
	p.gone()
	_, err := net.Dial("tcp", s.Addr().String())
	require.Error(t, err)
	st, err := s.Status()
	require.NoError(t, err)
	require.False(t, st.Up)
	require.NoError(t, s.Up())
	require.NoError(t, s.Up())
	q := open(t, s.Addr().String())
	require.Equal(t, "00", q.codeOf(q.sale(1)))
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Up(), net.ErrClosed)
	require.Error(t, s.Serve(context.Background()), "Serve is for once")
}

// One seed gives one day.
func TestMischiefFollowsTheSeed(t *testing.T) {
	m := Mischief{LoseRequest: 0.2, LoseAnswer: 0.2, Cut: 0.2, Twice: 0.2, Foreign: 0.2, Late: 0.2, LateBy: time.Second, Refuse: 0.2, RefuseCode: "91"}
	draw := func(seed uint64) (fates []fate) {
		i := newImp(seed, m)
		for range 100 {
			fates = append(fates, i.draw(mtiFinancial))
		}
		return fates
	}
	require.Equal(t, draw(7), draw(7))
	require.NotEqual(t, draw(7), draw(8))
}

func TestMischiefThatCannotBe(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	for _, m := range []Mischief{
		{LoseAnswer: 1.5}, {Late: -1}, {Refuse: 1}, {Refuse: 1, RefuseCode: "00"},
		{LateBy: -1}, {Forget: -1}, {DownEvery: time.Second},
	} {
		require.Error(t, s.SetMischief(m), "%+v", m)
	}
	require.Equal(t, Mischief{}, s.Mischief())
}
