package queue

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A chip that refuses after the host approved, an app that panics there, and a
// device that dies there all end with a reversal for a fault.
func TestConfirm(t *testing.T) {
	chip := errors.New("second GAC: AAC")
	for name, c := range map[string]struct {
		confirm func(q *Queue, after **Queue) error
		want    State
	}{
		"chip agrees":           {func(*Queue, **Queue) error { return nil }, Accepted},
		"chip refuses":          {func(*Queue, **Queue) error { return chip }, Reversed},
		"not sent is no excuse": {func(*Queue, **Queue) error { return ErrNotSent }, Reversed},
		"app panics":            {func(*Queue, **Queue) error { panic("x") }, Reversed},
		"device dies": {func(q *Queue, after **Queue) error {
			*after = crashed(t, q, fast)
			return nil
		}, Reversed},
	} {
		t.Run(name, func(t *testing.T) {
			q := openNew(t, fast)
			var after *Queue
			e, err := q.DoConfirm(bg, uplink{send: approve}, cardSale("s"), func(_ context.Context, e Entry) error {
				held, err := q.Get(bg, e.ID)
				require.NoError(t, err)
				require.Equal(t, InDoubt, held.State, "nothing is decided before the chip has spoken")
				require.Equal(t, "00", e.Answer.Code)
				return c.confirm(q, &after)
			})
			if c.want == Accepted {
				require.NoError(t, err)
			} else if after == nil {
				require.ErrorIs(t, err, ErrInDoubt)
				require.Equal(t, InDoubt, e.State)
			}
			if after != nil {
				q = after
			}
			var r recorder
			require.NoError(t, q.Drain(bg, cardLane, uplink{send: r.through(approve)}))
			require.Equal(t, c.want, stateOf(t, q, "s"))
			if c.want == Reversed {
				require.Len(t, r.seen, 1)
				require.Equal(t, Fault, r.seen[0].Reason)
			}
			require.NoError(t, q.Verify(bg))
		})
	}
	t.Run("declined", func(t *testing.T) {
		q := openNew(t, fast)
		_, err := q.DoConfirm(bg, answering(Refused, "51"), cardSale("s"), func(context.Context, Entry) error {
			t.Error("confirm is for approvals")
			return nil
		})
		require.NoError(t, err)
	})
}

// A sale at the merchant's risk is sent as a request; in doubt it is reversed,
// and then presented anew under another STAN until the host decides.
func TestSaleAtRisk(t *testing.T) {
	for name, last := range map[string]Verdict{"approved": Approved, "declined": Refused} {
		t.Run(name, func(t *testing.T) {
			q := openNew(t, fast)
			first, err := q.AppendAtRisk(bg, cardSale("s"))
			require.NoError(t, err)
			require.Equal(t, Request, first.Kind)
			var r recorder
			n := 0
			up := uplink{send: r.through(func(ctx context.Context, e Entry) (Answer, error) {
				n++
				switch {
				case e.Kind == Reversal:
					return approve(ctx, e)
				case n == 1:
					q2 := crashed(t, q, fast) // dying here gives the same end
					require.NoError(t, q2.Drain(bg, cardLane, answering(last, "xx")))
					return silent(ctx, e)
				}
				return Answer{Verdict: last, Code: "xx"}, nil
			})}
			require.NoError(t, q.Drain(bg, cardLane, up))
			require.Len(t, r.seen, 3)
			require.Equal(t, []Kind{Request, Reversal, Request}, []Kind{r.seen[0].Kind, r.seen[1].Kind, r.seen[2].Kind})
			require.NotEqual(t, first.STAN, r.seen[2].STAN)
			require.Equal(t, testPAN, r.seen[2].Card.PAN.Reveal())
			e, err := q.ByRef(bg, "s")
			require.NoError(t, err)
			want := map[Verdict]State{Approved: Accepted, Refused: Declined}[last]
			require.Equal(t, want, e.State)
			require.NotEqual(t, first.ID, e.ID)
			again, err := q.AppendAtRisk(bg, cardSale("s"))
			require.NoError(t, err)
			require.Equal(t, e.ID, again.ID)
			require.NoError(t, q.Verify(bg))
		})
	}
	q := openNew(t, fast)
	_, err := q.AppendAtRisk(bg, cardSale("later"))
	require.NoError(t, err)
	n := 0
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
		if n++; n == 1 {
			return Answer{Verdict: Unavailable, Code: "91"}, nil // the issuer is not there now
		}
		return approve(ctx, e)
	}}))
	require.Equal(t, Accepted, stateOf(t, q, "later"), "a host that asks to come later costs the merchant nothing")
	require.Equal(t, 3, n)
	_, err = q.AppendAtRisk(bg, cashSale("c"))
	require.Error(t, err)
}

