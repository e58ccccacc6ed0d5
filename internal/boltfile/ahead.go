package boltfile

// aheadPages is how many pages are read at once: pages of one commit often lie
// one behind the other, and half of what a page costs is the call that reads it.
const aheadPages = 16

// ahead is a run of pages that was read at once.
type ahead struct {
	room        []byte
	first, next uint64 // the pages in it, none where they are the same
}

// read reads the page that the first of a branch's entries leads to, together
// with those of the next ones where they lie behind it. Where it cannot, it
// leaves each page to be read, and judged, alone.
func (a *ahead) read(f *File, es []element) {
	id := es[0].child
	if a.first <= id && id < a.next {
		return
	}
	a.first, a.next = 0, 0
	n := 1
	for n < min(len(es), aheadPages) && es[n].child == es[n-1].child+1 {
		n++
	}
	if n == 1 || id < 2 || id >= f.meta.High || id+uint64(n) > f.meta.High {
		return
	}
	if a.room == nil {
		a.room = make([]byte, aheadPages*PageSize)
	}
	if _, err := f.r.ReadAt(a.room[:n*PageSize], int64(id)*PageSize); err == nil {
		a.first, a.next = id, id+uint64(n)
	}
}

// from returns what was read from page id on, nil where it was not.
func (a *ahead) from(id uint64) []byte {
	if id < a.first || id >= a.next {
		return nil
	}
	return a.room[(id-a.first)*PageSize : (a.next-a.first)*PageSize]
}
