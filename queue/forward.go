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
// a pause (Options.RetryMin, RetryMax), which an entry journalled meanwhile ends;
// no number of failures ends Forward or drops an entry (I8).
func (q *Queue) Forward(ctx context.Context, l Lane, up Uplink) error {
	return q.forward(ctx, l, up, false)
}

// Drain is Forward until nothing that the lane may send now is pending or in
// doubt; it then returns nil. Entries that are parked, and those of later
// batches while a closed one waits for its settlement, stay.
func (q *Queue) Drain(ctx context.Context, l Lane, up Uplink) error {
	return q.forward(ctx, l, up, true)
}

func (q *Queue) forward(ctx context.Context, l Lane, up Uplink, drain bool) error {
	failures := 0
	for {
		newest, err := q.newest()
		if err != nil {
			return err
		}
		wake := q.changed.wait()
		ready, waiting, err := q.due(l)
		if err != nil {
			return err
		}
		if !ready {
			lifted, err := q.lift(ctx, l, up)
			if err != nil {
				return err
			}
			if lifted {
				continue
			}
			if drain && !waiting {
				return nil
			}
			if err := q.pause(ctx, wake); err != nil {
				return err
			}
			continue
		}
		failed, err := q.run(ctx, l, up)
		if isClosed(err) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			q.opts.Log.Warn("forwarding failed", "lane", l.String(), "error", err)
		}
		if !failed && err == nil {
			failures = 0
			continue
		}
		wait := min(q.opts.RetryMin<<min(failures, 30), q.opts.RetryMax)
		if wait <= 0 {
			wait = q.opts.RetryMax
		}
		failures++
		if err := q.rest(ctx, l, newest, jitter(wait)); err != nil {
			return err
		}
	}
}

// rest pauses after a failure, until an entry newer than newest can be sent:
// a payment just taken does not wait for an older one's trouble.
func (q *Queue) rest(ctx context.Context, l Lane, newest ID, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		wake := q.changed.wait()
		fresh := false
		err := q.read(func(v *fileView) error {
			rec, err := v.laneOf(l)
			if err != nil {
				return ignoreNotFound(err)
			}
			ids, err := v.work(rec, 1, classNotice, func(id ID) bool { return id <= newest || q.lines.claimed(l, id) })
			fresh = len(ids) > 0
			return err
		})
		if err != nil || fresh {
			return err
		}
		select {
		case <-wake:
		case <-timer.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-q.changed.closed:
			return ErrClosed
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

// due tells whether the lane has an entry to send that nobody works on, and
// whether it has any at all.
func (q *Queue) due(l Lane) (ready, waiting bool, err error) {
	err = q.read(func(v *fileView) error {
		rec, err := v.laneOf(l)
		if err != nil {
			return ignoreNotFound(err)
		}
		ids, err := v.work(rec, 1, classNotice, func(id ID) bool {
			waiting = true
			return q.lines.claimed(l, id)
		})
		ready = len(ids) > 0
		return err
	})
	return ready, waiting, err
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
// the line. It has recorded everything when it returns.
func (q *Queue) run(ctx context.Context, l Lane, up Uplink) (failed bool, err error) {
	size := window(up)
	if err := q.lines.acquire(ctx, l, size, false, q.changed.closed); err != nil {
		return false, err
	}
	slots := 1
	defer func() { q.lines.done(l, slots) }()
	var before []sent
	for {
		line, err := q.prepare(ctx, up)
		if err != nil {
			q.opts.Log.Info("no line", "lane", l.String(), "error", err)
			return true, q.settleSent(ctx, l, before)
		}
		if err := q.takeLate(ctx, l, up); err != nil {
			return true, errors.Join(err, q.settleSent(ctx, l, before))
		}
		slots += q.lines.more(l, size-slots)
		batch, err := q.begin(ctx, l, line, slots, classNotice, before)
		if err != nil {
			return true, errors.Join(err, q.settleSent(ctx, l, before))
		}
		if len(batch) == 0 {
			return false, nil
		}
		before = q.sendAll(ctx, up, batch)
		for _, s := range before {
			failed = failed || s.failed()
		}
		if failed || q.lines.wanted(l) || ctx.Err() != nil {
			return failed, q.settleSent(ctx, l, before)
		}
	}
}

func (q *Queue) sendAll(ctx context.Context, up Uplink, batch []Entry) []sent {
	out := make([]sent, len(batch))
	var all sync.WaitGroup
	for i, e := range batch[1:] {
		all.Go(func() { out[i+1] = q.send(ctx, up, e) })
	}
	out[0] = q.send(ctx, up, batch[0])
	all.Wait()
	return out
}
