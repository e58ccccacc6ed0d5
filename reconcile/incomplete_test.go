package reconcile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// told is what the tests compare of a line.
type told struct {
	p      Problem
	id     queue.ID
	atHost bool
	mended bool
}

func lines(r Incompleteness) (out []told) {
	for _, l := range r.Lines {
		out = append(out, told{l.Problem, l.ID, l.AtHost, l.Mended})
	}
	return out
}

func TestIncompleteOfWhatAgrees(t *testing.T) {
	q, b := journalOf(t, 20)
	r, err := Incomplete(bg, q, "depot", b)
	require.NoError(t, err)
	require.Empty(t, r.Lines)
	require.True(t, r.Agreed)
	require.Equal(t, 1, r.Messages)
	require.LessOrEqual(t, r.Sent+r.Received, 64)
}

func TestIncompleteSendsWhatWaits(t *testing.T) {
	q, b := journalOf(t, 3)
	_, err := q.Append(bg, cash("waits", 500))
	require.NoError(t, err)
	r, err := Incomplete(bg, q, "depot", b)
	require.NoError(t, err)
	require.Equal(t, []told{{NeverSent, 4, false, true}}, lines(r))
	require.True(t, r.Agreed)
	same(t, q, b)
}

func TestIncompleteTellsAgainWhatIsMissing(t *testing.T) {
	q, b := journalOf(t, 40)
	b.lose(3, 4, 5, 40)
	r, err := Incomplete(bg, q, "depot", b)
	require.NoError(t, err)
	require.Equal(t, []told{{Missing, 3, false, true}, {Missing, 4, false, true}, {Missing, 5, false, true}, {Missing, 40, false, true}}, lines(r))
	require.True(t, r.Agreed)
	same(t, q, b)
}

func TestIncompleteTellsOtherContent(t *testing.T) {
	q, b := journalOf(t, 10)
	b.change(t, 2, func(e *queue.Entry) { e.Amount.Minor++ })
	b.change(t, 4, func(e *queue.Entry) { e.Operator = "7" })
	b.change(t, 6, func(e *queue.Entry) { e.Ref = "of another device" })
	b.booked[8] = append(b.booked[8], b.booked[8][0])
	mine := b.booked[9][0]
	b.change(t, 9, func(e *queue.Entry) { e.Ref = "of another device" })
	b.booked[9] = append(b.booked[9], mine)
	r, err := Incomplete(bg, q, "depot", b)
	require.NoError(t, err)
	require.Equal(t, []told{{OtherAmount, 2, false, false}, {OtherContent, 4, false, false},
		{Missing, 6, false, false}, {Foreign, 6, false, false}, {Twice, 8, true, false}, {Foreign, 9, false, false}}, lines(r))
	require.False(t, r.Agreed)
	require.Equal(t, queue.Money{Minor: 102, Currency: queue.CNY}, r.Lines[0].Held[0].Amount)
	require.Equal(t, "of another device", r.Lines[3].Held[0].Ref)
	require.Contains(t, b.calls, "retell 6", "what is missing is told although another entry has its number")
}

// A journal that was restored from an old copy lacks what the first device did since.
func TestIncompleteTellsWhatIsBeyondTheJournal(t *testing.T) {
	q, b := journalOf(t, 5)
	for id := queue.ID(7); id <= 9; id++ {
		b.booked[id] = []agree.Held{{Canonical: q.Canonical(nil, queue.Entry{ID: id, Transaction: cash("elsewhere", 900)}), Epoch: 1, Stands: true}}
		b.seen[id] = true
	}
	r, err := Incomplete(bg, q, "depot", b)
	require.NoError(t, err)
	require.Equal(t, []told{{Foreign, 7, false, false}, {Foreign, 8, false, false}, {Foreign, 9, false, false}}, lines(r))
	require.Equal(t, "elsewhere", r.Lines[0].Held[0].Ref)
	require.Equal(t, queue.ID(9), r.HostHighest)
	require.False(t, r.Agreed)
}

