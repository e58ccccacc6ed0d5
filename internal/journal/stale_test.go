package journal_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/boltfile"
	"github.com/tallystick/tallystick/internal/journal"
)

// fullAtClose is the bytes of a journal that was closed cleanly while it had no
// room to write what was recent to its keyspaces, and the value of its record
// "k", of which a checkpoint has an older one.
func fullAtClose(t *testing.T) (raw []byte, value string) {
	path := tempPath(t)
	f := open(t, path, damageOptions())
	commits := 0
	for n := 64 << 10; n > 64; {
		commits++
		next := fmt.Sprint("of commit ", commits)
		err := f.Update(t.Context(), func(tx *journal.Tx) error {
			if _, err := tx.Log(make([]byte, n)); err != nil {
				return err
			}
			return tx.Put(data, []byte("k"), []byte(next))
		})
		if err == nil {
			value = next
			continue
		}
		require.ErrorIs(t, err, journal.ErrFull)
		n /= 2
	}
	require.NoError(t, f.Close())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return raw, value
}

// loseGroups makes the leaves with the records of groups unreadable, and their
// older copies, and returns how many leaves there were.
func loseGroups(t *testing.T, raw []byte) int {
	file, err := boltfile.Open(bytesAt(raw), int64(len(raw)))
	require.NoError(t, err)
	require.True(t, file.Meta().HasFreelist())
	leaves, seals := map[int]bool{}, [][]byte{}
	require.NoError(t, file.Walk(t.Context(), func(b, _, v []byte) error {
		if string(b) == "g" {
			at := bytes.Index(raw, v) / boltfile.PageSize
			for binary.LittleEndian.Uint64(raw[at*boltfile.PageSize:]) != uint64(at) {
				at-- // the record lies on what its page goes on for
			}
			leaves[at] = true
			seals = append(seals, bytes.Clone(v[:40]))
		}
		return nil
	}))
	for at := range leaves {
		clear(raw[at*boltfile.PageSize:][:boltfile.PageSize])
	}
	for _, s := range seals {
		for at := bytes.Index(raw, s); at >= 0; at = bytes.Index(raw, s) {
			clear(raw[at:][:len(s)])
		}
	}
	return len(leaves)
}

// The newest commits may be unreadable after a clean end, too: a record is then
// not told to be the newest.
func TestStaleAfterACleanEnd(t *testing.T) {
	var raw []byte
	var value string
	leaves := 0
	for range 20 { // which pages bbolt takes is not the same each time
		raw, value = fullAtClose(t)
		if leaves = loseGroups(t, raw); leaves > 0 {
			break
		}
	}
	require.Positive(t, leaves, "it is recent still")
	path := tempPath(t)
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	r, err := journal.Salvage(t.Context(), path, damageOptions(), nil)
	require.NoError(t, err)
	require.NotEmpty(t, r.Lost)
	require.NoError(t, open(t, path, damageOptions()).View(func(tx *journal.Tx) error {
		v, err := tx.Get(data, []byte("k"))
		require.NotEqual(t, value, string(v))
		return err
	}))
	require.True(t, r.Stale, "%+v", r)
}
