package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// afterFailure closes the file and tries at once to open it anew (I7). Until
// that succeeds nothing is accepted.
func (f *File) afterFailure(cause error) error {
	f.mu.Lock()
	_ = f.shut()
	f.broken = fmt.Errorf("%w: %w", ErrNotSynced, cause)
	f.mu.Unlock()
	_ = f.mend()
	return fmt.Errorf("%w: %w", ErrNotSynced, cause)
}

// mend opens a file anew that was closed after a failure: what is in doubt is
// written and synced once more, all is examined, and one commit proves that
// the file takes writes.
func (f *File) mend() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.db != nil {
		return nil
	}
	if err := f.reopen(); err != nil {
		_ = f.shut()
		f.broken = fmt.Errorf("%w: %w", ErrNotSynced, err)
		return f.broken
	}
	f.broken = nil
	return nil
}

func (f *File) reopen() error {
	if err := f.rewriteMeta(); err != nil {
		return err
	}
	x, err := f.inspect()
	if err != nil {
		return err
	}
	if err := f.load(context.Background(), x); err != nil {
		return err
	}
	return guard(func() error {
		btx, err := f.db.Begin(true)
		if err != nil {
			return err
		}
		id := int64(btx.ID())
		if err := btx.Commit(); err != nil {
			return err
		}
		f.synced.Store(id)
		return nil
	})
}

// rewriteMeta writes both meta pages as they are read and syncs them. After a
// failed sync a system may show a meta page that is not on the disk and never
// will be: a commit on top of it would overwrite the only one that is, beside
// an older one whose pages are in use again.
func (f *File) rewriteMeta() error {
	w, err := os.OpenFile(f.real, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	b := make([]byte, 2*pageSize)
	_, err = w.ReadAt(b, 0)
	if errors.Is(err, io.EOF) {
		err = nil // too short for a journal: the examination says so
		b = nil
	}
	if err == nil && b != nil {
		if err = f.opts.onWrite(b, 0); err == nil {
			_, err = w.WriteAt(b, 0)
		}
	}
	if err == nil {
		err = f.syncRaw(w)
	}
	return errors.Join(err, w.Close())
}
