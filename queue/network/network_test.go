package network

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// ways is a routing table in a test.
type ways struct {
	mu    sync.Mutex
	now   string
	looks int
	backs []time.Time
}

func (w *ways) set(s string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = s
}

func (w *ways) look() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks++
	return w.now
}

func (w *ways) back() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.backs = append(w.backs, time.Now())
}

func (w *ways) called() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.backs)
}

// It calls back for a way that is new, not for one that goes, nor for the one
// that it begins with.
func TestWatch(t *testing.T) {
	for _, hinted := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := &ways{now: "10.0.0.2 "}
			var hints chan struct{}
			if hinted {
				hints = make(chan struct{}, 1)
			}
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error)
			go func() { ended <- watch(ctx, 2*time.Second, hints, w.look, w.back) }()
			time.Sleep(time.Second)
			for i, step := range []struct {
				way  string
				want int
			}{{"10.0.0.2 ", 0}, {"", 0}, {"10.0.0.2 ", 1}, {"10.0.0.3 ", 2}, {"", 2}, {"", 2}, {"10.0.0.3 fe80::1 ", 3}} {
				w.set(step.way)
				if hinted {
					hints <- struct{}{}
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				require.Equal(t, step.want, w.called(), "step %d", i)
			}
			cancel()
			require.ErrorIs(t, <-ended, context.Canceled)
		})
	}
}

// A swarm of hints leads to ten looks a second at most, and the last change is
// not missed; hints that end lead back to looking often.
func TestSwarmOfHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &ways{}
		hints := make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- watch(ctx, 2*time.Second, hints, w.look, w.back) }()
		for i := range 10_000 {
			if i == 9_999 {
				w.set("10.0.0.2 ")
			}
			select {
			case hints <- struct{}{}:
			default:
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		require.LessOrEqual(t, w.looks, 110)
		require.Equal(t, 1, w.called())
		close(hints)
		time.Sleep(time.Second)
		w.set("10.0.0.3 ")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Equal(t, 2, w.called())
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
	})
}

// A way to this very device is there on every device with a network stack.
func TestWay(t *testing.T) {
	require.Equal(t, "127.0.0.1 ", way([]netip.Addr{netip.MustParseAddr("127.0.0.1")}))
	require.Empty(t, way(nil))
}
