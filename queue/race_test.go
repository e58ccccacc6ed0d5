package queue

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// An uplink that panics leaves its entry in doubt, and the lane goes on.
func TestUplinkPanics(t *testing.T) {
	q := openNew(t, fast)
	panics := uplink{send: func(context.Context, Entry) (Answer, error) { panic(testPAN) }}
	e, err := q.Do(bg, panics, cardSale("s"))
	require.ErrorIs(t, err, ErrInDoubt)
	require.NotContains(t, err.Error(), testPAN)
	require.Equal(t, InDoubt, e.State)
	_, err = q.Do(bg, uplink{prepare: func(context.Context) (Line, error) { panic(testPAN) }}, cardSale("t"))
	require.ErrorIs(t, err, ErrNotSent)
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
	require.Equal(t, Reversed, stateOf(t, q, "s"))
}

// A ctx that ends just after an answer came costs neither the answer nor the
// lane.
func TestAnswerSurvivesTheEndOfItsContext(t *testing.T) {
	t.Run("the reversal before a Do", func(t *testing.T) {
		q := openNew(t, fast)
		_, err := q.Do(bg, uplink{send: silent}, cardSale("lost"))
		require.ErrorIs(t, err, ErrInDoubt)
		ctx, cancel := context.WithCancel(bg)
		_, err = q.Do(ctx, uplink{send: func(c context.Context, e Entry) (Answer, error) {
			cancel()
			return approve(c, e)
		}}, cardSale("next"))
		require.ErrorIs(t, err, ErrNotSent)
		require.Equal(t, Reversed, stateOf(t, q, "lost"))
		_, err = q.Do(bg, uplink{send: approve}, cardSale("next"))
		require.NoError(t, err)
	})
	t.Run("Forward", func(t *testing.T) {
		q := openNew(t, fast)
		for _, ref := range []string{"a", "b"} {
			_, err := q.AppendAtRisk(bg, cardSale(ref))
			require.NoError(t, err)
		}
		ctx, cancel := context.WithCancel(bg)
		require.ErrorIs(t, q.Forward(ctx, cardLane, uplink{send: func(c context.Context, e Entry) (Answer, error) {
			cancel()
			return approve(c, e)
		}}), context.Canceled)
		require.Equal(t, Accepted, stateOf(t, q, "a"))
		require.Equal(t, Pending, stateOf(t, q, "b"))
	})
}

// A deferred sale that the app reverses is not presented again, whether its
// reversal was journalled already or not; one that a person resolves is.
func TestReversedSaleAtRiskStaysReversed(t *testing.T) {
	lost := func(t *testing.T) (*Queue, Entry) {
		q := openNew(t, Options{RetryMin: 1, RetryMax: 2, ReversalTries: 1})
		e, err := q.AppendAtRisk(bg, cardSale("s"))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(bg)
		_ = q.Drain(ctx, cardLane, uplink{send: func(c context.Context, e Entry) (Answer, error) {
			cancel()
			return silent(c, e)
		}})
		return q, e
	}
	t.Run("withdrawn", func(t *testing.T) {
		q, e := lost(t)
		_, err := q.Reverse(bg, e.ID)
		require.NoError(t, err)
		require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
		require.Equal(t, Reversed, stateOf(t, q, "s"))
		require.Len(t, all(t, q, Filter{}), 2)
		require.NoError(t, q.Verify(bg))
	})
	t.Run("resolved", func(t *testing.T) {
		q, _ := lost(t)
		require.NoError(t, q.Drain(bg, cardLane, uplink{send: silent}))
		parked := all(t, q, Filter{States: []State{Parked}})
		require.Equal(t, Reversal, parked[1].Kind)
		require.NoError(t, q.Resolve(bg, parked[1].ID, Answer{Verdict: Approved}, "Li", "the host shows it reversed"))
		require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
		require.Equal(t, Accepted, stateOf(t, q, "s"))
		require.NoError(t, q.Verify(bg))
	})
}

// The refunds of a sale are together at most its amount; what is refunded is
// not voided.
func TestRefundsAddUp(t *testing.T) {
	q := openNew(t, fast)
	sold, err := q.Do(bg, uplink{send: approve}, cardSale("sold"))
	require.NoError(t, err)
	refund := func(ref string, minor int64) error {
		_, err := q.Append(bg, Transaction{Ref: ref, Lane: cardLane, Op: Refund, Original: sold.ID, Amount: Money{minor, CNY}})
		return err
	}
	require.NoError(t, refund("r1", 1000))
	require.Error(t, refund("r2", 251))
	require.NoError(t, refund("r1", 1000), "the same ref is the same refund")
	_, err = q.Do(bg, uplink{send: approve}, Transaction{Ref: "v", Lane: cardLane, Op: Void, Original: sold.ID})
	require.ErrorIs(t, err, ErrState)
	require.NoError(t, q.Drain(bg, cardLane, answering(Refused, "61")))
	require.NoError(t, refund("r3", 1250), "a declined refund makes room")
	require.Error(t, refund("r4", 1))
	require.NoError(t, q.Verify(bg))
}

