package agree

import (
	"context"
	"crypto/rand"
	mrand "math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/record"
)

// forge lets a host change its answers: what change returns goes out.
func forge(host *Half, change func(q, a body) body) Exchange {
	return func(ctx context.Context, m []byte) ([]byte, error) {
		h, q, err := readMessage(m)
		if err != nil {
			return nil, err
		}
		raw, err := serve(host)(ctx, m)
		if err != nil {
			return nil, err
		}
		var a body
		switch q := q.(type) {
		case *rootQuery:
			a = &rootAnswer{upTo: h.upTo}
		case *sketchQuery:
			a = &sketchAnswer{asked: askSketch}
		case *moreQuery:
			a = &sketchAnswer{asked: askMore}
		case *nodesQuery:
			a = &nodesAnswer{want: len(q.indexes)}
		case *beyondQuery:
			a = &beyondAnswer{upTo: h.upTo}
		}
		if err := readAnswer(raw, a); err != nil {
			return nil, err
		}
		return writeAnswer(change(q, a)), nil
	}
}

// mismatches makes two halves of n that differ in content at d sequences.
func mismatches(t testing.TB, n uint64, d int) (mine, host *Half) {
	mine = dense(t, n)
	host = mine.clone()
	for s := range pick(mrand.New(mrand.NewPCG(3, uint64(d))), n, d, false) {
		require.NoError(t, host.Set(s, leaf(s, 2)))
	}
	return mine, host
}

// A sketch that was made to yield something else, cleanly, is found out by the
// keyed root, and the tree tells the truth.
func TestForgedSketch(t *testing.T) {
	for _, d := range []int{3, 200} {
		mine, host := mismatches(t, 2000, d)
		var device nonce
		got, err := Compare(bg, mine, subject, forge(host, func(q, a body) body {
			if q, ok := q.(*sketchQuery); ok {
				device = q.device
			}
			s, ok := a.(*sketchAnswer)
			if !ok {
				return a
			}
			// One more difference, at a sequence where there is none.
			fake := host.clone()
			for seq := uint64(1); ; seq++ {
				if mine.Leaf(seq) == host.Leaf(seq) {
					require.NoError(t, fake.Set(seq, leaf(seq, 3)))
					break
				}
			}
			s.cells = sketchOf(fake, 2000, newSecret(device, s.host), s.way, s.from+len(s.cells)).cells[s.from:]
			return s
		}))
		require.NoError(t, err)
		require.Equal(t, ByTree, got.Step)
		sameFound(t, truth(mine, host, 2000), got)
	}
}

// Gaps that are none are put right by the sketch.
func TestLyingAboutGaps(t *testing.T) {
	mine, host := mismatches(t, 2000, 5)
	got, err := Compare(bg, mine, subject, forge(host, func(_, a body) body {
		if r, ok := a.(*rootAnswer); ok {
			r.gaps = []Range{{10, 20}, {30, 700}}
		}
		return a
	}))
	require.NoError(t, err)
	sameFound(t, truth(mine, host, 2000), got)
}

// A watermark that is a lie makes a range of the host's word, and no work.
func TestLyingWatermark(t *testing.T) {
	mine := dense(t, 100)
	got, err := Compare(bg, mine, subject, forge(mine, func(_, a body) body {
		switch a := a.(type) {
		case *rootAnswer:
			a.highest = MaxSequence
		case *beyondAnswer:
			a.highest, a.seen = MaxSequence, []Range{{101, MaxSequence}}
		}
		return a
	}))
	require.NoError(t, err)
	require.Equal(t, []Range{{101, MaxSequence}}, got.Beyond)
	require.Empty(t, got.Found)
	require.False(t, got.Equal())

	_, err = Compare(bg, mine, subject, forge(mine, func(_, a body) body {
		if a, ok := a.(*rootAnswer); ok {
			a.highest = MaxSequence + 1
		}
		return a
	}))
	require.ErrorIs(t, err, ErrMessage)
	low, err := Compare(bg, mine, subject, forge(mine, func(_, a body) body {
		if r, ok := a.(*rootAnswer); ok {
			return &rootAnswer{highest: 0, root: Leaf{}, upTo: r.upTo}
		}
		return a
	}))
	require.NoError(t, err, "a host that says it has nothing is taken at its word")
	require.Len(t, low.Found, 100)
}

