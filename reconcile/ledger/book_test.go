package ledger

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// L2: one entry is booked once, and every repeat gets the first answer.
func TestRepeatsGetTheFirstAnswer(t *testing.T) {
	engines(t, func(t *testing.T, e Engine) {
		now := noon
		l := newLedger(t, e, &Options{Clock: func() time.Time { now = now.Add(time.Second); return now }})
		j := journalOf(1)
		first := submit(t, l, sub(j, 1, advice(1)))
		require.NoError(t, first.Err)
		require.False(t, first.Repeat)
		require.Equal(t, queue.Approved, first.Booking.Answer.Verdict)
		require.Equal(t, "000000000001", first.Booking.Answer.RRN)
		require.True(t, first.Booking.Counts())

		again := submit(t, l, sub(j, 1, advice(1)))
		require.True(t, again.Repeat)
		require.Equal(t, first.Booking, again.Booking)
		// In a batch, and from a restored copy, it is the same entry.
		out, err := l.Submit(bg, "till-1", sub(j, 2, advice(2), advice(1)))
		require.NoError(t, err)
		require.False(t, out[0].Repeat)
		require.True(t, out[1].Repeat)
		require.Equal(t, first.Booking, out[1].Booking)
		n := 0
		for b, err := range l.All(bg, 0) {
			require.NoError(t, err)
			n++
			require.Equal(t, uint64(n), b.Position)
		}
		require.Equal(t, 2, n)
		b, err := l.ByRef(bg, j, "order-1")
		require.NoError(t, err)
		require.Equal(t, first.Booking, b)
	})
}

// All that an entry carries is there again, after a restart, too.
func TestBookingsAreKeptWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	f, err := OpenFile(path, nil, &FileOptions{Unsealed: true})
	require.NoError(t, err)
	l := newLedger(t, f, nil)
	hash := [32]byte{7}
	full := refundOf(2, advice(1), 400)
	full.Of = &wire.Original{STAN: 1, HostBatch: 3, RRN: "000000000001", AuthCode: "A1", Time: noon}
	full.HostBatch, full.Approval, full.EntryMode, full.Operator, full.DataHash = 3, "Y1", "051", "op", &hash
	full.Time = noon.In(time.FixedZone("", 8*3600))
	plain := advice(1)
	plain.Data = []byte("app's own")
	in := sub(journalOf(1), 1, plain, full)
	out, err := l.Submit(bg, "till-1", in)
	require.NoError(t, err)
	require.NoError(t, f.Close())

	l = newLedger(t, openFile(t, path), nil)
	for i, want := range in.Entries {
		got, err := l.At(bg, journalOf(1), want.Seq)
		require.NoError(t, err)
		require.Len(t, got, 1)
		if i > 0 {
			require.Equal(t, out[i].Booking, got[0])
		}
		require.Equal(t, want.Digest(in), got[0].Digest)
		require.Equal(t, want.Canonical(nil, in), got[0].Canonical(nil))
		want.Key = in.KeyFor(want)
		require.Equal(t, want, got[0].Entry)
	}
}

// L3: what collides is refused, set aside once, and changes nothing.
func TestConflicts(t *testing.T) {
	engines(t, func(t *testing.T, e Engine) {
		l := newLedger(t, e, nil)
		j := journalOf(1)
		require.NoError(t, submit(t, l, sub(j, 1, advice(1))).Err)
		other := advice(1)
		other.Amount.Minor++
		same := advice(2)
		same.Ref = "order-1"
		batch := advice(1)
		batch.HostBatch = 9
		for range 2 {
			require.Equal(t, OtherContent, conflict(t, submit(t, l, sub(j, 1, other))).Why)
			c := conflict(t, submit(t, l, sub(j, 1, same)))
			require.Equal(t, OtherSequence, c.Why)
			require.Equal(t, Identity{j, 1, 1}, c.Against)
			require.Equal(t, OtherBatch, conflict(t, submit(t, l, sub(j, 1, batch))).Why)
		}
		var why []Why
		for c, err := range l.Conflicts(bg, j) {
			require.NoError(t, err)
			require.Equal(t, "till-1", c.Device)
			why = append(why, c.Why)
		}
		require.Len(t, why, 3)
		all, err := l.At(bg, j, 1)
		require.NoError(t, err)
		require.Len(t, all, 1)
		require.EqualValues(t, 1000, all[0].Entry.Amount.Minor)
		_, err = l.At(bg, j, 2)
		require.NoError(t, err)
	})
}

