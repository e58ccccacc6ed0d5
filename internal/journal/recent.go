package journal

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/tidwall/btree"
	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/internal/seal"
)

// groups is the keyspace of what the commits since the newest checkpoint
// changed: one record a commit, whose key is the number of its transaction.
//
//	keyspace u8   key: length, bytes   1 gone, 0 put   put: value: length, bytes
//
// by keyspace, then by key, each once. One page is written for what would
// otherwise change a page in every keyspace.
const groups Bucket = 'g'

// recent is what was changed since the newest checkpoint, as it is now, by
// keyspace and key. What the file's keyspaces hold is older. A recent that was
// published does not change.
type recent struct {
	tree   *btree.Map[string, *item]
	size   int64 // of keys and values
	groups int   // how many group records hold it
}

// item is a record that was put, or one that is gone. Once it is published it
// does not change.
type item struct {
	value []byte
	gone  bool
	late  Encoder // gives value once it is asked for
	group uint64  // the number of the group that put it
	slot  int     // its place among what that group changed
}

func newRecent() *recent { return &recent{tree: btree.NewMap[string, *item](16)} }

// copy returns a recent that can be changed without changing r.
func (r *recent) copy() *recent { return &recent{r.tree.Copy(), r.size, r.groups} }

// set returns what was there before, nil where nothing was.
func (r *recent) set(key string, it *item) *item {
	old, replaced := r.tree.Set(key, it)
	r.size += int64(len(it.value))
	if replaced {
		r.size -= int64(len(old.value))
		return old
	}
	r.size += int64(len(key))
	return nil
}

// checkpointSize is how much may be recent before it goes to its keyspaces, and
// maxGroups in how many group records, whose keys are read with each commit.
func (o Options) checkpointSize() int64 { return min(2<<20, o.maxSize()/64) }

const maxGroups = 256

// write writes the group record into w.
func (g *group) write(w *record.Writer) {
	slices.SortFunc(g.changed, func(a, b placed) int { return cmp.Compare(a.key, b.key) })
	for _, c := range g.changed {
		w.Byte(c.key[0])
		w.String(c.key[1:])
		w.Bool(c.it.gone)
		if !c.it.gone {
			w.Bytes(c.it.value)
		}
	}
}

// eachChange calls fn with each change of a group record; what fn is given
// aliases plain. The error wraps ErrDamaged.
func eachChange(plain []byte, known []Bucket, fn func(change) error) error {
	rd := record.NewReader(plain)
	var last []byte
	for rd.More() {
		ch := change{bucket: Bucket(rd.Byte()), key: rd.Bytes(), gone: rd.Bool()}
		if !ch.gone {
			ch.value = rd.Bytes()
		}
		at := place(ch.bucket, ch.key)
		switch {
		case rd.Err() != nil, bytes.Compare(at, last) <= 0, len(ch.key) == 0, len(ch.key) > maxKey,
			len(ch.value) > MaxValue, !slices.Contains(known, ch.bucket):
			return fmt.Errorf("%w: what a commit changed is not readable", ErrDamaged)
		}
		last = at
		if err := fn(ch); err != nil {
			return err
		}
	}
	return nil
}

// take adds what a group record changed; plain is not used by others any more.
func (r *recent) take(plain []byte, known []Bucket) error {
	r.groups++
	return eachChange(plain, known, func(ch change) error {
		r.set(at(ch.bucket, ch.key), &item{value: ch.value, gone: ch.gone})
		return nil
	})
}

// known are the keyspaces whose records a group may change.
func (f *File) known() []Bucket { return append([]Bucket{events}, f.opts.Buckets...) }

// readRecent reads the group records of a state.
func (f *File) readRecent(btx *bolt.Tx) (*recent, error) {
	r, known := newRecent(), f.known()
	err := btx.Bucket([]byte{byte(groups)}).ForEach(func(key, sealed []byte) error {
		plain, err := f.box.Open(sealed, place(groups, key))
		if err == nil {
			err = r.take(plain, known)
		}
		if err != nil {
			return &DamageError{groups, key, err}
		}
		return nil
	})
	return r, err
}

