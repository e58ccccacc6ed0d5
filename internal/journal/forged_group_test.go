package journal_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/boltfile"
	"github.com/tallystick/tallystick/internal/journal"
	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/internal/seal"
)

func unsealed() journal.Options {
	o := options()
	o.Keys = nil
	return o
}

// crashed is an unsealed journal as a crash left it: record 1 stands in its
// keyspace and among what is recent, record 2 stands in its keyspace and is
// gone since, record 3 is recent. It has three events, two of them recent.
func crashed(t *testing.T) (path string, box *seal.Box) {
	path = tempPath(t)
	f := open(t, path, unsealed())
	set := func(puts map[uint64]string, gone uint64) {
		require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error {
			_, err := tx.Log([]byte("event"))
			for k, v := range puts {
				if err == nil {
					err = tx.Put(data, key(k), []byte(v))
				}
			}
			if err == nil && gone != 0 {
				err = tx.Delete(data, key(gone))
			}
			return err
		}))
	}
	set(map[uint64]string{1: "old", 2: "deleted since"}, 0)
	require.NoError(t, f.Close())
	f = open(t, path, unsealed())
	set(map[uint64]string{1: "new"}, 2)
	set(map[uint64]string{3: "new"}, 0)
	id := f.ID()
	path = crashCopy(t, path)
	require.NoError(t, f.Close())
	return path, seal.New(nil, id)
}

// forge changes the file at path through bbolt, so that every page holds.
func forge(t *testing.T, path string, fn func(tx *bolt.Tx) error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true})
	require.NoError(t, err)
	require.NoError(t, db.Update(fn))
	require.NoError(t, db.Close())
}

// Whoever can write to an unsealed journal can give anything its digest: what
// no commit can have written is damage, and gets no further.
func TestForgedGroups(t *testing.T) {
	group := func(changes ...func(*record.Writer)) []byte {
		var w record.Writer
		for _, c := range changes {
			c(&w)
		}
		return w.B
	}
	put := func(b byte, key, value []byte) func(*record.Writer) {
		return func(w *record.Writer) {
			w.Byte(b)
			w.Bytes(key)
			w.Bool(false)
			w.Bytes(value)
		}
	}
	gone := func(b byte, key []byte) func(*record.Writer) {
		return func(w *record.Writer) {
			w.Byte(b)
			w.Bytes(key)
			w.Bool(true)
		}
	}
	for name, plain := range map[string][]byte{
		"a keyspace of the journal's own": group(put('h', []byte("tail"), []byte("x"))),
		"a keyspace that is not there":    group(put('x', key(1), nil)),
		"out of order":                    group(put('d', key(9), nil), put('d', key(8), nil)),
		"one record twice":                group(put('d', key(9), nil), gone('d', key(9))),
		"no key":                          group(put('d', nil, nil)),
		"a key without end":               group(put('d', make([]byte, 1025), nil)),
		"a value without end":             group(put('d', key(9), make([]byte, journal.MaxValue+1))),
		"an event that is gone":           group(gone('e', key(3))),
		"an event of another number":      group(put('e', key(1<<60), make([]byte, 20))),
		"the header's copy":               group(put('e', []byte{0}, nil)),
		"a length behind the end":         append(group(put('d', key(9), nil)), 'd', 0xFF, 0xFF, 0xFF, 0xFF, 0x0F),
		"cut short":                       group(put('d', key(9), nil))[:6],
	} {
		path, box := crashed(t)
		forge(t, path, func(tx *bolt.Tx) error {
			at := key(1 << 40)
			sealed, err := box.Seal(nil, plain, append([]byte{'g'}, at...))
			require.NoError(t, err)
			return tx.Bucket([]byte("g")).Put(at, sealed)
		})
		_, err := journal.Open(path, unsealed())
		require.ErrorIs(t, err, journal.ErrDamaged, name)
		r, err := journal.Salvage(t.Context(), path, unsealed(), nil)
		require.NoError(t, err, name)
		require.EqualValues(t, 3, r.Events, name)
		require.True(t, r.Stale, name)
		requireNewest(t, path)
	}
}

