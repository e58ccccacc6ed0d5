package queue

import (
	"context"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What waits is counted for each lane, and attempts make nothing younger.
func TestBacklogs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		defer q.Close()
		none, err := q.Backlogs(bg)
		require.NoError(t, err)
		require.Empty(t, none)

		_, err = q.Append(bg, offlineSale("old"))
		require.NoError(t, err)
		<-time.After(time.Hour)
		dollars := offlineSale("dollars")
		dollars.Amount = Money{300, USD}
		_, err = q.Append(bg, dollars)
		require.NoError(t, err)
		_, err = q.Append(bg, cashSale("cash"))
		require.NoError(t, err)

		ctx, cancel := context.WithTimeout(bg, time.Hour)
		defer cancel()
		require.ErrorIs(t, q.Drain(ctx, cardLane, uplink{send: silent}), context.DeadlineExceeded)
		got, err := q.Backlogs(bg)
		require.NoError(t, err)
		require.Equal(t, []Backlog{
			{Lane: cardLane, Waiting: 2, Sums: []Money{{1250, CNY}, {300, USD}}, Oldest: 2 * time.Hour},
			{Lane: cashLane, Waiting: 1, Sums: []Money{{990, CNY}}, Oldest: time.Hour},
		}, got)
		s, err := q.Status(bg)
		require.NoError(t, err)
		require.Equal(t, 2*time.Hour, s.Oldest)

		require.NoError(t, q.Drain(bg, cashLane, answering(Refused, "30")))
		_, err = q.CloseBatch(bg, cardLane)
		require.NoError(t, err)
		host := uint32(7)
		require.NoError(t, q.Drain(bg, cardLane, numbered(approve, &host)))
		got, err = q.Backlogs(bg)
		require.NoError(t, err)
		require.Equal(t, []Backlog{{Lane: cardLane, Held: true}, {Lane: cashLane, Parked: 1}}, got)
	})
}

// An age that the clock cannot prove counts as for ever; one of the app's own
// stamp counts as it stands.
func TestOldestByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, fast)
		defer q.Close()
		earlier := offlineSale("earlier")
		earlier.Time = time.Now().Add(-3 * time.Hour)
		_, err := q.Append(bg, earlier)
		require.NoError(t, err)
		got, err := q.Backlogs(bg)
		require.NoError(t, err)
		require.Equal(t, 3*time.Hour, got[0].Oldest)
		require.NoError(t, q.read(func(v *fileView) error {
			v.reading.Wall = v.reading.Wall.Add(-time.Hour)
			age, err := v.oldest()
			require.Equal(t, time.Duration(math.MaxInt64), age)
			return err
		}))
	})
}

// A warning reaches everyone who watches, with the limits' own.
func TestWarn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{Limits: Limits{Count: 2}})
		defer q.Close()
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		warned := make(chan error, 8)
		for range 2 {
			go func() {
				for ev := range q.Watch(ctx) {
					if ev.Warning != nil {
						warned <- ev.Warning
					}
				}
			}()
		}
		synctest.Wait()
		q.Warn(nil)
		sick := errors.New("the line is sick")
		q.Warn(sick)
		synctest.Wait()
		require.Len(t, warned, 2)
		require.Equal(t, sick, <-warned)
		require.Equal(t, sick, <-warned)

		_, err := q.Append(bg, cashSale("c1"))
		require.NoError(t, err)
		synctest.Wait()
		var limit *LimitError
		require.ErrorAs(t, <-warned, &limit)
		require.Equal(t, "count", limit.Limit)
	})
}

// Warnings that nobody fetches stay bounded: the newest are kept.
func TestWarnBounded(t *testing.T) {
	s := newWatchers()
	w := &watcher{wake: make(chan struct{}, 1)}
	s.all[w] = true
	for range maxWatched {
		s.warn(errSilent)
	}
	s.warn(ErrClosed)
	require.Len(t, w.warn, maxWatched)
	require.Equal(t, ErrClosed, w.warn[maxWatched-1])
}
