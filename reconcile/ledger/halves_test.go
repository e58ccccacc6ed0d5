package ledger

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// root is the journal's root as the cached half has it.
func root(t *testing.T, l *Ledger, j wire.JournalID) (r agree.Leaf) {
	t.Helper()
	require.NoError(t, l.withHalf(bg, j, func(h *agree.Half) error {
		r = h.Root(h.Highest())
		return nil
	}))
	return r
}

// However bookings and comparisons fall together, the half that is kept up is the
// one that would be built anew.
func TestHalvesAreKeptUp(t *testing.T) {
	l := newLedger(t, OpenMemory(), &Options{Decide: yes})
	j := journalOf(1)
	require.NoError(t, submit(t, l, sub(j, 1, request(2))).Err)
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			for i := range 60 {
				n := queue.ID(10 + (c*60+i)*2)
				x := request(n)
				for _, e := range []wire.Entry{x, reversalOf(n+1, x)}[:1+i%2] {
					if _, err := l.Submit(bg, "till-1", sub(j, 1, e)); err != nil {
						t.Error(err)
					}
				}
				if i%10 == 0 {
					_ = root(t, l, j)
				}
			}
		})
	}
	wg.Wait()
	kept := root(t, l, j)
	require.NoError(t, submit(t, l, sub(j, 1, reversalOf(3, request(2)))).Err)
	gone := root(t, l, j)
	require.NotEqual(t, kept, gone, "a reversal takes its original's leaf away")
	l.halves.cached = map[[16]byte]*half{}
	require.Equal(t, root(t, l, j), gone)
	require.NoError(t, l.withHalf(bg, j, func(h *agree.Half) error {
		require.True(t, h.Seen(2))
		require.Zero(t, h.Leaf(2))
		require.False(t, h.Seen(4))
		return nil
	}))
	fork := request(10)
	fork.STAN, fork.Ref = 900, "fork"
	res := submit(t, l, sub(j, 2, fork))
	require.NoError(t, res.Err)
	all, err := l.At(bg, j, 10)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.NoError(t, l.withHalf(bg, j, func(h *agree.Half) error {
		require.Equal(t, agree.LeafOf(all[0].Digest, all[1].Digest), h.Leaf(10))
		return nil
	}))
}

// The cache is bounded: what was used longest ago goes, and is built anew.
func TestHalvesAreBounded(t *testing.T) {
	l := newLedger(t, OpenMemory(), nil)
	var roots []agree.Leaf
	for n := byte(1); n <= 3; n++ {
		require.NoError(t, submit(t, l, sub(journalOf(n), 1, advice(queue.ID(n)))).Err)
		roots = append(roots, root(t, l, journalOf(n)))
	}
	require.Len(t, l.halves.cached, 3)
	l.halves.cached[journalOf(3)].cost = maxHalves
	_ = root(t, l, journalOf(3))
	require.NotContains(t, l.halves.cached, [16]byte(journalOf(1)))
	for n := byte(1); n <= 3; n++ {
		require.Equal(t, roots[n-1], root(t, l, journalOf(n)), fmt.Sprint(n))
	}
	// One that fails while the rest is too much goes, and the rest shrinks.
	l.halves.cached[journalOf(1)].cost, l.halves.cached[journalOf(2)].cost = maxHalves+1, maxHalves+1
	l.halves.settle(journalOf(1), l.halves.cached[journalOf(1)], nil)
	l.halves.settle(journalOf(2), l.halves.cached[journalOf(2)], context.Canceled)
	require.Len(t, l.halves.cached, 1)
	require.Equal(t, l.halves.cached[journalOf(3)].size, l.halves.sum)
	l.halves.sum += 2 * maxHalves // as if others had grown meanwhile
	l.halves.settle(journalOf(3), l.halves.cached[journalOf(3)], context.Canceled)
	require.Empty(t, l.halves.cached)
	l.halves.sum = 0
	require.Equal(t, roots[0], root(t, l, journalOf(1)))
	for n := range maxTouched + 1 {
		l.halves.touch(journalOf(1), uint64(n+1))
	}
	require.NotContains(t, l.halves.cached, [16]byte(journalOf(1)))
	require.Equal(t, roots[0], root(t, l, journalOf(1)))
	c := costs{}
	var err error
	for seq := uint64(1); err == nil; seq += 1 << 30 {
		err = c.add(seq)
	}
	var limit *LimitError
	require.ErrorAs(t, err, &limit, "a journal of wide gaps is refused in time")
}
