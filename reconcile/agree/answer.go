package agree

import (
	"context"
	"crypto/rand"
	"fmt"
)

// Answer answers one message of a device from what the host holds of the
// journal that Head named, as of one moment. held tells what the host has at a
// sequence, standing or not, booked under whatever epoch; it is asked for at
// most 256 sequences a message, in the order that they have, and what is beyond
// 16 entries for one sequence is left out. A nil held tells nothing.
//
// A device that is in agreement costs one root; a sketch costs some 0.4 s of
// one processor for a million entries, so let one message of a device be
// answered at a time. No state is kept between messages, and none of them
// changes anything.
//
// Errors: ErrMessage, ctx.Err(), and those of held.
func Answer(ctx context.Context, message []byte, half *Half, held func(seq uint64) ([]Held, error)) ([]byte, error) {
	h, m, err := readMessage(message)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	switch q := m.(type) {
	case *rootQuery:
		return writeAnswer(half.answerRoot(h, q)), nil
	case *sketchQuery:
		return half.answerSketch(h, q)
	case *moreQuery:
		return half.answerMore(h, q), nil
	case *nodesQuery:
		return writeAnswer(half.answerNodes(h, q)), nil
	case *heldQuery:
		return answerHeld(ctx, q, held)
	}
	seen, _ := half.ranges(h.upTo+1, half.highest, true, beyondRoom)
	return writeAnswer(&beyondAnswer{highest: half.highest, seen: seen, upTo: h.upTo}), nil
}

func (h *Half) answerRoot(to head, q *rootQuery) *rootAnswer {
	a := &rootAnswer{root: h.Root(to.upTo), highest: h.highest}
	if a.equal = a.root == q.root; a.equal {
		return a
	}
	a.gaps, a.cut = h.ranges(1, min(to.upTo, h.highest), false, int(q.room)<<10)
	return a
}

func (h *Half) answerSketch(to head, q *sketchQuery) ([]byte, error) {
	a := &sketchAnswer{asked: askSketch}
	if _, err := rand.Read(a.host[:]); err != nil {
		return nil, err
	}
	w, n := first(countersOf(h, to.upTo, q.device).leaves(q.counts))
	s := sketchOf(h, to.upTo, newSecret(q.device, a.host), w, n)
	a.root, a.way, a.cells = s.root, w, s.cells
	return writeAnswer(a), nil
}

func (h *Half) answerMore(to head, q *moreQuery) []byte {
	s := sketchOf(h, to.upTo, newSecret(q.device, q.host), q.way, q.from+q.count)
	a := &sketchAnswer{asked: askMore, host: q.host, root: s.root, way: q.way, from: q.from}
	if [8]byte(s.root[:8]) != q.check {
		a.from = 0
		s.cells = s.cells[:min(len(s.cells), maxBlock)]
	}
	a.cells = s.cells[a.from:]
	return writeAnswer(a)
}

func (h *Half) answerNodes(to head, q *nodesQuery) *nodesAnswer {
	a := &nodesAnswer{root: h.Root(to.upTo)}
	for _, i := range q.indexes {
		a.kids = append(a.kids, h.children(q.level, i, to.upTo))
	}
	return a
}

func (h *Half) children(level int, index, upTo uint64) [fan]Leaf {
	return children(h.at(level, index), level, index<<(4*level), upTo)
}

func answerHeld(ctx context.Context, q *heldQuery, held func(uint64) ([]Held, error)) ([]byte, error) {
	a := &heldAnswer{}
	size := 16
	if held == nil {
		held = func(uint64) ([]Held, error) { return nil, nil }
	}
	for _, seq := range q.seqs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		all, err := held(seq)
		if err != nil {
			return nil, err
		}
		all = all[:min(len(all), maxCopy)]
		size += 4
		for _, h := range all {
			if len(h.Canonical) > maxCanonical {
				return nil, fmt.Errorf("sequence %d: %d canonical bytes: %d can be told", seq, len(h.Canonical), maxCanonical)
			}
			size += len(h.Canonical) + 40
		}
		if size > MaxAnswer && len(a.held) > 0 {
			break
		}
		a.held = append(a.held, all)
	}
	return writeAnswer(a), nil
}
