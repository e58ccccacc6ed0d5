package routes

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	httpwire "github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/queue/isolink"
)

// An entry of which a byte may have left is tried over no other route.
func TestNoChangeOfRouteOnceAByteHasLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, a, b, _ := two(t, Options{})
		defer u.Close()
		silence := errors.New("no answer")
		a.set(false, silence)
		for range 5 {
			before := a.count() + b.count()
			_, err := u.Send(bg, queue.Entry{})
			if inUse(u) == "a" || b.count() == 0 {
				require.ErrorIs(t, err, silence)
				require.NotErrorIs(t, err, queue.ErrNotSent)
			}
			require.Equal(t, 1, a.count()+b.count()-before, "one Send went over two routes")
		}
		require.Equal(t, 2, a.count())
		require.Equal(t, 3, b.count())
	})
}

// What provably never left goes over the next route in the same call, once that
// is ready.
func TestUnsentGoesOverTheNextRoute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, a, b, events := two(t, Options{})
		defer u.Close()
		a.set(true, nil)
		for range 3 {
			answer, err := u.Send(bg, queue.Entry{})
			require.NoError(t, err)
			require.Equal(t, queue.Approved, answer.Verdict)
		}
		require.Equal(t, 3, b.count())
		require.Equal(t, 2, b.prepares, "the third went straight over b")
		require.Equal(t, []string{"failed a", "failed a", "left a for b"}, events.kinds())
		b.set(true, nil)
		_, err := u.Send(bg, queue.Entry{})
		require.ErrorIs(t, err, queue.ErrNotSent)
		require.ErrorIs(t, err, errDown)
	})
}

// An entry bound to a batch number does not go over a route on which the host
// books under another; a repeat and a reversal, which keep theirs, do.
func TestOtherBatchNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, a, b, _ := two(t, Options{})
		defer u.Close()
		a.set(true, nil)
		b.line = queue.Line{HostBatch: 8}
		_, err := u.Send(bg, queue.Entry{Kind: queue.Advice, HostBatch: 7})
		require.ErrorIs(t, err, queue.ErrPrepareFirst)
		require.Zero(t, b.count())
		require.Zero(t, u.Health()[1].Failures, "that is not the route's fault")
		for _, e := range []queue.Entry{{Kind: queue.Advice, HostBatch: 8}, {Kind: queue.Advice, HostBatch: 7, Repeat: true}, {Kind: queue.Reversal, HostBatch: 7}} {
			_, err = u.Send(bg, e)
			require.NoError(t, err)
		}
		require.Equal(t, 3, b.count())
	})
}

// What the host itself says is no reason to try another route, and none to
// leave one.
func TestTheHostsWordStands(t *testing.T) {
	for name, word := range map[string]error{
		"slot":       &queue.PauseError{After: time.Hour, Err: queue.ErrNotSent},
		"cut-over":   &queue.PauseError{CutOver: true, Err: queue.ErrNotSent},
		"unsendable": queue.ErrUnsendable,
		"signed off": queue.ErrPrepareFirst,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, a, b, events := two(t, Options{})
				defer u.Close()
				a.set(false, word)
				for range 4 {
					_, err := u.Send(bg, queue.Entry{})
					require.ErrorIs(t, err, word)
				}
				require.Equal(t, 4, a.count())
				require.Zero(t, b.count())
				require.Empty(t, events.kinds())
			})
		})
	}
}

// A host that refuses the sign-in would refuse it over the other route, too; a
// line that fails is another matter.
func TestARefusedSignIn(t *testing.T) {
	for name, x := range map[string]struct {
		err  error
		over int // of the second route
	}{
		"terminal unknown": {&isolink.LineError{During: "sign-in", Reason: isolink.TerminalUnknown, Code: "97"}, 0},
		"host busy":        {&isolink.LineError{During: "sign-in", Reason: isolink.HostBusy, Code: "96"}, 0},
		"wrong keys":       {&isolink.LineError{During: "sign-in", Reason: isolink.KeysWrong}, 0},
		"unauthorized":     {&httplink.LineError{Reason: httplink.Unauthorized, Err: httpwire.NewProblem(httpwire.ProblemUnauthorized, "")}, 0},
		"a gateway's 502":  {&httplink.LineError{Reason: httplink.HostRefused, Status: 502}, 3},
		"a captive portal": {&isolink.LineError{During: "dial", Reason: isolink.NoTrust}, 3},
		"silence":          {&isolink.LineError{During: "sign-in", Reason: isolink.Silent}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u, a, b, events := two(t, Options{Failures: 9})
				defer u.Close()
				a.refuse = x.err
				for range 3 {
					_, err := u.Prepare(bg)
					if x.over == 0 {
						require.ErrorIs(t, err, x.err)
					} else {
						require.NoError(t, err)
					}
				}
				require.Equal(t, 3, a.prepares)
				require.Equal(t, x.over, b.prepares)
				require.Len(t, events.kinds(), x.over)
			})
		})
	}
}

