package agree

import (
	"context"
	"fmt"
)

// byTree walks the trees from the top, level by level, into what differs.
func (c *comparison) byTree(ctx context.Context) error {
	for range retries {
		theirs := c.mine.clone()
		root, same, err := c.walk(ctx, theirs)
		if err != nil {
			return err
		}
		if !same {
			continue // the host moved on in between
		}
		if theirs.Root(c.head.upTo) != root {
			return ErrContradiction
		}
		c.theirs = theirs
		return nil
	}
	return ErrMoving
}

// walk takes over into theirs what the host has where the trees differ, and
// returns the host's root, and whether it was the same all the while.
func (c *comparison) walk(ctx context.Context, theirs *Half) (root Leaf, same bool, err error) {
	level := 1
	for level < levels && c.head.upTo>>(4*level) > 0 {
		level++
	}
	ahead := []uint64{0}
	asked := false
	for ; level >= 1 && len(ahead) > 0; level-- {
		var next []uint64
		for len(ahead) > 0 {
			q := nodesQuery{level: level, indexes: ahead[:min(len(ahead), maxNodes)]}
			ahead = ahead[len(q.indexes):]
			a := nodesAnswer{want: len(q.indexes)}
			if err := c.ask(ctx, &q, &a); err != nil {
				return root, false, err
			}
			if asked && a.root != root {
				return root, false, nil
			}
			root, asked = a.root, true
			for i, index := range q.indexes {
				if next, err = c.descend(theirs, level, index, &a.kids[i], next); err != nil {
					return root, false, err
				}
			}
			if len(next) > c.mine.seen+maxNodes {
				return root, false, fmt.Errorf("%w: more differs than there is", ErrContradiction)
			}
		}
		ahead = next
	}
	return root, true, nil
}

// descend compares the children of one node: leaves are taken over, nodes that
// differ are appended to next.
func (c *comparison) descend(theirs *Half, level int, index uint64, kids *[fan]Leaf, next []uint64) ([]uint64, error) {
	mine := c.mine.children(level, index, c.head.upTo)
	for i := range uint64(fan) {
		at := index<<4 + i
		switch {
		case mine[i] == kids[i]:
		case at<<(4*(level-1)) > c.head.upTo:
			return nil, ErrContradiction
		case level > 1:
			next = append(next, at)
		default:
			if err := theirs.Set(at, kids[i]); err != nil {
				return nil, ErrContradiction // sequence 0
			}
		}
	}
	return next, nil
}
