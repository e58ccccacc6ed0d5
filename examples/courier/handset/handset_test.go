package handset

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/queue"
)

func TestCommandsTakeVoidAndRefund(t *testing.T) {
	b := newBench(t, host.Mischief{})
	s := b.run()
	for _, c := range []struct {
		command string
		state   State
		fen     int64
	}{
		{"card A 12.50", Accepted, 1250},
		{"qr B 3", Accepted, 300},
		{"cash C 0.01", Stored, 1},
		{"void A/void A", Accepted, 1250},
		{"void A/again A", Refused, 0},
		{"refund B/r B 1.25", Stored, 125},
		{"refund B/more B 4", Refused, 400},
		{"refund none/r none 4", Refused, 400},
		{"void none/v none", Refused, 0},
		{"show A", Accepted, 1250},
		{"show none", Refused, 0},
	} {
		a := s.ask(c.command)
		require.Equal(t, c.state, a.State, "%s: %+v", c.command, a)
		require.Equal(t, c.fen, a.Fen, c.command)
	}
	s.until("C", Accepted)
	s.until("B/r", Accepted)
	require.Zero(t, s.quit())

	kinds := map[host.Kind]host.State{}
	for _, k := range b.books().Bookings {
		if k.Kind != host.Sale {
			kinds[k.Kind] = k.State
		} else {
			kinds[host.Kind(fmt.Sprint(k.Kind, " ", k.Amount))] = k.State
		}
	}
	require.Equal(t, map[host.Kind]host.State{"sale 1250": host.Voided, "sale 300": host.Booked,
		host.OfflineSale: host.Booked, host.Void: host.Booked, host.Refund: host.Booked}, kinds)
}

// TestSameCommandAgain: a command repeated, also by the next process, tells what
// became of the first and takes nothing twice.
func TestSameCommandAgain(t *testing.T) {
	commands := []string{"card A 12.50", "qr B 3", "cash C 7", "void A/v A", "refund B/r B 1"}
	b := newBench(t, host.Mischief{})
	s := b.run()
	var first []Answer
	for _, c := range commands {
		first = append(first, s.ask(c))
	}
	again := func() {
		for i, c := range commands {
			a := s.ask(c)
			require.Equal(t, first[i].Entry, a.Entry, c)
			require.True(t, a.State.Taken(), "%s: %s", c, a.State)
		}
		for _, c := range []string{"card A 12.51", "qr A 12.50", "cash A 12.50", "refund A/v A 1", "refund B/r B 2", "void B/r B"} {
			require.Equal(t, Refused, s.ask(c).State, c)
		}
	}
	again()
	s.until("C", Accepted)
	s.until("B/r", Accepted)
	require.Zero(t, s.quit())
	s = b.run()
	again()
	require.Zero(t, s.quit())
	require.Len(t, b.books().Bookings, len(commands))
}

// TestNoLine: without a line a card goes on its chip's approval, cash is taken
// as ever, a code and a void are given up.
func TestNoLine(t *testing.T) {
	b := newBench(t, host.Mischief{})
	s := b.run()
	require.Equal(t, Accepted, s.ask("card before 1").State)
	s.say("offline")
	require.Equal(t, "off", s.await(WordStatus).Get("line"))
	a := s.ask("card A 12.50")
	require.Equal(t, Stored, a.State)
	require.True(t, a.Offline)
	require.Equal(t, Stored, s.ask("cash C 1").State)
	require.Equal(t, NotSent, s.ask("qr B 3").State)
	require.Equal(t, NotSent, s.ask("void before/v before").State)
	s.say("online")
	require.Equal(t, "on", s.await(WordStatus).Get("line"))
	s.until("A", Accepted)
	s.until("C", Accepted)
	require.Equal(t, Accepted, s.ask("void before/w before").State)
	require.Zero(t, s.quit())
	require.Len(t, b.books().Bookings, 4)
}

// unsent is a link on which no request leaves once it is broken.
type unsent struct {
	Host
	broken *atomic.Bool
}

func (u unsent) Send(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	if u.broken.Load() && e.Kind == queue.Request {
		return queue.Answer{}, queue.ErrNotSent
	}
	return u.Host.Send(ctx, e)
}

