package isolink_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

// financial lets the script take all but sign-ins.
func financial(script func(*asked)) func(*asked) {
	return func(a *asked) {
		if a.Type() == 0x0800 {
			a.answer("00", nil)
			return
		}
		script(a)
	}
}

// in tells an error that leaves an entry in doubt from one that does not.
func inDoubt(t *testing.T, err error) {
	t.Helper()
	require.Error(t, err)
	require.NotErrorIs(t, err, queue.ErrNotSent)
}

func TestWhatACodeMeans(t *testing.T) {
	want := map[queue.Verdict][]string{
		queue.Approved:    {"00", "11", "16", "A2", "A4", "A5", "A6"},
		queue.Duplicate:   {"94"},
		queue.Unknown:     {"09", "68", "98"},
		queue.Unavailable: {"06", "77", "90", "91", "92", "96", "99", "A0"},
		queue.NotFound:    {"12", "25"},
		queue.Refused:     {"01", "04", "05", "13", "30", "51", "55", "64", "75", "79", "95", "97", "A1", "A7", "ZZ"},
	}
	code := make(chan string, 1)
	h := newScripted(t, financial(func(a *asked) { a.answer(<-code, nil) }))
	for verdict, codes := range want {
		for _, c := range codes {
			code <- c
			a, err := h.send(h.link(nil), cardEntry())
			require.NoError(t, err, c)
			require.Equal(t, verdict, a.Verdict, c)
			require.Equal(t, c, a.Code)
		}
	}
}

func TestAPartialApprovalSaysHowMuch(t *testing.T) {
	amount := make(chan string, 1)
	h := newScripted(t, financial(func(a *asked) {
		a.answer("10", func(m *codec.Message) {
			if v := <-amount; v != "" {
				a.must(m.Set(4, v))
			} else {
				m.Unset(4)
			}
		})
	}))
	l := h.link(nil)
	amount <- "000000000400"
	a, err := h.send(l, cardEntry())
	require.NoError(t, err)
	require.Equal(t, queue.Partial, a.Verdict)
	require.Equal(t, fen(400), a.Approved)
	for _, v := range []string{"000000001250", "000000009999", "000000000000", ""} {
		amount <- v
		_, err = h.send(l, cardEntry())
		inDoubt(t, err)
	}
}

// What is not the answer is skipped, and the wait goes on.
func TestOnlyTheAnswerCounts(t *testing.T) {
	h := newScripted(t, financial(func(a *asked) {
		for _, change := range []func(m *codec.Message){
			func(m *codec.Message) { set(m, 11, "000006") }, // another message's, late
			func(m *codec.Message) { m.SetType(0x0410) },    // another type's
			func(m *codec.Message) { m.SetType(0x0200) },    // no answer
			func(m *codec.Message) { m.Unset(11) },          // nobody's
		} {
			a.answer("51", change)
		}
		a.answer("00", func(m *codec.Message) { m.SetType(0x0211) }) // the repeat digit means nothing
		a.answer("51", nil)                                          // the second answer has no effect
	}))
	l := h.link(nil)
	for range 3 {
		a, err := h.send(l, cardEntry())
		require.NoError(t, err)
		require.Equal(t, queue.Approved, a.Verdict)
		e := cardEntry()
		e.STAN++
		_, err = h.send(l, e)
		require.NoError(t, err, "what came late is not taken for the next one's")
	}
	require.GreaterOrEqual(t, h.told(isolink.Stray), 12)
	require.Equal(t, 1, h.count(0x0800))
}

// An answer to our message that cannot be right leaves it in doubt at once.
func TestAnAnswerThatCannotBeRight(t *testing.T) {
	tests := map[string]struct {
		code    string
		change  func(m *codec.Message)
		de      int
		foreign bool
		badMAC  bool
	}{
		"another merchant":     {"00", func(m *codec.Message) { set(m, 42, "999999999999999") }, 42, true, false},
		"another terminal":     {"00", func(m *codec.Message) { set(m, 41, "10000009") }, 41, true, false},
		"refused to another":   {"51", func(m *codec.Message) { set(m, 42, "999999999999999") }, 42, true, false},
		"no terminal":          {"00", func(m *codec.Message) { m.Unset(41) }, 41, false, false},
		"another amount":       {"00", func(m *codec.Message) { set(m, 4, "000000001251") }, 4, false, false},
		"another amount in 51": {"51", func(m *codec.Message) { set(m, 4, "000000001251") }, 4, false, false},
		"no amount":            {"00", func(m *codec.Message) { m.Unset(4) }, 4, false, false},
		"another transaction":  {"00", func(m *codec.Message) { set(m, 3, "200000") }, 3, false, false},
		"no code":              {"00", func(m *codec.Message) { m.Unset(39) }, 39, false, false},
		"a wrong MAC":          {"00", func(m *codec.Message) { set(m, 64, "3030303030303030") }, 64, false, true},
		"a wrong MAC in 51":    {"51", func(m *codec.Message) { set(m, 64, "3030303030303030") }, 64, false, true},
	}
	for name, x := range tests {
		t.Run(name, func(t *testing.T) {
			h := newScripted(t, financial(func(a *asked) { a.answer(x.code, x.change) }))
			_, err := h.send(h.link(nil), cardEntry())
			inDoubt(t, err)
			var bad *isolink.AnswerError
			require.ErrorAs(t, err, &bad)
			require.Equal(t, x.de, bad.DE)
			require.Equal(t, x.foreign, bad.Foreign)
			require.Equal(t, x.badMAC, errors.Is(err, queue.ErrBadMAC))
			require.Equal(t, 1, h.told(isolink.Suspect))
		})
	}
}

