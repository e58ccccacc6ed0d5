package queue

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tallystick/tallystick/internal/journal"
)

// EventRange is the numbers From to To of events, both among them.
type EventRange struct{ From, To uint64 }

// SalvageReport says what became of a damaged journal.
type SalvageReport struct {
	// Aside is where the damaged file is kept.
	Aside string
	// LostEvents are the events of which nothing is readable, ascending.
	LostEvents []EventRange
	// EndUnknown says that events may have been behind the last readable one.
	EndUnknown bool
	// Lost are the entries of which nothing is readable: payments that a
	// person has to look for, at the host and on receipts.
	Lost []ID
	// Parked are the entries of which only the beginning is readable: what a
	// host said of them is not, so a person has to ask; and what waited to void,
	// refund or reverse one of Lost.
	Parked []ID
	// Stale says that the newest events are among those lost. Entries that
	// were not final may have gone further than is readable: they are in doubt
	// or, named in Parked, need a person, and what is sold next waits as in a
	// restored journal (see Restore); the journal is of the next epoch, since the
	// numbers of entries lost with those events are given again.
	Stale bool
	// Remade are the lanes and batches that were made anew from their entries:
	// such a batch is closed and waits to be settled, whether it was or not.
	Remade []BatchID
	// Damage is what was found wrong, the first 100 of it.
	Damage []string
}

// Salvage writes what is readable of the damaged journal at path into a fresh
// one of the same identity, puts that in its place and keeps the damaged file
// beside it. Call it when Open, or the first call after it, returned
// ErrDamaged; then Open again. Where no event was lost the fresh journal is
// what the damaged one was: all of it follows from the log. Otherwise every
// readable entry stands as it was kept last, one of which only the journalling
// is readable is parked, and the report names what is lost.
//
// A crash at any point leaves the damaged file or the whole fresh one. Errors:
// ErrHeld, ErrKey (a missing key is no damage: nothing is touched), ErrFormat,
// ErrDamaged when no header is readable, and those of the file system. On all
// of them the damaged file is as it was.
func Salvage(ctx context.Context, path string, keys Keys, opts *Options) (SalvageReport, error) {
	o := opts.withDefaults()
	jo, err := journalOptions(keys, o)
	if err != nil {
		return SalvageReport{}, err
	}
	s := salvage{ctx: ctx, opts: &o}
	r, err := journal.Salvage(ctx, path, jo, s.rebuild)
	if err != nil {
		return SalvageReport{}, err
	}
	slices.Sort(s.parked)
	out := SalvageReport{Aside: r.Aside, EndUnknown: r.EndUnknown, Lost: s.lost, Parked: slices.Compact(s.parked),
		Stale: s.stale, Remade: s.remade, Damage: r.Damage}
	for _, l := range r.Lost {
		out.LostEvents = append(out.LostEvents, EventRange{l.From, l.To})
	}
	return out, nil
}

// salvage fills a fresh journal, which has the readable events already.
type salvage struct {
	ctx    context.Context
	opts   *Options
	fresh  *journal.File
	old    *journal.Remains
	lost   []ID
	parked []ID
	stale  bool
	remade []BatchID
}

// salvageStep is how many events or records one commit takes.
const salvageStep = 256

func (s *salvage) rebuild(fresh *journal.File, old *journal.Remains, r *journal.SalvageReport) error {
	s.fresh, s.old = fresh, old
	// What the log does not hold: cards, and the refs of pruned entries.
	for _, b := range []journal.Bucket{inCards, inRefs} {
		if err := s.carry(b); err != nil {
			return err
		}
	}
	if len(r.Lost) == 0 && !r.EndUnknown {
		return s.replay(r.Events)
	}
	// The lists of work, members and STANs follow from the entries.
	for _, b := range []journal.Bucket{inEntries, inLanes, inNames, inBatches, inCounts} {
		if err := s.carry(b); err != nil {
			return err
		}
	}
	s.stale = r.Stale || r.EndUnknown
	return s.patch(r.Events)
}

// carry copies what is readable of one keyspace.
func (s *salvage) carry(b journal.Bucket) error {
	type pair struct{ key, value []byte }
	var step []pair
	put := func() error {
		err := s.fresh.Update(s.ctx, func(tx *journal.Tx) error {
			for _, p := range step {
				if err := tx.Put(b, p.key, p.value); err != nil {
					return err
				}
			}
			return nil
		})
		step = nil
		return err
	}
	err := s.old.Each(b, func(key, value []byte) error {
		if step = append(step, pair{key, value}); len(step) < salvageStep {
			return nil
		}
		return put()
	})
	if err != nil {
		return err
	}
	return put()
}

