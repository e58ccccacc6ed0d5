package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// Result is what became of one entry of a submission.
type Result struct {
	// Booking is set where Err is nil. Its Position is 0 where nothing was
	// booked: the answer is then Unavailable.
	Booking Booking
	// Repeat tells that the entry was booked before: Booking has the first
	// answer.
	Repeat bool
	// Err says why the entry is not booked. A *ConflictError: the entry was set
	// aside for the office. A *LimitError, ErrForeign, ErrLane, ErrFull:
	// nothing was kept. ErrBusy: the same entry is being decided just now. ErrInDoubt:
	// Options.Decide failed, and nothing was kept.
	Err error
}

// ErrInDoubt means that Options.Decide gave no decision.
var ErrInDoubt = errors.New("no decision was reached")

// Submit books the entries of in for the device, in one transaction but for
// those that Options.Decide is asked about, and returns a result for each. What
// it returns is synced.
//
// in must be what wire.DecodeSubmission returned, or hold the same rules. The
// error is one of the engine, of which ErrNotSynced leaves open what was booked;
// *InvalidError; or that of ctx. Submitting again after any error, or a crash,
// books what was not booked and tells the first answer of what was.
func (l *Ledger) Submit(ctx context.Context, device string, in wire.Submission) ([]Result, error) {
	return l.submit(ctx, device, in, nil)
}

// Retell books an entry that the device says was accepted with this answer: the
// ledger had it and has it no more, having been restored from a backup, say. It
// is decided by nobody anew. What the ledger has is told as by Submit.
func (l *Ledger) Retell(ctx context.Context, device string, in wire.Submission, told queue.Answer) (Result, error) {
	if len(in.Entries) != 1 {
		return Result{}, &InvalidError{"entries", fmt.Sprintf("are %d, but one is told again at a time", len(in.Entries))}
	}
	if told.Verdict != queue.Approved && told.Verdict != queue.Partial {
		return Result{}, &InvalidError{"answer", "is no approval"}
	}
	out, err := l.submit(ctx, device, in, &told)
	if err != nil {
		return Result{}, err
	}
	return out[0], nil
}