// A host that goes on to another number while our batch is fenced gets nothing
// new in that batch.
func TestHostGoesOnWhileFenced(t *testing.T) {
	q := openNew(t, fast)
	batch := uint32(5)
	_, err := q.Do(bg, numbered(approve, &batch), cardSale("a"))
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("b"))
	require.NoError(t, err)
	fenced, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	batch = 6
	require.NoError(t, q.Drain(bg, cardLane, numbered(approve, &batch)))
	b, err := q.ByRef(bg, "b")
	require.NoError(t, err)
	require.Equal(t, fenced.N+1, b.Batch.N)
	require.NoError(t, q.SettleBatch(bg, fenced))
	require.NoError(t, q.Drain(bg, cardLane, numbered(approve, &batch)))
	for _, e := range all(t, q, Filter{}) {
		in, err := q.Batch(bg, e.Batch)
		require.NoError(t, err)
		require.Equal(t, in.HostBatch, e.HostBatch)
	}
	require.NoError(t, q.Verify(bg))
}

// At the host's limit nothing new is bound to the batch; the next one takes it.
func TestBatchLimit(t *testing.T) {
	o := fast
	o.BatchLimit = 3
	q := openNew(t, o)
	batch := uint32(5)
	var r recorder
	up := numbered(r.through(approve), &batch)
	for i := range 7 {
		_, err := q.Append(bg, offlineSale(fmt.Sprint(i)))
		require.NoError(t, err)
	}
	for want := 3; want <= 7; want += 3 {
		require.NoError(t, q.Drain(bg, cardLane, up))
		require.Len(t, r.seen, want)
		require.NoError(t, q.WaitFull(bg, cardLane))
		_, err := q.Do(bg, up, cardSale("online"))
		require.ErrorIs(t, err, ErrHeldBack)
		b, err := q.CloseBatch(bg, cardLane)
		require.NoError(t, err)
		require.NoError(t, q.Drain(bg, cardLane, up))
		require.Len(t, r.seen, want)
		require.NoError(t, q.SettleBatch(bg, b), "what was never attempted went on")
		batch++
	}
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.Len(t, r.seen, 7)
	s, err := q.Status(bg)
	require.NoError(t, err)
	require.False(t, s.Lanes[0].Full)
	require.NoError(t, q.Verify(bg))
}

// With a window several Do go out at once; each waits for no other.
func TestTwoDosWithAWindow(t *testing.T) {
	q := openNew(t, fast)
	both := make(chan struct{}, 2)
	meet := func(ctx context.Context, e Entry) (Answer, error) {
		both <- struct{}{}
		for len(both) < 2 && ctx.Err() == nil {
			runtime.Gosched()
		}
		return approve(ctx, e)
	}
	errs := make(chan error, 2)
	for i := range 2 {
		go func() {
			_, err := q.Do(bg, wide{uplink{send: meet}}, cardSale(fmt.Sprint(i)))
			errs <- err
		}()
	}
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
}

// wide is an uplink that takes eight at once.
type wide struct{ uplink }

func (wide) Window() int { return 8 }

// The lane is alone for a settlement whatever window the senders have.
func TestWithLaneIsAlone(t *testing.T) {
	q := openNew(t, fast)
	for i := range 40 {
		_, err := q.Append(bg, offlineSale(fmt.Sprint(i)))
		require.NoError(t, err)
	}
	var sending, together atomic.Int32
	count := func(ctx context.Context, e Entry) (Answer, error) {
		sending.Add(1)
		defer sending.Add(-1)
		runtime.Gosched()
		return approve(ctx, e)
	}
	done := make(chan error, 1)
	go func() { done <- q.Drain(bg, cardLane, wide{uplink{send: count}}) }()
	for range 20 {
		require.NoError(t, q.WithLane(bg, cardLane, func() error {
			for range 50 {
				together.Add(sending.Load())
				runtime.Gosched()
			}
			return nil
		}))
	}
	require.NoError(t, <-done)
	require.Zero(t, together.Load())
	ctx, cancel := context.WithCancel(bg)
	cancel()
	require.NoError(t, q.WithLane(bg, cardLane, func() error {
		require.ErrorIs(t, q.WithLane(ctx, cardLane, func() error { return nil }), context.Canceled)
		return nil
	}))
	_, err := q.Do(bg, uplink{send: approve}, cardSale("after"))
	require.NoError(t, err)
}

