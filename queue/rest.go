package queue

import (
	"context"
	"time"
)

// pick says which entries a try takes.
type pick struct {
	upTo    byte // the last class of work
	after   ID   // only what is newer
	repeats int  // how many entries that were attempted before; -1: all
	round   bool // a failure is one of the background's: it slows the lane

	withheld bool // some were left out for repeats
	early    bool // and some because it is too early to present them anew
	spent    bool // nothing but those is left
}

var everything = pick{upTo: classNotice, repeats: -1, round: true}

// lookAgain bounds one sleep in a pause whose end a wall clock gives: the clock
// may be set meanwhile (I4).
const lookAgain = time.Minute

// held tells whether the lane is in a pause that the host asked for or that is
// planned.
func (q *Queue) held(l Lane, p *pace) bool {
	now := time.Now()
	until, why, _, _ := p.wait()
	return q.opts.plannedUntil(l, now).After(now) || (until.After(now) && (why == PaceSlot || why == PacePlanned))
}

// rest waits until the pace of the lane allows a try, and says what of. An
// entry just journalled does not wait for the trouble of older ones; it waits
// where the host asked for a pause.
func (q *Queue) rest(ctx context.Context, l Lane, p *pace) (pick, error) {
	for {
		wake := q.changed.wait()
		now := time.Now()
		until, why, tried, changed := p.wait()
		if planned := q.opts.plannedUntil(l, now); planned.After(now) && planned.After(until) {
			until, why = planned, PacePlanned
		}
		if !until.After(now) {
			return p.takeAll(), nil
		}
		if why != PaceSlot && why != PacePlanned {
			fresh, err := q.fresh(l, tried)
			if err != nil {
				return pick{}, err
			}
			if fresh {
				return pick{upTo: classNotice, after: tried, repeats: -1, round: true}, nil
			}
		}
		if err := q.sleep(ctx, until.Sub(now), wake, changed); err != nil {
			return pick{}, err
		}
	}
}

// Rest waits as the background of a lane does after so many failures in a row,
// the last of which was cause: for what a program sends beside Forward, such as
// a settlement. It waits for the slot that cause names (see PauseError), or a
// random time that grows from Options.RetryMin to RetryMax with failures, and
// through the lane's planned pauses; NetworkBack shortens it where the host did
// not ask for it. It counts nothing and journals nothing.
//
// Errors: ctx.Err(), ErrClosed.
func (q *Queue) Rest(ctx context.Context, l Lane, failures int, cause error) error {
	a := askedBy(cause)
	wait := jitter(q.opts.ceiling(failures))
	switch {
	case a.after > 0:
		wait = a.after + jitter(a.after/10)
	case a.planned:
		wait = q.opts.RetryMax/2 + jitter(q.opts.RetryMax/2)
	}
	until := time.Now().Add(wait)
	for {
		hint := q.paces.hint.wait()
		now := time.Now()
		left := until.Sub(now)
		if planned := q.opts.plannedUntil(l, now); planned.After(until) {
			left = planned.Sub(now)
		}
		if left <= 0 {
			return nil
		}
		if err := q.sleep(ctx, left, hint, nil); err != nil {
			return err
		}
		select {
		case <-hint:
			if soon := time.Now().Add(jitter(hintWithin)); !a.any() && soon.Before(until) {
				until = soon
			}
		default:
		}
	}
}

// sleep waits for d, lookAgain, one of the channels, ctx or Close.
func (q *Queue) sleep(ctx context.Context, d time.Duration, wake, changed <-chan struct{}) error {
	timer := time.NewTimer(min(d, lookAgain))
	defer timer.Stop()
	select {
	case <-wake:
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	case <-q.changed.closed:
		return ErrClosed
	}
	return nil
}

// fresh tells whether the lane may send an entry that is newer than tried.
func (q *Queue) fresh(l Lane, tried ID) (fresh bool, err error) {
	err = q.read(func(v *fileView) error {
		rec, err := v.laneOf(l)
		if err != nil {
			return ignoreNotFound(err)
		}
		ids, err := v.work(rec, 1, classNotice, func(id ID) bool { return id <= tried || q.lines.claimed(l, id) })
		fresh = len(ids) > 0
		return err
	})
	return fresh, err
}

