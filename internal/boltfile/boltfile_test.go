package boltfile_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/boltfile"
)

// sample is a bbolt file with small buckets, a deep one and one whose records
// go over pages, after deletions, with or without a list of free pages.
func sample(t testing.TB, freelist bool) ([]byte, map[string]string) {
	path := filepath.Join(t.TempDir(), "b")
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: boltfile.PageSize, NoFreelistSync: !freelist, FreelistType: bolt.FreelistMapType})
	require.NoError(t, err)
	want := map[string]string{}
	for round := range 4 {
		require.NoError(t, db.Update(func(tx *bolt.Tx) error {
			for _, b := range []struct {
				name    string
				n, size int
			}{{"small", 3, 10}, {"deep", 2000, 40}, {"large", 5, 9000}, {"empty", 0, 0}} {
				bk, err := tx.CreateBucketIfNotExists([]byte(b.name))
				if err != nil {
					return err
				}
				for i := range b.n {
					k := fmt.Sprintf("%06d", i*7919%10007)
					if (i+round)%5 == 0 {
						delete(want, b.name+"/"+k)
						if err := bk.Delete([]byte(k)); err != nil {
							return err
						}
						continue
					}
					v := bytes.Repeat([]byte{byte(i), byte(round)}, b.size/2)
					want[b.name+"/"+k] = string(v)
					if err := bk.Put([]byte(k), v); err != nil {
						return err
					}
				}
			}
			return nil
		}))
	}
	require.NoError(t, db.Close())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return raw, want
}

func walk(f *boltfile.File) (map[string]string, error) {
	got := map[string]string{}
	err := f.Walk(context.Background(), func(b, k, v []byte) error {
		got[string(b)+"/"+string(k)] = string(v)
		return nil
	})
	return got, err
}

func openBytes(raw []byte) (*boltfile.File, error) {
	return boltfile.Open(bytes.NewReader(raw), int64(len(raw)))
}

func TestReadsWhatBboltWrites(t *testing.T) {
	for _, freelist := range []bool{true, false} {
		raw, want := sample(t, freelist)
		f, err := openBytes(raw)
		require.NoError(t, err)
		require.Equal(t, freelist, f.Meta().HasFreelist())
		got, err := walk(f)
		require.NoError(t, err)
		require.Equal(t, want, got)
		names, err := f.Buckets()
		require.NoError(t, err)
		require.Len(t, names, 4)
		for k, v := range want {
			b, key, _ := bytes.Cut([]byte(k), []byte("/"))
			one, err := f.Get(b, key)
			require.NoError(t, err)
			require.Equal(t, v, string(one))
		}
		for _, k := range []string{"deep/none", "none/000000", "small/zzz", "empty/1"} {
			b, key, _ := bytes.Cut([]byte(k), []byte("/"))
			one, err := f.Get(b, key)
			require.NoError(t, err)
			require.Nil(t, one)
		}
	}
}

// mappable tells whether bbolt itself opens, reads and writes the file without
// a panic. A file that Walk passes must be.
func mappable(t testing.TB, raw []byte) {
	path := filepath.Join(t.TempDir(), "b")
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true, FreelistType: bolt.FreelistMapType})
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		bk, err := tx.CreateBucketIfNotExists([]byte("deep"))
		if err != nil {
			return err
		}
		return bk.Put([]byte("000001x"), make([]byte, 100))
	}))
	require.NoError(t, db.Close())
}

func flips(short int) int {
	if os.Getenv("TALLYSTICK_LONG") != "" {
		return 20000
	}
	return short
}

