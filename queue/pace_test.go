package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var errNoLine = errors.New("no network")

// trials counts what an uplink is asked for, and when.
type trials struct {
	mu    sync.Mutex
	at    []time.Time
	sends []Entry
}

func (s *trials) prepared() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Now())
}

func (s *trials) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.at...)
}

// noLine never gets a line.
func (s *trials) noLine() uplink {
	return uplink{prepare: func(context.Context) (Line, error) { s.prepared(); return Line{}, errNoLine }}
}

// line gets one and sends by send.
func (s *trials) line(send func(context.Context, Entry) (Answer, error)) uplink {
	return uplink{prepare: func(context.Context) (Line, error) { s.prepared(); return Line{}, nil },
		send: func(ctx context.Context, e Entry) (Answer, error) {
			s.mu.Lock()
			s.sends = append(s.sends, e)
			s.mu.Unlock()
			return send(ctx, e)
		}}
}

func (s *trials) sent() (refs []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.sends {
		refs = append(refs, e.Ref)
	}
	return refs
}

// forwarding runs Forward in a bubble and returns what ends it.
func forwarding(t *testing.T, q *Queue, l Lane, up Uplink) (stop func()) {
	ctx, cancel := context.WithCancel(bg)
	done := make(chan error, 1)
	go func() { done <- q.Forward(ctx, l, up) }()
	return func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	}
}

func mustAppend(t *testing.T, q *Queue, tr Transaction) Entry {
	t.Helper()
	e, err := q.Append(bg, tr)
	require.NoError(t, err)
	return e
}

func paceOf(t *testing.T, q *Queue, l Lane) Pace {
	t.Helper()
	p, err := q.Pace(l)
	require.NoError(t, err)
	return p
}

// The pause is random under a ceiling that doubles up to RetryMax; once the
// lane has failed for the length of the spread, tries are spread over it.
func TestPausesGrowAndThenSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		defer q.Close()
		mustAppend(t, q, offlineSale("s"))
		var up trials
		stop := forwarding(t, q, cardLane, up.noLine())
		time.Sleep(20 * time.Hour)
		synctest.Wait()
		stop()
		at := up.times()
		require.Zero(t, at[0].Sub(at[0]))
		ceiling, early, late := 500*time.Millisecond, time.Duration(0), time.Duration(0)
		for i, n := range at[1:] {
			gap := n.Sub(at[i])
			if at[i].Sub(at[0]) >= 10*time.Minute {
				require.LessOrEqual(t, gap, 10*time.Minute)
				late = max(late, gap)
				continue
			}
			require.LessOrEqual(t, gap, min(ceiling, time.Minute), "pause %d", i)
			early = max(early, gap)
			ceiling = min(2*ceiling, time.Minute)
		}
		require.Greater(t, early, 30*time.Second, "the pause never grew")
		require.Greater(t, late, 5*time.Minute, "tries are not spread")
		require.Equal(t, len(at), paceOf(t, q, cardLane).Failures)
		require.Equal(t, at[0].UnixMilli(), paceOf(t, q, cardLane).Since.UnixMilli())
	})
}

// A device that restarts again and again in an outage does not try at each
// start, and keeps the count; a lasting outage costs few commits.
func TestPauseSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		mustAppend(t, q, offlineSale("s"))
		var up trials
		stop := forwarding(t, q, cardLane, up.noLine())
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		stop()
		before := paceOf(t, q, cardLane)
		require.Greater(t, before.Failures, 10)
		events := lastEvent(t, q)
		require.Less(t, events, uint64(40), "an outage fills the journal")
		tries, starts := 0, 25
		for range starts {
			next := crashed(t, q, Options{})
			require.NoError(t, q.Close())
			q = next
			p := paceOf(t, q, cardLane)
			require.Greater(t, p.Failures, 5)
			require.LessOrEqual(t, p.Since.Sub(before.Since).Abs(), time.Second)
			var up trials
			stop := forwarding(t, q, cardLane, up.noLine())
			time.Sleep(time.Second)
			synctest.Wait()
			stop()
			tries += len(up.times())
		}
		require.Less(t, tries, starts/2, "%d starts of a second led to %d tries", starts, tries)
		require.NoError(t, q.Verify(bg))
		require.NoError(t, q.Close())
	})
}

