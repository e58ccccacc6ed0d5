// Package journal is the one bbolt file of a device: keyspaces of sealed
// records, an event log whose entries are chained, one committer that joins
// what all goroutines write into group commits, and a lock that holds where
// bbolt's own does not.
//
// A commit writes one group record of what it changed in all keyspaces. What the
// group records since the newest checkpoint hold is kept in memory, newest
// version only; a checkpoint, part of some commit, writes it to its keyspaces
// in order and drops the group records. Reading looks there first. The tail
// record, written by each commit, has the end of the event log and a sum over
// all records, group records among them.
//
// What a nil error from Update promises: every write of its function is synced
// to the disk. What an error wrapping ErrNotSynced tells: the writes may or may
// not be on the disk; the file has been closed, opened and read anew since.
package journal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/tallystick/tallystick/internal/lock"
	"github.com/tallystick/tallystick/internal/seal"
)

// Format is the number of the file format that this version writes. Format 1
// had no group records: every commit wrote to all keyspaces.
const Format = 2

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
	// ErrOldFormat is returned for a sound journal of an older format: Migrate
	// it, then open it again.
	ErrOldFormat = errors.New("the journal is of an older format")
	// ErrDamaged is wrapped by the error for a record that fails its digest and
	// for a file that fails its examination: Salvage gets out what is readable.
	ErrDamaged = seal.ErrDamaged
	// ErrFull is wrapped by the error of Tx.Admit when what is left of the file
	// and the disk is kept for what is not new, and by that of a commit for
	// which MaxSize leaves no room at all. Nothing was kept.
	ErrFull = errors.New("journal is full")
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
	// Buckets are the caller's keyspaces; 'h', 'e' and 'g' are taken.
	Buckets []Bucket
	// MaxSize bounds the file in bytes. Default 1 GiB; where an address has 32
	// bits 512 MiB, and no more, since larger maps do not fit there.
	MaxSize int64
	// LockWait bounds the wait for another opener to let go. Default 0: none.
	LockWait time.Duration
	// Reserve is the room in bytes that Tx.Admit keeps for what is not new:
	// answers and reversals. Default 2 MiB, at most a quarter of MaxSize.
	Reserve int64
	// ListFrom is the size in bytes from which on Open gives a file that was not
	// closed cleanly the list of its free pages. Default 16 MiB.
	ListFrom int64
	// Migrated says that the journal was migrated just now: the old file stays.
	Migrated bool
	// OnOpen is called with each database that is opened, before its use, and
	// OnWrite before each write, and with nil before each sync, that does not
	// go through a database; an error of OnWrite is then that write's. The
	// fault tests take hold of the file here.
	OnOpen  func(*bolt.DB)
	OnWrite func(b []byte, off int64) error
	// OnFolder is called before each sync of the journal's folder by Open,
	// Compact and what mends a failure; an error of it is that sync's.
	OnFolder func() error
	// OnStep is called between the steps of Compact; an error of it ends there.
	OnStep func(step string) error
}

func (o Options) maxSize() int64 {
	limit := int64(1 << 30)
	if strconv.IntSize == 32 {
		limit = 512 << 20
	}
	if o.MaxSize > 0 && (o.MaxSize < limit || strconv.IntSize == 64) {
		return o.MaxSize
	}
	return limit
}

func (o Options) reserve() int64 {
	r := int64(2 << 20)
	if o.Reserve > 0 {
		r = o.Reserve
	}
	return min(r, o.maxSize()/4)
}

func (o Options) onWrite(b []byte, off int64) error {
	if o.OnWrite == nil {
		return nil
	}
	return o.OnWrite(b, off)
}

