package queue

import (
	"fmt"
	"slices"
)

// view is the state that step reads and changes. The store gives one on the
// journal's file, the tests one in memory.
type view interface {
	// entry returns the entry without its card and its Of, or ErrNotFound.
	entry(ID) (Entry, error)
	// putEntry keeps e; old is what entry returned, nil for a new one.
	putEntry(old *Entry, e Entry) error
	laneAt(number uint32) (laneRecord, error)
	laneOf(Lane) (laneRecord, error)
	putLane(laneRecord) error
	batch(lane, n uint32) (batchRecord, error)
	putBatch(batchRecord) error
	clock() (clockRecord, error)
	putClock(clockRecord) error
}

// step applies ev to v. It is a pure function of v and ev: no clock, no
// randomness, no I/O of its own. An event that cannot follow from v is an
// error that changes nothing, and cannot be journalled.
func step(v view, ev event) error {
	switch ev.kind {
	case evLane:
		return stepLane(v, ev)
	case evAppended:
		return stepAppended(v, ev)
	case evSTAN:
		return changeLane(v, ev.lane, func(l *laneRecord) error {
			l.lastSTAN = ev.stan
			return nil
		})
	case evClosed:
		return stepClosed(v, ev)
	case evHostBatch:
		return changeLane(v, ev.lane, func(l *laneRecord) error {
			l.hostBatch = ev.host
			return nil
		})
	case evProgress:
		return changeBatch(v, ev, func(b *batchRecord) error {
			if b.stage != BatchClosed {
				return fmt.Errorf("batch %d is %s: %w: only a closed batch is settled", b.n, b.stage, ErrState)
			}
			b.progress = ev.progress
			return nil
		})
	case evSettled:
		return stepSettled(v, ev)
	case evClock:
		return stepClock(v, ev)
	case evPaced:
		return stepPaced(v, ev)
	case evPruned, evEpoch, evImported, evKept, evNoted, evBound, evLifted, evForeign:
		return stepKeeping(v, ev)
	}
	return stepEntry(v, ev)
}

func stepLane(v view, ev event) error {
	if err := v.putLane(laneRecord{number: ev.lane, name: ev.laneName, open: 1}); err != nil {
		return err
	}
	return v.putBatch(batchRecord{lane: ev.lane, n: 1, stage: BatchOpen})
}

func stepAppended(v view, ev event) error {
	e := ev.entry
	e.Changed = ev.at
	if e.Kind == Reversal {
		orig, err := v.entry(e.Original)
		if err != nil {
			return err
		}
		if orig.Kind != Request || orig.State != InDoubt || orig.Reversal != 0 {
			return stateError(orig.ID, orig.State, "only a request in doubt is reversed, once")
		}
	}
	if e.Original != 0 {
		err := changeOriginal(v, e, ev, func(orig *Entry) {
			switch {
			case e.Kind == Reversal:
				orig.Reversal = e.ID
			case e.Op == Void:
				orig.VoidedBy = e.ID
			case e.Op == Refund:
				orig.Refunded += e.Amount.Minor
			}
		})
		if err != nil {
			return err
		}
	}
	if e.Kind != Reversal {
		err := changeLane(v, ev.lane, func(l *laneRecord) error {
			l.lastSTAN = e.STAN
			return nil
		})
		if err != nil {
			return err
		}
	}
	return save(v, nil, e, ev)
}

