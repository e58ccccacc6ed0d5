package journal

import (
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// I1: bbolt shows a commit from when its meta page is written. View shows it
// once it is synced: here the newest commit is one whose sync is under way.
func TestViewShowsSyncedStatesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, err := Open(filepath.Join(t.TempDir(), "j"), Options{})
		require.NoError(t, err)
		require.NoError(t, f.Update(t.Context(), func(tx *Tx) error {
			_, err := tx.Log([]byte("event"))
			return err
		}))
		now := f.synced.Load()
		syncing := &commit{done: make(chan struct{})}
		f.current.Store(syncing)
		f.synced.Store(&state{now.id - 1, now.over, now.tail})
		shown := make(chan struct{}, 1)
		go func() {
			_ = f.View(func(tx *Tx) error {
				shown <- struct{}{}
				return nil
			})
		}()
		synctest.Wait()
		require.Empty(t, shown, "shown before it was synced")
		f.synced.Store(now)
		close(syncing.done)
		<-shown
		require.NoError(t, f.Close())
	})
}

// A commit whose sync failed is not shown; the caller sees what mending makes
// of it.
func TestViewSkipsWhatFailed(t *testing.T) {
	f, err := Open(filepath.Join(t.TempDir(), "j"), Options{})
	require.NoError(t, err)
	require.NoError(t, f.Ready(t.Context()))
	now := f.synced.Load()
	failed := &commit{done: make(chan struct{})}
	close(failed.done)
	f.current.Store(failed)
	f.synced.Store(&state{now.id - 1, now.over, now.tail})
	again, err := f.viewOnce(nil)
	require.NoError(t, err)
	require.True(t, again)
	f.synced.Store(now)
	require.NoError(t, f.Close())
}
