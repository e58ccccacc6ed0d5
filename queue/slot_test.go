package queue

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

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
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		defer q.Close()
		p, err := q.paces.of(q, cardLane)
		require.NoError(t, err)
		left := func(r round) time.Duration {
			next, _ := p.plan(r, &q.opts)
			p.follow(next, r, false, &q.opts)
			return time.Until(paceOf(t, q, cardLane).Next)
		}
		require.GreaterOrEqual(t, left(round{failed: true, asked: asked{after: time.Hour}}), time.Hour)
		require.GreaterOrEqual(t, left(round{failed: true}), time.Hour)
		require.GreaterOrEqual(t, left(round{reached: true}), time.Hour)
		require.GreaterOrEqual(t, left(round{asked: asked{after: 3 * time.Hour}}), 3*time.Hour)
		require.Equal(t, PaceSlot, paceOf(t, q, cardLane).Why)
	})
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
