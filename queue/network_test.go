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
				if !was {
					stuck++
				}
				mu.Unlock()
				if was {
					return Line{}, nil
				}
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
		mu.Lock()
		defer mu.Unlock()
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
