package queue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// prepare readies the uplink within the time that a line may take.
func (q *Queue) prepare(ctx context.Context, up Uplink) (line Line, err error) {
	p, ok := up.(Preparer)
	if !ok {
		return Line{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, q.opts.PrepareTimeout)
	defer cancel()
	defer caught(&err)
	return p.Prepare(ctx)
}

// caught turns an uplink's panic into an error, which leaves an entry in doubt.
// The panic's own value is not kept: it may hold card data.
func caught(err *error) {
	if recover() != nil {
		*err = errors.New("the uplink panicked")
	}
}

func window(up Uplink) int {
	if w, ok := up.(Windower); ok {
		return min(max(w.Window(), 1), 256)
	}
	return 1
}

// attempt marks e as being sent, under the line's batch number (I2, I3).
func (v *fileView) attempt(id ID, line Line) (Entry, error) {
	if err := v.apply(event{kind: evAttempted, id: id, host: line.HostBatch}); err != nil {
		return Entry{}, err
	}
	e, err := v.entry(id)
	if err != nil {
		return Entry{}, err
	}
	return v.full(e)
}

// setAside deals with an entry that may not be sent as it stands: one that the
// host has forgotten is parked, and one that was never attempted, in a batch
// that the host has gone on from, moves to the open batch.
func (v *fileView) setAside(e Entry, l laneRecord, line Line, memory time.Duration) (bool, error) {
	if parked, err := v.park(e, l, memory); parked || err != nil {
		return parked, err
	}
	if vain, err := v.inVain(e); vain || err != nil {
		return vain, err
	}
	if moved, err := v.catchUp(e); moved || err != nil {
		return moved, err
	}
	if e.Attempts > 0 || e.copied || !e.bound() || e.Batch.N == l.open || line.HostBatch == 0 {
		return false, nil
	}
	b, err := v.batch(l.number, e.Batch.N)
	if err != nil || b.host == 0 || b.host == line.HostBatch {
		return false, err
	}
	return true, v.apply(event{kind: evMoved, id: e.ID, batch: l.open})
}

// follow takes note of the number under which the host books now. When it is
// another than the open batch's, that batch is closed. What was never attempted
// there, or in a batch that is closed already, goes to the open one.
func (v *fileView) follow(name Lane, line Line) error {
	l, err := v.laneOf(name)
	if err != nil || line.HostBatch == l.hostBatch || line.HostBatch == 0 {
		return err
	}
	if err := v.apply(event{kind: evHostBatch, lane: l.number, host: line.HostBatch}); err != nil {
		return err
	}
	if l, err = v.laneOf(name); err != nil {
		return err
	}
	if err := v.mayLift(l); err != nil {
		return err
	}
	open := l.open
	for _, n := range append(slices.Clone(l.closing), l.open) {
		b, err := v.batch(l.number, n)
		if err != nil {
			return err
		}
		if b.host == 0 || b.host == line.HostBatch {
			continue
		}
		if n == l.open {
			if err := v.apply(event{kind: evClosed, lane: l.number, batch: n, flag: true}); err != nil {
				return err
			}
			open++
		}
		if err := v.moveOn(l.number, n, open); err != nil {
			return err
		}
	}
	return nil
}

// moveOn takes what was never attempted in a batch to the open one.
func (v *fileView) moveOn(lane, n, open uint32) error {
	if n == open {
		return nil
	}
	ids, err := v.members(lane, n)
	if err != nil {
		return err
	}
	for _, id := range ids {
		e, err := v.entry(id)
		if err != nil {
			return err
		}
		if e.State != Pending || e.Attempts > 0 || e.copied || e.Kind == Reversal {
			continue
		}
		if err := v.apply(event{kind: evMoved, id: id, batch: open}); err != nil {
			return err
		}
	}
	return nil
}

// sent is what became of one attempt.
type sent struct {
	entry  Entry
	answer Answer
	err    error
	anew   bool // a refusal for want of a sign-in is not the last word: see askAnew
}

// send runs one attempt that is already synced (I2).
func (q *Queue) send(ctx context.Context, up Uplink, e Entry) sent {
	ctx, cancel := context.WithTimeout(ctx, q.opts.AnswerTimeout)
	defer cancel()
	a, err := func() (a Answer, err error) {
		defer caught(&err)
		return up.Send(ctx, e)
	}()
	return sent{entry: e, answer: clip(a), err: err}
}

// clip bounds what a host can make the journal keep.
func clip(a Answer) Answer {
	cut := func(s string, n int) string { return s[:min(n, len(s))] }
	a.Code, a.RRN, a.AuthCode = cut(a.Code, 4), cut(a.RRN, 24), cut(a.AuthCode, 12)
	return a
}

// record journals what became of an attempt; a request that stays in doubt
// gets its reversal in the same commit.
func (q *Queue) record(v *fileView, s sent) error {
	id := s.entry.ID
	why := NoAnswer
	switch {
	case s.err == nil:
		if err := v.apply(event{kind: evAnswered, id: id, answer: s.answer}); err != nil {
			return err
		}
		if s.answer.Verdict == Partial {
			why = Fault
		}
	case errors.Is(s.err, ErrNotSent):
		if err := v.apply(event{kind: evUnsent, id: id}); err != nil {
			return err
		}
		if !errors.Is(s.err, ErrUnsendable) || (s.entry.Kind == Request && !s.entry.Deferred) {
			return nil
		}
		return v.apply(event{kind: evParked, id: id, text: s.err.Error()})
	default:
		switch {
		case errors.Is(s.err, errRefusedHere):
			why = Fault
		case errors.Is(s.err, ErrBadMAC):
			why = BadMAC
		}
		if err := v.apply(event{kind: evSilent, id: id, reason: why}); err != nil {
			return err
		}
	}
	e, err := v.entry(id)
	if err != nil {
		return err
	}
	if e.Kind == Request && e.State == InDoubt && e.Reversal == 0 {
		_, err = v.reversalOf(e, why)
		return err
	}
	if s.anew && e.State == Declined {
		return v.askAnew(s.entry)
	}
	switch {
	case e.State == Parked:
		q.opts.Log.Error("entry parked: it needs a person", "entry", uint64(id), "why", e.ParkedWhy)
	case e.State == Declined && e.Deferred && e.Op == Sale:
		q.opts.Log.Error("a sale at the merchant's risk was declined: its amount is lost", "entry", uint64(id))
	}
	if e.Kind == Reversal && e.State == Accepted {
		return v.presentAnew(e)
	}
	if e.Kind == Reversal && e.State == InDoubt && e.Attempts >= q.opts.tries(e.Lane) && !s.asked().planned {
		return v.apply(event{kind: evParked, id: id,
			text: fmt.Sprintf("the reversal had no answer in %d transmissions", e.Attempts)})
	}
	return nil
}

// begin marks up to n entries of the lane as being sent, in one commit with
// what became of the attempts before, and returns them. Requests that a crash
// left in doubt get their reversals, which are then among them.
func (q *Queue) begin(ctx context.Context, l Lane, line Line, n int, upTo byte, before []sent) (batch []Entry, err error) {
	return q.beginRound(ctx, l, line, n, &pick{upTo: upTo, repeats: -1}, before)
}

// settleRound journals what became of the background's attempts, and how it
// goes on after them, whatever ctx says.
func (q *Queue) settleRound(ctx context.Context, l Lane, before []sent) error {
	if len(before) == 0 {
		return nil
	}
	how := everything
	_, err := q.beginRound(context.WithoutCancel(ctx), l, Line{}, 0, &how, before)
	if err != nil {
		q.release(l, before)
	}
	return err
}

// beginRound is begin for the entries that how picks; it leaves in how what the
// next one may still pick.
func (q *Queue) beginRound(ctx context.Context, l Lane, line Line, n int, how *pick, before []sent) (batch []Entry, err error) {
	p, err := q.paces.of(q, l)
	if err != nil {
		return nil, err
	}
	r := roundOf(before)
	r.failed = r.failed && how.round
	next, changes := p.plan(r, &q.opts)
	left := *how
	var claimed []ID
	drop := func() {
		for _, id := range claimed {
			q.lines.unclaim(l, id)
		}
		claimed, batch = nil, nil
	}
	claim := func(id ID) bool {
		ok := q.lines.claim(l, id)
		if ok {
			claimed = append(claimed, id)
		}
		return ok
	}
	again := map[ID]ID{} // entries that something is presented anew as, and as which before
	err = q.update(ctx, func(v *fileView) error {
		drop()
		clear(again)
		for _, s := range before {
			if err := q.record(v, s); err != nil {
				return err
			}
			if old, next, err := v.presentedAs(s.entry); err != nil {
				return err
			} else if next != 0 {
				again[next] = old
			}
		}
		if changes && next.why != PaceFree {
			if err := v.paced(l, next); err != nil {
				return err
			}
		}
		if n == 0 {
			return nil
		}
		left = *how
		take := func(id ID) bool {
			if again[id] != 0 || p.tooEarly(id) {
				left.early = true
				return false
			}
			return left.takes(v, id) && claim(id)
		}
		var err error
		batch, err = v.begin(l, line, n, how.upTo, q.opts.memory(l), take)
		return err
	})
	if err != nil {
		drop()
		return nil, err
	}
	for _, id := range claimed {
		if !slices.ContainsFunc(batch, func(e Entry) bool { return e.ID == id }) {
			q.lines.unclaim(l, id) // it was parked, moved, or its reversal goes instead
		}
	}
	if changes {
		p.follow(next, r, true, &q.opts)
	}
	p.spend(before, &q.opts)
	for next, old := range again {
		p.presented(old, next, &q.opts)
	}
	*how = left
	q.release(l, before)
	return batch, nil
}

// release lets others work on entries whose attempts are recorded.
func (q *Queue) release(l Lane, before []sent) {
	for _, s := range before {
		q.lines.unclaim(l, s.entry.ID)
	}
	if len(before) > 0 {
		q.changed.broadcast()
	}
}

func (v *fileView) begin(name Lane, line Line, n int, upTo byte, memory time.Duration, claim func(ID) bool) ([]Entry, error) {
	if _, err := v.laneOf(name); errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err := v.follow(name, line); err != nil {
		return nil, err
	}
	// The work list is read from the file: what this view changed goes there first.
	if err := v.flush(); err != nil {
		return nil, err
	}
	l, err := v.laneOf(name)
	if err != nil {
		return nil, err
	}
	if line.HostBatch != 0 {
		room, err := v.room(l)
		if err != nil {
			return nil, err
		}
		n = min(n, room)
	}
	ids, err := v.work(l, n, upTo, func(id ID) bool { return !claim(id) })
	if err != nil {
		return nil, err
	}
	var batch []Entry
	for _, id := range ids {
		e, err := v.entry(id)
		if err != nil {
			return nil, err
		}
		if e.Kind == Request && e.State == InDoubt {
			why := Other
			if e.approvalSeen {
				why = Fault // the device died between the approval and its confirmation
			}
			r, err := v.reversalOf(e, why)
			if err != nil {
				return nil, err
			}
			claim(r.ID)
			id = r.ID
		}
		if done, err := v.setAside(e, l, line, memory); done || err != nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		if e, err = v.attempt(id, line); err != nil {
			return nil, err
		}
		batch = append(batch, e)
	}
	return batch, nil
}
