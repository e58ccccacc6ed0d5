package queue

import (
	"context"
	"errors"
	"sync"
	"time"
)

// PaceReason says why the background of a lane waits before its next try.
type PaceReason uint8

// The reasons.
const (
	PaceFree    PaceReason = iota // it does not wait
	PaceBackoff                   // tries failed: Options.RetryMin, RetryMax
	PaceSpread                    // they failed for long: Options.Spread
	PaceSlot                      // the host named a time
	PacePlanned                   // cut-over or maintenance: no failure
	PaceBudget                    // only repeats are left, and too many failed: Options.RepeatShare; or sales at risk to present anew
)

var paceNames = [...]string{"free", "backoff", "spread", "slot", "planned", "budget"}

func (r PaceReason) String() string { return name(paceNames[:], int(r)) }

// Pace is how the background of a lane gets on.
type Pace struct {
	// Failures counts the rounds that failed since the host's last answer; a
	// planned pause adds none.
	Failures int
	// Since is when the first of them ended, by the device's clock; zero
	// without failures.
	Since time.Time
	// Next is before when the background does not try again; zero: at once.
	Next time.Time
	Why  PaceReason
}

// Pace tells how the background of a lane gets on: for a screen, for alarms.
// What it tells is kept over a restart. A lane that was never used is free.
//
// Errors: ErrClosed, ErrDamaged.
func (q *Queue) Pace(l Lane) (Pace, error) {
	p, err := q.paces.of(q, l)
	if err != nil {
		return Pace{}, err
	}
	planned := q.opts.plannedUntil(l, time.Now())
	p.mu.Lock()
	defer p.mu.Unlock()
	out := Pace{Failures: p.failures, Since: p.since}
	if p.until.After(time.Now()) {
		out.Next, out.Why = p.until, p.why
	}
	if planned.After(out.Next) {
		out.Next, out.Why = planned, PacePlanned
	}
	return out, nil
}

// paces keeps the pace of each lane that was asked for.
type paces struct {
	mu   sync.Mutex
	all  map[Lane]*pace
	hint *signal // the network was said to be back
}

func newPaces() *paces { return &paces{all: map[Lane]*pace{}, hint: newSignal()} }

