package journal

import (
	"context"
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

// load examines the file and, if it passes, has bbolt open it.
func (f *File) load(ctx context.Context, x *examination) error {
	defer x.close()
	if err := x.examine(ctx); err != nil {
		return err
	}
	// What gave the file its name may have ended before that was synced; what is
	// committed to a file whose name a power cut takes back is lost.
	if err := f.syncFolder(); err != nil {
		return err
	}
	if err := f.syncFile(); err != nil {
		return err
	}
	if err := f.repairMeta(x.file.Meta()); err != nil {
		return err
	}
	newest, err := f.listFree(x)
	if err != nil {
		return err
	}
	db, err := f.openDB(f.real)
	if err != nil {
		return err
	}
	err = guard(func() error {
		return db.View(func(btx *bolt.Tx) error {
			if uint64(btx.ID()) != newest {
				return fmt.Errorf("%w: %s changed while it was examined", ErrDamaged, f.path)
			}
			return f.adopt(btx)
		})
	})
	if err != nil {
		_ = closeDB(db)
		return err
	}
	f.db, f.filled = db, x.filled()
	return f.remember()
}

// syncFile has the state that was examined come to the disk before anything is
// written. A process that was killed may have left its newest meta page in this
// system's memory only, and what is written next goes to pages of the commit
// before it: a power cut in that would leave neither.
func (f *File) syncFile() error {
	w, err := os.OpenFile(f.real, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.syncRaw(w), w.Close())
}

// adopt takes the state of btx, which is on the disk, for the newest synced one.
func (f *File) adopt(btx *bolt.Tx) error {
	over, err := f.readRecent(btx)
	if err != nil {
		return err
	}
	t, err := (&Tx{f: f, tx: btx}).tail()
	if err == nil {
		f.synced.Store(&state{int64(btx.ID()), over, t})
	}
	return err
}
