package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const inTest Bucket = 't'

// ring is a set of keys of which one is current.
type ring struct {
	mu      sync.Mutex
	current string
	lost    map[string]bool
}

func (r *ring) Current() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current, nil
}

func (r *ring) Key(name string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost[name] {
		return nil, errors.New("destroyed")
	}
	return bytes.Repeat([]byte(name[:1]), 32), nil
}

func (r *ring) rotate(to string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.current = to
}

func (r *ring) destroy(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost[name] = true
}

func newRing(name string) *ring { return &ring{current: name, lost: map[string]bool{}} }

func openCopied(t *testing.T, path string, o Options) *File {
	t.Helper()
	o.Buckets = []Bucket{inTest}
	f, err := Open(path, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func putOne(f *File, i int, value []byte) error {
	return f.Update(context.Background(), func(tx *Tx) error {
		if _, err := tx.Log(fmt.Appendf(nil, "event %d", i)); err != nil {
			return err
		}
		return tx.Put(inTest, binary.BigEndian.AppendUint64(nil, uint64(i)), value)
	})
}

func drop(f *File, i int) error {
	return f.Update(context.Background(), func(tx *Tx) error {
		return tx.Delete(inTest, binary.BigEndian.AppendUint64(nil, uint64(i)))
	})
}

func records(t *testing.T, f *File) map[int]string {
	out := map[int]string{}
	require.NoError(t, f.View(func(tx *Tx) error {
		return tx.Scan(inTest, nil, nil, func(k, v []byte) (bool, error) {
			out[int(binary.BigEndian.Uint64(k))] = string(v)
			return true, nil
		})
	}))
	return out
}

func raw(t *testing.T, path string) string {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}

// The file shrinks, keeps what it has, and goes on being written.
func TestCompactShrinks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	f := openCopied(t, path, Options{})
	secret := strings.Repeat("6221558812340000", 2000)
	for i := range 400 {
		require.NoError(t, putOne(f, i, fmt.Appendf(nil, "<%d> %s", i, secret)))
	}
	for i := range 390 {
		require.NoError(t, drop(f, i))
	}
	want := records(t, f)
	before := raw(t, path)
	require.True(t, strings.Contains(before, "<389> "))
	require.NoError(t, f.Compact(context.Background(), nil))
	after := raw(t, path)
	require.Less(t, len(after), len(before)/2)
	require.False(t, strings.Contains(after, "<389> "), "what was deleted is gone")
	require.True(t, strings.Contains(after, "<395> "))
	require.Equal(t, want, records(t, f))
	require.NoFileExists(t, path+compactSuffix)
	require.NoError(t, putOne(f, 1000, nil))
	require.NoError(t, f.VerifyLog(context.Background()))
	want[1000] = ""
	require.NoError(t, f.Close())
	f = openCopied(t, path, Options{})
	require.Equal(t, want, records(t, f))
	require.NoError(t, f.VerifyLog(context.Background()))
}

// A rotated key seals what is new while the old one opens what is old; after
// Compact nothing needs the old one, and its name is not in the file.
func TestCompactSealsUnderTheCurrentKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	keys := newRing("a-old-key")
	f := openCopied(t, path, Options{Keys: keys})
	require.NoError(t, putOne(f, 1, []byte("one")))
	require.NoError(t, putOne(f, 2, nil))
	keys.rotate("b-new-key")
	require.NoError(t, putOne(f, 3, []byte("three")))
	require.True(t, strings.Contains(raw(t, path), "a-old-key"))
	require.NoError(t, f.Compact(context.Background(), nil))
	require.False(t, strings.Contains(raw(t, path), "a-old-key"))
	keys.destroy("a-old-key")
	require.NoError(t, putOne(f, 4, []byte("four")))
	require.NoError(t, f.Close())
	f = openCopied(t, path, Options{Keys: keys})
	require.Equal(t, map[int]string{1: "one", 2: "", 3: "three", 4: "four"}, records(t, f))
	require.NoError(t, f.VerifyLog(context.Background()))
}