// A void that the host declined is followed by another one.
func TestReverseAfterADeclinedVoid(t *testing.T) {
	q := openNew(t, fast)
	sold, err := q.Do(bg, uplink{send: approve}, cardSale("s"))
	require.NoError(t, err)
	first, err := q.Reverse(bg, sold.ID)
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cardLane, answering(Refused, "58")))
	second, err := q.Reverse(bg, sold.ID)
	require.NoError(t, err)
	require.NotEqual(t, first.ID, second.ID)
	require.Equal(t, Pending, second.State)
	again, err := q.Reverse(bg, sold.ID)
	require.NoError(t, err)
	require.Equal(t, second.ID, again.ID)
}

// A request is never sent twice, whoever asks the log for it.
func TestStepRefusesToRepeatARequest(t *testing.T) {
	q := openNew(t, fast)
	e, err := q.AppendAtRisk(bg, cardSale("s"))
	require.NoError(t, err)
	attempt := func() error {
		return q.update(bg, func(v *fileView) error { return v.apply(event{kind: evAttempted, id: e.ID}) })
	}
	require.NoError(t, attempt())
	require.ErrorIs(t, attempt(), ErrState)
}

// What a person lets go on after the host's batch number has changed goes out
// in the open batch, and nothing waits for it.
func TestUnparkedAfterTheHostWentOn(t *testing.T) {
	q := openNew(t, fast)
	batch := uint32(5)
	_, err := q.Do(bg, numbered(approve, &batch), cardSale("a"))
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("b"))
	require.NoError(t, err)
	unsendable := func(context.Context, Entry) (Answer, error) { return Answer{}, ErrUnsendable }
	require.NoError(t, q.Drain(bg, cardLane, numbered(unsendable, &batch)))
	parked, err := q.ByRef(bg, "b")
	require.NoError(t, err)
	require.Equal(t, Parked, parked.State)
	batch = 6
	_, err = q.Append(bg, offlineSale("c"))
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cardLane, numbered(approve, &batch)))
	require.NoError(t, q.Unpark(bg, parked.ID, "Li", "the dialect was mended"))
	_, err = q.Append(bg, offlineSale("d"))
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cardLane, numbered(approve, &batch)))
	for _, ref := range []string{"b", "c", "d"} {
		e, err := q.ByRef(bg, ref)
		require.NoError(t, err)
		require.Equal(t, Accepted, e.State, ref)
		require.EqualValues(t, 6, e.HostBatch, ref)
	}
	require.NoError(t, q.Verify(bg))
}

// A line that tells no batch number carries the number of the batch.
func TestLineWithoutNumberAfterOneWith(t *testing.T) {
	q := openNew(t, fast)
	batch := uint32(5)
	_, err := q.Do(bg, numbered(approve, &batch), cardSale("a"))
	require.NoError(t, err)
	e, err := q.Do(bg, uplink{send: approve}, cardSale("b"))
	require.NoError(t, err)
	require.EqualValues(t, 5, e.HostBatch)
}

// A Do does not wait for the backlog: it is the next to be sent.
func TestDoGoesBeforeTheBacklog(t *testing.T) {
	q := openNew(t, fast)
	for i := range 20 {
		_, err := q.Append(bg, offlineSale(fmt.Sprint(i)))
		require.NoError(t, err)
	}
	var r recorder
	done := make(chan error, 1)
	var up uplink
	started := false
	up.send = r.through(func(ctx context.Context, e Entry) (Answer, error) {
		if !started {
			started = true
			go func() {
				_, err := q.Do(bg, up, cardSale("online"))
				done <- err
			}()
			for !q.lines.wanted(cardLane) {
				runtime.Gosched()
			}
		}
		return approve(ctx, e)
	})
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.NoError(t, <-done)
	require.Equal(t, "online", r.seen[1].Ref)
}

