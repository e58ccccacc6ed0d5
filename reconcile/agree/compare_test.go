package agree

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"testing"
	"testing/cryptotest"

	"github.com/stretchr/testify/require"
)

var bg = context.Background()

var subject = Subject{Journal: [16]byte{7, 7, 7}, Epoch: 1}

// digest stands for the digest of an entry; another version is another content.
func digest(seq uint64, version byte) [32]byte {
	return sha256.Sum256(binary.BigEndian.AppendUint64([]byte{version}, seq))
}

func leaf(seq uint64, version byte) Leaf {
	if version == 1 && seq < uint64(len(leaves)) {
		return leaves[seq]
	}
	return LeafOf(digest(seq, version))
}

// leaves are the first ones of version 1, made once.
var leaves = func() (out [20001]Leaf) {
	for s := range out {
		out[s] = LeafOf(digest(uint64(s), 1))
	}
	return out
}()

// dense is a half in which 1 to n stand.
func dense(t require.TestingT, n uint64) *Half {
	h := &Half{}
	var failed error
	for s := uint64(1); s <= n; s++ {
		failed = errors.Join(failed, h.Set(s, leaf(s, 1)))
	}
	require.NoError(t, failed)
	return h
}

// without is a half without what drop chooses, as though it had never been seen.
func without(t require.TestingT, h *Half, drop func(uint64) bool) *Half {
	out := &Half{}
	var failed error
	h.pages(func(first uint64, n *node) bool {
		for i := range uint64(fan) {
			if n.seen&(1<<i) != 0 && !drop(first+i) {
				failed = errors.Join(failed, out.Set(first+i, n.leaves[i]))
			}
		}
		return true
	})
	require.NoError(t, failed)
	return out
}

// serve answers from a host's half.
func serve(host *Half) Exchange {
	return func(ctx context.Context, m []byte) ([]byte, error) {
		return Answer(ctx, m, host, func(uint64) ([]Held, error) { return nil, nil })
	}
}

// treeOnly answers as a host that gives neither gaps nor sketches.
func treeOnly(host *Half) Exchange {
	return func(ctx context.Context, m []byte) ([]byte, error) {
		h, b, err := readMessage(m)
		if err != nil {
			return nil, err
		}
		switch q := b.(type) {
		case *rootQuery:
			q.room = 0
			m = writeMessage(h, q)
		case *sketchQuery:
			return writeAnswer(&sketchAnswer{asked: askSketch}), nil
		}
		return serve(host)(ctx, m)
	}
}

// after calls then once each message is answered.
func after(x Exchange, then func()) Exchange {
	return func(ctx context.Context, m []byte) ([]byte, error) {
		a, err := x(ctx, m)
		then()
		return a, err
	}
}

// truth is what differs within 1 to upTo, found by looking.
func truth(a, b *Half, upTo uint64) (out []Found) {
	for s := uint64(1); s <= upTo; s++ {
		here, there := a.Leaf(s), b.Leaf(s)
		if here != there {
			out = append(out, Found{Seq: s, Here: here != Leaf{}, There: there != Leaf{}, Unseen: !b.Seen(s)})
		}
	}
	return out
}

// pick draws d of 1 to n, at random or as bursts of up to 50.
func pick(r *rand.Rand, n uint64, d int, bursts bool) map[uint64]bool {
	out := map[uint64]bool{}
	for len(out) < d {
		s := r.Uint64N(n) + 1
		out[s] = true
		for i := uint64(1); bursts && i < 50 && len(out) < d && s+i <= n; i++ {
			out[s+i] = true
		}
	}
	return out
}

func sameFound(t require.TestingT, want []Found, d Difference) {
	got := append([]Found(nil), d.Found...)
	for i := range want {
		if d.Step == BySketch || d.Step == ByTree {
			want[i].Unseen = i < len(got) && got[i].Unseen && want[i].Unseen // a cut list of gaps may not have told it
		}
	}
	require.Equal(t, want, got)
}

func TestCompareFindsWhatDiffers(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1) // with other nonces one sketch in ten thousand takes another message or two
	r := rand.New(rand.NewPCG(1, 2))
	sizes := []uint64{0, 1, 15, 16, 17, 1000, 20000}
	if testing.Short() {
		sizes = sizes[:6]
	}
	for _, n := range sizes {
		for _, d := range []int{0, 1, 2, 10, 40, 300, 3000} {
			for _, bursts := range []bool{false, true} {
				if uint64(d) > n || n == 20000 && d != 300 && d != 3000 {
					continue
				}
				mine := dense(t, n)
				gaps := pick(r, n, d, bursts)
				host := without(t, mine, func(s uint64) bool { return gaps[s] })
				got, err := Compare(bg, mine, subject, serve(host))
				require.NoError(t, err)
				sameFound(t, truth(mine, host, n), got)

				host = mine.clone()
				for s := range pick(r, n, d, bursts) {
					require.NoError(t, host.Set(s, leaf(s, 2)))
				}
				got, err = Compare(bg, mine, subject, serve(host))
				require.NoError(t, err)
				sameFound(t, truth(mine, host, n), got)
				require.LessOrEqual(t, got.Messages, 6, "n %d d %d: %+v", n, d, got.Step)
			}
		}
	}
}
