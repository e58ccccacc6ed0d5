package journal_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/boltfile"
	"github.com/tallystick/tallystick/internal/faultkit"
	"github.com/tallystick/tallystick/internal/journal"
)

// fillUp brings new records until the journal has no room for more of them.
func fillUp(t *testing.T, f *journal.File) (n int, err error) {
	for n = 0; n < 1000; n++ {
		err = f.Update(t.Context(), func(tx *journal.Tx) error {
			if err := tx.Admit(); err != nil {
				return err
			}
			if _, err := tx.Log(make([]byte, 4000)); err != nil {
				return err
			}
			return tx.Put(data, key(uint64(n)), make([]byte, 4000))
		})
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// answer writes what an answer to entry n would, without asking for room.
func answer(t *testing.T, f *journal.File, n int) error {
	return f.Update(t.Context(), func(tx *journal.Tx) error {
		if _, err := tx.Log(make([]byte, 200)); err != nil {
			return err
		}
		return tx.Put(data, key(uint64(n)), make([]byte, 4000))
	})
}

func requireRoomForAnswers(t *testing.T, f *journal.File, sales int) {
	t.Helper()
	for i := range sales {
		require.NoError(t, answer(t, f, i), "answer %d of %d", i, sales)
	}
	require.NoError(t, f.VerifyLog(t.Context()))
}

func TestRoomIsKeptAtMaxSize(t *testing.T) {
	path, o := tempPath(t), options()
	o.MaxSize, o.Reserve = 4<<20, 512<<10
	f := open(t, path, o)
	sales, err := fillUp(t, f)
	var full *journal.FullError
	require.ErrorAs(t, err, &full)
	require.ErrorIs(t, err, journal.ErrFull)
	require.NotErrorIs(t, err, journal.ErrNotSynced)
	require.Equal(t, int64(512<<10), full.Reserve)
	require.Greater(t, sales, 50)
	requireRoomForAnswers(t, f, sales)

	// Settling frees room: new sales are taken again.
	require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error {
		for i := range sales {
			if err := tx.Delete(data, key(uint64(i))); err != nil {
				return err
			}
		}
		return nil
	}))
	for range 2 { // what a commit frees is free two commits later
		require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error { return tx.Put(data, []byte("k"), nil) }))
	}
	again, err := fillUp(t, f)
	require.ErrorIs(t, err, journal.ErrFull)
	require.Positive(t, again)

	// With even that used up the error is still a plain one, and all is kept.
	for err = nil; err == nil; {
		err = f.Update(t.Context(), func(tx *journal.Tx) error {
			_, err := tx.Log(make([]byte, 16<<10))
			return err
		})
	}
	require.ErrorIs(t, err, journal.ErrFull)
	require.NotErrorIs(t, err, journal.ErrNotSynced)
	require.NoError(t, f.VerifyLog(t.Context()))
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.LessOrEqual(t, info.Size(), o.MaxSize)

	require.NoError(t, f.VerifyLog(t.Context()))
	require.NoError(t, f.Close())
	f = open(t, path, o)
	require.NoError(t, f.VerifyLog(t.Context()))
}

func TestRoomIsKeptOnAFullDisk(t *testing.T) {
	o := options()
	k := &faultkit.Kit{}
	o.Reserve, o.OnOpen = 512<<10, k.Hold
	var disk int64 = 6 << 20
	o.OnWrite = func(b []byte, off int64) error {
		if off+int64(len(b)) > disk {
			return syscall.ENOSPC
		}
		return k.Raw(b, off)
	}
	f := open(t, tempPath(t), o)
	sales, err := fillUp(t, f)
	require.ErrorIs(t, err, journal.ErrFull)
	require.ErrorIs(t, err, syscall.ENOSPC, "the error says what is full")
	requireRoomForAnswers(t, f, sales)
	disk = 64 << 20
	more, err := fillUp(t, f)
	require.Greater(t, more, 100, "with room on the disk again: %v", err)
}

// The same on a real file system of 8 MiB.
func TestRoomIsKeptOnARealFullDisk(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a tmpfs here: %v %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", dir).Run() })
	path, o := filepath.Join(dir, "j"), options()
	o.Reserve = 512 << 10
	f := open(t, path, o)
	sales, err := fillUp(t, f)
	require.ErrorIs(t, err, journal.ErrFull)
	require.ErrorIs(t, err, syscall.ENOSPC)
	var got bytes.Buffer
	require.ErrorIs(t, f.Backup(t.Context(), &got, func() []byte { return nil }), syscall.ENOSPC)
	require.Zero(t, got.Len(), "a backup begins once all of it is beside the journal")
	require.ErrorIs(t, f.Compact(t.Context(), nil), syscall.ENOSPC)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 2, "the journal and its lock: %v", left)
	requireRoomForAnswers(t, f, sales)
	require.NoError(t, f.Close())
	f = open(t, path, o)
	require.NoError(t, f.VerifyLog(t.Context()))
	require.NoError(t, answer(t, f, 0))
}

// A clean end has the list of free pages, so that the next open searches for
// none; any commit after it takes it away, so that a crash is seen as one.
func TestCleanEnd(t *testing.T) {
	clean := func(path string) bool {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		file, err := boltfile.Open(bytesAt(b), int64(len(b)))
		require.NoError(t, err)
		return file.Meta().HasFreelist()
	}
	path := tempPath(t)
	f := open(t, path, options())
	require.True(t, clean(crashCopy(t, path)), "a fresh one")
	put(t, f)
	require.False(t, clean(crashCopy(t, path)))
	require.NoError(t, f.Close())
	require.True(t, clean(path))

	var opened *bolt.DB
	o := options()
	o.OnOpen = func(db *bolt.DB) { opened = db }
	f = open(t, path, o)
	require.NotNil(t, opened)
	require.True(t, clean(crashCopy(t, path)), "opening writes nothing")
	require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error { return tx.Put(data, []byte("k"), nil) }))
	require.False(t, clean(crashCopy(t, path)), "a commit without an event")
	crashed := open(t, crashCopy(t, path), options())
	require.NoError(t, crashed.VerifyLog(t.Context()))
	require.NoError(t, f.Close())
	require.True(t, clean(path))
}