// A host that answers at random, or never twice the same, ends in an error
// after a bounded number of messages.
func TestNonsenseEnds(t *testing.T) {
	mine, host := mismatches(t, 1500, 50)
	for name, change := range map[string]func(q, a body) body{
		"nodes at random": func(_, a body) body {
			switch a := a.(type) {
			case *sketchAnswer:
				a.cells = nil
			case *nodesAnswer:
				for i := range a.kids {
					for j := range a.kids[i] {
						_, _ = rand.Read(a.kids[i][j][:])
					}
				}
			}
			return a
		},
		"cells at random, another root each time": func(_, a body) body {
			switch a := a.(type) {
			case *sketchAnswer:
				_, _ = rand.Read(a.root[:])
				if a.from = 0; len(a.cells) == 0 {
					a.cells = make([]cell, 1)
				}
				for i := range a.cells {
					a.cells[i] = cell{mrand.Uint64N(prime), mrand.Uint64N(prime)}
				}
			case *nodesAnswer:
				_, _ = rand.Read(a.root[:])
			}
			return a
		},
		"a sketch that begins in the middle": func(_, a body) body {
			if s, ok := a.(*sketchAnswer); ok {
				s.from = 1
			}
			return a
		},
		"another way than asked for": func(_, a body) body {
			if s, ok := a.(*sketchAnswer); ok && s.asked == askMore {
				s.way ^= 1
				s.cells = s.cells[:min(len(s.cells), 8)]
			}
			if s, ok := a.(*sketchAnswer); ok && s.asked == askSketch {
				s.cells = s.cells[:4]
			}
			return a
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Compare(bg, mine, subject, forge(host, change))
			require.Error(t, err)
			require.LessOrEqual(t, got.Messages, 40)
			require.LessOrEqual(t, got.Received, 40*MaxAnswer)
		})
	}
}

// Whatever is said of a journal, a message costs no more than what is held.
func TestMessagesOfHugeJournals(t *testing.T) {
	host := dense(t, 50)
	require.NoError(t, host.Set(MaxSequence, leaf(1, 1)))
	h := head{Subject: subject, upTo: MaxSequence}
	for _, q := range []body{
		&rootQuery{room: maxRoom}, &sketchQuery{}, &moreQuery{way: spreads, from: maxCells - maxBlock, count: maxBlock},
		&moreQuery{way: byPower, count: 64}, &nodesQuery{level: 12, indexes: []uint64{0}},
		&nodesQuery{level: 1, indexes: []uint64{MaxSequence >> 4}}, &heldQuery{seqs: []uint64{MaxSequence}}, &beyondQuery{},
	} {
		m := writeMessage(h, q)
		a, err := serve(host)(bg, m)
		require.NoError(t, err)
		require.LessOrEqual(t, len(a), MaxAnswer)
	}
	for _, q := range []body{
		&rootQuery{room: maxRoom + 1}, &moreQuery{way: spreads, from: maxCells, count: 1}, &moreQuery{way: byPower, count: 65},
		&moreQuery{way: 2}, &moreQuery{way: spreads, count: maxBlock + 1}, &nodesQuery{level: 0}, &nodesQuery{level: 13},
		&nodesQuery{level: 12, indexes: []uint64{1}}, &nodesQuery{level: 1, indexes: make([]uint64, maxNodes+1)},
		&heldQuery{seqs: []uint64{MaxSequence + 1}},
	} {
		_, err := serve(host)(bg, writeMessage(h, q))
		require.ErrorIs(t, err, ErrMessage, "%T %+v", q, q)
	}
	h.upTo = 1 << 63
	_, err := serve(host)(bg, writeMessage(h, &rootQuery{}))
	require.ErrorIs(t, err, ErrMessage)
	_, err = Head(writeMessage(h, &rootQuery{}))
	require.ErrorIs(t, err, ErrMessage)
	require.Error(t, host.Set(MaxSequence+1, Leaf{}))
	require.Error(t, host.Set(0, Leaf{}))
}