// L4: a reversal is taken in every order, and its original never counts.
func TestReversalInEveryOrder(t *testing.T) {
	engines(t, func(t *testing.T, e Engine) {
		l := newLedger(t, e, &Options{Decide: yes})
		sale, rev := request(1), reversalOf(2, request(1))
		for n, order := range [][]wire.Entry{{sale, rev}, {rev, sale}, {rev, rev, sale, sale}, {sale, rev, sale, rev}} {
			j := journalOf(byte(n + 1))
			var last Result
			for _, x := range order {
				last = submit(t, l, sub(j, 1, x))
				require.NoError(t, last.Err)
				if x.Kind == queue.Reversal {
					require.Equal(t, queue.Approved, last.Booking.Answer.Verdict)
				}
			}
			got, err := l.At(bg, j, 1)
			require.NoError(t, err)
			require.Len(t, got, 1)
			require.Equal(t, queue.Reversed, got[0].State, "order %d", n)
			require.Equal(t, queue.ID(2), got[0].Reversal)
			require.False(t, got[0].Counts())
			if order[0].Kind == queue.Reversal {
				require.Equal(t, queue.Refused, got[0].Answer.Verdict)
			}
			// The ref is free for the sale that is presented anew.
			anew := request(3)
			anew.Ref = sale.Ref
			res := submit(t, l, sub(j, 1, anew))
			require.NoError(t, res.Err)
			require.Equal(t, queue.Accepted, res.Booking.State)
			// A repeat of the reversed one that comes late is still what it was.
			require.True(t, submit(t, l, sub(j, 1, sale)).Repeat)
			holder, err := l.ByRef(bg, j, sale.Ref)
			require.NoError(t, err)
			require.Equal(t, queue.ID(3), holder.Sequence)
		}
	})
}

// A tombstone is for the entry that its reversal is about, not for another one
// that a restored copy has under the same number.
func TestTombstoneIsForItsEntryAlone(t *testing.T) {
	l := newLedger(t, OpenMemory(), &Options{Decide: yes})
	j := journalOf(1)
	require.NoError(t, submit(t, l, sub(j, 1, reversalOf(6, request(5)))).Err)
	other := request(5)
	other.STAN = 700
	res := submit(t, l, sub(j, 2, other))
	require.NoError(t, res.Err)
	require.Equal(t, queue.Accepted, res.Booking.State)
}

// L5: a newer epoch fences the older one; what that had booked stays.
func TestOlderEpochsAreFenced(t *testing.T) {
	engines(t, func(t *testing.T, e Engine) {
		l := newLedger(t, e, nil)
		j := journalOf(1)
		out, err := l.Submit(bg, "till-1", sub(j, 1, advice(1), advice(2), advice(3)))
		require.NoError(t, err)
		fork := advice(3)
		fork.STAN, fork.Ref = 500, "order-3-of-the-copy"
		res := submit(t, l, sub(j, 2, fork))
		require.NoError(t, res.Err, "both 3 are real")

		late := conflict(t, submit(t, l, sub(j, 1, advice(4))))
		require.Equal(t, OlderEpoch, late.Why)
		require.EqualValues(t, 2, late.Against.Epoch)
		require.Equal(t, OlderEpoch, conflict(t, submit(t, l, sub(j, 1, reversalOf(5, request(9))))).Why)
		repeat := submit(t, l, sub(j, 1, advice(3)))
		require.True(t, repeat.Repeat)
		require.Equal(t, out[2].Booking, repeat.Booking)
		all, err := l.At(bg, j, 3)
		require.NoError(t, err)
		require.Len(t, all, 2)
		require.True(t, all[0].Counts() && all[1].Counts())
		n := 0
		for c, err := range l.Conflicts(bg, j) {
			require.NoError(t, err)
			require.Equal(t, OlderEpoch, c.Why)
			n++
		}
		require.Equal(t, 2, n, "what was refused is told to the office")
	})
}

