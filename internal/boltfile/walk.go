package boltfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync/atomic"
)

// Visit is called with each record: the bucket that it is in, its key and its
// value, which are valid during the call.
type Visit func(bucket, key, value []byte) error

// walker is one walk over a file.
type walker struct {
	f     *File
	ctx   context.Context
	visit Visit
	lost  func(error) error
	seen  bitmap
	level int
	room  [2*maxDepth + 4]struct { // by level, used again for each page there
		b  []byte
		es []element
	}
	ahead  ahead
	inside bool   // a bucket, whose leaves may lie in what was read ahead
	peek   []byte // room of height
}

// elements reads the entries of a page into the room of the current level.
func (w *walker) elements(p page) ([]element, error) {
	es, err := p.elementsInto(w.room[w.level].es)
	if err == nil {
		w.room[w.level].es = es
	}
	return es, err
}

// bitmap tells which pages were reached. It is safe for concurrent use.
type bitmap []atomic.Uint32

func (b bitmap) has(i uint64) bool { return b[i/32].Load()&(1<<(i%32)) != 0 }

// set tells whether i was set before.
func (b bitmap) set(i uint64) bool {
	bit := uint32(1) << (i % 32)
	return b[i/32].Or(bit)&bit != 0
}

// Walk calls visit with every record of every bucket, bucket by bucket in key
// order, and checks every page on the way and the list of free pages behind
// it. It ends with the first thing that is wrong: a *PageError, an error of
// visit, ctx.Err().
func (f *File) Walk(ctx context.Context, visit Visit) error {
	_, err := f.WalkFree(ctx, visit)
	return err
}

// WalkFree is Walk that returns what it has not reached, where the file passes.
func (f *File) WalkFree(ctx context.Context, visit Visit) (Free, error) {
	w := f.walker(ctx, visit, func(err error) error { return err })
	if err := w.buckets(); err != nil {
		return Free{}, err
	}
	return w.free()
}

// WalkRest is Walk over what is left of a damaged file: it calls lost with
// each thing that is wrong and goes on beside it. The list of free pages is
// not looked at. It returns which pages were reached, for Orphans.
func (f *File) WalkRest(ctx context.Context, visit Visit, lost func(error)) (reached func(page uint64) bool, err error) {
	w := f.walker(ctx, visit, func(err error) error {
		if errors.Is(err, ErrDamaged) {
			lost(err)
			return nil
		}
		return err
	})
	err = w.buckets()
	return func(id uint64) bool { return id < f.meta.High && w.seen.has(id) }, err
}

func (f *File) walker(ctx context.Context, visit Visit, lost func(error) error) *walker {
	return &walker{f: f, ctx: ctx, visit: visit, lost: lost, seen: make(bitmap, f.meta.High/32+1)}
}

// buckets walks the root bucket, whose entries are the buckets.
func (w *walker) buckets() error {
	return w.eachBucket(func(name []byte, root uint64, small page) error {
		if root == 0 {
			w.level++
			defer func() { w.level-- }()
			return w.leaf(small, nil, nil, w.record(name))
		}
		return w.tree(root, 0, nil, nil, w.record(name))
	})
}

// eachBucket calls fn with the root page of each bucket, or, where that is 0,
// with the page that a small bucket has of its own within the root bucket's.
func (w *walker) eachBucket(fn func(name []byte, root uint64, small page) error) error {
	return w.tree(w.f.meta.Root, 0, nil, nil, func(p page, e element) (err error) {
		if e.flags != bucketFlag || len(e.value) < 16 {
			return bad(p.id, "holds something else than buckets")
		}
		var small page
		root := binary.LittleEndian.Uint64(e.value)
		if root == 0 {
			if small, err = inline(p.id, e.value); err != nil {
				return err
			}
		}
		w.inside = true
		defer func() { w.inside = false }()
		return fn(e.key, root, small)
	})
}

func (w *walker) record(bucket []byte) func(page, element) error {
	return func(p page, e element) error {
		if e.flags != 0 {
			return bad(p.id, "holds a bucket within a bucket")
		}
		return w.visit(bucket, e.key, e.value)
	}
}

// tree walks the pages under id, whose keys are in [from, to); nil bounds
// nothing.
func (w *walker) tree(id uint64, depth int, from, to []byte, each func(page, element) error) error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	w.level++
	defer func() { w.level-- }()
	p, err := w.reach(id, depth)
	if err != nil {
		return w.lost(err)
	}
	if p.flags != flagBranch {
		return w.leaf(p, from, to, each)
	}
	es, err := w.branch(p, from, to)
	if err != nil {
		return w.lost(err)
	}
	for i, e := range es {
		if w.inside {
			w.ahead.read(w.f, es[i:])
		}
		if err := w.tree(e.child, depth+1, e.key, upTo(es, i, to), each); err != nil {
			return err
		}
	}
	return nil
}

