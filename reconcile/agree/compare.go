package agree

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

// Exchange carries one message to the host and returns its answer, of which it
// reads no more than MaxAnswer bytes.
type Exchange func(ctx context.Context, message []byte) (answer []byte, err error)

var (
	// ErrMoving means that what the host holds changed all the while: compare
	// again when less is going on.
	ErrMoving = errors.New("the host's books changed while they were compared")
	// ErrContradiction means that the host's answers do not fit together.
	ErrContradiction = errors.New("the host contradicts itself")
)

// Found is a sequence at which two halves differ: where an entry stands Here,
// There, or other ones on both sides.
type Found struct {
	Seq         uint64
	Here, There bool
	// Unseen says that the host has never seen the sequence.
	Unseen bool
}

// Step is how far a comparison had to go.
type Step string

// The steps, the cheapest first.
const (
	ByRoot   Step = "root"   // the roots are equal
	ByGaps   Step = "gaps"   // what the host has never seen is all that differs
	BySketch Step = "sketch" // a sketch told the differences
	ByTree   Step = "tree"   // the tree was walked
)

// Difference is what Compare finds.
type Difference struct {
	// UpTo is the last sequence that was compared: the half's highest.
	UpTo uint64
	// Found are the sequences that differ, ascending.
	Found []Found
	// Highest is the highest sequence that the host has seen, Beyond the first
	// ranges of what it has seen behind UpTo.
	Highest uint64
	Beyond  []Range
	Step    Step
	// Messages counts the round trips, Sent and Received the bytes of the
	// messages, without what carries them.
	Messages, Sent, Received int
}

// Equal tells whether both sides hold the same.
func (d Difference) Equal() bool { return len(d.Found) == 0 && d.Highest <= d.UpTo }

// retries is how often a comparison begins anew because the host moved on.
const retries = 3

// comparison is one Compare under way.
type comparison struct {
	mine     *Half
	head     head
	exchange Exchange
	d        Difference

	theirs *Half // mine, with what is known of the host
}

// Compare finds where mine and the host's half of the journal differ, at the
// least number of bytes: by the root, by what the host has never seen, by a
// sketch, by the tree. That nothing else differs is proven by a root in each of
// them, of which a chance of some 2^-61 is left that a sketch hides a
// difference; the next comparison would show it. What a host can make Compare
// do is bounded by mine: some twenty messages of at most MaxAnswer, a few passes
// over mine, and the walk of a tree as large as mine's.
//
// mine must not change meanwhile. The host's half may: what is found is then as
// of one moment of it.
//
// Errors: those of exchange and ctx; ErrMessage for answers that are none;
// ErrMoving; ErrContradiction.
func Compare(ctx context.Context, mine *Half, about Subject, exchange Exchange) (Difference, error) {
	c := comparison{mine: mine, head: head{Subject: about, upTo: mine.highest}, exchange: exchange}
	c.d.UpTo = mine.highest
	err := c.run(ctx)
	return c.d, err
}

func (c *comparison) ask(ctx context.Context, q, a body) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	message := writeMessage(c.head, q)
	c.d.Messages++
	c.d.Sent += len(message)
	answer, err := c.exchange(ctx, message)
	if err != nil {
		return err
	}
	c.d.Received += len(answer)
	return readAnswer(answer, a)
}

func (c *comparison) run(ctx context.Context) error {
	a := rootAnswer{upTo: c.head.upTo}
	q := rootQuery{root: c.mine.Root(c.head.upTo), room: c.room()}
	if err := c.ask(ctx, &q, &a); err != nil {
		return err
	}
	c.d.Highest = a.highest
	if a.highest > c.head.upTo {
		b := beyondAnswer{upTo: c.head.upTo}
		if err := c.ask(ctx, &beyondQuery{}, &b); err != nil {
			return err
		}
		c.d.Highest, c.d.Beyond = b.highest, b.seen
	}
	if a.equal {
		c.d.Step = ByRoot
		return nil
	}
	c.theirs = c.mine.clone()
	gaps := a.gaps
	if a.highest < c.head.upTo {
		gaps = append(gaps, Range{a.highest + 1, c.head.upTo})
	}
	c.clear(gaps)
	c.d.Step = ByGaps
	if c.theirs.Root(c.head.upTo) != a.root {
		if err := c.closer(ctx); err != nil {
			return err
		}
	}
	c.classify(gaps)
	return nil
}

// room is how many KiB of gaps are worth having: none where the host cannot
// have seen a good part of what is here, such as other hosts' entries.
func (c *comparison) room() byte {
	idle := 0
	c.mine.pages(func(_ uint64, n *node) bool {
		for i := range n.leaves {
			if n.seen&(1<<i) != 0 && n.leaves[i] == (Leaf{}) {
				idle++
			}
		}
		return idle <= mostIdle
	})
	if idle > mostIdle {
		return 0
	}
	return 32
}

const mostIdle = 4096

// clear takes out of theirs what the host says it has never seen; the ranges
// ascend.
func (c *comparison) clear(gaps []Range) {
	var seqs []uint64
	c.theirs.standing(c.head.upTo, func(seq uint64, _ *Leaf) bool {
		for len(gaps) > 0 && gaps[0].To < seq {
			gaps = gaps[1:]
		}
		if len(gaps) > 0 && gaps[0].From <= seq {
			seqs = append(seqs, seq)
		}
		return len(gaps) > 0
	})
	for _, seq := range seqs {
		_ = c.theirs.Set(seq, Leaf{}) // a sequence that is set already
	}
}