// The routes share the time that Prepare has: a route that hangs leaves enough
// for the next one.
func TestPrepareSharesItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &way{line: queue.Line{HostBatch: 3}}
		u, err := New(nil, Route{Name: "hangs", Uplink: hanging{}}, Route{Name: "b", Uplink: b})
		require.NoError(t, err)
		defer u.Close()
		for i := range 3 {
			ctx, cancel := context.WithTimeout(bg, 5*time.Second)
			began := time.Now()
			line, err := u.Prepare(ctx)
			cancel()
			require.NoError(t, err)
			require.EqualValues(t, 3, line.HostBatch)
			require.Equal(t, i < 2, time.Since(began) > 0, "try %d", i)
		}
		require.Equal(t, "b", inUse(u))
	})
}

type hanging struct{}

func (hanging) Prepare(ctx context.Context) (queue.Line, error) {
	<-ctx.Done()
	return queue.Line{}, ctx.Err()
}

func (hanging) Send(context.Context, queue.Entry) (queue.Answer, error) {
	return queue.Answer{}, queue.ErrNotSent
}

// A silent host that gets ready all the same is left: readiness proves nothing
// about what is sent.
func TestSilenceCountsInSpiteOfPrepare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, a, b, _ := two(t, Options{})
		defer u.Close()
		a.set(false, errDown)
		for range 4 {
			_, err := u.Prepare(bg)
			require.NoError(t, err)
			_, _ = u.Send(bg, queue.Entry{})
		}
		require.Equal(t, 2, a.count())
		require.Equal(t, 2, b.count())
	})
}

// The better route is taken into use again once it has proved well three times
// in a row, a minute after it was left at the earliest; one that fails soon
// again waits longer each time.
func TestReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, a, _, events := two(t, Options{})
		defer u.Close()
		fail := func() time.Time {
			a.set(true, nil)
			for range 2 {
				_, err := u.Send(bg, queue.Entry{})
				require.NoError(t, err)
			}
			require.Equal(t, "b", inUse(u))
			return time.Now()
		}
		waits := []time.Duration{}
		for range 9 {
			left := fail()
			time.Sleep(10 * time.Second)
			a.set(false, nil)
			for inUse(u) == "b" {
				time.Sleep(time.Second)
				require.Less(t, time.Since(left), 2*time.Hour)
			}
			waits = append(waits, time.Since(left).Round(time.Minute))
		}
		require.GreaterOrEqual(t, waits[0], time.Minute)
		for i, w := range waits[1:6] {
			require.GreaterOrEqual(t, w, waits[i], "return %d", i+2)
		}
		require.Greater(t, waits[5], 15*time.Minute)
		require.LessOrEqual(t, waits[8], 61*time.Minute)
		require.Contains(t, events.kinds(), "returned b for a")

		time.Sleep(24 * time.Hour) // it has stayed: all is forgiven
		left := fail()
		a.set(false, nil)
		for inUse(u) == "b" {
			time.Sleep(time.Second)
		}
		require.LessOrEqual(t, time.Since(left), 3*time.Minute)
	})
}

// A route that comes and goes between two tries is not taken into use.
func TestFlappingRouteStaysOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &flapping{}
		b := &way{}
		u, err := New(&Options{Probe: 10 * time.Second}, Route{Name: "a", Uplink: a, Probe: a.probe}, Route{Name: "b", Uplink: b})
		require.NoError(t, err)
		defer u.Close()
		for range 2 {
			_, err := u.Send(bg, queue.Entry{})
			require.NoError(t, err)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		require.Equal(t, "b", inUse(u))
		require.Greater(t, a.n, 300)
	})
}

type flapping struct{ n int }

func (f *flapping) Send(context.Context, queue.Entry) (queue.Answer, error) {
	return queue.Answer{}, queue.ErrNotSent
}

