package journal

import (
	"errors"
	"os"
	"runtime"

	bolt "go.etcd.io/bbolt"
)

const (
	// firstSize is the size of a fresh file.
	firstSize = 1 << 20
	// growStep is how far the file is filled with zeros ahead of its use.
	growStep = 4 << 20
	// slack is the room that one group commit may need.
	slack = 512 << 10
)

// ensureRoom fills the file with real zeros before a commit would need them:
// a page written into allocated blocks costs its sync no metadata.
func (f *File) ensureRoom(btx *bolt.Tx) error {
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if btx.Size()+slack <= info.Size() {
		return nil
	}
	size := min(info.Size()+growStep, f.opts.maxSize())
	if size <= info.Size() {
		return nil
	}
	// The zeros are for speed alone: where the disk is too full for them the
	// commit itself says whether it still fits.
	_ = extend(f.path, size)
	return nil
}

// extend appends zeros to the file up to size and syncs them.
func extend(path string, size int64) error {
	w, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	info, err := w.Stat()
	if err == nil && info.Size() < size {
		zeros := make([]byte, 256<<10)
		for left := size - info.Size(); left > 0 && err == nil; {
			n := min(left, int64(len(zeros)))
			_, err = w.Write(zeros[:n])
			left -= n
		}
		if err == nil {
			err = w.Sync()
		}
	}
	return errors.Join(err, w.Close())
}

// syncDir makes a rename in dir durable, where the system has a way to ask.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
