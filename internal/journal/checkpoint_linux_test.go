package journal_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/faultkit"
	"github.com/tallystick/tallystick/internal/journal"
)

// stretch is a run of commits among which are checkpoints, and why.
type stretch struct {
	why  string
	from uint64 // commits before it
	n    uint64 // its commits
	size func(i uint64) (event, value int)
}

var stretches = []stretch{
	{"much is recent", 3, 9, func(uint64) (int, int) { return 5000, 3000 }},
	{"there are many groups", 252, 6, func(uint64) (int, int) { return 8, 3 }},
	{"room is scarce", 62, 4, func(i uint64) (int, int) {
		if i <= 61 {
			return 20 << 10, 200
		}
		return 900, 700
	}},
}

var bg = context.Background()

const stretchKeys = 7

func (s stretch) event(i uint64) []byte {
	n, _ := s.size(i)
	return append(fmt.Appendf(nil, "event %d ", i), bytes.Repeat([]byte{'e'}, n)...)
}

func (s stretch) value(i uint64) []byte {
	_, n := s.size(i)
	return append(fmt.Appendf(nil, "by %d ", i), bytes.Repeat([]byte{'v'}, n)...)
}

// commit is the i-th commit, unless it is kept already.
func (s stretch) commit(f *journal.File, i uint64) error {
	return f.Update(bg, func(tx *journal.Tx) error {
		last, err := tx.LastEvent()
		if err != nil || last >= i {
			return err
		}
		if _, err = tx.Log(s.event(i)); err == nil {
			err = tx.Put(data, key(i%stretchKeys), s.value(i))
		}
		if err == nil && i%3 == 0 {
			err = tx.Delete(data, key((i+3)%stretchKeys))
		}
		return err
	})
}

// check tells whether f holds exactly what n commits leave.
func (s stretch) check(f *journal.File, n uint64) error {
	want := map[string][]byte{}
	for i := uint64(1); i <= n; i++ {
		want[string(key(i%stretchKeys))] = s.value(i)
		if i%3 == 0 {
			delete(want, string(key((i+3)%stretchKeys)))
		}
	}
	return f.View(func(tx *journal.Tx) error {
		last, err := tx.LastEvent()
		if err != nil || last != n {
			return fmt.Errorf("%d events, want %d: %w", last, n, err)
		}
		for i := uint64(1); i <= n; i++ {
			if b, err := tx.Event(i); err != nil || !bytes.Equal(b, s.event(i)) {
				return fmt.Errorf("event %d is another: %w", i, err)
			}
		}
		err = tx.Scan(data, nil, nil, func(k, v []byte) (bool, error) {
			if w, ok := want[string(k)]; !ok || !bytes.Equal(w, v) {
				return false, fmt.Errorf("record %x is %.20q, want %.20q", k, v, w)
			}
			delete(want, string(k))
			return true, nil
		})
		if err == nil && len(want) > 0 {
			err = fmt.Errorf("%d records are missing", len(want))
		}
		return err
	})
}

// base is the file before the stretch, as a crash left it.
func (s stretch) base(t *testing.T) []byte {
	path := tempPath(t)
	f := open(t, path, damageOptions())
	for i := uint64(1); i <= s.from; i++ {
		require.NoError(t, s.commit(f, i))
	}
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return b
}

// begin opens a copy of base that k holds.
func (s stretch) begin(t *testing.T, base []byte, k *faultkit.Kit) (*journal.File, string) {
	path := tempPath(t)
	require.NoError(t, os.WriteFile(path, base, 0o600))
	f, err := journal.Open(path, heldBy(k))
	require.NoError(t, err)
	return f, path
}

// settled tells whether commit i was a checkpoint.
func settled(t *testing.T, f *journal.File, i uint64) (yes bool) {
	require.NoError(t, f.View(func(tx *journal.Tx) error {
		yes = tx.Raw('e', key(i)) != nil
		return nil
	}))
	return yes
}

// I7 in checkpoints, that of Close among them: whichever write or sync fails,
// nothing acknowledged is missing, and what failed is kept as a whole or not at
// all.
func TestEveryWriteAndSyncOfACheckpointFails(t *testing.T) {
	for row, s := range stretches {
		base := s.base(t)
		k := &faultkit.Kit{}
		f, _ := s.begin(t, base, k)
		w0, s0 := k.Counts()
		checkpoints := 0
		for i := s.from + 1; i <= s.from+s.n; i++ {
			require.NoError(t, s.commit(f, i), s.why)
			if settled(t, f, i) {
				checkpoints++
			}
		}
		require.Positive(t, checkpoints, s.why)
		require.Less(t, checkpoints, int(s.n)+row/2, s.why)
		require.NoError(t, f.Close())
		w1, s1 := k.Counts()
		for n := 1 + row%2; n <= w1-w0; n += step(t, 1, 3) {
			fault := []error{syscall.ENOSPC, syscall.EIO, faultkit.Short}[n%3]
			s.fail(t, base, func(k *faultkit.Kit) { k.FailWrite(n, fault) }, fmt.Sprintf("%s: %v at write %d", s.why, fault, n))
		}
		for n := 1; n <= s1-s0; n += step(t, 1, 2) {
			s.fail(t, base, func(k *faultkit.Kit) { k.FailSync(n) }, fmt.Sprintf("%s: sync %d", s.why, n))
		}
	}
}

