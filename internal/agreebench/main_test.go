package main

import (
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A quick run measures every kind of row, and finds what differs in each.
func TestQuick(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, start([]string{"-quick", "-seeds", "1", "-out", dir}, io.Discard))
	b, err := os.ReadFile(filepath.Join(dir, "RESULTS.md"))
	require.NoError(t, err)
	for _, want := range []string{"| 1,000 | 0 | equal | 41 |", "| gaps random |", "| mismatches bursts |", "reached: 64 B, 1 trip"} {
		require.Contains(t, string(b), want)
	}
	require.NotContains(t, string(b), "missed")
}

func TestFlags(t *testing.T) {
	require.Error(t, start(nil, io.Discard))
	require.Error(t, start([]string{"-out", ".", "-seeds", "0"}, io.Discard))
}

// The rateless IBLT that is compared with needs 1.35 to 1.75 symbols for each of
// many items, as its authors found.
func TestRatelessIBLT(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, items := range []int{128, 1000} {
		per := float64(ibltBytes(r, items)) / symbolBytes / float64(items)
		require.InDelta(t, 1.55, per, 0.35, "%d items", items)
	}
}