// Nor does it wait for an advice that has no answer, longer than five seconds; a
// deferred request has its full time.
func TestDoWaitsShortlyForAnAdvice(t *testing.T) {
	for name, x := range map[string]struct {
		journal func(q *Queue) error
		waits   time.Duration
	}{
		"advice":  {func(q *Queue) error { _, err := q.Append(bg, offlineSale("s")); return err }, patience},
		"at risk": {func(q *Queue) error { _, err := q.AppendAtRisk(bg, cardSale("s")); return err }, 60*time.Second - 2*time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := openNew(t, Options{})
				defer q.Close()
				mute := true
				up := uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
					if e.Ref == "s" && mute {
						mute = false
						<-ctx.Done()
						return Answer{}, ctx.Err()
					}
					return approve(ctx, e)
				}}
				require.NoError(t, x.journal(q))
				stop := forwarding(t, q, cardLane, up)
				time.Sleep(2 * time.Second)
				synctest.Wait()
				began := time.Now()
				e, err := q.Do(bg, up, cardSale("online"))
				require.NoError(t, err)
				require.Equal(t, Accepted, e.State)
				require.Equal(t, x.waits, time.Since(began))
				time.Sleep(time.Minute)
				synctest.Wait()
				require.Equal(t, Accepted, stateOf(t, q, "s"))
				stop()
			})
		})
	}
}

// An advice whose age no clock can prove is not repeated.
func TestUnprovenAgeIsParked(t *testing.T) {
	q := openNew(t, fast)
	_, err := q.Append(bg, offlineSale("s"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(bg)
	_ = q.Drain(ctx, cardLane, uplink{send: func(c context.Context, e Entry) (Answer, error) {
		cancel()
		return silent(c, e)
	}})
	require.NoError(t, q.update(bg, func(v *fileView) error {
		e, err := v.entry(1)
		require.NoError(t, err)
		old := e
		e.first.boot, e.first.wall = 77, e.first.wall.Add(time.Hour) // another boot, and the wall clock went back
		return v.putEntry(&old, e)
	}))
	var r recorder
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: r.through(approve)}))
	require.Empty(t, r.seen)
	require.Equal(t, Parked, stateOf(t, q, "s"))
	require.NoError(t, q.Unpark(bg, 1, "Li", "the host has nothing of it"))
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: r.through(approve)}))
	require.Len(t, r.seen, 1, "a person's word makes it young")
	require.True(t, r.seen[0].Repeat)
	require.Equal(t, Accepted, stateOf(t, q, "s"))
	require.NoError(t, q.Compact(bg))
	require.Equal(t, Accepted, stateOf(t, q, "s"))
}

// lateUplink hands over an answer that came too late.
type lateUplink struct {
	uplink
	late []LateAnswer
}

func (u *lateUplink) LateAnswers() []LateAnswer {
	late := u.late
	u.late = nil
	return late
}

// A late answer decides an advice in doubt without a repeat; for a request
// whose reversal is journalled it is evidence, which keeps "nothing to reverse"
// from passing for a reversal; for another terminal's or STAN's entry it is
// nothing.
func TestLateAnswers(t *testing.T) {
	q := openNew(t, fast)
	advice, err := q.Append(bg, offlineSale("advice"))
	require.NoError(t, err)
	var r recorder
	up := &lateUplink{}
	up.send = r.through(func(ctx context.Context, e Entry) (Answer, error) {
		up.late = []LateAnswer{{advice.ID, advice.STAN + 1, Answer{Verdict: Refused}}, {99, 1, Answer{Verdict: Refused}},
			{advice.ID, advice.STAN, Answer{Verdict: Approved, Code: "00"}}}
		return silent(ctx, e)
	})
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.Equal(t, Accepted, stateOf(t, q, "advice"))
	require.Len(t, r.seen, 1)

	request, err := q.Do(bg, uplink{send: silent}, cardSale("request"))
	require.ErrorIs(t, err, ErrInDoubt)
	up.late = []LateAnswer{{request.ID, request.STAN, Answer{Verdict: Approved, Code: "00"}}}
	up.send = answering(NotFound, "25").send
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.Equal(t, Parked, stateOf(t, q, "request"), "it was approved: nothing to reverse cannot be true")
	require.NoError(t, q.Verify(bg))
}

// A reversal that a late answer ends lets a sale at the merchant's risk be
// presented anew like any other.
func TestLateAnswerToTheReversalOfASaleAtRisk(t *testing.T) {
	q := openNew(t, fast)
	_, err := q.AppendAtRisk(bg, cardSale("s"))
	require.NoError(t, err)
	up := &lateUplink{}
	sends := 0
	up.send = func(ctx context.Context, e Entry) (Answer, error) {
		sends++
		if e.Kind == Reversal {
			up.late = []LateAnswer{{e.ID, e.STAN, Answer{Verdict: Approved, Code: "00"}}}
			return silent(ctx, e)
		}
		if sends == 1 {
			return silent(ctx, e)
		}
		return approve(ctx, e)
	}
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.Equal(t, Accepted, stateOf(t, q, "s"))
	require.Equal(t, 3, sends)
	require.NoError(t, q.Verify(bg))
}