func lastEvent(t *testing.T, q *Queue) (n uint64) {
	require.NoError(t, q.read(func(v *fileView) (err error) {
		n, err = v.tx.LastEvent()
		return err
	}))
	return n
}

// An answer ends the count, in the journal, too.
func TestAnAnswerEndsTheFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		mustAppend(t, q, offlineSale("s"))
		var mu sync.Mutex
		down := true
		stop := forwarding(t, q, cardLane, uplink{send: approve, prepare: func(context.Context) (Line, error) {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return Line{}, errNoLine
			}
			return Line{}, nil
		}})
		time.Sleep(5 * time.Minute)
		require.NotZero(t, paceOf(t, q, cardLane).Failures)
		mu.Lock()
		down = false
		mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		require.Equal(t, Accepted, stateOf(t, q, "s"))
		require.Equal(t, Pace{}, paceOf(t, q, cardLane))
		stop()
		next := crashed(t, q, Options{})
		require.NoError(t, q.Close())
		require.Equal(t, Pace{}, paceOf(t, next, cardLane))
		require.NoError(t, next.Close())
	})
}

// Where the host's return shows by a line only, because nothing waits any
// more, the lane still finds out.
func TestReturnIsNoticedWithoutWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		defer q.Close()
		e := mustAppend(t, q, offlineSale("s"))
		var mu sync.Mutex
		down := true
		stop := forwarding(t, q, cardLane, uplink{prepare: func(context.Context) (Line, error) {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return Line{}, errNoLine
			}
			return Line{}, nil
		}})
		time.Sleep(5 * time.Minute)
		_, err := q.Reverse(bg, e.ID)
		require.NoError(t, err)
		time.Sleep(5 * time.Minute)
		require.NotZero(t, paceOf(t, q, cardLane).Failures)
		mu.Lock()
		down = false
		mu.Unlock()
		time.Sleep(10 * time.Minute)
		require.Equal(t, Pace{}, paceOf(t, q, cardLane))
		stop()
		next := crashed(t, q, Options{})
		require.Equal(t, Pace{}, paceOf(t, next, cardLane))
		require.NoError(t, next.Close())
	})
}

// A condensed log, and a restored copy, remember the pace.
func TestPaceIsKeptByCompactAndRestore(t *testing.T) {
	q := openNew(t, Options{})
	b := settledDay(t, q, "settled", 2)
	mustAppend(t, q, offlineSale("s"))
	ctx, cancel := context.WithCancel(bg)
	_ = q.Drain(ctx, cardLane, uplink{send: func(context.Context, Entry) (Answer, error) {
		cancel()
		return Answer{}, &PauseError{After: time.Hour}
	}})
	require.NoError(t, q.Prune(bg, b))
	require.NoError(t, q.Compact(bg))
	require.NoError(t, q.Verify(bg))
	var backup bytes.Buffer
	require.NoError(t, q.Backup(bg, &backup))
	restored, err := Restore(bg, filepath.Join(t.TempDir(), "copy"), &backup, nil, &Options{Unsealed: true})
	require.NoError(t, err)
	defer restored.Close()
	for _, q := range []*Queue{crashed(t, q, Options{}), restored} {
		p := paceOf(t, q, cardLane)
		require.Equal(t, PaceSlot, p.Why)
		require.Equal(t, 1, p.Failures)
		require.Greater(t, time.Until(p.Next), 50*time.Minute)
		require.NoError(t, q.Verify(bg))
	}
}

