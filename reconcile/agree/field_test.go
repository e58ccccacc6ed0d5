package agree

import (
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestField(t *testing.T) {
	p := big.NewInt(prime)
	element := rapid.OneOf(rapid.Uint64Range(0, prime-1), rapid.SampledFrom([]uint64{0, 1, 2, prime - 2, prime - 1}))
	rapid.Check(t, func(t *rapid.T) {
		a, b := element.Draw(t, "a"), element.Draw(t, "b")
		x, y := new(big.Int).SetUint64(a), new(big.Int).SetUint64(b)
		is := func(got uint64, want *big.Int) {
			require.Equal(t, want.Mod(want, p).Uint64(), got)
		}
		is(add(a, b), new(big.Int).Add(x, y))
		is(sub(a, b), new(big.Int).Sub(x, y))
		is(mul(a, b), new(big.Int).Mul(x, y))
		if a != 0 {
			require.Equal(t, uint64(1), mul(a, inverse(a)))
		}
	})
	require.Zero(t, fold(prime))
	require.Equal(t, uint64(1), fold(prime+1))
	require.Equal(t, uint64(1), fold(1<<62-1), "the highest that it takes")
}

// The walk is the one of the formula, by big integers.
func TestSpread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := spread{rapid.Uint64().Draw(t, "seed")}
		i := rapid.Uint32Range(0, maxCells-1).Draw(t, "i")
		end := rapid.Uint32Range(i, maxCells).Draw(t, "end")
		again := s
		r := new(big.Int).SetUint64(again.random()>>32 + 1)
		want := end
		right := new(big.Int).Lsh(new(big.Int).SetUint64(uint64(i+1)*uint64(i+2)), 32)
		meets := func(j uint32) bool {
			left := new(big.Int).Mul(r, new(big.Int).SetUint64(uint64(j+1)*uint64(j+2)))
			return left.Cmp(right) >= 0
		}
		low, high := i+1, end // the smallest of i+1..end-1 that meets it
		for low < high {
			if mid := (low + high) / 2; meets(mid) {
				high = mid
			} else {
				low = mid + 1
			}
		}
		if low < end {
			want = low
		}
		require.Equal(t, want, s.next(i, end))
	})
}

// Cell i is met with the probability 1/(1+i/2).
func TestSpreadIsAsDense(t *testing.T) {
	const walks, cells = 20000, 64
	var met [cells]int
	for n := range walks {
		s := (&keyed{secret: newSecret(nonce{1}, nonce{2})}).walk(uint64(n))
		for i := uint32(0); i < cells; i = s.next(i, cells) {
			met[i]++
		}
	}
	for i, m := range met {
		want := walks / (1 + float64(i)/2)
		require.InDelta(t, want, m, 6*141, "cell %d", i) // six times the root of walks
	}
}
