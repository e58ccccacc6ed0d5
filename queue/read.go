package queue

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"time"
)

// NextSTAN draws a number of the lane's series for a message that is not an
// entry: a sign-in, a settlement. It is durable: no later message gets it
// before the series has gone round (I3).
//
// Errors: *InvalidError, ErrNumbers, ErrNotSynced, ErrClosed, ctx.Err().
func (q *Queue) NextSTAN(ctx context.Context, lane Lane) (s STAN, err error) {
	if lane.Host == "" || lane.Merchant == "" || lane.Terminal == "" {
		return 0, invalid("Lane", "needs host, merchant and terminal")
	}
	err = q.update(ctx, func(v *fileView) error {
		l, err := v.openLane(lane)
		if err != nil {
			return err
		}
		if s, err = v.nextSTAN(l); err != nil {
			return err
		}
		return v.apply(event{kind: evSTAN, lane: l.number, stan: s})
	})
	return s, err
}

// Get returns the entry of an id, or ErrNotFound. Like all that reads, it
// shows synced states only.
func (q *Queue) Get(_ context.Context, id ID) (e Entry, err error) {
	err = q.read(func(v *fileView) error {
		if e, err = v.entry(id); err != nil {
			return err
		}
		e, err = v.full(e)
		return err
	})
	return e, err
}

// ByRef returns the entry of a ref, or ErrNotFound.
func (q *Queue) ByRef(_ context.Context, ref string) (e Entry, err error) {
	err = q.read(func(v *fileView) error {
		var found bool
		if e, found, err = v.byRef(ref); err != nil {
			return err
		}
		if !found {
			return fmt.Errorf("ref: %w", ErrNotFound)
		}
		e, err = v.full(e)
		return err
	})
	return e, err
}

// Filter chooses entries; its zero value chooses all.
type Filter struct {
	Lane   Lane    // zero: every lane
	States []State // none: every state
	Batch  BatchID // zero: every batch
	From   ID      // the first id to look at
	Pruned bool    // also what is left of pruned entries
}

func (f Filter) matches(e Entry) bool {
	return (f.Pruned || !e.Pruned) && (f.Lane == Lane{} || f.Lane == e.Lane) &&
		(f.Batch == BatchID{} || f.Batch == e.Batch) &&
		(len(f.States) == 0 || slices.Contains(f.States, e.State))
}

// readPage is how many entries All reads at once.
const readPage = 128

// All yields the entries that f chooses, in sequence. The loop body may call
// any method of q: no read is open while it runs. An entry changed meanwhile
// is yielded as it was or as it is. An error is yielded once and last.
func (q *Queue) All(ctx context.Context, f Filter) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		next := max(f.From, 1)
		for next != 0 {
			if err := ctx.Err(); err != nil {
				yield(Entry{}, err)
				return
			}
			page, after, err := q.page(f, next)
			for _, e := range page {
				if !yield(e, nil) {
					return
				}
			}
			if err != nil {
				yield(Entry{}, err)
				return
			}
			next = after
		}
	}
}

// page reads the entries of one page and returns where the next one begins,
// 0 at the end.
func (q *Queue) page(f Filter, from ID) (page []Entry, next ID, err error) {
	err = q.read(func(v *fileView) error {
		seen := 0
		if f.Batch != (BatchID{}) {
			l, err := v.laneOf(f.Batch.Lane)
			if err != nil {
				return ignoreNotFound(err)
			}
			name := batchKey(l.number, f.Batch.N)
			return v.numbers(inMembers, name, len(name), uint64(from),
				func(_ []byte, n uint64) (bool, error) {
					id := ID(n)
					if seen++; seen > readPage {
						next = id
						return false, nil
					}
					e, err := v.entry(id)
					return true, v.addTo(&page, e, f, err)
				})
		}
		return v.tx.Scan(inEntries, nil, idKey(from), func(k, b []byte) (bool, error) {
			if len(k) != 8 {
				return false, fmt.Errorf("%w: entries", ErrDamaged)
			}
			if seen++; seen > readPage {
				next = ID(binary.BigEndian.Uint64(k))
				return false, nil
			}
			e, err := parseEntry(b)
			return true, v.addTo(&page, e, f, err)
		})
	})
	return page, next, err
}

