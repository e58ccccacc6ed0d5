package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/journal"
	"github.com/tallystick/tallystick/queue"
)

// File is the embedded Engine: one bbolt file of mode 0600 and a lock file
// beside it. What many goroutines write at once is synced by one commit. It is
// safe for concurrent use.
type File struct{ f *journal.File }

// FileOptions of OpenFile. The zero value, or nil, holds the defaults; OpenFile
// does not write to it.
type FileOptions struct {
	// Unsealed allows nil Keys: records then carry digests, not seals, and
	// anyone who reads the file reads what is in it.
	Unsealed bool
	// LockWait bounds the wait for another opener to close the ledger. Default:
	// no wait.
	LockWait time.Duration
	// MaxSize bounds the file in bytes. Default 1 GiB; where an address has 32
	// bits never more than 512 MiB. An entry takes about 1 kB.
	MaxSize int64

	onOpen func(*bolt.DB) // the fault tests take hold of the file here
}

// OpenFile opens the ledger's file at path, or makes it. The whole file is
// examined before it is used: after an unclean end OpenFile waits for that,
// after a clean one the first transaction does.
//
// Errors: ErrHeld, ErrFormat, ErrDamaged, queue.ErrKey, one that says so for
// nil keys without Unsealed, and those of the file system. On any error the
// file is as it was.
func OpenFile(path string, keys queue.Keys, o *FileOptions) (*File, error) {
	jo, err := o.store(keys)
	if err != nil {
		return nil, err
	}
	f, err := journal.Open(path, jo)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return &File{f}, nil
}

func (o *FileOptions) store(keys queue.Keys) (journal.Options, error) {
	if o == nil {
		o = &FileOptions{}
	}
	jo := journal.Options{MaxSize: o.MaxSize, LockWait: o.LockWait, OnOpen: o.onOpen}
	for _, s := range []byte(spaces) {
		jo.Buckets = append(jo.Buckets, journal.Bucket(s))
	}
	switch {
	case keys != nil:
		jo.Keys = keys
	case !o.Unsealed:
		return jo, errors.New("a ledger needs keys, or FileOptions.Unsealed")
	}
	return jo, nil
}

// Backup writes one synced state of the ledger to w while it is in use, sealed as
// the file is. Attachments are files of their own, to be copied beside it.
//
// Errors: those of w and of the file system, ErrDamaged, ErrClosed, ctx.Err().
// What w got is then no backup, and RestoreFile refuses it.
func (e *File) Backup(ctx context.Context, w io.Writer) error {
	return e.f.Backup(ctx, w, func() []byte { return nil })
}

// RestoreFile makes a ledger's file at path, where nothing may be, from a backup.
// What devices were answered since the backup is not in it: each finds that out
// by comparing itself (reconcile.Incomplete) and tells it again.
//
// Errors: those of OpenFile, ErrDamaged for a backup that is cut short or
// changed, os.ErrExist, those of r, ctx.Err(). Nothing is then at path.
func RestoreFile(ctx context.Context, path string, r io.Reader, keys queue.Keys, o *FileOptions) error {
	jo, err := o.store(keys)
	if err != nil {
		return err
	}
	_, err = journal.Restore(ctx, path, r, jo)
	return err
}

// Update runs fn within a commit that several callers share.
func (e *File) Update(ctx context.Context, fn func(Tx) error) error {
	return e.f.Update(ctx, func(t *journal.Tx) error { return fn(fileTx{t}) })
}

// View runs fn on the newest synced state.
func (e *File) View(ctx context.Context, fn func(Tx) error) error {
	if err := e.f.Ready(ctx); err != nil {
		return err
	}
	return e.f.View(func(t *journal.Tx) error { return fn(fileTx{t}) })
}

// Close ends the engine cleanly and gives its lock back. It may be called more
// than once.
func (e *File) Close() error { return e.f.Close() }

type fileTx struct{ t *journal.Tx }

func split(key []byte) (journal.Bucket, []byte) { return journal.Bucket(key[0]), key[1:] }

func (t fileTx) Get(key []byte) ([]byte, error) { return t.t.Get(split(key)) }

func (t fileTx) Put(key, value []byte) error {
	b, k := split(key)
	return t.t.Put(b, k, value)
}

func (t fileTx) Delete(key []byte) error { return t.t.Delete(split(key)) }

func (t fileTx) Admit() error { return t.t.Admit() }

func (t fileTx) Scan(prefix, from []byte, fn func(key, value []byte) (bool, error)) error {
	b, p := split(prefix)
	if len(from) > 0 {
		if from[0] > prefix[0] {
			return nil
		}
		from = from[1:]
	}
	return t.t.Scan(b, p, from, func(k, v []byte) (bool, error) {
		return fn(append([]byte{byte(b)}, k...), v)
	})
}
