package journal_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/journal"
)

// A group that takes more than the file had ahead of it is no full disk.
func TestAdmitGrowsTheFileWithinAGroup(t *testing.T) {
	f := open(t, tempPath(t), options())
	require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error {
		for n := range uint64(512) {
			if err := tx.Admit(); err != nil {
				return err
			}
			if err := tx.Put(data, key(n), make([]byte, 16<<10)); err != nil {
				return err
			}
		}
		return nil
	}))
}