// of returns the lane's pace, as the journal has it when it is asked for first.
func (s *paces) of(q *Queue, l Lane) (*pace, error) {
	if p := s.known(l, nil); p != nil {
		return p, nil
	}
	p := &pace{changed: newSignal(), tokens: mostTokens, trying: map[*attemptAtLine]bool{}, anew: map[ID]anew{}}
	err := q.read(func(v *fileView) error {
		rec, err := v.laneOf(l)
		if errors.Is(err, ErrNotFound) {
			return nil
		} else if err != nil {
			return err
		}
		now, err := v.now(rec)
		if err != nil {
			return err
		}
		n, err := v.count("entries")
		p.tried = ID(n)
		p.recall(rec.pace, now, &q.opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.known(l, p), nil
}

// known returns the lane's pace, and takes p for it where there is none yet.
func (s *paces) known(l Lane, p *pace) *pace {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[l] == nil && p != nil {
		s.all[l] = p
	}
	return s.all[l]
}

// pace is what the background of one lane keeps to.
type pace struct {
	mu       sync.Mutex
	failures int
	since    time.Time // when the first of them ended
	until    time.Time // no try before it
	why      PaceReason
	spread   time.Duration // as the host published it; 0: it did not
	tried    ID            // newest entry at the last try: what is newer is fresh
	tokens   float64       // the budget of repeats
	repeatAt time.Time     // when a lane without tokens may repeat one entry
	hinted   time.Time     // the last hint that was followed
	heard    time.Time     // when the host last took something up; zero: not since Open
	anew     map[ID]anew   // sales at risk, and voids, that are to be presented anew
	kept     time.Duration // the ceiling of the wait that the journal has
	keptAt   time.Time
	trying   map[*attemptAtLine]bool
	changed  *signal
}

// recall takes up what the journal remembers. Where it cannot tell how long
// the lane has waited already, the lane waits anew, and never longer than it
// would after a failure now.
func (p *pace) recall(rec paceRecord, now moment, o *Options) {
	left, failing := rec.left(now, o.RetryMax)
	at := time.Now()
	p.failures, p.spread, p.why = int(rec.failures), rec.spread, rec.why
	if p.failures > 0 {
		p.since = at.Add(-failing)
	}
	if left == 0 && p.failures > 0 {
		left, p.why = p.backoff(o, p.failures, p.since)
	}
	p.until = at.Add(left)
	if p.failures > 0 {
		p.kept, p.keptAt = o.ceiling(p.failures), at
	}
}

// backoff is a random wait after a failure: full jitter under a ceiling that
// each failure doubles up to RetryMax. A lane that has failed for as long as
// the spread comes at a random moment of it, so that all devices of a host that
// was away do not come at once.
func (p *pace) backoff(o *Options, failures int, since time.Time) (time.Duration, PaceReason) {
	spread := o.Spread
	if p.spread > 0 {
		spread = p.spread
	}
	if spread > 0 && !since.IsZero() && time.Since(since) >= spread {
		return jitter(max(spread, o.RetryMax)), PaceSpread
	}
	return jitter(o.ceiling(failures)), PaceBackoff
}

// ceiling bounds the wait after so many failures in a row.
func (o *Options) ceiling(failures int) time.Duration {
	n := min(max(failures-1, 0), 30)
	if wait := o.RetryMin << n; wait>>n == o.RetryMin {
		return min(wait, o.RetryMax)
	}
	return o.RetryMax
}

// round is what became of one try of the background, or of one Do.
type round struct {
	failed  bool // something of it has to be tried again
	reached bool // the host has decided something
	hinted  bool // the network was said to be back meanwhile
	asked   asked
}

func roundOf(all []sent) (r round) {
	for _, s := range all {
		r.failed = r.failed || s.failed()
		r.reached = r.reached || (s.err == nil && s.answer.Verdict.decides())
		r.asked = r.asked.and(s.asked())
	}
	return r
}

// plan is how the lane goes on after a round, without changing anything yet.
func (p *pace) plan(r round, o *Options) (next paceRecord, changes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next = paceRecord{failures: uint32(p.failures), spread: p.spread}
	since := p.since
	if r.reached {
		next.failures, since = 0, time.Time{}
	}
	switch {
	case r.asked.any():
		if r.failed && !r.asked.planned {
			next.failures++
		}
		next.wait, next.why = r.asked.after+jitter(r.asked.after/10), PaceSlot
		if r.asked.planned {
			next.why = PacePlanned
			if r.asked.after == 0 {
				next.wait = o.RetryMax/2 + jitter(o.RetryMax/2)
			}
		}
	case r.failed && r.hinted:
		next.wait, next.why = jitter(min(o.ceiling(1), time.Second)), PaceBackoff
	case r.failed:
		next.failures++
		if !since.IsZero() {
			next.ago = min(time.Since(since), longestSlot)
		}
		next.wait, next.why = p.backoff(o, int(next.failures), since)
	default:
		return next, r.reached && p.failures > 0
	}
	return next, true
}

// follow puts a plan into effect, once what led to it is journalled.
func (p *pace) follow(next paceRecord, r round, kept bool, o *Options) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if r.reached {
		p.failures, p.since = 0, time.Time{}
		if p.why == PaceBackoff {
			p.until, p.why = time.Time{}, PaceFree
		}
	}
	if next.failures > 0 && p.failures == 0 {
		p.since = now
	}
	p.failures = int(next.failures)
	if next.why != PaceFree {
		// A pause that the host asked for is not cut short by a failure.
		if until := now.Add(next.wait); until.After(p.until) || !p.held() {
			p.until, p.why = until, next.why
		}
	}
	if kept {
		p.kept, p.keptAt = o.ceiling(p.failures), now
	}
	if p.failures == 0 {
		p.kept = 0
	}
	p.changed.broadcast()
}

// held tells whether the host asked for the pause: no failure, no hint and no
// new entry ends it.
func (p *pace) held() bool {
	return (p.why == PaceSlot || p.why == PacePlanned) && p.until.After(time.Now())
}

// worthKeeping tells whether a wait after a round that journalled nothing is
// worth a commit of its own: few of them in a whole outage.
func (p *pace) worthKeeping(next paceRecord, o *Options) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if next.why == PaceFree {
		return p.kept > 0 // the journal believes that the lane fails
	}
	if next.why == PaceSlot || next.why == PacePlanned {
		return next.wait >= keepFrom
	}
	return o.ceiling(int(next.failures)) >= keepFrom &&
		(o.ceiling(int(next.failures)) > p.kept || time.Since(p.keptAt) >= keepAgain)
}

// A restart takes longer than keepFrom; keepAgain bounds what a lasting outage
// writes.
const (
	keepFrom  = 5 * time.Second
	keepAgain = 10 * time.Minute
)

// noted journals, and follows, how the lane goes on after a round of which
// nothing is journalled: there was no line, or a line and nothing to send.
func (q *Queue) noted(ctx context.Context, l Lane, p *pace, r round) {
	next, changes := p.plan(r, &q.opts)
	if !changes {
		return
	}
	kept := p.worthKeeping(next, &q.opts)
	if kept {
		err := q.update(context.WithoutCancel(ctx), func(v *fileView) error { return v.paced(l, next) })
		if err != nil {
			kept = false
			q.opts.Log.Warn("the pause is not journalled", "lane", l.String(), "error", err)
		}
	}
	p.follow(next, r, kept, &q.opts)
}

func (v *fileView) paced(name Lane, next paceRecord) error {
	l, err := v.laneOf(name)
	if err != nil {
		return ignoreNotFound(err)
	}
	return v.apply(event{kind: evPaced, lane: l.number, pace: next})
}

// published takes note of the interval that the host publishes.
func (p *pace) published(d time.Duration) {
	if d > 0 {
		p.mu.Lock()
		p.spread = min(d, longestSlot)
		p.mu.Unlock()
	}
}

func (p *pace) struggling() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failures > 0
}

// heardWithin tells whether the host has taken something up so lately.
func (p *pace) heardWithin(d time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.heard.IsZero() && time.Since(p.heard) < d
}

func (p *pace) failing() (failures int, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.failures, p.since
}

// wait is until when the lane waits, why, up to which entry it has tried, and
// what tells of a change.
func (p *pace) wait() (until time.Time, why PaceReason, tried ID, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until, p.why, p.tried, p.changed.wait()
}

func (p *pace) tries(newest ID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tried = max(p.tried, newest)
}
