package queue

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// I2: at the moment of the first byte the file already has the attempt.
func TestI2AttemptIsSyncedBeforeTheFirstByte(t *testing.T) {
	t.Run("Do", func(t *testing.T) {
		q := openNew(t, fast)
		_, err := q.Do(bg, uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
			found, err := crashed(t, q, fast).ByRef(bg, "s1")
			require.NoError(t, err)
			require.Equal(t, InDoubt, found.State)
			require.Equal(t, 1, found.Attempts)
			return approve(ctx, e)
		}}, cardSale("s1"))
		require.NoError(t, err)
	})
	t.Run("Forward", func(t *testing.T) {
		q := openNew(t, fast)
		for i := range 3 {
			_, err := q.Append(bg, offlineSale(fmt.Sprint("s", i)))
			require.NoError(t, err)
		}
		err := q.Drain(bg, cardLane, uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
			found, err := crashed(t, q, fast).Get(bg, e.ID)
			require.NoError(t, err)
			require.Equal(t, InDoubt, found.State)
			return approve(ctx, e)
		}})
		require.NoError(t, err)
	})
}

// I2: a crash in an attempt leaves a request in doubt, and the next thing that
// leaves is its reversal.
func TestCrashInAttemptIsReversedFirst(t *testing.T) {
	q := openNew(t, fast)
	var after *Queue
	_, err := q.Do(bg, uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
		after = crashed(t, q, fast)
		return approve(ctx, e)
	}}, cardSale("s1"))
	require.NoError(t, err)

	_, err = after.Append(bg, offlineSale("s2"))
	require.NoError(t, err)
	var r recorder
	e, err := after.Do(bg, uplink{send: r.through(approve)}, cardSale("s3"))
	require.NoError(t, err)
	require.Equal(t, Accepted, e.State)
	require.Len(t, r.seen, 2)
	require.Equal(t, Reversal, r.seen[0].Kind)
	require.Equal(t, Other, r.seen[0].Reason)
	first, err := after.ByRef(bg, "s1")
	require.NoError(t, err)
	require.Equal(t, Reversed, first.State)
	require.Equal(t, first.STAN, r.seen[0].STAN)
	require.Equal(t, first.HostBatch, r.seen[0].HostBatch)
}

// frozen is what I3 keeps the same from one attempt to the next.
func frozen(e Entry) string {
	return fmt.Sprint(e.ID, e.Ref, e.Lane, e.Kind, e.Op, e.Tender, e.Amount, e.STAN, e.HostBatch, e.Batch,
		e.Time.UnixMilli(), e.Approval, e.EntryMode, e.Operator, e.Of, e.Reason, e.Card.PAN.Reveal(), string(e.Data))
}

// I3: what the host knows an entry by is the same at every attempt, over a
// crash, a new batch number at the host and a clock that jumps.
func TestI3IdentityIsFrozen(t *testing.T) {
	q := openNew(t, fast)
	_, err := q.Append(bg, offlineSale("s1"))
	require.NoError(t, err)
	batch := uint32(41)
	var r recorder
	tries := 0
	send := r.through(func(ctx context.Context, e Entry) (Answer, error) {
		if tries++; tries < 4 {
			batch++ // the host goes on to another number between the attempts
			return silent(ctx, e)
		}
		return approve(ctx, e)
	})
	require.NoError(t, q.Drain(bg, cardLane, numbered(send, &batch)))
	require.Len(t, r.seen, 4)
	require.EqualValues(t, 41, r.seen[0].HostBatch)
	for i, e := range r.seen {
		require.Equal(t, frozen(r.seen[0]), frozen(e))
		require.Equal(t, i > 0, e.Repeat)
	}
}

// I3: a reversal keeps STAN, batch number and reason of its first attempt.
func TestI3ReversalIsFrozen(t *testing.T) {
	q := openNew(t, Options{RetryMin: 1, RetryMax: 2, ReversalTries: 100})
	batch := uint32(7)
	_, err := q.Do(bg, numbered(silent, &batch), cardSale("s1"))
	require.ErrorIs(t, err, ErrInDoubt)
	batch = 8
	var r recorder
	n := 0
	send := r.through(func(ctx context.Context, e Entry) (Answer, error) {
		if n++; n < 5 {
			return silent(ctx, e)
		}
		return approve(ctx, e)
	})
	require.NoError(t, q.Drain(bg, cardLane, numbered(send, &batch)))
	require.Len(t, r.seen, 5)
	for _, e := range r.seen {
		require.Equal(t, frozen(r.seen[0]), frozen(e))
		require.Equal(t, NoAnswer, e.Reason)
		require.EqualValues(t, 7, e.HostBatch)
	}
}