// replay steps through the whole log again.
func (s *salvage) replay(last uint64) error {
	for next := uint64(0); next <= last; {
		from := next
		err := s.fresh.Update(s.ctx, func(tx *journal.Tx) error {
			next = max(from, tx.FirstEvent())
			v := newFileView(tx, s.opts)
			for n := 0; n < salvageStep && next <= last; n++ {
				if err := v.again(next); err != nil {
					return fmt.Errorf("event %d: %w", next, err)
				}
				next++
			}
			return v.flush()
		})
		if err != nil {
			return err
		}
		if next == from {
			return nil
		}
	}
	return nil
}

// again applies an event that stands in the log already.
func (v *fileView) again(n uint64) error {
	body, err := v.tx.Event(n)
	if err != nil {
		return err
	}
	ev, err := decodeEvent(body)
	if err != nil {
		return err
	}
	if err := step(v, ev); err != nil {
		return err
	}
	kept := ev.kind == evKept && ev.keep.part == partEntry
	if ev.kind != evSettled && !kept {
		return nil
	}
	if err := v.flush(); err != nil {
		return err
	}
	if kept {
		return v.dropSettled(ev.keep.body)
	}
	l, err := v.laneAt(ev.lane)
	if err != nil {
		return err
	}
	ids, err := v.members(ev.lane, ev.batch)
	if err != nil {
		return err
	}
	return v.forget(l, ids)
}

// dropSettled takes an entry that a condensed log brought as settled out of the
// lists that a new one gets into.
func (v *fileView) dropSettled(body []byte) error {
	e, err := parseEntry(body)
	if err != nil {
		return err
	}
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	b, err := v.batch(l.number, e.Batch.N)
	if err != nil {
		return err
	}
	if b.stage != BatchSettled || e.Kind == Reversal {
		return nil
	}
	return v.exclude(inSTANs, be32(nil, l.number), uint64(e.STAN))
}

// patch makes the carried keyspaces whole: each entry that is not readable is
// taken from the event that journalled it, and parked; each readable one gets
// its place in the lists that follow from it.
func (s *salvage) patch(last uint64) error {
	born := map[ID]uint64{} // the event that journalled an entry
	var most ID
	err := s.fresh.View(func(tx *journal.Tx) error {
		for n := tx.FirstEvent(); n <= last; n++ {
			body, err := tx.Event(n)
			if errors.Is(err, journal.ErrLost) {
				continue
			}
			if err != nil {
				return err
			}
			ev, err := decodeEvent(body)
			if err != nil {
				return err
			}
			if ev.kind == evAppended {
				born[ev.entry.ID] = n
				most = max(most, ev.entry.ID)
			}
		}
		return tx.Scan(inEntries, nil, nil, func(k, _ []byte) (bool, error) {
			if len(k) == 8 {
				most = max(most, ID(binary.BigEndian.Uint64(k)))
			}
			return true, nil
		})
	})
	if err != nil {
		return err
	}
	if err := s.remake(born, most); err != nil {
		return err
	}
	err = s.each(most, func(v *fileView, id ID) error {
		e, found, err := s.readable(v, id, born[id])
		if !found || err != nil {
			return err
		}
		return v.relist(s.alone(e))
	})
	if err != nil {
		return err
	}
	err = s.step(func(v *fileView) error { return recount(v, most) })
	if err != nil || !s.stale {
		return err
	}
	return s.doubtAll(most)
}

func (s *salvage) step(fn func(*fileView) error) error {
	return s.fresh.Update(s.ctx, func(tx *journal.Tx) error { return fn(newFileView(tx, s.opts)) })
}