// File is an open journal. It is safe for concurrent use.
type File struct {
	path  string      // what Open was given
	real  string      // the same without symlinks
	inode os.FileInfo // the file that is open
	opts  Options
	lock  *lock.Lock
	head  header
	box   *seal.Box
	link  linker

	ready   chan struct{} // closed when the file may be used, or never will
	refused error         // why it never will; set before ready is closed
	cancel  context.CancelFunc

	mu     sync.RWMutex // held for writing while db is exchanged
	db     *bolt.DB
	broken error // the file could not be opened anew

	scratch struct{ plain, sealed []byte } // of group records; the committer's
	filled  int64                          // the file has real blocks up to here; the committer's
	synced  atomic.Pointer[state]          // the newest commit that is synced
	current atomic.Pointer[commit]         // the newest commit that was begun

	copying sync.Mutex          // one Compact or Backup at a time
	dirty   map[string]struct{} // keyspace and key of what changed since a copy began; the committer's

	turn    chan struct{} // full while somebody commits, or copies between two commits
	last    int           // how many functions the newest commit joined; the committer's
	groups  uint64        // how many groups were begun; the committer's
	ops     chan *op      // wait for a turn that is not theirs
	stop    chan struct{} // closed when Close begins
	stopped chan struct{} // closed when nobody commits any more
	ending  sync.Once
	closing sync.Once
}

// header is written once, when the file is made.
type header struct {
	format  uint64
	journal [16]byte
	chain   string          // name of the key under which events are chained
	epoch   uint64          // 1, and one more with each restored copy
	copy    [16]byte        // drawn with each epoch but the first
	base    tail            // the last event before those that the file has
	check   [checkSize]byte // tells another key from damage
}

// sealedAs is what the records' seals are bound to: a record of another epoch
// does not open.
func (h header) sealedAs() [16]byte {
	if h.epoch == 1 {
		return h.journal
	}
	b := append(h.journal[:len(h.journal):len(h.journal)], h.copy[:]...)
	d := sha256.Sum256(binary.BigEndian.AppendUint64(b, h.epoch))
	return [16]byte(d[:16])
}

// Open opens the journal at path, or makes it with mode 0600.
//
// A file is examined before bbolt maps it, since a damaged one could take the
// process down: every page and its place, every record's digest, every event's
// link to the one before it. After an unclean end Open waits for that. After a
// clean one it returns once the file is known to be a journal of this format,
// and the examination goes on behind it: Update and View wait for its end and
// return its error, as Ready does. A large file that a crash left is given the
// list of its free pages, in a commit that changes nothing else.
//
// Errors: ErrFormat, ErrOldFormat, ErrDamaged, *lock.HeldError, seal.ErrKey and those of the
// file system. On any of them the file holds what it held; where it was not
// sound it was not written to.
func Open(path string, o Options) (*File, error) {
	real, err := resolve(path)
	if err != nil {
		return nil, err
	}
	l, err := acquire(real, o)
	if err != nil {
		return nil, err
	}
	f := newFile(path, real, o)
	f.lock = l
	if err := f.openLocked(); err != nil {
		_ = l.Release()
		return nil, err
	}
	return f, nil
}

func newFile(path, real string, o Options) *File {
	return &File{
		path: path, real: real, opts: o, cancel: func() {},
		ready:   make(chan struct{}),
		turn:    make(chan struct{}, 1),
		ops:     make(chan *op, 256),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
}

// resolve names one file by one path: its lock stands beside the file itself,
// not beside a symlink to it.
func resolve(path string) (string, error) {
	full, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(full)
	if errors.Is(err, os.ErrNotExist) {
		return full, nil
	}
	return real, err
}

func acquire(path string, o Options) (*lock.Lock, error) {
	ctx, cancel := context.WithTimeout(context.Background(), o.LockWait)
	defer cancel()
	return lock.Acquire(ctx, path+".lock")
}

func (f *File) openLocked() error {
	if err := finishSalvage(f.real); err != nil {
		return err
	}
	if err := removeCopies(f.real); err != nil {
		return err
	}
	if _, err := os.Stat(f.real); errors.Is(err, os.ErrNotExist) {
		if err := f.create(); err != nil {
			return fmt.Errorf("create journal %s: %w", f.path, err)
		}
	} else if err != nil {
		return err
	}
	x, err := f.inspect()
	if err != nil {
		return err
	}
	if f.head.format < Format {
		x.close()
		return fmt.Errorf("open %s: %w", f.path, ErrOldFormat)
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	if !x.endedCleanly() {
		if err := f.load(ctx, x); err != nil {
			cancel()
			return err
		}
		close(f.ready)
		return nil
	}
	go func() {
		if f.refused = f.load(ctx, x); f.refused == nil && !f.opts.Migrated {
			_ = DropMigrated(f.real) // it has been in use, and was closed cleanly
		}
		close(f.ready)
	}()
	return nil
}

// Ready waits until the journal may be used. It returns nil then, and
// otherwise what the examination found, ErrClosed or ctx.Err().
func (f *File) Ready(ctx context.Context) error {
	select {
	case <-f.ready:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-f.stop:
		return ErrClosed
	default:
		return f.refused
	}
}

// openDB has bbolt open the file at path; a panic in it becomes an error.
func (f *File) openDB(path string) (db *bolt.DB, err error) {
	err = guard(func() error {
		var err error
		db, err = bolt.Open(path, 0o600, &bolt.Options{
			PageSize:       pageSize,
			NoFreelistSync: true,
			FreelistType:   bolt.FreelistMapType,
			MaxSize:        int(f.opts.maxSize()),
			Timeout:        time.Second,
		})
		return err
	})
	if errors.Is(err, berrors.ErrTimeout) { // it is open elsewhere, as a bbolt file
		err = &lock.HeldError{Path: path}
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.path, err)
	}
	db.AllocSize = allocStep
	if f.opts.OnOpen != nil {
		f.opts.OnOpen(db)
	}
	return db, nil
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
		f.cancel()
		<-f.ready
		f.end()
		f.copying.Lock() // what copies the journal has seen stop
		defer f.copying.Unlock()
		err = errors.Join(f.closeCleanly(), f.lock.Release())
	})
	return err
}

