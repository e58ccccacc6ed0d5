package isolink_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

// An answer that comes after the wait has ended is kept for its entry, on a
// connection of its own: it is never taken for the next message's.
func TestLateAnswers(t *testing.T) {
	arrived, release, came := make(chan struct{}, 1), make(chan func(a *asked)), make(chan isolink.Event, 4)
	h := newScripted(t, financial(func(a *asked) {
		arrived <- struct{}{}
		(<-release)(a)
	}))
	l, err := isolink.New(lane, isolink.TCP(h.ln.Addr().String()), new(series), h.tmk, patient(&isolink.Options{OnEvent: func(ev isolink.Event) {
		h.note(ev)
		if ev.Kind == isolink.CameLate || ev.Kind == isolink.Suspect {
			came <- ev
		}
	}}))
	require.NoError(t, err)
	defer l.Close()
	silent := func() {
		_, err := l.Prepare(context.Background())
		require.NoError(t, err)
		ctx := newExpiring()
		go func() {
			<-arrived
			ctx.expire()
		}()
		_, err = l.Send(ctx, cardEntry())
		inDoubt(t, err)
	}
	silent()
	release <- func(a *asked) {
		go func() { release <- func(a *asked) { a.answer("51", nil) } }() // the next one's answer
		a.answer("00", nil)
	}
	ev := <-came
	require.Equal(t, isolink.CameLate, ev.Kind)
	require.Equal(t, queue.STAN(7), ev.STAN)
	next := cardEntry()
	next.ID, next.STAN = 8, 8
	a, err := h.send(l, next)
	require.NoError(t, err)
	require.Equal(t, "51", a.Code)
	<-arrived
	late := l.LateAnswers()
	require.Len(t, late, 1)
	require.Equal(t, queue.ID(7), late[0].ID)
	require.Equal(t, queue.Approved, late[0].Answer.Verdict)
	require.Empty(t, l.LateAnswers())
	require.Equal(t, 1, h.count(0x0800))

	silent()
	release <- func(a *asked) { a.answer("00", func(m *codec.Message) { set(m, 64, "3030303030303030") }) }
	require.Equal(t, isolink.Suspect, (<-came).Kind)
	require.Empty(t, l.LateAnswers(), "evidence needs a right MAC, too")
}

// piped is a connection to a host behind a pipe. serve is what the host does
// with each message after the sign-in.
func (h *scripted) piped(serve func(a *asked)) net.Conn {
	ours, theirs := net.Pipe()
	go func() {
		defer theirs.Close()
		for {
			frame, err := codec.Framing{}.Read(theirs, nil)
			if err != nil {
				return
			}
			m, err := codec.UnionPay().Decode(frame.Body)
			if err != nil {
				return
			}
			if a := (&asked{m, h, theirs, frame}); m.Type() == 0x0800 {
				a.answer("00", nil)
			} else {
				serve(a)
			}
		}
	}()
	return ours
}

// inBubble runs a test at a scripted host behind pipes, on a clock of its own:
// however slow the machine is, nothing comes too late.
func inBubble(t *testing.T, script func(a *asked), opts *isolink.Options, test func(t *testing.T, h *scripted, l *isolink.Link)) {
	tmk := masterKey(t)
	synctest.Test(t, func(t *testing.T) {
		h := &scripted{t: t, tmk: tmk, script: script, batch: 42}
		dial := func(ctx context.Context) (net.Conn, error) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			ours, theirs := net.Pipe()
			h.mu.Lock()
			defer h.mu.Unlock()
			h.conns = append(h.conns, theirs)
			go h.serve(theirs)
			return ours, nil
		}
		var o isolink.Options
		if opts != nil {
			o = *opts
		}
		told := o.OnEvent
		o.OnEvent = func(ev isolink.Event) {
			h.event(ev)
			if told != nil {
				told(ev)
			}
		}
		l, err := isolink.New(lane, dial, new(series), tmk, &o)
		require.NoError(t, err)
		test(t, h, l)
		require.NoError(t, l.Close())
		h.noSecrets()
	})
}

// After a silence the host is asked for an echo before it is trusted with a
// payment; where none comes the link dials anew, without a sign-in.
func TestADeadPeerIsNoticed(t *testing.T) {
	echoes, answers := 0, true
	serve := func(a *asked) {
		if a.Type() == 0x0820 {
			echoes++
			require.Equal(t, "0820 41=10000001 42=898100000000001 60=00000042301", fieldsOf(a.Message))
			if !answers {
				return
			}
		}
		a.answer("00", nil)
	}
	inBubble(t, financial(serve), nil, func(t *testing.T, h *scripted, l *isolink.Link) {
		ctx := context.Background()
		prepare := func() time.Duration {
			start := time.Now()
			_, err := l.Prepare(ctx)
			require.NoError(t, err)
			return time.Since(start)
		}
		prepare()
		<-time.After(59 * time.Second) // of the bubble's clock
		prepare()
		require.Equal(t, []int{0, 1}, []int{echoes, h.dialled()})
		<-time.After(2 * time.Second)
		prepare()
		prepare()
		require.Equal(t, []int{1, 1}, []int{echoes, h.dialled()})
		answers = false
		<-time.After(61 * time.Second)
		require.Equal(t, 2*time.Second, prepare())
		require.Equal(t, []int{2, 2}, []int{echoes, h.dialled()})
		<-time.After(61 * time.Second)
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := l.Prepare(short)
		require.NoError(t, err, "half of the time is left for dialling")
		require.Equal(t, 3, h.dialled())
		_, err = l.Send(ctx, cardEntry())
		require.NoError(t, err)
	})
}

