package seal_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/seal"
)

// Whatever an Opener has opened before, it says of a record what its box says:
// right ones, of one key and of another, with a bit flipped, in another place,
// cut short, of another form, of a key that is gone.
func TestOpenerSaysWhatItsBoxSays(t *testing.T) {
	r := newRing("k1", "k2", "gone")
	var records [][]byte
	for _, name := range []string{"k1", "k2", "gone"} {
		r.current = name
		b := seal.New(r, journal)
		for _, p := range [][]byte{plain, nil, bytes.Repeat([]byte{9}, 5000)} {
			s, err := b.Seal(nil, p, context)
			require.NoError(t, err)
			records = append(records, s)
		}
	}
	delete(r.keys, "gone")
	for _, p := range [][]byte{plain, nil} {
		s, err := seal.New(nil, journal).Seal(nil, p, context)
		require.NoError(t, err)
		records = append(records, s)
	}
	for _, s := range records[:len(records):len(records)] {
		for bit := 0; bit < 8*min(len(s), 60); bit += 3 {
			bad := bytes.Clone(s)
			bad[bit/8] ^= 1 << (bit % 8)
			records = append(records, bad, s)
		}
		for n := range min(len(s), 60) {
			records = append(records, s[:n])
		}
	}
	for _, b := range []*seal.Box{seal.New(r, journal), seal.New(nil, journal)} {
		o, opened := b.Opener(), 0
		for _, s := range records {
			for _, at := range [][]byte{context, []byte("elsewhere"), context} {
				want, wrong := b.Open(s, at)
				got, err := o.Open(s, at)
				require.Equal(t, wrong, err)
				if err == nil {
					require.True(t, bytes.Equal(want, got))
					opened++
				}
			}
		}
		require.Greater(t, opened, len(records)/20)
	}
}

func TestOpenerUsesItsMemoryAgain(t *testing.T) {
	for name, b := range boxes() {
		s, err := b.Seal(nil, plain, context)
		require.NoError(t, err)
		o := b.Opener()
		require.Zero(t, testing.AllocsPerRun(50, func() {
			if _, err := o.Open(s, context); err != nil {
				panic(err)
			}
		}), name)
	}
}