// each calls fn with the ids from 1 to most, many in one commit.
func (s *salvage) each(most ID, fn func(*fileView, ID) error) error {
	for from := ID(1); from <= most; from += salvageStep {
		err := s.step(func(v *fileView) error {
			for id := from; id < from+salvageStep && id <= most; id++ {
				if err := fn(v, id); err != nil {
					return fmt.Errorf("entry %d: %w", id, err)
				}
			}
			return v.flush()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readable returns an entry as it was kept last or, parked, as it was
// journalled by the event born.
func (s *salvage) readable(v *fileView, id ID, born uint64) (e Entry, found bool, err error) {
	e, err = v.entry(id)
	switch {
	case err == nil:
		delete(v.entries, id)
		return e, true, nil
	case !errors.Is(err, ErrNotFound):
		return e, false, err
	case born == 0:
		if !slices.Contains(s.lost, id) {
			s.lost = append(s.lost, id)
		}
		return e, false, nil
	}
	body, err := v.tx.Event(born)
	if err != nil {
		return e, false, err
	}
	ev, err := decodeEvent(body)
	if err != nil {
		return e, false, err
	}
	e = ev.entry
	e.State, e.ParkedWhy, e.Attempts = Parked, "the journal was damaged: what the host said of it is lost", max(e.Attempts, 1)
	s.parked = append(s.parked, id)
	return e, true, nil
}

// alone takes from an entry what it has of those that are lost. What is about one
// of them cannot tell the host of it and is parked; a request whose reversal is
// lost gets another one.
func (s *salvage) alone(e Entry) Entry {
	lost := func(id ID) bool {
		_, found := slices.BinarySearch(s.lost, id)
		return id != 0 && found
	}
	if lost(e.Reversal) {
		e.Reversal = 0
	}
	if lost(e.VoidedBy) {
		e.VoidedBy = 0
	}
	if lost(e.Original) && (e.State == Pending || e.State == InDoubt) {
		e.State, e.ParkedWhy = Parked, fmt.Sprintf("entry %d, which it is about, was lost to damage: ask the host", e.Original)
		s.parked = append(s.parked, e.ID)
	}
	return e
}

// relist puts an entry into every list that follows from it.
func (v *fileView) relist(e Entry) error {
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	b, err := v.batch(l.number, e.Batch.N)
	if err != nil {
		return err
	}
	if b.stage == BatchSettled {
		if err := v.tx.Delete(inCards, idKey(e.ID)); err != nil {
			return err
		}
	}
	if e.Pruned {
		if at := e.refPlace(); at != nil {
			if err := v.tx.Put(inRefs, at, idKey(e.ID)); err != nil {
				return err
			}
		}
		return v.include(inMembers, batchKey(l.number, e.Batch.N), uint64(e.ID))
	}
	if err := v.putEntry(nil, e); err != nil {
		return err
	}
	if err := v.flush(); err != nil || b.stage != BatchSettled || e.Kind == Reversal {
		return err
	}
	return v.exclude(inSTANs, be32(nil, l.number), uint64(e.STAN))
}

// recount makes the counts of lanes and batches what the entries say.
func recount(v *fileView, most ID) error {
	var lanes []laneRecord
	err := v.tx.Scan(inLanes, nil, nil, func(_, b []byte) (bool, error) {
		l, err := decodeLane(b)
		lanes = append(lanes, l)
		return true, err
	})
	if err != nil {
		return err
	}
	for _, l := range lanes {
		l.tallies = nil
		if err := v.putLane(l); err != nil {
			return err
		}
		for n := uint32(1); n <= l.open; n++ {
			b, err := v.batch(l.number, n)
			if err != nil {
				return err
			}
			b.entries, b.unfinished, b.bound = 0, 0, 0
			if err := v.putBatch(b); err != nil {
				return err
			}
		}
	}
	for id := ID(1); id <= most; id++ {
		e, err := v.entry(id)
		if errors.Is(err, ErrNotFound) {
			continue
		} else if err != nil {
			return err
		}
		delete(v.entries, id)
		if err := v.countIn(e); err != nil {
			return err
		}
	}
	if err := v.tx.Put(inCounts, []byte("entries"), be64(nil, uint64(most))); err != nil {
		return err
	}
	return v.flush()
}

func (v *fileView) countIn(e Entry) error {
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	l.tallies = slices.Clone(l.tallies)
	l.tally(e, 1)
	if e.Kind != Reversal {
		l.lastSTAN = max(l.lastSTAN, e.STAN)
	}
	if err := v.putLane(l); err != nil {
		return err
	}
	b, err := v.batch(l.number, e.Batch.N)
	if err != nil {
		return err
	}
	b.entries++
	if e.unfinished() {
		b.unfinished++
	}
	if e.Attempts > 0 && e.bound() {
		b.bound++
	}
	return v.putBatch(b)
}
