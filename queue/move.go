package queue

import (
	"context"
	"slices"
)

// Move takes a sale that was never attempted to another lane, because its own
// host cannot be reached: under the same ID and Ref, with a number of that lane's
// series and in its open batch. The log keeps which, where to, by what plan (1
// to 64 bytes) and why (up to 256). Moving it to the lane where it is changes
// nothing.
//
// What was attempted, and not proven unsent, stays with its host: it may have it.
// So do reversals, voids and refunds, what a Do waits for, notices, and what a
// backup of the journal holds under its batch number: all of these are ErrState.
//
// Errors: *InvalidError, ErrNotFound, ErrState, ErrNumbers, ErrNotSynced,
// ErrClosed, ctx.Err(). With all of them but ErrNotSynced nothing was moved.
func (q *Queue) Move(ctx context.Context, id ID, to Lane, plan, why string) (Entry, error) {
	if err := validMove(to, plan, why); err != nil {
		return Entry{}, err
	}
	var out Entry
	err := q.update(ctx, func(v *fileView) error {
		e, err := v.entry(id)
		if err != nil {
			return err
		}
		if e.Lane != to {
			if err := q.moveTo(v, e, to, plan, why); err != nil {
				return err
			}
			if e, err = v.entry(id); err != nil {
				return err
			}
		}
		out, err = v.full(e)
		return err
	})
	if err != nil {
		return Entry{}, err
	}
	return out, nil
}

func validMove(to Lane, plan, why string) error {
	for _, x := range []struct {
		field, value string
		min, max     int
	}{
		{"to.Host", to.Host, 1, 64}, {"to.Merchant", to.Merchant, 1, 64}, {"to.Terminal", to.Terminal, 1, 64},
		{"plan", plan, 1, 64}, {"why", why, 0, 256},
	} {
		if len(x.value) < x.min || len(x.value) > x.max {
			return invalid(x.field, "has %d bytes, allowed are %d to %d", len(x.value), x.min, x.max)
		}
	}
	return nil
}

// moveTo journals that e goes to another lane.
func (q *Queue) moveTo(v *fileView, e Entry, to Lane, plan, why string) error {
	if err := movable(e); err != nil {
		return err
	}
	if q.lines.claimed(e.Lane, e.ID) {
		return stateError(e.ID, e.State, "an attempt is under way: wait for its end")
	}
	l, err := v.openLane(to)
	if err != nil {
		return err
	}
	if l.fenced {
		return stateError(e.ID, e.State, "the other lane is held back since a restore")
	}
	s, err := v.nextSTAN(l)
	if err != nil {
		return err
	}
	return v.apply(event{kind: evRerouted, id: e.ID, lane: l.number, batch: l.open, stan: s, who: plan, text: why})
}

// movable refuses what may be known to the entry's host, or belongs to
// something that is.
func movable(e Entry) error {
	switch {
	case e.State != Pending || e.Attempts > 0:
		return stateError(e.ID, e.State, "only what was never attempted goes to another host")
	case e.Op != Sale || e.Kind == Reversal:
		return stateError(e.ID, e.State, "it is about something at its own host")
	case e.Kind == Request && !e.Deferred:
		return stateError(e.ID, e.State, "a Do waits for it: TakeOffline or Reverse it")
	case e.Refunded > 0:
		return stateError(e.ID, e.State, "a refund of it waits for its own host")
	case e.copied:
		return stateError(e.ID, e.State, "a copy of the journal has it for its own host")
	}
	return nil
}

// reroute takes a never-attempted sale out of its lane's batch into another
// lane's (I6).
func reroute(v view, e Entry, ev event) error {
	if err := movable(e); err != nil {
		return err
	}
	from, err := v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	if from.number == ev.lane {
		return stateError(e.ID, e.State, "it is in that lane")
	}
	from.tallies = slices.Clone(from.tallies)
	from.tally(e, -1)
	if err := v.putLane(from); err != nil {
		return err
	}
	if err := changeBatch(v, event{lane: from.number, batch: e.Batch.N}, func(b *batchRecord) error {
		b.entries--
		b.unfinished--
		return nil
	}); err != nil {
		return err
	}
	to, err := v.laneAt(ev.lane)
	if err != nil {
		return err
	}
	was := e
	if e.Home == (Lane{}) {
		e.Home = e.Lane
	}
	if e.Lane = to.name; e.Home == e.Lane {
		e.Home = Lane{} // it is back
	}
	e.Batch, e.STAN, e.HostBatch, e.Changed = BatchID{to.name, ev.batch}, ev.stan, 0, ev.at
	to.tallies = slices.Clone(to.tallies)
	to.tally(e, 1)
	to.lastSTAN = ev.stan
	if err := v.putLane(to); err != nil {
		return err
	}
	if err := changeBatch(v, ev, func(b *batchRecord) error {
		if b.stage != BatchOpen {
			return stateError(e.ID, e.State, "the batch that it is to go to is not open (I6)")
		}
		b.entries++
		b.unfinished++
		return nil
	}); err != nil {
		return err
	}
	return v.putEntry(&was, e)
}

// given is what the app journalled: a lane that it did not choose is not part
// of it.
func (e Entry) given() Transaction {
	t := e.Transaction
	if e.Home != (Lane{}) {
		t.Lane = e.Home
	}
	return t
}

// leaveLane takes an entry out of what the keyspaces have of its lane.
func (v *fileView) leaveLane(old Entry) error {
	l, err := v.laneOf(old.Lane)
	if err != nil {
		return err
	}
	if err := v.exclude(inMembers, batchKey(l.number, old.Batch.N), uint64(old.ID)); err != nil {
		return err
	}
	if err := v.exclude(inSTANs, be32(nil, l.number), uint64(old.STAN)); err != nil {
		return err
	}
	if at := workPlace(l.number, old); at != nil {
		return v.exclude(inWork, at, uint64(old.ID))
	}
	return nil
}
