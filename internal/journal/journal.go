// Package journal is the one bbolt file of a device: keyspaces of sealed
// records, an event log whose entries are chained, one committer that joins
// what all goroutines write into group commits, and a lock that holds where
// bbolt's own does not.
//
// What a nil error from Update promises: every write of its function is synced
// to the disk. What an error wrapping ErrNotSynced tells: the writes may or may
// not be on the disk; the file has been closed, opened and read anew since.
package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/tallystick/tallystick/internal/lock"
	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/internal/seal"
)

// Format is the number of the file format that this version writes.
const Format = 1

// pageSize is fixed: some Androids run with pages of 16 KiB, and a file must
// open wherever it is carried.
const pageSize = 4096

var (
	// ErrClosed is returned by every call after Close.
	ErrClosed = errors.New("journal is closed")
	// ErrNotSynced is wrapped by the error of a commit that failed: what it
	// held may or may not be kept.
	ErrNotSynced = errors.New("commit failed, it may or may not be kept")
	// ErrFormat is returned for a file that is not a journal or is one of a
	// newer format; it was not touched.
	ErrFormat = errors.New("not a journal of this format")
	// ErrDamaged is wrapped by the error for a record that fails its digest.
	ErrDamaged = seal.ErrDamaged
)

// Bucket is one keyspace.
type Bucket byte

const (
	headers Bucket = 'h'
	events  Bucket = 'e'
)

// Options of Open. The zero value holds the defaults.
type Options struct {
	// Keys seal the records; nil keeps digests only.
	Keys seal.Keys
	// Buckets are the caller's keyspaces; 'h' and 'e' are taken.
	Buckets []Bucket
	// MaxSize bounds the file in bytes. Default 1 GiB; 512 MiB where an
	// address has 32 bits, since larger maps do not fit there.
	MaxSize int64
	// LockWait bounds the wait for another opener to let go. Default 0: none.
	LockWait time.Duration
	// OnOpen is called with each database that is opened, before its use:
	// the fault tests take hold of the writes here.
	OnOpen func(*bolt.DB)
}

func (o Options) maxSize() int64 {
	limit := int64(1 << 30)
	if strconv.IntSize == 32 {
		limit = 512 << 20
	}
	if o.MaxSize > 0 && o.MaxSize < limit {
		return o.MaxSize
	}
	return limit
}

// File is an open journal. It is safe for concurrent use.
type File struct {
	path string
	opts Options
	lock *lock.Lock
	head header
	box  *seal.Box
	link linker

	mu     sync.RWMutex // held for writing while db is exchanged
	db     *bolt.DB
	broken error // the file could not be opened anew

	ops     chan *op
	stop    chan struct{}
	stopped chan struct{}
	closing sync.Once
}

// header is written once, when the file is made.
type header struct {
	format  uint64
	journal [16]byte
	chain   string // name of the key under which events are chained
}

// Open opens the journal at path, or makes it. An unclean end is followed by
// a walk over the whole event log. Errors: ErrFormat, ErrDamaged,
// *lock.HeldError, seal.ErrKey and those of the file system.
func Open(path string, o Options) (*File, error) {
	ctx, cancel := context.WithTimeout(context.Background(), o.LockWait)
	defer cancel()
	l, err := lock.Acquire(ctx, path+".lock")
	if err != nil {
		return nil, err
	}
	f := &File{
		path: path, opts: o, lock: l,
		ops:     make(chan *op, 256),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	if err := f.openLocked(); err != nil {
		f.shut()
		_ = l.Release()
		return nil, err
	}
	go f.commitLoop()
	return f, nil
}

func (f *File) openLocked() error {
	if _, err := os.Stat(f.path); errors.Is(err, os.ErrNotExist) {
		if err := f.create(); err != nil {
			return fmt.Errorf("create journal %s: %w", f.path, err)
		}
	} else if err != nil {
		return err
	}
	db, err := f.openDB(f.path)
	if err != nil {
		return err
	}
	f.db = db
	if err := f.readHeader(); err != nil {
		return err
	}
	clean, err := f.endedCleanly()
	if err != nil {
		return err
	}
	if !clean {
		return f.VerifyLog(context.Background())
	}
	return nil
}

// openDB opens the bbolt file behind path; a damaged file that makes bbolt
// panic becomes an error.
func (f *File) openDB(path string) (db *bolt.DB, err error) {
	err = guard(func() error {
		var err error
		db, err = bolt.Open(path, 0o600, &bolt.Options{
			PageSize:       pageSize,
			NoFreelistSync: true,
			FreelistType:   bolt.FreelistMapType,
			MaxSize:        int(f.opts.maxSize()),
			NoStatistics:   true,
			Timeout:        time.Second,
		})
		return err
	})
	switch {
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch),
		errors.Is(err, berrors.ErrChecksum):
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, path, err)
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.AllocSize = growStep
	if f.opts.OnOpen != nil {
		f.opts.OnOpen(db)
	}
	return db, nil
}

