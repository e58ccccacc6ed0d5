package journal_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/journal"
)

// Records that are right by themselves and wrong together: each row changes a
// closed journal through bbolt, so that every page and every digest holds.
func TestWrongTogether(t *testing.T) {
	path := tempPath(t)
	f := open(t, path, options())
	put(t, f)
	put(t, f)
	var early []byte // the sealed record of key 2 as the second put left it
	older := crashCopy(t, path)
	require.NoError(t, open(t, older, options()).Close()) // its records go to their places
	for range 19 {
		put(t, f)
	}
	require.NoError(t, f.Close())
	change := func(path string, fn func(tx *bolt.Tx) error) {
		db, err := bolt.Open(path, 0o600, nil)
		require.NoError(t, err)
		require.NoError(t, db.Update(fn))
		require.NoError(t, db.Close())
	}
	change(older, func(tx *bolt.Tx) error {
		early = bytes.Clone(tx.Bucket([]byte("d")).Get(key(2)))
		return nil
	})
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	for _, c := range []struct {
		name, says string
		change     func(tx *bolt.Tx) error
	}{
		{"an event is missing", "missing", func(tx *bolt.Tx) error { return tx.Bucket([]byte("e")).Delete(key(7)) }},
		{"the last event is missing", "ends elsewhere", func(tx *bolt.Tx) error { return tx.Bucket([]byte("e")).Delete(key(21)) }},
		{"a record is missing", "missing", func(tx *bolt.Tx) error { return tx.Bucket([]byte("d")).Delete(key(5)) }},
		{"a record is of an older commit", "older", func(tx *bolt.Tx) error { return tx.Bucket([]byte("d")).Put(key(2), early) }},
		{"an event stands in another's place", "damaged", func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("e")).Put(key(7), bytes.Clone(tx.Bucket([]byte("e")).Get(key(8))))
		}},
		{"the end of the log is gone", "ends elsewhere", func(tx *bolt.Tx) error { return tx.Bucket([]byte("h")).Delete([]byte("tail")) }},
		{"the header's copy is another", "header", func(tx *bolt.Tx) error { return tx.Bucket([]byte("e")).Put([]byte{0}, early) }},
	} {
		path := tempPath(t)
		require.NoError(t, os.WriteFile(path, raw, 0o600))
		change(path, c.change)
		f, err := journal.Open(path, options())
		if err == nil {
			err = f.Ready(t.Context())
			require.NoError(t, f.Close())
		}
		require.ErrorIs(t, err, journal.ErrDamaged, c.name)
		require.ErrorContains(t, err, c.says, c.name)
	}
}