// TestLineLostBeforeTheFirstByte: a request that is journalled and then provably
// not sent is taken offline, or withdrawn; nothing of it stays open.
func TestLineLostBeforeTheFirstByte(t *testing.T) {
	b := newBench(t, host.Mischief{})
	broken := &atomic.Bool{}
	s := b.startWith(func(h Host) Host { return unsent{h, broken} })
	s.await(WordReady)
	require.Equal(t, Accepted, s.ask("card before 1").State)
	broken.Store(true)
	a := s.ask("card A 12.50")
	require.Equal(t, Stored, a.State)
	require.True(t, a.Offline)
	a = s.ask("qr B 3")
	require.Equal(t, NotSent, a.State)
	require.NotZero(t, a.Entry, "it is in the journal")
	require.Equal(t, NotSent, s.ask("void before/v before").State)
	broken.Store(false)
	require.Equal(t, NotSent, s.ask("qr B 3").State, "what was told stays so")
	require.Equal(t, NotSent, s.ask("void before/v before").State)
	s.until("A", Accepted)
	s.say("settle")
	require.Equal(t, Settled, s.await(WordSettle).Get("state"))
	require.Zero(t, s.quit())
	require.Len(t, b.books().Bookings, 2)
}

// TestStartsWithoutALine: what was switched off before a crash stays off after
// it, for the flag says so.
func TestStartsWithoutALine(t *testing.T) {
	b := newBench(t, host.Mischief{})
	s := b.run("-offline")
	require.Equal(t, Stored, s.ask("card A 1").State)
	require.Zero(t, s.quit())
	require.Empty(t, b.books().Bookings)
}

// TestInDoubtIsReversed: a lost answer leaves a sale in doubt, never accepted,
// and its reversal undoes the booking.
func TestInDoubtIsReversed(t *testing.T) {
	b := newBench(t, host.Mischief{Cut: 1, Only: []codec.MTI{0x0200}})
	s := b.run()
	require.Equal(t, InDoubt, s.ask("qr A 5").State)
	b.server.SetMischief(host.Mischief{})
	s.until("A", Reversed)
	require.Equal(t, Reversed, s.ask("qr A 5").State, "it does not come back")
	require.Equal(t, Accepted, s.ask("qr A/2 5").State)
	require.Zero(t, s.quit())
	require.Len(t, s.told("doubt"), 1)
	books := b.books()
	require.Len(t, books.Bookings, 2)
	require.Equal(t, host.Reversed, books.Bookings[0].State)
	require.Equal(t, host.Booked, books.Bookings[1].State)
}

// TestSettle: what the host had forgotten is mended, a second settle finds
// nothing to do, and the next sale is in the next batch.
func TestSettle(t *testing.T) {
	b := newBench(t, host.Mischief{Forget: 1})
	s := b.run()
	require.Equal(t, Accepted, s.ask("card A 12.50").State)
	require.Equal(t, Accepted, s.ask("qr B 3").State)
	require.Equal(t, Stored, s.ask("cash C 7").State)
	for _, want := range []string{"batches=2 mended=1", "batches=0 mended=0"} {
		s.say("settle")
		l := s.await(WordSettle)
		require.Equal(t, "settled", l.Get("state"), l)
		require.Contains(t, l.String(), want)
	}
	require.EqualValues(t, 2, s.ask("card D 1").Batch)
	require.Zero(t, s.quit())
	books := b.books()
	require.Len(t, books.Bookings, 4)
	for _, k := range books.Batches {
		require.Equal(t, "00", k.End, "%s/%d", k.Terminal, k.Number)
	}
}

// TestSettleForeignCards: cards from abroad are told apart on both sides.
func TestSettleForeignCards(t *testing.T) {
	b := newBench(t, host.Mischief{})
	s := b.run()
	for i := range 8 {
		require.Equal(t, Accepted, s.ask(fmt.Sprintf("card A%d 1", i)).State)
	}
	s.say("settle")
	require.Equal(t, Settled, s.await(WordSettle).Get("state"))
	require.Zero(t, s.quit())
	batch := b.books().Batches[0]
	require.Equal(t, "00", batch.End)
	require.NotZero(t, batch.Claimed.Foreign.DebitCount)
	require.NotZero(t, batch.Claimed.Inland.DebitCount)
}

