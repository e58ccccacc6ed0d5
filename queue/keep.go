package queue

import (
	"fmt"
	"slices"

	"github.com/tallystick/tallystick/internal/record"
)

// Origin is an entry's identity in the journal that it was imported from.
type Origin struct {
	Journal  [16]byte
	ID       ID
	Original ID // what Original is there
}

// keeping holds what the events of pruning, moving and condensing carry.
type keeping struct {
	ids    []ID       // evPruned, evBound
	sums   [][32]byte // evPruned: their digests
	part   byte       // evKept: what body is
	body   []byte     // a record (evKept, evForeign), an event (evNoted)
	number uint64     // evNoted: the event's number; evEpoch: the epoch
}

// The parts of an evKept are records as the keyspaces have them.
const (
	partLane  = 'l'
	partBatch = 'b'
	partEntry = 'n'
	partClock = 'k'
)

func (ev event) encodeKeeping(w *record.Writer) {
	k := ev.keep
	switch ev.kind {
	case evPruned:
		w.Uint(uint64(ev.lane))
		w.Uint(uint64(ev.batch))
		w.Uint(uint64(len(k.ids)))
		for i, id := range k.ids {
			w.Uint(uint64(id))
			w.Bytes(k.sums[i][:])
		}
	case evBound:
		w.Uint(uint64(ev.lane))
		w.Uint(uint64(ev.host))
		w.Uint(uint64(len(k.ids)))
		for _, id := range k.ids {
			w.Uint(uint64(id))
		}
	case evKept:
		w.Byte(k.part)
		w.Bytes(k.body)
	case evNoted:
		w.Uint(k.number)
		w.Bytes(k.body)
	case evEpoch:
		w.Uint(k.number)
		w.Uint(uint64(ev.lane))
		w.Uint(uint64(ev.stan))
		w.Bool(ev.flag)
	case evLifted:
		w.Uint(uint64(ev.lane))
		w.Uint(uint64(ev.stan))
		w.String(ev.who)
		w.String(ev.text)
	case evImported:
		encodeEntry(w, ev.entry)
	case evForeign:
		w.Bytes(k.body)
	}
}

// decodeKeeping is false for an event that is not one of these.
func (ev *event) decodeKeeping(r *record.Reader) bool {
	k := &ev.keep
	switch ev.kind {
	case evPruned:
		ev.lane, ev.batch = uint32(r.Uint()), uint32(r.Uint())
		for n := r.Uint(); n > 0 && r.Err() == nil; n-- {
			k.ids = append(k.ids, ID(r.Uint()))
			k.sums = append(k.sums, digestOf(r))
		}
	case evBound:
		ev.lane, ev.host = uint32(r.Uint()), uint32(r.Uint())
		for n := r.Uint(); n > 0 && r.Err() == nil; n-- {
			k.ids = append(k.ids, ID(r.Uint()))
		}
	case evKept:
		k.part = r.Byte()
		k.body = slices.Clone(r.Bytes())
	case evNoted:
		k.number = r.Uint()
		k.body = slices.Clone(r.Bytes())
	case evEpoch:
		k.number = r.Uint()
		ev.lane, ev.stan, ev.flag = uint32(r.Uint()), STAN(r.Uint()), r.Bool()
	case evLifted:
		ev.lane, ev.stan = uint32(r.Uint()), STAN(r.Uint())
		ev.who, ev.text = r.String(), r.String()
	case evImported:
		ev.entry = decodeEntry(r)
	case evForeign:
		k.body = slices.Clone(r.Bytes())
	default:
		return false
	}
	return true
}

// digestOf takes a digest; one that is cut short is malformed.
func digestOf(r *record.Reader) (d [32]byte) {
	b := r.Bytes()
	if len(b) != len(d) {
		r.Fail()
	}
	copy(d[:], b)
	return d
}

const (
	stubPruned = 1 << iota
	stubOrigin
	stubCopied
	stubOf
	stubMoved
	stubRef
	stubReleased
)

// encodeStub writes what an entry has that was pruned or imported.
func encodeStub(w *record.Writer, e Entry) {
	var has byte
	if e.Pruned {
		has |= stubPruned
	}
	if e.Origin != (Origin{}) {
		has |= stubOrigin
	}
	if e.copied {
		has |= stubCopied
	}
	if e.Original == 0 && e.Of != (Original{}) {
		has |= stubOf
	}
	if e.Home != (Lane{}) {
		has |= stubMoved
	}
	if e.place != [16]byte{} {
		has |= stubRef
	}
	if e.released != (moment{}) {
		has |= stubReleased
	}
	w.Byte(has)
	if e.Pruned {
		w.Bytes(e.digest[:])
		w.Bytes(e.essence[:])
	}
	if has&stubOrigin != 0 {
		w.Bytes(e.Origin.Journal[:])
		w.Uint(uint64(e.Origin.ID))
		w.Uint(uint64(e.Origin.Original))
	}
	if has&stubOf != 0 {
		encodeOf(w, e.Of)
	}
	if has&stubMoved != 0 {
		encodeLaneName(w, e.Home)
	}
	if has&stubRef != 0 {
		w.Bytes(e.place[:])
	}
	if has&stubReleased != 0 {
		encodeMoment(w, e.released)
	}
}

