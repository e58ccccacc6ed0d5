package journal_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/journal"
	"github.com/tallystick/tallystick/internal/lock"
	"github.com/tallystick/tallystick/internal/seal"
)

func TestRoundTrip(t *testing.T) {
	for name, keys := range map[string]seal.Keys{"sealed": newRing(), "digests only": nil} {
		path, o := tempPath(t), options()
		o.Keys = keys
		f := open(t, path, o)
		id := f.ID()
		for range 30 {
			put(t, f)
		}
		requireContent(t, f, 30)
		require.NoError(t, f.VerifyLog(t.Context()), name)
		require.NoError(t, f.Close())
		require.NoError(t, f.Close(), "a second Close")
		require.ErrorIs(t, f.View(func(*journal.Tx) error { return nil }), journal.ErrClosed)
		require.ErrorIs(t, f.Update(t.Context(), func(*journal.Tx) error { return nil }), journal.ErrClosed)
		require.ErrorIs(t, f.Ready(t.Context()), journal.ErrClosed)

		f = open(t, path, o)
		require.Equal(t, id, f.ID())
		requireContent(t, f, 30)
		put(t, f)
		requireContent(t, f, 31)
	}
}

func TestSealedFileHidesRecords(t *testing.T) {
	path := tempPath(t)
	f := open(t, path, options())
	put(t, f)
	require.NoError(t, f.Close())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.False(t, bytes.Contains(raw, []byte("of some length")))
}

func TestOneOpener(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "j")
	f := open(t, path, options())
	_, err := journal.Open(path, options())
	var held *lock.HeldError
	require.ErrorAs(t, err, &held)
	require.Equal(t, os.Getpid(), held.PID)
	if os.Symlink(path, filepath.Join(dir, "other")) == nil {
		_, err = journal.Open(filepath.Join(dir, "other"), options())
		require.ErrorAs(t, err, &held, "a symlink to the file is the file")
	}
	require.NoError(t, f.Close())
	open(t, path, options())
}

func TestFilesArePrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	path := tempPath(t)
	open(t, path, options())
	found, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, found, 2, "the journal and its lock")
	for _, e := range found {
		info, err := e.Info()
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode(), e.Name())
	}
}

// The file is refused, and no byte of it or beside it changes.
func TestRefusedFilesAreNotTouched(t *testing.T) {
	good := tempPath(t)
	f := open(t, good, options())
	put(t, f)
	require.NoError(t, f.Close())
	raw, err := os.ReadFile(good)
	require.NoError(t, err)

	foreign := tempPath(t)
	db, err := bolt.Open(foreign, 0o600, &bolt.Options{PageSize: 4096})
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket([]byte("theirs"))
		return err
	}))
	require.NoError(t, db.Close())
	foreignRaw, err := os.ReadFile(foreign)
	require.NoError(t, err)

	both := bytes.Clone(raw)
	both[16+8] ^= 3
	both[4096+16+8] ^= 3
	for _, c := range []struct {
		name string
		raw  []byte
		opts func(*journal.Options)
		want error
	}{
		{"empty", nil, nil, journal.ErrFormat},
		{"text", []byte("not a journal"), nil, journal.ErrFormat},
		{"zeros", make([]byte, 1<<16), nil, journal.ErrFormat},
		{"another program's bbolt file", foreignRaw, nil, journal.ErrFormat},
		{"a newer format", newerFormat(t), nil, journal.ErrFormat},
		{"a keyspace that is not there", raw, func(o *journal.Options) { o.Buckets = append(o.Buckets, 'x') }, journal.ErrFormat},
		{"cut short", raw[:5000], nil, journal.ErrDamaged},
		{"cut within its pages", raw[:4*4096+100], nil, journal.ErrDamaged},
		{"both meta pages damaged", both, nil, journal.ErrDamaged},
		{"no keys", raw, func(o *journal.Options) { o.Keys = nil }, seal.ErrKey},
		{"other keys", raw, func(o *journal.Options) { o.Keys = &ring{"k2", map[string][]byte{"k2": make([]byte, 32)}} }, seal.ErrKey},
	} {
		path := tempPath(t)
		require.NoError(t, os.WriteFile(path, c.raw, 0o600))
		o := options()
		if c.opts != nil {
			c.opts(&o)
		}
		f, err := journal.Open(path, o)
		if err == nil {
			err = f.Ready(t.Context())
			require.NoError(t, f.Close())
		}
		require.ErrorIs(t, err, c.want, c.name)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(c.raw, after), "%s: the file was touched", c.name)
		found, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		require.LessOrEqual(t, len(found), 2, c.name)
	}
}