// TestSettleOutOfBalance: what the host has and the journal does not is told
// apart from a settlement that has to be tried again.
func TestSettleOutOfBalance(t *testing.T) {
	b := newBench(t, host.Mischief{})
	s := b.run()
	require.Equal(t, Accepted, s.ask("card ours 1").State)
	require.Zero(t, s.quit())

	stranger := *b
	stranger.journal += "-2"
	s = stranger.run()
	s.ask("card theirs/1 1") // its number is taken
	require.Equal(t, Accepted, s.ask("card theirs/2 1").State)
	require.Zero(t, s.quit())

	s = b.run()
	s.say("settle")
	l := s.await(WordSettle)
	require.Equal(t, OutOfBalance, l.Get("state"), l)
	require.Zero(t, s.quit())
}

// TestTraps: an armed point is marked and waited at; the process still ends
// when nobody is left to kill it.
func TestTraps(t *testing.T) {
	for _, c := range []struct {
		arm, command, at string
	}{
		{"arm attempt 0", "card A 1", "journalled"},
		{"arm attempt 1", "qr A 1", "sent"},
		{"arm answer 0", "card A 1", "answered"},
		{"arm upload 0", "cash A 1", "journalled"},
		{"arm upload 1", "cash A 1", "answered"},
		{"arm settlement 0", "settle", "totals ready"},
		{"arm settlement 1", "settle", "totals answered"},
		{"arm settlement 2", "settle", "end ready"},
		{"arm settlement 3", "settle", "end answered"},
		{"arm details 0", "settle", "detail ready"},
		{"arm details 1", "settle", "detail answered"},
	} {
		t.Run(c.arm, func(t *testing.T) {
			b := newBench(t, host.Mischief{Forget: 1})
			s := b.run()
			require.Equal(t, Accepted, s.ask("card first 1").State)
			s.say(c.arm)
			require.NotEmpty(t, s.await(WordStatus).Get("armed"))
			s.say(c.command)
			l := s.await(WordMark)
			require.Equal(t, strings.Fields(c.arm)[1], l.Get("trap"))
			require.Equal(t, c.at, l.Get("at"))
			require.NoError(t, s.in.Close())
			require.Zero(t, s.end())
		})
	}
}

// TestTunnel: the line goes off in the middle of an attempt, which leaves it in
// doubt, whatever the host made of it.
func TestTunnel(t *testing.T) {
	b := newBench(t, host.Mischief{})
	s := b.run()
	s.say("arm tunnel 0")
	s.await(WordStatus)
	require.Equal(t, InDoubt, s.ask("card A 5").State)
	require.Equal(t, "off", s.told("line")[0].Get("line"))
	require.Equal(t, InDoubt, s.ask("show A").State)
	s.say("online")
	s.await(WordStatus)
	s.until("A", Reversed)
	require.Zero(t, s.quit())
	for _, k := range b.books().Bookings {
		require.Equal(t, host.Reversed, k.State)
	}
}

// TestMistakes: what is no command is answered by an error that repeats no long
// word, for it may be a card number, and changes nothing.
func TestMistakes(t *testing.T) {
	b := newBench(t, host.Mischief{})
	s := b.run()
	for _, c := range []string{
		"pay A 1", "card A", "card A 1 2", "card A -1", "card A 0", "card A 1.234", "card A 1e3", "card A 50000.01", "card A .5",
		"card A 5.", "card A_B 1", "card 6221558812340000=3012 1", "card A 6221558812340000", "6221558812340000",
		"refund A/r A x", "void A/v B_C", "card " + strings.Repeat("9", 41) + " 1", "arm nothing 0", "arm attempt -1", "settle now",
	} {
		s.say(c)
		l := s.await(WordError)
		require.NotEmpty(t, l.Get("why"), c)
		require.NotContains(t, l.String(), "622155881234")
	}
	s.say("status")
	require.Zero(t, s.await(WordStatus).Number("waiting"))
	require.Zero(t, s.quit())
	require.Empty(t, b.books().Bookings)
}

// TestEndsWithItsInput: with -eof-quits at once, else after the commands given.
func TestEndsWithItsInput(t *testing.T) {
	b := newBench(t, host.Mischief{LoseRequest: 1})
	s := b.run("-eof-quits", "-patience", "1h")
	require.Equal(t, Stored, s.ask("cash A 1").State)
	s.say("settle") // which cannot end: the host hears nothing
	require.NoError(t, s.in.Close())
	require.Zero(t, s.end())

	s = b.run()
	go func() {
		_, _ = io.WriteString(s.in, "show A\ncash B 2\n")
		s.in.Close()
	}()
	require.Equal(t, "A", s.await(WordAnswer).Get("ref"))
	require.Equal(t, "B", s.await(WordAnswer).Get("ref"))
	require.Zero(t, s.end())
}
