package handset

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
	"github.com/tallystick/tallystick/reconcile"
)

// requireClosed fails unless every booking stands in a batch that both sides
// closed in agreement and that has no more of them than this.
func requireClosed(t *testing.T, l host.Ledger, limit int) (batches int) {
	ends := map[string]string{}
	for _, b := range l.Batches {
		ends[fmt.Sprint(b.Terminal, b.Number)] = b.End
	}
	sizes := map[string]int{}
	for _, b := range l.Bookings {
		id := fmt.Sprint(b.Terminal, b.Batch)
		sizes[id]++
		require.Equal(t, "00", ends[id], b.String())
		require.LessOrEqual(t, sizes[id], limit)
	}
	return len(sizes)
}

// TestSettlesInMidDay: at the host's limit the batch is settled and the day goes
// on: cards go offline meanwhile, codes wait for it, cash is in a lane of its own.
func TestSettlesInMidDay(t *testing.T) {
	b := newBench(t, host.Mischief{Forget: 1})
	s := b.run("-batch-limit", "3")
	for i := range 8 {
		require.True(t, s.ask(fmt.Sprintf("card A%d 1", i)).State.Taken(), i)
		require.Equal(t, Accepted, s.ask(fmt.Sprintf("qr B%d 2", i)).State, i)
		require.Equal(t, Stored, s.ask(fmt.Sprintf("cash C%d 3", i)).State, i)
	}
	s.say("settle")
	require.Equal(t, Settled, s.await(WordSettle).Get("state"))
	for i := range 8 {
		require.Equal(t, Accepted, s.ask(fmt.Sprintf("show A%d", i)).State)
		require.Equal(t, Accepted, s.ask(fmt.Sprintf("show C%d", i)).State)
	}
	require.Zero(t, s.quit())
	books := b.books()
	require.Len(t, books.Bookings, 24)
	require.GreaterOrEqual(t, requireClosed(t, books, 3), 9)
}

// stuck is a host that lets totals wait.
type stuck struct {
	Host
	totals func(ctx context.Context) error
}

func (s stuck) SendTotals(ctx context.Context, b queue.Batch, t queue.Totals) (inland, foreign queue.Balance, err error) {
	if err := s.totals(ctx); err != nil {
		return 0, 0, err
	}
	return s.Host.SendTotals(ctx, b, t)
}

// TestLullIsBounded: while a settlement in mid-day does not end a code is given
// up after a while, and a card goes offline.
func TestLullIsBounded(t *testing.T) {
	b := newBench(t, host.Mischief{})
	free := make(chan struct{})
	start := func(flags ...string) *session {
		s := b.startWith(func(h Host) Host {
			return stuck{h, func(ctx context.Context) error {
				select {
				case <-free:
				case <-ctx.Done():
				}
				return ctx.Err()
			}}
		}, append(flags, "-batch-limit", "2")...)
		s.await(WordReady)
		return s
	}
	s := start()
	require.Equal(t, Accepted, s.ask("qr A 1").State)
	require.Equal(t, Accepted, s.ask("qr B 1").State)
	require.Zero(t, s.quit())
	s = start(hurried...)
	require.Equal(t, NotSent, s.ask("qr C 1").State)
	a := s.ask("card D 1")
	require.Equal(t, Stored, a.State)
	require.True(t, a.Offline)
	close(free)
	s.until("D", Accepted)
	require.Zero(t, s.quit())
	s = start()
	require.Equal(t, Accepted, s.ask("qr E 1").State)
	require.Zero(t, s.quit())
}

// TestUnsettlable: what no repetition can mend ends settle with its sentence.
func TestUnsettlable(t *testing.T) {
	b := newBench(t, host.Mischief{})
	s := b.startWith(func(h Host) Host {
		return stuck{h, func(context.Context) error { return fmt.Errorf("%w: DE 48 is too long", queue.ErrUnsendable) }}
	}, "-patience", "1h")
	s.await(WordReady)
	require.Equal(t, Accepted, s.ask("card A 1").State)
	s.say("settle")
	l := s.await(WordSettle)
	require.Equal(t, Unsettlable, l.Get("state"))
	require.Contains(t, l.Get("why"), "trying again does not help")
	require.Contains(t, l.Get("why"), "DE 48")
	require.Zero(t, s.quit())
}

// leaveClosed lets a handset close its batch and not get to settle it.
func (b *bench) leaveClosed() {
	s := b.startWith(func(h Host) Host {
		return stuck{h, func(context.Context) error { return errors.New("not now") }}
	}, "-patience", "200ms")
	s.await(WordReady)
	for !strings.Contains(s.stderr.String(), "cannot be settled now: ") { // on a busy machine patience may end before that
		s.say("settle")
		require.Equal(b.t, Unsettled, s.await(WordSettle).Get("state"))
	}
	require.Zero(b.t, s.quit())
}

// TestArmedFromTheStart: what goes on after a crash, without a command, runs
// into a trap that was armed on the command line.
func TestArmedFromTheStart(t *testing.T) {
	b := newBench(t, host.Mischief{})
	s := b.run()
	require.Equal(t, Accepted, s.ask("card A 1").State)
	require.Zero(t, s.quit())
	b.leaveClosed()
	s = b.run("-arm", "settlement:1")
	require.Equal(t, "totals answered", s.await(WordMark).Get("at"))
	require.NoError(t, s.in.Close())
	require.Zero(t, s.end())
}

