package statement

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever the number of runs, few files are open, and every record comes back
// in order.
func TestSorter(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	s := newSorter(t.TempDir(), 1000)
	const n = 3000
	seen := make([]bool, n)
	for i := range n {
		rec := make([]byte, sortKey+rng.IntN(50))
		rec[0] = byte(rng.IntN(4)) // equal beginnings, too
		rec[20] = byte(rng.IntN(256))
		binary.BigEndian.PutUint32(rec[sortKey-4:], uint32(i))
		require.NoError(t, s.add(rec))
		require.Less(t, len(s.runs), maxRuns)
	}
	require.NotEmpty(t, s.runs)
	require.NoError(t, s.sorted())
	var last []byte
	for {
		rec, err := s.next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		require.Negative(t, bytes.Compare(last, rec[:sortKey]))
		last = bytes.Clone(rec[:sortKey])
		i := binary.BigEndian.Uint32(rec[sortKey-4:])
		require.False(t, seen[i])
		seen[i] = true
	}
	require.NotContains(t, seen, false)
	require.NoError(t, s.close())
}

// What stands in a temporary file cannot be found by trying names.
func TestKeysAreSalted(t *testing.T) {
	a, err := newComparer(nil, nil)
	require.NoError(t, err)
	b, err := newComparer(nil, nil)
	require.NoError(t, err)
	name := []byte("000000000001")
	require.Equal(t, a.namer.key(byRRN, name), a.namer.key(byRRN, name))
	require.NotEqual(t, a.namer.key(byRRN, name), b.namer.key(byRRN, name))
	require.NotEqual(t, a.namer.key(byRRN, name), a.namer.key(byRef, name))
}
