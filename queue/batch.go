package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Batch is what is known of one of our batches.
type Batch struct {
	ID    BatchID
	State BatchState
	// HostBatch is the host's batch number, 0 before the first attempt.
	HostBatch uint32
	// Superseded says that the host went on to another batch number by itself.
	Superseded bool
	Entries    int
	// Unfinished counts the entries pending, in doubt or parked, without notices.
	Unfinished int
	Closed     time.Time
	// Pruned counts the entries of which only a stub is left.
	Pruned int
	// Progress is what SaveProgress kept last.
	Progress []byte
}

func (b batchRecord) public(l Lane) Batch {
	return Batch{ID: BatchID{l, b.n}, State: b.stage, HostBatch: b.host, Superseded: b.superseded,
		Entries: int(b.entries), Unfinished: int(b.unfinished), Closed: b.closed, Pruned: int(b.pruned), Progress: b.progress}
}

// CloseBatch fences the lane's open batch: entries journalled from now on are
// in the next one, and so is what was never attempted when the batch is full
// (Options.BatchLimit). Requests that were never attempted are cancelled, since
// nobody waits for them any more. While a closed batch waits for SettleBatch,
// a lane whose host numbers its batches sends nothing of later ones.
//
// Errors: ErrNotFound for a lane that was never used, ErrNotSynced, ErrClosed,
// ctx.Err().
func (q *Queue) CloseBatch(ctx context.Context, lane Lane) (BatchID, error) {
	var id BatchID
	err := q.update(ctx, func(v *fileView) error {
		l, err := v.laneOf(lane)
		if err != nil {
			return err
		}
		id = BatchID{lane, l.open}
		ids, err := v.members(l.number, l.open)
		if err != nil {
			return err
		}
		for _, m := range ids {
			e, err := v.entry(m)
			if err != nil {
				return err
			}
			idle := e.Kind == Request && !e.Deferred && e.State == Pending && e.Attempts == 0
			if !idle || q.lines.claimed(lane, m) {
				continue
			}
			if err := v.apply(event{kind: evCancelled, id: m}); err != nil {
				return err
			}
		}
		full, err := v.batchFull(l)
		if err != nil {
			return err
		}
		if err := v.apply(event{kind: evClosed, lane: l.number, batch: l.open}); err != nil || !full {
			return err
		}
		return v.moveOn(l.number, l.open, l.open+1)
	})
	return id, err
}

// WaitFull waits until the lane's open batch has as many records as its host
// takes (Options.BatchLimit). It returns nil then, or ctx.Err() or ErrClosed.
func (q *Queue) WaitFull(ctx context.Context, lane Lane) error {
	for {
		wake := q.changed.wait()
		full := false
		err := q.read(func(v *fileView) error {
			l, err := v.laneOf(lane)
			if err != nil {
				return ignoreNotFound(err)
			}
			full, err = v.batchFull(l)
			return err
		})
		if err != nil || full {
			return err
		}
		if err := q.pause(ctx, wake); err != nil {
			return err
		}
	}
}

// WithLane runs fn while nothing else is sent on the lane, once what is under
// way has ended: the messages of a settlement go out here. What ctx and fn
// return is returned; ErrClosed when the journal was closed while waiting.
func (q *Queue) WithLane(ctx context.Context, lane Lane, fn func() error) error {
	if err := q.lines.alone(ctx, lane, q.changed.closed); err != nil {
		return err
	}
	defer q.lines.open(lane)
	return fn()
}

// SaveProgress keeps how far the settlement of a closed batch has come, up to
// 64 KiB in the caller's own form, and returns once that is synced.
//
// Errors: ErrNotFound, ErrState when the batch is not closed, *InvalidError,
// ErrNotSynced, ErrClosed, ctx.Err().
func (q *Queue) SaveProgress(ctx context.Context, b BatchID, progress []byte) error {
	if len(progress) > 64<<10 {
		return invalid("progress", "has %d bytes, allowed are up to %d", len(progress), 64<<10)
	}
	return q.update(ctx, func(v *fileView) error {
		l, err := v.laneOf(b.Lane)
		if err != nil {
			return err
		}
		return v.apply(event{kind: evProgress, lane: l.number, batch: b.N, progress: progress})
	})
}