// inDoubt leaves a card request in doubt whose booking the host has made.
func inDoubt(t *testing.T, q *queue.Queue, b *memBook, ref string) queue.ID {
	b.after = func(string) error { return errors.New("cut") }
	e, err := q.Do(bg, b, card(ref, 700))
	b.after = func(string) error { return nil }
	require.ErrorIs(t, err, queue.ErrInDoubt)
	return e.ID
}

func TestIncompleteEndsDoubt(t *testing.T) {
	q, b := journalOf(t, 2)
	id := inDoubt(t, q, b, "asked")
	r, err := Incomplete(bg, q, "depot", b)
	require.NoError(t, err)
	require.Equal(t, []told{{Doubtful, id, false, true}, {NeverSent, id + 1, false, true}}, lines(r), "the request and its reversal")
	require.Equal(t, queue.Card{}, r.Lines[0].Entry.Card)
	require.Equal(t, queue.Reversed, r.Lines[0].Now)
	require.True(t, r.Agreed)
	same(t, q, b)
}

// A reversal that the host has lost is told again, and undoes its original.
func TestIncompleteTellsAReversalAgain(t *testing.T) {
	q, b := journalOf(t, 2)
	id := inDoubt(t, q, b, "asked")
	require.NoError(t, q.Drain(bg, cardLane, b))
	b.lose(id + 1)
	delete(b.void, id)
	b.booked[id][0].Stands = true
	r, err := Incomplete(bg, q, "depot", b)
	require.NoError(t, err)
	require.Equal(t, []told{{Unexpected, id, true, true}, {Missing, id + 1, false, true}}, lines(r))
	require.True(t, r.Agreed)
	same(t, q, b)
}

func TestIncompleteTellsWhatAPersonHasToDecide(t *testing.T) {
	q, b := journalOf(t, 3)
	b.decide = func(queue.Entry) queue.Verdict { return queue.Refused }
	e, err := q.Append(bg, cash("refused", 500))
	require.NoError(t, err)
	_, err = q.Do(bg, b, card("declined", 700))
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cashLane, b))
	b.booked[e.ID][0].Stands = true   // the host has it after all
	b.booked[e.ID+1][0].Stands = true // and what it declined
	b.booked[2][0].Stands = false     // and has undone what it accepted
	r, err := Incomplete(bg, q, "depot", b)
	require.NoError(t, err)
	require.Equal(t, []told{{Undone, 2, false, false}, {NeedsPerson, e.ID, true, false}, {Unexpected, e.ID + 1, true, false}}, lines(r))
	require.False(t, r.Agreed)
	require.NotContains(t, b.calls, "retell 2")
}

// Against a host that cannot compare, this side's half is told and replayed.
func TestIncompleteOfAHostWithoutLedger(t *testing.T) {
	q, b := journalOf(t, 2)
	_, err := q.Append(bg, cash("waits", 500))
	require.NoError(t, err)
	b.lose(1)
	r, err := Incomplete(bg, q, "depot", isoOnly{b})
	require.NoError(t, err)
	require.Equal(t, []told{{NeverSent, 3, false, true}}, lines(r))
	require.False(t, r.Compared)
	require.False(t, r.Agreed, "nobody has compared anything")
}

// Other hosts' entries are none of this one's business.
func TestIncompleteLeavesOtherHostsAlone(t *testing.T) {
	q, b := journalOf(t, 2)
	_, err := q.Append(bg, sale("elsewhere", 500))
	require.NoError(t, err)
	other := newHost()
	require.NoError(t, q.Drain(bg, lane, other))
	_, err = q.Append(bg, sale("waits elsewhere", 600))
	require.NoError(t, err)
	r, err := Incomplete(bg, q, "depot", b)
	require.NoError(t, err)
	require.Empty(t, r.Lines)
	require.True(t, r.Agreed)
}

