package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	bolt "go.etcd.io/bbolt"
)

const (
	// maxGroup bounds how many functions one commit joins.
	maxGroup = 1024
	// linger is how long a commit waits for those that the last one has just
	// answered, where it had answered several.
	linger = 50 * time.Microsecond
)

// op is one caller's function on its way through a group commit.
type op struct {
	fn   func(*Tx) error
	err  error
	done chan struct{}
}

// Update runs fn inside a group commit and returns once what it wrote is
// synced. fn may run several times and must change nothing but the Tx; when it
// returns an error nothing of it is kept and Update returns that error. fn
// must not call Update or View. A ctx that ends before the commit begins
// withdraws fn; after that Update waits for the commit's end, whatever ctx
// says. Errors of its own: ErrClosed, ErrNotSynced, ctx.Err().
func (f *File) Update(ctx context.Context, fn func(*Tx) error) error {
	o := &op{fn: fn, done: make(chan struct{})}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-f.stop:
		return ErrClosed
	default:
	}
	select {
	case f.ops <- o:
	case <-f.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-o.done:
		return o.err
	case <-f.stopped:
	}
	// The committer has ended: it answered o before that, or never took it.
	select {
	case <-o.done:
		return o.err
	default:
		return ErrClosed
	}
}

func (f *File) commitLoop() {
	defer close(f.stopped)
	last := 1
	for {
		var group []*op
		select {
		case o := <-f.ops:
			group = f.collect(o, last)
		case <-f.stop:
			for {
				select {
				case o := <-f.ops:
					f.commitGroup([]*op{o})
				default:
					return
				}
			}
		}
		last = len(group)
		f.commitGroup(group)
	}
}

// collect takes what waits; after a group of several it lingers for as many.
func (f *File) collect(first *op, last int) []*op {
	group := []*op{first}
	var until time.Time
	for len(group) < maxGroup {
		select {
		case o := <-f.ops:
			group = append(group, o)
			continue
		default:
		}
		if len(group) >= last {
			break
		}
		now := time.Now()
		if until.IsZero() {
			until = now.Add(linger)
		} else if now.After(until) {
			break
		}
		runtime.Gosched()
	}
	return group
}

// commitGroup commits the functions of group as one and answers all of them.
func (f *File) commitGroup(group []*op) {
	all := group
	for len(group) > 0 {
		failed, err := f.tryCommit(group)
		if failed == nil {
			for _, o := range group {
				if o.err == nil {
					o.err = err
				}
			}
			break
		}
		// One function failed after it had written: the others run again
		// without it.
		rest := make([]*op, 0, len(group)-1)
		for _, o := range group {
			if o != failed {
				rest = append(rest, o)
			}
		}
		group = rest
	}
	for _, o := range all {
		close(o.done)
	}
}

// tryCommit runs and commits group. It returns the op whose function failed
// after a write, in which case nothing is kept, or the commit's own error.
func (f *File) tryCommit(group []*op) (failed *op, err error) {
	if err := f.mend(); err != nil {
		return nil, err
	}
	var btx *bolt.Tx
	err = guard(func() error {
		var err error
		if btx, err = f.db.Begin(true); err != nil {
			return err
		}
		wrote := false
		for _, o := range group {
			tx := &Tx{f: f, tx: btx}
			o.err = o.fn(tx)
			if o.err != nil && tx.wrote {
				failed = o
				return btx.Rollback()
			}
			wrote = wrote || tx.wrote
		}
		if !wrote {
			return btx.Rollback()
		}
		if err := f.ensureRoom(btx); err != nil {
			return err
		}
		return btx.Commit()
	})
	if err != nil && btx != nil {
		// A transaction left open by a panic would block Close for ever.
		_ = guard(btx.Rollback)
	}
	if failed != nil && err == nil {
		return failed, nil
	}
	if err != nil {
		for _, o := range group {
			o.err = nil
		}
		return nil, f.afterFailure(err)
	}
	return nil, nil
}

// afterFailure closes the file, opens it again, reads its end and proves by
// one commit that it takes writes (I7): after a failed sync the pages in
// memory may differ from those on the disk, and that commit's own meta page
// supersedes the one in doubt. Until it succeeds nothing is accepted.
func (f *File) afterFailure(cause error) error {
	f.mu.Lock()
	_ = f.shut()
	f.broken = fmt.Errorf("%w: %w", ErrNotSynced, cause)
	f.mu.Unlock()
	_ = f.mend()
	return fmt.Errorf("%w: %w", ErrNotSynced, cause)
}

// mend opens a file anew that was closed after a failure.
func (f *File) mend() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.db != nil {
		return nil
	}
	db, err := f.openDB(f.path)
	if err != nil {
		f.broken = errors.Join(ErrNotSynced, err)
		return f.broken
	}
	err = guard(func() error {
		return db.Update(func(btx *bolt.Tx) error {
			tx := &Tx{f: f, tx: btx}
			t, err := tx.tail()
			if err != nil {
				return err
			}
			t.clean = false
			return tx.putTail(t)
		})
	})
	if err != nil {
		_ = guard(db.Close)
		f.broken = fmt.Errorf("%w: %w", ErrNotSynced, err)
		return f.broken
	}
	f.db, f.broken = db, nil
	return nil
}