func TestLimits(t *testing.T) {
	yuan := func(n int64) Money { return Money{n * 100, CNY} }
	for name, c := range map[string]struct {
		limits Limits
		first  []int64 // amounts taken before
		last   int64
		limit  string
		have   int64
	}{
		"per sale": {Limits{PerSale: map[TenderCurrency]int64{{CardTender, CNY}: 50000}}, nil, 501, "per sale", 50100},
		"count":    {Limits{Count: 2}, []int64{1, 1}, 1, "count", 3},
		"sum":      {Limits{Sum: map[Currency]int64{CNY: 10000}}, []int64{60}, 41, "sum", 10100},
		"within":   {Limits{Count: 3, Sum: map[Currency]int64{CNY: 10000}}, []int64{60}, 40, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := fast
			o.Limits = c.limits
			q := openNew(t, o)
			for i, a := range c.first {
				s := offlineSale(fmt.Sprint(i))
				s.Amount = yuan(a)
				_, err := q.Append(bg, s)
				require.NoError(t, err)
			}
			s := offlineSale("last")
			if c.last > 0 {
				s.Amount = yuan(c.last)
			}
			_, err := q.Append(bg, s)
			if c.limit == "" {
				require.NoError(t, err)
				return
			}
			var lim *LimitError
			require.ErrorAs(t, err, &lim)
			require.Equal(t, c.limit, lim.Limit)
			require.Equal(t, c.have, lim.Have)
			_, err = q.ByRef(bg, "last")
			require.ErrorIs(t, err, ErrNotFound, "nothing of it is kept")
			require.NoError(t, q.Verify(bg))
			require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
			if name != "per sale" {
				_, err = q.Append(bg, s)
				require.NoError(t, err, "what was delivered makes room")
			}
		})
	}
}

// Hours pass in no time inside the bubble.
func TestLimitsOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := fast
		o.Limits = Limits{Age: 10 * time.Hour, Silence: 3 * time.Hour}
		q := openNew(t, o)
		defer q.Close()
		var lim *LimitError
		append := func(ref string) error {
			_, err := q.Append(bg, offlineSale(ref))
			return err
		}
		require.NoError(t, append("first"))
		<-time.After(9 * time.Hour)
		require.NoError(t, append("second"), "a lane that never had an answer is not silent")
		<-time.After(2 * time.Hour)
		require.ErrorAs(t, append("third"), &lim)
		require.Equal(t, "age", lim.Limit)
		require.EqualValues(t, 11*time.Hour/time.Millisecond, lim.Have)
		require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
		require.NoError(t, append("fourth"))
		<-time.After(4 * time.Hour)
		require.ErrorAs(t, append("fifth"), &lim)
		require.Equal(t, "silence", lim.Limit)
	})
}

func TestDoubleTap(t *testing.T) {
	o := fast
	o.DoubleTap = time.Hour
	q := openNew(t, o)
	first, err := q.Do(bg, uplink{send: approve}, cardSale("a"))
	require.NoError(t, err)
	var tap *DoubleTapError
	_, err = q.Do(bg, uplink{send: approve}, cardSale("b"))
	require.ErrorAs(t, err, &tap)
	require.Equal(t, first.ID, tap.First)
	_, err = q.Append(bg, offlineSale("c"))
	require.ErrorAs(t, err, &tap)
	again, err := q.Do(bg, uplink{send: approve}, cardSale("a"))
	require.NoError(t, err, "the same ref is the same sale, not a second tap")
	require.Equal(t, first.ID, again.ID)

	other := cardSale("d")
	other.Amount.Minor++
	_, err = q.Do(bg, uplink{send: approve}, other)
	require.NoError(t, err)
	asked := cardSale("e")
	asked.Again = tap.First
	_, err = q.Do(bg, uplink{send: approve}, asked)
	require.NoError(t, err)
	_, err = q.Append(bg, cashSale("f"))
	require.NoError(t, err)
	_, err = q.Append(bg, cashSale("g"))
	require.NoError(t, err, "cash has no card to recognise")
	require.Len(t, all(t, q, Filter{}), 5)
}

// Past the host's memory an advice is not repeated: the host could book it
// twice.
func TestNoRepeatPastTheHostsMemory(t *testing.T) {
	q := openNew(t, Options{RetryMin: 1, RetryMax: 2, DuplicateMemory: time.Hour,
		Lanes: map[Lane]LaneOptions{cardLane: {DuplicateMemory: time.Nanosecond}}})
	_, err := q.Append(bg, offlineSale("s"))
	require.NoError(t, err)
	var r recorder
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: r.through(silent)}))
	require.Len(t, r.seen, 1)
	e, err := q.ByRef(bg, "s")
	require.NoError(t, err)
	require.Equal(t, Parked, e.State)
	require.NoError(t, q.Unpark(bg, e.ID, "Li", "asked the host: it has nothing"))
}

func TestWhatCannotBeProvenYoungIsOld(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	first := moment{wall: noon, boot: 3, since: time.Hour, host: noon}
	age, proven := first.age(moment{wall: noon.Add(-time.Minute), boot: 4, since: time.Minute})
	require.False(t, proven)
	require.Zero(t, age)
	age, proven = first.age(moment{wall: noon.Add(time.Minute), boot: 4, since: time.Minute, host: noon.Add(48 * time.Hour)})
	require.True(t, proven)
	require.Equal(t, 48*time.Hour, age, "the host's clock counts too")
	age, _ = first.age(moment{wall: noon.Add(-time.Hour), boot: 3, since: 3 * time.Hour})
	require.Equal(t, 2*time.Hour, age, "a wall clock set back does not make it younger")
}

