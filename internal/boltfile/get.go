package boltfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"sort"
)

// Get returns the record at key of a bucket, nil when either is not there. It
// checks the pages on the way, not those beside it: what it returns needs a
// digest of its own.
func (f *File) Get(bucket, key []byte) ([]byte, error) {
	e, ok, err := f.seek(f.meta.Root, bucket)
	if err != nil || !ok {
		return nil, err
	}
	if e.flags != bucketFlag || len(e.value) < 16 {
		return nil, bad(f.meta.Root, "holds something else than buckets")
	}
	root := binary.LittleEndian.Uint64(e.value)
	if root != 0 {
		e, ok, err = f.seek(root, key)
	} else {
		var p page
		if p, err = inline(f.meta.Root, e.value); err == nil {
			e, ok, err = p.find(key)
		}
	}
	if err != nil || !ok {
		return nil, err
	}
	return e.value, nil
}

// Buckets returns the names of the buckets. The error wraps ErrDamaged or is
// the reader's.
func (f *File) Buckets() (names [][]byte, err error) {
	w := f.walker(context.Background(), nil, func(err error) error { return err })
	err = w.tree(f.meta.Root, 0, nil, nil, func(p page, e element) error {
		names = append(names, bytes.Clone(e.key))
		return nil
	})
	return names, err
}

func (f *File) seek(id uint64, key []byte) (element, bool, error) {
	for range maxDepth {
		p, err := f.read(id)
		if err != nil {
			return element{}, false, err
		}
		if p.flags != flagBranch {
			return p.find(key)
		}
		es, err := p.elements()
		if err != nil {
			return element{}, false, err
		}
		i := sort.Search(len(es), func(i int) bool { return bytes.Compare(es[i].key, key) > 0 })
		if i == 0 {
			return element{}, false, nil
		}
		id = es[i-1].child
	}
	return element{}, false, bad(id, "is deeper than any tree of this size")
}

func (p page) find(key []byte) (element, bool, error) {
	es, err := p.elements()
	if err != nil {
		return element{}, false, err
	}
	i := sort.Search(len(es), func(i int) bool { return bytes.Compare(es[i].key, key) >= 0 })
	if i == len(es) || !bytes.Equal(es[i].key, key) {
		return element{}, false, nil
	}
	return es[i], true, nil
}

// Orphans calls visit with every record on pages that are not reached: what
// older commits left behind, and what hangs under a page that is damaged. Which
// bucket they are from is not known, and what looks like a record need not be
// one: a digest of its own has to tell. It reads up to the end of the file.
func (f *File) Orphans(ctx context.Context, reached func(page uint64) bool, visit func(key, value []byte) error) error {
	for id := uint64(2); id < uint64(f.size)/PageSize; id++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if reached(id) {
			continue
		}
		p := f.readLoose(id)
		if p.flags == flagBranch || p.flags == flagFreelist {
			continue
		}
		if err := orphans(p, visit); err != nil {
			return err
		}
	}
	return nil
}

// readLoose reads page id whatever its header says, with its overflow where
// that can be. A page that cannot be read is empty.
func (f *File) readLoose(id uint64) page {
	all := &File{r: f.r, size: f.size, meta: Meta{High: uint64(f.size) / PageSize}}
	if p, err := all.read(id); err == nil {
		return p
	}
	b := make([]byte, PageSize)
	if _, err := f.r.ReadAt(b, int64(id)*PageSize); err != nil {
		return page{id: id}
	}
	return page{id: id, b: b, flags: binary.LittleEndian.Uint16(b[8:]), count: int(binary.LittleEndian.Uint16(b[10:]))}
}

// orphans visits the records of one page, and those of small buckets on it.
func orphans(p page, visit func(key, value []byte) error) error {
	for _, e := range p.loose() {
		if e.flags == bucketFlag {
			if inner, err := inline(p.id, e.value); err == nil {
				if err := orphans(inner, visit); err != nil {
					return err
				}
			}
		}
		if err := visit(e.key, e.value); err != nil {
			return err
		}
	}
	return nil
}