// What is left of a wait, for every way in which clocks can mislead: never
// more than the wait, and little where nothing can be proven (I4).
func TestClocksDoNotStallTheLane(t *testing.T) {
	wall := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	set := moment{wall: wall, boot: 1, since: time.Hour}
	for _, c := range []struct {
		name string
		now  moment
		want time.Duration
	}{
		{"a minute later", moment{wall: wall.Add(time.Minute), boot: 1, since: time.Hour + time.Minute}, 59 * time.Minute},
		{"over", moment{wall: wall.Add(2 * time.Hour), boot: 1, since: 3 * time.Hour}, 0},
		{"the clock went back in this boot", moment{wall: wall.AddDate(-9, 0, 0), boot: 1, since: time.Hour + time.Minute}, 59 * time.Minute},
		{"the clock went ahead", moment{wall: wall.AddDate(9, 0, 0), boot: 1, since: time.Hour}, 0},
		{"a reboot", moment{wall: wall.Add(time.Minute), boot: 2, since: 0}, 59 * time.Minute},
		{"a reboot into 1970", moment{wall: time.Unix(0, 0), boot: 2, since: 0}, time.Minute},
	} {
		left, _ := paceRecord{set: set, wait: time.Hour, why: PaceSlot}.left(c.now, time.Minute)
		require.Equal(t, c.want, left, c.name)
	}
}

// In the spread a payment just taken goes at once, alone: what waits for its
// place in the spread does not go with it.
func TestNewPaymentGoesAtOnceInTheSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		defer q.Close()
		for i := range 3 {
			mustAppend(t, q, offlineSale(fmt.Sprint("old", i)))
		}
		var up trials
		stop := forwarding(t, q, cardLane, up.noLine())
		for paceOf(t, q, cardLane).Why != PaceSpread || time.Until(paceOf(t, q, cardLane).Next) < time.Minute {
			time.Sleep(time.Second)
		}
		stop()
		back := up.line(approve)
		stop = forwarding(t, q, cardLane, back)
		defer stop()
		mustAppend(t, q, offlineSale("new"))
		synctest.Wait()
		require.Equal(t, []string{"new"}, up.sent())
		require.Equal(t, Accepted, stateOf(t, q, "new"))
		_, err := q.Do(bg, back, cardSale("online"))
		require.NoError(t, err)
		require.Equal(t, []string{"new", "online"}, up.sent())
		time.Sleep(time.Until(paceOf(t, q, cardLane).Next) + time.Second)
		synctest.Wait()
		require.Equal(t, []string{"new", "online", "old0", "old1", "old2"}, up.sent())
	})
}

// The interval that the host publishes counts, and is kept.
func TestHostPublishesTheSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		mustAppend(t, q, offlineSale("s"))
		var up trials
		host := up.line(silent)
		host.prepare = func(context.Context) (Line, error) { up.prepared(); return Line{Spread: 2 * time.Hour}, nil }
		stop := forwarding(t, q, cardLane, host)
		time.Sleep(90 * time.Minute)
		require.NotEqual(t, PaceSpread, paceOf(t, q, cardLane).Why, "it has not failed for two hours yet")
		stop()
		next := crashed(t, q, Options{})
		require.NoError(t, q.Close())
		stop = forwarding(t, next, cardLane, up.noLine())
		time.Sleep(24 * time.Hour)
		stop()
		at, most := up.times(), time.Duration(0)
		for i := range at[1:] {
			most = max(most, at[i+1].Sub(at[i]))
		}
		require.Greater(t, most, 20*time.Minute)
		require.LessOrEqual(t, most, 2*time.Hour)
		require.NoError(t, next.Close())
	})
}

