// Package boltfile reads a bbolt file without mapping it. A damaged bbolt file
// can panic, hang or kill the process that maps it; this package reads it page
// by page with ReadAt, checks every page before it believes one, and takes
// memory in proportion to what it has found to be there.
//
// A file that Walk passes cannot make bbolt panic: every page that bbolt would
// reach is in the file, is of the kind that it is reached as, is reached once,
// holds its keys in order, and is not listed as free.
//
// The layout, little-endian as all our platforms write it:
//
//	page    0 id u64   8 flags u16   10 count u16   12 overflow u32   16 …
//	meta    0 magic u32   4 version u32   8 page size u32   12 flags u32   16 root u64
//	        24 sequence u64, the txid where FreeList wrote the page   32 freelist u64   40 high water u64   48 txid u64   56 FNV-64a of 0..55
//	branch  0 position u32   4 key size u32   8 page u64
//	leaf    0 flags u32   4 position u32   8 key size u32   12 value size u32
//	bucket  0 root u64   8 sequence u64   16 the page, where root is 0
package boltfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
)

// PageSize is the only page size that is read: journals are written with it
// everywhere.
const PageSize = 4096

const (
	magic   = 0xED0CDAED
	version = 2

	flagBranch   = 0x01
	flagLeaf     = 0x02
	flagMeta     = 0x04
	flagFreelist = 0x10

	pageHeader = 16
	metaSize   = 64
	noFreelist = ^uint64(0)

	// maxOverflow bounds the pages behind a page: bbolt keeps up to four
	// records of any size on one, and a journal's, of what a commit changed,
	// has less than 8 MiB.
	maxOverflow = 8192
	// maxDepth bounds a tree. Two keys a page would still hold 2^24 pages.
	maxDepth = 24
)

var (
	// ErrNotBolt means that neither of the first two pages claims to be
	// bbolt's: the file is something else.
	ErrNotBolt = errors.New("not a bbolt file")
	// ErrNoMeta means that no meta page tells of the commit asked for.
	ErrNoMeta = errors.New("no meta page of that commit")
	// ErrDamaged is wrapped by everything that is wrong with a bbolt file.
	ErrDamaged = errors.New("file is damaged")
)

// PageError says what is wrong with which page. It never holds a record.
type PageError struct {
	Page    uint64
	Problem string
}

func (e *PageError) Error() string { return fmt.Sprintf("page %d %s", e.Page, e.Problem) }

func (e *PageError) Unwrap() error { return ErrDamaged }

func bad(page uint64, format string, args ...any) error {
	return &PageError{page, fmt.Sprintf(format, args...)}
}

// Meta is what a meta page says.
type Meta struct {
	Txid     uint64 // the commit that wrote it
	Root     uint64 // page of the root bucket
	High     uint64 // all pages in use are below it
	Slot     int64  // the page that it stands on, 0 or 1
	Listed   bool   // the commit only added the list of free pages, by FreeList
	freelist uint64

	// Repair, where it is not nil, is what the page has to hold from
	// RepairAt on: one bit of it was wrong, and its checksum says which.
	Repair []byte
}

// RepairAt is the offset in the file of what Repair holds.
func (m Meta) RepairAt() int64 { return m.Slot*PageSize + pageHeader }

// HasFreelist tells whether the list of free pages was written with the
// commit.
func (m Meta) HasFreelist() bool { return m.freelist != noFreelist }

// File is a bbolt file that is read. It keeps no state but its meta page and
// is safe for concurrent use as far as its reader is.
type File struct {
	r     io.ReaderAt
	size  int64
	meta  Meta
	other uint64 // the commit of the other meta page, 0 where that is not whole
}

// Open chooses the meta page of the newest commit that is whole, as bbolt
// does. Errors: ErrNotBolt, ErrDamaged, those of r.
func Open(r io.ReaderAt, size int64) (*File, error) {
	metas, err := readMetas(r, size)
	if len(metas) == 0 {
		return nil, err
	}
	if len(metas) == 1 {
		return &File{r: r, size: size, meta: metas[0]}, nil
	}
	m, other := metas[0], metas[1]
	if other.Txid > m.Txid {
		m, other = other, m
	}
	return &File{r, size, m, other.Txid}, nil
}

// OpenAt opens the state that commit txid left. Errors: those of Open, and
// ErrNoMeta.
func OpenAt(r io.ReaderAt, size int64, txid uint64) (*File, error) {
	metas, err := readMetas(r, size)
	for _, m := range metas {
		if m.Txid == txid {
			return &File{r: r, size: size, meta: m}, nil
		}
	}
	if len(metas) == 0 {
		return nil, err
	}
	return nil, ErrNoMeta
}

// Remains returns a File of which no meta page is believed: only Orphans can
// be read from it.
func Remains(r io.ReaderAt, size int64) *File {
	return &File{r: r, size: size, meta: Meta{High: uint64(size) / PageSize, freelist: noFreelist}}
}

