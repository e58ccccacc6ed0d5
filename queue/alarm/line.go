package alarm

import (
	"context"
	"errors"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// line is what is known of one lane's line to its host.
type line struct {
	lane       queue.Lane
	conditions map[about]*condition
	active     map[about]*Warning
	history    *history // nil: there are too many lanes to keep theirs
	recent     [classes]recent

	failures int    // to get a line, in a row
	failed   Cause  // why the newest of them failed
	code     string // the host's, where it refused
	silent   int    // transmissions without an answer, in a row
	tried    time.Time
}

// about names a condition of a lane.
type about struct {
	kind     Kind
	currency queue.Currency
}

// safely measures. Whatever goes wrong there, in an app's Metrics or here, must
// neither turn the host's answer into a doubt nor end the app.
func (m *Monitor) safely(measure func()) {
	defer func() {
		if recover() != nil {
			m.opts.Log.Error("a measurement panicked")
		}
	}()
	measure()
}

// prepared takes what became of a Prepare.
func (m *Monitor) prepared(l queue.Lane, ctx context.Context, took time.Duration, err error) {
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return // whoever asked has gone
	}
	var failed Cause
	if err != nil {
		failed, _ = causeOf(err)
	}
	m.opts.Metrics.Prepared(l, took, failed)
	defer m.touch()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lineOf(l).connected(err)
}

// connected counts failures to get a line.
func (s *line) connected(err error) {
	s.tried = time.Now()
	if err == nil {
		s.failures, s.failed, s.code = 0, 0, ""
		return
	}
	if cause, code := causeOf(err); cause != Paused {
		s.failures++
		s.failed, s.code = cause, code
	}
}

// sent takes what became of one transmission.
func (m *Monitor) sent(l queue.Lane, k queue.Kind, ctx context.Context, took time.Duration, err error) {
	switch {
	case errors.Is(err, queue.ErrUnsendable):
		return // the entry's fault, not the line's
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		return
	case errors.Is(err, queue.ErrNotSent):
		m.prepared(l, ctx, took, err)
		return
	}
	m.opts.Metrics.Sent(l, k, took, err == nil)
	defer m.touch()
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.lineOf(l)
	s.connected(nil)
	if s.silent++; err == nil {
		s.silent = 0
	}
	if err == nil || waitEnded(ctx, err) {
		m.count(s, k, took)
	}
}

// waitEnded tells an answer that did not come in time from a line that broke or
// an answer that was refused, whose time says nothing.
func waitEnded(ctx context.Context, err error) bool {
	cause, _ := causeOf(err)
	return cause == Silent || errors.Is(ctx.Err(), context.DeadlineExceeded)
}

// count keeps how long an answer took.
func (m *Monitor) count(s *line, k queue.Kind, took time.Duration) {
	c := deliveries
	if k == queue.Request {
		c = decisions
	}
	now := time.Now()
	in := hourOf(now, m.opts.Zone)
	s.recent[c].add(answer{now, in, took})
	if s.history != nil {
		s.history.add(in, c, took, m.opts.Days)
		m.unsaved = true
	}
}

// slowness is that of the class that is up most; false where it cannot be told.
func (m *Monitor) slowness(s *line, now time.Time) (worst slowness, known bool) {
	if s.history == nil {
		return slowness{}, true
	}
	in := hourOf(now, m.opts.Zone)
	known = true
	for c := range classes {
		slow, ok := s.recent[c].compare(s.history, in, c, now, m.opts.Days)
		known = known && ok
		if slow.percent > worst.percent {
			worst = slow
		}
	}
	return worst, known || worst.percent > 0
}

// idle is how long after it could have tried a lane without any attempt counts
// as one that nobody forwards: longer than the longest wait for an answer.
const idle = 5 * time.Minute

// cause tells why a backlog stands.
func (s *line) cause(f figures, now, began time.Time) Cause {
	due := began
	for _, t := range []time.Time{s.tried, f.pace.Next} {
		if t.After(due) {
			due = t
		}
	}
	lately := now.Sub(due) <= idle
	switch {
	case f.pace.Next.After(now) && (f.pace.Why == queue.PaceSlot || f.pace.Why == queue.PacePlanned):
		return Paused
	case s.failures > 0 && lately:
		return s.failed
	case s.silent > 0 && lately:
		return Unanswered
	case f.Fenced:
		return Restored
	case f.Full || f.Held:
		return Settlement
	case !lately:
		return NotForwarded
	}
	return Draining
}
