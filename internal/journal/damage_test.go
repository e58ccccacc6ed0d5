package journal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/boltfile"
	"github.com/tallystick/tallystick/internal/journal"
	"github.com/tallystick/tallystick/internal/seal"
)

const damagePuts = 300

// step is how much a test does: all in the long mode, TALLYSTICK_LONG=1.
func step(_ testing.TB, long, short int) int {
	if os.Getenv("TALLYSTICK_LONG") != "" {
		return long
	}
	return short
}

// damageOptions keep the file small.
func damageOptions() journal.Options {
	o := options()
	o.MaxSize, o.Reserve = 2<<20, 64<<10
	return o
}

// closedJournal is the bytes of a journal of damagePuts puts that was closed
// cleanly, without the zeros behind its pages, or with clean false of one that
// was cut off.
func closedJournal(t testing.TB, clean bool) []byte {
	path := tempPath(t)
	f := open(t, path, damageOptions())
	for range damagePuts {
		put(t, f)
	}
	if !clean {
		path = crashCopy(t, path)
	}
	require.NoError(t, f.Close())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	file, err := boltfile.Open(bytesAt(raw), int64(len(raw)))
	require.NoError(t, err)
	return raw[:file.Meta().High*boltfile.PageSize]
}

// tally counts what became of damaged files.
type tally struct{ fine, salvaged, refused, lostEvents int }

func (c tally) String() string {
	return fmt.Sprintf("%d opened with everything right, %d salvaged, %d refused; %d events lost in all",
		c.fine, c.salvaged, c.refused, c.lostEvents)
}

// judge opens a damaged journal and requires that nothing wrong comes out.
func (c *tally) judge(t *testing.T, raw []byte, what string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "j")
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	f, err := journal.Open(path, damageOptions())
	if err == nil {
		if err = f.Ready(t.Context()); err == nil {
			require.NoError(t, checkContent(f, damagePuts), what)
			c.fine++
		}
		require.NoError(t, f.Close(), what)
	}
	if err == nil {
		return
	}
	if errors.Is(err, journal.ErrFormat) {
		c.refused++ // it no longer looks like a journal: the app is told so
		return
	}
	require.ErrorIs(t, err, journal.ErrDamaged, what)
	after, e := os.ReadFile(path)
	require.NoError(t, e)
	require.True(t, bytes.Equal(raw, after), "%s: opening touched the damaged file", what)

	r, err := journal.Salvage(t.Context(), path, damageOptions(), nil)
	require.NoError(t, err, what)
	aside, e := os.ReadFile(r.Aside)
	require.NoError(t, e)
	require.True(t, bytes.Equal(raw, aside), "%s: the damaged file is kept as it was", what)
	f, err = journal.Open(path, damageOptions())
	require.NoError(t, err, what)
	require.NoError(t, f.Ready(t.Context()), what)
	require.NoError(t, checkSalvaged(f, r), what)
	require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error {
		_, err := tx.Log([]byte("life goes on"))
		return err
	}))
	require.NoError(t, f.VerifyLog(t.Context()), what)
	require.NoError(t, f.Close())
	c.salvaged++
	c.lostEvents += int(r.LostEvents())
}

// checkSalvaged tells whether every event is right or told to be lost, and
// every record right.
func checkSalvaged(f *journal.File, r *journal.SalvageReport) error {
	want := map[string]string{}
	for i := uint64(1); i <= damagePuts; i++ {
		want[string(key(i))] = string(body(i))
		want[string(key(i/2+1))] = fmt.Sprintf("changed by %d", i)
	}
	lost := map[uint64]bool{}
	for _, l := range r.Lost {
		for n := l.From; n <= l.To; n++ {
			lost[n] = true
		}
	}
	return f.View(func(tx *journal.Tx) error {
		last, err := tx.LastEvent()
		if err != nil || last != r.Events || last > damagePuts || (last < damagePuts && !r.EndUnknown) {
			return fmt.Errorf("%d events, reported are %d: %w", last, r.Events, err)
		}
		for n := uint64(1); n <= last; n++ {
			b, err := tx.Event(n)
			if lost[n] != errors.Is(err, journal.ErrLost) || (!lost[n] && !bytes.Equal(b, body(n))) {
				return fmt.Errorf("event %d is %q (reported lost: %v): %w", n, b, lost[n], err)
			}
		}
		if r.Whole && r.LostEvents() > 0 {
			return fmt.Errorf("whole, with %d events lost", r.LostEvents())
		}
		seen := 0
		err = tx.Scan(data, nil, nil, func(k, v []byte) (bool, error) {
			seen++
			if want[string(k)] != string(v) && !(r.Stale && once(k, v)) {
				return false, fmt.Errorf("record %x is %q, want %q", k, v, want[string(k)])
			}
			return true, nil
		})
		if err == nil && r.Whole && seen != len(want) {
			err = fmt.Errorf("whole, with %d of %d records", seen, len(want))
		}
		return err
	})
}