// readMetas returns the meta pages that are whole, or why there is none.
func readMetas(r io.ReaderAt, size int64) (metas []Meta, err error) {
	claimed := false
	for slot := range uint64(2) {
		var b [pageHeader + metaSize]byte
		if _, e := r.ReadAt(b[:], int64(slot)*PageSize); e != nil {
			if !errors.Is(e, io.EOF) {
				return nil, e
			}
			err = bad(slot, "is cut short")
			continue
		}
		m, ours, e := readMeta(slot, b[pageHeader:])
		if e != nil {
			if fixed := correct(b[pageHeader:]); fixed != nil {
				m, ours, e = readMeta(slot, fixed)
				m.Repair = fixed
			}
		}
		claimed = claimed || ours
		if e == nil {
			e = checkMeta(slot, m, size)
		}
		if e != nil {
			err = e
			continue
		}
		m.Slot = int64(slot)
		metas = append(metas, m)
	}
	if len(metas) == 0 && !claimed {
		return nil, ErrNotBolt
	}
	return metas, err
}

func readMeta(slot uint64, b []byte) (m Meta, ours bool, err error) {
	u32, u64 := binary.LittleEndian.Uint32, binary.LittleEndian.Uint64
	if u32(b) != magic {
		return m, false, bad(slot, "is not a meta page")
	}
	h := fnv.New64a()
	_, _ = h.Write(b[:56])
	if u32(b[4:]) != version || u64(b[56:]) != h.Sum64() {
		return m, true, bad(slot, "fails its checksum")
	}
	if u32(b[8:]) != PageSize {
		return m, true, bad(slot, "tells of pages of %d bytes", u32(b[8:]))
	}
	m = Meta{Root: u64(b[16:]), freelist: u64(b[32:]), High: u64(b[40:]), Txid: u64(b[48:])}
	m.Listed = m.HasFreelist() && u64(b[24:]) == m.Txid
	return m, true, nil
}

// correct returns the meta with the one bit put right that makes its checksum
// hold, nil where there is none. A flipped bit in the newest meta page would
// otherwise look like a commit that a crash cut short, and cost that commit.
func correct(b []byte) []byte {
	fixed := bytes.Clone(b)
	for bit := range 8 * metaSize {
		fixed[bit/8] ^= 1 << (bit % 8)
		if _, _, err := readMeta(0, fixed); err == nil {
			return fixed
		}
		fixed[bit/8] ^= 1 << (bit % 8)
	}
	return nil
}

func checkMeta(slot uint64, m Meta, size int64) error {
	pages := uint64(size) / PageSize
	if m.High < 3 || m.High > pages {
		return bad(slot, "counts %d pages, the file has %d", m.High, pages)
	}
	if m.Root < 2 || m.Root >= m.High || (m.HasFreelist() && (m.freelist < 2 || m.freelist >= m.High)) {
		return bad(slot, "points outside of the file")
	}
	return nil
}

// Meta is the meta page that Open chose.
func (f *File) Meta() Meta { return f.meta }

// page is a page with its overflow, checked as far as it can be alone.
type page struct {
	id       uint64
	flags    uint16
	count    int
	overflow uint64
	b        []byte
}

// read reads and checks the header and the bounds of page id.
func (f *File) read(id uint64) (page, error) { return f.readInto(nil, id) }

// readInto is read into buf's memory where that is enough.
func (f *File) readInto(buf []byte, id uint64) (page, error) {
	if id < 2 || id >= f.meta.High {
		return page{}, bad(id, "is outside of the file")
	}
	b := append(buf[:0], zeroPage[:]...)
	if _, err := f.r.ReadAt(b, int64(id)*PageSize); err != nil {
		return page{}, readError(id, err)
	}
	p, err := f.parse(id, b)
	if err != nil {
		return page{}, err
	}
	if p.overflow > 0 {
		p.b = slices.Grow(p.b, int(p.overflow*PageSize))[:(p.overflow+1)*PageSize]
		if _, err := f.r.ReadAt(p.b[PageSize:], int64(id+1)*PageSize); err != nil {
			return page{}, readError(id, err)
		}
	}
	return p, nil
}

// parse reads the header of page id, which b begins with.
func (f *File) parse(id uint64, b []byte) (page, error) {
	p := page{
		id: id, b: b,
		flags:    binary.LittleEndian.Uint16(b[8:]),
		count:    int(binary.LittleEndian.Uint16(b[10:])),
		overflow: uint64(binary.LittleEndian.Uint32(b[12:])),
	}
	if binary.LittleEndian.Uint64(b) != id {
		return page{}, bad(id, "claims to be page %d", binary.LittleEndian.Uint64(b))
	}
	if p.overflow > maxOverflow || id+p.overflow >= f.meta.High {
		return page{}, bad(id, "goes on for %d pages", p.overflow)
	}
	return p, nil
}

var zeroPage [PageSize]byte

func readError(id uint64, err error) error {
	return fmt.Errorf("%w: %w", bad(id, "cannot be read"), err)
}
