package queue

import (
	"context"
	"time"
)

// A hint that the network is back brings the next try forward to within
// hintWithin; one every hintGap is enough for a network that comes and goes. A
// try that was begun before the hint and has waited for a line for stuckAfter
// was begun without a network.
const (
	hintWithin = 3 * time.Second
	hintGap    = 5 * time.Second
	stuckAfter = 2 * time.Second
)

// NetworkBack says that the device's network is back: every lane that waits
// because of failures tries again within 5 s, at a random moment of the first
// three, and what is trying to get a line since before begins anew. It changes
// nothing where the host asked for a pause or one is planned. Calling it often,
// or wrongly, costs a try each 5 s at most. Package network calls it by what the
// operating system tells.
func (q *Queue) NetworkBack() {
	defer q.paces.hint.broadcast()
	q.paces.mu.Lock()
	defer q.paces.mu.Unlock()
	for _, p := range q.paces.all {
		p.networkBack(time.Now())
	}
}

func (p *pace) networkBack(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for t := range p.trying {
		if t.hinted {
			continue
		}
		t.hinted = true
		time.AfterFunc(stuckAfter-now.Sub(t.began), t.cancel)
	}
	if p.held() || !p.until.After(now) || p.hinted.After(now) {
		return
	}
	next := now.Add(jitter(hintWithin))
	if gap := p.hinted.Add(hintGap); gap.After(next) {
		next = gap
	}
	if next.Before(p.until) {
		p.until, p.why, p.hinted = next, PaceBackoff, next
		p.changed.broadcast()
	}
}

// attemptAtLine is a Prepare under way.
type attemptAtLine struct {
	began  time.Time
	cancel context.CancelFunc
	hinted bool
}

// readyLine is prepare for the background: a hint that the network is back
// ends one that was begun without.
func (q *Queue) readyLine(ctx context.Context, p *pace, up Uplink) (Line, round, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t := &attemptAtLine{began: time.Now(), cancel: cancel}
	p.mu.Lock()
	p.trying[t] = true
	p.mu.Unlock()
	line, err := q.prepare(ctx, up)
	p.mu.Lock()
	delete(p.trying, t)
	hinted := t.hinted
	p.mu.Unlock()
	if err != nil {
		return line, round{failed: true, hinted: hinted, asked: askedBy(err)}, err
	}
	p.published(line.Spread)
	return line, round{}, nil
}