// I4: sequence and STAN are dense and ascend whatever the clock says and
// however many write at once.
func TestI4OrderIsTheSequence(t *testing.T) {
	q := openNew(t, fast)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 25 {
				s := cashSale(fmt.Sprint(w, "-", i))
				s.Time = time.Date(2026, 1, 28-i, 0, 0, 0, 0, time.UTC) // ever earlier
				_, err := q.Append(bg, s)
				require.NoError(t, err)
			}
		})
	}
	wg.Wait()
	var r recorder
	require.NoError(t, q.Drain(bg, cashLane, uplink{send: r.through(approve)}))
	require.Len(t, r.seen, 200)
	for i, e := range r.seen {
		require.EqualValues(t, i+1, e.ID)
		require.EqualValues(t, i+1, e.STAN)
	}
}

// I5: once an answer has decided, another one changes nothing; once a reversal
// is journalled, a late approval of its original is evidence only.
func TestI5AnswersAreNeverOverwritten(t *testing.T) {
	late := func(t *testing.T, q *Queue, id ID, v Verdict) Entry {
		require.NoError(t, q.update(bg, func(v2 *fileView) error {
			return v2.apply(event{kind: evAnswered, id: id, answer: Answer{Verdict: v, Code: "zz"}})
		}))
		e, err := q.Get(bg, id)
		require.NoError(t, err)
		return e
	}
	for _, v := range []Verdict{Unknown, Approved, Partial, Duplicate, Unavailable, NotFound, Refused} {
		t.Run(v.String(), func(t *testing.T) {
			q := openNew(t, fast)
			ok, err := q.Do(bg, uplink{send: approve}, cardSale("ok"))
			require.NoError(t, err)
			require.Equal(t, ok.Answer, late(t, q, ok.ID, v).Answer)
			require.Equal(t, Accepted, late(t, q, ok.ID, v).State)

			no, err := q.Do(bg, answering(Refused, "51"), cardSale("no"))
			require.NoError(t, err)
			require.Equal(t, Declined, late(t, q, no.ID, v).State)

			lost, err := q.Do(bg, uplink{send: silent}, cardSale("lost"))
			require.ErrorIs(t, err, ErrInDoubt)
			require.Equal(t, InDoubt, late(t, q, lost.ID, v).State)
			require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
			require.Equal(t, Reversed, late(t, q, lost.ID, v).State)
		})
	}
}

// I6: every financial entry is a member of exactly one batch, and a batch with
// one unfinished does not settle.
func TestI6Batches(t *testing.T) {
	q := openNew(t, fast)
	for i := range 5 {
		_, err := q.Append(bg, offlineSale(fmt.Sprint("a", i)))
		require.NoError(t, err)
	}
	b1, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	after, err := q.Append(bg, offlineSale("b0"))
	require.NoError(t, err)
	require.Equal(t, b1.N+1, after.Batch.N)

	var out *OutstandingError
	require.ErrorAs(t, q.SettleBatch(bg, b1), &out)
	require.Equal(t, 5, out.Count)
	require.ErrorIs(t, q.SettleBatch(bg, after.Batch), ErrState)

	require.ErrorIs(t, q.update(bg, func(v *fileView) error {
		return v.apply(event{kind: evSettled, lane: 1, batch: b1.N})
	}), ErrState, "the log itself does not take the event")

	n := 0
	refuseOne := uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
		if n++; n == 3 {
			return Answer{Verdict: Refused, Code: "30"}, nil
		}
		return approve(ctx, e)
	}}
	require.NoError(t, q.Drain(bg, cardLane, refuseOne))
	require.ErrorAs(t, q.SettleBatch(bg, b1), &out)
	require.Equal(t, []ID{3}, out.Entries)
	require.NoError(t, q.Resolve(bg, 3, Answer{Verdict: Refused}, "Li", "host rejects the form"))
	require.NoError(t, q.SettleBatch(bg, b1))
	require.NoError(t, q.SettleBatch(bg, b1), "settling again is no error")

	members := map[ID]int{}
	for n := uint32(1); n <= 2; n++ {
		for _, e := range all(t, q, Filter{Batch: BatchID{cardLane, n}}) {
			members[e.ID]++
		}
	}
	require.Len(t, members, 6)
	for id, n := range members {
		require.Equal(t, 1, n, "entry %d", id)
	}
	require.NoError(t, q.Verify(bg))
}

