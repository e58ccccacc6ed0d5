package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Do journals the request t, a Sale or a Void, sends it at once and waits for
// its answer. One commit precedes the first byte; the outcome is synced before
// Do returns it (I1, I2). A nil error means that the entry is Accepted or
// Declined; for a Ref that the journal had already, it may be Reversed, Parked
// or Cancelled, or an Advice since TakeOffline: read its State.
//
// A host that wants a sign-in first (Answer.SignIn) has not looked at the request:
// the entry ends Declined, and another one, with a STAN of its own under the same
// Ref, is journalled with that and sent behind the sign-in; once for each Do, and
// only while half of AnswerTimeout is left. It is the one that is returned.
//
// Do with a Ref that the journal has goes on from where that entry stands: a
// final one is returned, one that was proven unsent is sent, one in doubt is
// ErrInDoubt: what happened to it is told by its State, later.
//
// When the wait ends without an answer that decides, because the host was
// silent, AnswerTimeout passed or ctx ended, the reversal is journalled and Do
// returns the entry with ErrInDoubt: take the payment otherwise, under another
// ref. So it does where the host takes the STAN for another transaction's; the
// entry is then parked, since a reversal would undo that one. When nothing left the device the error wraps ErrNotSent: no line, or the
// lane holds requests back (ErrHeldBack). The entry, if its ID is not 0, is then
// Pending: TakeOffline it, Reverse it (nothing is sent), or Do it again.
//
// Other errors: *InvalidError, *DoubleTapError, ErrConflict, ErrNotFound, ErrState, ErrNumbers,
// ErrClosed, with nothing sent; ErrNotSynced, where the entry is in doubt if it
// has an ID. A crash at any point leaves nothing, or the entry in doubt: the
// lane's next send is then its reversal.
func (q *Queue) Do(ctx context.Context, up Uplink, t Transaction) (Entry, error) {
	return q.DoConfirm(ctx, up, t, nil)
}

// DoConfirm is Do for a device that can still refuse after the host has
// approved, as a chip card can. On an approval confirm is called with the entry
// as the host answered it; the approval is synced by then, and the entry in
// doubt. When confirm returns nil the entry is accepted; on an error, a panic or
// a crash before its end, the reversal goes out with the reason Fault, and
// DoConfirm returns ErrInDoubt with confirm's error. confirm is not called for
// any other answer, and must return when ctx is done.
func (q *Queue) DoConfirm(ctx context.Context, up Uplink, t Transaction, confirm func(context.Context, Entry) error) (Entry, error) {
	if t.Op != Sale && t.Op != Void {
		return Entry{}, invalid("Op", "Do sends a Sale or a Void: use Append")
	}
	if err := t.validate(Request); err != nil {
		return Entry{}, err
	}
	c := call{up: up, t: t, confirm: confirm}
	for {
		e, again, err := q.doOnce(ctx, &c)
		if again {
			continue
		}
		if c.waits != 0 && e.ID == 0 && errors.Is(err, ErrNotSent) {
			e, _ = q.Get(context.WithoutCancel(ctx), c.waits) // the app may take it offline
		}
		return e, err
	}
}

// call is one Do.
type call struct {
	up      Uplink
	t       Transaction
	confirm func(context.Context, Entry) error
	waits   ID   // what it has journalled that is to be sent once more
	anew    bool // behind a refusal for want of a sign-in
	readied bool // behind an ErrPrepareFirst
}

// doOnce is Do, but for the case that another Do of the same ref is under
// way: it then waits for that one's end and asks to be called again. So it does
// where the host wants a sign-in first.
func (q *Queue) doOnce(ctx context.Context, c *call) (e Entry, again bool, err error) {
	up, t := c.up, c.t
	wake := q.changed.wait()
	e, done, err := q.known(t)
	if done && e.State == InDoubt {
		if q.lines.claimed(t.Lane, e.ID) {
			return e, q.pause(ctx, wake) == nil, err
		}
		e, done, err = q.known(t) // the other one may have ended between the two looks
	}
	if done || err != nil {
		return e, false, err
	}
	if err := q.read(func(v *fileView) error { return v.mayTry(t.Lane) }); err != nil {
		return Entry{}, false, errors.Join(ErrNotSent, err)
	}
	if err := q.lines.acquire(ctx, t.Lane, window(up), true, q.changed.closed); err != nil {
		return Entry{}, false, fmt.Errorf("%w: the lane is busy: %w", ErrNotSent, err)
	}
	defer q.lines.done(t.Lane, 1)
	line, err := q.clearReversals(ctx, up, t.Lane)
	if err != nil {
		return Entry{}, false, err
	}
	e, ours, err := q.beginRequest(ctx, t, line)
	if err != nil || !ours {
		return Entry{}, err == nil, err
	}
	began := time.Now()
	s := q.send(ctx, up, e)
	if c.confirm != nil && s.err == nil && s.answer.Verdict == Approved {
		s = q.confirm(ctx, s, c.confirm)
	}
	s.anew = !c.anew && s.err == nil && s.answer.SignIn && ctx.Err() == nil && time.Since(began) < q.opts.AnswerTimeout/2
	e, err = q.finish(ctx, s)
	switch {
	case e.State == Pending && errors.Is(err, ErrPrepareFirst) && !c.readied && ctx.Err() == nil:
		c.readied, c.waits = true, e.ID
		return Entry{}, true, nil
	case err == nil && s.anew:
		next, err := q.ByRef(context.WithoutCancel(ctx), t.Ref)
		if err == nil && next.ID > e.ID {
			c.anew, c.waits = true, next.ID
			return Entry{}, true, nil
		}
	}
	return e, false, err
}

