package alarm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

// host is an uplink whose behaviour a test sets.
type host struct {
	mu      sync.Mutex
	noLine  error
	silent  error
	refuses bool
	takes   time.Duration
}

func (h *host) set(change func(*host)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}

func (h *host) Prepare(context.Context) (queue.Line, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return queue.Line{}, h.noLine
}

func (h *host) Send(ctx context.Context, _ queue.Entry) (queue.Answer, error) {
	h.mu.Lock()
	takes, silent, refuses := h.takes, h.silent, h.refuses
	h.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return queue.Answer{}, ctx.Err()
	}
	if refuses {
		return queue.Answer{Verdict: queue.Refused, Code: "30"}, nil
	}
	return queue.Answer{Verdict: queue.Approved, Code: "00"}, silent
}

// stage is a journal with a monitor, a forwarder and a watcher. It runs in a
// bubble.
type stage struct {
	t    *testing.T
	q    *queue.Queue
	m    *Monitor
	host *host
	ctx  context.Context
	stop context.CancelFunc
	runs sync.WaitGroup

	mu    sync.Mutex
	heard []string
	all   []*Warning
	n     int
}

func newStage(t *testing.T, path string, opts *Options) *stage {
	q, err := queue.Open(path, nil, &queue.Options{Unsealed: true, RetryMax: 10 * time.Second, Spread: -1})
	require.NoError(t, err)
	m, err := New(q, opts)
	require.NoError(t, err)
	s := &stage{t: t, q: q, m: m, host: &host{}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.runs.Go(func() {
		for ev := range q.Watch(s.ctx) {
			var w *Warning
			if errors.As(ev.Warning, &w) {
				s.mu.Lock()
				s.heard = append(s.heard, fmt.Sprintf("%s %s %s %d", w.Kind, w.State, w.Cause, w.Have))
				s.all = append(s.all, w)
				s.mu.Unlock()
			}
		}
	})
	synctest.Wait()
	s.runs.Go(func() { _ = m.Run(s.ctx) })
	t.Cleanup(s.end)
	return s
}

func (s *stage) forward() {
	up := s.m.Uplink(testLane, s.host)
	s.runs.Go(func() { _ = s.q.Forward(s.ctx, testLane, up) })
}

// end stops everything, once.
func (s *stage) end() {
	s.stop()
	s.runs.Wait()
	require.NoError(s.t, s.q.Close())
}

// told returns the warnings since the last call, as words.
func (s *stage) told() []string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	heard := s.heard
	s.heard = nil
	return heard
}

func (s *stage) sell(n int, fen int64) {
	for range n {
		s.n++
		_, err := s.q.Append(context.Background(), queue.Transaction{Ref: fmt.Sprint("s", s.n), Lane: testLane, Op: queue.Sale,
			Tender: queue.Cash, Amount: queue.Money{Minor: fen, Currency: queue.CNY}})
		require.NoError(s.t, err)
	}
}

func pass(d time.Duration) { <-time.After(d) }

// bubble runs a test on a fresh journal in a bubble of its own time.
func bubble(t *testing.T, opts *Options, test func(s *stage)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, path, opts)
		test(s)
	})
}

func TestBacklogAmountAndAge(t *testing.T) {
	bubble(t, nil, func(s *stage) {
		s.host.set(func(h *host) { h.noLine = &reasoned{reason: "no_network"} })
		s.forward()
		s.sell(49, 100)
		pass(10 * time.Second)
		require.NotContains(t, fmt.Sprint(s.told()), "backlog")
		s.sell(1, 100)
		pass(10 * time.Second)
		require.Contains(t, s.told(), "backlog raised no_network 50")
		s.sell(1, 1_000_000)
		pass(10 * time.Second)
		require.Contains(t, s.told(), "amount raised no_network 1005000")
		pass(29 * time.Minute)
		require.NotContains(t, fmt.Sprint(s.told()), "age")
		pass(time.Minute)
		require.Contains(t, fmt.Sprint(s.told()), "age raised no_network 18")
		require.Len(t, s.m.Active(), 4)
		pass(6 * time.Hour)
		require.LessOrEqual(t, len(s.told()), 16, "hours without a line is told, and not at every look")

		s.host.set(func(h *host) { h.noLine = nil })
		pass(2 * time.Minute)
		told := s.told()
		slices.Sort(told)
		require.Equal(t, []string{"age cleared draining 0", "amount cleared draining 0", "backlog cleared draining 0", "sign_in cleared no_network 0"}, told)
		require.Empty(t, s.m.Active())
	})
}

