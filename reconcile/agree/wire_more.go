package agree

import (
	"math/bits"
	"time"

	"github.com/tallystick/tallystick/internal/record"
)

// nodesQuery asks for the children of nodes of one level, ascending.
type nodesQuery struct {
	level   int
	indexes []uint64
}

func (*nodesQuery) kind() kind { return askNodes }

func (q *nodesQuery) write(w *record.Writer) {
	w.Byte(byte(q.level))
	writeAscending(w, q.indexes)
}

func (q *nodesQuery) read(r *record.Reader) {
	if q.level = int(r.Byte()); q.level < 1 || q.level > levels {
		r.Fail()
		return
	}
	q.indexes = readAscending(r, maxNodes, 1<<(4*(levels-q.level))-1)
}

// writeAscending writes numbers that ascend, each as what lies between it and
// the one before.
func writeAscending(w *record.Writer, list []uint64) {
	w.Uint(uint64(len(list)))
	next := uint64(0)
	for _, v := range list {
		w.Uint(v - next)
		next = v + 1
	}
}

func readAscending(r *record.Reader, most, last uint64) (list []uint64) {
	next := uint64(0)
	for n := number(r, most); n > 0 && r.Err() == nil; n-- {
		v := next + number(r, last)
		if v > last {
			r.Fail()
			return nil
		}
		list = append(list, v)
		next = v + 1
	}
	return list
}

// nodesAnswer is the children of the nodes that were asked for: hashes, or
// leaves at level 1.
type nodesAnswer struct {
	root Leaf // over all
	kids [][fan]Leaf
	want int // how many were asked for
}

func (*nodesAnswer) kind() kind { return askNodes }

func (a *nodesAnswer) write(w *record.Writer) {
	w.B = append(w.B, a.root[:]...)
	for _, kids := range a.kids {
		var there uint16
		for i, k := range kids {
			if k != (Leaf{}) {
				there |= 1 << i
			}
		}
		w.Byte(byte(there >> 8))
		w.Byte(byte(there))
		for _, k := range kids {
			if k != (Leaf{}) {
				w.B = append(w.B, k[:]...)
			}
		}
	}
}

func (a *nodesAnswer) read(r *record.Reader) {
	fixed(r, a.root[:])
	for range a.want {
		var kids [fan]Leaf
		there := uint16(r.Byte())<<8 | uint16(r.Byte())
		for ; there != 0 && r.Err() == nil; there &= there - 1 {
			k := &kids[bits.TrailingZeros16(there)]
			if fixed(r, k[:]); *k == (Leaf{}) {
				r.Fail()
			}
		}
		if r.Err() != nil {
			return
		}
		a.kids = append(a.kids, kids)
	}
}

// heldQuery asks what the host has at single sequences.
type heldQuery struct{ seqs []uint64 }

func (*heldQuery) kind() kind { return askHeld }

func (q *heldQuery) write(w *record.Writer) { writeAscending(w, q.seqs) }

func (q *heldQuery) read(r *record.Reader) { q.seqs = readAscending(r, maxHeld, MaxSequence) }

// Held is one entry that a host has at a sequence.
type Held struct {
	// Canonical are the canonical bytes under which it was booked, at most 4096.
	Canonical []byte
	// Epoch is the epoch of the journal under which it was booked first.
	Epoch uint64
	// Stands says that it is in force: accepted, and not reversed.
	Stands bool
	// Booked is the host's clock when it was booked.
	Booked time.Time
}

const maxCanonical = 4096

// heldAnswer has an element for each of the first sequences that were asked
// for: as many as an answer has room for, and at least one.
type heldAnswer struct {
	held [][]Held
	want int
}

func (*heldAnswer) kind() kind { return askHeld }

func (a *heldAnswer) write(w *record.Writer) {
	w.Uint(uint64(len(a.held)))
	for _, all := range a.held {
		w.Uint(uint64(len(all)))
		for _, h := range all {
			w.Bytes(h.Canonical)
			w.Uint(h.Epoch)
			w.Bool(h.Stands)
			w.Time(h.Booked)
		}
	}
}

func (a *heldAnswer) read(r *record.Reader) {
	n := number(r, uint64(a.want))
	if n == 0 && a.want > 0 {
		r.Fail()
	}
	for ; n > 0 && r.Err() == nil; n-- {
		var all []Held
		for m := number(r, maxCopy); m > 0 && r.Err() == nil; m-- {
			h := Held{Canonical: append([]byte(nil), r.Bytes()...), Epoch: r.Uint(), Stands: r.Bool(), Booked: r.Time()}
			if len(h.Canonical) > maxCanonical {
				r.Fail()
			}
			all = append(all, h)
		}
		a.held = append(a.held, all)
	}
}

// beyondQuery asks what the host has seen behind the device's last sequence.
type beyondQuery struct{}

func (*beyondQuery) kind() kind           { return askBeyond }
func (*beyondQuery) write(*record.Writer) {}
func (*beyondQuery) read(*record.Reader)  {}

// beyondAnswer is that, the first of it.
type beyondAnswer struct {
	highest uint64
	seen    []Range
	upTo    uint64 // of the question
}

const beyondRoom = 4 << 10

func (*beyondAnswer) kind() kind { return askBeyond }

func (a *beyondAnswer) write(w *record.Writer) {
	w.Uint(a.highest)
	writeRanges(w, a.upTo, a.seen)
}

func (a *beyondAnswer) read(r *record.Reader) {
	a.highest = number(r, MaxSequence)
	a.seen = readRanges(r, a.upTo, a.highest)
}
