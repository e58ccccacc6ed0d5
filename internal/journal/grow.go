package journal

import (
	"errors"
	"fmt"
	"os"

	bolt "go.etcd.io/bbolt"
)

const (
	// firstSize is the size of a fresh file: its first commits need no more.
	firstSize = 4 << 20
	// growStep is how far the file is filled with zeros ahead of its use.
	growStep = 4 << 20
	// slack is the room that one group commit may need besides what it puts.
	slack = 512 << 10
	// allocStep is how far bbolt itself grows the file where filling failed;
	// it never uses that much below MaxSize.
	allocStep = 64 << 10
)

// FullError says how much room is left, and that it is not enough for
// something new.
type FullError struct {
	Room    int64 // bytes left in the file
	Reserve int64 // bytes kept for what is not new
	Err     error // why the file could not be made larger; nil at MaxSize
}

func (e *FullError) Error() string {
	s := fmt.Sprintf("%v: %d bytes are left, %d are kept for answers and reversals", ErrFull, e.Room, e.Reserve)
	if e.Err != nil {
		return s + ": " + e.Err.Error()
	}
	return s
}

func (e *FullError) Unwrap() []error { return []error{ErrFull, e.Err} }

// Admit is called inside Update by a function that brings something new: it
// refuses with a *FullError once what is left must be kept for what is not.
// Free pages between others count by half, since larger records find no place
// in the small gaps, and for no more than half of what is kept. Settling,
// forgetting and Compact make room.
func (t *Tx) Admit() error {
	g := t.g
	if g == nil {
		return nil
	}
	if g.admits() {
		return nil
	}
	// What the group has put already has used up what the file had ahead of it.
	g.behind, g.among, g.growErr = t.f.makeRoom(t.tx, g.need()+slack)
	if g.admits() {
		return nil
	}
	return &FullError{Room: max(0, g.behind-g.need()) + g.among, Reserve: g.reserve, Err: g.growErr}
}

// need is the room that what is recent will take in its keyspaces and as a
// record of its group.
func (g *group) need() int64 { return 2*g.over.size + 2*g.put }

func (g *group) admits() bool {
	keep, behind := g.reserve+slack, g.behind-g.need()
	return behind >= keep || (behind >= keep/2 && behind+g.among/2 >= keep)
}

// fits tells whether what is recent finds room in its keyspaces.
func (g *group) fits() bool { return g.behind+g.among/2 >= g.need() }

// makeRoom fills the file with zeros ahead of a commit that puts about need
// bytes, and returns how many bytes are free behind its pages and among them.
// A page written into blocks that the file has already costs its sync no
// metadata, and cannot fail for want of space.
func (f *File) makeRoom(btx *bolt.Tx, need int64) (behind, among int64, err error) {
	used := btx.Size()
	f.filled = max(f.filled, used)
	// bbolt refuses to go further than this.
	limit := f.opts.maxSize() - allocStep - pageSize
	want := min(used+slack+f.opts.reserve()+need, limit)
	if f.filled < want {
		f.filled, err = f.fill(f.real, f.filled, min(max(want, f.filled+growStep), limit))
	}
	s := f.db.Stats()
	return max(0, min(f.filled, limit)-used), int64(s.FreePageN+s.PendingPageN) * pageSize, err
}

// fill writes zeros into the file from a point on, which must be behind all
// pages, and syncs them. It returns up to where it came.
func (f *File) fill(path string, from, to int64) (filled int64, err error) {
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return from, err
	}
	zeros := make([]byte, 256<<10)
	for from < to && err == nil {
		b := zeros[:min(to-from, int64(len(zeros)))]
		if err = f.opts.onWrite(b, from); err == nil {
			_, err = w.WriteAt(b, from)
		}
		if err == nil {
			from += int64(len(b))
		}
	}
	return from, errors.Join(err, f.syncRaw(w), w.Close())
}

// syncRaw syncs a file that is not open as a database.
func (f *File) syncRaw(w *os.File) error {
	if err := f.opts.onWrite(nil, 0); err != nil {
		return err
	}
	return w.Sync()
}

// filled tells up to where the file has blocks of its own: a hole behind its
// pages is no room on a full disk.
func (x *examination) filled() int64 {
	size := x.info.Size()
	if allocated(x.info) >= size {
		return size
	}
	return int64(x.file.Meta().High) * pageSize
}