func TestSingleBitFlips(t *testing.T) {
	for _, clean := range []bool{true, false} {
		raw := closedJournal(t, clean)
		rng := rand.New(rand.NewPCG(2, 11))
		var c tally
		for range step(t, 5000, 200) {
			bit := rng.IntN(8 * len(raw))
			bad := bytes.Clone(raw)
			bad[bit/8] ^= 1 << (bit % 8)
			c.judge(t, bad, fmt.Sprintf("bit %d of byte %d (clean %v)", bit%8, bit/8, clean))
		}
		t.Logf("clean %v: %v", clean, c)
		require.Positive(t, c.fine)
		require.Positive(t, c.salvaged)
	}
}

// once tells whether v stood at k at some time.
func once(k, v []byte) bool {
	n := binary.BigEndian.Uint64(k)
	for _, by := range []uint64{2*n - 2, 2*n - 1} {
		if string(v) == fmt.Sprintf("changed by %d", by) {
			return true
		}
	}
	return string(v) == string(body(n))
}

// No bit of a meta page costs the newest commit, not even after a crash, when
// the page looks like one whose write was cut short.
func TestFlippedMetaPages(t *testing.T) {
	for _, clean := range []bool{true, false} {
		raw := closedJournal(t, clean)
		for _, slot := range []int{0, 4096} {
			for bit := 0; bit < 8*64; bit += step(t, 1, 13) {
				bad := bytes.Clone(raw)
				bad[slot+16+bit/8] ^= 1 << (bit % 8)
				var c tally
				c.judge(t, bad, fmt.Sprintf("bit %d of the meta page at %d (clean %v)", bit, slot, clean))
				require.Equal(t, 1, c.fine)
			}
		}
	}
}

func TestZeroedSectors(t *testing.T) {
	raw := closedJournal(t, true)
	rng := rand.New(rand.NewPCG(3, 13))
	var c tally
	for range step(t, 1000, 60) {
		at := 512 * rng.IntN(len(raw)/512)
		bad := bytes.Clone(raw)
		clear(bad[at : at+512])
		c.judge(t, bad, fmt.Sprintf("sector at %d", at))
	}
	t.Log(c)
	require.Positive(t, c.salvaged)
}

// Each row damages one thing, and says what that may cost.
func TestDamageTable(t *testing.T) {
	raw := closedJournal(t, true)
	file, err := boltfile.Open(bytesAt(raw), int64(len(raw)))
	require.NoError(t, err)
	root := file.Meta().Root
	page := func(b []byte, id uint64) []byte { return b[id*4096:][:4096] }
	branch := uint64(0)
	for id := uint64(2); id < file.Meta().High; id++ {
		if p := page(raw, id); p[8] == 1 && reachable(t, file, id, raw) {
			branch = id
		}
	}
	require.NotZero(t, branch, "the journal has a branch page")
	first, err := file.Get([]byte("e"), key(1))
	require.NoError(t, err)
	all := func(r *journal.SalvageReport) bool { return r.LostEvents() == 0 && r.Events == damagePuts }
	for _, c := range []struct {
		name   string
		damage func(b []byte)
		ok     func(r *journal.SalvageReport) bool
	}{
		{"the root page is gone: its events are found beside the tree", func(b []byte) { clear(page(b, root)) }, all},
		{"a branch page is gone", func(b []byte) { clear(page(b, branch)) }, all},
		{"the root page and all copies of the first event are gone", func(b []byte) {
			clear(page(b, root))
			for at := bytes.Index(b, first); at >= 0; at = bytes.Index(b, first) {
				clear(b[at:][:len(first)])
			}
		}, func(r *journal.SalvageReport) bool {
			return r.LostEvents() == 1 && r.Lost[0] == journal.Range{From: 1, To: 1} && r.Events == damagePuts && r.EndUnknown
		}},
		{"both meta pages are gone but for their magic", func(b []byte) { clear(b[20:4096]); clear(b[4096+20 : 8192]) }, all},
		{"everything behind the first half is gone", func(b []byte) { clear(b[len(b)/2:]) }, func(r *journal.SalvageReport) bool {
			return r.LostEvents() > 0 && r.LostEvents() < r.Events && !r.Whole
		}},
	} {
		bad := bytes.Clone(raw)
		c.damage(bad)
		path := tempPath(t)
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		f, err := journal.Open(path, damageOptions())
		if err == nil {
			err = f.Ready(t.Context())
			require.NoError(t, f.Close())
		}
		require.ErrorIs(t, err, journal.ErrDamaged, c.name)
		r, err := journal.Salvage(t.Context(), path, damageOptions(), nil)
		require.NoError(t, err, c.name)
		require.True(t, c.ok(r), "%s: %+v", c.name, r)
		require.NotEmpty(t, r.Damage, c.name)
		require.NoError(t, checkSalvaged(open(t, path, damageOptions()), r), c.name)
	}
}

