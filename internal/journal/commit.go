package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

const (
	// maxGroup bounds how many functions one commit joins.
	maxGroup = 1024
	// linger is how long a commit waits for those that the last one has just
	// answered, where it had answered several.
	linger = 50 * time.Microsecond
	// maxSpins ends the wait where the clock stands still, as in a test.
	maxSpins = 2000
)

// op is one caller's function on its way through a group commit.
type op struct {
	fn    func(*Tx) error
	state atomic.Int32 // waiting, then taken or withdrawn
	err   error
	done  chan struct{}
}

const (
	waiting int32 = iota
	taken
	withdrawn
)

func (o *op) take() bool     { return o.state.CompareAndSwap(waiting, taken) }
func (o *op) withdraw() bool { return o.state.CompareAndSwap(waiting, withdrawn) }

// commit is one bbolt commit; done is closed when its outcome is known.
type commit struct{ done chan struct{} }

// Update runs fn inside a group commit and returns once what it wrote is
// synced. fn may run several times and must change nothing but the Tx; when it
// returns an error nothing of it is kept and Update returns that error. fn
// must not call Update or View. A ctx that ends before the commit begins
// withdraws fn; after that Update waits for the commit's end, whatever ctx
// says. Errors of its own: ErrClosed, ErrNotSynced, ErrFull, what the
// examination found, ctx.Err(); with all but ErrNotSynced nothing was kept.
func (f *File) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := f.Ready(ctx); err != nil {
		return err
	}
	o := &op{fn: fn, done: make(chan struct{})}
	select {
	case f.turn <- struct{}{}: // nobody commits: no other goroutine is needed
		f.lead(o)
		return o.err
	default:
	}
	ops := f.ops
	for {
		select {
		case ops <- o:
			ops = nil
		case f.turn <- struct{}{}:
			if ops != nil {
				f.lead(o)
				return o.err
			}
			f.lead(nil)
		case <-o.done:
			return o.err
		case <-ctx.Done():
			if ops != nil || o.withdraw() {
				return ctx.Err()
			}
			<-o.done
			return o.err
		case <-f.stopped:
			// What waited was committed before that, or never taken.
			select {
			case <-o.done:
				return o.err
			default:
				return ErrClosed
			}
		}
	}
}

// lead commits what waits, and first before it. The caller has the turn, which
// lead gives back.
func (f *File) lead(first *op) {
	defer func() { <-f.turn }()
	if group := f.collect(first); len(group) > 0 {
		f.last = len(group)
		f.commitGroup(group)
	}
}

// end commits what waits and takes the turn for good.
func (f *File) end() {
	f.ending.Do(func() {
		f.turn <- struct{}{}
		defer close(f.stopped)
		for {
			select {
			case o := <-f.ops:
				if o.take() {
					f.commitGroup([]*op{o})
				}
			default:
				return
			}
		}
	})
}

// collect takes what waits; after a group of several it lingers for as many as
// that one answered and those that waited meanwhile.
func (f *File) collect(first *op) []*op {
	var group []*op
	if first != nil && first.take() {
		group = append(group, first)
	}
	want := 1
	if f.last > 1 {
		want = f.last + len(f.ops)
	}
	var until time.Time
	for spins := 0; len(group) < maxGroup && spins < maxSpins; {
		select {
		case o := <-f.ops:
			if o.take() {
				group = append(group, o)
			}
			continue
		default:
		}
		if len(group) >= want {
			break
		}
		spins++
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
func (f *File) tryCommit(ops []*op) (failed *op, err error) {
	if err := f.mend(); err != nil {
		return nil, err
	}
	var btx *bolt.Tx
	err = guard(func() error {
		var err error
		if btx, err = f.db.Begin(true); err != nil {
			return err
		}
		g := newGroup(f)
		// The zeros are for speed and for Admit: where the disk is too full for
		// them the commit itself says whether it still fits.
		g.behind, g.among, g.growErr = f.makeRoom(btx, g.need())
		wrote := false
		for _, o := range ops {
			tx := &Tx{f: f, tx: btx, g: g}
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
		return f.finish(btx, g)
	})
	if err != nil && btx != nil {
		// A transaction left open by a panic would block Close for ever.
		_ = guard(btx.Rollback)
	}
	if failed != nil && err == nil {
		return failed, nil
	}
	if err != nil {
		for _, o := range ops {
			o.err = nil
		}
		if errors.Is(err, ErrFull) {
			return nil, err // before the first write: the file is as it was
		}
		return nil, f.afterFailure(err)
	}
	return nil, nil
}

// finish commits what the functions of a group wrote.
func (f *File) finish(btx *bolt.Tx, g *group) error {
	if err := g.encodeAll(); err != nil {
		return err
	}
	if err := f.putGroup(btx, g); err != nil {
		return err
	}
	if err := f.putGroupTail(btx, g); err != nil {
		return err
	}
	if 4*g.put > slack {
		_, _, _ = f.makeRoom(btx, 4*g.put)
	}
	c := &commit{done: make(chan struct{})}
	defer close(c.done)
	f.current.Store(c)
	if err := f.inPlace(); err != nil {
		return err
	}
	id := int64(btx.ID())
	err := btx.Commit()
	switch {
	case errors.Is(err, berrors.ErrMaxSizeReached):
		return fmt.Errorf("%w: %w", ErrFull, err)
	case err == nil:
		f.synced.Store(&state{id, g.over, g.tail})
	}
	return err
}

func (f *File) putGroupTail(btx *bolt.Tx, g *group) error {
	for i := range g.tail.sum {
		g.tail.sum[i] += g.sum[i]
	}
	return (&Tx{f: f, tx: btx}).putTail(g.tail)
}

// state is a synced state of the file.
type state struct {
	id   int64 // the number of its commit
	over *recent
	tail tail
}

// group is what the functions of one commit share.
type group struct {
	over    *recent // what is recent, with what the group changes
	number  uint64  // tells its items from those of others
	changed []placed
	put     int64 // bytes of keys and values that the group put
	kept    any   // Tx.Kept

	tail  tail     // the end of the log so far
	links chainer  // of events
	sum   checksum // what the group changes of the sum of all records

	behind  int64 // bytes free behind the file's pages when the commit began
	among   int64 // and among them
	reserve int64
	growErr error
}

func newGroup(f *File) *group {
	s := f.synced.Load()
	f.groups++
	return &group{over: s.over.copy(), number: f.groups, tail: s.tail, reserve: f.opts.reserve()}
}

// placed is an item and where it is.
type placed struct {
	key string
	it  *item
}

func (g *group) set(key string, it *item) {
	it.group, it.slot = g.number, len(g.changed)
	if old := g.over.set(key, it); old != nil && old.group == g.number {
		it.slot = old.slot
		g.changed[it.slot].it = it
	} else {
		g.changed = append(g.changed, placed{key, it})
	}
	g.put += int64(len(key) + len(it.value))
}

// encode gives an item of this group its value.
func (g *group) encode(b Bucket, it *item) error {
	if it.late == nil {
		return nil
	}
	it.value, it.late = it.late.Encode(), nil
	n := len(it.value)
	g.over.size += int64(n)
	g.put += int64(n)
	return checkLength(b, n)
}

func (g *group) encodeAll() error {
	for _, c := range g.changed {
		if err := g.encode(Bucket(c.key[0]), c.it); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) next(l linker, prev [chainSize]byte, n uint64, body []byte) [chainSize]byte {
	if g.links.hash == nil {
		g.links = l.chainer()
	}
	return g.links.next(prev, n, body)
}