func TestSignIn(t *testing.T) {
	bubble(t, nil, func(s *stage) {
		s.host.set(func(h *host) { h.noLine = &reasoned{reason: "silent"} })
		s.forward()
		s.sell(1, 100)
		pass(2 * time.Minute)
		told := s.told()
		require.NotEmpty(t, told)
		require.Contains(t, told[0], "sign_in raised silent")
		s.told()
		s.host.set(func(h *host) { h.noLine = &reasoned{reason: "host_refused", code: "58"} })
		pass(15 * time.Second)
		require.Contains(t, fmt.Sprint(s.told()), "sign_in worse host_refused", "now it takes a person: told at once")
		for range 20 { // the reason flaps
			s.host.set(func(h *host) { h.noLine = &reasoned{reason: "silent"} })
			pass(15 * time.Second)
			s.host.set(func(h *host) { h.noLine = &reasoned{reason: "keys_wrong"} })
			pass(15 * time.Second)
		}
		require.LessOrEqual(t, len(s.told()), 4, "told at each doubling only")
		s.host.set(func(h *host) { h.noLine = nil })
		pass(time.Minute)
		require.Contains(t, s.told(), "sign_in cleared keys_wrong 0")
	})
}

// What no waiting heals is told at the first failure.
func TestLastingCauseIsToldAtOnce(t *testing.T) {
	bubble(t, &Options{Thresholds: Thresholds{SignIn: 1000}}, func(s *stage) {
		s.host.set(func(h *host) { h.noLine = &reasoned{reason: "terminal_unknown", code: "03"} })
		s.forward()
		s.sell(1, 100)
		pass(6 * time.Second)
		require.Contains(t, fmt.Sprint(s.told()), "sign_in raised terminal_unknown")
		s.host.set(func(h *host) { h.noLine = &reasoned{reason: "silent"} })
		pass(5 * time.Minute)
		require.NotContains(t, fmt.Sprint(s.told()), "cleared", "it still fails, if for another reason")
		require.Contains(t, s.m.Active()[0].Support(English), "no connection or no answer")
	})
}

// A line that comes and goes is told once, not at each turn.
func TestFlappingLine(t *testing.T) {
	bubble(t, &Options{Thresholds: Thresholds{SignIn: 1}, Calm: time.Minute}, func(s *stage) {
		s.forward()
		for range 30 {
			s.host.set(func(h *host) { h.noLine = &reasoned{reason: "broken"} })
			s.sell(1, 100)
			pass(10 * time.Second)
			s.host.set(func(h *host) { h.noLine = nil })
			pass(15 * time.Second)
		}
		told := s.told()
		require.LessOrEqual(t, len(told), 5, "%v", told)
		require.Contains(t, told[0], "sign_in raised broken")
		pass(2 * time.Minute)
		require.Equal(t, []string{"sign_in cleared broken 0"}, s.told())
	})
}

func TestParked(t *testing.T) {
	bubble(t, nil, func(s *stage) {
		s.host.set(func(h *host) { h.refuses = true })
		s.forward()
		s.sell(1, 100)
		pass(10 * time.Second)
		require.Equal(t, []string{"parked raised needs_person 1"}, s.told())
		s.mu.Lock()
		w := s.all[0]
		s.mu.Unlock()
		require.EqualValues(t, 1, w.Entry)
		require.Equal(t, "the host refused it", w.Why)
		require.NoError(t, s.q.Resolve(s.ctx, 1, queue.Answer{Verdict: queue.Refused}, "Li", "paid in cash"))
		pass(time.Minute)
		require.Equal(t, []string{"parked cleared needs_person 0"}, s.told())
	})
}