// SettleBatch records that the host has settled the closed batch b. Card data
// of its entries is forgotten but for the masked PAN. Settling it again is no
// error.
//
// Errors: *OutstandingError while one of its entries is pending, in doubt or
// parked (I6), ErrNotFound, ErrState when it is open, ErrNotSynced, ErrClosed,
// ctx.Err().
func (q *Queue) SettleBatch(ctx context.Context, b BatchID) error {
	return q.update(ctx, func(v *fileView) error {
		l, err := v.laneOf(b.Lane)
		if err != nil {
			return err
		}
		rec, err := v.batch(l.number, b.N)
		if err != nil || rec.stage == BatchSettled {
			return err
		}
		if rec.stage == BatchOpen {
			return fmt.Errorf("batch %s is open: %w: close it first", b, ErrState)
		}
		ids, err := v.members(l.number, b.N)
		if err != nil {
			return err
		}
		if rec.unfinished > 0 {
			return v.outstanding(b, ids)
		}
		if err := v.apply(event{kind: evSettled, lane: l.number, batch: b.N}); err != nil {
			return err
		}
		if err := v.flush(); err != nil {
			return err
		}
		return v.forget(l, ids)
	})
}

// Outstanding returns an *OutstandingError while an entry of b is pending, in
// doubt or parked, ErrNotFound, or nil.
func (q *Queue) Outstanding(_ context.Context, b BatchID) error {
	return q.read(func(v *fileView) error {
		l, err := v.laneOf(b.Lane)
		if err != nil {
			return err
		}
		rec, err := v.batch(l.number, b.N)
		if err != nil || rec.unfinished == 0 {
			return err
		}
		ids, err := v.members(l.number, b.N)
		if err != nil {
			return err
		}
		return v.outstanding(b, ids)
	})
}

func (v *fileView) outstanding(b BatchID, ids []ID) error {
	out := &OutstandingError{Batch: b}
	for _, id := range ids {
		e, err := v.entry(id)
		if err != nil {
			return err
		}
		if !e.unfinished() {
			continue
		}
		if out.Count++; len(out.Entries) < 20 {
			out.Entries = append(out.Entries, id)
		}
	}
	return out
}

// forget frees the STANs and the cards of settled entries.
func (v *fileView) forget(l laneRecord, ids []ID) error {
	for _, id := range ids {
		e, err := v.entry(id)
		if err != nil {
			return err
		}
		if err := v.tx.Delete(inCards, idKey(id)); err != nil {
			return err
		}
		if e.Kind == Reversal {
			continue
		}
		if err := v.exclude(inSTANs, be32(nil, l.number), uint64(e.STAN)); err != nil {
			return err
		}
	}
	return nil
}

// members returns the entries of a batch, in order.
func (v *fileView) members(lane, n uint32) (ids []ID, err error) {
	name := batchKey(lane, n)
	err = v.numbers(inMembers, name, len(name), 0, func(_ []byte, id uint64) (bool, error) {
		ids = append(ids, ID(id))
		return true, nil
	})
	return ids, err
}

// Batch returns what is known of b, or ErrNotFound.
func (q *Queue) Batch(_ context.Context, b BatchID) (out Batch, err error) {
	err = q.read(func(v *fileView) error {
		l, err := v.laneOf(b.Lane)
		if err != nil {
			return err
		}
		rec, err := v.batch(l.number, b.N)
		out = rec.public(b.Lane)
		return err
	})
	return out, err
}

// Unsettled returns the lane's closed batches that are not settled, oldest
// first. After a crash in a settlement it tells which one to go on with.
func (q *Queue) Unsettled(_ context.Context, lane Lane) (out []Batch, err error) {
	err = q.read(func(v *fileView) error {
		l, err := v.laneOf(lane)
		if err != nil {
			return ignoreNotFound(err)
		}
		return v.tx.Scan(inBatches, be32(nil, l.number), nil, func(_, b []byte) (bool, error) {
			rec, err := decodeBatch(b)
			if err == nil && rec.stage == BatchClosed {
				out = append(out, rec.public(lane))
			}
			return true, err
		})
	})
	return out, err
}

func ignoreNotFound(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