func (f *flapping) probe(context.Context) error {
	if f.n++; f.n%3 == 0 {
		return errDown
	}
	return nil
}

// A route that nothing can try comes back by time.
func TestReturnWithoutProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &flapping{}
		u, err := New(nil, Route{Name: "a", Uplink: a}, Route{Name: "b", Uplink: &way{}})
		require.NoError(t, err)
		defer u.Close()
		for range 2 {
			_, err := u.Send(bg, queue.Entry{})
			require.NoError(t, err)
		}
		require.Equal(t, "b", inUse(u))
		time.Sleep(50 * time.Second)
		require.Equal(t, "b", inUse(u))
		time.Sleep(time.Minute)
		require.Equal(t, "a", inUse(u))
	})
}

// A fault of the screen is the screen's own.
func TestAScreenThatPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &way{}, &way{}
		u, err := New(&Options{OnEvent: func(Event) { panic("no screen") }}, Route{Name: "a", Uplink: a}, Route{Name: "b", Uplink: b})
		require.NoError(t, err)
		defer u.Close()
		a.set(true, nil)
		for range 5 {
			_, _ = u.Prepare(bg)
		}
		require.Equal(t, "b", inUse(u))
	})
}

// A warm standby is left alone; a hot one is kept ready.
func TestHotAndWarm(t *testing.T) {
	for _, hot := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			u, _, b, _ := two(t, Options{Hot: hot})
			defer u.Close()
			time.Sleep(5*time.Minute + time.Second)
			synctest.Wait()
			b.mu.Lock()
			defer b.mu.Unlock()
			require.Equal(t, hot, b.prepares == 10, "%d", b.prepares)
			require.Equal(t, !hot, b.prepares == 0)
		})
	}
}

// A route that is no Windower is called by one goroutine at a time, probes
// included, and traffic does not wait for a probe.
func TestOneCallAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u, a, b, _ := two(t, Options{Hot: true, Probe: time.Second})
		defer u.Close()
		for _, w := range []*way{a, b} {
			w.mu.Lock()
			w.pace = 700 * time.Millisecond
			w.mu.Unlock()
		}
		for i := range 40 {
			a.set(i%4 == 0, nil)
			_, _ = u.Prepare(bg)
			_, _ = u.Send(bg, queue.Entry{})
			_ = u.LateAnswers()
		}
		for _, w := range []*way{a, b} {
			w.mu.Lock()
			require.Equal(t, 1, w.most)
			w.mu.Unlock()
		}
	})
	synctest.Test(t, func(t *testing.T) {
		stuck := &stuckProbe{}
		u, err := New(&Options{Hot: true}, Route{Name: "a", Uplink: &flapping{}}, Route{Name: "b", Uplink: stuck, Probe: stuck.probe})
		require.NoError(t, err)
		defer u.Close()
		time.Sleep(31 * time.Second)
		require.True(t, stuck.in.Load())
		began := time.Now()
		_, err = u.Send(bg, queue.Entry{})
		require.NoError(t, err)
		require.Zero(t, time.Since(began), "the payment waited for a probe")
		require.Zero(t, u.Health()[1].Failures)
	})
}

type stuckProbe struct {
	way
	in atomic.Bool
}

func (s *stuckProbe) probe(ctx context.Context) error {
	s.in.Store(true)
	<-ctx.Done()
	return ctx.Err()
}

type wide struct {
	way
	n    int
	late []queue.LateAnswer
}

func (w *wide) Window() int                     { return w.n }
func (w *wide) LateAnswers() []queue.LateAnswer { out := w.late; w.late = nil; return out }
func (w *wide) Foreign(queue.Entry) bool        { return w.n == 64 }
func (w *wide) DetailRank(queue.Entry) int      { return 2 }
func (w *wide) SendTotals(context.Context, queue.Batch, queue.Totals) (queue.Balance, queue.Balance, error) {
	return queue.Balanced, queue.BalanceError, w.fails()
}

func (w *wide) SendDetail(context.Context, queue.Batch, queue.Entry) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Duplicate}, w.fails()
}

func (w *wide) EndBatch(context.Context, queue.Batch, bool, int) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Approved}, w.fails()
}

func (w *wide) fails() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sends = append(w.sends, queue.Entry{})
	if w.noLine {
		return queue.ErrNotSent
	}
	return w.send
}

