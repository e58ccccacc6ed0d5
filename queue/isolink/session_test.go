package isolink_test

import (
	"context"
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

func TestASignInThatFails(t *testing.T) {
	wrongKeys := func(a *asked, check byte, track bool) func(*codec.Message) {
		return func(m *codec.Message) {
			b, _ := m.Bytes(62)
			b[len(b)-1] ^= check
			if track {
				b = b[:len(b)-1]
			}
			a.must(m.SetBytes(62, b))
		}
	}
	tests := map[string]struct {
		reason isolink.Reason
		code   string
		script func(a *asked)
		tries  int // 0: one, as another could not help
	}{
		"terminal unknown":  {isolink.TerminalUnknown, "97", func(a *asked) { a.answer("97", nil) }, 0},
		"merchant unknown":  {isolink.TerminalUnknown, "03", func(a *asked) { a.answer("03", nil) }, 0},
		"busy":              {isolink.HostBusy, "91", func(a *asked) { a.answer("91", nil) }, 0},
		"refused":           {isolink.HostRefused, "05", func(a *asked) { a.answer("05", nil) }, 0},
		"no code":           {isolink.Broken, "", func(a *asked) { a.answer("00", func(m *codec.Message) { m.Unset(39) }) }, 0},
		"no batch":          {isolink.Broken, "", func(a *asked) { a.answer("00", func(m *codec.Message) { m.Unset(60) }) }, 0},
		"batch zero":        {isolink.Broken, "", func(a *asked) { a.answer("00", func(m *codec.Message) { set(m, 60, "00000000003") }) }, 0},
		"another's":         {isolink.Broken, "", func(a *asked) { a.answer("00", func(m *codec.Message) { set(m, 41, "10000009") }) }, 0},
		"no keys":           {isolink.KeysWrong, "", func(a *asked) { a.answer("00", func(m *codec.Message) { m.Unset(62) }) }, 0},
		"keys of no layout": {isolink.KeysWrong, "", func(a *asked) { a.answer("00", wrongKeys(a, 0, true)) }, 0},
		"wrong key check":   {isolink.KeysWrong, "", func(a *asked) { a.answer("00", wrongKeys(a, 1, false)) }, 0},
		"cut":               {isolink.Broken, "", func(a *asked) { a.conn.Close() }, 3},
		"silent":            {isolink.Silent, "", func(*asked) {}, 0},
	}
	for name, x := range tests {
		t.Run(name, func(t *testing.T) {
			ctx := newExpiring()
			h := newScripted(t, func(a *asked) {
				x.script(a)
				if x.reason == isolink.Silent {
					ctx.expire()
				}
			})
			l := h.link(nil)
			_, err := l.Prepare(ctx)
			h.note(err)
			require.Equal(t, x.code, requireReason(t, x.reason, err).Code)
			require.Equal(t, 1, h.told(isolink.NoLine))
			_, err = l.Send(context.Background(), cardEntry())
			require.ErrorIs(t, err, queue.ErrNotSent)
			require.ErrorIs(t, err, isolink.ErrSignInFirst)
			require.Equal(t, max(x.tries, 1), h.total())
			h.behave(nil)
			_, err = h.send(l, cardEntry())
			require.NoError(t, err, "the next sign-in may succeed")
		})
	}
}

func TestNoLine(t *testing.T) {
	h := newScripted(t, nil)
	h.ln.Close()
	l := h.link(nil)
	_, err := l.Prepare(context.Background())
	require.Equal(t, "dial", requireReason(t, isolink.ConnRefused, err).During)

	for want, cause := range map[isolink.Reason]error{
		isolink.NoName:    &net.DNSError{IsNotFound: true},
		isolink.NoNetwork: &net.DNSError{IsTimeout: true},
		isolink.Silent:    context.DeadlineExceeded,
		isolink.NoTrust:   errors.New("remote error: tls: bad certificate"),
		isolink.Broken:    errors.New("something else"),
	} {
		dial := func(context.Context) (net.Conn, error) { return nil, cause }
		l, err := isolink.New(lane, dial, new(series), h.tmk, patient(nil))
		require.NoError(t, err)
		_, err = l.Prepare(context.Background())
		requireReason(t, want, err)
		require.ErrorIs(t, err, cause)
	}
}

// A connection that is lost between Prepare and Send is dialled anew; where that
// fails nothing was sent.
func TestLostBeforeSend(t *testing.T) {
	h := newScripted(t, nil)
	lost := make(chan struct{}, 8)
	l, err := isolink.New(lane, isolink.TCP(h.ln.Addr().String()), new(series), h.tmk, patient(&isolink.Options{OnEvent: func(ev isolink.Event) {
		if ev.Kind == isolink.Lost {
			lost <- struct{}{}
		}
	}}))
	require.NoError(t, err)
	defer l.Close()
	ctx := context.Background()
	_, err = l.Prepare(ctx)
	require.NoError(t, err)
	h.mu.Lock()
	h.conns[0].Close()
	h.mu.Unlock()
	<-lost
	_, err = l.Send(ctx, cardEntry())
	require.NoError(t, err)
	h.ln.Close()
	h.mu.Lock()
	h.conns[1].Close()
	h.mu.Unlock()
	<-lost
	_, err = l.Send(ctx, cardEntry())
	require.ErrorIs(t, err, queue.ErrNotSent)
	requireReason(t, isolink.ConnRefused, err)
	require.Equal(t, 1, h.count(0x0800))
}

// Codes and the header's processing request lead to a sign-in.
func TestSignInAgain(t *testing.T) {
	for _, code := range []string{"77", "99", "A0"} {
		first := true
		h := newScripted(t, financial(func(a *asked) {
			if first {
				a.answer(code, nil)
				first = false
				return
			}
			a.answer("00", nil)
		}))
		l := h.link(nil)
		a, err := h.send(l, cardEntry())
		require.NoError(t, err)
		require.Equal(t, queue.Unavailable, a.Verdict)
		require.Equal(t, 1, h.count(0x0800))
		a, err = h.send(l, cardEntry())
		require.NoError(t, err)
		require.Equal(t, queue.Approved, a.Verdict)
		require.Equal(t, 2, h.count(0x0800), code)
		require.Equal(t, 1, h.told(isolink.Asked))
	}
}

func TestTheHeaderAsksForASignInOnce(t *testing.T) {
	h := newScripted(t, financial(func(a *asked) {
		a.frame.Header = a.frame.Header.WithProcessing(codec.ProcessSignIn)
		a.answer("00", nil)
	}))
	l := h.link(nil)
	for range 6 {
		a, err := h.send(l, cardEntry())
		require.NoError(t, err)
		require.Equal(t, queue.Approved, a.Verdict)
	}
	require.Equal(t, 2, h.count(0x0800), "obeyed once, not in a loop")
}

func TestAHostThatAsksForSignInsForEver(t *testing.T) {
	h := newScripted(t, financial(func(a *asked) { a.answer("A0", nil) }))
	l := h.link(nil)
	var err error
	for range 10 {
		if _, err = h.send(l, cardEntry()); err != nil {
			break
		}
	}
	require.Equal(t, "A0", requireReason(t, isolink.HostRefused, err).Code)
	require.LessOrEqual(t, h.count(0x0800), 3)
}

// 77 to an entry of a batch that the host has left is final: a sign-in brings
// the entry no other number.
func TestABatchThatTheHostHasLeft(t *testing.T) {
	h := newScripted(t, financial(func(a *asked) { a.answer("77", nil) }))
	l := h.link(nil)
	e := cardEntry()
	e.HostBatch, e.Repeat = 41, true
	for range 3 {
		a, err := h.send(l, e)
		require.NoError(t, err)
		require.Equal(t, queue.Refused, a.Verdict)
	}
	require.Equal(t, 1, h.count(0x0800))
	unsignedHost := newScripted(t, financial(func(a *asked) { unsigned(a, "77", nil) }))
	a, err := unsignedHost.send(unsignedHost.link(nil), e)
	require.NoError(t, err)
	require.Equal(t, queue.Unavailable, a.Verdict, "without a MAC it may mean that we are not signed in")
}

// 77 to the messages of a settlement may ask for a sign-in. Where that brought
// another number, and the host says it again, the batch is none of its own any
// more: no call is to be repeated for ever.
func TestASettlementOfABatchThatTheHostHasLeft(t *testing.T) {
	h := newScripted(t, financial(func(a *asked) { unsigned(a, "77", func(m *codec.Message) { m.Unset(48) }) }))
	l := h.link(nil)
	_, err := l.Prepare(t.Context())
	require.NoError(t, err)
	b := queue.Batch{HostBatch: 41}
	sum := queue.Totals{Currency: queue.CNY, Inland: queue.Sums{DebitCount: 1, Debit: 1}}
	_, _, err = l.SendTotals(t.Context(), b, sum)
	require.Equal(t, "77", requireReason(t, isolink.HostBusy, err).Code)
	for range 3 {
		in, out, err := l.SendTotals(t.Context(), b, sum)
		require.NoError(t, err)
		require.Equal(t, []queue.Balance{queue.BalanceError, queue.BalanceError}, []queue.Balance{in, out})
		for _, send := range []func() (queue.Answer, error){
			func() (queue.Answer, error) { return l.SendDetail(t.Context(), b, cardEntry()) },
			func() (queue.Answer, error) { return l.EndBatch(t.Context(), b, false, 1) },
		} {
			a, err := send()
			require.NoError(t, err)
			require.Equal(t, queue.Answer{Verdict: queue.NotFound, Code: "77"}, a)
		}
	}
	require.Equal(t, 2, h.count(0x0800), "one sign-in was worth trying")
	b.HostBatch = 42 // its own: a sign-in is what it wants
	_, err = l.EndBatch(t.Context(), b, false, 1)
	require.Equal(t, "77", requireReason(t, isolink.HostBusy, err).Code)
	_, err = l.Prepare(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, h.count(0x0800))
}

// A sign-in that brings another batch number between Prepare and Send: what was
// not sent yet can still have the new one.
func TestABatchThatTheHostLeavesMeanwhile(t *testing.T) {
	h := newScripted(t, nil)
	l := h.link(nil)
	_, err := l.Prepare(t.Context())
	require.NoError(t, err)
	h.mu.Lock()
	h.batch++
	h.mu.Unlock()
	require.NoError(t, l.Renew(t.Context()))
	_, err = l.Send(t.Context(), cardEntry())
	require.ErrorIs(t, err, queue.ErrNotSent)
	require.Zero(t, h.count(0x0200))
	reversal := cardEntry()
	reversal.Kind, reversal.Reason = queue.Reversal, queue.NoAnswer
	_, err = l.Send(t.Context(), reversal)
	require.NoError(t, err)
	repeat := cardEntry()
	repeat.Kind, repeat.Repeat = queue.Advice, true
	_, err = l.Send(t.Context(), repeat)
	require.NoError(t, err)
}

type ped struct {
	*codec.MasterKey
	pins int
	err  error
}

func (p *ped) LoadPIN(k codec.WrappedKey) error {
	if len(k.Cipher) == 16 {
		p.pins++
	}
	return p.err
}

func TestThePINKeyGoesToThePED(t *testing.T) {
	h := newScripted(t, nil)
	p := &ped{MasterKey: h.tmk}
	l, err := isolink.New(lane, isolink.TCP(h.ln.Addr().String()), new(series), p, patient(nil))
	require.NoError(t, err)
	defer l.Close()
	_, err = l.Prepare(context.Background())
	require.NoError(t, err)
	require.Equal(t, 1, p.pins)
	p.err = errors.New("tampered")
	other, err := isolink.New(lane, isolink.TCP(h.ln.Addr().String()), new(series), p, patient(nil))
	require.NoError(t, err)
	defer other.Close()
	_, err = other.Prepare(context.Background())
	requireReason(t, isolink.KeysWrong, err)
	require.ErrorIs(t, err, p.err)
}

// Close ends whatever waits: a dial, a sign-in, an answer, a turn.
func TestCloseUnblocks(t *testing.T) {
	reached := make(chan struct{}, 4)
	h := newScripted(t, financial(func(*asked) { reached <- struct{}{} }))
	l := h.link(nil)
	ctx := context.Background()
	_, err := l.Prepare(ctx)
	require.NoError(t, err)
	errs, prepared := make(chan error, 2), make(chan error, 1)
	go func() { _, err := l.Send(ctx, cardEntry()); errs <- err }()
	<-reached
	go func() { _, err := l.Send(ctx, cardEntry()); errs <- err }()
	go func() { _, err := l.Prepare(ctx); prepared <- err }()
	require.NoError(t, l.Close())
	if err := <-prepared; err != nil { // the line was ready: it may have been told so before
		require.ErrorIs(t, err, isolink.ErrClosed)
	}
	unsent := 0
	for range 2 {
		err := <-errs
		require.ErrorIs(t, err, isolink.ErrClosed)
		if errors.Is(err, queue.ErrNotSent) {
			unsent++
		}
	}
	require.Equal(t, 1, unsent, "the one under way is in doubt, the one that waited was not sent")

	dialling := make(chan struct{})
	d, err := isolink.New(lane, func(ctx context.Context) (net.Conn, error) {
		close(dialling)
		<-ctx.Done()
		return nil, ctx.Err()
	}, new(series), h.tmk, nil)
	require.NoError(t, err)
	go func() { _, err := d.Prepare(ctx); errs <- err }()
	<-dialling
	require.NoError(t, d.Close())
	require.NoError(t, d.Close())
	require.ErrorIs(t, <-errs, isolink.ErrClosed)
	_, err = d.Prepare(ctx)
	require.ErrorIs(t, err, isolink.ErrClosed)
	_, err = d.Send(ctx, cardEntry())
	require.ErrorIs(t, err, queue.ErrNotSent)
}

func TestNewRefuses(t *testing.T) {
	tmk := masterKey(t)
	dial, numbers := isolink.TCP("127.0.0.1:1"), new(series)
	for name, bad := range map[string]queue.Lane{
		"no terminal":   {Host: "h", Merchant: "1"},
		"long terminal": {Host: "h", Merchant: "1", Terminal: "123456789"},
		"odd terminal":  {Host: "h", Merchant: "1", Terminal: "终端"},
		"long merchant": {Host: "h", Merchant: "1234567890123456", Terminal: "1"},
	} {
		_, err := isolink.New(bad, dial, numbers, tmk, nil)
		require.Error(t, err, name)
	}
	_, err := isolink.New(lane, nil, numbers, tmk, nil)
	require.Error(t, err)
	_, err = isolink.New(lane, dial, numbers, tmk, &isolink.Options{Operator: "0123"})
	require.Error(t, err)
	_, err = isolink.New(lane, dial, numbers, tmk, &isolink.Options{Framing: codec.Framing{Length: codec.LengthNone}})
	require.Error(t, err)
}

// halfWriter lets n bytes of each message after the sign-in out and then fails.
type halfWriter struct {
	net.Conn
	writes, n int
}

func (w *halfWriter) Write(b []byte) (int, error) {
	if w.writes++; w.writes == 1 {
		return w.Conn.Write(b)
	}
	n, _ := w.Conn.Write(b[:w.n])
	w.Conn.Close()
	return n, errors.New("broken pipe")
}

// Only a write of which provably nothing left is not in doubt.
func TestAWriteThatFails(t *testing.T) {
	for _, n := range []int{0, 1, 40} { // 0: what lies below an unknown connection may have sent something
		h := newScripted(t, nil)
		l, err := isolink.New(lane, func(ctx context.Context) (net.Conn, error) {
			c, err := isolink.TCP(h.ln.Addr().String())(ctx)
			return &halfWriter{Conn: c, n: n}, err
		}, new(series), h.tmk, patient(nil))
		require.NoError(t, err)
		_, err = h.send(l, cardEntry())
		inDoubt(t, err)
		require.NoError(t, l.Close())
	}
	h := newScripted(t, nil)
	l := h.link(nil)
	_, err := l.Prepare(t.Context())
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = l.Send(ended, cardEntry())
	require.ErrorIs(t, err, queue.ErrNotSent)
	_, err = h.send(l, cardEntry())
	require.NoError(t, err)
	require.Equal(t, 2, h.total(), "the first was never sent")
}
