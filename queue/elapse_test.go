package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// Time alone uses up a limit: whoever watches is told at a half and at four
// fifths, once each, and again when it begins anew.
func TestWarningsOfTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := fast
		o.Limits = Limits{Age: 10 * time.Hour, Silence: 20 * time.Hour}
		q := openNew(t, o)
		defer q.Close()
		_, err := q.Append(bg, offlineSale("met"))
		require.NoError(t, err)
		require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
		_, err = q.Append(bg, cashSale("out of use"))
		require.NoError(t, err)
		require.NoError(t, q.update(bg, func(v *fileView) error {
			for _, k := range []eventKind{evAttempted, evAnswered} {
				if err := v.apply(event{kind: k, id: 2, answer: Answer{Verdict: Approved}}); err != nil {
					return err
				}
			}
			return nil
		}))
		_, err = q.Append(bg, offlineSale("first"))
		require.NoError(t, err)
		start := time.Now()
		var mu sync.Mutex
		var all []string
		told := func(from int) []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(all[from:])
		}
		ctx, cancel := context.WithCancel(bg)
		watched := make(chan struct{})
		go func() {
			defer close(watched)
			for ev := range q.Watch(ctx) {
				var lim *LimitError
				if errors.As(ev.Warning, &lim) {
					mu.Lock()
					all = append(all, fmt.Sprintf("%s %d%% %s after %v", lim.Limit, 100*lim.Have/lim.Max, lim.Lane.Terminal,
						time.Since(start).Round(time.Minute)))
					mu.Unlock()
				}
			}
		}()
		sleep := func(h time.Duration) {
			<-time.After(h * time.Hour)
			synctest.Wait()
		}
		sleep(9)
		require.Equal(t, []string{"age 50%  after 5h0m0s", "age 80%  after 8h0m0s"}, told(0))
		sleep(3)
		require.Equal(t, []string{"silence 50% 10000001 after 10h0m0s"}, told(2))
		require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
		sleep(1)
		_, err = q.Append(bg, offlineSale("second"))
		require.NoError(t, err)
		sleep(8)
		require.Equal(t, []string{"age 50%  after 18h0m0s", "age 80%  after 21h0m0s"}, told(3))
		cancel()
		<-watched

		late := 0
		for ev := range q.Watch(bg) {
			require.Error(t, ev.Warning, "what has passed already is told at once")
			if late++; late == 1 {
				break
			}
		}
	})
}

// A wall clock that is set back makes no silence shorter, and nothing younger
// that was sent before.
func TestClockSetBackMakesNothingYounger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := fast
		o.Limits = Limits{Silence: time.Hour}
		q := openNew(t, o)
		defer q.Close()
		_, err := q.Append(bg, offlineSale("met"))
		require.NoError(t, err)
		require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
		require.NoError(t, q.read(func(v *fileView) error {
			l, err := v.laneOf(cardLane)
			require.NoError(t, err)
			v.reading.Wall = v.reading.Wall.Add(-24 * time.Hour)
			_, err = v.check(o.Limits, Entry{Transaction: Transaction{Lane: cardLane}})
			var lim *LimitError
			require.ErrorAs(t, err, &lim)
			require.Equal(t, "silence", lim.Limit)
			e, err := v.entry(1)
			require.NoError(t, err)
			e.first.since -= time.Minute // by the time since boot a minute older
			e.first.host, l.hostTime = time.Time{}, time.Time{}
			v.reading.Wall = e.first.wall
			old, err := v.sinceFirst(e)
			require.GreaterOrEqual(t, old, time.Minute-jump, "what it was first sent at is kept in milliseconds")
			return err
		}))
	})
}
