package queue

import (
	"context"
	"slices"
	"time"
)

// Backlog is what a lane holds that its host does not have yet, as of one
// synced state.
type Backlog struct {
	Lane Lane
	// Waiting counts the entries pending or in doubt, Parked those that need a
	// person.
	Waiting, Parked int64
	// Sums are what the waiting sales add up to, by ascending currency code.
	Sums []Money
	// Oldest is how long the oldest entry that the forwarder has to send has
	// been waiting, by the wall clock; 0 when there is none, and the largest
	// Duration when that clock went back.
	Oldest time.Duration
	// Full says that the open batch takes no more records, Held that a closed
	// batch waits for its settlement: either way what was never attempted waits
	// for the next batch.
	Full, Held bool
	// Fenced says that a restored lane sends nothing new yet: see Restore.
	Fenced bool
}

// Backlogs returns the backlog of each lane, in the order of their first use.
// It takes less than Status: no entry is looked at but the oldest of each lane.
//
// Errors: ErrDamaged, ErrClosed.
func (q *Queue) Backlogs(_ context.Context) (all []Backlog, err error) {
	err = q.read(func(v *fileView) error {
		all = nil
		lanes, err := v.allLanes()
		if err != nil {
			return err
		}
		for _, l := range lanes {
			b, err := v.backlog(l)
			if err != nil {
				return err
			}
			all = append(all, b)
		}
		return nil
	})
	return all, err
}

func (v *fileView) backlog(l laneRecord) (b Backlog, err error) {
	b = Backlog{Lane: l.name, Held: len(l.closing) > 0 && l.hostBatch != 0, Fenced: l.fenced}
	for _, t := range l.tallies {
		switch t.State {
		case Parked:
			b.Parked += t.Count
		case Pending, InDoubt:
			b.Waiting += t.Count
			if t.Op == Sale && t.Kind != Reversal && t.Count > 0 {
				b.add(Money{t.Sum, t.Currency})
			}
		}
	}
	if b.Oldest, err = v.oldestOf(be32(nil, l.number)); err != nil {
		return Backlog{}, err
	}
	b.Full, err = v.batchFull(l)
	return b, err
}

func (b *Backlog) add(m Money) {
	i, found := slices.BinarySearchFunc(b.Sums, m.Currency, func(s Money, c Currency) int { return int(s.Currency) - int(c) })
	if !found {
		b.Sums = slices.Insert(b.Sums, i, Money{Currency: m.Currency})
	}
	b.Sums[i].Minor += m.Minor
}