// What a host never decides does not hold the call up for ever.
func TestIncompleteEndsWhereTheHostSaysNothing(t *testing.T) {
	q, b := journalOf(t, 2)
	_, err := q.Append(bg, cash("no answer", 500))
	require.NoError(t, err)
	_, err = q.Append(bg, cash("answered", 600))
	require.NoError(t, err)
	b.decide = func(e queue.Entry) queue.Verdict {
		if e.Ref == "no answer" {
			return queue.Unavailable
		}
		return queue.Approved
	}
	r, err := Incomplete(bg, q, "depot", b)
	require.ErrorIs(t, err, errTried)
	require.Equal(t, []told{{NeverSent, 3, false, false}, {NeverSent, 4, false, true}}, lines(r))
	require.ErrorIs(t, err, ErrUndelivered)
	require.Equal(t, queue.InDoubt, r.Lines[0].Now)
	require.False(t, r.Agreed)
	require.True(t, r.Compared)
	b.before = func(string) error { return errors.New("no line") }
	_, err = Incomplete(bg, q, "depot", b)
	require.ErrorIs(t, err, errLine)
}

// A Mirror reads what is new, and what was not final.
func TestMirrorKeepsUp(t *testing.T) {
	q, b := journalOf(t, 200)
	m := NewMirror(q, "depot")
	for i := range 5 {
		e, err := q.Append(bg, cash(fmt.Sprint("later ", i), 500))
		require.NoError(t, err)
		if i%2 == 0 {
			require.NoError(t, m.refresh(bg)) // pending when it is read first
		}
		require.NoError(t, q.Drain(bg, cashLane, b))
		b.lose(e.ID)
		r, err := m.Incomplete(bg, b)
		require.NoError(t, err)
		require.Equal(t, []told{{Missing, e.ID, false, true}}, lines(r))
		require.True(t, r.Agreed)
	}
	require.Empty(t, m.open)
	same(t, q, b)
}

// A journal that had trouble of every kind, whose lines are cut at each message,
// before it arrives and before its answer does, with the device dead after it.
func TestIncompleteCutAtEveryMessage(t *testing.T) {
	for _, lost := range []string{"message", "answer"} {
		for at := 0; ; at++ {
			q, b := journalOf(t, 9)
			inDoubt(t, q, b, "asked")
			_, err := q.Append(bg, cash("waits", 500))
			require.NoError(t, err)
			b.lose(2, 3, 9)
			cut := errors.New("cut")
			n := 0
			fail := func(string) error {
				if n++; n > at {
					return cut // and nothing gets through any more
				}
				return nil
			}
			if lost == "message" {
				b.before = fail
			} else {
				b.after = fail
			}
			_, err = Incomplete(bg, q, "depot", b)
			whole := err == nil
			if !whole {
				q = crashed(t, q)
				b.q, b.before, b.after = q, func(string) error { return nil }, func(string) error { return nil }
				r, err := Incomplete(bg, q, "depot", b)
				require.NoError(t, err)
				require.True(t, r.Agreed, "%s %d lost: %v", lost, at, lines(r))
			}
			same(t, q, b)
			require.NoError(t, q.Verify(bg))
			if whole {
				require.Greater(t, at, 5)
				break
			}
		}
	}
}

func TestIncompleteEndsWithItsContext(t *testing.T) {
	q, b := journalOf(t, 2)
	ctx, cancel := context.WithCancel(bg)
	b.before = func(string) error { cancel(); return nil }
	_, err := q.Append(bg, cash("waits", 500))
	require.NoError(t, err)
	_, err = Incomplete(ctx, q, "depot", b)
	require.ErrorIs(t, err, context.Canceled)
}

// What the journal's canonical bytes hold is what a host's entry shows.
func TestHostEntryReadsCanonicalBytes(t *testing.T) {
	q, _ := journalOf(t, 0)
	tx := card("with everything", 1250)
	tx.Approval, tx.Operator = "Y1", "0007"
	e, err := q.Append(bg, tx)
	require.NoError(t, err)
	h, err := parseCanonical(q.Canonical(nil, e))
	require.NoError(t, err)
	require.Equal(t, HostEntry{Ref: e.Ref, Lane: cardLane, Kind: queue.Advice, Op: queue.Sale, Tender: queue.CardTender, STAN: e.STAN,
		Amount: e.Amount, Time: h.Time, Operator: "0007", MaskedPAN: e.MaskedPAN}, h)
	require.True(t, h.Time.Equal(e.Time))
}