// A slot that the host assigns is kept to, with up to a tenth added, over a
// restart, against new entries and hints; a Do goes at once.
func TestSlots(t *testing.T) {
	for _, how := range []string{"of Prepare", "of Send", "of an answer"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := openNew(t, Options{})
				mustAppend(t, q, offlineSale("s"))
				slot := &PauseError{After: time.Hour, Err: fmt.Errorf("busy: %w", ErrNotSent)}
				host := uplink{send: approve}
				switch how {
				case "of Prepare":
					host.prepare = func(context.Context) (Line, error) { return Line{}, fmt.Errorf("sign-in: %w", slot) }
				case "of Send":
					host.send = func(context.Context, Entry) (Answer, error) { return Answer{}, slot }
				case "of an answer":
					host.send = func(context.Context, Entry) (Answer, error) {
						return Answer{Verdict: Unavailable, RetryAfter: time.Hour}, nil
					}
				}
				stop := forwarding(t, q, cardLane, host)
				synctest.Wait()
				stop()
				asked := time.Now()
				p := paceOf(t, q, cardLane)
				require.Equal(t, PaceSlot, p.Why)
				require.GreaterOrEqual(t, p.Next.Sub(asked), time.Hour)
				require.LessOrEqual(t, p.Next.Sub(asked), 66*time.Minute)

				next := crashed(t, q, Options{})
				require.NoError(t, q.Close())
				var up trials
				stop = forwarding(t, next, cardLane, up.line(approve))
				mustAppend(t, next, offlineSale("new"))
				synctest.Wait()
				next.NetworkBack()
				_, err := next.Do(bg, uplink{send: approve}, cardSale("online"))
				require.NoError(t, err)
				time.Sleep(59 * time.Minute)
				synctest.Wait()
				require.Empty(t, up.times(), "the slot is not kept to")
				time.Sleep(8 * time.Minute)
				synctest.Wait()
				require.Equal(t, []string{"s", "new"}, up.sent())
				stop()
				require.NoError(t, next.Verify(bg))
				require.NoError(t, next.Close())
			})
		})
	}
}

// A failure does not cut short what the host asked for, and a longer wish of
// the host counts.
func TestFailureDoesNotEndASlot(t *testing.T) {
	q := openNew(t, Options{})
	p, err := q.paces.of(q, cardLane)
	require.NoError(t, err)
	left := func(r round) time.Duration {
		next, _ := p.plan(r, &q.opts)
		p.follow(next, r, false, &q.opts)
		return time.Until(paceOf(t, q, cardLane).Next)
	}
	require.Greater(t, left(round{failed: true, asked: asked{after: time.Hour}}), 59*time.Minute)
	require.Greater(t, left(round{failed: true}), 59*time.Minute)
	require.Greater(t, left(round{reached: true}), 59*time.Minute)
	require.Greater(t, left(round{asked: asked{after: 3 * time.Hour}}), 179*time.Minute)
	require.Equal(t, PaceSlot, paceOf(t, q, cardLane).Why)
}

// A host that asks to be left alone for ever is asked again the next day.
func TestSlotsAreBounded(t *testing.T) {
	require.Equal(t, longestSlot, askedBy(&PauseError{After: 1 << 62}).after)
	require.Zero(t, askedBy(&PauseError{After: -time.Hour}).after)
	require.Equal(t, asked{planned: true}, askedBy(fmt.Errorf("%w: %w", ErrNotSent, &PauseError{CutOver: true})))
	require.Equal(t, asked{}, askedBy(errSilent))
	require.ErrorIs(t, &PauseError{Err: ErrNotSent}, ErrNotSent)
}

// Cut-over pauses quietly: no failure is counted, no reversal is parked.
func TestCutOverIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{ReversalTries: 3})
		defer q.Close()
		_, err := q.Do(bg, uplink{send: silent}, cardSale("doubt"))
		require.ErrorIs(t, err, ErrInDoubt)
		var up trials
		over := time.Now().Add(20 * time.Minute)
		stop := forwarding(t, q, cardLane, up.line(func(ctx context.Context, e Entry) (Answer, error) {
			if time.Now().Before(over) {
				return Answer{Verdict: Unavailable, Code: "90", Planned: true}, nil
			}
			return approve(ctx, e)
		}))
		defer stop()
		for time.Now().Before(over) {
			synctest.Wait()
			p := paceOf(t, q, cardLane)
			require.Zero(t, p.Failures)
			require.Equal(t, PacePlanned, p.Why)
			time.Sleep(time.Second)
		}
		require.Greater(t, len(up.sent()), 10)
		require.Less(t, len(up.sent()), 45)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, Reversed, stateOf(t, q, "doubt"))
	})
}

