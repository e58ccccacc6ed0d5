package host

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// However a ledger file is damaged or cut off, looking at it ends, and ends in
// an error or in a ledger.
func TestDamagedLedger(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	p := open(t, s.Addr().String())
	for range 30 {
		require.Equal(t, "00", p.codeOf(p.sale(5)))
	}
	stopAndRead(t, s)
	whole, err := os.ReadFile(s.cfg.Ledger)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(3, 4))
	seen := 0
	for i := range 300 {
		hurt := bytes.Clone(whole)
		if i%10 == 0 {
			hurt = hurt[:rng.IntN(len(hurt))]
		} else {
			at := rng.IntN(len(hurt) - 8)
			for j := range 8 {
				hurt[at+j] = byte(rng.Uint32())
			}
		}
		path := filepath.Join(t.TempDir(), "hurt")
		require.NoError(t, os.WriteFile(path, hurt, 0o600))
		if _, err := ReadLedger(path); err != nil {
			seen++
		}
		if s, err := Listen(Config{Ledger: path}); err == nil {
			require.NoError(t, s.Close())
		}
	}
	require.Positive(t, seen)
}
