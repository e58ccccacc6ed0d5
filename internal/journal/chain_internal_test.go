package journal

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// An event that opens, in its place, with another history than its own.
func TestChainIsChecked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	f, err := Open(path, Options{})
	require.NoError(t, err)
	require.NoError(t, f.Update(t.Context(), func(tx *Tx) error {
		for range 5 {
			if _, err := tx.Log([]byte("event")); err != nil {
				return err
			}
		}
		return tx.Put(events, eventKey(3), append(make([]byte, chainSize), "other"...))
	}))
	require.ErrorContains(t, f.VerifyLog(t.Context()), "event 3")
	require.NoError(t, f.Close())
	f, err = Open(path, Options{})
	require.NoError(t, err)
	err = f.Ready(t.Context())
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, "the chain does not reach it")
	require.NoError(t, f.Close())
}
