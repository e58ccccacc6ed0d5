package queue

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/tallystick/tallystick/internal/journal"
	"github.com/tallystick/tallystick/internal/record"
)

// memory is a view of its own, without a file: what the log alone says.
type memory struct {
	entries map[ID]Entry
	lanes   map[uint32]laneRecord
	names   map[Lane]uint32
	batches map[[2]uint32]batchRecord
	time    clockRecord
}

func newMemory() *memory {
	return &memory{map[ID]Entry{}, map[uint32]laneRecord{}, map[Lane]uint32{}, map[[2]uint32]batchRecord{}, clockRecord{}}
}

func found[K comparable, V any](m map[K]V, k K) (V, error) {
	v, ok := m[k]
	if !ok {
		return v, fmt.Errorf("%v: %w", k, ErrNotFound)
	}
	return v, nil
}

func (m *memory) entry(id ID) (Entry, error)               { return found(m.entries, id) }
func (m *memory) laneAt(number uint32) (laneRecord, error) { return found(m.lanes, number) }

func (m *memory) laneOf(name Lane) (laneRecord, error) {
	n, err := found(m.names, name)
	if err != nil {
		return laneRecord{}, err
	}
	return m.laneAt(n)
}

func (m *memory) batch(lane, n uint32) (batchRecord, error) {
	return found(m.batches, [2]uint32{lane, n})
}

func (m *memory) putEntry(_ *Entry, e Entry) error {
	m.entries[e.ID] = e
	return nil
}

func (m *memory) putLane(l laneRecord) error {
	m.lanes[l.number], m.names[l.name] = l, l.number
	return nil
}

func (m *memory) putBatch(b batchRecord) error {
	m.batches[[2]uint32{b.lane, b.n}] = b
	return nil
}

func (m *memory) clock() (clockRecord, error) { return m.time, nil }

func (m *memory) putClock(c clockRecord) error {
	m.time = c
	return nil
}

// replay steps through the whole log in memory and compares what comes out
// with what the file keeps.
func (q *Queue) replay(ctx context.Context) error {
	return q.file.View(func(tx *journal.Tx) error {
		last, err := tx.LastEvent()
		if err != nil {
			return err
		}
		m := newMemory()
		for n := tx.FirstEvent(); n <= last; n++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			body, err := tx.Event(n)
			if err != nil {
				return err
			}
			ev, err := decodeEvent(body)
			if err == nil {
				err = step(m, ev)
			}
			if err != nil {
				return fmt.Errorf("%w: event %d cannot follow: %w", ErrDamaged, n, err)
			}
		}
		return m.compare(newFileView(tx, &q.opts))
	})
}

// compare tells the first entry, lane or batch that v keeps otherwise.
func (m *memory) compare(v *fileView) error {
	n, err := v.count("entries")
	if err != nil {
		return err
	}
	if n != uint64(len(m.entries)) {
		return fmt.Errorf("%w: %d entries are kept, the log has %d", ErrDamaged, n, len(m.entries))
	}
	for _, id := range slices.Sorted(maps.Keys(m.entries)) {
		e, err := v.entry(id)
		if err != nil {
			return err
		}
		var want, got record.Writer
		encodeEntry(&want, m.entries[id])
		encodeEntry(&got, e)
		if string(want.B) != string(got.B) {
			return fmt.Errorf("%w: entry %d is kept otherwise than the log tells", ErrDamaged, id)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(m.lanes)) {
		l, err := v.laneAt(n)
		if err != nil {
			return err
		}
		if string(l.Encode()) != string(m.lanes[n].Encode()) {
			return fmt.Errorf("%w: lane %d is kept otherwise than the log tells", ErrDamaged, n)
		}
	}
	for k, want := range m.batches {
		b, err := v.batch(k[0], k[1])
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(b.Encode(), want.Encode()) {
			return fmt.Errorf("%w: batch %d of lane %d is kept otherwise than the log tells", ErrDamaged, k[1], k[0])
		}
	}
	return nil
}