func (s stretch) fail(t *testing.T, base []byte, fault func(*faultkit.Kit), what string) {
	k := &faultkit.Kit{}
	f, path := s.begin(t, base, k)
	defer os.RemoveAll(filepath.Dir(path))
	fault(k)
	failures := 0
	for i := s.from + 1; i <= s.from+s.n; {
		err := s.commit(f, i)
		if err == nil {
			require.NoError(t, s.check(f, i), what)
			i++
			continue
		}
		failures++
		require.ErrorIs(t, err, journal.ErrNotSynced, what)
		require.Less(t, failures, 3, what)
		if s.check(f, i) != nil {
			require.NoError(t, s.check(f, i-1), what)
		}
	}
	require.NoError(t, f.VerifyLog(bg), what)
	if err := f.Close(); failures > 0 {
		require.NoError(t, err, what)
	}
	f = open(t, path, damageOptions())
	require.NoError(t, s.check(f, s.from+s.n), what)
	require.NoError(t, f.Close())
}

// A power cut at any moment of commits with checkpoints and of the last one at
// Close, and another one at any moment of the life after it.
func TestPowerCutsInCheckpoints(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 9))
	images, second := 0, 0
	for _, s := range stretches {
		k := &faultkit.Kit{}
		base := s.base(t)
		f, _ := s.begin(t, base, k)
		k.Record()
		acked := []int{} // how many ops there were when a commit was acknowledged
		for i := s.from + 1; i <= s.from+s.n; i++ {
			require.NoError(t, s.commit(f, i))
			acked = append(acked, len(k.Ops()))
		}
		require.NoError(t, f.Close())
		s.cuts(t, rng, base, k.Ops(), acked, step(t, 1, 12), func(img faultkit.Image, floor uint64, what string) {
			images++
			if images%step(t, 20, 24) != 0 {
				s.life(t, img.Data, floor, nil, what)
				return
			}
			var again faultkit.Kit
			n, acked := s.life(t, img.Data, floor, &again, what)
			then := stretch{s.why, n, 2, s.size}
			then.cuts(t, rng, img.Data, again.Ops(), acked, step(t, 2, 12), func(img faultkit.Image, floor uint64, where string) {
				second++
				then.life(t, img.Data, floor, nil, what+"; then "+where)
			})
		})
	}
	t.Logf("%d images, %d of second crashes", images, second)
	require.Greater(t, images, 30)
	require.Greater(t, second, 5)
}

// cuts calls each with one in so many of the states that the disk may hold.
func (s stretch) cuts(t *testing.T, rng *rand.Rand, base []byte, ops []faultkit.Op, acked []int, every int, each func(img faultkit.Image, floor uint64, what string)) {
	disk := faultkit.NewDisk(base)
	floor := s.from
	for i, op := range ops {
		for floor < s.from+uint64(len(acked)) && acked[floor-s.from] <= i {
			floor++
		}
		if op.Sync {
			for img := range disk.Images(rng, 2) {
				if rng.IntN(every) == 0 {
					each(img, floor, fmt.Sprintf("%s: cut before op %d of %d, %s", s.why, i, len(ops), img.Name))
				}
			}
		}
		disk.Apply(op)
	}
	each(faultkit.Image{Data: disk.Durable()}, s.from+uint64(len(acked)), s.why+": after the end")
}

// life opens an image, which must hold the acknowledged commits and perhaps one
// more, and goes on with two; with k, recorded.
func (s stretch) life(t *testing.T, img []byte, floor uint64, k *faultkit.Kit, what string) (n uint64, acked []int) {
	o := damageOptions()
	if k != nil {
		k.Record()
		o = heldBy(k)
	}
	path := tempPath(t)
	defer os.RemoveAll(filepath.Dir(path))
	require.NoError(t, os.WriteFile(path, img, 0o600))
	f, err := journal.Open(path, o)
	require.NoError(t, err, what)
	require.NoError(t, f.Ready(bg), what)
	if err := s.check(f, floor); err != nil {
		require.Less(t, floor, s.from+s.n, "%s: %v", what, err)
		floor++
		require.NoError(t, s.check(f, floor), what)
	}
	if k == nil {
		require.NoError(t, f.Close(), what)
		return floor, nil
	}
	for i := range uint64(2) {
		require.NoError(t, s.commit(f, floor+1+i), what)
		acked = append(acked, len(k.Ops()))
	}
	require.NoError(t, f.Close(), what)
	return floor, acked
}
