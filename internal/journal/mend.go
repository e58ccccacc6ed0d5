package journal

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/tallystick/tallystick/internal/boltfile"
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
	if err := f.inPlace(); err != nil {
		return err
	}
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
		s := *f.synced.Load()
		s.id = int64(btx.ID())
		if err := btx.Commit(); err != nil {
			return err
		}
		f.synced.Store(&s)
		return nil
	})
}

// rewriteMeta writes the newest meta page once more, as it is read, and syncs
// it, where it is of a commit that failed. After a failed sync a system may
// show a meta page that is not on the disk and never will be. The next commit
// overwrites the other one: cut short in that, it would leave neither, or an
// older one whose pages are in use again. A meta page that is known to be on
// the disk is not touched, for the same reason.
func (f *File) rewriteMeta() error {
	w, err := os.OpenFile(f.real, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.rewriteMetaIn(w), w.Close())
}

func (f *File) rewriteMetaIn(w *os.File) error {
	info, err := w.Stat()
	if err != nil {
		return err
	}
	file, err := boltfile.Open(w, info.Size())
	if err != nil {
		return translate(err)
	}
	m := file.Meta()
	if int64(m.Txid) <= f.synced.Load().id {
		return nil
	}
	b := make([]byte, pageSize)
	if _, err := w.ReadAt(b, m.Slot*pageSize); err != nil {
		return err
	}
	if err := f.writeAt(w, b, m.Slot*pageSize); err != nil {
		return err
	}
	return f.syncRaw(w)
}

// repairMeta puts the one wrong bit of a meta page right, before bbolt would
// take the page for one that a crash cut short.
func (f *File) repairMeta(m boltfile.Meta) error {
	if m.Repair == nil {
		return nil
	}
	w, err := os.OpenFile(f.real, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	err = f.writeAt(w, m.Repair, m.RepairAt())
	if err == nil {
		err = f.syncRaw(w)
	}
	return errors.Join(err, w.Close())
}
