package boltfile_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/boltfile"
)

// freeOf walks a file, which passes.
func freeOf(t testing.TB, raw []byte) boltfile.Free {
	f, err := openBytes(raw)
	require.NoError(t, err)
	free, err := f.WalkFree(t.Context(), func(_, _, _ []byte) error { return nil })
	require.NoError(t, err)
	parts, err := boltfile.WalkParts(t.Context(), f, 3, func() *listed { return &listed{} }, func(*listed) error { return nil })
	require.NoError(t, err)
	one, _ := free.List()
	many, _ := parts.List()
	require.Equal(t, one, many)
	return free
}

// apply writes a list into a copy of raw.
func apply(raw []byte, l boltfile.FreeList) []byte {
	raw = bytes.Clone(raw)
	copy(raw[l.PagesAt:], l.Pages)
	copy(raw[l.MetaAt:], l.Meta)
	return raw
}

// freePages is how many pages bbolt takes for free.
func freePages(t testing.TB, raw []byte) int {
	path := filepath.Join(t.TempDir(), "b")
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	return db.Stats().FreePageN
}

// requireListed requires that a file is sound with its list, if it takes one.
func requireListed(t testing.TB, raw []byte, free boltfile.Free) {
	list, ok := free.List()
	if !ok {
		return
	}
	listed := apply(raw, list)
	f, err := openBytes(listed)
	require.NoError(t, err)
	require.True(t, f.Meta().Listed)
	_, err = walk(f)
	require.NoError(t, err)
	mappable(t, listed)
}

// A file that is given the list of its free pages holds what it held, and bbolt
// finds as many free as where it looks for them itself.
func TestFreeList(t *testing.T) {
	raw, want := sample(t, false)
	f, err := openBytes(raw)
	require.NoError(t, err)
	full := bytes.Clone(raw[:f.Meta().High*boltfile.PageSize])
	list, ok := freeOf(t, raw).List()
	require.True(t, ok)
	require.Equal(t, f.Meta().Txid+1, list.Txid)
	require.Equal(t, (1-f.Meta().Slot)*boltfile.PageSize, list.MetaAt, "the newest meta page stays")

	for name, raw := range map[string][]byte{"room behind the pages": raw, "room among them": full} {
		listed := apply(raw, list)
		f, err = openBytes(listed)
		require.NoError(t, err, name)
		require.True(t, f.Meta().HasFreelist() && f.Meta().Listed, name)
		got, err := walk(f)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
		require.Equal(t, freePages(t, raw), freePages(t, listed)+len(list.Pages)/boltfile.PageSize, name)
		again, ok := freeOf(t, listed).List()
		require.True(t, ok)
		require.Equal(t, boltfile.FreeList{Txid: list.Txid, Meta: list.Meta, MetaAt: list.MetaAt}, again)
		mappable(t, listed)

		torn := bytes.Clone(listed) // the meta page did not come through
		clear(torn[list.MetaAt+40:][:100])
		f, err = openBytes(torn)
		require.NoError(t, err, name)
		got, err = walk(f)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}

	path := filepath.Join(t.TempDir(), "b")
	require.NoError(t, os.WriteFile(path, apply(raw, list), 0o600))
	for _, noList := range []bool{true, false} {
		db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: noList})
		require.NoError(t, err)
		require.NoError(t, db.Update(func(*bolt.Tx) error { return nil }))
		require.NoError(t, db.Close())
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		f, err = openBytes(after)
		require.NoError(t, err)
		require.Equal(t, !noList, f.Meta().HasFreelist())
		require.False(t, f.Meta().Listed, "bbolt wrote this one")
		_, ok = freeOf(t, after).List()
		require.Equal(t, noList, ok)
	}
}

// bare is a file of an empty root bucket, whose meta pages count high pages.
func bare(high uint64) []byte {
	root := make([]byte, boltfile.PageSize)
	root[0], root[8] = 2, 2
	return append(append(metaPage(2, ^uint64(0), high, 8), metaPage(2, ^uint64(0), high, 9)...), root...)
}

// Where no page is free the list goes behind all pages, if the file goes on there.
func TestFreeListBehindAllPages(t *testing.T) {
	raw := bare(3)
	_, ok := freeOf(t, raw).List()
	require.False(t, ok, "no room")
	raw = append(raw, make([]byte, boltfile.PageSize)...)
	list, ok := freeOf(t, raw).List()
	require.True(t, ok)
	require.EqualValues(t, 3*boltfile.PageSize, list.PagesAt)
	listed := apply(raw, list)
	f, err := openBytes(listed)
	require.NoError(t, err)
	require.EqualValues(t, 4, f.Meta().High)
	_, err = walk(f)
	require.NoError(t, err)
	require.Zero(t, freePages(t, listed))
	mappable(t, listed)
}

// A list of more pages than a page can count.
func TestLongFreeList(t *testing.T) {
	const high = 70_000
	path := filepath.Join(t.TempDir(), "b")
	require.NoError(t, os.WriteFile(path, bare(high), 0o600))
	require.NoError(t, os.Truncate(path, high*boltfile.PageSize))
	disk, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer disk.Close()
	f, err := boltfile.Open(disk, high*boltfile.PageSize)
	require.NoError(t, err)
	free, err := f.WalkFree(t.Context(), func(_, _, _ []byte) error { return nil })
	require.NoError(t, err)
	list, ok := free.List()
	require.True(t, ok)
	_, err = disk.WriteAt(list.Pages, list.PagesAt)
	require.NoError(t, err)
	_, err = disk.WriteAt(list.Meta, list.MetaAt)
	require.NoError(t, err)
	f, err = boltfile.Open(disk, high*boltfile.PageSize)
	require.NoError(t, err)
	require.True(t, f.Meta().Listed)
	_, err = walk(f)
	require.NoError(t, err)
	if strconv.IntSize == 32 {
		return // bbolt would map 512 MiB
	}
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true})
	require.NoError(t, err)
	require.Equal(t, high-3-len(list.Pages)/boltfile.PageSize, db.Stats().FreePageN)
	require.NoError(t, db.Close())
}