// aged is a connection that had waited before it was given out.
type aged struct {
	net.Conn
	opened time.Time
}

func (c aged) Opened() time.Time { return c.opened }

// A connection that was kept ready, and that the network has forgotten meanwhile,
// costs an echo, not a payment.
func TestAForgottenSpareIsNotTrusted(t *testing.T) {
	tmk := masterKey(t)
	synctest.Test(t, func(t *testing.T) {
		h := &scripted{tmk: tmk, batch: 42}
		echoes, sales := 0, 0
		serve := func(a *asked) {
			if a.Type() == 0x0820 {
				echoes++
			} else {
				sales++
			}
			a.answer("00", nil)
		}
		var spares []net.Conn
		var given net.Conn
		dial := func(ctx context.Context) (net.Conn, error) {
			if len(spares) == 0 {
				given = h.piped(serve)
				return given, ctx.Err()
			}
			given, spares = spares[0], spares[1:]
			return aged{given, time.Now().Add(-61 * time.Second)}, nil
		}
		drop := func() {
			given.Close()
			synctest.Wait()
		}
		deaf := func() net.Conn {
			c, host := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, host) }()
			return c
		}
		l, err := isolink.New(lane, dial, new(series), tmk, nil)
		require.NoError(t, err)
		defer l.Close()
		spares = []net.Conn{h.piped(serve)}
		_, err = l.Prepare(t.Context())
		require.NoError(t, err)
		require.Zero(t, echoes, "the sign-in shows what it is worth")
		_, err = l.Send(t.Context(), cardEntry())
		require.NoError(t, err)

		for _, x := range []struct {
			spares []net.Conn
			echoes int
			takes  time.Duration
		}{
			{[]net.Conn{h.piped(serve)}, 1, 0},
			{[]net.Conn{deaf()}, 0, 1500 * time.Millisecond}, // a half of the try's time
			{[]net.Conn{deaf(), deaf()}, 0, 2250 * time.Millisecond},
		} {
			echoes, sales = 0, 0
			drop()
			spares = x.spares
			start := time.Now()
			_, err = l.Prepare(t.Context())
			require.NoError(t, err)
			require.Equal(t, x.takes, time.Since(start))
			_, err = l.Send(t.Context(), cardEntry())
			require.NoError(t, err)
			require.Equal(t, []int{x.echoes, 1}, []int{echoes, sales})
		}
		spares = []net.Conn{deaf(), deaf(), deaf(), deaf(), deaf()}
		drop()
		_, err = l.Send(t.Context(), cardEntry())
		require.ErrorIs(t, err, queue.ErrNotSent)
		requireReason(t, isolink.Silent, err)
		require.Len(t, spares, 1, "a dialer that has nothing else is asked four times")
		spares[0].Close()
	})
}

// A connection that waits for a late answer ends after two minutes, one that
// stops in a frame after ten seconds, and a wait without a deadline after a
// minute: nothing stays for ever.
func TestNothingWaitsForEver(t *testing.T) {
	var ended chan time.Duration
	serve := func(a *asked) {
		start := time.Now()
		if v, _ := a.Text(11); v == "000008" {
			a.write([]byte{0})
		}
		_, err := a.conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, io.EOF)
		ended <- time.Since(start)
	}
	inBubble(t, financial(serve), nil, func(t *testing.T, _ *scripted, l *isolink.Link) {
		ended = make(chan time.Duration, 16) // the bubble's own
		send := func(ctx context.Context, stan queue.STAN) time.Duration {
			_, err := l.Prepare(ctx)
			require.NoError(t, err)
			e := cardEntry()
			e.STAN = stan
			start := time.Now()
			_, err = l.Send(ctx, e)
			inDoubt(t, err)
			return time.Since(start)
		}
		require.Equal(t, time.Minute, send(t.Context(), 7))
		require.Equal(t, 3*time.Minute, <-ended)
		require.Equal(t, 10*time.Second, send(t.Context(), 8))
		require.Equal(t, 10*time.Second, <-ended)
		for range 6 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			send(ctx, 7)
			cancel()
		}
		synctest.Wait()
		require.Len(t, ended, 2, "four connections at most wait for late answers")
	})
}

func TestSignOff(t *testing.T) {
	h := newScripted(t, nil)
	l := h.link(nil)
	ctx := context.Background()
	require.NoError(t, l.SignOff(ctx), "there is nothing to sign off")
	require.Zero(t, h.total())
	_, err := l.Prepare(ctx)
	require.NoError(t, err)
	require.NoError(t, l.SignOff(ctx))
	m, _ := h.last()
	require.Equal(t, "0820 11=900002 41=10000001 42=898100000000001 60=00000042002", fieldsOf(m))
	require.Equal(t, 1, h.told(isolink.SignedOff))
	_, err = l.Send(ctx, cardEntry())
	require.ErrorIs(t, err, isolink.ErrSignInFirst)
	_, err = h.send(l, cardEntry())
	require.NoError(t, err)
	require.Equal(t, 2, h.count(0x0800))
	h.behave(func(a *asked) { a.answer("96", nil) })
	require.Equal(t, "96", requireReason(t, isolink.HostBusy, l.SignOff(ctx)).Code)
	require.False(t, errors.Is(l.SignOff(ctx), queue.ErrNotSent))
}
