package httplink

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync/atomic"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// parcel is one entry on its way.
type parcel struct {
	entry   queue.Entry
	wire    wire.Entry
	journal wire.JournalID // that its identity belongs to
	size    int            // of its JSON, about
	done    chan result    // holds one

	flight   *flight // nil while it waits; Link.mu guards this and what follows
	left     bool    // nobody waits for it any more
	finished bool    // it has its result
}

type result struct {
	answer queue.Answer
	err    error
}

// flight is one request with parcels, or what became of it in halves.
type flight struct {
	parcels   []*parcel
	http      *http.Transport
	connected atomic.Bool   // something may have left the device
	staying   int           // parcels without a result that somebody waits for
	idle      chan struct{} // closed when it is over, or nobody waits for it any more
	cancel    context.CancelFunc
}

// Send delivers e and waits for its answer, as queue.Uplink asks. What several
// calls wait to send at the same time goes in one request; a Request that a
// customer waits for goes at once and alone, in a slot as well, and so does there
// a Reversal.
//
// Errors that wrap queue.ErrNotSent: no connection or no token (a *LineError), the
// host's slot (a *WaitError), ErrClosed, another lane, a ctx that ended before, and,
// wrapping queue.ErrUnsendable, an entry that JSON cannot hold. All others leave e in
// doubt: a *LineError (silence, a broken connection, a status that is no answer)
// or an *AnswerError.
func (l *Link) Send(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	if e.Lane != l.lane {
		return queue.Answer{}, notSent(errLane)
	}
	ctx, cancel := context.WithTimeout(ctx, l.opts.AnswerTimeout)
	defer cancel()
	p, err := l.join(ctx, e)
	if err != nil {
		return queue.Answer{}, err
	}
	select {
	case r := <-p.done:
		return r.answer, r.err
	case <-ctx.Done():
		return l.leave(p, lineError("entries", ctx.Err()))
	}
}

// join packs e and puts it on its way.
func (l *Link) join(ctx context.Context, e queue.Entry) (*parcel, error) {
	l.coming.Add(1)
	defer l.coming.Add(-1)
	p, err := l.pack(e)
	if err != nil {
		l.tell(Event{Kind: Unsendable, STAN: e.STAN, Err: err})
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, notSent(lineError("entries", err))
	}
	if err := l.hand(p); err != nil {
		return nil, notSent(err)
	}
	return p, nil
}

var (
	errLane     = errors.New("the entry is of another lane than the link")
	errPanicked = errors.New("the journal or a function of the link's options panicked")
)

// pack makes the message's form of e and holds it to the journal's own digest.
func (l *Link) pack(e queue.Entry) (*parcel, error) {
	w, of := wire.FromQueue(e, l.journal.JournalID())
	if l.opts.WithholdData && len(w.Data) > 0 {
		w.WithholdData()
	}
	p := &parcel{entry: e, wire: w, journal: of, done: make(chan result, 1)}
	p.entry.Card = queue.Card{} // kept no longer than the message needs it
	s := p.alone(l)
	if w.Digest(s) != l.journal.Digest(e) {
		return nil, fmt.Errorf("%w: its message has not the entry's digest", queue.ErrUnsendable)
	}
	if l.opts.Card {
		card := e.Card
		if e.Kind != queue.Request {
			card.PINBlock = queue.Secret{}
		}
		p.wire.Card = wire.CardFromQueue(card)
	}
	p.wire.Key = s.KeyFor(w)
	s.Entries[0] = p.wire
	body, err := s.Encode()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", queue.ErrUnsendable, err)
	}
	p.size = len(body)
	return p, nil
}

// alone is a submission of p only.
func (p *parcel) alone(l *Link) wire.Submission { return l.submission([]*parcel{p}) }

// submission is the message with these parcels, which are of one journal.
func (l *Link) submission(parcels []*parcel) wire.Submission {
	s := wire.Submission{Journal: parcels[0].journal, Epoch: l.journal.Epoch(), Lane: l.lane}
	if here := wire.JournalID(l.journal.JournalID()); here != s.Journal {
		s.Via = here
	}
	for _, p := range parcels {
		s.Entries = append(s.Entries, p.wire)
	}
	return s
}

// hand puts p on its way.
func (l *Link) hand(p *parcel) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life.Err() != nil {
		return ErrClosed
	}
	err := l.heldBack()
	// In a slot the forwarder sends nothing of its own: a reversal is one that a
	// customer's request has to wait for.
	if p.entry.Kind == queue.Request && !p.entry.Deferred || p.entry.Kind == queue.Reversal && err != nil {
		l.depart([]*parcel{p})
		return nil
	}
	if err != nil {
		return err
	}
	l.waiting = append(l.waiting, p)
	if !l.flushing {
		l.flushing = true
		l.work.Go(l.flush)
	}
	return nil
}

