package boltfile

import (
	"bytes"
	"encoding/binary"
	"slices"
)

const bucketFlag = 1

// element is one entry of a leaf or branch page. Its bytes alias the page's.
type element struct {
	flags      uint32
	key, value []byte
	child      uint64
}

// elements returns the entries of a page, which must lie one behind the other
// as bbolt writes them, with keys that ascend.
func (p page) elements() ([]element, error) { return p.elementsInto(nil) }

// elementsInto is elements into out's memory where that is enough.
func (p page) elementsInto(out []element) ([]element, error) {
	branch := p.flags == flagBranch
	if !branch && p.flags != flagLeaf {
		return nil, bad(p.id, "is neither branch nor leaf (flags %#x)", p.flags)
	}
	at := pageHeader + 16*p.count
	if at > len(p.b) {
		return nil, bad(p.id, "cannot hold %d entries", p.count)
	}
	out = slices.Grow(out[:0], p.count)[:p.count]
	for i := range out {
		head := p.b[pageHeader+16*i:]
		e := &out[i]
		*e = element{}
		u32 := binary.LittleEndian.Uint32
		var pos, ksize, vsize uint32
		if branch {
			pos, ksize, e.child = u32(head), u32(head[4:]), binary.LittleEndian.Uint64(head[8:])
		} else {
			e.flags, pos, ksize, vsize = u32(head), u32(head[4:]), u32(head[8:]), u32(head[12:])
		}
		left := uint64(len(p.b) - at)
		if uint64(pos)+uint64(pageHeader+16*i) != uint64(at) || ksize == 0 || uint64(ksize)+uint64(vsize) > left {
			return nil, bad(p.id, "has entry %d out of its bounds", i)
		}
		if e.flags > bucketFlag {
			return nil, bad(p.id, "has entry %d of an unknown kind", i)
		}
		e.key = p.b[at : at+int(ksize)]
		at += int(ksize)
		e.value = p.b[at : at+int(vsize)]
		at += int(vsize)
		if i > 0 && bytes.Compare(out[i-1].key, e.key) >= 0 {
			return nil, bad(p.id, "has entry %d out of order", i)
		}
	}
	return out, nil
}

// loose returns those entries of a damaged leaf that lie within it, each by
// what it says itself. Where the count is damaged the first entry tells it:
// its key stands behind the last entry's head.
func (p page) loose() (out []element) {
	count := p.count
	if len(p.b) >= pageHeader+16 {
		count = max(count, int(binary.LittleEndian.Uint32(p.b[pageHeader+4:])/16))
	}
	for i := range min(count, (len(p.b)-pageHeader)/16) {
		at := uint64(pageHeader + 16*i)
		u32 := func(off uint64) uint64 { return uint64(binary.LittleEndian.Uint32(p.b[at+off:])) }
		key := at + u32(4)
		value := key + u32(8)
		end := value + u32(12)
		if key < value && end <= uint64(len(p.b)) {
			out = append(out, element{flags: uint32(u32(0)), key: p.b[key:value], value: p.b[value:end]})
		}
	}
	return out
}

// inline returns the page that a small bucket's value holds.
func inline(id uint64, value []byte) (page, error) {
	if len(value) < 16+pageHeader {
		return page{}, bad(id, "holds a bucket that is cut short")
	}
	b := value[16:]
	p := page{id: id, b: b, flags: binary.LittleEndian.Uint16(b[8:]), count: int(binary.LittleEndian.Uint16(b[10:]))}
	if p.flags != flagLeaf || binary.LittleEndian.Uint64(b) != 0 || binary.LittleEndian.Uint32(b[12:]) != 0 {
		return page{}, bad(id, "holds a bucket that is not a leaf")
	}
	return p, nil
}