// A flipped bit between the records is found or does no harm: what passes can
// be mapped, and has the keys it had. Values are guarded by digests elsewhere.
func TestFlippedBits(t *testing.T) {
	raw, want := sample(t, true)
	f, err := openBytes(raw)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(1, 3))
	passed, refused := 0, 0
	for range flips(800) {
		bit := rng.IntN(8 * 4096 * int(f.Meta().High))
		bad := bytes.Clone(raw)
		bad[bit/8] ^= 1 << (bit % 8)
		b, err := openBytes(bad)
		var got map[string]string
		if err == nil {
			got, err = walk(b)
		}
		if err != nil {
			require.ErrorIs(t, err, boltfile.ErrDamaged)
			refused++
			continue
		}
		passed++
		require.Len(t, got, len(want))
		if passed%20 == 0 {
			mappable(t, bad)
		}
	}
	t.Logf("%d passed, %d refused", passed, refused)
	require.Positive(t, refused)
}

// One damage a row, and what the walk says of it.
func TestDamage(t *testing.T) {
	raw, _ := sample(t, true)
	f, err := openBytes(raw)
	require.NoError(t, err)
	root := int(f.Meta().Root) * 4096
	branch, leaf, list := 0, 0, 0
	var children [2]int
	for id := 2; id < int(f.Meta().High); id++ {
		switch p := raw[id*4096:]; {
		case p[8] == 1 && p[10] > 10:
			branch = id * 4096
			children = [2]int{int(p[24]) | int(p[25])<<8, int(p[40]) | int(p[41])<<8}
		case p[8] == 0x10:
			list = id * 4096
		}
	}
	leaf = children[0] * 4096
	put := func(at int, b ...byte) func([]byte) { return func(r []byte) { copy(r[at:], b) } }
	for _, c := range []struct {
		name, says string
		damage     func([]byte)
	}{
		{"a page of another number", "claims to be page", put(leaf, byte(children[1]))},
		{"a leaf that is none", "neither branch nor leaf", put(leaf+8, 7)},
		{"a branch that leads to itself", "reached twice", put(branch+24, byte(branch/4096), byte(branch/4096>>8))},
		{"a branch that leads to one page twice", "reached twice", put(branch+40, byte(children[0]), byte(children[0]>>8))},
		{"a branch that leads out of the file", "outside of the file", put(branch+24, 0xFF, 0xFF, 0xFF)},
		{"a branch without entries", "branch without entries", put(branch+10, 0, 0)},
		{"keys out of order", "out of order", put(leaf+16*int(raw[leaf+10])+16, 'z')},
		{"more entries than fit", "cannot hold", put(leaf+10, 0xFF, 0xFF)},
		{"a key beyond the page", "out of its bounds", put(leaf+16+8, 0xFF, 0xFF, 0xFF, 0xFF)},
		{"an overflow of 4 GiB pages", "goes on for", put(leaf+12, 0xFF, 0xFF, 0xFF, 0xFF)},
		{"an entry of an unknown kind", "unknown kind", put(leaf+16, 8)},
		{"a record where a bucket belongs", "something else than buckets", put(root+16, 0)},
		{"a bucket where a record belongs", "bucket within a bucket", put(leaf+16, 1)},
		{"a used page that is listed as free", "listed as free", func(r []byte) {
			copy(r[list+10:], []byte{1, 0})
			copy(r[list+16:], []byte{byte(children[0]), byte(children[0] >> 8), 0, 0, 0, 0, 0, 0})
		}},
		{"free pages without end", "cannot list", put(list+10, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)},
		{"a list that is a leaf", "not the list of free pages", put(list+8, 2)},
	} {
		bad := bytes.Clone(raw)
		c.damage(bad)
		b, err := openBytes(bad)
		require.NoError(t, err, c.name)
		_, err = walk(b)
		require.ErrorIs(t, err, boltfile.ErrDamaged, c.name)
		require.ErrorContains(t, err, c.says, c.name)
	}
}