func (v *fileView) addTo(page *[]Entry, e Entry, f Filter, err error) error {
	if err != nil || !f.matches(e) {
		return err
	}
	if e, err = v.full(e); err == nil {
		*page = append(*page, e)
	}
	return err
}

// LaneStatus is what a screen shows of a lane.
type LaneStatus struct {
	Lane      Lane
	OpenBatch BatchID
	HostBatch uint32    // the number under which the host books now; 0 unknown
	Contact   time.Time // the newest answer, by the device's clock; zero: none yet
	Unsettled int       // closed batches that are not settled
	Full      bool      // the open batch takes no more records: close and settle it
	Fenced    bool      // restored: sends nothing new yet, see Restore
	Tallies   []Tally   // counts and sums of the lane's entries
}

// ParkedEntry is an entry that needs a person, and why.
type ParkedEntry struct {
	ID     ID
	Ref    string
	Amount Money
	Why    string
}

// maxParked bounds how many parked entries a Status names.
const maxParked = 100

// Status is what a screen shows of the journal, as of one synced state.
type Status struct {
	Lanes []LaneStatus
	// Oldest is how long the oldest entry that waits has been waiting, by the
	// wall clock; 0 when nothing waits.
	Oldest time.Duration
	// NeedPerson are the parked entries, the first 100 of them.
	NeedPerson []ParkedEntry
	// AtStake is what would be lost if the journal were wiped now: what is
	// pending, in doubt or parked, without the reversals.
	AtStake []Tally
	// Waiting counts entries pending or in doubt, Parked those that need a
	// person, Unsettled those whose batch the host has not settled.
	Waiting, Parked int64
	// SafeToWipe says that the journal holds nothing that is not at its host:
	// nothing pending, in doubt or parked, and every batch with entries in it
	// settled.
	SafeToWipe bool
}

// Status returns counts and sums.
func (q *Queue) Status(_ context.Context) (s Status, err error) {
	err = q.read(func(v *fileView) error {
		s = Status{SafeToWipe: true}
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
			if err := v.addStatus(&s, l); err != nil {
				return err
			}
		}
		if s.Oldest, err = v.oldest(); err != nil || s.Parked == 0 {
			return err
		}
		return v.addParked(&s)
	})
	return s, err
}

func (v *fileView) addParked(s *Status) error {
	return v.tx.Scan(inEntries, nil, nil, func(_, b []byte) (bool, error) {
		e, err := parseEntry(b)
		if err == nil && e.State == Parked {
			s.NeedPerson = append(s.NeedPerson, ParkedEntry{e.ID, e.Ref, e.Amount, e.ParkedWhy})
		}
		return len(s.NeedPerson) < maxParked, err
	})
}

func (v *fileView) addStatus(s *Status, l laneRecord) error {
	ls := LaneStatus{Lane: l.name, OpenBatch: BatchID{l.name, l.open}, HostBatch: l.hostBatch, Contact: l.contact, Fenced: l.fenced, Tallies: l.tallies}
	for _, t := range l.tallies {
		switch t.State {
		case Pending, InDoubt:
			s.Waiting += t.Count
		case Parked:
			s.Parked += t.Count
		}
		if !t.State.Final() && t.Kind != Reversal {
			s.AtStake = append(s.AtStake, t)
		}
	}
	err := v.tx.Scan(inBatches, be32(nil, l.number), nil, func(_, b []byte) (bool, error) {
		rec, err := decodeBatch(b)
		if err != nil {
			return false, err
		}
		if rec.stage == BatchClosed {
			ls.Unsettled++
		}
		if rec.stage != BatchSettled && rec.entries > 0 {
			s.SafeToWipe = false
		}
		return true, nil
	})
	if err == nil {
		ls.Full, err = v.batchFull(l)
	}
	s.Lanes = append(s.Lanes, ls)
	return err
}

// Verify walks the whole log and checks every event's digest, its place in the
// chain, and that stepping through it again gives every entry as it is kept.
//
// Errors: ErrDamaged with the event or entry that fails, ErrClosed, ctx.Err().
func (q *Queue) Verify(ctx context.Context) error {
	if err := q.file.VerifyLog(ctx); err != nil {
		return err
	}
	return q.replay(ctx)
}
