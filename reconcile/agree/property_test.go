package agree

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// change of one sequence between the two sides.
var kinds = []string{"gap", "seen, nothing stands", "other content", "only there", "neither"}

// drawHalves draws what a device and a host hold: n sequences, of which some
// differ in some way, alone and in bursts, and what the host has behind them.
func drawHalves(t *rapid.T) (mine, host *Half) {
	n := rapid.Uint64Range(0, 3000).Draw(t, "n")
	mine, host = dense(t, n), dense(t, n)
	bursts := rapid.IntRange(0, 40).Draw(t, "bursts")
	dropped := map[uint64]bool{}
	for range bursts {
		if n == 0 {
			break
		}
		from := rapid.Uint64Range(1, n).Draw(t, "from")
		to := min(n, from+rapid.Uint64Range(0, 60).Draw(t, "more"))
		kind := rapid.SampledFrom(kinds).Draw(t, "kind")
		for s := from; s <= to; s++ {
			delete(dropped, s)
			switch kind {
			case "gap":
				dropped[s] = true
			case "seen, nothing stands":
				require.NoError(t, host.Set(s, Leaf{}))
			case "other content":
				require.NoError(t, host.Set(s, leaf(s, 2)))
			case "only there":
				require.NoError(t, host.Set(s, leaf(s, 1)))
				require.NoError(t, mine.Set(s, Leaf{}))
			case "neither":
				dropped[s] = true
				require.NoError(t, mine.Set(s, Leaf{}))
			}
		}
	}
	host = without(t, host, func(s uint64) bool { return dropped[s] })
	for _, s := range rapid.SliceOfN(rapid.Uint64Range(n+1, n+5000), 0, 20).Draw(t, "beyond") {
		require.NoError(t, host.Set(s, leaf(s, 1)))
	}
	return mine, host
}

// The found set is the true set, whatever differs: a root decides.
func TestCompareIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mine, host := drawHalves(t)
		before := mine.Root(mine.highest)
		d, err := Compare(bg, mine, subject, serve(host))
		require.NoError(t, err)
		sameFound(t, truth(mine, host, mine.highest), d)
		require.Equal(t, before, mine.Root(mine.highest), "it is only read")
		require.Equal(t, host.highest, d.Highest)
		var beyond []uint64
		for _, r := range d.Beyond {
			for s := r.From; s <= r.To; s++ {
				beyond = append(beyond, s)
			}
		}
		for s := mine.highest + 1; s <= host.highest; s++ {
			require.Equal(t, host.Seen(s), slices.Contains(beyond, s), "sequence %d", s)
		}
	})
}

// The same without gaps and sketch: the tree alone.
func TestTreeIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mine, host := drawHalves(t)
		d, err := Compare(bg, mine, subject, treeOnly(host))
		require.NoError(t, err)
		sameFound(t, truth(mine, host, mine.highest), d)
	})
}

// The same while what the host holds changes between the messages: what is
// found is then the difference to one of its states.
func TestCompareWithAHostThatMovesOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		mine, host := drawHalves(t)
		states := [][]Found{truth(mine, host, mine.highest)}
		steps := rapid.IntRange(1, 6).Draw(t, "steps")
		answer := serve(host)
		if rapid.Bool().Draw(t, "tree only") {
			answer = treeOnly(host)
		}
		exchange := after(answer, func() {
			if steps--; steps < 0 || mine.highest == 0 {
				return
			}
			s := rapid.Uint64Range(1, mine.highest).Draw(t, "moved")
			require.NoError(t, host.Set(s, leaf(s, byte(rapid.IntRange(1, 3).Draw(t, "version")))))
			states = append(states, truth(mine, host, mine.highest))
		})
		d, err := Compare(bg, mine, subject, exchange)
		if err != nil {
			require.ErrorIs(t, err, ErrMoving)
			return
		}
		require.True(t, slices.ContainsFunc(states, func(s []Found) bool { return sameSeqs(s, d.Found) }))
	})
}

func sameSeqs(a, b []Found) bool {
	return slices.EqualFunc(a, b, func(x, y Found) bool { return x.Seq == y.Seq && x.Here == y.Here && x.There == y.There })
}

// A half is what was set last, in whatever order, and its root is that of
// any other half with the same leaves, cut off at any sequence.
func TestRootFollowsFromTheLeaves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, model := &Half{}, map[uint64]Leaf{}
		seq := rapid.OneOf(rapid.Uint64Range(1, 300), rapid.Uint64Range(1, MaxSequence))
		for range rapid.IntRange(0, 60).Draw(t, "sets") {
			s, l := seq.Draw(t, "seq"), Leaf{}
			if rapid.Bool().Draw(t, "stands") {
				l = leaf(s, byte(rapid.IntRange(1, 3).Draw(t, "version")))
			}
			require.NoError(t, h.Set(s, l))
			model[s] = l
			if rapid.Bool().Draw(t, "read between") {
				h.Root(h.highest)
			}
		}
		upTo := seq.Draw(t, "up to")
		other := &Half{}
		for s, l := range model {
			require.Equal(t, l, h.Leaf(s))
			require.True(t, h.Seen(s))
			if s <= upTo && l != (Leaf{}) {
				require.NoError(t, other.Set(s, l))
			}
		}
		require.Equal(t, len(model), h.Len())
		require.Equal(t, other.Root(MaxSequence), h.Root(upTo))
		require.Equal(t, h.Root(MaxSequence), h.clone().Root(h.highest))
	})
}

// Ranges are what was seen and what was not, and come back from the wire.
func TestRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := &Half{}
		for _, s := range rapid.SliceOfN(rapid.Uint64Range(1, 200), 0, 150).Draw(t, "seen") {
			require.NoError(t, h.Set(s, Leaf{}))
		}
		from, to := rapid.Uint64Range(1, 100).Draw(t, "from"), rapid.Uint64Range(100, 250).Draw(t, "to")
		seen := rapid.Bool().Draw(t, "which")
		room := rapid.IntRange(0, 400).Draw(t, "room")
		got, cut := h.ranges(from, to, seen, room)
		in := map[uint64]bool{}
		size := 0
		last := from - 1
		for _, r := range got {
			size += rangeSize(last, r)
			last = r.To
			for s := r.From; s <= r.To; s++ {
				in[s] = true
			}
		}
		require.LessOrEqual(t, size, room)
		for s := from; s <= to; s++ {
			if !cut || s <= last {
				require.Equal(t, h.Seen(s) == seen, in[s], "sequence %d", s)
			}
		}
		require.False(t, cut && room == 400)
		a := &beyondAnswer{highest: to, seen: got, upTo: from - 1}
		back := &beyondAnswer{upTo: from - 1}
		require.NoError(t, readAnswer(writeAnswer(a), back))
		require.Equal(t, a, back)
	})
}