// reachable tells whether a branch page stands in the tree.
func reachable(t *testing.T, f *boltfile.File, id uint64, raw []byte) bool {
	bad := bytes.Clone(raw)
	clear(bad[id*4096:][:4096])
	b, err := boltfile.Open(bytesAt(bad), int64(len(bad)))
	require.NoError(t, err)
	return b.Walk(t.Context(), func(_, _, _ []byte) error { return nil }) != nil
}

// What is out of order is told by the number of the event.
func TestExaminationNamesTheEvent(t *testing.T) {
	raw := closedJournal(t, true)
	at := -1
	var stop = errors.New("stop")
	file, err := boltfile.Open(bytesAt(raw), int64(len(raw)))
	require.NoError(t, err)
	require.ErrorIs(t, file.Walk(t.Context(), func(b, k, v []byte) error {
		if string(b) == "e" && bytes.Equal(k, key(42)) {
			at = bytes.Index(raw, v)
			return stop
		}
		return nil
	}), stop)
	raw[at+40] ^= 4
	path := tempPath(t)
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	f, err := journal.Open(path, damageOptions())
	require.NoError(t, err)
	err = f.Ready(t.Context())
	var damage *journal.DamageError
	require.ErrorAs(t, err, &damage)
	require.True(t, strings.Contains(err.Error(), "event 42"), err.Error())
	require.Error(t, f.View(func(*journal.Tx) error { return nil }))
	require.NoError(t, f.Close())
}

// So is what several events are in.
func TestExaminationNamesWhatAGroupIsBehind(t *testing.T) {
	raw := closedJournal(t, false)
	file, err := boltfile.Open(bytesAt(raw), int64(len(raw)))
	require.NoError(t, err)
	settled, group := 0, []byte(nil)
	require.NoError(t, file.Walk(t.Context(), func(b, k, v []byte) error {
		switch {
		case string(b) == "e" && len(k) == 8:
			settled++
		case string(b) == "g" && group == nil:
			group = bytes.Clone(v)
		}
		return nil
	}))
	require.NotEmpty(t, group)
	bad := bytes.Clone(group)
	bad[40] ^= 4
	raw = bytes.ReplaceAll(raw, group, bad) // pages that are free now may have it, too
	path := tempPath(t)
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	_, err = journal.Open(path, damageOptions())
	require.ErrorIs(t, err, journal.ErrDamaged)
	require.ErrorContains(t, err, fmt.Sprintf("behind event %d", settled))
}

// A key that is missing is no damage: nothing is salvaged away.
func TestSalvageNeedsItsKeys(t *testing.T) {
	raw := closedJournal(t, true)
	raw[len(raw)/2] ^= 1
	path := tempPath(t)
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	o := damageOptions()
	o.Keys = &ring{"k2", map[string][]byte{"k2": make([]byte, 32)}}
	_, err := journal.Salvage(t.Context(), path, o, nil)
	require.ErrorIs(t, err, seal.ErrKey)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.Equal(raw, after))
}

// A crash in a salvage, at every step of it, costs nothing.
func TestSalvageCutShort(t *testing.T) {
	raw := closedJournal(t, true)
	clear(raw[len(raw)/2:][:512])
	whole := tempPath(t)
	require.NoError(t, os.WriteFile(whole, raw, 0o600))
	_, err := journal.Salvage(t.Context(), whole, damageOptions(), nil)
	require.NoError(t, err)
	fresh, err := os.ReadFile(whole)
	require.NoError(t, err)

	for name, files := range map[string]map[string][]byte{
		"while the fresh one was written": {"": raw, ".salvage": fresh[:len(fresh)/2]},
		"before the damaged one moved":    {"": raw, ".salvaged": fresh},
		"before the fresh one moved":      {".salvaged": fresh, ".damaged-20260101-000000": raw},
	} {
		path := tempPath(t)
		for suffix, b := range files {
			require.NoError(t, os.WriteFile(path+suffix, b, 0o600))
		}
		f, err := journal.Open(path, damageOptions())
		if err == nil {
			err = f.Ready(context.Background())
			if err != nil {
				require.NoError(t, f.Close())
			}
		}
		if err != nil {
			require.ErrorIs(t, err, journal.ErrDamaged, name)
			_, err = journal.Salvage(t.Context(), path, damageOptions(), nil)
			require.NoError(t, err, name)
			f = open(t, path, damageOptions())
		}
		require.NoError(t, f.VerifyLog(t.Context()), name)
		require.NoError(t, f.View(func(tx *journal.Tx) error {
			last, err := tx.LastEvent()
			require.Equal(t, uint64(damagePuts), last, name)
			return err
		}))
		require.NoError(t, f.Close())
		require.NoFileExists(t, path+".salvaged")
		require.NoFileExists(t, path+".salvage")
	}
}
