package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// Peer is a host as Incomplete sees it: the lines by which a journal's lanes are
// forwarded to it. A host that embeds package ledger is a Comparer as well.
type Peer interface {
	// Uplink returns the line of one of the host's lanes.
	Uplink(queue.Lane) (queue.Uplink, error)
}

// Comparer is optional on a Peer: a host that embeds package ledger and so can
// tell what it holds, entry by entry.
type Comparer interface {
	// Agree carries one message of package agree to the host and returns its
	// answer, of at most agree.MaxAnswer bytes.
	Agree(ctx context.Context, message []byte) ([]byte, error)
	// Retell tells the host again of an entry that it accepted before and no
	// longer has, under the same identity and with e.Answer; nothing is decided
	// anew. Approved means that it has it now, Duplicate that it has it and it is
	// equal, any other answer that it does not take it. Calling it again changes
	// nothing. An error leaves open whether the host got it.
	Retell(ctx context.Context, e queue.Entry) (queue.Answer, error)
}

// Problem is what keeps an entry from being the same, for good, on both sides.
type Problem uint8

// The problems.
const (
	NeverSent    Problem = iota + 1 // journalled, and nothing of it has left the device
	Doubtful                        // in doubt: sent, and the outcome is unknown
	NeedsPerson                     // parked
	Missing                         // accepted here, and the host does not have it
	Undone                          // accepted here; the host has declined or reversed it
	Unexpected                      // in force at the host; declined, reversed or cancelled here
	OtherAmount                     // the host has it with another amount
	OtherContent                    // the host has it with other content
	Twice                           // the host has it more than once
	Foreign                         // the host has something there that is not in this journal, or was lost out of it
)

var problemNames = [...]string{"", "never sent", "in doubt", "needs a person", "missing at the host", "undone at the host",
	"in force at the host only", "another amount at the host", "other content at the host", "twice at the host", "at the host but not here"}

func (p Problem) String() string {
	if p > 0 && int(p) < len(problemNames) {
		return problemNames[p]
	}
	return fmt.Sprintf("unknown(%d)", p)
}

// Unfinished is one line of what Incomplete found.
type Unfinished struct {
	Problem Problem
	ID      queue.ID
	// To is the last id of a range of Foreign ones of which only the host's word
	// is known; else it is ID.
	To queue.ID
	// Entry is the journal's entry as it was found; its zero value where there
	// is none.
	Entry queue.Entry
	// Since is the device's clock: when it was taken (NeverSent), was first sent
	// (Doubtful), or changed last. Of a Foreign one it is the host's, at booking.
	Since time.Time
	// AtHost says that the host holds this entry in force, whatever is known of
	// it here.
	AtHost bool
	// Held is what the host has at this sequence, as far as it told.
	Held []HostEntry
	// Mended says that the problem was gone at the end of the call: what waited
	// has its final state, what was missing was told again, what the host held
	// against us was undone.
	Mended bool
	// Now is the entry's state at the end.
	Now queue.State
}

// Incompleteness is what Incomplete found and mended.
type Incompleteness struct {
	Host string
	// Lines are ordered by ID, then by Problem; those that were mended are among
	// them.
	Lines []Unfinished
	// Omitted counts further lines: 10,000 are kept. They were mended like the
	// others where that was possible.
	Omitted int
	// Compared says that the host was asked, entry by entry, what it holds. When
	// it is false only this journal's side is known: settle the batches (Settle)
	// and look at the statement.
	Compared bool
	// Agreed says that at the end both sides held the same, up to entry UpTo, and
	// that nothing there waits or needs a person.
	Agreed bool
	UpTo   queue.ID
	// HostHighest is the highest sequence of this journal that the host has seen.
	HostHighest queue.ID
	// Messages, Sent and Received are the comparison's round trips and bytes,
	// without what carries them.
	Messages, Sent, Received int
}

// Open are the lines that were not mended.
func (r Incompleteness) Open() (out []Unfinished) {
	for _, l := range r.Lines {
		if !l.Mended {
			out = append(out, l)
		}
	}
	return out
}

