package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/tallystick/tallystick/internal/journal"
)

var errWithdrawn = errors.New("withdrawn")

// model is what a journal should hold.
type model struct {
	records map[string]string
	events  []string
}

func (m *model) copy() *model { return &model{maps.Clone(m.records), slices.Clone(m.events)} }

// check compares all ways of reading.
func (m *model) check(tx *journal.Tx) error {
	var seen []string
	err := tx.Scan(data, nil, nil, func(k, v []byte) (bool, error) {
		seen = append(seen, string(k))
		if m.records[string(k)] != string(v) {
			return false, fmt.Errorf("record %q is %d bytes, want %d", k, len(v), len(m.records[string(k)]))
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	want := slices.Sorted(maps.Keys(m.records))
	if !slices.Equal(want, seen) {
		return fmt.Errorf("records %q, want %q", seen, want)
	}
	for i := range 40 {
		k := fmt.Sprintf("%02d", i)
		v, err := tx.Get(data, []byte(k))
		_, there := m.records[k]
		if err != nil || string(v) != m.records[k] || tx.Has(data, []byte(k)) != there {
			return fmt.Errorf("record %q is %d bytes: %w", k, len(v), err)
		}
	}
	for i, body := range m.events {
		if b, err := tx.Event(uint64(i + 1)); err != nil || string(b) != body {
			return fmt.Errorf("event %d is %q: %w", i+1, b, err)
		}
	}
	last, err := tx.LastEvent()
	if err == nil && last != uint64(len(m.events)) {
		err = fmt.Errorf("%d events, want %d", last, len(m.events))
	}
	return err
}

// late is a record that is encoded when it has to be.
type late string

func (l late) Encode() []byte { return []byte(l) }

// write does something at random inside one function of a commit, and often
// looks at what came of it.
func (m *model) write(t *rapid.T, tx *journal.Tx) error {
	for range rapid.IntRange(1, 6).Draw(t, "writes") {
		k := fmt.Sprintf("%02d", rapid.IntRange(0, 39).Draw(t, "key"))
		switch rapid.IntRange(0, 6).Draw(t, "write") {
		case 0:
			delete(m.records, k)
			if err := tx.Delete(data, []byte(k)); err != nil {
				return err
			}
		case 1:
			body := fmt.Sprint("event ", len(m.events)+1)
			m.events = append(m.events, body)
			if _, err := tx.Log([]byte(body)); err != nil {
				return err
			}
		case 2:
			v := late(fmt.Sprint("late ", len(m.events), rapid.IntRange(0, 1<<20).Draw(t, "late")))
			m.records[k] = string(v)
			if err := tx.PutLate(data, []byte(k), v); err != nil {
				return err
			}
		case 3:
			if _, there := m.records[k]; !there {
				m.records[k] = string(make([]byte, 32))
			}
			v, err := tx.Edit(data, []byte(k), 32)
			if err != nil {
				return err
			}
			if len(v) > 0 {
				v[rapid.IntRange(0, len(v)-1).Draw(t, "place")]++
			}
			m.records[k] = string(v)
		case 4:
			if err := m.check(tx); err != nil {
				return err
			}
		default:
			v := bytes.Repeat([]byte{byte(len(m.events)), k[1]}, rapid.IntRange(0, 6000).Draw(t, "size"))
			m.records[k] = string(v)
			if err := tx.Put(data, []byte(k), v); err != nil {
				return err
			}
		}
	}
	if rapid.Bool().Draw(t, "look") {
		return m.check(tx)
	}
	return nil
}

// What is read is the same wherever it stands: in the keyspaces, among what is
// recent, or put by a function of the same commit; and a function that fails
// leaves nothing.
func TestRecentAndSettledAreOne(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		path, o := tempPath(t), options()
		o.MaxSize = 4 << 20 // checkpoints come early
		f := open(t, path, o)
		m := &model{records: map[string]string{}}
		for range rapid.IntRange(1, 25).Draw(r, "steps") {
			switch rapid.IntRange(0, 9).Draw(r, "step") {
			case 0:
				require.NoError(t, f.Close())
				f = open(t, path, o)
			case 1:
				at := crashCopy(t, path)
				require.NoError(t, f.Close())
				path = at
				f = open(t, path, o)
			case 2:
				require.NoError(t, f.Compact(t.Context(), nil))
			case 3:
				tried := m.copy()
				err := f.Update(t.Context(), func(tx *journal.Tx) error {
					return errors.Join(tried.write(r, tx), errWithdrawn)
				})
				require.Equal(t, errWithdrawn.Error(), err.Error())
			default:
				next := m.copy()
				require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error { return next.write(r, tx) }))
				m = next
			}
			require.NoError(t, f.View(m.check))
		}
		require.NoError(t, f.VerifyLog(t.Context()))
		require.NoError(t, f.Close())
	})
}

// counted is a record that counts how often it is encoded.
type counted struct {
	text  string
	times int
}

func (c *counted) Encode() []byte {
	c.times++
	return []byte(c.text)
}

