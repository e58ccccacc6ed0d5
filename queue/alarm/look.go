package alarm

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// parkedEntry is the first entry of a lane that needs a person, as of a count.
type parkedEntry struct {
	count int64
	id    queue.ID
	why   string
}

// figures are what the journal tells of one lane.
type figures struct {
	queue.Backlog
	pace   queue.Pace
	parked parkedEntry
}

// look takes all figures and tells what is worth a word. busy says that the
// next look must not wait for a change.
func (m *Monitor) look(ctx context.Context) (busy bool, err error) {
	all, err := m.figures(ctx)
	if err != nil {
		return false, err
	}
	now := time.Now()
	var told []*Warning
	m.mu.Lock()
	for _, f := range all {
		s := m.lineOf(f.Lane)
		told = append(told, m.judge(s, f, now)...)
		busy = busy || f.Waiting > 0 || len(s.active) > 0
	}
	m.mu.Unlock()
	for _, f := range all {
		m.safely(func() { m.opts.Metrics.Backlog(f.Backlog) })
	}
	for _, w := range told {
		m.safely(func() { m.opts.Metrics.Warned(w) })
		m.q.Warn(w)
	}
	return busy, nil
}

// figures are those of the journal's lanes, then of those that have a line
// only.
func (m *Monitor) figures(ctx context.Context) (all []figures, err error) {
	backlogs, err := m.q.Backlogs(ctx)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	lines := slices.Collect(maps.Keys(m.lines))
	m.mu.Unlock()
	for _, l := range lines {
		if !slices.ContainsFunc(backlogs, func(b queue.Backlog) bool { return b.Lane == l }) {
			backlogs = append(backlogs, queue.Backlog{Lane: l})
		}
	}
	for _, b := range backlogs {
		f := figures{Backlog: b}
		if f.pace, err = m.q.Pace(b.Lane); err != nil {
			return nil, err
		}
		if f.parked, err = m.firstParked(ctx, b); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// firstParked is looked up when the count of parked entries has changed, or the
// one that was first is not parked any more.
func (m *Monitor) firstParked(ctx context.Context, b queue.Backlog) (parkedEntry, error) {
	if p := m.parked[b.Lane]; p.count == b.Parked {
		if p.id == 0 {
			return p, nil
		}
		if e, err := m.q.Get(ctx, p.id); err == nil && e.State == queue.Parked && e.Lane == b.Lane {
			return p, nil // else it was dealt with, or is pruned
		}
	}
	p := parkedEntry{count: b.Parked}
	for e, err := range m.q.All(ctx, queue.Filter{Lane: b.Lane, States: []queue.State{queue.Parked}}) {
		if err != nil {
			return p, err
		}
		p.id, p.why = e.ID, e.ParkedWhy
		break
	}
	m.parked[b.Lane] = p
	return p, nil
}

// judge takes the figures of one lane; m.mu is held.
func (m *Monitor) judge(s *line, f figures, now time.Time) (told []*Warning) {
	t := m.opts.thresholds(f.Lane)
	cause := s.cause(f, now, m.began)
	check := func(w Warning) {
		w.Lane = f.Lane
		if w := s.check(w, now, m.opts.Calm); w != nil {
			told = append(told, w)
		}
	}
	waiting := func(k Kind, have, threshold int64) Warning {
		w := Warning{Kind: k, Have: have, Threshold: threshold, Cause: cause}
		if cause == s.failed {
			w.Code = s.code
		}
		return w
	}
	check(waiting(Backlog, f.Waiting, int64(t.Backlog)))
	for _, c := range slices.Sorted(maps.Keys(t.Amount)) {
		w := waiting(Amount, amountIn(f.Backlog, c), t.Amount[c])
		w.Currency = c
		check(w)
	}
	check(waiting(Age, f.Oldest.Milliseconds(), t.Age.Milliseconds()))
	check(Warning{Kind: SignIn, Have: int64(s.failures), Threshold: s.patience(int64(t.SignIn)), Cause: s.failed, Code: s.code})
	if slow, known := m.slowness(s, now); known {
		check(Warning{Kind: Answers, Have: slow.percent, Threshold: int64(t.Answers), Cause: HostSlow,
			Percentile: slow.percentile, Took: slow.took, Usual: slow.usual})
	}
	check(Warning{Kind: Parked, Have: f.Parked, Threshold: int64(t.Parked), Cause: NeedsPerson, Entry: f.parked.id, Why: f.parked.why})
	return told
}

func amountIn(b queue.Backlog, c queue.Currency) int64 {
	for _, m := range b.Sums {
		if m.Currency == c {
			return m.Minor
		}
	}
	return 0
}

// patience is how many failures to get a line are one too many. Once that was
// told it does not grow: what fails otherwise now still fails.
func (s *line) patience(threshold int64) int64 {
	if s.failed.lasting() {
		threshold = min(threshold, 1)
	}
	if was := s.active[about{kind: SignIn}]; was != nil {
		threshold = min(threshold, was.Threshold)
	}
	return threshold
}

// check puts one figure, given as the Warning that it would be, to its
// condition, and returns the Warning that is to be told, nil for none.
func (s *line) check(w Warning, now time.Time, calm time.Duration) *Warning {
	key := about{w.Kind, w.Currency}
	c := s.conditions[key]
	if c == nil {
		c = new(condition)
		s.conditions[key] = c
	}
	was := s.active[key]
	w.Since = c.since
	if was != nil {
		w.keep(was)
	}
	state := was.state()
	switch c.look(now, w.Have, w.Threshold, calm) {
	case raise:
		w.Since, state = now, Raised
	case worsen:
		state = Worse
	case clear:
		delete(s.active, key)
		w.State, w.At, w.Cause, w.Code = Cleared, now, was.Cause, was.Code
		return &w
	default:
		if was == nil {
			return nil
		}
		if c.grave || !w.Cause.lasting() {
			w.State, w.At = state, was.At
			s.active[key] = &w
			return nil
		}
		state = Worse // now it takes a person
	}
	c.grave = c.grave || w.Cause.lasting()
	w.State, w.At = state, now
	s.active[key] = &w
	return &w
}

func (w *Warning) state() State {
	if w == nil {
		return 0
	}
	return w.State
}

// keep takes over from the warning as it was what a low figure cannot tell.
func (w *Warning) keep(was *Warning) {
	if w.Cause == 0 {
		w.Cause, w.Code = was.Cause, was.Code
	}
	if w.Percentile == 0 {
		w.Percentile, w.Took, w.Usual = was.Percentile, was.Took, was.Usual
	}
	if w.Entry == 0 {
		w.Entry, w.Why = was.Entry, was.Why
	}
}
