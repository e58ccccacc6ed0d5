package boltfile

import (
	"encoding/binary"
	"hash/fnv"
)

// Free are the pages of a file that a walk which passed has not reached: bbolt
// may write to them.
type Free struct {
	f       *File
	reached bitmap
}

// FreeList is a commit of nothing but the list of free pages. With it bbolt
// need not walk a file to find them.
type FreeList struct {
	Txid    uint64
	Pages   []byte // to be written first, and synced
	PagesAt int64
	Meta    []byte // to be written then, and synced
	MetaAt  int64
}

// List returns the list that the file lacks. What is written overwrites nothing
// of the newest commit: cut short at any point it leaves that one or its own.
// Where the newest commit is such a list it is returned without Pages: its meta
// page may be written once more while the other one is of the commit before it,
// which has all that it has. It tells false where the other one is not, since it
// is the only one then; where the file was closed with a list; and where there is
// no room in one piece for one.
func (r Free) List() (FreeList, bool) {
	m := r.f.meta
	if m.HasFreelist() {
		return FreeList{Txid: m.Txid, Meta: metaPage(m), MetaAt: m.Slot * PageSize}, m.Listed && r.f.other+1 == m.Txid
	}
	var ids []uint64
	for id := uint64(2); id < m.High; id++ {
		if !r.reached.has(id) {
			ids = append(ids, id)
		}
	}
	n := (pageHeader + 8 + 8*uint64(len(ids)) + PageSize - 1) / PageSize
	at, ids := takeRun(ids, n)
	if at == 0 {
		at = m.High
		m.High += n
	}
	if n > maxOverflow || m.High > uint64(r.f.size)/PageSize {
		return FreeList{}, false
	}
	m.freelist = at
	m.Txid++
	return FreeList{
		Txid:  m.Txid,
		Pages: freelistPages(at, n, ids), PagesAt: int64(at) * PageSize,
		Meta: metaPage(m), MetaAt: int64(m.Txid%2) * PageSize,
	}, true
}

// takeRun takes the first n ids that follow each other out of ids, which
// ascend. It returns the first of them, 0 where there is no such run.
func takeRun(ids []uint64, n uint64) (first uint64, rest []uint64) {
	for i := 0; uint64(i)+n <= uint64(len(ids)); i++ {
		if ids[i]+n-1 == ids[uint64(i)+n-1] {
			return ids[i], append(ids[:i:i], ids[uint64(i)+n:]...)
		}
	}
	return 0, ids
}

// freelistPages are the n pages, from id on, of a list of free pages.
func freelistPages(id, n uint64, ids []uint64) []byte {
	b := make([]byte, n*PageSize)
	le := binary.LittleEndian
	le.PutUint64(b, id)
	le.PutUint16(b[8:], flagFreelist)
	le.PutUint32(b[12:], uint32(n-1))
	at := b[pageHeader:]
	if len(ids) < 0xFFFF {
		le.PutUint16(b[10:], uint16(len(ids)))
	} else {
		le.PutUint16(b[10:], 0xFFFF)
		le.PutUint64(at, uint64(len(ids)))
		at = at[8:]
	}
	for i, id := range ids {
		le.PutUint64(at[8*i:], id)
	}
	return b
}

// metaPage is the meta page of a commit that only added the list: its sequence
// says so.
func metaPage(m Meta) []byte {
	b := make([]byte, PageSize)
	le := binary.LittleEndian
	le.PutUint64(b, m.Txid%2)
	le.PutUint16(b[8:], flagMeta)
	at := b[pageHeader:]
	le.PutUint32(at, magic)
	le.PutUint32(at[4:], version)
	le.PutUint32(at[8:], PageSize)
	le.PutUint64(at[16:], m.Root)
	le.PutUint64(at[24:], m.Txid)
	le.PutUint64(at[32:], m.freelist)
	le.PutUint64(at[40:], m.High)
	le.PutUint64(at[48:], m.Txid)
	h := fnv.New64a()
	_, _ = h.Write(at[:56])
	le.PutUint64(at[56:], h.Sum64())
	return b
}
