package queue

import (
	"context"
	"errors"
	"fmt"

	"github.com/tallystick/tallystick/internal/journal"
	"github.com/tallystick/tallystick/internal/record"
)

// pruneStep is how many entries one commit of Prune takes.
const pruneStep = 256

// Prune forgets the entries of a settled batch but for a stub each: id, lane,
// kind, operation, tender, amount, STAN, batch numbers, times, state and answer
// stay, and the digest of its canonical bytes (Digest). Ref, operator, data and
// the masked PAN go. The ref is known for ever all the same: appending it again
// gives the first entry's outcome, or ErrConflict. Sequence and counts do not
// change, and the amounts and states in the stubs still make the batch's totals
// (Filter.Pruned yields them).
//
// An entry that is not final, which in a settled batch only a notice can be,
// stays whole. The bytes leave the file with the next Compact, and so do the
// events that are about nothing but pruned entries.
//
// Errors: ErrNotFound; ErrState for a batch that is not settled, or was closed
// less than Options.RetainFor ago; ErrNotSynced, ErrClosed, ctx.Err(). After any
// of them, or a crash, a part may be pruned: call it again. Pruning again is no
// error.
func (q *Queue) Prune(ctx context.Context, b BatchID) error {
	from := ID(0)
	for more := true; more; {
		err := q.update(ctx, func(v *fileView) (err error) {
			more = false
			ev, next, err := q.prunable(v, b, from)
			if err != nil || len(ev.keep.ids) == 0 {
				return err
			}
			more, from = next != 0, next
			return v.apply(ev)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// prunable returns the event that prunes the next entries of b, from one on.
func (q *Queue) prunable(v *fileView, b BatchID, from ID) (ev event, next ID, err error) {
	l, err := v.laneOf(b.Lane)
	if err != nil {
		return ev, 0, err
	}
	rec, err := v.batch(l.number, b.N)
	if err != nil {
		return ev, 0, err
	}
	if rec.stage != BatchSettled {
		return ev, 0, fmt.Errorf("batch %s is %s: %w: settle it first", b, rec.stage, ErrState)
	}
	if age := v.reading.Wall.Sub(rec.closed); q.opts.RetainFor > 0 && age < q.opts.RetainFor {
		return ev, 0, fmt.Errorf("batch %s was closed at %s: %w: it is kept for %s", b, rec.closed, ErrState, q.opts.RetainFor)
	}
	ids, err := v.members(l.number, b.N)
	if err != nil {
		return ev, 0, err
	}
	ev = event{kind: evPruned, lane: l.number, batch: b.N}
	for _, id := range ids {
		if id < from {
			continue
		}
		if len(ev.keep.ids) == pruneStep {
			return ev, id, nil
		}
		e, err := v.entry(id)
		if err != nil {
			return ev, 0, err
		}
		if e.Pruned || !e.State.Final() {
			continue
		}
		ev.keep.ids = append(ev.keep.ids, id)
		ev.keep.sums = append(ev.keep.sums, q.Digest(e))
	}
	return ev, 0, nil
}

// Compact writes the journal into a fresh file and puts that in the place of
// the old one, while everything else goes on; only the exchange at the end
// waits for reads under way and holds up commits. The file shrinks to what is
// in it. What was forgotten is gone from it: tracks, settled cards, pruned
// entries. Every record is sealed anew under Keys.Current, so that older keys
// can be destroyed once Compact has returned nil; copies of the old file, and
// what a flash disk keeps of it, are another matter: there destroying the key
// is what counts.
//
// Where entries were pruned since, the log of events is condensed: it then
// begins with what each lane, batch and entry had become, and with what hosts
// and persons said of the entries that are not pruned. The number and the chain
// value of the last event before it are kept.
//
// The disk needs room for both files. A crash at any point leaves one of them,
// whole. Errors: ErrDamaged, ErrKey, ErrNotSynced, ErrClosed, ctx.Err() and
// those of the file system; the journal is then in use as before.
func (q *Queue) Compact(ctx context.Context) error {
	return q.file.Compact(ctx, q.condense)
}

// condense gives the events that stand for the log up to tx.
func (q *Queue) condense(tx *journal.Tx, give func([]byte) error) error {
	pruned, err := anyPruned(tx)
	if err != nil {
		return err
	}
	if !pruned {
		return journal.ErrKeepLog
	}
	v := newFileView(tx, &q.opts)
	keep := func(part byte, body []byte) error {
		return give(event{kind: evKept, at: v.reading.Wall, keep: keeping{part: part, body: body}}.encode())
	}
	if err := v.giveLanes(keep); err != nil {
		return err
	}
	err = tx.Scan(inEntries, nil, nil, func(_, b []byte) (bool, error) { return true, keep(partEntry, b) })
	if err != nil {
		return err
	}
	clock, err := tx.Get(inCounts, []byte("clock"))
	if err == nil && clock != nil {
		err = keep(partClock, clock)
	}
	if err != nil {
		return err
	}
	return v.giveNotes(give)
}

func anyPruned(tx *journal.Tx) (found bool, err error) {
	err = eachEvent(tx, func(_ uint64, body []byte) error {
		if eventKind(body[0]) == evPruned {
			found = true
		}
		return nil
	})
	return found, err
}

// eachEvent walks the log that the file has; what damage took is left out.
func eachEvent(tx *journal.Tx, fn func(n uint64, body []byte) error) error {
	last, err := tx.LastEvent()
	if err != nil {
		return err
	}
	for n := tx.FirstEvent(); n <= last; n++ {
		body, err := tx.Event(n)
		if errors.Is(err, journal.ErrLost) {
			continue
		}
		if err == nil {
			err = fn(n, body)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// giveLanes gives each lane with its first batch, then the other batches.
func (v *fileView) giveLanes(keep func(byte, []byte) error) error {
	err := v.tx.Scan(inLanes, nil, nil, func(k, lane []byte) (bool, error) {
		batch, err := v.tx.Get(inBatches, append(k[:len(k):len(k)], 0, 0, 0, 1))
		if err != nil {
			return false, err
		}
		var w record.Writer
		w.Bytes(lane)
		w.Bytes(batch)
		return true, keep(partLane, w.B)
	})
	if err != nil {
		return err
	}
	return v.tx.Scan(inBatches, nil, nil, func(k, b []byte) (bool, error) {
		if len(k) == 8 && string(k[4:]) == "\x00\x00\x00\x01" {
			return true, nil
		}
		return true, keep(partBatch, b)
	})
}

// giveNotes gives what hosts and persons said of the entries that are not
// pruned, and what became of the journal.
func (v *fileView) giveNotes(give func([]byte) error) error {
	return eachEvent(v.tx, func(n uint64, body []byte) error {
		kind := eventKind(body[0])
		switch kind {
		case evNoted:
			ev, err := decodeEvent(body)
			if err != nil {
				return err
			}
			n, body = ev.keep.number, ev.keep.body
			if len(body) == 0 {
				return fmt.Errorf("%w: an empty note", ErrDamaged)
			}
		case evAnswered, evHeld, evResolved, evUnparked, evReleased, evRerouted, evEpoch, evLifted:
		default:
			return nil
		}
		ev, err := decodeEvent(body)
		if err != nil {
			return err
		}
		if ev.id != 0 {
			e, err := v.entry(ev.id)
			if err != nil || e.Pruned {
				return err
			}
			delete(v.entries, ev.id)
		}
		return give(event{kind: evNoted, at: ev.at, keep: keeping{number: n, body: body}}.encode())
	})
}