// TestOutOfBalanceBesideTheCommands: what was left closed is settled without a
// command; the next settle tells all the same that it does not agree, once.
func TestOutOfBalanceBesideTheCommands(t *testing.T) {
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
	b.leaveClosed()

	s = b.run("-lang", "zh")
	s.say("settle")
	l := s.await(WordSettle)
	require.Equal(t, OutOfBalance, l.Get("state"), l)
	require.Contains(t, l.Get("why"), "不平")
	s.say("settle")
	require.Equal(t, Settled, s.await(WordSettle).Get("state"))
	require.Zero(t, s.quit())
}

// TestSettleWaitsForWhatIsEnding: a settlement beside the commands that the
// journal has, and that nobody was told of yet, is no settlement that agrees.
func TestSettleWaitsForWhatIsEnding(t *testing.T) {
	w := &watched{Host: ended{}, traps: &armoury{}, tell: func(string, queue.Entry) {}, off: func() bool { return true },
		untold: map[queue.BatchID]error{}, answered: map[queue.BatchID]bool{}, words: wordsOf("en")}
	_, err := beside{w}.EndBatch(t.Context(), queue.Batch{}, false, 1)
	require.NoError(t, err)
	var noted bell
	said := make(chan error, 1)
	go func() { said <- w.unsaid(t.Context(), &noted) }()
	different := &reconcile.OutOfBalanceError{Batch: queue.BatchID{N: 1}}
	go func() {
		w.settled(t.Context(), different)
		noted.ring()
	}()
	require.Equal(t, error(different), <-said)

	w.answers(different)
	require.NoError(t, w.unsaid(t.Context(), &noted))
	_, err = beside{w}.EndBatch(t.Context(), queue.Batch{}, false, 1)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, w.unsaid(ctx, &noted), context.Canceled)
}

// ended is a host that has ended every batch.
type ended struct{ Host }

func (ended) EndBatch(context.Context, queue.Batch, bool, int) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Refused}, nil
}

// TestSaysWhyThereIsNoLine: once, in the person's language, with the host's code.
func TestSaysWhyThereIsNoLine(t *testing.T) {
	refusing := func(wrapped Host) Host {
		return noLine{wrapped, &isolink.LineError{During: "sign-in", Reason: isolink.TerminalUnknown, Code: "97"}}
	}
	for _, c := range []struct {
		lang, sentence string
		wrap           func(Host) Host
		mischief       host.Mischief
	}{
		{"en", "the host does not know this terminal or merchant; have it registered (code 97)", refusing, host.Mischief{}},
		{"zh", "主机不认识该终端或商户；请先登记（应答码 97）", refusing, host.Mischief{}},
		{"en", "the host does not answer", func(h Host) Host { return h }, host.Mischief{LoseRequest: 1}},
		{"zh", "主机没有应答", func(h Host) Host { return h }, host.Mischief{LoseRequest: 1}},
	} {
		t.Run(c.lang+" "+c.sentence, func(t *testing.T) {
			b := newBench(t, c.mischief)
			s := b.startWith(c.wrap, append(hurried, "-lang", c.lang, "-patience", "2s")...)
			s.await(WordReady)
			require.Equal(t, Stored, s.ask("card A 1").State)
			require.Equal(t, Stored, s.ask("card B 1").State)
			s.say("settle")
			require.Equal(t, Unsettled, s.await(WordSettle).Get("state"))
			require.Zero(t, s.quit())
			require.Equal(t, 1, strings.Count(s.stderr.String(), c.sentence), s.stderr.String())
			require.Contains(t, s.stderr.String(), "10000001")
		})
	}
}

// noLine is a host that does not let anybody sign in.
type noLine struct {
	Host
	err error
}

func (n noLine) Prepare(context.Context) (queue.Line, error) { return queue.Line{}, n.err }

// TestSaysItAgainAfterALine: a trouble that was over is told again.
func TestSaysItAgainAfterALine(t *testing.T) {
	b := newBench(t, host.Mischief{})
	var broken atomic.Bool
	s := b.startWith(func(h Host) Host { return switched{h, &broken} }, "-retry", "20ms")
	s.await(WordReady)
	for i := range 2 {
		broken.Store(true)
		require.Equal(t, NotSent, s.ask(fmt.Sprintf("qr A%d 1", i)).State)
		broken.Store(false)
		require.Equal(t, Accepted, s.ask(fmt.Sprintf("qr B%d 1", i)).State)
	}
	require.Zero(t, s.quit())
	require.Equal(t, 2, strings.Count(s.stderr.String(), "the host is not"), s.stderr.String())
}

type switched struct {
	Host
	broken *atomic.Bool
}

func (s switched) Prepare(ctx context.Context) (queue.Line, error) {
	if s.broken.Load() {
		return queue.Line{}, fmt.Errorf("the host is not there")
	}
	return s.Host.Prepare(ctx)
}

// TestCardLike: what could be a card number is none of a ref.
func TestCardLike(t *testing.T) {
	for _, ref := range []string{
		"4111111111111111", "6221558812340000", "6216261000000000018", "6221-5588-1234-0000", "A/6221558812340000/2", "378282246310005",
		"4222222222222", "6200000000000000",
	} {
		require.True(t, CardLike(ref), ref)
	}
	for _, ref := range []string{"4111111111111112", "622155881234", "620000000000001", "SF6221558812340000", "41111111111111111111", "", "A/2", "line/17"} {
		require.False(t, CardLike(ref), ref)
	}
	b := newBench(t, host.Mischief{})
	s := b.run("-offline")
	for _, c := range []string{"card 4111111111111111 1", "cash 6221558812340000/2 1", "void A 6216261000000000018", "refund 4111111111111111 A 1", "show 4111-1111-1111-1111"} {
		s.say(c)
		l := s.await(WordError)
		require.Contains(t, l.Get("why"), "card number", c)
		require.NotContains(t, l.String(), "1111", c)
	}
	require.Zero(t, s.quit())
}
