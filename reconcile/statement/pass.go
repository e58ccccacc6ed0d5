package statement

import (
	"bytes"
	"cmp"
	"errors"
)

// groupLimit is how many items of one key are held to find the best pairs. A
// key names one transaction, so that a group has one item a side, or few.
const groupLimit = 1024

// pass joins what is sorted by one kind of key. What finds no partner goes on
// to the next kind.
func (c *comparer) pass(by keyKind) error {
	ours, err := open(c.ours[by], by, true)
	if err != nil {
		return err
	}
	theirs, err := open(c.theirs[by], by, false)
	if err != nil {
		return err
	}
	for ours.item != nil || theirs.item != nil {
		g := group{c: c, by: by}
		switch {
		case theirs.item == nil:
			g.key = ours.item.keys[by]
		case ours.item == nil:
			g.key = theirs.item.keys[by]
		default:
			a, b := ours.item.keys[by], theirs.item.keys[by]
			if g.key = a; bytes.Compare(a[:], b[:]) > 0 {
				g.key = b
			}
		}
		if err := g.join(ours, theirs); err != nil {
			return err
		}
	}
	return errors.Join(c.ours[by].close(), c.theirs[by].close())
}

// group is what has one key.
type group struct {
	c   *comparer
	by  keyKind
	key key

	reversals    []*item // of the size at which theirs stands
	ours, theirs []*item // without an equal partner
	last         cell    // of the line before
	lines        bool    // there was one
}

func (g *group) has(r *reader) bool { return r.item != nil && r.item.keys[g.by] == g.key }

// join reads the group from both sides: equal amounts pair as they come by, the
// others at the end.
func (g *group) join(ours, theirs *reader) error {
	if err := g.settleReversals(theirs); err != nil {
		return err
	}
	for g.has(ours) || g.has(theirs) {
		order := -1
		switch {
		case !g.has(ours):
			order = 1
		case g.has(theirs):
			order = ours.item.cell().compare(theirs.item.cell())
		}
		var err error
		switch {
		case order < 0:
			g.ours = append(g.ours, ours.item)
		case order > 0:
			err = g.surplus(theirs.item)
		default:
			g.last, g.lines = theirs.item.cell(), true
			err = g.c.pair(ours.item, theirs.item)
		}
		if err == nil && order <= 0 {
			err = ours.advance()
		}
		if err == nil && order >= 0 {
			if err = theirs.advance(); err == nil {
				err = g.settleReversals(theirs)
			}
		}
		if err == nil && max(len(g.ours), len(g.theirs)) >= groupLimit {
			err = g.flush()
		}
		if err != nil {
			return err
		}
	}
	return g.flush()
}

// surplus takes a line without an equal entry. One like the line before it is
// there once too often.
func (g *group) surplus(it *item) error {
	if c := it.cell(); g.lines && c == g.last {
		return g.c.tell(Doubled, nil, it)
	}
	g.last, g.lines = it.cell(), true
	g.theirs = append(g.theirs, it)
	return nil
}

// settleReversals leaves theirs at a line that stands: a reversal and the line
// that it takes back fall out together.
func (g *group) settleReversals(theirs *reader) error {
	for g.has(theirs) {
		it := theirs.item
		held := len(g.reversals)
		switch {
		case held > 0 && g.reversals[0].cell().size != it.cell().size:
			if err := g.leaveReversals(); err != nil {
				return err
			}
			continue
		case it.line.Reversal && held == groupLimit:
			if err := g.leave(it); err != nil {
				return err
			}
		case it.line.Reversal:
			g.reversals = append(g.reversals, it)
		case held > 0:
			g.reversals = g.reversals[:held-1]
		default:
			return nil
		}
		if err := theirs.advance(); err != nil {
			return err
		}
	}
	return g.leaveReversals()
}

func (g *group) leaveReversals() error {
	for _, it := range g.reversals {
		if err := g.leave(it); err != nil {
			return err
		}
	}
	g.reversals = g.reversals[:0]
	return nil
}

// flush pairs what is left of both sides, what is expected first, and leaves the
// rest to the next kind of key.
func (g *group) flush() error {
	for want := expected; want <= unexpected; want++ {
		rest := g.ours[:0]
		for _, o := range g.ours {
			if o.expect != want || len(g.theirs) == 0 {
				rest = append(rest, o)
				continue
			}
			if err := g.c.pair(o, g.theirs[0]); err != nil {
				return err
			}
			g.theirs = g.theirs[1:]
		}
		g.ours = rest
	}
	for _, side := range [][]*item{g.ours, g.theirs} {
		for _, it := range side {
			if err := g.leave(it); err != nil {
				return err
			}
		}
	}
	g.ours, g.theirs = g.ours[:0], nil
	return nil
}

func (g *group) leave(it *item) error { return g.c.place(it, g.by+1) }

func (a cell) compare(b cell) int {
	return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.rank, b.rank), cmp.Compare(a.currency, b.currency))
}

// pairs goes through what is left of voided entries and of their voids. Where the
// statement has neither of the two it has left out what comes to nothing.
func (c *comparer) pairs() error {
	ours, err := open(c.ours[byPair], byPair, true)
	if err != nil {
		return err
	}
	for ours.item != nil {
		first := ours.item
		if err := ours.advance(); err != nil {
			return err
		}
		second := ours.item
		if second == nil || second.keys[byPair] != first.keys[byPair] || second.amount.Minor != -first.amount.Minor {
			err = c.tell(MissingThere, first, nil)
		} else if err = c.tell(Netted, first, nil); err == nil {
			if err = c.tell(Netted, second, nil); err == nil {
				err = ours.advance()
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