// In declared maintenance the background asks for nothing and counts nothing;
// a Do goes; it ends by a tenth of its length late at most, day after day.
func TestMaintenance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now().Add(time.Hour)
		q := openNew(t, Options{Lanes: map[Lane]LaneOptions{cardLane: {Maintenance: []Maintenance{
			{Start: start, Length: 40 * time.Minute, EveryDays: 1}}}}})
		defer q.Close()
		var up trials
		stop := forwarding(t, q, cardLane, up.line(approve))
		defer stop()
		for day := range 3 {
			begins := start.AddDate(0, 0, day)
			time.Sleep(time.Until(begins) - time.Second)
			before := fmt.Sprint("before", day)
			mustAppend(t, q, offlineSale(before))
			synctest.Wait()
			require.Equal(t, Accepted, stateOf(t, q, before))
			time.Sleep(time.Minute)
			asked := len(up.times())
			in := fmt.Sprint("in", day)
			mustAppend(t, q, offlineSale(in))
			q.NetworkBack()
			_, err := q.Do(bg, uplink{send: approve}, cardSale(fmt.Sprint("online", day)))
			require.NoError(t, err)
			p := paceOf(t, q, cardLane)
			require.Equal(t, PacePlanned, p.Why)
			require.Zero(t, p.Failures)
			time.Sleep(time.Until(begins.Add(40*time.Minute)) - time.Second)
			synctest.Wait()
			require.Len(t, up.times(), asked)
			require.Equal(t, Pending, stateOf(t, q, in))
			time.Sleep(4*time.Minute + 2*time.Second)
			synctest.Wait()
			require.Equal(t, Accepted, stateOf(t, q, in))
		}
	})
}

// Windows follow the wall clock of their zone over a change to summer time.
func TestMaintenanceFollowsItsZone(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	m := Maintenance{Start: time.Date(2026, 3, 1, 23, 30, 0, 0, zone), Length: time.Hour, EveryDays: 1}
	o := Options{Lanes: map[Lane]LaneOptions{cardLane: {Maintenance: []Maintenance{m}}}}
	for day := range 60 {
		begins := time.Date(2026, 3, 1+day, 23, 30, 0, 0, zone)
		for _, c := range []struct {
			at time.Duration
			in bool
		}{{-time.Minute, false}, {0, true}, {59 * time.Minute, true}, {67 * time.Minute, false}} {
			until := o.plannedUntil(cardLane, begins.Add(c.at))
			require.Equal(t, c.in, !until.IsZero(), "%s %s", begins, c.at)
			require.False(t, c.in && until.Before(begins.Add(time.Hour)))
		}
	}
	once := Options{Lanes: map[Lane]LaneOptions{cardLane: {Maintenance: []Maintenance{{Start: m.Start, Length: 100 * time.Hour}, {Start: m.Start, Length: -1}}}}}
	require.True(t, once.plannedUntil(cardLane, m.Start.Add(13*time.Hour+20*time.Minute)).IsZero())
	require.False(t, once.plannedUntil(cardLane, m.Start.Add(12*time.Hour)).IsZero() && once.plannedUntil(cardLane, m.Start).IsZero())
	require.True(t, once.plannedUntil(cardLane, m.Start.Add(-time.Second)).IsZero())
	require.True(t, once.plannedUntil(cardLane, m.Start.AddDate(0, 0, 1)).IsZero())
}

// The first forward starts within 5 s of the network's return, whatever the
// lane was doing: resting, or stuck in a try without a network.
func TestNetworkBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{PrepareTimeout: 30 * time.Second})
		defer q.Close()
		mustAppend(t, q, offlineSale("s"))
		var mu sync.Mutex
		up, stuck := false, 0
		var since time.Time
		delivered := make(chan time.Time, 100)
		stop := forwarding(t, q, cardLane, uplink{
			prepare: func(ctx context.Context) (Line, error) {
				mu.Lock()
				was := up
				mu.Unlock()
				if was {
					return Line{}, nil
				}
				stuck++
				<-ctx.Done() // packets go nowhere
				return Line{}, ctx.Err()
			},
			send: func(ctx context.Context, e Entry) (Answer, error) { delivered <- time.Now(); return approve(ctx, e) },
		})
		defer stop()
		for i := range 50 {
			time.Sleep(time.Duration(1+i%13)*time.Minute + 7*time.Second)
			mu.Lock()
			up, since = true, time.Now()
			mu.Unlock()
			q.NetworkBack()
			require.LessOrEqual(t, (<-delivered).Sub(since), 5*time.Second, "round %d", i)
			synctest.Wait()
			mu.Lock()
			up = false
			mu.Unlock()
			mustAppend(t, q, offlineSale(fmt.Sprint("s", i)))
		}
		require.Greater(t, stuck, 100)
	})
}