// closeCleanly writes what is recent to its keyspaces, and the list of free
// pages, in one last commit. The list is what marks a clean end, since no other
// commit writes it, and spares the next open the search for free pages.
func (f *File) closeCleanly() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.db == nil {
		return f.broken
	}
	if err := f.inPlace(); err != nil {
		return errors.Join(fmt.Errorf("%w: %w", ErrNotSynced, err), f.shut())
	}
	f.db.NoFreelistSync = false
	err := guard(func() error { return f.db.Update(f.lastCheckpoint) })
	if errors.Is(err, berrors.ErrMaxSizeReached) { // what is recent stays so
		err = guard(func() error { return f.db.Update(func(*bolt.Tx) error { return nil }) })
	}
	return errors.Join(err, f.shut())
}

// shut closes the database. The caller holds mu or is alone.
func (f *File) shut() error {
	if f.db == nil {
		return nil
	}
	err := closeDB(f.db)
	f.db = nil
	return err
}

// closeDB closes db. A panic inside bbolt can have left its locks held: such a
// database is abandoned rather than waited for.
func closeDB(db *bolt.DB) error {
	done := make(chan error, 1)
	go func() { done <- guard(db.Close) }()
	patience := time.NewTimer(2 * time.Second)
	defer patience.Stop()
	select {
	case err := <-done:
		return err
	case <-patience.C:
		return errors.New("bbolt does not close the file: it is given up until the process ends")
	}
}

// View runs fn on a state of the journal that holds synced commits only. fn
// must not call Update or View, and what it reads is its own. Errors of its
// own: ErrClosed, ErrNotSynced while the file cannot be opened anew, and what
// the examination found.
func (f *File) View(fn func(*Tx) error) error {
	if err := f.Ready(context.Background()); err != nil {
		return err
	}
	for {
		if again, err := f.viewOnce(fn); !again {
			return err
		}
		runtime.Gosched()
	}
}

// viewOnce runs fn on the newest state. bbolt shows a commit from the moment
// that its meta page is written, before that is synced: such a state is shown
// once it is synced, or not at all and the caller begins anew.
func (f *File) viewOnce(fn func(*Tx) error) (again bool, err error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.db == nil {
		if f.broken != nil {
			return false, f.broken
		}
		return false, ErrClosed
	}
	err = guard(func() error {
		s := f.synced.Load()
		btx, err := f.db.Begin(false)
		if err != nil {
			return err
		}
		defer func() { _ = btx.Rollback() }()
		if int64(btx.ID()) > s.id {
			<-f.current.Load().done
			s = f.synced.Load()
		}
		if again = int64(btx.ID()) != s.id; again {
			return nil
		}
		return fn(&Tx{f: f, tx: btx, over: s.over})
	})
	return again, err
}

// guard turns a panic or a memory fault inside fn, which bbolt can raise on a
// damaged file, into an error.
func guard(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrDamaged, p)
		}
	}()
	return fn()
}
