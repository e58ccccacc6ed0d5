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
