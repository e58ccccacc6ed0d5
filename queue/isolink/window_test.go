package isolink_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

// numbered is a card sale with a number of its own.
func numbered(n int) queue.Entry {
	e := cardEntry()
	e.ID, e.STAN = queue.ID(n), queue.STAN(n)
	return e
}

// sentAll sends entries from to to at once and returns what came of each.
func sentAll(l *isolink.Link, from, to int) map[int]error {
	var mu sync.Mutex
	var all sync.WaitGroup
	out := map[int]error{}
	for n := from; n <= to; n++ {
		all.Go(func() {
			a, err := l.Send(context.Background(), numbered(n))
			if err == nil && a.Verdict != queue.Approved {
				err = errors.New(a.Verdict.String())
			}
			mu.Lock()
			defer mu.Unlock()
			out[n] = err
		})
	}
	all.Wait()
	return out
}

func stan(a *asked) string {
	v, _ := a.Text(11)
	return v
}

// gather holds messages back until n of them are there and hands them to serve,
// newest first. It runs on the one goroutine of a connection.
func gather(n int, serve func(all []*asked)) func(*asked) {
	var held []*asked
	return financial(func(a *asked) {
		held = append([]*asked{a}, held...)
		if len(held) == n {
			all := held
			held = nil
			serve(all)
		}
	})
}

// Answers that come in any order find their entries.
func TestAWindowOfAnswersInAnyOrder(t *testing.T) {
	const n = 40
	h := newScripted(t, gather(n, func(all []*asked) {
		for i, a := range all {
			a.answer(map[bool]string{true: "00", false: "51"}[i%2 == 0], nil)
			if i == 7 {
				a.answer("51", nil) // two answers have one effect
			}
		}
	}))
	l := h.link(&isolink.Options{Window: n})
	require.Equal(t, n, l.Window())
	_, err := l.Prepare(t.Context())
	require.NoError(t, err)
	approved := 0
	for _, err := range sentAll(l, 1, n) {
		if err == nil {
			approved++
		} else {
			require.EqualError(t, err, "refused")
		}
	}
	require.Equal(t, n/2, approved)
	require.Equal(t, 1, h.dialled(), "over one connection")
	require.Equal(t, 1, h.told(isolink.Stray))
}

// One entry sent twice at once: the second is not said to be unsent, for the first
// is under way.
func TestTheSameEntryTwiceAtOnce(t *testing.T) {
	held := make(chan *asked, 2)
	h := newScripted(t, financial(func(a *asked) { held <- a }))
	l := h.link(&isolink.Options{Window: 2})
	_, err := l.Prepare(t.Context())
	require.NoError(t, err)
	first := make(chan error, 1)
	go func() { _, err := l.Send(t.Context(), numbered(1)); first <- err }()
	a := <-held
	_, err = l.Send(t.Context(), numbered(1))
	inDoubt(t, err)
	a.answer("00", nil)
	require.NoError(t, <-first)
	require.Equal(t, 1, h.count(0x0200))
}

// No more entries than the window takes are under way.
func TestTheWindowIsKept(t *testing.T) {
	held := make(chan *asked, 64)
	h := newScripted(t, financial(func(a *asked) { held <- a }))
	l := h.link(&isolink.Options{Window: 3})
	_, err := l.Prepare(t.Context())
	require.NoError(t, err)
	done := make(chan map[int]error)
	go func() { done <- sentAll(l, 1, 9) }()
	for answered := 0; answered < 9; {
		three := []*asked{<-held, <-held, <-held}
		require.Empty(t, held)
		require.LessOrEqual(t, h.count(0x0200), answered+3)
		for _, a := range three {
			a.answer("00", nil)
			answered++
		}
	}
	for n, err := range <-done {
		require.NoError(t, err, n)
	}
	_, err = isolink.New(lane, isolink.TCP("127.0.0.1:1"), new(series), h.tmk, &isolink.Options{Window: 257})
	require.Error(t, err)
}