// closer goes on where gaps are not all: by a sketch, else by the tree.
func (c *comparison) closer(ctx context.Context) error {
	done, err := c.bySketch(ctx)
	if done || err != nil {
		c.d.Step = BySketch
		return err
	}
	c.d.Step = ByTree
	return c.byTree(ctx)
}

func (c *comparison) bySketch(ctx context.Context) (done bool, err error) {
	var device nonce
	if _, err := rand.Read(device[:]); err != nil {
		return false, err
	}
	upTo := c.head.upTo
	a := sketchAnswer{asked: askSketch}
	if err := c.ask(ctx, &sketchQuery{device: device, counts: countersOf(c.theirs, upTo, device)}, &a); err != nil {
		return false, err
	}
	have := a
	if have.from != 0 {
		return false, fmt.Errorf("%w: a sketch that begins at cell %d", ErrContradiction, have.from)
	}
	s, guessed := newSecret(device, have.host), guess(have.way, len(have.cells))
	for round := 1; len(have.cells) > 0 && round <= maxRounds; round++ {
		ours := sketchOf(c.theirs, upTo, s, have.way, len(have.cells))
		diff := make([]cell, len(have.cells))
		for i, t := range have.cells {
			diff[i] = cell{sub(t[0], ours.cells[i][0]), sub(t[1], ours.cells[i][1])}
		}
		if found, ok := solve(have.way, s, diff, upTo); ok {
			return c.proven(s, found, have.root), nil
		}
		q, ok := furtherCells(have, diff, round, guessed)
		if !ok {
			break
		}
		q.device, q.host = device, have.host
		m := sketchAnswer{asked: askMore}
		if err := c.ask(ctx, q, &m); err != nil {
			return false, err
		}
		if m.host != have.host || m.way != q.way || (m.from != 0 && m.from != q.from) || (m.from == q.from) != (m.root == have.root) && q.from > 0 {
			return false, fmt.Errorf("%w: cells of another sketch", ErrContradiction)
		}
		if m.from > 0 {
			m.cells = append(have.cells, m.cells...)
		}
		have = m
	}
	return false, nil
}

// maxRounds bounds how often cells are asked for: the host's half may have
// moved on each time, and they are sent anew then.
const maxRounds = 12

// furtherCells is what to ask for when the cells that are there do not solve.
func furtherCells(have sketchAnswer, diff []cell, round int, guessed float64) (*moreQuery, bool) {
	n := len(have.cells)
	q := &moreQuery{way: have.way, from: n}
	copy(q.check[:], have.root[:])
	total := 2 * n
	switch {
	case have.way == byPower && total > have.way.most():
		q.way, q.from, total = spreads, 0, 4*n
	case have.way == spreads && round < 3:
		total = more(diff, guessed)
	}
	total = min(total, q.way.most())
	q.count = min(total-q.from, maxBlock)
	return q, q.count > 0
}

// proven takes the changes over into theirs if that gives the host's keyed root.
func (c *comparison) proven(s secret, found []change, root Leaf) bool {
	k := &keyed{secret: s}
	values := make(map[uint64]uint64, len(found))
	trial := c.theirs.clone()
	for _, f := range found {
		l := c.theirs.Leaf(f.seq)
		v := add(k.value(f.seq, &l), f.delta)
		mine := c.mine.Leaf(f.seq)
		values[f.seq] = v
		switch v {
		case 0:
			l = Leaf{}
		case k.value(f.seq, &mine):
			l = mine
		default:
			l = unknown
		}
		if trial.Set(f.seq, l) != nil {
			return false
		}
	}
	sum := newRootSum()
	trial.standing(c.head.upTo, func(seq uint64, l *Leaf) bool {
		v, ok := values[seq]
		if !ok {
			v = k.value(seq, l)
		}
		sum.put(seq, v)
		return true
	})
	if sum.done() != root {
		return false
	}
	c.theirs = trial
	return true
}

// unknown stands in theirs for what the host has and only a value is known of.
var unknown = Leaf{0: 1}

// classify lists what differs between mine and theirs.
func (c *comparison) classify(gaps []Range) {
	different(c.mine.root, c.theirs.root, levels, 0, func(seq uint64, here, there Leaf) {
		f := Found{Seq: seq, Here: here != Leaf{}, There: there != Leaf{}}
		if !f.There {
			for len(gaps) > 0 && gaps[0].To < seq {
				gaps = gaps[1:]
			}
			f.Unseen = len(gaps) > 0 && gaps[0].From <= seq
		}
		c.d.Found = append(c.d.Found, f)
	})
}

// different calls note for each leaf in which two trees differ, ascending.
func different(a, b *node, level int, first uint64, note func(seq uint64, a, b Leaf)) {
	if a == nil && b == nil {
		return
	}
	if a == nil {
		a = newNode(level)
	}
	if b == nil {
		b = newNode(level)
	}
	for i := range fan {
		if level > 1 {
			different(a.kids[i], b.kids[i], level-1, first+uint64(i)<<(4*(level-1)), note)
		} else if a.leaves[i] != b.leaves[i] {
			note(first+uint64(i), a.leaves[i], b.leaves[i])
		}
	}
}
