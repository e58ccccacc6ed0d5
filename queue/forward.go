package queue

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Forward delivers what the lane has through up, and what is journalled later,
// until ctx is done or the journal is closed; it returns ctx.Err() or
// ErrClosed. Lanes run side by side, each with a Forward of its own; a second
// Forward or Drain of the same lane shares the work.
//
// The order is: reversals, deferred requests, advices (those tried three times
// and more behind the others, least tried first), notices; by sequence within
// each. An attempt is synced before its first byte (I2). What was answered is
// recorded with the next attempt, in one commit; after a crash between the two
// the entry is sent again, which the host recognises. A failure is followed by
// a pause (see Pacing in the package's documentation), which an entry journalled
// meanwhile ends unless the host asked for it; no number of failures ends
// Forward or drops an entry (I8).
func (q *Queue) Forward(ctx context.Context, l Lane, up Uplink) error {
	return q.forward(ctx, l, up, false)
}

// Drain is Forward until nothing that the lane may send now is pending or in
// doubt; it then returns nil. Entries that are parked, and those of later
// batches while a closed one waits for its settlement, stay. Its first try goes
// at once, unless the host asked for a pause.
func (q *Queue) Drain(ctx context.Context, l Lane, up Uplink) error {
	return q.forward(ctx, l, up, true)
}

func (q *Queue) forward(ctx context.Context, l Lane, up Uplink, drain bool) error {
	p, err := q.paces.of(q, l)
	if err != nil {
		return err
	}
	for first := drain; ; first = false {
		wake := q.changed.wait()
		work, err := q.due(l)
		if err != nil {
			return err
		}
		if !work.ready {
			lifted, err := q.lift(ctx, l, up)
			if err != nil {
				return err
			}
			if lifted {
				continue
			}
			if drain && !work.waiting {
				return nil
			}
			if err := q.idle(ctx, l, up, p, wake, work.fenced); err != nil {
				return err
			}
			continue
		}
		how := p.takeAll()
		if !first || q.held(l, p) {
			if how, err = q.rest(ctx, l, p); err != nil {
				return err
			}
		}
		err = q.run(ctx, l, up, p, &how)
		if isClosed(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			q.opts.Log.Warn("forwarding failed", "lane", l.String(), "error", err)
			r := round{failed: true}
			next, _ := p.plan(r, &q.opts)
			p.follow(next, r, false, &q.opts)
		}
		if how.spent {
			p.await(how)
		}
	}
}

// newest is the sequence of the newest entry.
func (q *Queue) newest() (id ID, err error) {
	err = q.read(func(v *fileView) error {
		n, err := v.count("entries")
		id = ID(n)
		return err
	})
	return id, err
}

// dueWork tells whether a lane has an entry to send that nobody works on, whether
// it has any at all, and whether it is held back since a restore.
type dueWork struct{ ready, waiting, fenced bool }

func (q *Queue) due(l Lane) (t dueWork, err error) {
	err = q.read(func(v *fileView) error {
		rec, err := v.laneOf(l)
		if err != nil {
			return ignoreNotFound(err)
		}
		ids, err := v.work(rec, 1, classNotice, func(id ID) bool {
			t.waiting = true
			return q.lines.claimed(l, id)
		})
		t.ready, t.fenced = len(ids) > 0, rec.fenced
		return err
	})
	return t, err
}

// pause waits for wake, for ctx or for Close.
func (q *Queue) pause(ctx context.Context, wake <-chan struct{}) error {
	select {
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-q.changed.closed:
		return ErrClosed
	}
}

// run sends for as long as there is work, all goes well and no Do waits for
// the line. It has recorded everything when it returns, and what it means for
// the pace of the lane.
func (q *Queue) run(ctx context.Context, l Lane, up Uplink, p *pace, how *pick) error {
	size := window(up)
	if err := q.lines.acquire(ctx, l, size, false, q.changed.closed); err != nil {
		return err
	}
	slots := 1
	defer func() { q.lines.done(l, slots) }()
	newest, err := q.newest()
	if err != nil {
		return err
	}
	p.tries(newest)
	narrow := p.struggling() // one entry goes ahead to find out
	var before []sent
	for {
		line, r, err := q.readyLine(ctx, p, up)
		if err != nil {
			q.opts.Log.Info("no line", "lane", l.String(), "error", err)
			if err := q.settleRound(ctx, l, before); err != nil || ctx.Err() != nil {
				return err
			}
			q.noted(ctx, l, p, r)
			return nil
		}
		if err := q.takeLate(ctx, l, up); err != nil {
			return errors.Join(err, q.settleRound(ctx, l, before))
		}
		if !narrow {
			slots += q.lines.more(l, size-slots)
		}
		batch, err := q.beginRound(ctx, l, line, slots, how, before)
		if err != nil {
			return errors.Join(err, q.settleRound(ctx, l, before))
		}
		if len(batch) == 0 {
			how.spent = (how.withheld || how.early) && how.after == 0
			return nil
		}
		before = q.sendAll(ctx, l, up, batch)
		r = roundOf(before)
		if r.failed || r.asked.any() || q.lines.wanted(l) || ctx.Err() != nil {
			return q.settleRound(ctx, l, before)
		}
		narrow = narrow && !r.reached
	}
}

func (q *Queue) sendAll(ctx context.Context, l Lane, up Uplink, batch []Entry) []sent {
	yielding, stop := q.yielding(ctx, l)
	defer stop()
	send := func(e Entry) sent {
		if e.Kind == Advice || e.Kind == Notice {
			return q.send(yielding, up, e)
		}
		s := q.send(ctx, up, e)
		s.anew = s.err == nil && s.answer.SignIn && e.Op == Void
		return s
	}
	out := make([]sent, len(batch))
	var all sync.WaitGroup
	for i, e := range batch[1:] {
		all.Go(func() { out[i+1] = send(e) })
	}
	out[0] = send(batch[0])
	all.Wait()
	return out
}

// patience is how long a Do waits for the answer to an advice or a notice, which
// is repeated in any case.
const patience = 5 * time.Second

// yielding is a ctx that ends when a Do has waited for the lane so long.
func (q *Queue) yielding(ctx context.Context, l Lane) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	called := q.lines.call(l)
	go func() {
		select {
		case <-called:
		case <-ctx.Done():
			return
		}
		timer := time.NewTimer(patience)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