// The entry that a warning names is one that is parked.
func TestParkedNamesOneThatIs(t *testing.T) {
	bubble(t, nil, func(s *stage) {
		s.host.set(func(h *host) { h.refuses = true })
		s.forward()
		s.sell(1, 100)
		pass(10 * time.Second)
		require.EqualValues(t, 1, s.m.Active()[0].Entry)
		require.NoError(t, s.q.Resolve(s.ctx, 1, queue.Answer{Verdict: queue.Refused}, "Li", "paid in cash"))
		s.sell(1, 100)
		pass(time.Minute)
		require.EqualValues(t, 2, s.m.Active()[0].Entry)
	})
}

// A backlog that nobody forwards is told as such, and so is a host that takes
// what is sent and does not answer.
func TestWhoIsToBlame(t *testing.T) {
	bubble(t, &Options{Thresholds: Thresholds{SignIn: -1, Backlog: -1}}, func(s *stage) {
		s.sell(1, 100)
		pass(31 * time.Minute)
		require.Equal(t, []string{"age raised not_forwarded 1800000"}, s.told())
		s.host.set(func(h *host) { h.takes = time.Hour })
		s.forward()
		pass(31 * time.Minute)
		require.Contains(t, fmt.Sprint(s.told()), "age worse unanswered")
	})
}

// The answers of the last days outlive the process, by hour, and a slow host is
// told against them.
func TestSlowHost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	opts := &Options{Zone: time.UTC, Thresholds: Thresholds{Backlog: -1}}
	synctest.Test(t, func(t *testing.T) {
		for day := range 5 {
			s := newStage(t, path, opts)
			s.n = day * 1000
			s.host.set(func(h *host) { h.takes = time.Second })
			s.forward()
			s.sell(30, 1)
			pass(10 * time.Minute)
			require.Empty(t, s.told(), "day %d", day)
			if day == 4 {
				s.host.set(func(h *host) { h.takes = 3 * time.Second })
				s.sell(60, 1)
				pass(4 * time.Minute)
				told := fmt.Sprint(s.told())
				require.Contains(t, told, "answers raised host_slow")
				active := s.m.Active()
				require.Len(t, active, 1)
				require.Equal(t, 3*time.Second, active[0].Took)
				s.host.set(func(h *host) { h.takes = time.Second })
				s.sell(70, 1)
				pass(3 * time.Minute)
				require.Contains(t, fmt.Sprint(s.told()), "answers cleared host_slow")
			}
			s.end()
			pass(24*time.Hour - 10*time.Minute)
		}
	})
	kept, err := readHistories(path + ".answers")
	require.NoError(t, err)
	require.Len(t, kept[testLane].days, 5)
}

// A wait that nobody answered counts with the time waited; one that the caller
// ended, or that never left the device, does not count.
func TestWhatCountsAsAnAnswer(t *testing.T) {
	bubble(t, nil, func(s *stage) {
		u := s.m.Uplink(testLane, s.host)
		count := func() int {
			s.m.mu.Lock()
			defer s.m.mu.Unlock()
			n := 0
			for c := range classes {
				took, _ := s.m.lines[testLane].recent[c].of(hourOf(time.Now(), time.Local), time.Now())
				n += len(took)
			}
			return n
		}
		e := queue.Entry{Kind: queue.Request}
		s.host.set(func(h *host) { h.takes = time.Minute })
		short, cancel := context.WithTimeout(s.ctx, time.Second)
		_, err := u.Send(short, e)
		cancel()
		require.Error(t, err)
		require.Equal(t, 1, count())

		gone, leave := context.WithCancel(s.ctx)
		leave()
		_, err = u.Send(gone, e)
		require.Error(t, err)
		for _, unsent := range []error{queue.ErrNotSent, queue.ErrUnsendable, queue.ErrBadMAC, &reasoned{reason: "broken"}} {
			s.host.set(func(h *host) { h.takes, h.silent = 0, unsent })
			_, err = u.Send(s.ctx, e)
			require.ErrorIs(t, err, unsent)
		}
		require.Equal(t, 1, count())
		s.host.set(func(h *host) { h.silent = nil })
		_, err = u.Send(s.ctx, e)
		require.NoError(t, err)
		require.Equal(t, 2, count())
	})
}

// loud is a Metrics that panics.
type loud struct{}

func (loud) Prepared(queue.Lane, time.Duration, Cause) { panic("full") }

func (loud) Sent(queue.Lane, queue.Kind, time.Duration, bool) { panic("full") }