// What is wrong with one answer is that entry's trouble only.
func TestABadAnswerIsNotItsNeighboursTrouble(t *testing.T) {
	spoilt := map[string]func(a *asked){
		"a wrong MAC":        func(a *asked) { a.answer("00", func(m *codec.Message) { set(m, 64, "3030303030303030") }) },
		"another merchant":   func(a *asked) { a.answer("00", func(m *codec.Message) { set(m, 42, "999999999999999") }) },
		"another terminal":   func(a *asked) { a.answer("00", func(m *codec.Message) { set(m, 41, "99999999") }) },
		"another amount":     func(a *asked) { a.answer("00", func(m *codec.Message) { set(m, 4, "000000000001") }) },
		"what is no message": func(a *asked) { a.write([]byte{0, 13, 0x60, 0, 0, 0, 3, 0x60, 0x31, 0, 0x31, 0, 0, 0xFF, 0xFF}) },
		"nothing":            func(*asked) {},
	}
	for name, spoil := range spoilt {
		t.Run(name, func(t *testing.T) {
			script := gather(8, func(all []*asked) {
				for i, a := range all {
					if i == 3 {
						spoil(a)
					} else {
						a.answer("00", nil)
					}
				}
			})
			inBubble(t, script, &isolink.Options{Window: 8, AnswerTimeout: 500 * time.Millisecond}, func(t *testing.T, h *scripted, l *isolink.Link) {
				_, err := l.Prepare(t.Context())
				require.NoError(t, err)
				bad := 0
				for _, err := range sentAll(l, 1, 8) {
					if err != nil {
						bad++
						inDoubt(t, err)
						h.note(err)
					}
				}
				require.Equal(t, 1, bad)
				h.behave(nil)
				_, err = h.send(l, numbered(9))
				require.NoError(t, err)
				switch name {
				case "what is no message":
					require.Equal(t, 2, h.dialled(), "a connection that carried rubbish is not trusted again")
				default:
					require.Equal(t, 1, h.dialled(), "the line is alive: others were answered on it")
				}
				require.Equal(t, 1, h.count(0x0800))
			})
		})
	}
}

// An answer that nobody waits for and that names others than us is reported as
// such: a host that books under a foreign merchant is a pattern of fraud.
func TestForeignAnswersAreReported(t *testing.T) {
	h := newScripted(t, financial(func(a *asked) {
		a.answer("00", func(m *codec.Message) {
			set(m, 11, "000099")
			set(m, 42, "999999999999999")
		})
		a.answer("00", nil)
	}))
	l := h.link(nil)
	_, err := h.send(l, cardEntry())
	require.NoError(t, err)
	require.Equal(t, 1, h.told(isolink.Suspect))
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ev := range h.events {
		if ev.Kind == isolink.Suspect {
			var foreign *isolink.AnswerError
			require.ErrorAs(t, ev.Err, &foreign)
			require.True(t, foreign.Foreign)
			require.Equal(t, 42, foreign.DE)
			require.Equal(t, queue.STAN(99), ev.STAN)
		}
	}
}

// Late answers find their entries while the connection goes on, and after it
// was given up.
func TestLateAnswersInAWindow(t *testing.T) {
	for name, heard := range map[string]bool{"others are heard": true, "all are silent": false} {
		t.Run(name, func(t *testing.T) {
			held := make(chan *asked, 8)
			script := gather(4, func(all []*asked) {
				for _, a := range all {
					if heard && stan(a) == "000004" {
						a.answer("00", nil)
					} else {
						held <- a
					}
				}
			})
			inBubble(t, script, &isolink.Options{Window: 4, AnswerTimeout: 300 * time.Millisecond}, func(t *testing.T, h *scripted, l *isolink.Link) {
				_, err := l.Prepare(t.Context())
				require.NoError(t, err)
				for n, err := range sentAll(l, 1, 4) {
					if heard && n == 4 {
						require.NoError(t, err)
					} else {
						inDoubt(t, err)
					}
				}
				h.behave(nil)
				_, err = h.send(l, numbered(5))
				require.NoError(t, err)
				require.Equal(t, map[bool]int{true: 1, false: 2}[heard], h.dialled())
				late := len(held)
				for range late {
					(<-held).answer("00", nil)
				}
				synctest.Wait()
				got := l.LateAnswers()
				require.Len(t, got, late)
				for _, a := range got {
					require.Equal(t, queue.Approved, a.Answer.Verdict)
					require.Equal(t, queue.ID(a.STAN), a.ID)
				}
				_, err = h.send(l, numbered(6))
				require.NoError(t, err)
			})
		})
	}
}

