package journal_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/faultkit"
	"github.com/tallystick/tallystick/internal/journal"
)

// recorded opens the journal of raw under o, puts n times into it and returns
// what was written meanwhile.
func recorded(t *testing.T, raw []byte, o journal.Options, n int) []faultkit.Op {
	path := tempPath(t)
	defer os.RemoveAll(filepath.Dir(path))
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	k := &faultkit.Kit{}
	k.Record()
	o.OnOpen, o.OnWrite = k.Hold, k.Raw
	f := open(t, path, o)
	for range n {
		put(t, f)
	}
	ops := k.Ops()
	require.NoError(t, f.Close())
	return ops
}

// cuts calls fn with what a power cut before each sync of ops may leave.
func cuts(t *testing.T, disk *faultkit.Disk, ops []faultkit.Op, fn func(raw []byte, what string)) {
	rng := rand.New(rand.NewPCG(3, 7))
	for i, op := range ops {
		if op.Sync {
			for img := range disk.Images(rng, step(t, 10, 1)) {
				fn(img.Data, fmt.Sprintf("cut before op %d, %s", i, img.Name))
			}
		}
		disk.Apply(op)
	}
}

// requirePuts requires that raw is a sound journal of least to most puts.
func requirePuts(t *testing.T, raw []byte, least, most uint64, what string) {
	path := tempPath(t)
	defer os.RemoveAll(filepath.Dir(path))
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	f, err := journal.Open(path, damageOptions())
	require.NoError(t, err, what)
	defer func() { require.NoError(t, f.Close()) }()
	for least < most && checkContent(f, least) != nil {
		least++
	}
	require.NoError(t, checkContent(f, least), what)
}

// A process is killed between a meta page and its sync; the next one finds that
// commit, and the power fails before anything of it came to the disk.
func TestPowerCutBehindAKill(t *testing.T) {
	base := filled(t)
	ops := recorded(t, base, damageOptions(), 2)
	for _, o := range []journal.Options{damageOptions(), listing(damageOptions())} {
		puts := uint64(renewPuts)
		for i, op := range ops {
			if op.Sync || op.Off >= 2*4096 {
				continue
			}
			left, seen := faultkit.NewDisk(base), faultkit.NewDisk(base)
			for _, op := range ops[:i+1] {
				left.Apply(op)
				seen.Apply(op)
			}
			seen.Apply(faultkit.Op{Sync: true})
			cuts(t, left, recorded(t, seen.Durable(), o, 1), func(raw []byte, what string) {
				requirePuts(t, raw, puts, puts+2, fmt.Sprintf("killed behind op %d, %s", i, what))
			})
			puts++
		}
		require.EqualValues(t, renewPuts+2, puts)
	}
}

// The power fails in the first commits behind a list of free pages, and again
// while the journal is opened anew.
func TestSecondPowerCut(t *testing.T) {
	base := filled(t)
	o := listing(damageOptions())
	cuts(t, faultkit.NewDisk(base), recorded(t, base, o, 1), func(once []byte, first string) {
		cuts(t, faultkit.NewDisk(once), recorded(t, once, o, 0), func(twice []byte, second string) {
			requirePuts(t, twice, renewPuts, renewPuts+1, first+", then "+second)
		})
	})
}
