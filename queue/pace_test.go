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

// A lane's record without a pace is what it was before there was one, and a
// record with one is read back as it was written.
func TestLaneRecordWithPace(t *testing.T) {
	l := laneRecord{number: 1, name: cardLane, open: 1}
	plain := l.Encode()
	back, err := decodeLane(plain)
	require.NoError(t, err)
	require.Equal(t, l, back)
	l.pace = paceRecord{failures: 3, wait: time.Minute, why: PaceSlot, spread: time.Hour,
		set: moment{wall: time.UnixMilli(1e12).UTC(), boot: 2, since: time.Second}}
	back, err = decodeLane(l.Encode())
	require.NoError(t, err)
	require.Equal(t, l, back)
	require.Equal(t, plain, l.Encode()[:len(plain)])
	for i := len(plain) + 1; i < len(l.Encode()); i++ {
		_, err := decodeLane(l.Encode()[:i])
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
