package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/seal"
)

const (
	compactSuffix = ".compact"
	backupSuffix  = ".backup"
	salvageSuffix = ".salvage"

	// copyStep and copyBytes bound what one commit of a copy holds.
	copyStep  = 2048
	copyBytes = 1 << 20
	// fewChanges is how much may be left for the moment in which nobody else
	// commits, maxRounds how often a copy tries to get down to that.
	fewChanges = 256
	maxRounds  = 8
)

// removeCopies removes what a crash left of a Compact, Backup or Salvage.
func removeCopies(real string) error {
	for _, s := range []string{compactSuffix, backupSuffix, salvageSuffix} {
		if err := os.Remove(real + s); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// ErrKeepLog is returned by a Condense for which there is nothing to condense.
var ErrKeepLog = errors.New("the log is kept as it is")

// Condense gives, in their order, the events that stand for the whole log up
// to the state tx. It is called twice on one state and gives the same twice.
//
// ErrKeepLog from it says that the log is to be copied as it is.
type Condense func(tx *Tx, give func(body []byte) error) error

// Compact writes the journal into a fresh file and puts that in the place of
// the old one, while Update and View go on: they wait only for the last changes
// to be copied. Every record is opened, checked and sealed anew under the
// current key, and the chain of events is checked and continued under it: what
// was deleted, and what old keys sealed, is in the fresh file no more.
//
// With condense the events so far are replaced by what it gives, which must
// not be more; the numbers of later events stay. The last event before those
// kept, and its chain hash, are remembered in the file.
//
// A crash at any point leaves the old file or the whole fresh one. Errors:
// ErrDamaged, with the file as it was; seal.ErrKey, ErrClosed, ErrNotSynced,
// those of the file system, ctx.Err(). The disk must have room for both files.
func (f *File) Compact(ctx context.Context, condense Condense) error {
	if err := f.Ready(ctx); err != nil {
		return err
	}
	f.copying.Lock()
	defer f.copying.Unlock()
	ctx, cancel := f.untilClosed(ctx)
	defer cancel()
	c := &copier{from: f}
	err := c.compact(ctx, condense)
	if e := c.abandon(); err == nil {
		err = e
	}
	if err != nil {
		if errors.Is(context.Cause(ctx), ErrClosed) {
			err = ErrClosed
		}
		return fmt.Errorf("compact %s: %w", f.path, err)
	}
	return nil
}

// untilClosed returns a ctx that ends with Close, too.
func (f *File) untilClosed(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		select {
		case <-f.stop:
			cancel(ErrClosed)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// exclusively runs fn between two commits.
func (f *File) exclusively(ctx context.Context, fn func() error) error {
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
		return guard(fn)
	case <-f.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// touch notes a record that is put or deleted while a copy is made. Those of
// a commit that fails are noted for nothing.
func (f *File) touch(b Bucket, key []byte) {
	if f.dirty != nil && b != headers && b != events {
		f.dirty[string(place(b, key))] = struct{}{}
	}
}

func (f *File) step(name string) error {
	if f.opts.OnStep == nil {
		return nil
	}
	return f.opts.OnStep(name)
}

// hold begins a read of the newest state that outlives this call; the
// committer calls it, so that this state is synced. drop ends it.
func (f *File) hold() (tx *Tx, drop func(), err error) {
	f.mu.RLock()
	if f.db == nil {
		defer f.mu.RUnlock()
		if f.broken != nil {
			return nil, nil, f.broken
		}
		return nil, nil, ErrClosed
	}
	var btx *bolt.Tx
	err = guard(func() error {
		var err error
		btx, err = f.db.Begin(false)
		return err
	})
	if err != nil {
		f.mu.RUnlock()
		return nil, nil, err
	}
	return &Tx{f: f, tx: btx, over: f.synced.Load().over}, func() {
		_ = guard(btx.Rollback)
		f.mu.RUnlock()
	}, nil
}

// copier fills a fresh journal from one in use.
type copier struct {
	from *File
	to   *File // nil before it is made
	log  tail  // how far the old log is copied
	put  []change
	size int
}

// change is a record to be put or deleted, or an event to be logged.
type change struct {
	bucket     Bucket
	key, value []byte
	gone       bool
}

func (c *copier) compact(ctx context.Context, condense Condense) error {
	if err := os.Remove(c.from.real + compactSuffix); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := c.round(ctx, func(tx *Tx, _ map[string]struct{}) error { return c.first(ctx, tx, condense) }); err != nil {
		return err
	}
	if err := c.from.step("copied"); err != nil {
		return err
	}
	if err := c.to.VerifyLog(ctx); err != nil {
		return err
	}
	for range maxRounds {
		left := 0
		err := c.round(ctx, func(tx *Tx, dirty map[string]struct{}) error {
			left = len(dirty)
			return c.catchUp(ctx, tx, dirty)
		})
		if err != nil {
			return err
		}
		if left <= fewChanges {
			break
		}
	}
	if err := c.from.step("caught up"); err != nil {
		return err
	}
	return c.from.exclusively(ctx, func() error { return c.finish(ctx) })
}

// round runs fn on the newest state, with what was changed between the state
// of the last round and this one.
func (c *copier) round(ctx context.Context, fn func(*Tx, map[string]struct{}) error) error {
	var tx *Tx
	var drop func()
	var dirty map[string]struct{}
	err := c.from.exclusively(ctx, func() (err error) {
		dirty, c.from.dirty = c.from.dirty, map[string]struct{}{}
		tx, drop, err = c.from.hold()
		return err
	})
	if err != nil {
		return err
	}
	defer drop()
	return guard(func() error { return fn(tx, dirty) })
}

// first makes the fresh file and copies one state into it.
func (c *copier) first(ctx context.Context, tx *Tx, condense Condense) error {
	end, err := tx.tail()
	if err != nil {
		return err
	}
	h := c.from.head
	if c.from.opts.Keys != nil {
		if h.chain, err = c.from.opts.Keys.Current(); err != nil {
			return fmt.Errorf("%w: %w", seal.ErrKey, err)
		}
	}
	if condense != nil {
		n := uint64(0)
		err := condense(tx, func([]byte) error { n++; return nil })
		if errors.Is(err, ErrKeepLog) {
			return c.fill(ctx, tx, h, nil)
		}
		if err != nil {
			return err
		}
		if n > end.last {
			return fmt.Errorf("%d events cannot stand for %d", n, end.last)
		}
		h.base = tail{last: end.last - n, head: end.head}
	}
	return c.fill(ctx, tx, h, condense)
}

// fill makes the fresh file with header h and copies tx into it.
func (c *copier) fill(ctx context.Context, tx *Tx, h header, condense Condense) error {
	c.log = c.from.head.base
	if err := c.make(ctx, h); err != nil {
		return err
	}
	var err error
	if condense != nil {
		end, e := tx.tail()
		if e != nil {
			return e
		}
		c.log = tail{last: end.last, head: end.head}
		err = condense(tx, func(body []byte) error { return c.add(ctx, change{bucket: events, value: bytes.Clone(body)}) })
	} else {
		err = c.events(ctx, tx)
	}
	for _, b := range c.from.opts.Buckets {
		if err == nil {
			err = c.bucket(ctx, tx, b)
		}
	}
	if err != nil {
		return err
	}
	return c.flush(ctx)
}

// make creates the fresh file and opens it.
func (c *copier) make(ctx context.Context, h header) error {
	return c.makeAt(ctx, c.from.path+compactSuffix, c.from.real+compactSuffix, h)
}

func (c *copier) makeAt(ctx context.Context, path, real string, h header) error {
	fresh := newFile(path, real, c.from.opts)
	if err := fresh.createAt(fresh.real, h); err != nil {
		return err
	}
	c.to = fresh
	x, err := fresh.inspect()
	if err == nil {
		err = fresh.load(ctx, x)
	}
	if err != nil {
		return err
	}
	close(fresh.ready)
	return nil
}

// events copies those events that the fresh file lacks, and checks their chain.
func (c *copier) events(ctx context.Context, tx *Tx) error {
	end, err := tx.tail()
	if err != nil {
		return err
	}
	for c.log.last < end.last {
		n := c.log.last + 1
		v, err := tx.Get(events, eventKey(n))
		if err != nil {
			return err
		}
		if len(v) < chainSize {
			return &DamageError{events, eventKey(n), ErrDamaged}
		}
		c.log.head = c.from.link.next(c.log.head, n, v[chainSize:])
		if !bytes.Equal(c.log.head[:], v[:chainSize]) {
			return &DamageError{events, eventKey(n), fmt.Errorf("%w: the chain does not reach it", ErrDamaged)}
		}
		c.log.last = n
		if err := c.add(ctx, change{bucket: events, value: v[chainSize:]}); err != nil {
			return err
		}
	}
	if c.log.head != end.head {
		return &DamageError{headers, []byte("tail"), fmt.Errorf("%w: the log ends elsewhere", ErrDamaged)}
	}
	return nil
}

func (c *copier) bucket(ctx context.Context, tx *Tx, b Bucket) error {
	return tx.Scan(b, nil, nil, func(key, value []byte) (bool, error) {
		return true, c.add(ctx, change{bucket: b, key: bytes.Clone(key), value: value})
	})
}

// catchUp copies what was changed since the last round.
func (c *copier) catchUp(ctx context.Context, tx *Tx, dirty map[string]struct{}) error {
	if err := c.events(ctx, tx); err != nil {
		return err
	}
	for k := range dirty {
		b, key := Bucket(k[0]), []byte(k[1:])
		value, err := tx.Get(b, key)
		if err != nil {
			return err
		}
		if err := c.add(ctx, change{b, key, value, !tx.Has(b, key)}); err != nil {
			return err
		}
	}
	return c.flush(ctx)
}

func (c *copier) add(ctx context.Context, ch change) error {
	c.put = append(c.put, ch)
	if c.size += len(ch.key) + len(ch.value); len(c.put) < copyStep && c.size < copyBytes {
		return nil
	}
	return c.flush(ctx)
}

func (c *copier) flush(ctx context.Context) error {
	changes := c.put
	c.put, c.size = nil, 0
	if len(changes) == 0 {
		return nil
	}
	return c.to.Update(ctx, func(tx *Tx) error {
		for _, ch := range changes {
			if err := ch.apply(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

func (ch change) apply(tx *Tx) error {
	switch {
	case ch.bucket == events:
		_, err := tx.log(ch.value)
		return err
	case ch.gone:
		return tx.Delete(ch.bucket, ch.key)
	}
	return tx.Put(ch.bucket, ch.key, ch.value)
}

// finish copies the last changes and exchanges the files; nobody commits now.
func (c *copier) finish(ctx context.Context) error {
	f := c.from
	dirty := f.dirty
	tx, drop, err := f.hold()
	if err != nil {
		return err
	}
	err = guard(func() error { return c.catchUp(ctx, tx, dirty) })
	drop()
	if err != nil {
		return err
	}
	if err := c.close(); err != nil {
		return err
	}
	if err := f.step("closed"); err != nil {
		return err
	}
	return c.exchange()
}

// close ends the fresh file cleanly, all of it synced.
func (c *copier) close() error {
	c.to.end()
	return c.to.closeCleanly()
}

// exchange puts the fresh file in the old one's place. The old one is closed
// before, since some systems do not rename over an open file.
func (c *copier) exchange() error {
	f := c.from
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = fmt.Errorf("%w: it is being exchanged", ErrNotSynced)
	err := f.shut()
	if err == nil {
		err = os.Rename(c.to.real, f.real)
	}
	if err == nil {
		f.head.chain, f.head.base, f.head.check = c.to.head.chain, c.to.head.base, c.to.head.check
		f.box, f.link, f.filled = c.to.box, c.to.link, c.to.filled
		c.to = nil
		if err = errors.Join(f.remember(), f.syncFolder()); err != nil {
			// A power cut may bring the old file back: the next commit tries again.
			f.broken = fmt.Errorf("%w: %w", ErrNotSynced, err)
			return err
		}
	}
	if err == nil {
		err = f.step("renamed")
	}
	if e := f.takeUp(); e != nil {
		// The next commit tries again, after an examination.
		f.broken = fmt.Errorf("%w: %w", ErrNotSynced, e)
		return errors.Join(err, e)
	}
	return err
}

// takeUp opens the file that is in its place now. The caller holds mu.
func (f *File) takeUp() error {
	if f.db != nil {
		return nil
	}
	db, err := f.openDB(f.real)
	if err != nil {
		return err
	}
	err = guard(func() error { return db.View(f.adopt) })
	if err != nil {
		_ = closeDB(db)
		return err
	}
	f.db, f.broken = db, nil
	return nil
}

// abandon ends a copy that did not come to its end, and the noting of changes.
func (c *copier) abandon() error {
	err := c.from.exclusively(context.Background(), func() error {
		c.from.dirty = nil
		return nil
	})
	if errors.Is(err, ErrClosed) {
		err = nil
	}
	if c.to == nil {
		return err
	}
	return errors.Join(err, c.discard())
}

// discard ends the fresh file and removes it.
func (c *copier) discard() error {
	c.to.end()
	c.to.mu.Lock()
	_ = c.to.shut()
	c.to.mu.Unlock()
	return os.Remove(c.to.real)
}