// leave ends the wait for p. What has not departed never does; a request that
// has no connection yet is called back, and tells itself whether anything left.
func (l *Link) leave(p *parcel, why *LineError) (queue.Answer, error) {
	l.mu.Lock()
	if p.flight == nil {
		l.waiting = slices.DeleteFunc(l.waiting, func(x *parcel) bool { return x == p })
		l.mu.Unlock()
		select {
		case r := <-p.done: // it was told in the same moment
			return r.answer, r.err
		default:
			return queue.Answer{}, notSent(why)
		}
	}
	select {
	case r := <-p.done:
		l.mu.Unlock()
		return r.answer, r.err
	default:
	}
	f := p.flight
	if f.staying == 1 && !f.connected.Load() {
		l.mu.Unlock()
		f.cancel()
		r := <-p.done
		return r.answer, r.err
	}
	p.left = true
	l.done(f, true)
	l.renew()
	l.mu.Unlock()
	return queue.Answer{}, l.whyEnded(why)
}

// renew puts the next request on another connection: this one is silent. The
// caller holds mu.
func (l *Link) renew() {
	l.http.CloseIdleConnections()
	l.http, l.asked = l.opts.transport(), false
}

// done counts one who waits for f less: he has his result, or has left. A flight
// that was left goes on for a while, for its answers; there are never more than
// maxOld of them. The caller holds mu.
func (l *Link) done(f *flight, left bool) {
	if f.staying--; f.staying > 0 {
		return
	}
	close(f.idle)
	if !left {
		return
	}
	if l.old = append(l.old, f); len(l.old) > maxOld {
		l.old[0].cancel()
		l.old = l.old[1:]
	}
}

const (
	maxOld  = 4
	maxLate = 256
)

// flush sends what waits, one request after the other, until nothing does.
func (l *Link) flush() {
	for {
		l.gather()
		l.mu.Lock()
		next := l.next()
		if len(next) == 0 {
			l.flushing = false
			l.mu.Unlock()
			return
		}
		if err := l.heldBack(); err != nil {
			l.mu.Unlock()
			for _, p := range next {
				p.done <- result{err: notSent(err)}
			}
			continue
		}
		f := l.depart(next)
		l.mu.Unlock()
		<-f.idle
	}
}

// gather lets those who are about to send join: it yields the processor while any
// of them is at it, and until that brings no more. It does not wait.
func (l *Link) gather() {
	for had, idle := 0, 0; idle < yields; idle++ {
		l.mu.Lock()
		n := len(l.waiting)
		l.mu.Unlock()
		if n >= l.opts.Window {
			return
		}
		if n != had || l.coming.Load() > 0 {
			had, idle = n, -1
		}
		runtime.Gosched()
	}
}

// yields is how often the processor is yielded for nothing: some microseconds.
const yields = 50

// next takes the parcels of the next request: of one journal, within what the
// host takes at once. The caller holds mu.
func (l *Link) next() []*parcel {
	entries, bytes := wire.MaxEntries, wire.MaxRequest
	if l.line.MaxEntries > 0 {
		entries = l.line.MaxEntries
	}
	if l.line.MaxBytes > 0 {
		bytes = l.line.MaxBytes
	}
	var taken, rest []*parcel
	for _, p := range l.waiting {
		fits := len(taken) == 0 || (len(taken) < entries && p.size <= bytes && p.journal == taken[0].journal)
		if !fits {
			rest = append(rest, p)
			continue
		}
		taken = append(taken, p)
		bytes -= p.size + keySize
	}
	l.waiting = rest
	return taken
}

// keySize is what the key takes that an entry has beside others.
const keySize = 32

// depart begins a flight. The caller holds mu.
func (l *Link) depart(parcels []*parcel) *flight {
	f := &flight{parcels: parcels, http: l.http, staying: len(parcels), idle: make(chan struct{})}
	ctx, cancel := context.WithTimeout(l.life, l.opts.AnswerTimeout+lateTime)
	f.cancel = cancel
	for _, p := range parcels {
		p.flight = f
	}
	l.work.Go(func() {
		defer cancel()
		l.flySafely(ctx, f)
		l.mu.Lock()
		defer l.mu.Unlock()
		if f.http != l.http {
			f.http.CloseIdleConnections()
		}
		l.old = slices.DeleteFunc(l.old, func(x *flight) bool { return x == f })
	})
	return f
}

// flySafely leaves what a panic of the app's code interrupts in doubt. The panic's
// own value is not kept: it may hold card data.
func (l *Link) flySafely(ctx context.Context, f *flight) {
	defer func() {
		if recover() != nil {
			l.finishAll(f.parcels, result{err: errPanicked})
		}
	}()
	l.fly(ctx, f, f.parcels)
}

// finish tells p its result, or keeps an answer that came too late.
func (l *Link) finish(p *parcel, r result) {
	l.mu.Lock()
	if p.finished {
		l.mu.Unlock()
		return
	}
	p.finished = true
	if !p.left {
		p.done <- r
		l.done(p.flight, false)
		l.mu.Unlock()
		return
	}
	decided := r.err == nil && r.answer.Verdict != queue.Unknown && r.answer.Verdict != queue.Unavailable
	if decided {
		if len(l.late) == maxLate {
			l.late = l.late[1:]
		}
		l.late = append(l.late, queue.LateAnswer{ID: p.entry.ID, STAN: p.entry.STAN, Answer: r.answer})
	}
	l.mu.Unlock()
	if decided {
		l.tell(Event{Kind: CameLate, STAN: p.entry.STAN, Code: r.answer.Code})
	}
}