// Incomplete tells which entries of q's lanes to host, the name that Lane.Host
// has, are not the same for good on both sides, and mends what can be mended by
// replaying:
//
//   - what was never sent or is in doubt goes out once more through the queue's
//     own machinery (Drain), each entry a few times at most. A request that
//     waits for its Do is only told.
//   - what is accepted here and missing at a Comparer is told again under the
//     same identity. So is a reversal, which undoes what it reverses there.
//
// All else needs a person. Nothing of this can double an entry or lose one, for
// it is the host's work as ever to know a repeat; nothing is kept of a call that
// is cut short by a crash or a lost line, and the next one begins anew.
//
// Entries that were imported are not compared: they belong to another journal.
// Of pruned ones the host is not told again.
//
// On an error the result holds what was found up to then. Errors:
// ErrUndelivered, after which the comparison was made all the same if it could
// be; those of the journal, of the Peer and of agree.Compare; ctx.Err().
func Incomplete(ctx context.Context, q *queue.Queue, host string, p Peer) (Incompleteness, error) {
	return NewMirror(q, host).Incomplete(ctx, p)
}

// inquiry is one call of Incomplete.
type inquiry struct {
	q      *queue.Queue
	mirror *Mirror
	peer   Peer
	lanes  []queue.Lane // where something waits
	out    *Incompleteness
}

func (i *inquiry) run(ctx context.Context) error {
	if err := i.waiting(ctx); err != nil {
		return err
	}
	failed := i.drain(ctx)
	err := i.compare(ctx)
	return errors.Join(failed, err, i.finish(ctx))
}

// waiting lists what is not final in this journal.
func (i *inquiry) waiting(ctx context.Context) error {
	if err := i.mirror.refresh(ctx); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(i.mirror.open)) {
		e, err := i.q.Get(ctx, id)
		if err != nil {
			return err
		}
		if e.Lane.Host != i.out.Host || e.State.Final() {
			continue
		}
		l := Unfinished{ID: e.ID, Entry: e, Since: e.Changed}
		switch e.State {
		case queue.Pending:
			l.Problem, l.Since = NeverSent, e.Time
		case queue.InDoubt:
			l.Problem, l.Since = Doubtful, e.FirstSent()
		default:
			l.Problem = NeedsPerson
		}
		if e.State != queue.Parked && !slices.Contains(i.lanes, e.Lane) {
			i.lanes = append(i.lanes, e.Lane)
		}
		i.add(l)
	}
	return nil
}

const maxLines = 10_000

func (i *inquiry) add(l Unfinished) {
	if len(i.out.Lines) == maxLines {
		i.out.Omitted++
		return
	}
	l.To = max(l.To, l.ID)
	l.Entry.Card = queue.Card{}
	i.out.Lines = append(i.out.Lines, l)
}

// drain sends what waits, lane by lane.
func (i *inquiry) drain(ctx context.Context) error {
	var failed error
	for _, l := range i.lanes {
		if err := drainOnce(ctx, i.q, l, i.peer); err != nil {
			failed = errors.Join(failed, fmt.Errorf("lane %s: %w", l, err))
		}
	}
	return failed
}

// finish notes how the entries stand now.
func (i *inquiry) finish(ctx context.Context) error {
	agreed := i.out.Agreed
	for n := range i.out.Lines {
		l := &i.out.Lines[n]
		if l.Problem == Foreign || l.Entry.ID == 0 {
			agreed = false
			continue
		}
		e, err := i.q.Get(ctx, l.ID)
		if err != nil {
			return err
		}
		l.Now = e.State
		if l.Problem <= NeedsPerson {
			l.Mended = e.State.Final()
		}
		agreed = agreed && l.Mended
	}
	i.out.Agreed = agreed && i.out.Omitted == 0
	slices.SortStableFunc(i.out.Lines, func(a, b Unfinished) int {
		switch {
		case a.ID != b.ID && a.ID < b.ID, a.ID == b.ID && a.Problem < b.Problem:
			return -1
		case a.ID == b.ID && a.Problem == b.Problem:
			return 0
		}
		return 1
	})
	return nil
}

// subject is what a comparison of q is about.
func subject(q *queue.Queue) agree.Subject {
	return agree.Subject{Journal: q.JournalID(), Epoch: q.Epoch()}
}