// branch returns the entries of a branch page.
func (w *walker) branch(p page, from, to []byte) ([]element, error) {
	es, err := w.elements(p)
	if err == nil {
		err = checkRange(p, es, from, to)
	}
	if err == nil && len(es) == 0 {
		err = bad(p.id, "is a branch without entries")
	}
	return es, err
}

// upTo is the key that bounds what entry i of a branch leads to.
func upTo(es []element, i int, to []byte) []byte {
	if i+1 < len(es) {
		return es[i+1].key
	}
	return to
}

func (w *walker) leaf(p page, from, to []byte, each func(page, element) error) error {
	es, err := w.elements(p)
	if err == nil {
		err = checkRange(p, es, from, to)
	}
	if err != nil {
		if err = w.lost(err); err != nil {
			return err
		}
		es = p.loose()
	}
	for _, e := range es {
		if err := each(p, e); err != nil {
			if err = w.lost(err); err != nil {
				return err
			}
		}
	}
	return nil
}

// reach reads page id and marks it and its overflow as reached, once.
func (w *walker) reach(id uint64, depth int) (page, error) {
	if depth > maxDepth {
		return page{}, bad(id, "is deeper than any tree of this size")
	}
	p, err := w.page(id)
	if err != nil {
		return page{}, err
	}
	for i := id; i <= id+p.overflow; i++ {
		if w.seen.has(i) {
			return page{}, bad(i, "is reached twice")
		}
	}
	for i := id; i <= id+p.overflow; i++ {
		if w.seen.set(i) { // by another worker, since
			return page{}, bad(i, "is reached twice")
		}
	}
	return p, nil
}

// page reads page id. Inside a bucket a leaf may lie in what was read ahead, which
// holds until the next entry of the branch above it; a leaf of the root bucket
// has to hold while the buckets on it are walked.
func (w *walker) page(id uint64) (page, error) {
	if b := w.ahead.from(id); b != nil && w.inside {
		p, err := w.f.parse(id, b)
		if err != nil {
			return page{}, err
		}
		if size := int(p.overflow+1) * PageSize; p.flags != flagBranch && size <= len(b) {
			p.b = b[:size]
			return p, nil
		}
	}
	p, err := w.f.readInto(w.room[w.level].b, id)
	if err == nil {
		w.room[w.level].b = p.b
	}
	return p, err
}

func checkRange(p page, es []element, from, to []byte) error {
	if len(es) == 0 {
		return nil
	}
	if from != nil && bytes.Compare(es[0].key, from) < 0 {
		return bad(p.id, "begins before its place in the tree")
	}
	if to != nil && bytes.Compare(es[len(es)-1].key, to) >= 0 {
		return bad(p.id, "ends behind its place in the tree")
	}
	return nil
}

// free returns the pages that were not reached, once all were, and the list of
// free pages holds.
func (w *walker) free() (Free, error) {
	if err := w.freelist(); err != nil {
		return Free{}, err
	}
	return Free{w.f, w.seen}, nil
}

// freelist checks that the pages listed as free ascend and that none was
// reached: bbolt would write over them.
func (w *walker) freelist() error {
	m := w.f.meta
	if !m.HasFreelist() {
		return nil
	}
	p, ids, err := w.f.freelist()
	if err != nil {
		return err
	}
	for i := p.id; i <= p.id+p.overflow; i++ {
		if w.seen.has(i) {
			return bad(i, "is reached, and holds the list of free pages")
		}
		w.seen.set(i)
	}
	for _, id := range ids {
		if w.seen.has(id) {
			return bad(id, "is in use and listed as free")
		}
	}
	return nil
}

// freelist reads the list of free pages.
func (f *File) freelist() (page, []uint64, error) {
	p, err := f.read(f.meta.freelist)
	if err != nil {
		return page{}, nil, err
	}
	if p.flags != flagFreelist {
		return page{}, nil, bad(p.id, "is not the list of free pages (flags %#x)", p.flags)
	}
	b, n := p.b[pageHeader:], uint64(p.count)
	if n == 0xFFFF {
		n, b = binary.LittleEndian.Uint64(b), b[8:]
	}
	if n > uint64(len(b))/8 {
		return page{}, nil, bad(p.id, "cannot list %d free pages", n)
	}
	ids := make([]uint64, n)
	last := uint64(1)
	for i := range ids {
		ids[i] = binary.LittleEndian.Uint64(b[8*i:])
		if ids[i] <= last || ids[i] >= f.meta.High {
			return page{}, nil, bad(p.id, "lists free page %d out of order", i)
		}
		last = ids[i]
	}
	return p, ids, nil
}
