package queue

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/tallystick/tallystick/internal/journal"
)

// laneRemains is what the readable entries tell of their lane.
type laneRemains struct {
	stan STAN
	host uint32            // the number under which the newest attempted entry went out
	in   map[uint32]uint32 // batch → the host's number for it
}

// remake makes the lanes and batches anew that are not readable, so that each
// readable entry has its own.
func (s *salvage) remake(born map[ID]uint64, most ID) error {
	told := map[Lane]*laneRemains{}
	err := s.each(most, func(v *fileView, id ID) error {
		e, found, err := s.readable(v, id, born[id])
		if found {
			tell(told, e)
		}
		return err
	})
	if err != nil {
		return err
	}
	numbers, err := s.numbers()
	if err != nil {
		return err
	}
	for _, name := range slices.SortedFunc(maps.Keys(told), func(a, b Lane) int { return cmp.Compare(a.String(), b.String()) }) {
		if numbers[name] == 0 {
			free := uint32(1)
			for slices.Contains(slices.Collect(maps.Values(numbers)), free) {
				free++
			}
			numbers[name] = free
		}
	}
	byNumber := func(a, b Lane) int { return cmp.Compare(numbers[a], numbers[b]) }
	for _, name := range slices.SortedFunc(maps.Keys(numbers), byNumber) {
		r := told[name]
		if r == nil {
			r = &laneRemains{}
		}
		if err := s.step(func(v *fileView) error { return s.remakeLane(v, numbers[name], name, r) }); err != nil {
			return err
		}
	}
	return nil
}

func tell(told map[Lane]*laneRemains, e Entry) {
	r := told[e.Lane]
	if r == nil {
		r = &laneRemains{in: map[uint32]uint32{}}
		told[e.Lane] = r
	}
	r.stan = max(r.stan, e.STAN)
	if e.HostBatch != 0 {
		r.host = e.HostBatch
	}
	r.in[e.Batch.N] = max(r.in[e.Batch.N], e.HostBatch)
}

// numbers tells the lanes' numbers, as far as the lanes, their names or the
// events that made them are readable.
func (s *salvage) numbers() (map[Lane]uint32, error) {
	out := map[Lane]uint32{}
	err := s.fresh.View(func(tx *journal.Tx) error {
		last, err := tx.LastEvent()
		if err != nil {
			return err
		}
		for n := tx.FirstEvent(); n <= last; n++ {
			body, err := tx.Event(n)
			if errors.Is(err, journal.ErrLost) {
				continue
			}
			if err != nil {
				return err
			}
			if ev, err := decodeEvent(body); err != nil {
				return err
			} else if ev.kind == evLane {
				out[ev.laneName] = ev.lane
			}
		}
		return tx.Scan(inLanes, nil, nil, func(_, b []byte) (bool, error) {
			l, err := decodeLane(b)
			out[l.name] = l.number
			return true, err
		})
	})
	return out, err
}

// remakeLane makes what is not readable of one lane.
func (s *salvage) remakeLane(v *fileView, number uint32, name Lane, r *laneRemains) error {
	l, err := v.laneAt(number)
	if errors.Is(err, ErrNotFound) {
		l = laneRecord{number: number, name: name, lastSTAN: r.stan, hostBatch: r.host, open: 1}
		for n := range r.in {
			l.open = max(l.open, n)
		}
		if l.open, err = v.openBatch(number, l.open); err != nil {
			return err
		}
		s.stale = true // its numbers may have gone further
	} else if err != nil {
		return err
	}
	for n := uint32(1); n <= l.open; n++ {
		_, err := v.batch(number, n)
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		b := batchRecord{lane: number, n: n, stage: BatchClosed, host: r.in[n], superseded: !slices.Contains(l.closing, n)}
		if n == l.open {
			b.stage, b.superseded = BatchOpen, false
		}
		if err := v.putBatch(b); err != nil {
			return err
		}
		s.remade = append(s.remade, BatchID{name, n})
	}
	if err := v.putLane(l); err != nil {
		return err
	}
	if err := v.flush(); err != nil {
		return err
	}
	return v.tx.Put(inCounts, []byte("lanes"), be64(nil, uint64(number)))
}

// openBatch tells which batch of a lane is open: the one that says so, else the
// one behind the last that is readable, and none before least.
func (v *fileView) openBatch(lane, least uint32) (n uint32, err error) {
	n = least
	err = v.tx.Scan(inBatches, be32(nil, lane), nil, func(_, value []byte) (bool, error) {
		b, err := decodeBatch(value)
		if err != nil || b.n < n {
			return err == nil, err
		}
		if n = b.n; b.stage != BatchOpen {
			n++
		}
		return true, nil
	})
	return n, err
}

// doubtAll takes what waits for what may have gone further, and moves the
// numbers on (I10).
func (s *salvage) doubtAll(most ID) error {
	err := s.each(most, func(v *fileView, id ID) error {
		was, err := v.entry(id)
		if err != nil {
			return ignoreNotFound(err)
		}
		if err := v.doubt(id, true); err != nil {
			return err
		}
		now, err := v.entry(id)
		if err == nil && now.State == Parked && was.State != Parked {
			s.parked = append(s.parked, id)
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.step(func(v *fileView) error {
		err := v.eachLane(func(l laneRecord) error { return v.fence(l, s.fresh.Epoch()) })
		if err != nil {
			return err
		}
		return v.flush()
	})
}
