package agree

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tallystick/tallystick/internal/record"
)

// ErrMessage means that bytes are no message of this protocol, or one that
// breaks its bounds.
var ErrMessage = errors.New("not a message of the reconciliation protocol")

// Bounds of what goes over the line, in bytes.
const (
	MaxMessage = 64 << 10
	MaxAnswer  = 256 << 10
)

const (
	version  = 1
	maxBlock = 8192 // cells in one answer
	maxNodes = 512  // nodes in one message
	maxHeld  = 256  // sequences in one message
	maxCopy  = 16   // entries told of one sequence
)

// kind is what a message asks for; the answer carries the same.
type kind byte

const (
	askRoot   kind = 1
	askSketch kind = 2
	askMore   kind = 3
	askNodes  kind = 4
	askHeld   kind = 5
	askBeyond kind = 6
)

// Subject is what a comparison is about: a journal, and the epoch in which the
// device speaks for it.
type Subject struct {
	Journal [16]byte
	Epoch   uint64
}

// head begins each message.
type head struct {
	Subject
	upTo uint64 // the device's last sequence: the comparison is of 1 to upTo
}

// body is what follows the head of a message, or the kind of an answer.
type body interface {
	kind() kind
	write(w *record.Writer)
	read(r *record.Reader)
}

func writeMessage(h head, b body) []byte {
	w := record.Writer{B: []byte{version<<4 | byte(b.kind())}}
	w.B = append(w.B, h.Journal[:]...)
	w.Uint(h.Epoch)
	w.Uint(h.upTo)
	b.write(&w)
	return w.B
}

func readHead(r *record.Reader) (k kind, h head) {
	first := r.Byte()
	k = kind(first & 15)
	fixed(r, h.Journal[:])
	h.Epoch, h.upTo = r.Uint(), r.Uint()
	if first>>4 != version || h.upTo > MaxSequence {
		r.Fail()
	}
	return k, h
}

// Head tells of which journal a message speaks, before anything else of it is
// looked at: for a host to decide whether the sender may ask. The error wraps
// ErrMessage.
func Head(message []byte) (Subject, error) {
	r := record.NewReader(message)
	_, h := readHead(r)
	if r.Err() != nil || len(message) > MaxMessage {
		return Subject{}, ErrMessage
	}
	return h.Subject, nil
}

func readMessage(b []byte) (head, body, error) {
	r := record.NewReader(b)
	k, h := readHead(r)
	var m body
	switch k {
	case askRoot:
		m = new(rootQuery)
	case askSketch:
		m = new(sketchQuery)
	case askMore:
		m = new(moreQuery)
	case askNodes:
		m = new(nodesQuery)
	case askHeld:
		m = new(heldQuery)
	case askBeyond:
		m = new(beyondQuery)
	}
	if m == nil || r.Err() != nil || len(b) > MaxMessage {
		return h, nil, ErrMessage
	}
	m.read(r)
	if r.Done() != nil {
		return h, nil, fmt.Errorf("%w: kind %d", ErrMessage, k)
	}
	return h, m, nil
}

func writeAnswer(b body) []byte {
	w := record.Writer{B: []byte{version<<4 | byte(b.kind())}}
	b.write(&w)
	return w.B
}

// readAnswer reads b into a, which may hold what was asked and bounds the answer.
func readAnswer(b []byte, a body) error {
	r := record.NewReader(b)
	if r.Byte() != version<<4|byte(a.kind()) || len(b) > MaxAnswer {
		return fmt.Errorf("%w: an answer of another kind, or too long", ErrMessage)
	}
	a.read(r)
	if r.Done() != nil {
		return fmt.Errorf("%w: the answer of kind %d", ErrMessage, a.kind())
	}
	return nil
}

// fixed takes len(dst) bytes.
func fixed(r *record.Reader, dst []byte) {
	for i := range dst {
		dst[i] = r.Byte()
	}
}

// number takes a number of at most limit.
func number(r *record.Reader, limit uint64) uint64 {
	v := r.Uint()
	if v > limit {
		r.Fail()
		return 0
	}
	return v
}

// rootQuery tells the device's root and asks for the host's, if it differs, and
// for what the host has never seen.
type rootQuery struct {
	root Leaf
	room byte // KiB of gaps, at most
}