// What is in doubt is so since its first attempt, whatever was tried since.
func TestIncompleteTellsSinceWhen(t *testing.T) {
	q, b := journalOf(t, 1)
	_, err := q.Append(bg, cash("no answer", 500))
	require.NoError(t, err)
	b.decide = func(queue.Entry) queue.Verdict { return queue.Unavailable }
	var e queue.Entry
	for !e.Changed.After(e.FirstSent()) { // until the clock, which has milliseconds, tells them apart
		_, err = Incomplete(bg, q, "depot", b)
		require.ErrorIs(t, err, errTried)
		e, err = q.Get(bg, 2)
		require.NoError(t, err)
	}
	r, err := Incomplete(bg, q, "depot", b)
	require.ErrorIs(t, err, errTried)
	require.Equal(t, Doubtful, r.Lines[0].Problem)
	require.True(t, r.Lines[0].Since.Equal(e.FirstSent()))
	require.True(t, r.Lines[0].Since.Before(e.Changed))
}

// A host that asks to come later is not waited for.
func TestIncompleteDoesNotWaitForASlot(t *testing.T) {
	q, b := journalOf(t, 1)
	_, err := q.Append(bg, cash("later", 500))
	require.NoError(t, err)
	up := laterUplink{b}
	r, err := Incomplete(bg, q, "depot", up)
	require.ErrorIs(t, err, errLater)
	require.Equal(t, []told{{NeverSent, 2, false, false}}, lines(r))
	sent := len(b.calls)
	r, err = Incomplete(bg, q, "depot", b)
	require.ErrorIs(t, err, errLater, "the journal remembers it")
	require.NotContains(t, b.calls[sent:], "send 2")
	require.True(t, r.Compared)
}

// laterUplink is the same host with every sale put off for an hour.
type laterUplink struct{ *memBook }

func (u laterUplink) Uplink(queue.Lane) (queue.Uplink, error) { return u, nil }

func (laterUplink) Send(context.Context, queue.Entry) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Unavailable, Code: "91", RetryAfter: time.Hour}, nil
}

// Nothing is told again between a settlement's totals and its end: the lane is
// Incomplete's own meanwhile.
func TestIncompleteTellsAgainWithTheLaneToItself(t *testing.T) {
	q, b := journalOf(t, 3)
	b.lose(2)
	told := false
	b.before = func(call string) error {
		if call == "retell 2" {
			told = true
			ctx, cancel := context.WithTimeout(bg, 10*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, q.WithLane(ctx, cashLane, func() error { return nil }), context.DeadlineExceeded)
		}
		return nil
	}
	_, err := Incomplete(bg, q, "depot", b)
	require.NoError(t, err)
	require.True(t, told)
}

// A ledger that lost all of a long journal is told all of it, though not every
// line is kept.
func TestIncompleteKeepsABoundedNumberOfLines(t *testing.T) {
	q, b := journalOf(t, 600)
	clear(b.booked)
	clear(b.seen)
	i := inquiry{q: q, mirror: NewMirror(q, "depot"), peer: b, out: &Incompleteness{Host: "depot"}}
	i.out.Lines = make([]Unfinished, maxLines-5, maxLines)
	for n := range i.out.Lines {
		i.out.Lines[n] = Unfinished{Problem: Foreign, ID: 1 << 40}
	}
	require.NoError(t, i.run(bg))
	require.Len(t, i.out.Lines, maxLines)
	require.Equal(t, 595, i.out.Omitted)
	require.False(t, i.out.Agreed)
	same(t, q, b)
}

// appending is the same host while the device goes on selling.
type appending struct {
	*memBook
	sold int
}

