package reconcile

import (
	"context"
	"errors"
	"fmt"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// comparing is the part of an inquiry that a Comparer makes possible.
type comparing struct {
	*inquiry
	host   Comparer
	retold int
	failed error              // the first that could not be told again, while others could
	silent int                // how many could not, in a row
	named  map[queue.ID][]int // the lines of an entry
}

func (i *inquiry) compare(ctx context.Context) error {
	host, ok := i.peer.(Comparer)
	if !ok {
		return nil
	}
	c := comparing{inquiry: i, host: host}
	d, err := c.look(ctx)
	if err != nil {
		return err
	}
	i.out.Compared = true
	if err := c.explain(ctx, d); err != nil {
		return err
	}
	if c.retold > 0 {
		if d, err = c.look(ctx); err != nil {
			return err
		}
	}
	foreign, err := c.foreign(ctx, d)
	i.out.Agreed = len(d.Found) == 0 && len(foreign) == 0
	c.mark(d)
	return errors.Join(c.failed, err)
}

// look compares both sides as they are now.
func (c *comparing) look(ctx context.Context) (agree.Difference, error) {
	if err := c.mirror.refresh(ctx); err != nil {
		return agree.Difference{}, err
	}
	d, err := agree.Compare(ctx, &c.mirror.half, subject(c.q), c.exchange)
	c.out.UpTo, c.out.HostHighest = queue.ID(d.UpTo), queue.ID(d.Highest)
	return d, err
}

func (c *comparing) exchange(ctx context.Context, message []byte) ([]byte, error) {
	c.out.Messages++
	c.out.Sent += len(message)
	answer, err := c.host.Agree(ctx, message)
	c.out.Received += len(answer)
	return answer, err
}

// pageOf is how many differences are looked into at a time.
const pageOf = 256

// explain says of each difference what it is, and tells again what is missing.
func (c *comparing) explain(ctx context.Context, d agree.Difference) error {
	c.named = map[queue.ID][]int{}
	for n, l := range c.out.Lines {
		c.named[l.ID] = append(c.named[l.ID], n)
	}
	for found := d.Found; len(found) > 0; {
		page := found[:min(len(found), pageOf)]
		found = found[len(page):]
		held, err := c.details(ctx, page)
		if err != nil {
			return err
		}
		for _, f := range page {
			if err := c.explainOne(ctx, f, held[f.Seq]); err != nil {
				return err
			}
		}
	}
	return c.beyond(ctx, d)
}

// details asks what the host has where it has something.
func (c *comparing) details(ctx context.Context, page []agree.Found) (map[uint64][]agree.Held, error) {
	var seqs []uint64
	for _, f := range page {
		if !f.Unseen {
			seqs = append(seqs, f.Seq)
		}
	}
	return c.heldAt(ctx, seqs)
}

func (c *comparing) heldAt(ctx context.Context, seqs []uint64) (map[uint64][]agree.Held, error) {
	all := map[uint64][]agree.Held{}
	err := agree.Details(ctx, subject(c.q), seqs, c.exchange, func(seq uint64, held []agree.Held) error {
		all[seq] = held
		return nil
	})
	return all, err
}

// explainOne says what is the matter at one sequence, as the journal is now.
func (c *comparing) explainOne(ctx context.Context, f agree.Found, told []agree.Held) error {
	e, err := c.q.Get(ctx, queue.ID(f.Seq))
	if errors.Is(err, queue.ErrNotFound) {
		c.lost(queue.ID(f.Seq), told)
		return nil
	}
	if err != nil {
		return err
	}
	held, same, standing, others := read(told, c.q.Digest(e))
	l := Unfinished{ID: e.ID, Entry: e, Since: e.Changed, Held: held, AtHost: standing > 0}
	if n := c.waitingLine(e.ID); n >= 0 {
		c.out.Lines[n].AtHost, c.out.Lines[n].Held = l.AtHost, held
	}
	if standing > 1 {
		l.Problem = Twice
		c.found(l)
	}
	here := c.mirror.stands(e)
	if others > 0 {
		if err := c.otherThere(ctx, l, here && standing == 0); err != nil {
			return err
		}
	}
	switch {
	case here && standing == 0 && others == 0 && same > 0:
		l.Problem = Undone
		c.found(l)
	case here && standing == 0 && others == 0:
		return c.tellAgain(ctx, l)
	case !here && standing == 1 && e.State.Final():
		l.Problem = Unexpected
		c.found(l)
	}
	return nil
}

// lost lists what the host has where the journal has a hole: a salvage could
// read nothing of it any more.
func (c *comparing) lost(id queue.ID, told []agree.Held) {
	l := Unfinished{Problem: Foreign, ID: id}
	for _, h := range told {
		l.Held, l.Since = append(l.Held, hostEntry(h)), h.Booked
	}
	c.found(l)
}

// otherThere explains an entry in force at the host that is not e: another
// device's under this journal's name, or e with something changed.
func (c *comparing) otherThere(ctx context.Context, l Unfinished, alone bool) error {
	for _, h := range l.Held {
		if h.Same || !h.Stands {
			continue
		}
		o := l
		switch {
		case h.Ref != l.Entry.Ref && !l.Entry.Pruned:
			o.Problem, o.Entry, o.AtHost = Foreign, queue.Entry{}, false
			o.Since, o.Held = h.Booked, []HostEntry{h}
		case h.Amount != l.Entry.Amount:
			o.Problem, alone = OtherAmount, false
		default:
			o.Problem, alone = OtherContent, false
		}
		c.found(o)
	}
	if alone {
		return c.tellAgain(ctx, l)
	}
	return nil
}

// tellAgain tells the host again of what it lacks, not in the middle of a
// settlement. Only the next comparison says whether that has mended it. One
// that cannot be told does not keep others from being told.
func (c *comparing) tellAgain(ctx context.Context, l Unfinished) error {
	l.Problem = Missing
	c.found(l)
	if l.Entry.Pruned {
		return nil
	}
	err := c.q.WithLane(ctx, l.Entry.Lane, func() error {
		_, err := c.host.Retell(ctx, l.Entry)
		return err
	})
	if err == nil {
		c.retold++
		c.silent = 0
		return nil
	}
	err = fmt.Errorf("telling of entry %d again: %w", l.ID, err)
	if c.silent++; c.silent > silences || ctx.Err() != nil {
		return err
	}
	if c.failed == nil {
		c.failed = err
	}
	return nil
}

// found adds a line of an entry.
func (c *comparing) found(l Unfinished) {
	before := len(c.out.Lines)
	c.add(l)
	if len(c.out.Lines) > before {
		c.named[l.ID] = append(c.named[l.ID], before)
	}
}

// waitingLine is where the entry stands among what is not final here, -1 for
// nowhere.
func (c *comparing) waitingLine(id queue.ID) int {
	for _, n := range c.named[id] {
		if c.out.Lines[n].Problem <= NeedsPerson {
			return n
		}
	}
	return -1
}

// foreign is what the host has behind the journal's end as it is now: what was
// journalled since the comparison began is known here.
func (c *comparing) foreign(ctx context.Context, d agree.Difference) (out []agree.Range, err error) {
	if len(d.Beyond) == 0 {
		return nil, nil
	}
	if err := c.mirror.refresh(ctx); err != nil {
		return nil, err
	}
	for _, r := range d.Beyond {
		if r.From = max(r.From, c.mirror.half.Highest()+1); r.From <= r.To {
			out = append(out, r)
		}
	}
	return out, nil
}

// beyond lists what the host has behind the journal's end: entries of a device
// that went on after this journal was copied from it.
func (c *comparing) beyond(ctx context.Context, d agree.Difference) error {
	foreign, err := c.foreign(ctx, d)
	if err != nil {
		return err
	}
	var seqs []uint64
	for _, r := range foreign {
		for ; r.From <= r.To && len(seqs) < pageOf; r.From++ {
			seqs = append(seqs, r.From)
		}
		if r.From <= r.To {
			c.add(Unfinished{Problem: Foreign, ID: queue.ID(r.From), To: queue.ID(r.To)})
		}
	}
	held, err := c.heldAt(ctx, seqs)
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		l := Unfinished{Problem: Foreign, ID: queue.ID(seq)}
		for _, h := range held[seq] {
			e := hostEntry(h)
			l.Held, l.Since = append(l.Held, e), h.Booked
		}
		c.add(l)
	}
	return nil
}

// mark marks what the last comparison no longer finds.
func (c *comparing) mark(d agree.Difference) {
	still := map[queue.ID]bool{}
	for _, f := range d.Found {
		still[queue.ID(f.Seq)] = true
	}
	for n := range c.out.Lines {
		l := &c.out.Lines[n]
		if l.Problem > NeedsPerson && l.ID <= c.out.UpTo {
			l.Mended = c.retold > 0 && !still[l.ID]
		}
	}
}