// However many answers under way ask for a sign-in, one follows.
func TestAWindowThatAsksForASignIn(t *testing.T) {
	h := newScripted(t, gather(16, func(all []*asked) {
		for _, a := range all {
			a.answer("A0", nil)
		}
	}))
	l := h.link(&isolink.Options{Window: 16})
	for round := range 2 {
		_, err := l.Prepare(t.Context())
		require.NoError(t, err, "round %d", round)
		for _, err := range sentAll(l, 1, 16) {
			require.Error(t, err)
		}
	}
	h.behave(nil)
	_, err := h.send(l, numbered(20))
	require.NoError(t, err, "sixteen answers are one wish: no pause before the third sign-in")
	require.Equal(t, 3, h.count(0x0800))
}

// A sign-in waits for what is under way, and an answer counts whether its MAC is
// of the old key or of the new.
func TestASignInWhileEntriesAreUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tmk := masterKey(t)
		h := &scripted{tmk: tmk, batch: 42}
		held := make(chan *asked, 1)
		dial := func(context.Context) (net.Conn, error) { return h.piped(func(a *asked) { held <- a }), nil }
		l, err := isolink.New(lane, dial, new(series), tmk, &isolink.Options{Window: 2})
		require.NoError(t, err)
		_, err = l.Prepare(t.Context())
		require.NoError(t, err)
		sent := make(chan error, 1)
		go func() { _, err := l.Send(t.Context(), numbered(1)); sent <- err }()
		a := <-held
		start := time.Now()
		require.NoError(t, l.Renew(t.Context()))
		require.Equal(t, 2500*time.Millisecond, time.Since(start), "half of the time was left to the entry")
		a.answer("00", nil) // the scripted host takes its newest key
		require.NoError(t, <-sent)

		go func() { _, err := l.Send(t.Context(), numbered(2)); sent <- err }()
		a = <-held
		go func() { <-time.After(time.Second); a.answer("00", nil) }() // of the bubble's clock
		start = time.Now()
		require.NoError(t, l.Renew(t.Context()))
		require.Equal(t, time.Second, time.Since(start))
		require.NoError(t, <-sent)
		require.NoError(t, l.Close())
	})
}

// With a window, Close ends whatever waits, too.
func TestCloseUnblocksAWindow(t *testing.T) {
	reached := make(chan struct{}, 8)
	h := newScripted(t, financial(func(*asked) { reached <- struct{}{} }))
	l := h.link(&isolink.Options{Window: 4})
	_, err := l.Prepare(t.Context())
	require.NoError(t, err)
	errs := make(chan map[int]error)
	go func() { errs <- sentAll(l, 1, 8) }()
	for range 4 {
		<-reached
	}
	require.NoError(t, l.Close())
	unsent := 0
	for _, err := range <-errs {
		require.ErrorIs(t, err, isolink.ErrClosed)
		if errors.Is(err, queue.ErrNotSent) {
			unsent++
		}
	}
	require.Equal(t, 4, unsent)
	_, err = l.Send(t.Context(), numbered(1))
	require.ErrorIs(t, err, queue.ErrNotSent)
	require.ErrorIs(t, l.Renew(t.Context()), isolink.ErrClosed)
}