func (a *appending) Agree(ctx context.Context, m []byte) ([]byte, error) {
	if a.sold++; a.sold < 3 {
		if _, err := a.q.Append(ctx, cash(fmt.Sprint("meanwhile ", a.sold), 500)); err != nil {
			return nil, err
		}
		if err := a.q.Drain(ctx, cashLane, a.memBook); err != nil {
			return nil, err
		}
	}
	return a.memBook.Agree(ctx, m)
}

// What is sold and delivered during the comparison is nobody else's.
func TestIncompleteWhileSalesGoOn(t *testing.T) {
	q, b := journalOf(t, 20)
	b.lose(5)
	r, err := Incomplete(bg, q, "depot", &appending{memBook: b})
	require.NoError(t, err)
	require.Equal(t, []told{{Missing, 5, false, true}}, lines(r))
	require.True(t, r.Agreed)
	same(t, q, b)
}

// An entry that was imported belongs to another journal's comparison.
func TestIncompleteLeavesImportedEntriesAlone(t *testing.T) {
	first, there := journalOf(t, 0)
	_, err := first.Append(bg, cash("delivered", 500))
	require.NoError(t, err)
	require.NoError(t, first.Drain(bg, cashLane, there))
	var out bytes.Buffer
	_, err = first.Export(bg, &out)
	require.NoError(t, err)

	q, b := journalOf(t, 2)
	done, err := q.Import(bg, func() (io.Reader, error) { return bytes.NewReader(out.Bytes()), nil })
	require.NoError(t, err)
	require.Equal(t, 1, done.Entries)
	e, err := q.Get(bg, 3)
	require.NoError(t, err)
	require.Equal(t, queue.Accepted, e.State)
	r, err := Incomplete(bg, q, "depot", b)
	require.NoError(t, err)
	require.Empty(t, r.Lines, "the ledger has it under the first journal's name")
	require.True(t, r.Agreed)
}

// stopping is an uplink whose Drain is ended while it sends.
type stopping struct {
	*draining
	t *testing.T
}

func (s *stopping) Send(ctx context.Context, _ queue.Entry) (queue.Answer, error) {
	s.stop(errTried)
	require.NoError(s.t, ctx.Err())
	return queue.Answer{Verdict: queue.Approved}, nil
}

// Ending a Drain does not cut off what is under way: that would put it in doubt.
func TestDrainEndsAfterWhatIsUnderWay(t *testing.T) {
	within, stop := context.WithCancelCause(bg)
	s := &stopping{t: t}
	s.draining = &draining{outer: bg, up: s, stop: stop, tries: map[queue.ID]int{}}
	a, err := s.draining.Send(within, queue.Entry{ID: 1})
	require.NoError(t, err)
	require.Equal(t, queue.Approved, a.Verdict)
	require.ErrorIs(t, context.Cause(within), errTried)
}

// An entry that cannot be told again keeps no other from it; a line that is down
// ends the call.
func TestIncompleteGoesOnBehindWhatCannotBeTold(t *testing.T) {
	q, b := journalOf(t, 20)
	b.lose(3, 4, 9, 12, 17)
	cannot := errors.New("it cannot be expressed")
	b.before = func(call string) error {
		if call == "retell 3" || call == "retell 4" || call == "retell 12" {
			return cannot
		}
		return nil
	}
	r, err := Incomplete(bg, q, "depot", b)
	require.ErrorIs(t, err, cannot)
	require.ErrorContains(t, err, "entry 3")
	require.Equal(t, []told{{Missing, 3, false, false}, {Missing, 4, false, false}, {Missing, 9, false, true},
		{Missing, 12, false, false}, {Missing, 17, false, true}}, lines(r))
	require.False(t, r.Agreed)

	b.lose(1, 2, 5, 6)
	calls := 0
	b.before = func(call string) error {
		if call[:6] == "retell" {
			calls++
			return cannot
		}
		return nil
	}
	_, err = Incomplete(bg, q, "depot", b)
	require.ErrorIs(t, err, cannot)
	require.Equal(t, silences+1, calls)
}