// putGroup writes what the functions of a group changed: as one record, or,
// where much is recent, all that is recent to its keyspaces.
func (f *File) putGroup(btx *bolt.Tx, g *group) error {
	most := f.opts.checkpointSize()
	// Where room is scarce nothing is kept twice, and what is gone is freed.
	due := g.over.size > most || g.over.groups >= maxGroups || !g.admits()
	if due && (g.fits() || g.over.size > 4*most || g.put > MaxValue) {
		return f.checkpoint(btx, g)
	}
	g.over.groups++
	key := binary.BigEndian.AppendUint64(nil, uint64(btx.ID()))
	w := record.Writer{B: f.scratch.plain[:0]}
	g.write(&w)
	sealed, err := f.box.Seal(f.scratch.sealed[:0], w.B, place(groups, key))
	if err != nil {
		return err
	}
	f.scratch.plain, f.scratch.sealed = w.B, sealed
	g.sum.replace(nil, sealed)
	bk := btx.Bucket([]byte{byte(groups)})
	bk.FillPercent = 1.0
	return bk.Put(key, sealed)
}

// checkpoint writes all that is recent to its keyspaces and drops the group
// records, in the one transaction of a commit.
func (f *File) checkpoint(btx *bolt.Tx, g *group) error {
	_, _, _ = f.makeRoom(btx, 2*g.over.size+slack)
	if err := f.dropGroups(btx, g); err != nil {
		return err
	}
	var err error
	s := settler{f: f, btx: btx, g: g}
	g.over.tree.Scan(func(k string, it *item) bool {
		err = s.settle([]byte(k), it)
		return err == nil
	})
	g.over = newRecent()
	return err
}

// roomStep is how much room for sealed records is taken at a time.
const roomStep = 64 << 10

// settler writes what is recent to the keyspaces, in order.
type settler struct {
	f    *File
	btx  *bolt.Tx
	g    *group
	in   Bucket
	to   *bolt.Bucket
	last string // the last key that was in the keyspace before
	room []byte // for the sealed records, until they are written
}

func (s *settler) enter(b Bucket, first []byte) {
	s.in, s.to = b, s.btx.Bucket([]byte{byte(b)})
	last, _ := s.to.Cursor().Last()
	s.last = string(last)
	s.to.FillPercent = 0.8
	if string(first) > s.last {
		s.to.FillPercent = 1.0 // keys ascend: no page is written into again
	}
}

// settle writes the item at place, which is its keyspace and its key.
func (s *settler) settle(place []byte, it *item) error {
	b, key := Bucket(place[0]), place[1:]
	if b != s.in {
		s.enter(b, key)
	}
	var old []byte
	if string(key) <= s.last {
		old = s.to.Get(key)
	}
	if it.gone {
		if old == nil {
			return nil
		}
		s.g.sum.replace(old, nil)
		return s.to.Delete(key)
	}
	sealed, err := s.seal(it.value, place)
	if err != nil {
		return err
	}
	s.g.sum.replace(old, sealed)
	return s.to.Put(key, sealed)
}

// seal seals into room; what is there already stays where it is.
func (s *settler) seal(value, place []byte) ([]byte, error) {
	if need := len(value) + seal.Overhead; cap(s.room)-len(s.room) < need {
		s.room = make([]byte, 0, max(need, roomStep))
	}
	from := len(s.room)
	var err error
	s.room, err = s.f.box.Seal(s.room, value, place)
	return s.room[from:len(s.room):len(s.room)], err
}

func (f *File) dropGroups(btx *bolt.Tx, g *group) error {
	name := []byte{byte(groups)}
	err := btx.Bucket(name).ForEach(func(_, sealed []byte) error {
		g.sum.replace(sealed, nil)
		return nil
	})
	if err == nil {
		err = btx.DeleteBucket(name)
	}
	if err == nil {
		_, err = btx.CreateBucket(name)
	}
	return err
}

// lastCheckpoint writes what is recent to its keyspaces, outside the committer.
func (f *File) lastCheckpoint(btx *bolt.Tx) error {
	g := newGroup(f)
	if g.over.tree.Len() == 0 {
		return nil
	}
	if err := f.checkpoint(btx, g); err != nil {
		return err
	}
	return f.putGroupTail(btx, g)
}