func TestVoidsAndRefunds(t *testing.T) {
	engines(t, func(t *testing.T, e Engine) {
		l := newLedger(t, e, &Options{Decide: yes})
		j := journalOf(1)
		code := func(x wire.Entry) string {
			t.Helper()
			res := submit(t, l, sub(j, 1, x))
			require.NoError(t, res.Err)
			return res.Booking.Answer.Code
		}
		state := func(seq queue.ID) Booking {
			t.Helper()
			all, err := l.At(bg, j, seq)
			require.NoError(t, err)
			require.Len(t, all, 1)
			return all[0]
		}
		require.Equal(t, "25", code(voidOf(2, request(1))), "there is no sale yet")
		require.Equal(t, "00", code(request(1)))
		wrong := voidOf(3, request(1))
		wrong.Ref, wrong.Amount.Minor = "a", 999
		require.Equal(t, "12", code(wrong), "a void is of the whole amount")
		again := voidOf(4, request(1))
		again.Ref = "void 2 of entry 1"
		require.Equal(t, "00", code(again))
		require.False(t, state(1).Counts())
		third := voidOf(5, request(1))
		third.Ref = "void 3 of entry 1"
		require.Equal(t, "12", code(third), "once is enough")
		require.Equal(t, "12", code(refundOf(6, request(1), 1)), "it was voided")
		require.Equal(t, "12", code(reversalOf(7, request(1))))
		// The void is undone: the sale stands again, and is refunded.
		require.Equal(t, "00", code(reversalOf(8, again)))
		require.True(t, state(1).Counts())
		require.Equal(t, queue.Reversed, state(4).State)
		require.Equal(t, "00", code(refundOf(9, request(1), 600)))
		require.Equal(t, "61", code(refundOf(10, request(1), 401)))
		require.Equal(t, "00", code(refundOf(11, request(1), 400)))
		require.EqualValues(t, 1000, state(1).Refunded)
		// A refund that is voided can be given again.
		require.Equal(t, "00", code(voidOf(12, refundOf(9, request(1), 600))))
		require.EqualValues(t, 400, state(1).Refunded)
		require.Equal(t, "00", code(refundOf(13, request(1), 600)))
		require.Equal(t, "25", code(refundOf(14, request(99), 1)))
		require.Equal(t, "00", code(entry(15, queue.Notice, queue.Report, "signature")))
		require.False(t, state(15).Counts())
	})
}