// A network that comes and goes all the time leads to a try each 5 s at most.
func TestHintsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		defer q.Close()
		mustAppend(t, q, offlineSale("s"))
		var up trials
		stop := forwarding(t, q, cardLane, up.noLine())
		time.Sleep(30 * time.Minute)
		before := len(up.times())
		for range 2400 {
			q.NetworkBack()
			time.Sleep(100 * time.Millisecond)
		}
		stop()
		tries := len(up.times()) - before
		require.LessOrEqual(t, tries, 2*240/5+2)
		require.GreaterOrEqual(t, tries, 240/5-2)
	})
}

// A host that loses every second message gets few repeats beside what is new;
// all is delivered in the end (I8).
func TestRepeatBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{DuplicateMemory: 1000 * time.Hour})
		defer q.Close()
		var mu sync.Mutex
		var sends, repeats int
		stop := forwarding(t, q, cardLane, uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			sends++
			if e.Repeat {
				repeats++
			}
			if sends%2 == 0 {
				return Answer{}, errSilent
			}
			return approve(ctx, e)
		}})
		for i := range 120 {
			mustAppend(t, q, offlineSale(fmt.Sprint("s", i)))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		mu.Lock()
		require.Less(t, repeats, sends/5, "%d of %d attempts are repeats", repeats, sends)
		require.Greater(t, repeats, 5)
		require.Equal(t, 120, sends-repeats, "new entries wait")
		mu.Unlock()
		time.Sleep(40 * time.Hour)
		synctest.Wait()
		stop()
		require.Len(t, all(t, q, Filter{States: []State{Accepted}}), 120)
	})
}

// A lane without budget, of which only repeats are left, is done soon once the
// host answers again.
func TestRepeatsFlowOnceTheHostAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		defer q.Close()
		for i := range 40 {
			mustAppend(t, q, offlineSale(fmt.Sprint("s", i)))
		}
		lost := func(context.Context, Entry) (Answer, error) { return Answer{}, errSilent }
		stop := forwarding(t, q, cardLane, windowed{uplink{send: lost}, 64})
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		stop()
		require.Len(t, all(t, q, Filter{States: []State{InDoubt}}), 40)
		stop = forwarding(t, q, cardLane, windowed{uplink{send: approve}, 64})
		defer stop()
		time.Sleep(2*time.Minute + 10*time.Second)
		synctest.Wait()
		require.Len(t, all(t, q, Filter{States: []State{Accepted}}), 40)
	})
}

// A host that does not answer gets one entry at a time, however wide the
// window: what was never attempted stays so.
func TestOneEntryGoesAheadWhileTheHostIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		defer q.Close()
		for i := range 150 {
			mustAppend(t, q, offlineSale(fmt.Sprint("s", i)))
		}
		var mu sync.Mutex
		down := true
		stop := forwarding(t, q, cardLane, windowed{uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
			mu.Lock()
			defer mu.Unlock()
			if down {
				return Answer{}, errSilent
			}
			return approve(ctx, e)
		}}, 64})
		defer stop()
		time.Sleep(9 * time.Minute)
		synctest.Wait()
		require.Less(t, len(all(t, q, Filter{States: []State{InDoubt}})), 64+40)
		mu.Lock()
		down = false
		mu.Unlock()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Len(t, all(t, q, Filter{States: []State{Accepted}}), 150)
	})
}

type windowed struct {
	uplink
	n int
}