// idle waits for work. Where the host was away it goes on asking for a line, at
// the lane's pace, so that its return is known; where the lane is held back
// since a restore it looks again by and by.
func (q *Queue) idle(ctx context.Context, l Lane, up Uplink, p *pace, wake <-chan struct{}, fenced bool) error {
	_, asks := up.(Preparer)
	until, _, _, changed := p.wait()
	switch {
	case fenced:
		return q.sleep(ctx, lookAgain, wake, nil)
	case !asks || !p.struggling():
		return q.pause(ctx, wake)
	}
	now := time.Now()
	if planned := q.opts.plannedUntil(l, now); planned.After(until) {
		until = planned
	}
	if until.After(now) {
		return q.sleep(ctx, until.Sub(now), wake, changed)
	}
	if err := q.lines.acquire(ctx, l, window(up), false, q.changed.closed); err != nil {
		return err
	}
	defer q.lines.done(l, 1)
	_, r, err := q.readyLine(ctx, p, up)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.reached = err == nil
	q.noted(ctx, l, p, r)
	return nil
}

// The budget of repeats: an attempt that fails costs one, one that the host
// answers earns Options.RepeatShare of one. While less than half of it is left
// the lane repeats one entry at a time, and none for a while after a failure.
const mostTokens = 10

// takeAll is what a try takes that waited for nothing, or long enough.
func (p *pace) takeAll() pick {
	p.mu.Lock()
	defer p.mu.Unlock()
	how := everything
	if p.tokens < mostTokens/2 {
		how.repeats = 1
		if time.Now().Before(p.repeatAt) {
			how.repeats = 0
		}
	}
	return how
}

// spend keeps the budget.
func (p *pace) spend(all []sent, o *Options) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range all {
		switch {
		case !s.failed():
			p.tokens = min(mostTokens, p.tokens+o.RepeatShare)
			now := time.Now()
			if p.heard.IsZero() || now.Sub(p.heard) >= time.Minute {
				p.changed.broadcast() // an outage plan may have waited for it
			}
			p.heard = now
			if s.answer.Verdict != Partial {
				delete(p.anew, s.entry.ID) // the host has decided it
			}
		case !s.asked().planned:
			p.tokens = max(0, p.tokens-1)
			if now := time.Now(); !p.repeatAt.After(now) {
				p.repeatAt = now.Add(jitter(o.RetryMax))
			}
		}
	}
}

// await makes a lane wait that has nothing but what a try has left out.
func (p *pace) await(how pick) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	var at time.Time
	if how.withheld {
		at = p.repeatAt
	}
	if how.early {
		for _, x := range p.anew {
			if x.at.After(now) && (at.IsZero() || x.at.Before(at)) {
				at = x.at
			}
		}
	}
	if at.After(p.until) {
		p.until, p.why = at, PaceBudget
	}
}

// anew is a sale at risk that was reversed, or a void that waits for a sign-in,
// and is presented anew.
type anew struct {
	times int
	at    time.Time // not before
}

// tooEarly tells whether id is to be presented anew later.
func (p *pace) tooEarly(id ID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	x, ok := p.anew[id]
	return ok && time.Now().Before(x.at)
}

// presented notes that old is presented anew as next: after a random
// time, and the more often it was, the later. It is forgotten with the process.
func (p *pace) presented(old, next ID, o *Options) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.anew[old].times + 1
	delete(p.anew, old)
	p.anew[next] = anew{n, time.Now().Add(o.anewAfter(n))}
}

// anewAfter is from a half of a ceiling to the whole, which each time doubles
// from RetryMin to RetryMax or the spread, whichever is longer.
func (o *Options) anewAfter(times int) time.Duration {
	most := max(o.RetryMax, o.Spread)
	wait := most
	if n := min(times, 30); o.RetryMin<<n>>n == o.RetryMin {
		wait = min(o.RetryMin<<n, most)
	}
	return wait/2 + jitter(wait/2)
}

// takes tells whether the entry of an id is one that a try is to take.
func (how *pick) takes(v *fileView, id ID) bool {
	if id <= how.after {
		return false
	}
	if how.repeats < 0 {
		return true
	}
	e, err := v.entry(id)
	if err != nil || e.Attempts == 0 {
		return true // what is wrong shows when it is sent
	}
	if how.repeats == 0 {
		how.withheld = true
		return false
	}
	how.repeats--
	return true
}