// Of what functions of a commit put late at one key the last is encoded, once,
// unless it is read before; what one that fails put is not.
func TestLateIsEncodedOnce(t *testing.T) {
	f := open(t, tempPath(t), options())
	first, read, last := &counted{text: "first"}, &counted{text: "read"}, &counted{text: "last"}
	require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error {
		for _, c := range []*counted{first, read} {
			require.NoError(t, tx.PutLate(data, key(1), c))
		}
		for range 2 {
			v, err := tx.Get(data, key(1))
			require.NoError(t, err)
			require.Equal(t, "read", string(v))
		}
		return tx.PutLate(data, key(1), last)
	}))
	failed := &counted{text: "failed"}
	require.ErrorIs(t, f.Update(t.Context(), func(tx *journal.Tx) error {
		require.NoError(t, tx.PutLate(data, key(1), &counted{text: "failed, too"}))
		require.NoError(t, tx.PutLate(data, key(1), failed))
		return errWithdrawn
	}), errWithdrawn)
	require.NoError(t, f.View(func(tx *journal.Tx) error {
		v, err := tx.Get(data, key(1))
		require.Equal(t, "last", string(v))
		return err
	}))
	require.Equal(t, []int{0, 1, 1, 0}, []int{first.times, read.times, last.times, failed.times})
}

// All records of the keyspaces go to their places at a clean end, and what a
// crash leaves is opened with what was recent.
func TestRecentSurvivesACrash(t *testing.T) {
	path := tempPath(t)
	f := open(t, path, options())
	for range 30 {
		put(t, f)
	}
	raw := func(f *journal.File) (sealed []byte) {
		require.NoError(t, f.View(func(tx *journal.Tx) error {
			sealed = tx.Raw(data, key(20))
			return nil
		}))
		return sealed
	}
	require.Empty(t, raw(f), "it is recent")
	crashed := open(t, crashCopy(t, path), options())
	require.Empty(t, raw(crashed))
	requireContent(t, crashed, 30)
	require.NoError(t, crashed.VerifyLog(t.Context()))
	require.NoError(t, f.Close())
	f = open(t, path, options())
	require.NotEmpty(t, raw(f), "it is at its place")
	requireContent(t, f, 30)
}

// The record of a group may be larger than any record that it changes.
func TestBackupOfALargeGroup(t *testing.T) {
	f := open(t, tempPath(t), options())
	require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error {
		for n := range uint64(200) {
			if err := tx.Put(data, key(n), bytes.Repeat([]byte{byte(n)}, 5200)); err != nil {
				return err
			}
		}
		return nil
	}))
	var b bytes.Buffer
	require.NoError(t, f.Backup(t.Context(), &b, func() []byte { return nil }))
	path := tempPath(t)
	_, err := journal.Restore(t.Context(), path, &b, options())
	require.NoError(t, err)
	seen := 0
	require.NoError(t, open(t, path, options()).View(func(tx *journal.Tx) error {
		return tx.Scan(data, nil, nil, func(_, v []byte) (bool, error) {
			seen += len(v)
			return true, nil
		})
	}))
	require.Equal(t, 200*5200, seen)
}

// A key that no file could hold is refused, not found out by those who open
// the file next.
func TestKeysAreBounded(t *testing.T) {
	path := tempPath(t)
	f := open(t, path, options())
	for _, size := range []int{0, 1025} {
		require.Error(t, f.Update(t.Context(), func(tx *journal.Tx) error { return tx.Put(data, make([]byte, size), nil) }))
		require.Error(t, f.Update(t.Context(), func(tx *journal.Tx) error { return tx.Delete(data, make([]byte, size)) }))
	}
	require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error { return tx.Put(data, make([]byte, 1024), nil) }))
	require.NoError(t, open(t, crashCopy(t, path), options()).VerifyLog(t.Context()))
	require.NoError(t, f.Close())
	require.NoError(t, open(t, path, options()).VerifyLog(t.Context()))
}

// A function may write elsewhere while it scans.
func TestWritesWithinAScan(t *testing.T) {
	f := open(t, tempPath(t), options())
	for range 2 { // records of the commit itself, then of those before it
		require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) error {
			for n := range uint64(300) {
				if err := tx.Put(data, key(n), body(n)); err != nil {
					return err
				}
			}
			n := uint64(0)
			err := tx.Scan(data, nil, nil, func(k, v []byte) (bool, error) {
				if !bytes.Equal(k, key(n)) || !bytes.Equal(v, body(n)) {
					return false, fmt.Errorf("record %x in the place of %d", k, n)
				}
				n++
				_, err := tx.Log(v)
				return true, err
			})
			if err == nil && n != 300 {
				err = fmt.Errorf("%d records of 300", n)
			}
			return err
		}))
	}
	require.NoError(t, f.VerifyLog(t.Context()))
}

func TestNothingIsKeptInAFileThatIsGone(t *testing.T) {
	path := tempPath(t)
	f := open(t, path, options())
	put(t, f)
	require.NoError(t, os.Rename(path, path+".elsewhere"))
	require.ErrorIs(t, tryPut(t, f), journal.ErrNotSynced)
	copyFile(t, path+".elsewhere", path)
	require.ErrorIs(t, tryPut(t, f), journal.ErrNotSynced, "another file stands there")
	require.Error(t, f.Close())
}

// Group records of the largest size, of small records and of the same ones, so
// that no checkpoint is due: four of them are on one page.
func TestLargestGroupRecords(t *testing.T) {
	path := tempPath(t)
	f := open(t, path, options())
	require.NoError(t, f.Update(bg, func(tx *journal.Tx) error {
		for i := range uint64(20) { // the file has room ahead from here on
			if err := tx.Put(data, key(1<<40+i), make([]byte, journal.MaxValue)); err != nil {
				return err
			}
		}
		return nil
	}))
	for round := range uint64(4) {
		require.NoError(t, f.Update(bg, func(tx *journal.Tx) error {
			for i := range uint64(120_000) {
				if err := tx.Put(data, key(i), key(i+round)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	require.NoError(t, f.VerifyLog(bg))
}