func TestMetaPages(t *testing.T) {
	raw, _ := sample(t, true)
	f, err := openBytes(raw)
	require.NoError(t, err)
	newest := f.Meta()
	older := bytes.Clone(raw)
	older[newest.Slot*4096+40] ^= 3
	f, err = openBytes(older)
	require.NoError(t, err)
	require.Equal(t, newest.Txid-1, f.Meta().Txid, "the older one where the newest is torn")
	_, err = walk(f)
	require.NoError(t, err)

	flipped := bytes.Clone(raw)
	flipped[newest.Slot*4096+40] ^= 1
	f, err = openBytes(flipped)
	require.NoError(t, err)
	m := f.Meta()
	require.Equal(t, newest.Txid, m.Txid, "one wrong bit is put right")
	copy(flipped[m.RepairAt():], m.Repair)
	require.True(t, bytes.Equal(raw, flipped))

	at, err := boltfile.OpenAt(bytes.NewReader(raw), int64(len(raw)), newest.Txid-1)
	require.NoError(t, err)
	require.Equal(t, newest.Txid-1, at.Meta().Txid)
	_, err = boltfile.OpenAt(bytes.NewReader(raw), int64(len(raw)), newest.Txid+1)
	require.ErrorIs(t, err, boltfile.ErrNoMeta)

	clear(older[:8192])
	_, err = openBytes(older)
	require.ErrorIs(t, err, boltfile.ErrNotBolt)
	_, err = openBytes(raw[:4096+30])
	require.ErrorIs(t, err, boltfile.ErrDamaged, "cut short")
	_, err = openBytes(nil)
	require.ErrorIs(t, err, boltfile.ErrNotBolt)
}

// metaPage is a meta page that holds.
func metaPage(root, freelist, high, txid uint64) []byte {
	b := make([]byte, 4096)
	le := binary.LittleEndian
	le.PutUint64(b, txid%2)
	b[8] = 4
	m := b[16:]
	le.PutUint32(m, 0xED0CDAED)
	le.PutUint32(m[4:], 2)
	le.PutUint32(m[8:], 4096)
	le.PutUint64(m[16:], root)
	le.PutUint64(m[32:], freelist)
	le.PutUint64(m[40:], high)
	le.PutUint64(m[48:], txid)
	h := fnv.New64a()
	_, _ = h.Write(m[:56])
	le.PutUint64(m[56:], h.Sum64())
	return b
}

// FuzzOpen reads arbitrary pages behind meta pages that hold, and arbitrary
// bytes as a whole.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "b")
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: boltfile.PageSize})
	require.NoError(f, err)
	require.NoError(f, db.Update(func(tx *bolt.Tx) error {
		for _, name := range []string{"deep", "e"} {
			b, err := tx.CreateBucket([]byte(name))
			if err != nil {
				return err
			}
			for i := range 40 {
				if err := b.Put(fmt.Appendf(nil, "%06d", i), make([]byte, 100)); err != nil {
					return err
				}
			}
		}
		return nil
	}))
	require.NoError(f, db.Close())
	raw, err := os.ReadFile(path)
	require.NoError(f, err)
	file, err := openBytes(raw)
	require.NoError(f, err)
	f.Add(raw[8192:file.Meta().High*4096], file.Meta().Root)
	f.Add([]byte{}, uint64(0))
	f.Fuzz(func(t *testing.T, pages []byte, root uint64) {
		high := uint64(2 + len(pages)/4096)
		whole := append(append(metaPage(root, 2, high, 8), metaPage(root, ^uint64(0), high, 9)...), pages...)
		for _, raw := range [][]byte{pages, whole} {
			file, err := openBytes(raw)
			if err != nil {
				continue
			}
			_, err = walk(file)
			free, inParts := boltfile.WalkParts(t.Context(), file, 2, func() visits { return func() error { return nil } }, func(visits) error { return nil })
			require.Equal(t, err == nil, inParts == nil)
			if err == nil {
				mappable(t, raw)
				requireListed(t, raw, free)
			}
			reached, err := file.WalkRest(t.Context(), func(_, _, _ []byte) error { return nil }, func(error) {})
			require.NoError(t, err)
			require.NoError(t, file.Orphans(t.Context(), reached, func(_, _ []byte) error { return nil }))
			_, err = file.Get([]byte("deep"), []byte("000001"))
			require.True(t, err == nil || errors.Is(err, boltfile.ErrDamaged))
		}
	})
}