// A boot, and a jump of the wall clock, are events that change nothing else.
func TestClockEvidence(t *testing.T) {
	m := newMemory()
	one, two := [16]byte{1}, [16]byte{2}
	for _, c := range []struct {
		boot   [16]byte
		offset time.Duration
		want   uint32
	}{{one, time.Hour, 1}, {one, 3 * time.Hour, 1}, {two, 3 * time.Hour, 2}, {one, time.Hour, 3}} {
		require.NoError(t, step(m, event{kind: evClock, boot: c.boot, offset: c.offset}))
		require.Equal(t, c.want, m.time.boot)
	}
	q := openNew(t, fast)
	_, err := q.Append(bg, cashSale("a"))
	require.NoError(t, err)
	_, err = q.Append(bg, cashSale("b"))
	require.NoError(t, err)
	require.NoError(t, q.read(func(v *fileView) error {
		kinds := map[eventKind]int{}
		last, err := v.tx.LastEvent()
		require.NoError(t, err)
		for n := uint64(1); n <= last; n++ {
			body, err := v.tx.Event(n)
			require.NoError(t, err)
			ev, err := decodeEvent(body)
			require.NoError(t, err)
			kinds[ev.kind]++
		}
		require.Equal(t, map[eventKind]int{evClock: 1, evLane: 1, evAppended: 2}, kinds)
		return nil
	}))
}

func TestWatch(t *testing.T) {
	o := fast
	o.Limits = Limits{Count: 4}
	q := openNew(t, o)
	ctx, cancel := context.WithCancel(bg)
	ready := make(chan struct{})
	states := make(chan []State, 1)
	warned := make(chan int64, 4)
	go func() {
		var last []State
		first := true
		for ev := range q.Watch(ctx) {
			if first {
				close(ready)
				first = false
				continue
			}
			switch {
			case ev.Warning != nil:
				var limit *LimitError
				errors.As(ev.Warning, &limit)
				warned <- limit.Have
			case ev.Entry.Ref == "s1":
				last = append(last, ev.Entry.State)
				if ev.Entry.State == Accepted {
					cancel()
				}
			}
		}
		states <- last
	}()
	// The watcher is known to look on once it has seen an event.
	for i := 0; ; i++ {
		s := cashSale(fmt.Sprint("probe", i))
		_, err := q.Append(bg, s)
		require.NoError(t, err)
		e, err := q.ByRef(bg, s.Ref)
		require.NoError(t, err)
		_, err = q.Reverse(bg, e.ID)
		require.NoError(t, err)
		select {
		case <-ready:
		default:
			continue
		}
		break
	}
	_, err := q.Append(bg, cashSale("c1"))
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("s1"))
	require.NoError(t, err)
	require.EqualValues(t, 2, <-warned)
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
	got := <-states
	require.Equal(t, Accepted, got[len(got)-1])
}

// A screen learns what waits, since when, what needs a person and why, and
// what a wipe would lose.
func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, fast)
		defer q.Close()
		s, err := q.Status(bg)
		require.NoError(t, err)
		require.True(t, s.SafeToWipe)
		_, err = q.Append(bg, offlineSale("refused"))
		require.NoError(t, err)
		require.NoError(t, q.Drain(bg, cardLane, answering(Refused, "30")))
		_, err = q.Append(bg, offlineSale("waiting"))
		require.NoError(t, err)
		<-time.After(2 * time.Hour)
		_, err = q.Append(bg, cashSale("cash"))
		require.NoError(t, err)
		s, err = q.Status(bg)
		require.NoError(t, err)
		require.False(t, s.SafeToWipe)
		require.Equal(t, 2*time.Hour, s.Oldest)
		require.EqualValues(t, 2, s.Waiting)
		require.Equal(t, []ParkedEntry{{1, "refused", Money{1250, CNY}, "the host refused it"}}, s.NeedPerson)
		var sum int64
		for _, a := range s.AtStake {
			sum += a.Sum
		}
		require.EqualValues(t, 1250+1250+990, sum)

		require.NoError(t, q.Resolve(bg, 1, Answer{Verdict: Refused}, "Li", "paid in cash"))
		for _, l := range []Lane{cardLane, cashLane} {
			require.NoError(t, q.Drain(bg, l, uplink{send: approve}))
			b, err := q.CloseBatch(bg, l)
			require.NoError(t, err)
			s, err = q.Status(bg)
			require.NoError(t, err)
			require.False(t, s.SafeToWipe, "the batch is not settled")
			require.NoError(t, q.SettleBatch(bg, b))
		}
		s, err = q.Status(bg)
		require.NoError(t, err)
		require.True(t, s.SafeToWipe)
		require.Empty(t, s.AtStake)
	})
}
