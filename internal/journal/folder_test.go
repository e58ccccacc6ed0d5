package journal_test

import (
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/journal"
)

// folder fails to sync as long as it is told to.
type folder struct {
	fails bool
	syncs int
}

func (d *folder) sync() error {
	if d.fails {
		return syscall.EIO
	}
	d.syncs++
	return nil
}

func tryPut(t *testing.T, f *journal.File) error {
	return f.Update(t.Context(), func(tx *journal.Tx) error {
		_, err := putIn(tx)
		return err
	})
}

// A journal whose name is not known to be on the disk takes nothing: not after
// its making, nor after a crash of what gave it its name.
func TestNothingIsAcceptedUnderANameThatIsNotSynced(t *testing.T) {
	d := &folder{fails: true}
	path, o := tempPath(t), options()
	o.OnFolder = d.sync
	_, err := journal.Open(path, o)
	require.ErrorIs(t, err, syscall.EIO)
	require.FileExists(t, path)
	f, err := journal.Open(path, o)
	if err == nil {
		err = tryPut(t, f)
		require.NoError(t, f.Close())
	}
	require.ErrorIs(t, err, syscall.EIO)
	d.fails = false
	f = open(t, path, o)
	require.Positive(t, d.syncs)
	put(t, f)
	require.NoError(t, f.Close())
}

// A compacted journal whose name is not synced may be the old one again after a
// power cut: until it is, nothing is accepted, and what was is there.
func TestCompactUnderANameThatIsNotSynced(t *testing.T) {
	d := &folder{}
	path, o := tempPath(t), options()
	o.OnFolder = d.sync
	o.OnStep = func(step string) error {
		d.fails = d.fails || step == "closed"
		return nil
	}
	f := open(t, path, o)
	for range 5 {
		put(t, f)
	}
	require.ErrorIs(t, f.Compact(t.Context(), nil), syscall.EIO)
	require.ErrorIs(t, f.View(func(*journal.Tx) error { return nil }), journal.ErrNotSynced)
	for range 2 {
		require.ErrorIs(t, tryPut(t, f), journal.ErrNotSynced)
	}
	d.fails = false
	put(t, f)
	requireContent(t, f, 6)
	require.NoFileExists(t, path+".compact")
	require.NoError(t, f.Close())
	requireContent(t, open(t, path, o), 6)
}