// newerFormat is a journal whose header names format 2.
func newerFormat(t *testing.T) []byte {
	path := tempPath(t)
	require.NoError(t, open(t, path, options()).Close())
	db, err := bolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		sealed, err := seal.New(nil, [16]byte{}).Seal(nil, []byte{journal.Format + 1, 1, 2, 3}, []byte("header"))
		if err != nil {
			return err
		}
		return tx.Bucket([]byte("h")).Put([]byte("header"), sealed)
	}))
	require.NoError(t, db.Close())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return raw
}

func TestRotatedKeys(t *testing.T) {
	path, o := tempPath(t), options()
	keys := newRing()
	o.Keys = keys
	f := open(t, path, o)
	put(t, f)
	keys.keys["k2"] = bytes.Repeat([]byte{2}, 32)
	keys.current = "k2"
	put(t, f)
	require.NoError(t, f.Close())
	f = open(t, path, o)
	requireContent(t, f, 2)
	require.NoError(t, f.VerifyLog(t.Context()))
}

func TestRecordsOutOfBounds(t *testing.T) {
	f := open(t, tempPath(t), options())
	require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error {
		require.Error(t, tx.Put(data, []byte("k"), make([]byte, journal.MaxValue+1)))
		_, err := tx.Log(nil)
		require.Error(t, err)
		return nil
	}))
	require.NoError(t, f.View(func(tx *journal.Tx) error {
		v, err := tx.Get(data, []byte("none"))
		require.NoError(t, err)
		require.Nil(t, v)
		_, err = tx.Event(1)
		require.ErrorIs(t, err, journal.ErrDamaged, "the log is dense: a missing event is damage")
		return nil
	}))
}

func TestReadyEndsWithItsContext(t *testing.T) {
	f := open(t, tempPath(t), options())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, f.Update(ctx, func(*journal.Tx) error { return nil }), context.Canceled)
}

func TestPanicInAFunctionIsAnErrorOfItsOwn(t *testing.T) {
	f := open(t, tempPath(t), options())
	put(t, f)
	err := f.Update(t.Context(), func(tx *journal.Tx) error {
		if _, err := putIn(tx); err != nil {
			return err
		}
		panic("as bbolt does on a page it cannot read")
	})
	require.ErrorIs(t, err, journal.ErrNotSynced)
	err = f.View(func(*journal.Tx) error { panic(errors.New("so too")) })
	require.ErrorIs(t, err, journal.ErrDamaged)
	requireContent(t, f, 1)
	put(t, f)
	requireContent(t, f, 2)
}

// A tool that has the file open as what it is, a bbolt file, is an opener, too.
func TestOpenAsABboltFile(t *testing.T) {
	path := tempPath(t)
	require.NoError(t, open(t, path, options()).Close())
	db, err := bolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	f, err := journal.Open(path, options())
	if err == nil { // it ended cleanly: the examination goes on behind Open
		err = f.Ready(t.Context())
		require.NoError(t, f.Close())
	}
	require.ErrorIs(t, err, lock.ErrHeld)
	require.NoError(t, db.Close())
	require.NoError(t, open(t, path, options()).Ready(t.Context()))
}