// I8: however often it fails, an advice is there and is sent again, and does
// not hold up the others.
func TestI8NothingIsDropped(t *testing.T) {
	q := openNew(t, fast)
	for _, ref := range []string{"poison", "a", "b", "c"} {
		_, err := q.Append(bg, offlineSale(ref))
		require.NoError(t, err)
	}
	ctx, cancel := context.WithCancel(bg)
	poison := 0
	err := q.Forward(ctx, cardLane, uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
		if e.Ref != "poison" {
			return approve(ctx, e)
		}
		if poison++; poison == 40 {
			cancel()
		}
		return silent(ctx, e)
	}})
	require.ErrorIs(t, err, context.Canceled)
	states := map[string]State{}
	for _, e := range all(t, q, Filter{}) {
		states[e.Ref] = e.State
	}
	require.Equal(t, map[string]State{"poison": InDoubt, "a": Accepted, "b": Accepted, "c": Accepted}, states)
}

// A payment just taken does not wait for the pause that an older one's failure
// began. The pause is an hour of the bubble's time, in which none passes.
func TestNewEntryEndsThePause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{RetryMin: time.Hour, RetryMax: time.Hour})
		defer q.Close()
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		failed, delivered := make(chan struct{}, 99), make(chan time.Time, 1)
		go q.Forward(ctx, cardLane, uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
			if e.Ref == "poison" {
				failed <- struct{}{}
				return silent(ctx, e)
			}
			delivered <- time.Now()
			return approve(ctx, e)
		}})
		_, err := q.Append(bg, offlineSale("poison"))
		require.NoError(t, err)
		for range 6 {
			<-failed
		}
		taken := time.Now()
		_, err = q.Append(bg, offlineSale("new"))
		require.NoError(t, err)
		require.Equal(t, taken, <-delivered)
	})
}

// I8: a reversal without an answer is parked after its tries, loudly and with
// its original; a person lets it go on.
func TestReversalIsParkedNotDropped(t *testing.T) {
	q := openNew(t, Options{RetryMin: 1, RetryMax: 2, ReversalTries: 3})
	e, err := q.Do(bg, uplink{send: silent}, cardSale("s1"))
	require.ErrorIs(t, err, ErrInDoubt)
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: silent}))
	parked := all(t, q, Filter{States: []State{Parked}})
	require.Len(t, parked, 2)
	require.Equal(t, 3, parked[1].Attempts)
	require.NotEmpty(t, parked[1].ParkedWhy)

	_, err = q.Do(bg, uplink{send: approve}, cardSale("s2"))
	require.NoError(t, err, "a parked reversal does not hold back the sales")
	require.NoError(t, q.Unpark(bg, parked[1].ID, "Li", "the host is back"))
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
	e, err = q.Get(bg, e.ID)
	require.NoError(t, err)
	require.Equal(t, Reversed, e.State)
	require.NoError(t, q.Verify(bg))
}

// I9: Do gives no error only with an outcome.
func TestI9InDoubtIsNeverAnOutcome(t *testing.T) {
	sends := map[string]uplink{
		"silence":     {send: silent},
		"bad MAC":     {send: func(context.Context, Entry) (Answer, error) { return Answer{Verdict: Approved}, ErrBadMAC }},
		"unknown":     answering(Unknown, "68"),
		"part":        answering(Partial, "10"),
		"unset":       {send: func(context.Context, Entry) (Answer, error) { return Answer{}, nil }},
		"other's":     answering(Duplicate, "94"),
		"not sent":    {send: func(context.Context, Entry) (Answer, error) { return Answer{}, ErrNotSent }},
		"no line":     {prepare: func(context.Context) (Line, error) { return Line{}, errSilent }},
		"refused":     answering(Refused, "51"),
		"unavailable": answering(Unavailable, "96"),
		"approved":    {send: approve},
	}
	for name, up := range sends {
		t.Run(name, func(t *testing.T) {
			q := openNew(t, fast)
			e, err := q.Do(bg, up, cardSale("s1"))
			if err == nil {
				require.Contains(t, []State{Accepted, Declined}, e.State)
				require.Contains(t, []string{"approved", "refused", "unavailable"}, name)
				return
			}
			require.NotContains(t, []State{Accepted, Declined}, e.State)
			if e.ID == 0 || e.State == Pending {
				require.ErrorIs(t, err, ErrNotSent)
			} else {
				require.ErrorIs(t, err, ErrInDoubt)
			}
		})
	}
}