func stepClosed(v view, ev event) error {
	err := changeBatch(v, ev, func(b *batchRecord) error {
		if b.stage != BatchOpen {
			return fmt.Errorf("batch %d is %s: %w: only the open batch is closed", b.n, b.stage, ErrState)
		}
		b.stage, b.superseded, b.closed = BatchClosed, ev.flag, ev.at
		return nil
	})
	if err != nil {
		return err
	}
	err = changeLane(v, ev.lane, func(l *laneRecord) error {
		l.open = ev.batch + 1
		if !ev.flag {
			l.closing = append(slices.Clone(l.closing), ev.batch)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return v.putBatch(batchRecord{lane: ev.lane, n: ev.batch + 1, stage: BatchOpen})
}

func stepSettled(v view, ev event) error {
	err := changeBatch(v, ev, func(b *batchRecord) error {
		if b.stage != BatchClosed || b.unfinished != 0 {
			return fmt.Errorf("batch %d is %s with %d entries unfinished: %w", b.n, b.stage, b.unfinished, ErrState)
		}
		b.stage = BatchSettled
		return nil
	})
	if err != nil {
		return err
	}
	return changeLane(v, ev.lane, func(l *laneRecord) error {
		l.closing = slices.DeleteFunc(slices.Clone(l.closing), func(n uint32) bool { return n == ev.batch })
		return nil
	})
}

// stepEntry applies an event of one entry's life.
func stepEntry(v view, ev event) error {
	e, err := v.entry(ev.id)
	if err != nil {
		return err
	}
	was := e
	switch ev.kind {
	case evAttempted:
		err = attempt(v, &e, ev)
	case evUnsent:
		err = unsent(v, &e)
	case evAnswered:
		err = answer(v, &e, ev)
	case evHeld:
		if err = allow(e, e.State == InDoubt && e.Kind == Request && e.Reversal == 0, "there is no approval to hold"); err == nil {
			e.approvalSeen, e.Answer = true, ev.answer
		}
	case evSilent:
		err = allow(e, e.State == InDoubt, "there is no attempt under way")
	case evParked:
		if err = allow(e, e.State == Pending || e.State == InDoubt, "it is not waiting"); err == nil {
			e.State, e.ParkedWhy = Parked, ev.text
		}
	case evCancelled:
		if err = allow(e, e.State == Pending && e.Attempts == 0, "only what was never attempted is cancelled"); err == nil {
			e.State = Cancelled
		}
	case evOffline:
		if err = allow(e, e.State == Pending && e.Kind == Request && e.Op == Sale, "only a sale proven unsent is taken offline"); err == nil {
			e.Kind, e.Approval = Advice, ev.text
		}
	case evResolved:
		err = resolve(&e, ev)
	case evUnparked:
		err = unpark(v, &e, ev)
	case evReleased:
		err = release(v, &e, ev)
	case evWithdrawn:
		if err = allow(e, e.Deferred && e.Op == Sale && e.State == InDoubt, "only a deferred sale in doubt is withdrawn"); err == nil {
			e.withdrawn = true
		}
	case evMoved:
		return move(v, was, ev)
	case evRerouted:
		return reroute(v, was, ev)
	default:
		return fmt.Errorf("%w: an event of kind %d", ErrDamaged, ev.kind)
	}
	if err != nil {
		return err
	}
	if err := save(v, &was, e, ev); err != nil {
		return err
	}
	if e.Op == Refund && (e.State == Declined || e.State == Cancelled) && was.State != e.State {
		return changeOriginal(v, e, ev, func(orig *Entry) { orig.Refunded -= e.Amount.Minor })
	}
	if e.Kind == Reversal && (e.State == Accepted || e.State == Parked) && was.State != e.State {
		return endReversed(v, e, ev)
	}
	return nil
}

// changeOriginal changes the entry that a Void, Refund or Reversal is about. One
// that was lost to damage since holds nothing up.
func changeOriginal(v view, e Entry, ev event, change func(*Entry)) error {
	orig, err := v.entry(e.Original)
	if err != nil && ev.kind != evAppended {
		return ignoreNotFound(err)
	}
	if err != nil {
		return err
	}
	was := orig
	change(&orig)
	return save(v, &was, orig, ev)
}

func allow(e Entry, ok bool, why string) error {
	if ok {
		return nil
	}
	return stateError(e.ID, e.State, why)
}

// attempt binds the host's batch number, once, and counts the attempt (I2, I3).
func attempt(v view, e *Entry, ev event) error {
	if err := allow(*e, e.State == Pending || e.State == InDoubt, "nothing is sent for it"); err != nil {
		return err
	}
	if e.Kind == Request && e.Attempts > 0 {
		return stateError(e.ID, e.State, "a request is never repeated")
	}
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	first := e.Attempts == 0
	if first {
		c, err := v.clock()
		if err != nil {
			return err
		}
		e.first = c.moment(ev.at, l.hostTime)
	}
	e.State = InDoubt
	e.Repeat = e.Attempts > 0
	e.Attempts++
	b, err := v.batch(l.number, e.Batch.N)
	if err != nil {
		return err
	}
	if first && e.HostBatch == 0 && e.Kind != Reversal {
		e.HostBatch = ev.host
		if ev.host == 0 {
			e.HostBatch = b.host // a line that tells no number carries the batch's own
		}
	}
	if first && b.host != 0 && e.HostBatch != b.host {
		return fmt.Errorf("batch %d is the host's %d: %w: nothing new goes out in it as %d (I6)", b.n, b.host, ErrState, e.HostBatch)
	}
	b.host = max(b.host, e.HostBatch)
	if first && e.bound() {
		b.bound++
	}
	return v.putBatch(b)
}

// bound tells whether an attempt of e is a record of the host's batch.
func (e Entry) bound() bool { return e.Kind != Reversal && e.Kind != Notice }

// unsent takes an attempt back that is proven not to have left the device.
func unsent(v view, e *Entry) error {
	if err := allow(*e, e.State == InDoubt && e.Attempts > 0, "there is no attempt under way"); err != nil {
		return err
	}
	e.Attempts--
	e.Repeat = e.Attempts > 0
	if e.Attempts > 0 {
		return nil
	}
	e.State = Pending
	if !e.bound() {
		return nil
	}
	if !e.copied {
		e.HostBatch = 0 // nothing is bound by what never left
	}
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	b, err := v.batch(l.number, e.Batch.N)
	if err != nil {
		return err
	}
	b.bound--
	return v.putBatch(b)
}

// answer applies the outcome table. An answer to what is final, or to a
// request whose reversal is journalled, is evidence and decides nothing (I5).
func answer(v view, e *Entry, ev event) error {
	a := ev.answer
	if a.Verdict == Approved || a.Verdict == Partial {
		e.approvalSeen = true
	}
	evidence := e.State.Final() || e.Reversal != 0
	if err := allow(*e, evidence || e.State == InDoubt, "there is no attempt to answer"); err != nil {
		return err
	}
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	l.contact = ev.at
	if a.HostTime.After(l.hostTime) {
		l.hostTime = a.HostTime
	}
	if a.Verdict.decides() {
		l.pace.reached()
	}
	if err := v.putLane(l); err != nil {
		return err
	}
	if evidence {
		return nil
	}
	at := answered{verdict: a.Verdict, repeat: e.Attempts > 1}
	if e.Kind == Reversal {
		orig, err := v.entry(e.Original)
		if ignoreNotFound(err) != nil {
			return err
		}
		at.undone = err == nil && !orig.approvalSeen && l.hostBatch == orig.HostBatch
	}
	e.Answer = a
	e.State, e.ParkedWhy = outcome(e.duty(), at)
	return nil
}

// endReversed gives the original of an answered or parked reversal its state.
func endReversed(v view, rev Entry, ev event) error {
	return changeOriginal(v, rev, ev, func(orig *Entry) {
		if rev.State == Accepted {
			orig.State, orig.ParkedWhy = Reversed, ""
		} else {
			orig.State, orig.ParkedWhy = Parked, rev.ParkedWhy
		}
	})
}

// resolve takes a person's word for the outcome of a parked entry.
func resolve(e *Entry, ev event) error {
	if err := allow(*e, e.State == Parked, "only a parked entry is resolved"); err != nil {
		return err
	}
	if e.Kind == Request && e.Reversal != 0 {
		return stateError(e.ID, e.State, "resolve its reversal")
	}
	switch ev.answer.Verdict {
	case Approved, Duplicate:
		e.State = Accepted
	case Refused, NotFound:
		if e.Kind == Reversal {
			return stateError(e.ID, e.State, "a reversal ends by being accepted")
		}
		e.State = Declined
	default:
		return stateError(e.ID, e.State, "a resolution is Approved or Refused")
	}
	e.Answer, e.ParkedWhy = ev.answer, ""
	return nil
}

// unpark lets a parked entry go on where it stood.
func unpark(v view, e *Entry, ev event) error {
	if err := allow(*e, e.State == Parked, "it is not parked"); err != nil {
		return err
	}
	if e.Kind == Request {
		return stateError(e.ID, e.State, "a request is not sent again: resolve it, or unpark its reversal")
	}
	e.State, e.ParkedWhy = InDoubt, ""
	if e.Attempts == 0 {
		e.State = Pending
	}
	if e.Kind != Reversal {
		return nil
	}
	return changeOriginal(v, *e, ev, func(orig *Entry) { orig.State, orig.ParkedWhy = InDoubt, "" })
}

// release lets a parked entry go on where it stood, on a person's word: that it
// is too old to be repeated no longer holds, and a request in doubt is reversed.
func release(v view, e *Entry, ev event) error {
	if e.State == Parked && e.Answer.Verdict == Duplicate {
		return stateError(e.ID, e.State, "resolve it: the host has another transaction under its STAN, and would answer for that one")
	}
	if e.Kind == Request && e.State == Parked {
		if e.Reversal != 0 {
			return stateError(e.ID, e.State, "unpark its reversal")
		}
		e.State, e.ParkedWhy = InDoubt, ""
		if e.Attempts == 0 {
			e.State = Pending
		}
		return nil
	}
	if err := unpark(v, e, ev); err != nil {
		return err
	}
	c, err := v.clock()
	if err != nil {
		return err
	}
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	e.released = c.moment(ev.at, l.hostTime)
	return nil
}

// move takes a never-attempted entry to another batch of its lane (I6).
func move(v view, e Entry, ev event) error {
	if err := allow(e, e.State == Pending && e.Attempts == 0 && !e.copied, "only what was never attempted moves"); err != nil {
		return err
	}
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	from, err := v.batch(l.number, e.Batch.N)
	if err != nil {
		return err
	}
	from.entries--
	if e.unfinished() {
		from.unfinished--
	}
	if err := v.putBatch(from); err != nil {
		return err
	}
	to, err := v.batch(l.number, ev.batch)
	if err != nil {
		return err
	}
	to.entries++
	if e.unfinished() {
		to.unfinished++
	}
	if err := v.putBatch(to); err != nil {
		return err
	}
	was := e
	e.Batch.N, e.HostBatch, e.Changed = ev.batch, 0, ev.at
	return v.putEntry(&was, e)
}

// save keeps a changed or new entry and moves it in the counts of its lane
// and batch.
func save(v view, was *Entry, e Entry, ev event) error {
	e.Changed = ev.at
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	b, err := v.batch(l.number, e.Batch.N)
	if err != nil {
		return err
	}
	if was == nil && e.Kind != Reversal && b.stage != BatchOpen {
		return fmt.Errorf("batch %d is %s: %w: new entries go to the open batch (I6)", b.n, b.stage, ErrState)
	}
	l.tallies = slices.Clone(l.tallies)
	if was != nil {
		l.tally(*was, -1)
		if was.unfinished() {
			b.unfinished--
		}
	} else {
		b.entries++
	}
	l.tally(e, 1)
	if e.unfinished() {
		b.unfinished++
	}
	if err := v.putLane(l); err != nil {
		return err
	}
	if err := v.putBatch(b); err != nil {
		return err
	}
	return v.putEntry(was, e)
}

// unfinished tells whether the entry keeps its batch from being settled (I6).
// A notice moves no money and does not.
func (e Entry) unfinished() bool { return !e.State.Final() && e.Kind != Notice }

func changeLane(v view, number uint32, change func(*laneRecord) error) error {
	l, err := v.laneAt(number)
	if err != nil {
		return err
	}
	if err := change(&l); err != nil {
		return err
	}
	return v.putLane(l)
}

func changeBatch(v view, ev event, change func(*batchRecord) error) error {
	b, err := v.batch(ev.lane, ev.batch)
	if err != nil {
		return err
	}
	if err := change(&b); err != nil {
		return err
	}
	return v.putBatch(b)
}
