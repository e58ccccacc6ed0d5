package agree

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

var someSecret = newSecret(nonce{1}, nonce{2})

// diffOf is the difference of cells that these changes make.
func diffOf(w way, n int, all ...change) []cell {
	s := sketch{way: w, cells: make([]cell, n)}
	k := &keyed{secret: someSecret}
	for _, c := range all {
		if w == byPower {
			s.power(k, c.seq, c.delta)
		} else {
			s.spread(k, c.seq, c.delta)
		}
	}
	return s.cells
}

// Sums by power yield every set of changes that is smaller than they are.
func TestPowerFindsAllThatFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "changes")
		seqs := rapid.SliceOfNDistinct(rapid.Uint64Range(1, 3000), n, n, rapid.ID).Draw(t, "seqs")
		var want []change
		for _, s := range seqs {
			want = append(want, change{s, rapid.Uint64Range(1, prime-1).Draw(t, "delta")})
		}
		cells := n + 1 + rapid.IntRange(0, 5).Draw(t, "over")
		got, ok := solve(byPower, someSecret, diffOf(byPower, cells, want...), 3000)
		require.True(t, ok)
		require.ElementsMatch(t, want, got)
	})
}

// What a spread sketch yields is what was put in.
func TestPeelYieldsWhatWasPutIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100).Draw(t, "changes")
		seqs := rapid.SliceOfNDistinct(rapid.Uint64Range(1, 1<<40), n, n, rapid.ID).Draw(t, "seqs")
		var want []change
		for _, s := range seqs {
			want = append(want, change{s, rapid.Uint64Range(1, prime-1).Draw(t, "delta")})
		}
		got, ok := solve(spreads, someSecret, diffOf(spreads, 3*n+20, want...), 1<<40)
		if !ok {
			t.Skip("too few cells, which the device notices")
		}
		require.ElementsMatch(t, want, got)
	})
}

// How often so many cells are too few: the figures that the sizes rest on.
func TestPeelSucceedsOften(t *testing.T) {
	for _, c := range []struct{ changes, cells, tries, failures int }{
		{100, 200, 100, 2}, {300, 480, 50, 2}, {1000, 1500, 8, 1},
	} {
		failures := 0
		for try := range c.tries {
			s := newSecret(nonce{byte(try), byte(try >> 8)}, nonce{9})
			k, t := &keyed{secret: s}, sketch{way: spreads, cells: make([]cell, c.cells)}
			for i := range c.changes {
				seq := uint64(i*7 + 1)
				l := leaf(seq, 1)
				t.spread(k, seq, k.value(seq, &l))
			}
			if _, ok := solve(spreads, s, t.cells, 10000); !ok {
				failures++
			}
		}
		require.LessOrEqual(t, failures, c.failures, "%+v", c)
	}
}

// Cells that no set of changes makes neither hang nor crash the decoder.
func TestSolvingNonsense(t *testing.T) {
	_, ok := solve(byPower, someSecret, diffOf(byPower, 8, change{900, 5}, change{3, 1}), 800)
	require.False(t, ok, "a sequence behind the last")

	// A change in one cell of its walk only: taking it out puts it into the others.
	k := &keyed{secret: someSecret}
	seq, at := uint64(0), uint32(0)
	for at < 4 || at == 50 {
		seq++
		w := k.walk(seq)
		at = w.next(0, 50)
	}
	it := cell{7, 7 * seq}
	diff := make([]cell, 50)
	diff[at] = it
	_, ok = solve(spreads, someSecret, diff, 100)
	require.False(t, ok)

	_, met := alone(k, it, at, 50, 100)
	require.True(t, met)
	for i := uint32(1); i < at; i++ {
		_, met := alone(k, it, i, 50, 100)
		require.False(t, met, "the sequence does not meet cell %d", i)
	}
	_, met = alone(k, cell{7, 7 * 101}, 0, 50, 100)
	require.False(t, met)

	rapid.Check(t, func(t *rapid.T) {
		diff := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) cell {
			small := rapid.OneOf(rapid.Uint64Range(0, prime-1), rapid.Uint64Range(0, 3))
			return cell{small.Draw(t, "a"), small.Draw(t, "b")}
		}), 0, 40).Draw(t, "cells")
		before := slices.Clone(diff)
		solve(spreads, someSecret, diff, 50)
		require.Equal(t, before, diff)
		solve(byPower, someSecret, diff, 50)
		require.Equal(t, before, diff)
	})
}