func set(m *codec.Message, de int, v string) {
	if err := m.Set(de, v); err != nil {
		panic(err)
	}
}

func unsigned(a *asked, code string, change func(*codec.Message)) {
	reply, err := codec.Framing{}.Decode(a.reply(code, change))
	a.must(err)
	m, err := codec.UnionPay().Decode(reply.Body)
	a.must(err)
	m.Unset(64)
	a.write(a.seal(m, false))
}

func TestAnApprovalNeedsAMAC(t *testing.T) {
	for _, code := range []string{"00", "11", "A6"} {
		h := newScripted(t, financial(func(a *asked) { unsigned(a, code, nil) }))
		_, err := h.send(h.link(nil), cardEntry())
		inDoubt(t, err)
		require.ErrorIs(t, err, queue.ErrBadMAC)
		require.ErrorIs(t, err, codec.ErrNoMAC)
	}
	for _, code := range []string{"51", "94", "97"} { // hosts send these without
		h := newScripted(t, financial(func(a *asked) {
			unsigned(a, code, func(m *codec.Message) { m.Unset(3); m.Unset(4) })
		}))
		a, err := h.send(h.link(nil), cardEntry())
		require.NoError(t, err)
		require.Equal(t, code, a.Code)
	}
}

// After silence the entry is in doubt; the next Prepare dials anew, with the
// keys that it has.
func TestSilence(t *testing.T) {
	short := newExpiring()
	h := newScripted(t, financial(func(*asked) { short.expire() }))
	l := h.link(nil)
	_, err := l.Prepare(t.Context())
	require.NoError(t, err)
	_, err = l.Send(short, cardEntry())
	inDoubt(t, err)
	requireReason(t, isolink.Silent, err)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	h.behave(nil)
	_, err = h.send(l, cardEntry())
	require.NoError(t, err)
	require.Equal(t, 2, h.told(isolink.Connected))
	require.Equal(t, 1, h.count(0x0800))
}

func requireReason(t *testing.T, want isolink.Reason, err error) *isolink.LineError {
	t.Helper()
	var e *isolink.LineError
	require.ErrorAs(t, err, &e)
	require.Equal(t, want, e.Reason, "%v", err)
	return e
}

// The connection ends, or carries rubbish, in every way before the answer is
// there; it is not used again.
func TestTheConnectionBreaks(t *testing.T) {
	breaks := map[string]func(a *asked){
		"closed":          func(a *asked) { a.conn.Close() },
		"cut in mid-way":  func(a *asked) { b := a.reply("00", nil); a.write(b[:len(b)/2]); a.conn.Close() },
		"cut in length":   func(a *asked) { a.write([]byte{0}); a.conn.Close() },
		"too big":         func(a *asked) { a.write([]byte{0xFF, 0xFF}) },
		"too small":       func(a *asked) { a.write([]byte{0, 3, 1, 2, 3}) },
		"no message":      func(a *asked) { a.write(append([]byte{0, 15}, make([]byte, 15)...)) },
		"trailing byte":   func(a *asked) { b := append(a.reply("00", nil), 0); b[1]++; a.write(b) },
		"flood of others": func(a *asked) { flood(a) },
	}
	for name, brk := range breaks {
		t.Run(name, func(t *testing.T) {
			h := newScripted(t, financial(brk))
			l := h.link(nil)
			_, err := h.send(l, cardEntry())
			inDoubt(t, err)
			requireReason(t, isolink.Broken, err)
			h.behave(nil)
			_, err = h.send(l, cardEntry())
			require.NoError(t, err)
			require.Equal(t, 2, h.told(isolink.Connected))
		})
	}
}

func flood(a *asked) {
	b := a.reply("00", func(m *codec.Message) { set(m, 11, "000001") })
	for range 100 {
		a.write(b)
	}
}