func (*rootQuery) kind() kind { return askRoot }

func (q *rootQuery) write(w *record.Writer) {
	w.B = append(w.B, q.root[:]...)
	w.Byte(q.room)
}

func (q *rootQuery) read(r *record.Reader) {
	fixed(r, q.root[:])
	if q.room = r.Byte(); q.room > maxRoom {
		r.Fail()
	}
}

const maxRoom = 64

// rootAnswer tells that the roots are equal, or the host's and its gaps.
type rootAnswer struct {
	equal   bool
	cut     bool // there are gaps behind those told
	highest uint64
	root    Leaf
	gaps    []Range
	upTo    uint64 // of the question
}

func (*rootAnswer) kind() kind { return askRoot }

func (a *rootAnswer) write(w *record.Writer) {
	switch {
	case a.equal:
		w.Byte(0)
	case a.cut:
		w.Byte(2)
	default:
		w.Byte(1)
	}
	w.Uint(a.highest)
	if !a.equal {
		w.B = append(w.B, a.root[:]...)
		writeRanges(w, 0, a.gaps)
	}
}

func (a *rootAnswer) read(r *record.Reader) {
	how := r.Byte()
	a.equal, a.cut = how == 0, how == 2
	a.highest = number(r, MaxSequence)
	if how > 2 {
		r.Fail()
	}
	if !a.equal {
		fixed(r, a.root[:])
		a.gaps = readRanges(r, 0, min(a.highest, a.upTo))
	}
}

// sketchQuery asks for a sketch, of a size that follows from the counters.
type sketchQuery struct {
	device nonce
	counts counters
}

func (*sketchQuery) kind() kind { return askSketch }

func (q *sketchQuery) write(w *record.Writer) {
	w.B = append(append(w.B, q.device[:]...), q.counts[:]...)
}

func (q *sketchQuery) read(r *record.Reader) {
	fixed(r, q.device[:])
	fixed(r, q.counts[:])
}

// moreQuery asks for further cells of a session's sketch, or for all from the
// first on when the host's keyed root does not begin with check any more.
type moreQuery struct {
	device, host nonce
	check        [8]byte
	way          way
	from, count  int
}

func (*moreQuery) kind() kind { return askMore }

func (q *moreQuery) write(w *record.Writer) {
	w.B = append(append(append(w.B, q.device[:]...), q.host[:]...), q.check[:]...)
	w.Byte(byte(q.way))
	w.Uint(uint64(q.from))
	w.Uint(uint64(q.count))
}

func (q *moreQuery) read(r *record.Reader) {
	fixed(r, q.device[:])
	fixed(r, q.host[:])
	fixed(r, q.check[:])
	if q.way = way(r.Byte()); q.way > spreads {
		r.Fail()
	}
	q.from, q.count = int(number(r, maxCells)), int(number(r, maxBlock))
	if q.from+q.count > q.way.most() {
		r.Fail()
	}
}

// sketchAnswer is cells of the host's sketch, and what it is of.
type sketchAnswer struct {
	asked kind
	host  nonce
	root  Leaf // the keyed root
	way   way
	from  int
	cells []cell
}

func (a *sketchAnswer) kind() kind { return a.asked }

func (a *sketchAnswer) write(w *record.Writer) {
	w.B = append(append(w.B, a.host[:]...), a.root[:]...)
	w.Byte(byte(a.way))
	w.Uint(uint64(a.from))
	w.Uint(uint64(len(a.cells)))
	for _, c := range a.cells {
		w.B = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(w.B, c[0]), c[1])
	}
}

func (a *sketchAnswer) read(r *record.Reader) {
	fixed(r, a.host[:])
	fixed(r, a.root[:])
	if a.way = way(r.Byte()); a.way > spreads {
		r.Fail()
	}
	a.from = int(number(r, maxCells))
	n := int(number(r, maxCells))
	if a.from+n > a.way.most() {
		r.Fail()
	}
	for ; n > 0 && r.Err() == nil; n-- {
		var b [16]byte
		fixed(r, b[:])
		c := cell{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
		if c[0] >= prime || c[1] >= prime {
			r.Fail()
		}
		a.cells = append(a.cells, c)
	}
}
