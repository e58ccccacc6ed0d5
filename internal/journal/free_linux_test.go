package journal_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/boltfile"
	"github.com/tallystick/tallystick/internal/faultkit"
	"github.com/tallystick/tallystick/internal/journal"
)

// listing are options under which a file of any size is given its list of free
// pages.
func listing(o journal.Options) journal.Options {
	o.ListFrom = 1
	return o
}

// metaAt is the newest meta page of the file at path.
func metaAt(t *testing.T, path string) boltfile.Meta {
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	file, err := boltfile.Open(bytesAt(raw), int64(len(raw)))
	require.NoError(t, err)
	return file.Meta()
}

// A file that a crash left is given the list once, and keeps it until the first
// commit. It is examined before Open returns as often as no Close ended it.
func TestListOfFreePages(t *testing.T) {
	path := tempPath(t)
	require.NoError(t, os.WriteFile(path, filled(t), 0o600))
	before := metaAt(t, path)
	require.False(t, before.HasFreelist())

	small := crashCopy(t, path)
	open(t, small, damageOptions())
	require.Equal(t, before, metaAt(t, small), "a small file is left as it is")

	for range 2 {
		f := open(t, path, listing(damageOptions()))
		requireContent(t, f, renewPuts)
		m := metaAt(t, path)
		require.True(t, m.Listed)
		require.Equal(t, before.Txid+1, m.Txid)
		require.NoError(t, f.VerifyLog(t.Context()))
		path = crashCopy(t, path)
	}

	bad := crashCopy(t, path)
	eachGroupPage(t, bad, func(p []byte) { p[len(p)-1] ^= 1 })
	_, err := journal.Open(bad, damageOptions())
	require.ErrorIs(t, err, journal.ErrDamaged, "Open waits")

	f := open(t, path, listing(damageOptions()))
	put(t, f)
	require.False(t, metaAt(t, path).HasFreelist())
	requireContent(t, open(t, crashCopy(t, path), damageOptions()), renewPuts+1)
	require.NoError(t, f.Close())
	m := metaAt(t, path)
	require.True(t, m.HasFreelist() && !m.Listed)
	f = open(t, path, damageOptions())
	requireContent(t, f, renewPuts+1)
	require.NoError(t, f.Close())
}

// A list is no clean end: a salvage that finds no group records says that there
// may have been some.
func TestListedIsStale(t *testing.T) {
	path := tempPath(t)
	f := open(t, path, damageOptions())
	put(t, f)
	require.NoError(t, f.Close())
	f = open(t, path, damageOptions())
	require.NoError(t, f.Update(bg, func(tx *journal.Tx) error { return tx.Put(data, key(1), make([]byte, 8000)) }))
	path = crashCopy(t, path)
	open(t, path, listing(damageOptions()))
	path = crashCopy(t, path)
	require.True(t, metaAt(t, path).Listed)
	eachGroupPage(t, path, func(p []byte) { clear(p) })
	r, err := journal.Salvage(t.Context(), path, damageOptions(), nil)
	require.NoError(t, err)
	require.Zero(t, r.LostEvents())
	require.True(t, r.Stale)
}

// eachGroupPage changes the pages that hold the group records of a file.
func eachGroupPage(t *testing.T, path string, change func(page []byte)) {
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	file, err := boltfile.Open(bytesAt(raw), int64(len(raw)))
	require.NoError(t, err)
	bad, found := bytes.Clone(raw), 0
	require.NoError(t, file.Walk(t.Context(), func(b, _, v []byte) error {
		if string(b) != "g" {
			return nil
		}
		for at := 0; ; at++ {
			n := bytes.Index(raw[at:], v)
			if n < 0 {
				return nil
			}
			at += n
			page := at / 4096
			for binary.LittleEndian.Uint64(raw[page*4096:]) != uint64(page) {
				page--
			}
			change(bad[page*4096 : at+len(v)])
			found++
		}
	}))
	require.Positive(t, found)
	require.NoError(t, os.WriteFile(path, bad, 0o600))
}

// Whatever fails while the list is written, the journal holds what it held.
func TestListWhoseDiskFails(t *testing.T) {
	raw := filled(t)
	run := func(what string, fault func(*faultkit.Kit)) error {
		path := tempPath(t)
		defer os.RemoveAll(filepath.Dir(path))
		require.NoError(t, os.WriteFile(path, raw, 0o600))
		k := &faultkit.Kit{}
		fault(k)
		f, err := journal.Open(path, listing(held(k)))
		if err == nil {
			require.NoError(t, checkContent(f, renewPuts), what)
			k.Heal()
			put(t, f)
			require.NoError(t, f.VerifyLog(bg), what)
			require.NoError(t, f.Close(), what)
			return nil
		}
		requireContent(t, open(t, crashCopy(t, path), damageOptions()), renewPuts)
		f = open(t, path, listing(damageOptions()))
		requireContent(t, f, renewPuts)
		put(t, f)
		require.NoError(t, f.Close(), what)
		return err
	}
	path := tempPath(t)
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	k := &faultkit.Kit{}
	open(t, path, listing(held(k)))
	writes, syncs := k.Counts()
	require.Equal(t, [2]int{2, 3}, [2]int{writes, syncs})
	for n := 1; n <= writes; n++ {
		for _, fault := range []error{syscall.ENOSPC, syscall.EIO, faultkit.Short} {
			err := run(fmt.Sprintf("%v at write %d", fault, n), func(k *faultkit.Kit) { k.FailWrite(n, fault) })
			require.Equal(t, n == 1, err == nil, "only the pages can be done without")
		}
	}
	for n := 1; n <= syncs; n++ {
		require.Error(t, run(fmt.Sprintf("sync %d", n), func(k *faultkit.Kit) { k.FailSync(n) }))
	}
}

// A power cut at any moment from Open on, through the first commits: nothing
// acknowledged is missing, and the file opens, with another list or without.
func TestPowerCutsAroundTheList(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 2))
	base := filled(t)
	path := tempPath(t)
	require.NoError(t, os.WriteFile(path, base, 0o600))
	k := &faultkit.Kit{}
	k.Record()
	f := open(t, path, listing(held(k)))
	var acked []int // how many ops there were when a put was acknowledged
	for range 4 {
		put(t, f)
		acked = append(acked, len(k.Ops()))
	}
	require.NoError(t, f.Close())
	acked = append(acked, len(k.Ops()))
	disk := faultkit.NewDisk(base)
	images, listed, puts := 0, 0, uint64(renewPuts)
	for i, op := range k.Ops()[:acked[3]] {
		for acked[puts-renewPuts] <= i {
			puts++
		}
		if op.Sync {
			for img := range disk.Images(rng, step(t, 20, 2)) {
				what := fmt.Sprintf("cut before op %d, %s", i, img.Name)
				images++
				cut := tempPath(t)
				require.NoError(t, os.WriteFile(cut, img.Data, 0o600))
				if metaAt(t, cut).Listed {
					listed++
				}
				o := damageOptions()
				if images%2 == 0 {
					o = listing(o)
				}
				f, err := journal.Open(cut, o)
				require.NoError(t, err, what)
				has := puts
				if checkContent(f, has) != nil {
					has++
				}
				require.NoError(t, checkContent(f, has), what)
				put(t, f)
				require.NoError(t, f.VerifyLog(bg), what)
				require.NoError(t, f.Close(), what)
				require.NoError(t, os.RemoveAll(filepath.Dir(cut)))
			}
		}
		disk.Apply(op)
	}
	t.Logf("%d images, %d with the list", images, listed)
	require.Greater(t, listed, 5)
	require.Greater(t, images, listed)
}
