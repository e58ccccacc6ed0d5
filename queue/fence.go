package queue

import "fmt"

// stepBound gives entries the host's batch number before their first attempt, so
// that a copy of the journal tells the host the same (I3). One whose first attempt
// may still prove unsent keeps the number of that.
func stepBound(v view, ev event) error {
	for _, id := range ev.keep.ids {
		e, err := v.entry(id)
		if err != nil {
			return err
		}
		trying := e.firstTry() // bound by that already
		if err := allow(e, trying || (e.State == Pending && e.Attempts == 0 && !e.copied), "its batch number is bound"); err != nil {
			return err
		}
		was := e
		e.copied, e.Changed = true, ev.at
		if !trying {
			e.HostBatch = ev.host
		}
		if err := v.putEntry(&was, e); err != nil {
			return err
		}
		b, err := v.batch(ev.lane, e.Batch.N)
		if err != nil {
			return err
		}
		if b.host == 0 && !trying {
			b.host = ev.host
			if err := v.putBatch(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// stepFence moves a lane's STANs on; a fenced lane sends nothing new until the
// fence is lifted (I10).
func stepFence(v view, ev event) error {
	return changeLane(v, ev.lane, func(l *laneRecord) error {
		if ev.kind == evLifted && !l.fenced {
			return fmt.Errorf("lane %s: %w: it is not held back", l.name, ErrState)
		}
		l.lastSTAN, l.fenced = ev.stan, ev.kind == evEpoch && ev.flag
		return nil
	})
}

// stepForeign takes a batch over from another device: closed, behind all that
// the lane has, and not one that later batches wait for.
func stepForeign(v view, ev event) error {
	b, err := decodeBatch(ev.keep.body)
	if err != nil {
		return err
	}
	return changeLane(v, b.lane, func(l *laneRecord) error {
		if b.n != l.open || b.stage != BatchClosed || b.entries != 0 || b.unfinished != 0 {
			return fmt.Errorf("batch %d of lane %s: %w: an imported batch takes the next number", b.n, l.name, ErrState)
		}
		open, err := v.batch(b.lane, b.n)
		if err != nil {
			return err
		}
		if open.entries != 0 {
			return fmt.Errorf("batch %d of lane %s: %w: it has entries", b.n, l.name, ErrState)
		}
		if err := v.putBatch(b); err != nil {
			return err
		}
		l.open = b.n + 1
		return v.putBatch(batchRecord{lane: b.lane, n: l.open, stage: BatchOpen})
	})
}

// stepImported takes an entry over from another device, in the state in which
// it is there.
func stepImported(v view, ev event) error {
	e := ev.entry
	e.released = moment{} // on another device, by its clock
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	b, err := v.batch(l.number, e.Batch.N)
	if err != nil {
		return err
	}
	if b.stage != BatchClosed {
		return fmt.Errorf("batch %d is %s: %w: imported entries go to an imported batch", b.n, b.stage, ErrState)
	}
	if e.Kind == Reversal || e.Op == Void {
		orig, err := v.entry(e.Original)
		if err != nil {
			return err
		}
		was := orig
		if e.Kind == Reversal {
			orig.Reversal = e.ID
			if orig.State == Parked && !e.State.Final() {
				orig.State, orig.ParkedWhy = e.State, e.ParkedWhy
				if e.State == Pending {
					orig.State = InDoubt
				}
			}
		} else {
			orig.VoidedBy = e.ID
		}
		if err := save(v, &was, orig, ev); err != nil {
			return err
		}
	}
	l, err = v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	b, err = v.batch(l.number, e.Batch.N)
	if err != nil {
		return err
	}
	l.tally(e, 1)
	b.entries++
	if e.unfinished() {
		b.unfinished++
	}
	if err := v.putLane(l); err != nil {
		return err
	}
	if err := v.putBatch(b); err != nil {
		return err
	}
	return v.putEntry(nil, e)
}
