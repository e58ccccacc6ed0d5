package journal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/journal"
)

const data journal.Bucket = 'd'

// ring is a set of keys.
type ring struct {
	current string
	keys    map[string][]byte
}

func (r *ring) Current() (string, error) { return r.current, nil }

func (r *ring) Key(name string) ([]byte, error) {
	if k, ok := r.keys[name]; ok {
		return k, nil
	}
	return nil, errors.New("unknown")
}

func newRing() *ring {
	return &ring{"k1", map[string][]byte{"k1": bytes.Repeat([]byte{1}, 32)}}
}

func options() journal.Options {
	return journal.Options{Buckets: []journal.Bucket{data}, Keys: newRing()}
}

func tempPath(t testing.TB) string { return filepath.Join(t.TempDir(), "j") }

func open(t testing.TB, path string, o journal.Options) *journal.File {
	t.Helper()
	f, err := journal.Open(path, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	require.NoError(t, f.Ready(t.Context()))
	return f
}

func key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func body(n uint64) []byte { return fmt.Appendf(nil, "event %d of some length, as events are", n) }

// put logs one event and keeps a record that changes with it.
func put(t testing.TB, f *journal.File) uint64 {
	t.Helper()
	var n uint64
	require.NoError(t, f.Update(t.Context(), func(tx *journal.Tx) (err error) {
		n, err = putIn(tx)
		return err
	}))
	return n
}

func putIn(tx *journal.Tx) (n uint64, err error) {
	last, err := tx.LastEvent()
	if err != nil {
		return 0, err
	}
	if n, err = tx.Log(body(last + 1)); err != nil {
		return 0, err
	}
	if err := tx.Put(data, key(n), body(n)); err != nil {
		return 0, err
	}
	return n, tx.Put(data, key(n/2+1), fmt.Appendf(nil, "changed by %d", n))
}

// requireContent checks that the journal holds exactly what n puts leave.
func requireContent(t testing.TB, f *journal.File, n uint64) {
	t.Helper()
	require.NoError(t, checkContent(f, n))
}

func checkContent(f *journal.File, n uint64) error {
	want := map[string]string{}
	for i := uint64(1); i <= n; i++ {
		want[string(key(i))] = string(body(i))
		want[string(key(i/2+1))] = fmt.Sprintf("changed by %d", i)
	}
	return f.View(func(tx *journal.Tx) error {
		last, err := tx.LastEvent()
		if err != nil || last != n {
			return fmt.Errorf("%d events, want %d: %w", last, n, err)
		}
		for i := uint64(1); i <= n; i++ {
			if b, err := tx.Event(i); err != nil || !bytes.Equal(b, body(i)) {
				return fmt.Errorf("event %d is %q: %w", i, b, err)
			}
		}
		err = tx.Scan(data, nil, nil, func(k, v []byte) (bool, error) {
			if want[string(k)] != string(v) {
				return false, fmt.Errorf("record %x is %q, want %q", k, v, want[string(k)])
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

// crashCopy copies the journal as a kill would leave it: without its Close.
func crashCopy(t testing.TB, path string) string {
	t.Helper()
	to := tempPath(t)
	copyFile(t, path, to)
	return to
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	require.NoError(t, err)
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	require.NoError(t, err)
	_, err = io.Copy(out, in)
	require.NoError(t, err)
	require.NoError(t, out.Close())
}

// bytesAt reads bytes like a file.
type bytesAt []byte

func (b bytesAt) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(b).ReadAt(p, off) }