// askAnew journals once more a request that the host has declined unseen, where
// there is room for it.
func (v *fileView) askAnew(e Entry) error {
	l, err := v.laneOf(e.Lane)
	if err != nil || v.tx.Admit() != nil {
		return err
	}
	t := e.Transaction
	t.Card = t.Card.withoutTracks()
	_, err = v.insert(t, Request, e.Deferred, l)
	if errors.Is(err, ErrNumbers) {
		return nil
	}
	return err
}

// confirm asks the device about an approval that is synced, but decides
// nothing yet.
func (q *Queue) confirm(ctx context.Context, s sent, confirm func(context.Context, Entry) error) (out sent) {
	refused := func(err error) sent {
		return sent{entry: s.entry, answer: s.answer, err: refusal(err)}
	}
	out = refused(errors.New("confirm panicked"))
	held := s.entry
	err := q.update(context.WithoutCancel(ctx), func(v *fileView) error {
		if err := v.apply(event{kind: evHeld, id: s.entry.ID, answer: s.answer}); err != nil {
			return err
		}
		e, err := v.entry(s.entry.ID)
		if err != nil {
			return err
		}
		held, err = v.full(e)
		return err
	})
	if err != nil {
		return refused(err)
	}
	defer func() {
		if p := recover(); p != nil {
			q.opts.Log.Error("confirm panicked", "entry", uint64(s.entry.ID))
		}
	}()
	if err := confirm(ctx, held); err != nil {
		return refused(err)
	}
	return s
}

// refusal is what confirm's error becomes. The approval did reach the device:
// an error that speaks of something else not sent must not say so of the entry.
func refusal(err error) error {
	if errors.Is(err, ErrNotSent) {
		return fmt.Errorf("%w: %v", errRefusedHere, err)
	}
	return fmt.Errorf("%w: %w", errRefusedHere, err)
}

// errRefusedHere marks an approval that the device could not complete.
var errRefusedHere = errors.New("approved by the host, refused by the device")

// known tells whether t's ref already stands for something that is not sent
// again.
func (q *Queue) known(t Transaction) (e Entry, done bool, err error) {
	err = q.read(func(v *fileView) error {
		first, found, err := v.byRef(t.Ref)
		if err != nil || !found {
			return err
		}
		if !first.sameAs(t, Request) {
			return fmt.Errorf("ref of entry %d: %w", first.ID, ErrConflict)
		}
		e, err = v.full(first)
		done = e.Kind != Request || e.State != Pending || e.Lane != t.Lane // moved: its lane sends it
		return err
	})
	if err == nil && done && e.State == InDoubt {
		err = fmt.Errorf("entry %d: %w", e.ID, ErrInDoubt)
	}
	if !done {
		e = Entry{}
	}
	return e, done, err
}

// clearReversals sends what must be answered before a request may go out.
func (q *Queue) clearReversals(ctx context.Context, up Uplink, l Lane) (Line, error) {
	var before []sent
	for {
		line, err := q.prepare(ctx, up)
		if err != nil {
			return Line{}, errors.Join(ErrNotSent, err, q.settleSent(ctx, l, before))
		}
		if err := q.takeLate(ctx, l, up); err != nil {
			return Line{}, errors.Join(ErrNotSent, err, q.settleSent(ctx, l, before))
		}
		first, err := q.begin(ctx, l, line, 1, classReversal, before)
		if err != nil {
			return Line{}, errors.Join(ErrNotSent, err, q.settleSent(ctx, l, before))
		}
		if len(first) == 0 {
			return line, nil
		}
		before = []sent{q.send(ctx, up, first[0])}
		if before[0].failed() {
			err := q.settleSent(ctx, l, before)
			return Line{}, errors.Join(fmt.Errorf("%w: %w: entry %d is a reversal without an answer yet",
				ErrNotSent, ErrHeldBack, first[0].ID), err)
		}
	}
}

// failed tells whether an attempt was worth a pause before the next one.
func (s sent) failed() bool {
	return s.err != nil || s.answer.Verdict == Unknown || s.answer.Verdict == Unavailable
}

// settleSent journals what became of attempts, whatever ctx says.
func (q *Queue) settleSent(ctx context.Context, l Lane, before []sent) error {
	if len(before) == 0 {
		return nil
	}
	_, err := q.begin(context.WithoutCancel(ctx), l, Line{}, 0, 0, before)
	if err != nil {
		q.release(l, before)
	}
	return err
}