func (loud) Backlog(queue.Backlog) { panic("full") }

func (loud) Warned(*Warning) { panic("full") }

// A measurement that fails leaves the host's answer as it is, and the monitor
// usable.
func TestMetricsThatPanic(t *testing.T) {
	bubble(t, &Options{Metrics: loud{}}, func(s *stage) {
		s.forward()
		s.sell(1, 100)
		pass(10 * time.Second)
		e, err := s.q.Get(s.ctx, 1)
		require.NoError(t, err)
		require.Equal(t, queue.Accepted, e.State)
		s.host.set(func(h *host) { h.refuses = true })
		s.sell(1, 100)
		pass(10 * time.Second)
		require.Equal(t, []string{"parked raised needs_person 1"}, s.told())
	})
}

// A pause that the host planned is no failure.
func TestPlannedPauseIsQuiet(t *testing.T) {
	bubble(t, nil, func(s *stage) {
		s.host.set(func(h *host) { h.noLine = &queue.PauseError{CutOver: true, Err: &reasoned{"host_busy", "90"}} })
		s.forward()
		s.sell(1, 100)
		pass(29 * time.Minute)
		require.Empty(t, s.told())
		pass(2 * time.Minute)
		require.Equal(t, []string{"age raised paused 1800000"}, s.told())
	})
}

// A damaged file of answer times takes nothing away from the rest.
func TestNewWithADamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(path+".answers", []byte("TSA1rubbish"), 0o600))
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, path, nil)
		s.forward()
		s.sell(1, 1)
		pass(20 * time.Minute)
		s.end()
	})
	kept, err := readHistories(path + ".answers")
	require.NoError(t, err)
	require.Len(t, kept, 1)
}

func TestNewRefuses(t *testing.T) {
	q, err := queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true})
	require.NoError(t, err)
	defer q.Close()
	for _, days := range []int{-1, 2, 32} {
		_, err = New(q, &Options{Days: days})
		require.ErrorContains(t, err, "Options.Days")
	}
	_, err = New(q, &Options{Path: t.TempDir()})
	require.Error(t, err)
}

// Run ends with the journal, also while nothing is to be done.
func TestRunEndsWithTheJournal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	synctest.Test(t, func(t *testing.T) {
		q, err := queue.Open(path, nil, &queue.Options{Unsealed: true})
		require.NoError(t, err)
		m, err := New(q, nil)
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() { ended <- m.Run(context.Background()) }()
		pass(time.Hour)
		require.NoError(t, q.Close())
		require.ErrorIs(t, <-ended, queue.ErrClosed)
	})
}

// Lanes have thresholds of their own, and the caller's options stay as they are.
func TestOptions(t *testing.T) {
	mine := &Options{Thresholds: Thresholds{Backlog: 7, Answers: 5}, Lanes: map[queue.Lane]Thresholds{testLane: {Age: time.Minute, Parked: -1}}}
	o, err := mine.withDefaults("j")
	require.NoError(t, err)
	got := o.thresholds(testLane)
	require.Equal(t, Thresholds{Backlog: 7, Amount: defaultAmounts(), Age: time.Minute, SignIn: 5, Answers: 110, Parked: -1}, got)
	require.Equal(t, 30*time.Minute, o.thresholds(queue.Lane{}).Age)
	require.Equal(t, "j.answers", o.Path)
	require.Equal(t, &Options{Thresholds: Thresholds{Backlog: 7, Answers: 5}, Lanes: map[queue.Lane]Thresholds{testLane: {Age: time.Minute, Parked: -1}}}, mine)
}

// Statistics are kept for so many lanes, and no more memory is taken.
func TestLanesAreBounded(t *testing.T) {
	m := &Monitor{lines: map[queue.Lane]*line{}, kept: map[queue.Lane]*history{{Host: "old"}: {}}}
	for i := range maxLanes + 10 {
		m.lineOf(queue.Lane{Host: fmt.Sprint(i)})
	}
	require.Len(t, m.kept, maxLanes)
	require.NotContains(t, m.kept, queue.Lane{Host: "old"})
	require.Nil(t, m.lines[queue.Lane{Host: fmt.Sprint(maxLanes)}].history)
}