// create makes a fresh journal under a temporary name, closes it, gives it its
// own name and syncs the folder: a power cut leaves all of it or nothing.
func (f *File) create() error {
	tmp := f.path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	db, err := f.openDB(tmp)
	if err != nil {
		return err
	}
	if err := f.initialise(db); err != nil {
		_ = db.Close()
		_ = os.Remove(tmp)
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	if err := extend(tmp, firstSize); err != nil {
		_ = os.Remove(tmp)
		return err
	}
	if err := os.Rename(tmp, f.path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(f.path))
}

func (f *File) initialise(db *bolt.DB) error {
	h := header{format: Format}
	rand.Read(h.journal[:])
	if f.opts.Keys != nil {
		name, err := f.opts.Keys.Current()
		if err != nil {
			return fmt.Errorf("%w: %w", seal.ErrKey, err)
		}
		h.chain = name
	}
	if err := f.setHeader(h); err != nil {
		return err
	}
	return db.Update(func(btx *bolt.Tx) error {
		for _, b := range append([]Bucket{headers, events}, f.opts.Buckets...) {
			if _, err := btx.CreateBucket([]byte{byte(b)}); err != nil {
				return err
			}
		}
		var w record.Writer
		w.Uint(h.format)
		w.Bytes(h.journal[:])
		w.String(h.chain)
		sealed, err := headerBox().Seal(nil, w.B, []byte("header"))
		if err != nil {
			return err
		}
		if err := btx.Bucket([]byte{byte(headers)}).Put([]byte("header"), sealed); err != nil {
			return err
		}
		tx := &Tx{f: f, tx: btx}
		return tx.putTail(tail{clean: true})
	})
}

// headerBox guards the header, which must be readable before any key is known.
func headerBox() *seal.Box { return seal.New(nil, [16]byte{}) }

func (f *File) setHeader(h header) error {
	f.head = h
	f.box = seal.New(f.opts.Keys, h.journal)
	newHash, err := f.box.Chain(h.chain)
	if err != nil {
		return err
	}
	f.link = linker{newHash}
	return nil
}

func (f *File) readHeader() error {
	return f.view(func(btx *bolt.Tx) error {
		b := btx.Bucket([]byte{byte(headers)})
		if b == nil {
			return fmt.Errorf("%w: %s has no header", ErrFormat, f.path)
		}
		plain, err := headerBox().Open(b.Get([]byte("header")), []byte("header"))
		if err != nil {
			return fmt.Errorf("header of %s: %w", f.path, err)
		}
		r := record.NewReader(plain)
		var h header
		h.format = r.Uint()
		if h.format != Format {
			return fmt.Errorf("%w: %s has format %d, this version reads %d", ErrFormat, f.path, h.format, Format)
		}
		copy(h.journal[:], r.Bytes())
		h.chain = r.String()
		if err := r.Done(); err != nil {
			return fmt.Errorf("header of %s: %w", f.path, ErrDamaged)
		}
		for _, want := range f.opts.Buckets {
			if btx.Bucket([]byte{byte(want)}) == nil {
				return fmt.Errorf("%w: %s lacks keyspace %q", ErrFormat, f.path, want)
			}
		}
		return f.setHeader(h)
	})
}

func (f *File) endedCleanly() (clean bool, err error) {
	err = f.View(func(tx *Tx) error {
		t, err := tx.tail()
		clean = t.clean
		return err
	})
	return clean, err
}

// ID is the journal's own identity, drawn when the file was made.
func (f *File) ID() [16]byte { return f.head.journal }

// Path is the path that the journal was opened at.
func (f *File) Path() string { return f.path }

// Close commits what waits, leaves a clean end and gives the lock back.
// Calls under way end first; later ones get ErrClosed. It may be called twice.
func (f *File) Close() error {
	var err error
	f.closing.Do(func() {
		close(f.stop)
		<-f.stopped
		err = errors.Join(f.closeCleanly(), f.lock.Release())
	})
	return err
}

// closeCleanly writes the freelist and the mark of a clean end in one last
// commit, so that the next open scans nothing.
func (f *File) closeCleanly() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.db == nil {
		return f.broken
	}
	err := guard(func() error {
		f.db.NoFreelistSync = false
		return f.db.Update(func(btx *bolt.Tx) error {
			tx := &Tx{f: f, tx: btx}
			t, err := tx.tail()
			if err != nil {
				return err
			}
			t.clean = true
			return tx.putTail(t)
		})
	})
	return errors.Join(err, f.shut())
}

// shut closes the database. The caller holds mu or is alone.
func (f *File) shut() error {
	if f.db == nil {
		return nil
	}
	err := guard(f.db.Close)
	f.db = nil
	return err
}

// View runs fn on a state of the journal that holds synced commits only. fn
// must not call Update or View, and what it reads is its own.
func (f *File) View(fn func(*Tx) error) error {
	return f.view(func(btx *bolt.Tx) error { return fn(&Tx{f: f, tx: btx}) })
}

func (f *File) view(fn func(*bolt.Tx) error) error {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.db == nil {
		if f.broken != nil {
			return f.broken
		}
		return ErrClosed
	}
	return guard(func() error { return f.db.View(fn) })
}