// beginRequest journals the request and its attempt in one commit (I2). It is
// not ours when another Do of the same ref came first.
func (q *Queue) beginRequest(ctx context.Context, t Transaction, line Line) (e Entry, ours bool, err error) {
	var claimed ID
	drop := func() {
		if claimed != 0 {
			q.lines.unclaim(t.Lane, claimed)
			claimed = 0
		}
	}
	err = q.update(ctx, func(v *fileView) error {
		drop()
		if err := v.mayRequest(t.Lane, line, q.flyingRequest(v, t.Lane)); err != nil {
			return err
		}
		if err := v.doubleTap(t, q.opts.DoubleTap); err != nil {
			return err
		}
		var err error
		if e, _, err = v.add(t, Request, false); err != nil {
			return err
		}
		if e.State != Pending || e.Kind != Request || e.Lane != t.Lane || !q.lines.claim(t.Lane, e.ID) {
			return nil
		}
		claimed = e.ID
		if e.Batch.N, err = v.rejoin(e); err != nil {
			return err
		}
		e, err = v.attempt(e.ID, line)
		return err
	})
	if err != nil {
		drop()
		return Entry{}, false, notSentUnless(err)
	}
	e.Card.PINBlock, e.Card.Track2, e.Card.Track3 = t.Card.PINBlock, t.Card.Track2, t.Card.Track3
	return e, claimed != 0, nil
}

func notSentUnless(err error) error {
	for _, plain := range []error{ErrFull, ErrConflict, ErrNotFound, ErrState, ErrNumbers, ErrClosed} {
		if errors.Is(err, plain) {
			return err
		}
	}
	var inv *InvalidError
	var tap *DoubleTapError
	if errors.As(err, &inv) || errors.As(err, &tap) {
		return err
	}
	return errors.Join(ErrNotSent, err)
}

// mayTry is mayBegin, but for what only the host's batch number can tell.
func (v *fileView) mayTry(name Lane) error {
	if l, err := v.laneOf(name); err == nil && l.fenced {
		return nil
	}
	return v.mayBegin(name)
}

// mayBegin refuses a request while the lane's closed batch is being settled.
func (v *fileView) mayBegin(name Lane) error {
	l, err := v.laneOf(name)
	if err != nil {
		return ignoreNotFound(err)
	}
	if l.fenced {
		return fmt.Errorf("%w: the journal was restored: the host has to show a new batch number, or a person gives a STAN floor", ErrHeldBack)
	}
	if l.open >= l.heldFrom() {
		return fmt.Errorf("%w: batch %d is being settled", ErrHeldBack, l.closing[0])
	}
	full, err := v.batchFull(l)
	if err == nil && full {
		return fmt.Errorf("%w: batch %d is full: close and settle it", ErrHeldBack, l.open)
	}
	return err
}

// mayRequest refuses while the lane holds requests back, and follows the
// host's batch number.
func (v *fileView) mayRequest(name Lane, line Line, flying func(ID) bool) error {
	if _, err := v.laneOf(name); err != nil {
		return ignoreNotFound(err)
	}
	if err := v.follow(name, line); err != nil {
		return err
	}
	if err := v.mayBegin(name); err != nil {
		return err
	}
	l, err := v.laneOf(name)
	if err != nil {
		return err
	}
	waiting, err := v.work(l, 1, classReversal, flying)
	if err != nil {
		return err
	}
	if len(waiting) > 0 {
		return fmt.Errorf("%w: a reversal is not answered yet", ErrHeldBack)
	}
	return nil
}

// flyingRequest tells of an entry in doubt that it is a request which another
// Do is sending right now: it needs no reversal yet.
func (q *Queue) flyingRequest(v *fileView, l Lane) func(ID) bool {
	return func(id ID) bool {
		e, err := v.entry(id)
		return err == nil && e.Kind == Request && q.lines.claimed(l, id)
	}
}

// rejoin moves a request that was proven unsent before into the open batch.
func (v *fileView) rejoin(e Entry) (uint32, error) {
	l, err := v.laneOf(e.Lane)
	if err != nil || l.open == e.Batch.N {
		return e.Batch.N, err
	}
	return l.open, v.apply(event{kind: evMoved, id: e.ID, batch: l.open})
}

// finish journals the outcome of a request and returns it.
func (q *Queue) finish(ctx context.Context, s sent) (Entry, error) {
	id, l := s.entry.ID, s.entry.Lane
	if err := q.settleSent(ctx, l, []sent{s}); err != nil {
		return s.entry, errors.Join(ErrInDoubt, err)
	}
	e, err := q.Get(context.WithoutCancel(ctx), id)
	switch {
	case err != nil:
		return s.entry, errors.Join(ErrInDoubt, err)
	case e.State.Final():
		return e, nil
	case e.State == Pending:
		return e, s.err
	case e.State == Parked:
		return e, fmt.Errorf("entry %d: %w: parked for a person: %s", id, ErrInDoubt, e.ParkedWhy)
	case s.err != nil:
		return e, fmt.Errorf("entry %d: %w, the reversal is journalled: %w", id, ErrInDoubt, s.err)
	}
	return e, fmt.Errorf("entry %d: %w, the reversal is journalled: the host answered %q", id, ErrInDoubt, e.Answer.Code)
}