// The window is the smallest, late answers come from all routes, and Close
// closes them.
func TestOptionalMethods(t *testing.T) {
	a, b := &wide{n: 64, late: []queue.LateAnswer{{ID: 1}}}, &wide{n: 8, late: []queue.LateAnswer{{ID: 2}}}
	u, err := New(nil, Route{Name: "a", Uplink: a}, Route{Name: "b", Uplink: b})
	require.NoError(t, err)
	require.Equal(t, 8, u.Window())
	require.Len(t, u.LateAnswers(), 2)
	require.Empty(t, u.LateAnswers())
	require.NoError(t, u.Close())
	require.NoError(t, u.Close())
	require.Equal(t, 2, a.closed)
	mixed, err := New(nil, Route{Name: "a", Uplink: a}, Route{Name: "b", Uplink: &way{}})
	require.NoError(t, err)
	require.Equal(t, 1, mixed.Window())
	require.NoError(t, mixed.Close())
}

// Settlement messages follow the same rule as entries.
func TestHost(t *testing.T) {
	a, b := &wide{n: 64}, &wide{n: 64}
	u, err := New(nil, Route{Name: "a", Uplink: a}, Route{Name: "b", Uplink: b})
	require.NoError(t, err)
	defer u.Close()
	h, err := u.Host()
	require.NoError(t, err)
	require.True(t, h.Foreign(queue.Entry{}))
	require.Equal(t, 2, h.DetailRank(queue.Entry{}))
	require.False(t, h.PerCurrency())
	_, err = h.EndTotals(bg, queue.Batch{}, queue.Totals{}, true)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	in, out, err := h.SendTotals(bg, queue.Batch{}, queue.Totals{})
	require.NoError(t, err)
	require.Equal(t, queue.Balanced, in)
	require.Equal(t, queue.BalanceError, out)
	a.set(true, nil)
	answer, err := h.SendDetail(bg, queue.Batch{}, queue.Entry{})
	require.NoError(t, err)
	require.Equal(t, queue.Duplicate, answer.Verdict)
	require.Equal(t, 1, b.count())
	a.set(false, errDown)
	_, err = h.EndBatch(bg, queue.Batch{}, true, 1)
	require.ErrorIs(t, err, errDown)
	require.Equal(t, 1, b.count(), "it may have left")

	plain, err := New(nil, Route{Name: "a", Uplink: a}, Route{Name: "b", Uplink: &way{}})
	require.NoError(t, err)
	defer plain.Close()
	_, err = plain.Host()
	require.ErrorContains(t, err, "route b")
}

func TestNewRefuses(t *testing.T) {
	for _, rs := range [][]Route{{}, {{Name: "a"}}, {{Uplink: &way{}}}, {{Name: "a", Uplink: &way{}}, {Name: "a", Uplink: &way{}}}} {
		_, err := New(nil, rs...)
		require.Error(t, err)
	}
}

// Under a queue: whatever the routes do, each sale has one effect at the host
// that both lead to.
func TestQueueOverRoutes(t *testing.T) {
	host := newLedger()
	a, b := &faulty{host: host, n: 1}, &faulty{host: host, n: 2}
	u, err := New(&Options{Probe: time.Millisecond, Hold: time.Millisecond, Proven: 1}, Route{Name: "a", Uplink: a}, Route{Name: "b", Uplink: b})
	require.NoError(t, err)
	defer u.Close()
	q, err := queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true, RetryMin: 1, RetryMax: 2, RepeatShare: 100, ReversalTries: 1000})
	require.NoError(t, err)
	defer q.Close()
	for i := range 60 {
		tr := sale(i)
		if i%3 == 0 {
			_, _ = q.Do(bg, u, tr)
			continue
		}
		tr.Approval = "Y1"
		_, err := q.Append(bg, tr)
		require.NoError(t, err)
	}
	require.NoError(t, q.Drain(bg, lane, u))
	require.NoError(t, q.Verify(bg))
	require.Greater(t, a.sent, 5)
	require.Greater(t, b.sent, 5)
	for e, err := range q.All(bg, queue.Filter{}) {
		require.NoError(t, err)
		if e.Kind != queue.Reversal {
			require.Equal(t, e.State == queue.Accepted, host.stands(e), "%s is %s", e.Ref, e.State)
			waits := e.State == queue.Pending && e.Kind == queue.Request // for its Do: nothing of it left
			require.True(t, e.State.Final() || waits, "%s is %s", e.Ref, e.State)
		}
	}
}
