package queue

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// A journal that is deleted, or that another file is renamed over, while it is
// open takes nothing more: nil would promise a payment that is on no disk
// anyone will look at (I1, I8).
func TestFileIsGone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("an open file cannot be deleted here")
	}
	for name, harm := range map[string]func(t *testing.T, path string){
		"deleted": func(t *testing.T, path string) { require.NoError(t, os.Remove(path)) },
		"replaced": func(t *testing.T, path string) {
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path+".copy", b, 0o600))
			require.NoError(t, os.Rename(path+".copy", path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "journal")
			q := openAt(t, path, fast)
			_, err := q.Append(bg, cashSale("before"))
			require.NoError(t, err)
			harm(t, path)
			for range 2 {
				_, err = q.Append(bg, cashSale("after"))
				require.ErrorIs(t, err, ErrNotSynced)
				require.ErrorContains(t, err, "deleted or replaced")
			}
			require.Error(t, q.Close())
		})
	}
}