func TestDecide(t *testing.T) {
	asked := 0
	var say queue.Answer
	var fail error
	l := newLedger(t, OpenMemory(), &Options{Decide: func(_ context.Context, b Booking, card *wire.Card) (queue.Answer, error) {
		asked++
		require.Nil(t, b.Entry.Card)
		if card != nil {
			require.Equal(t, "6221558812340000", card.PAN.Reveal())
		}
		return say, fail
	}})
	j := journalOf(1)
	fail = errors.New("the issuer is silent")
	require.ErrorIs(t, submit(t, l, sub(j, 1, request(1))).Err, ErrInDoubt)
	fail, say = nil, queue.Answer{Verdict: queue.Unknown}
	require.ErrorIs(t, submit(t, l, sub(j, 1, request(1))).Err, ErrInDoubt)
	say = queue.Answer{Verdict: queue.Unavailable, Code: "91"}
	require.Zero(t, submit(t, l, sub(j, 1, request(1))).Booking.Position)
	say = queue.Answer{Verdict: queue.Partial, Approved: queue.Money{Minor: 1000, Currency: queue.CNY}}
	require.ErrorIs(t, submit(t, l, sub(j, 1, request(1))).Err, ErrInDoubt, "all of it is no part")
	all, err := l.At(bg, j, 1)
	require.NoError(t, err)
	require.Empty(t, all, "nothing of that was booked")

	say = queue.Answer{Verdict: queue.Partial, Code: "10", AuthCode: "123456", Approved: queue.Money{Minor: 700, Currency: queue.CNY}}
	with := request(1)
	with.Card = &wire.Card{PAN: queue.NewSecret("6221558812340000")}
	res := submit(t, l, sub(j, 1, with))
	require.NoError(t, res.Err)
	require.Equal(t, "123456", res.Booking.Answer.AuthCode)
	require.Equal(t, "61", submit(t, l, sub(j, 1, refundOf(2, request(1), 701))).Booking.Answer.Code)
	n := asked
	require.True(t, submit(t, l, sub(j, 1, request(1))).Repeat)
	require.Equal(t, n, asked, "a repeat is not decided anew")
	say = queue.Answer{Verdict: queue.Refused, Code: "51"}
	require.Equal(t, queue.Declined, submit(t, l, sub(j, 1, request(3))).Booking.State)

	none := newLedger(t, OpenMemory(), nil)
	res = submit(t, none, sub(j, 1, request(1)))
	require.Equal(t, queue.Refused, res.Booking.Answer.Verdict)
	require.Equal(t, "40", res.Booking.Answer.Code)
}

// While one request is being decided, the same one, its reversal and another
// with its ref wait outside: they are told to come again.
func TestNothingPassesADecision(t *testing.T) {
	inside, goOn := make(chan struct{}), make(chan struct{})
	l := newLedger(t, OpenMemory(), &Options{Decide: func(context.Context, Booking, *wire.Card) (queue.Answer, error) {
		close(inside)
		<-goOn
		return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
	}})
	j := journalOf(1)
	done := make(chan Result)
	go func() {
		out, err := l.Submit(bg, "till-1", sub(j, 1, request(1)))
		if err != nil {
			out = []Result{{Err: err}}
		}
		done <- out[0]
	}()
	<-inside
	same := request(7)
	same.Ref = "order-1"
	for _, x := range []wire.Entry{request(1), reversalOf(2, request(1)), same, voidOf(3, request(1))} {
		require.ErrorIs(t, submit(t, l, sub(j, 1, x)).Err, ErrBusy)
	}
	out, err := l.Submit(bg, "till-1", sub(j, 1, advice(8), request(1)))
	require.NoError(t, err)
	require.NoError(t, out[0].Err, "what has nothing to do with it goes on")
	require.ErrorIs(t, out[1].Err, ErrBusy)
	close(goOn)
	require.Equal(t, queue.Accepted, (<-done).Booking.State)
	require.NoError(t, submit(t, l, sub(j, 1, reversalOf(2, request(1)))).Err)
	require.Empty(t, l.busy.held)
}

// L6 in the ledger's own calls: a journal belongs to the device that brought it.
func TestForeignJournals(t *testing.T) {
	l := newLedger(t, OpenMemory(), nil)
	j := journalOf(1)
	require.NoError(t, submit(t, l, sub(j, 1, advice(1))).Err)
	for _, x := range []wire.Entry{advice(1), advice(2)} {
		out, err := l.Submit(bg, "till-2", sub(j, 1, x))
		require.NoError(t, err)
		require.ErrorIs(t, out[0].Err, ErrForeign)
		require.Zero(t, out[0].Booking)
	}
	// Not even through a journal of its own that claims to have imported it.
	in := sub(j, 1, advice(2))
	in.Via = journalOf(2)
	out, err := l.Submit(bg, "till-2", in)
	require.NoError(t, err)
	require.ErrorIs(t, out[0].Err, ErrForeign)

	require.NoError(t, l.Hand(bg, j, "till-2"))
	out, err = l.Submit(bg, "till-2", in)
	require.NoError(t, err)
	require.NoError(t, out[0].Err)
	require.Equal(t, Identity{j, 1, 2}, out[0].Booking.Identity)
	require.Equal(t, "till-2", out[0].Booking.Device)
	// The importing journal's epoch fences imported entries, not the other's.
	in.Epoch = 5
	out, err = l.Submit(bg, "till-2", in)
	require.NoError(t, err)
	require.True(t, out[0].Repeat)
	next := sub(j, 5, advice(3))
	next.Via = journalOf(2)
	out, err = l.Submit(bg, "till-2", next)
	require.NoError(t, err)
	require.NoError(t, out[0].Err)
	old := sub(j, 4, advice(4))
	old.Via = journalOf(2)
	out, err = l.Submit(bg, "till-2", old)
	require.NoError(t, err)
	require.Equal(t, OlderEpoch, conflict(t, out[0]).Why)
	require.NoError(t, submit(t, l, sub(j, 1, advice(4))).Err, "the first device goes on")
}