// Writers go on during a compaction; whatever they were told is kept is kept,
// at every step at which the device may die.
func TestCompactLosesNothingAtAnyStep(t *testing.T) {
	for _, sealed := range []bool{false, true} {
		dir := t.TempDir()
		path := filepath.Join(dir, "j")
		var o Options
		if sealed {
			o.Keys = newRing("k")
		}
		var mu sync.Mutex
		acked, deleted := map[int]bool{}, map[int]bool{}
		next := 0
		steps := map[string]bool{}
		var f *File
		write := func(n int) {
			for range n {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				value := fmt.Appendf(nil, "value %d", i)
				if i%5 == 0 {
					value = nil
				}
				require.NoError(t, putOne(f, i, value))
				mu.Lock()
				acked[i] = true
				mu.Unlock()
				if i%3 == 0 && i > 100 {
					require.NoError(t, drop(f, i-100))
					mu.Lock()
					deleted[i-100] = true
					mu.Unlock()
				}
			}
		}
		o.OnStep = func(step string) error {
			steps[step] = true
			switch step { // no writer waits for a compaction
			case "copied":
				write(fewChanges + 20)
			case "caught up":
				write(20)
			}
			mu.Lock()
			defer mu.Unlock()
			crash := filepath.Join(t.TempDir(), "j")
			for _, s := range []string{"", compactSuffix} {
				b, err := os.ReadFile(path + s)
				if err == nil {
					require.NoError(t, os.WriteFile(crash+s, b, 0o600))
				}
			}
			found := openCopied(t, crash, Options{Keys: o.Keys})
			require.NoError(t, found.VerifyLog(context.Background()))
			require.NoFileExists(t, crash+compactSuffix)
			have := records(t, found)
			for i := range acked {
				_, ok := have[i]
				require.Equal(t, !deleted[i], ok, "record %d after a crash at %q", i, step)
			}
			return found.Close()
		}
		f = openCopied(t, path, o)
		write(150)
		for range 2 {
			require.NoError(t, f.Compact(context.Background(), nil))
		}
		require.Equal(t, map[string]bool{"copied": true, "caught up": true, "closed": true, "renamed": true}, steps)
		want := map[int]bool{}
		for i := range acked {
			if !deleted[i] {
				want[i] = true
			}
		}
		have := records(t, f)
		require.Len(t, have, len(want))
		last := uint64(0)
		require.NoError(t, f.View(func(tx *Tx) (err error) { last, err = tx.LastEvent(); return err }))
		require.EqualValues(t, next, last)
		require.NoError(t, f.VerifyLog(context.Background()))
	}
}

// An error at a step leaves the old file in use.
func TestCompactThatFails(t *testing.T) {
	for _, at := range []string{"copied", "caught up", "closed"} {
		path := filepath.Join(t.TempDir(), "j")
		fail := true
		f := openCopied(t, path, Options{OnStep: func(step string) error {
			if fail && step == at {
				return os.ErrPermission
			}
			return nil
		}})
		require.NoError(t, putOne(f, 1, []byte("one")))
		require.ErrorIs(t, f.Compact(context.Background(), nil), os.ErrPermission)
		require.NoFileExists(t, path+compactSuffix)
		require.NoError(t, putOne(f, 2, []byte("two")))
		fail = false
		require.NoError(t, f.Compact(context.Background(), nil))
		require.Equal(t, map[int]string{1: "one", 2: "two"}, records(t, f))
	}
}

// A condensed log begins behind an anchor, verifies, and goes on.
func TestCompactCondenses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	f := openCopied(t, path, Options{Keys: newRing("k")})
	for i := range 50 {
		require.NoError(t, putOne(f, i, []byte("v")))
	}
	condense := func(_ *Tx, give func([]byte) error) error {
		for i := range 3 {
			if err := give(fmt.Appendf(nil, "stands for many, %d", i)); err != nil {
				return err
			}
		}
		return nil
	}
	events := func() (out []string) {
		require.NoError(t, f.View(func(tx *Tx) error {
			last, err := tx.LastEvent()
			for n := tx.FirstEvent(); n <= last && err == nil; n++ {
				var body []byte
				body, err = tx.Event(n)
				out = append(out, fmt.Sprint(n, " ", string(body)))
			}
			return err
		}))
		return out
	}
	var before tail
	require.NoError(t, f.View(func(tx *Tx) (err error) { before, err = tx.tail(); return err }))
	require.NoError(t, f.Compact(context.Background(), condense))
	require.Equal(t, tail{last: 47, head: before.head}, f.head.base, "the anchor")
	require.NoError(t, putOne(f, 50, []byte("v")))
	require.NoError(t, f.VerifyLog(context.Background()))
	require.Equal(t, []string{"48 stands for many, 0", "49 stands for many, 1", "50 stands for many, 2", "51 event 50"}, events())
	require.NoError(t, f.Close())
	f = openCopied(t, path, Options{Keys: newRing("k")})
	require.NoError(t, f.VerifyLog(context.Background()))
	require.NoError(t, f.Compact(context.Background(), nil))
	require.Len(t, events(), 4)
	require.NoError(t, f.VerifyLog(context.Background()))
	require.Error(t, f.Compact(context.Background(), func(_ *Tx, give func([]byte) error) error {
		for range 52 {
			if err := give([]byte("x")); err != nil {
				return err
			}
		}
		return nil
	}), "more events than there were")
}

// Close waits for a compaction that is under way, which gives up.
func TestCloseEndsCompact(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j")
	var f *File
	var closing sync.WaitGroup
	f = openCopied(t, path, Options{OnStep: func(step string) error {
		if step == "copied" {
			closing.Go(func() { require.NoError(t, f.Close()) })
			<-f.stop
		}
		return nil
	}})
	require.NoError(t, putOne(f, 1, []byte("one")))
	require.ErrorIs(t, f.Compact(context.Background(), nil), ErrClosed)
	closing.Wait()
	require.NoFileExists(t, path+compactSuffix)
	f = openCopied(t, path, Options{})
	require.Equal(t, map[int]string{1: "one"}, records(t, f))
}