func (l *Ledger) submit(ctx context.Context, device string, in wire.Submission, told *queue.Answer) ([]Result, error) {
	if len(in.Entries) < 1 || len(in.Entries) > wire.MaxEntries {
		return nil, &InvalidError{"entries", fmt.Sprintf("are %d, allowed are 1 to %d", len(in.Entries), wire.MaxEntries)}
	}
	group := make([]submission, len(in.Entries))
	for i, e := range in.Entries {
		if e.Seq < 1 || e.Seq > agree.MaxSequence {
			return nil, &InvalidError{fmt.Sprintf("entries/%d/seq", i), fmt.Sprintf("is not 1 to %d", uint64(agree.MaxSequence))}
		}
		group[i] = l.submission(device, in, e)
		if told != nil {
			group[i].retold, group[i].answer = true, *told
		}
	}
	out, err := l.commit(ctx, group)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if errors.Is(out[i].Err, errUndecided) {
			if out[i], err = l.decide(ctx, group[i], in.Entries[i].Card); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (l *Ledger) submission(device string, in wire.Submission, e wire.Entry) submission {
	s := submission{
		Identity: Identity{Journal: in.Journal, Epoch: in.Epoch, Sequence: e.Seq}, via: in.Via,
		device: device, lane: in.Lane, digest: e.Digest(in), now: l.now(),
	}
	e.Card, e.Key = nil, wire.Key(s.digest[:16])
	s.entry = e
	return s
}

// commit books a group in one transaction. What is being decided, and what is
// about that, stays out of it.
func (l *Ledger) commit(ctx context.Context, group []submission) ([]Result, error) {
	out := make([]Result, len(group))
	var mine []string
	for i, s := range group {
		if keys := s.busyKeys(); l.busy.share(keys) {
			mine = append(mine, keys...)
		} else {
			out[i].Err = ErrBusy
		}
	}
	defer l.busy.unshare(mine)
	err := l.book(ctx, group, out)
	return out, err
}

// book is the transaction of commit; entries with an error in out are left out.
func (l *Ledger) book(ctx context.Context, group []submission, out []Result) error {
	var done []Result
	err := l.engine.Update(ctx, func(tx Tx) error {
		done = append(done[:0], out...)
		for i, s := range group {
			if done[i].Err != nil {
				continue
			}
			var err error
			if done[i], err = s.book(tx, l.opts); err != nil {
				return err
			}
		}
		return nil
	})
	for _, s := range group {
		l.halves.touch(s.Journal, uint64(s.Sequence), uint64(s.entry.Original))
	}
	if err == nil {
		copy(out, done)
	}
	return err
}

// decide asks what becomes of a new request and books it with that. Meanwhile
// nothing is done to the entry nor to what is about it.
func (l *Ledger) decide(ctx context.Context, s submission, card *wire.Card) (Result, error) {
	if l.opts.Decide == nil {
		s.answer = refuse(queue.Refused, codeNoDecider)
		out, err := l.commit(ctx, []submission{s})
		return out[0], err
	}
	keys := s.busyKeys()
	if !l.busy.take(keys) {
		return Result{Err: ErrBusy}, nil
	}
	defer l.busy.give(keys)
	// Since it was found to be new another submission may have been faster.
	one := []Result{{}}
	if err := l.book(ctx, []submission{s}, one); err != nil || !errors.Is(one[0].Err, errUndecided) {
		return one[0], err
	}
	b := Booking{Identity: s.Identity, Device: s.device, Lane: s.lane, Entry: s.entry, Digest: s.digest, Booked: s.now}
	answer, err := l.opts.Decide(ctx, b, card)
	switch {
	case err != nil:
		return Result{Err: fmt.Errorf("%w on entry %s: %w", ErrInDoubt, s.Identity, err)}, nil
	case answer.Verdict == queue.Unavailable:
		b.Answer = clip(answer)
		return Result{Booking: b}, nil
	case !decides(answer, s.entry.Amount):
		return Result{Err: fmt.Errorf("%w on entry %s: it was decided as %s", ErrInDoubt, s.Identity, answer.Verdict)}, nil
	}
	// What was decided is booked, even if the device has gone away since.
	s.answer, one[0] = clip(answer), Result{}
	err = l.book(context.WithoutCancel(ctx), []submission{s}, one)
	return one[0], err
}

// decides tells whether an answer can be kept as what became of a request.
func decides(a queue.Answer, asked queue.Money) bool {
	switch a.Verdict {
	case queue.Approved, queue.Refused, queue.Duplicate:
		return true
	case queue.Partial:
		return a.Approved.Currency == asked.Currency && a.Approved.Minor > 0 && a.Approved.Minor < asked.Minor
	}
	return false
}

// clip keeps of an answer what its message can carry.
func clip(a queue.Answer) queue.Answer {
	cut := func(s string, n int) string { return strings.ToValidUTF8(s[:min(n, len(s))], "") }
	if y := a.HostTime.Year(); y < 1970 || y > 9999 {
		a.HostTime = time.Time{}
	}
	a.Code, a.RRN, a.AuthCode = cut(a.Code, 4), cut(a.RRN, 24), cut(a.AuthCode, 12)
	return a
}

// busyKeys name what must not change while the submission is decided.
func (s submission) busyKeys() []string {
	keys := []string{string(key('s', s.Journal[:], u64(uint64(s.Sequence))))}
	if s.entry.Original != 0 {
		keys = append(keys, string(key('s', s.Journal[:], u64(uint64(s.entry.Original)))))
	}
	if s.takesRef() {
		keys = append(keys, string(key('r', s.Journal[:], []byte(s.entry.Ref))))
	}
	return keys
}

// busy tells which keys are being worked at: shared by transactions, which have
// an order of their own, or taken by the one that waits for a decision.
type busy struct {
	mu   sync.Mutex
	held map[string]int // -1: taken; else how many share it
}

// share shares all of the keys, or none where one is taken.
func (b *busy) share(keys []string) bool {
	return b.change(keys, func(n int) (int, bool) { return n + 1, n >= 0 })
}

func (b *busy) unshare(keys []string) {
	b.change(keys, func(n int) (int, bool) { return n - 1, true })
}

// take takes all of the keys, or none where one is in use.
func (b *busy) take(keys []string) bool {
	return b.change(keys, func(n int) (int, bool) { return -1, n == 0 })
}

func (b *busy) give(keys []string) {
	b.change(keys, func(int) (int, bool) { return 0, true })
}

func (b *busy) change(keys []string, to func(int) (int, bool)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held == nil {
		b.held = map[string]int{}
	}
	for _, k := range keys {
		if _, ok := to(b.held[k]); !ok {
			return false
		}
	}
	for _, k := range keys {
		if n, _ := to(b.held[k]); n == 0 {
			delete(b.held, k)
		} else {
			b.held[k] = n
		}
	}
	return true
}
