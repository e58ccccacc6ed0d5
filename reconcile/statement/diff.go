package statement

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// Kind is what comparing found of one transaction.
type Kind uint8

// The kinds.
const (
	Matched       Kind = iota + 1 // here and there, and equal
	FeeTaken                      // as Matched, and the acquirer kept a fee: Line.Fee
	Netted                        // an entry that was voided, or its void: the statement leaves out both
	AmountDiffers                 // here and there, with another amount, direction or currency
	StateDiffers                  // there, but not accepted here: declined, reversed, in doubt …
	Doubled                       // there once more than here
	MissingThere                  // accepted here, not there
	MissingHere                   // there, not here
	kinds
)

var kindNames = [kinds]string{Matched: "matched", FeeTaken: "fee taken", Netted: "netted", AmountDiffers: "amount differs",
	StateDiffers: "state differs", Doubled: "doubled", MissingThere: "missing there", MissingHere: "missing here"}

func (k Kind) String() string {
	if k == 0 || k >= kinds {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return kindNames[k]
}

// Agrees reports whether there is nothing to be looked into.
func (k Kind) Agrees() bool { return k == Matched || k == FeeTaken || k == Netted }

// Difference is what comparing found of one entry, one line, or a pair of them.
type Difference struct {
	Kind Kind
	// ID is our entry; 0 for MissingHere, and for Doubled, whose line is the
	// one too many.
	ID queue.ID
	// Ours is the entry's amount, negative for a void or refund, and State its
	// state, as Diff was given them.
	Ours  queue.Money
	State queue.State
	// Line is the statement's; its Number is 0 for MissingThere and Netted.
	Line Line
}

// Options of Diff. The zero value, or nil, holds the defaults; Diff does not
// write to it.
type Options struct {
	// From and To bound the time of which the statement tells: an entry before
	// From, or not before To, is matched where it is found and not missed where
	// it is not. A zero one bounds nothing.
	From, To time.Time
	// TempDir is where what does not fit Memory is sorted, in files of mode
	// 0600 that hold amounts, numbers and masked texts. Default os.TempDir.
	TempDir string
	// Memory is about how many bytes are kept in memory, 1 MiB to 1 GiB.
	// Default 16 MiB.
	Memory int
}

// Bounds of Options.Memory, and its default.
const (
	leastMemory   = 1 << 20
	mostMemory    = 1 << 30
	defaultMemory = 16 << 20
	sorters       = 4 // that fill at one time
)

// Diff holds what should be on an acquirer's statement against what is on it and
// yields what it finds, matches among it, in no particular order.
//
// Of ours, the journal's entries, it takes accepted sales, voids and refunds of
// cards and payment codes to be on the statement; reversals, notices and cash are left
// out. Give it the entries of the lanes that the statement is about, and where
// those reach beyond its time, that time in opts.
//
// An entry and a line are of the same transaction when they have the same
// terminal, host batch number and STAN; those that find no partner so meet by
// RRN, and what is left by ref. A voided sale and its void are expected as two
// lines, as in the host's totals; where a statement has neither they are Netted.
//
// theirs is read first, as a whole, then ours; then the yielding begins. The
// memory does not grow with either. An error of either, or of the temporary
// files, is yielded once and last. Nothing is left behind when the loop ends
// early.
func Diff(ours iter.Seq2[queue.Entry, error], theirs iter.Seq2[Line, error], opts *Options) iter.Seq2[Difference, error] {
	return func(yield func(Difference, error) bool) {
		c, err := newComparer(opts, yield)
		if err == nil {
			err = c.run(ours, theirs)
			err = errors.Join(err, c.close())
		}
		if err != nil && !c.stopped {
			yield(Difference{}, err)
		}
	}
}

// errStopped ends the comparing when nobody listens any more.
var errStopped = errors.New("stopped")

// comparer is one Diff under way.
type comparer struct {
	opts    Options
	namer   namer
	yield   func(Difference, error) bool
	stopped bool
	present [keyKinds]bool // in a line
	ours    [keyKinds]*sorter
	theirs  [keyKinds]*sorter
	buf     []byte
}

func newComparer(opts *Options, yield func(Difference, error) bool) (*comparer, error) {
	c := &comparer{yield: yield}
	if opts != nil {
		c.opts = *opts
	}
	if c.opts.Memory == 0 {
		c.opts.Memory = defaultMemory
	}
	if c.opts.Memory < leastMemory || c.opts.Memory > mostMemory {
		return c, fmt.Errorf("Options.Memory is to be %d to %d bytes", leastMemory, mostMemory)
	}
	c.present[byPair] = true
	_, _ = rand.Read(c.namer.salt[:]) // never fails
	for k := range keyKinds {
		c.ours[k] = newSorter(c.opts.TempDir, c.opts.Memory/sorters)
		c.theirs[k] = newSorter(c.opts.TempDir, c.opts.Memory/sorters)
	}
	return c, nil
}

func (c *comparer) close() (err error) {
	for k := range keyKinds {
		err = errors.Join(err, c.ours[k].close(), c.theirs[k].close())
	}
	return err
}

func (c *comparer) run(ours iter.Seq2[queue.Entry, error], theirs iter.Seq2[Line, error]) error {
	for l, err := range theirs {
		if err == nil {
			err = c.line(l)
		}
		if err != nil {
			return fmt.Errorf("the statement: %w", err)
		}
	}
	for e, err := range ours {
		if err == nil {
			err = c.entry(e)
		}
		if err != nil {
			return err
		}
	}
	for k := range byPair {
		if err := c.pass(k); err != nil {
			return err
		}
	}
	return c.pairs()
}

// line takes in a line of the statement.
func (c *comparer) line(l Line) error {
	if l.Number < 1 {
		return errors.New("a line without its number")
	}
	for _, s := range [...]string{l.Terminal, l.Merchant, l.RRN, l.Ref, l.Card} {
		if len(s) > maxText {
			return &Error{Line: l.Number, Problem: fmt.Sprintf("a text has more than %d bytes", maxText)}
		}
	}
	it := item{amount: l.Amount, line: l}
	it.keys = c.namer.keys(l.Terminal, l.HostBatch, l.STAN, l.sumOfRRN(), l.sumOfRef(), l.RRN != "", l.Ref != "")
	for k := range byPair {
		c.present[k] = c.present[k] || it.keys[k] != key{}
	}
	return c.place(&it, byNumbers)
}

// entry takes in an entry of the journal.
func (c *comparer) entry(e queue.Entry) error {
	amount := e.Amount
	switch {
	case e.ID == 0:
		return errors.New("an entry without its number is in no journal")
	case e.Kind == queue.Reversal || e.Kind == queue.Notice || e.Tender == queue.Cash:
		return nil
	case e.Op == queue.Void || e.Op == queue.Refund:
		amount.Minor = -amount.Minor
	case e.Op != queue.Sale:
		return nil
	}
	it := item{amount: amount, id: e.ID, state: e.State, expect: unexpected}
	if e.State == queue.Accepted {
		it.expect = expected
		if !c.opts.From.IsZero() && e.Time.Before(c.opts.From) || !c.opts.To.IsZero() && !e.Time.Before(c.opts.To) {
			it.expect = optional
		}
	}
	it.keys = c.namer.keys(e.Lane.Terminal, e.HostBatch, e.STAN, sha256.Sum256([]byte(e.Answer.RRN)), sha256.Sum256([]byte(e.Ref)), e.Answer.RRN != "", e.Ref != "")
	switch {
	case it.expect != expected:
	case e.Op == queue.Void:
		it.keys[byPair] = pairKey(e.Original)
	case e.VoidedBy != 0:
		it.keys[byPair] = pairKey(e.ID)
	}
	return c.place(&it, byNumbers)
}

// place puts an item where the first of its names that can find a partner is
// looked up, or tells that it has none.
func (c *comparer) place(it *item, from keyKind) error {
	for k := from; k < keyKinds; k++ {
		if it.keys[k] == (key{}) || !c.present[k] {
			continue
		}
		to := c.theirs[k]
		if it.id != 0 {
			to = c.ours[k]
		}
		c.buf = it.encode(c.buf[:0], k)
		return to.add(c.buf)
	}
	switch {
	case it.id == 0:
		return c.tell(MissingHere, nil, it)
	case it.expect == expected:
		return c.tell(MissingThere, it, nil)
	}
	return nil
}

// tell yields a difference.
func (c *comparer) tell(kind Kind, ours, theirs *item) error {
	d := Difference{Kind: kind}
	if ours != nil {
		d.ID, d.Ours, d.State = ours.id, ours.amount, ours.state
	}
	if theirs != nil {
		d.Line = theirs.line
	}
	if !c.yield(d, nil) {
		c.stopped = true
		return errStopped
	}
	return nil
}

// pair tells what an entry and a line of the same transaction come to.
func (c *comparer) pair(ours, theirs *item) error {
	kind := Matched
	switch {
	case ours.expect == unexpected:
		kind = StateDiffers
	case ours.amount != theirs.amount:
		kind = AmountDiffers
	case theirs.line.Fee != 0:
		kind = FeeTaken
	}
	return c.tell(kind, ours, theirs)
}

// reader reads a sorter's items, one ahead.
type reader struct {
	from *sorter
	by   keyKind
	ours bool
	item *item // nil at the end
}

func (r *reader) advance() error {
	rec, err := r.from.next()
	if err == io.EOF {
		r.item = nil
		return nil
	}
	if err != nil {
		return err
	}
	it, err := decodeItem(rec, r.by, r.ours)
	r.item = &it
	return err
}

func open(s *sorter, by keyKind, ours bool) (*reader, error) {
	r := &reader{from: s, by: by, ours: ours}
	if err := s.sorted(); err != nil {
		return nil, err
	}
	return r, r.advance()
}