func (w windowed) Window() int { return w.n }

// A Drain that is asked for goes at once, whatever failed before.
func TestDrainGoesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		defer q.Close()
		mustAppend(t, q, offlineSale("s"))
		var up trials
		stop := forwarding(t, q, cardLane, up.noLine())
		time.Sleep(time.Hour)
		synctest.Wait()
		stop()
		began := time.Now()
		require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
		require.Equal(t, began, time.Now())
	})
}

// An answer ends what failures brought about, not what the host asked for.
func TestReached(t *testing.T) {
	p := paceRecord{failures: 3, since: moment{boot: 1}, set: moment{boot: 1}, wait: time.Minute, why: PaceBackoff}
	p.reached()
	require.Equal(t, paceRecord{}, p)
	for _, why := range []PaceReason{PaceSlot, PacePlanned, PaceSpread} {
		p := paceRecord{failures: 3, since: moment{boot: 1}, set: moment{boot: 1}, wait: time.Minute, why: why}
		p.reached()
		require.Equal(t, paceRecord{set: moment{boot: 1}, wait: time.Minute, why: why}, p)
	}
}

// A lane's record without a pace is what it was before there was one, and a
// record with one is read back as it was written.
func TestLaneRecordWithPace(t *testing.T) {
	l := laneRecord{number: 1, name: cardLane, open: 1}
	plain := l.encode()
	back, err := decodeLane(plain)
	require.NoError(t, err)
	require.Equal(t, l, back)
	l.pace = paceRecord{failures: 3, wait: time.Minute, why: PaceSlot, spread: time.Hour,
		set: moment{wall: time.UnixMilli(1e12).UTC(), boot: 2, since: time.Second}}
	back, err = decodeLane(l.encode())
	require.NoError(t, err)
	require.Equal(t, l, back)
	require.Equal(t, plain, l.encode()[:len(plain)])
	for i := len(plain) + 1; i < len(l.encode()); i++ {
		_, err := decodeLane(l.encode()[:i])
		require.ErrorIs(t, err, ErrDamaged)
	}
}

// What is sent beside Forward keeps the same pace: it grows, heeds slots and
// planned pauses, and the network's return.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now().Add(100 * time.Hour)
		q := openNew(t, Options{Lanes: map[Lane]LaneOptions{cardLane: {Maintenance: []Maintenance{{Start: start, Length: time.Hour}}}}})
		defer q.Close()
		rest := func(failures int, cause error) time.Duration {
			began := time.Now()
			require.NoError(t, q.Rest(bg, cardLane, failures, cause))
			return time.Since(began)
		}
		most := time.Duration(0)
		for n := range 40 {
			d := rest(n, errSilent)
			require.LessOrEqual(t, d, q.opts.ceiling(n))
			most = max(most, d)
		}
		require.Greater(t, most, 40*time.Second)
		d := rest(1, &PauseError{After: 10 * time.Minute})
		require.GreaterOrEqual(t, d, 10*time.Minute)
		require.LessOrEqual(t, d, 11*time.Minute)
		require.GreaterOrEqual(t, rest(1, &PauseError{CutOver: true}), 30*time.Second)
		hint := func() {
			time.Sleep(10 * time.Millisecond)
			q.NetworkBack()
		}
		go hint()
		require.GreaterOrEqual(t, rest(1, &PauseError{After: time.Hour}), time.Hour, "a slot stands")
		for range 20 {
			go hint()
			require.LessOrEqual(t, rest(99, errSilent), hintWithin+10*time.Millisecond)
		}
		time.Sleep(time.Until(start))
		require.GreaterOrEqual(t, rest(1, errSilent), time.Hour)
		ctx, cancel := context.WithCancel(bg)
		cancel()
		require.ErrorIs(t, q.Rest(ctx, cardLane, 99, &PauseError{After: time.Hour}), context.Canceled)
		require.NoError(t, q.Close())
		require.ErrorIs(t, q.Rest(bg, cardLane, 99, &PauseError{After: time.Hour}), ErrClosed)
	})
}