func TestLimits(t *testing.T) {
	l := newLedger(t, OpenMemory(), &Options{Limits: Limits{Entries: 2, Journals: 2}})
	var limit *LimitError
	require.NoError(t, submit(t, l, sub(journalOf(1), 1, advice(1))).Err)
	require.NoError(t, submit(t, l, sub(journalOf(2), 1, advice(1))).Err)
	require.ErrorAs(t, submit(t, l, sub(journalOf(3), 1, advice(1))).Err, &limit)
	require.Equal(t, "journals", limit.Limit)
	require.ErrorAs(t, submit(t, l, sub(journalOf(1), 1, advice(2))).Err, &limit)
	require.Equal(t, "entries", limit.Limit)
	require.True(t, submit(t, l, sub(journalOf(1), 1, advice(1))).Repeat, "a repeat costs nothing")
	require.NoError(t, submit(t, l, sub(journalOf(1), 1, reversalOf(3, request(9)))).Err, "a reversal is never refused")
	require.NoError(t, l.SetDevice(bg, Device{Name: "till-1", Limits: Limits{Bytes: 1}}))
	require.ErrorAs(t, submit(t, l, sub(journalOf(1), 1, advice(4))).Err, &limit)
	require.NoError(t, l.SetDevice(bg, Device{Name: "till-1", Limits: Limits{Entries: 100}}))
	require.NoError(t, submit(t, l, sub(journalOf(1), 1, advice(5))).Err)
	out, err := l.Submit(bg, "till-2", sub(journalOf(7), 1, advice(1)))
	require.NoError(t, err)
	require.NoError(t, out[0].Err, "each device has its own")
}

func TestRetell(t *testing.T) {
	l := newLedger(t, OpenMemory(), nil)
	j := journalOf(1)
	told := queue.Answer{Verdict: queue.Approved, Code: "00", RRN: "000000000777", AuthCode: "A7", HostTime: noon}
	res, err := l.Retell(bg, "till-1", sub(j, 1, request(1)), told)
	require.NoError(t, err)
	require.NoError(t, res.Err)
	require.True(t, res.Booking.Retold)
	require.Equal(t, queue.Accepted, res.Booking.State)
	require.Equal(t, told, res.Booking.Answer)
	res, err = l.Retell(bg, "till-1", sub(j, 1, request(1)), told)
	require.NoError(t, err)
	require.True(t, res.Repeat)
	// A void and a refund whose original is lost for good.
	for i, x := range []wire.Entry{voidOf(5, request(4)), refundOf(6, request(4), 10)} {
		res, err = l.Retell(bg, "till-1", sub(j, 1, x), told)
		require.NoError(t, err)
		require.Equal(t, queue.Accepted, res.Booking.State, i)
	}
	other := request(1)
	other.Amount.Minor = 5
	res, err = l.Retell(bg, "till-1", sub(j, 1, other), told)
	require.NoError(t, err)
	require.Equal(t, OtherContent, conflict(t, res).Why)
	_, err = l.Retell(bg, "till-1", sub(j, 1, request(9)), queue.Answer{Verdict: queue.Refused})
	require.Error(t, err)
}