// Ranges cannot be made to wrap around, to touch or to leave their bounds.
func TestRangesFromTheWire(t *testing.T) {
	for name, list := range map[string][]uint64{
		"behind the end":     {1, 100<<1 | 1, 0},
		"of zero sequences":  {1, 1, 1<<64 - 1},
		"longer than all":    {1, 1, MaxSequence},
		"a step that wraps":  {1, 1<<64 - 2},
		"an end that wraps":  {1, 1, 1<<64 - 2},
		"touching":           {2, 0, 0},
		"fewer than it says": {3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var w record.Writer
			for _, v := range list {
				w.Uint(v)
			}
			r := record.NewReader(w.B)
			readRanges(r, 0, 50)
			require.Error(t, r.Done())
		})
	}
}

// Cells outside the field are no cells.
func TestCellsOutsideTheField(t *testing.T) {
	for _, c := range []cell{{prime, 0}, {0, prime}, {1<<64 - 1, 1}} {
		a := writeAnswer(&sketchAnswer{asked: askSketch, cells: []cell{c}})
		require.ErrorIs(t, readAnswer(a, &sketchAnswer{asked: askSketch}), ErrMessage)
	}
}

// Nodes of what is behind the last sequence, or of sequence 0, are a lie.
func TestNodesBehindTheEnd(t *testing.T) {
	for name, at := range map[string]int{"behind": 5, "zero": 0} {
		t.Run(name, func(t *testing.T) {
			mine, host := mismatches(t, 4, 1)
			_, err := Compare(bg, mine, subject, forge(host, func(_, a body) body {
				switch a := a.(type) {
				case *sketchAnswer:
					a.cells = nil
				case *nodesAnswer:
					a.kids[0][at] = leaf(1, 9)
				}
				return a
			}))
			require.ErrorIs(t, err, ErrContradiction)
		})
	}
}

// A tree of lies over a half with wide gaps ends, too.
func TestNodesOfASparseHalf(t *testing.T) {
	mine := &Half{}
	require.NoError(t, mine.Set(1<<40, leaf(1, 1)))
	got, err := Compare(bg, mine, subject, forge(&Half{}, func(q, a body) body {
		switch a := a.(type) {
		case *rootAnswer:
			a.root, a.gaps, a.highest = leaf(5, 5), nil, 1<<40
		case *sketchAnswer:
			a.cells = nil
		case *nodesAnswer:
			q := q.(*nodesQuery)
			for i := range a.kids {
				for j := range a.kids[i] {
					if first := (q.indexes[i]<<4 + uint64(j)) << (4 * (q.level - 1)); first <= 1<<40 && (first > 0 || q.level > 1) {
						a.kids[i][j] = leaf(uint64(j), 7)
					}
				}
			}
		}
		return a
	}))
	require.ErrorIs(t, err, ErrContradiction)
	require.LessOrEqual(t, got.Messages, 40)
}

// Leaves that do not make up the root are a contradiction.
func TestLeavesThatMakeAnotherRoot(t *testing.T) {
	mine, host := mismatches(t, 100, 2)
	_, err := Compare(bg, mine, subject, forge(host, func(q, a body) body {
		switch a := a.(type) {
		case *sketchAnswer:
			a.cells = nil
		case *nodesAnswer:
			if q.(*nodesQuery).level == 1 {
				a.kids[0][3] = leaf(1, 9)
			}
		}
		return a
	}))
	require.ErrorIs(t, err, ErrContradiction)
}
