package journal_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/faultkit"
	"github.com/tallystick/tallystick/internal/journal"
)

// faulty opens a small journal whose file the kit holds.
func faulty(t testing.TB, path string) (*journal.File, *faultkit.Kit) {
	k := &faultkit.Kit{}
	return open(t, path, heldBy(k)), k
}

func heldBy(k *faultkit.Kit) journal.Options {
	o := options()
	o.MaxSize, o.Reserve = 2<<20, 64<<10
	o.OnOpen, o.OnWrite = k.Hold, k.Raw
	return o
}

// workload puts n times and returns how often that failed; each failed put is
// tried again, as an app does with the same ref, until it is there.
func workload(t *testing.T, f *journal.File, n uint64) (failures int) {
	for done := uint64(0); done < n; {
		err := f.Update(t.Context(), func(tx *journal.Tx) error {
			last, err := tx.LastEvent()
			if err != nil || last > done {
				return err // what failed is kept all the same
			}
			_, err = putIn(tx)
			return err
		})
		if err == nil {
			done++
			require.NoError(t, checkContent(f, done))
			continue
		}
		failures++
		require.ErrorIs(t, err, journal.ErrNotSynced)
		require.Less(t, failures, 5, "it does not recover: %v", err)
		require.NoError(t, errAtLeast(f, done), "what was acknowledged is missing after: %v", err)
	}
	return failures
}

// errAtLeast tells whether the first n puts are there, and perhaps one more.
func errAtLeast(f *journal.File, n uint64) error {
	if err := checkContent(f, n); err == nil {
		return nil
	}
	return checkContent(f, n+1)
}

const faultPuts = 20

// I7: whichever write fails, nothing acknowledged is missing, what failed is
// kept as a whole or not at all, and later commits work.
func TestEveryWriteFails(t *testing.T) {
	f, k := faulty(t, tempPath(t))
	from, _ := k.Counts()
	require.Zero(t, workload(t, f, faultPuts))
	to, _ := k.Counts()
	require.GreaterOrEqual(t, to-from, 2*faultPuts, "a commit writes pages and a meta page")
	for name, fault := range map[string]error{"ENOSPC": syscall.ENOSPC, "EIO": syscall.EIO, "short": faultkit.Short} {
		for n := 1; n <= to-from; n += step(t, 1, 2) {
			path := tempPath(t)
			f, k := faulty(t, path)
			k.FailWrite(n, fault)
			failures := workload(t, f, faultPuts)
			require.Equal(t, 1, failures, "%s at write %d", name, n)
			require.NoError(t, f.VerifyLog(t.Context()))
			reopened := open(t, crashCopy(t, path), options())
			require.NoError(t, checkContent(reopened, faultPuts), "%s at write %d", name, n)
			require.NoError(t, f.Close())
		}
	}
}

// I7 for syncs: those of pages, of meta pages, and the journal's own.
func TestEverySyncFails(t *testing.T) {
	f, k := faulty(t, tempPath(t))
	_, from := k.Counts()
	require.Zero(t, workload(t, f, faultPuts))
	_, to := k.Counts()
	require.GreaterOrEqual(t, to-from, 2*faultPuts, "a commit syncs twice")
	for n := 1; n <= to-from; n++ {
		path := tempPath(t)
		f, k := faulty(t, path)
		k.FailSync(n)
		require.Equal(t, 1, workload(t, f, faultPuts), "sync %d", n)
		require.NoError(t, f.VerifyLog(t.Context()))
		reopened := open(t, crashCopy(t, path), options())
		require.NoError(t, checkContent(reopened, faultPuts), "sync %d", n)
		require.NoError(t, f.Close())
	}
}

// The disk stays broken: nothing is accepted until it is well again, and then
// everything acknowledged is there.
func TestNothingIsAcceptedWhileBroken(t *testing.T) {
	f, k := faulty(t, tempPath(t))
	workload(t, f, 3)
	k.FailWrites(syscall.EIO)
	try := func() error {
		return f.Update(t.Context(), func(tx *journal.Tx) error {
			_, err := putIn(tx)
			return err
		})
	}
	for range 3 {
		require.ErrorIs(t, try(), journal.ErrNotSynced)
		require.ErrorIs(t, f.View(func(*journal.Tx) error { return nil }), journal.ErrNotSynced)
	}
	k.Heal()
	require.NoError(t, try())
	requireContent(t, f, 4)
}

// A power cut while the file is mended: a system may show a meta page that a
// failed sync never wrote, so that it must be written again before anything
// is put on top of it.
func TestPowerCutAfterFailedSync(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 7))
	images := 0
	for n := 1; n <= 2*faultPuts; n += step(t, 1, 5) {
		path := tempPath(t)
		f, k := faulty(t, path)
		base, err := os.ReadFile(path)
		require.NoError(t, err)
		k.Record()
		k.FailSync(n)
		acked := map[int]uint64{} // how many puts were acknowledged before op i
		for done := uint64(0); done < faultPuts; {
			err := f.Update(t.Context(), func(tx *journal.Tx) error {
				last, err := tx.LastEvent()
				if err != nil || last > done {
					return err
				}
				_, err = putIn(tx)
				return err
			})
			if err == nil {
				done++
				acked[len(k.Ops())] = done
			}
		}
		ops := k.Ops()
		require.NoError(t, f.Close())
		disk := faultkit.NewDisk(base)
		floor := uint64(0)
		failed := -1
		for i, op := range ops {
			disk.Apply(op)
			if op.Sync && op.Failed {
				failed = i
			}
			if a, ok := acked[i+1]; ok {
				floor = a
			}
			if failed < 0 || i > failed+12 || !(op.Sync || i+1 == len(ops) || ops[i+1].Sync) {
				continue
			}
			for img := range disk.Images(rng, 3) {
				images++
				requireImage(t, img, floor, fmt.Sprintf("sync %d failed, cut after op %d: %s", n, i, img.Name))
			}
		}
	}
	t.Logf("%d images", images)
}

// requireImage opens an image, and finds at least the acknowledged puts.
func requireImage(t *testing.T, img faultkit.Image, acked uint64, what string) {
	t.Helper()
	path := tempPath(t)
	require.NoError(t, os.WriteFile(path, img.Data, 0o600))
	f, err := journal.Open(path, options())
	require.NoError(t, err, what)
	require.NoError(t, f.Ready(t.Context()), what)
	require.NoError(t, errAtLeast(f, acked), what)
	require.NoError(t, f.Close())
	require.NoError(t, os.Remove(path))
}