// requireNewest requires of a salvaged journal what crashed left.
func requireNewest(t *testing.T, path string) {
	t.Helper()
	have := map[uint64]string{}
	require.NoError(t, open(t, path, unsealed()).View(func(tx *journal.Tx) error {
		return tx.Scan(data, nil, nil, func(k, v []byte) (bool, error) {
			have[binary.BigEndian.Uint64(k)] = string(v)
			return true, nil
		})
	}))
	require.Equal(t, map[uint64]string{1: "new", 3: "new"}, have)
}

// What is recent counts in a salvage, above all what is gone.
func TestSalvageKeepsTheNewest(t *testing.T) {
	path, _ := crashed(t)
	forge(t, path, func(tx *bolt.Tx) error { return tx.Bucket([]byte("h")).Put([]byte("tail"), []byte("no tail")) })
	r, err := journal.Salvage(t.Context(), path, unsealed(), nil)
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Events)
	require.True(t, r.EndUnknown)
	requireNewest(t, path)
}

// A group that is not readable is told, whatever else is.
func TestSalvageWithoutAGroup(t *testing.T) {
	for _, all := range []bool{false, true} {
		path, _ := crashed(t)
		raw, err := os.ReadFile(path)
		require.NoError(t, err)
		forge(t, path, func(tx *bolt.Tx) error {
			c := tx.Bucket([]byte("g")).Cursor()
			for k, v := c.First(); k != nil; k, v = c.Next() {
				require.True(t, bytes.Contains(raw, v))
				if err := tx.Bucket([]byte("g")).Put(k, append(bytes.Clone(v), 1)); err != nil || !all {
					return err
				}
			}
			return nil
		})
		r, err := journal.Salvage(t.Context(), path, unsealed(), nil)
		require.NoError(t, err)
		require.True(t, r.Stale)
		require.EqualValues(t, 3, r.Events)
	}
}

// Numbers that the file has no room for are no events: a salvage would write
// each one that is missing before them.
func TestForgedEventNumbers(t *testing.T) {
	path, box := crashed(t)
	forge(t, path, func(tx *bolt.Tx) error {
		at := key(1 << 60)
		sealed, err := box.Seal(nil, make([]byte, 40), append([]byte{'e'}, at...))
		require.NoError(t, err)
		var w record.Writer
		w.Uint(1 << 61)
		w.Bytes(make([]byte, 16))
		w.Uint(0)
		w.Uint(0)
		end, err := box.Seal(nil, w.B, []byte("htail"))
		require.NoError(t, err)
		require.NoError(t, tx.Bucket([]byte("h")).Put([]byte("tail"), end))
		return tx.Bucket([]byte("e")).Put(at, sealed)
	})
	r, err := journal.Salvage(t.Context(), path, unsealed(), nil)
	require.NoError(t, err)
	require.EqualValues(t, 3, r.Events)
	require.True(t, r.EndUnknown)
	requireNewest(t, path)
}

// What one commit changes may be more than a record may hold, in a journal with
// little room, too.
func TestALargeCommitWhereRoomIsScarce(t *testing.T) {
	path, o := tempPath(t), options()
	o.MaxSize, o.Reserve = 16<<20, 64<<10
	f := open(t, path, o)
	require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error {
		for n := range uint64(9) {
			if err := tx.Put(data, key(n), make([]byte, journal.MaxValue)); err != nil {
				return err
			}
		}
		return nil
	}))
	crashed := open(t, crashCopy(t, path), o)
	require.NoError(t, crashed.VerifyLog(t.Context()))
	require.NoError(t, f.Close())
}

// A page of groups that the tree does not lead to any more is looked through
// for their events.
func TestEventsOfGroupsBesideTheTree(t *testing.T) {
	path := tempPath(t)
	f := open(t, path, damageOptions())
	for range 60 {
		put(t, f)
	}
	path = crashCopy(t, path)
	require.NoError(t, f.Close())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	file, err := boltfile.Open(bytesAt(raw), int64(len(raw)))
	require.NoError(t, err)
	clear(raw[file.Meta().Root*boltfile.PageSize:][:8]) // no page of that number leads on
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	r, err := journal.Salvage(t.Context(), path, damageOptions(), nil)
	require.NoError(t, err)
	require.Empty(t, r.Lost)
	require.EqualValues(t, 60, r.Events)
	require.True(t, r.Stale)
}
