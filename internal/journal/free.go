package journal

import (
	"errors"
	"os"

	"github.com/tallystick/tallystick/internal/boltfile"
)

// listFrom is the size from which on a file that was not closed cleanly is given
// the list of its free pages before bbolt opens it. To find them bbolt walks the
// whole file, which the examination has just done; in a small one that costs
// less than the two syncs of a commit.
func (o Options) listFrom() int64 {
	if o.ListFrom > 0 {
		return o.ListFrom
	}
	return 16 << 20
}

// listFree adds that list, in a commit of its own, and returns the number of the
// newest commit. Where the list cannot be written the file stays as it was. A
// list whose session ended before its first commit is synced once more: what
// failed then may have left it in this system's memory only. Where a commit was
// begun behind it, it had come to the disk.
func (f *File) listFree(x *examination) (newest uint64, err error) {
	m := x.file.Meta()
	if !m.Listed && int64(m.High)*pageSize < f.opts.listFrom() {
		return m.Txid, nil
	}
	list, ok := x.free.List()
	if !ok {
		return m.Txid, nil
	}
	w, err := os.OpenFile(f.real, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	newest, err = f.putList(w, m.Txid, list)
	return newest, errors.Join(err, w.Close())
}

func (f *File) putList(w *os.File, newest uint64, list boltfile.FreeList) (uint64, error) {
	if len(list.Pages) > 0 {
		if err := f.writeAt(w, list.Pages, list.PagesAt); err != nil {
			return newest, nil // a full disk: what comes may yet find room
		}
		if err := f.syncRaw(w); err != nil {
			return 0, err
		}
	}
	if err := f.writeAt(w, list.Meta, list.MetaAt); err != nil {
		return 0, err
	}
	return list.Txid, f.syncRaw(w)
}

func (f *File) writeAt(w *os.File, b []byte, off int64) error {
	err := f.opts.onWrite(b, off)
	if err == nil {
		_, err = w.WriteAt(b, off)
	}
	return err
}