func decodeStub(r *record.Reader, e *Entry) {
	has := r.Byte()
	if has >= stubReleased<<1 {
		r.Fail()
	}
	e.copied = has&stubCopied != 0
	if e.Pruned = has&stubPruned != 0; e.Pruned {
		e.digest = digestOf(r)
		if n := copy(e.essence[:], r.Bytes()); n != len(e.essence) {
			r.Fail()
		}
	}
	if has&stubOrigin != 0 {
		if n := copy(e.Origin.Journal[:], r.Bytes()); n != len(e.Origin.Journal) {
			r.Fail()
		}
		e.Origin.ID, e.Origin.Original = ID(r.Uint()), ID(r.Uint())
	}
	if has&stubOf != 0 {
		e.Of = decodeOf(r)
	}
	if has&stubMoved != 0 {
		e.Home = decodeLaneName(r)
	}
	if has&stubRef != 0 {
		if n := copy(e.place[:], r.Bytes()); n != len(e.place) {
			r.Fail()
		}
	}
	if has&stubReleased != 0 {
		e.released = decodeMoment(r)
	}
}

func stepKeeping(v view, ev event) error {
	switch ev.kind {
	case evPruned:
		return stepPruned(v, ev)
	case evKept:
		return stepKept(v, ev.keep)
	case evBound:
		return stepBound(v, ev)
	case evEpoch, evLifted:
		return stepFence(v, ev)
	case evImported:
		return stepImported(v, ev)
	case evForeign:
		return stepForeign(v, ev)
	}
	return nil // evNoted
}

// stepPruned leaves a stub of settled entries (I8).
func stepPruned(v view, ev event) error {
	b, err := v.batch(ev.lane, ev.batch)
	if err != nil {
		return err
	}
	if b.stage != BatchSettled {
		return fmt.Errorf("batch %d is %s: %w: only a settled batch is pruned (I8)", b.n, b.stage, ErrState)
	}
	for i, id := range ev.keep.ids {
		e, err := v.entry(id)
		if err != nil {
			return err
		}
		l, err := v.laneOf(e.Lane)
		if err != nil {
			return err
		}
		if l.number != ev.lane || e.Batch.N != ev.batch || e.Pruned || !e.State.Final() {
			return stateError(id, e.State, "only a final entry of the batch is pruned, once (I8)")
		}
		was := e
		if err := v.putEntry(&was, e.stub(ev.keep.sums[i])); err != nil {
			return err
		}
		b.pruned++
	}
	return v.putBatch(b)
}

// stub is what stays of a pruned entry.
func (e Entry) stub(digest [32]byte) Entry {
	e.essence = e.given().content(e.MaskedPAN)
	copy(e.place[:], refKey(e.Ref))
	e.Pruned, e.digest = true, digest
	e.Ref, e.Operator, e.Data, e.MaskedPAN, e.Card = "", "", nil, "", Card{}
	return e
}

// stepKept puts a record as the log before it left it.
func stepKept(v view, k keeping) error {
	switch k.part {
	case partLane:
		// A lane comes with its first batch, as evLane brings both.
		r := record.NewReader(k.body)
		lane, batch := r.Bytes(), r.Bytes()
		if err := r.Done(); err != nil {
			return fmt.Errorf("%w: a kept lane: %w", ErrDamaged, err)
		}
		l, err := decodeLane(lane)
		if err != nil {
			return err
		}
		if err := v.putLane(l); err != nil {
			return err
		}
		b, err := decodeBatch(batch)
		if err != nil {
			return err
		}
		return v.putBatch(b)
	case partBatch:
		b, err := decodeBatch(k.body)
		if err != nil {
			return err
		}
		return v.putBatch(b)
	case partEntry:
		e, err := parseEntry(k.body)
		if err != nil {
			return err
		}
		return v.putEntry(nil, e)
	case partClock:
		c, err := decodeClock(k.body)
		if err != nil {
			return err
		}
		return v.putClock(c)
	}
	return fmt.Errorf("%w: a kept record of part %q", ErrDamaged, k.part)
}
