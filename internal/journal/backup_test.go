package journal

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func noNote() []byte { return nil }

func backedUp(t *testing.T, o Options) ([]byte, map[int]string) {
	f := openCopied(t, filepath.Join(t.TempDir(), "j"), o)
	for i := range 20 {
		require.NoError(t, putOne(f, i, bytes.Repeat([]byte{byte(i)}, i)))
	}
	require.NoError(t, drop(f, 3))
	var w bytes.Buffer
	require.NoError(t, f.Backup(context.Background(), &w, func() []byte { return []byte("a note") }))
	want := records(t, f)
	require.NoError(t, f.Close())
	return w.Bytes(), want
}

// A backup gives the same journal, of the next epoch, whose records are bound
// to that epoch.
func TestBackupRestores(t *testing.T) {
	for _, keys := range []*ring{nil, newRing("k")} {
		o := Options{Buckets: []Bucket{inTest}}
		if keys != nil {
			o.Keys = keys
		}
		b, want := backedUp(t, o)
		path := filepath.Join(t.TempDir(), "j")
		note, err := Restore(context.Background(), path, bytes.NewReader(b), o)
		require.NoError(t, err)
		require.Equal(t, "a note", string(note))
		f := openCopied(t, path, o)
		require.EqualValues(t, 2, f.Epoch())
		require.Equal(t, want, records(t, f))
		require.NoError(t, f.VerifyLog(context.Background()))
		require.NoError(t, putOne(f, 100, nil))
		_, err = Restore(context.Background(), path, bytes.NewReader(b), o)
		require.Error(t, err, "nothing is overwritten")
		other := filepath.Join(t.TempDir(), "j")
		_, err = Restore(context.Background(), other, bytes.NewReader(b), o)
		require.NoError(t, err)
		g := openCopied(t, other, o)
		var sealed []byte
		require.NoError(t, f.View(func(tx *Tx) error { sealed = tx.Raw(inTest, make([]byte, 8)); return nil }))
		require.NoError(t, g.View(func(tx *Tx) error {
			_, err := tx.open(inTest, make([]byte, 8), sealed)
			require.ErrorIs(t, err, ErrDamaged, "a record of another copy does not open")
			return nil
		}))
		require.NoError(t, f.Close())
		require.NoError(t, g.Close())
	}
}

// Whatever is wrong with a backup is told, and leaves nothing behind.
func TestDamagedBackupIsRefused(t *testing.T) {
	for _, keys := range []*ring{nil, newRing("k")} {
		o := Options{Buckets: []Bucket{inTest}}
		if keys != nil {
			o.Keys = keys
		}
		b, _ := backedUp(t, o)
		dir := t.TempDir()
		refused := func(bad []byte, what string, at int) {
			_, err := Restore(context.Background(), filepath.Join(dir, "j"), bytes.NewReader(bad), o)
			require.Error(t, err, "%s at %d", what, at)
			left, err := filepath.Glob(filepath.Join(dir, "*"))
			require.NoError(t, err)
			require.Empty(t, left)
		}
		step := max(1, len(b)/20)
		for i := 0; i < len(b); i += step {
			refused(b[:i], "cut", i)
			bad := bytes.Clone(b)
			bad[i] ^= 0x10
			refused(bad, "flipped", i)
		}
		refused(append(bytes.Clone(b), 0), "longer", 0)
	}
}

// A reader that is slow holds up no commit.
func TestBackupWhileInUse(t *testing.T) {
	f := openCopied(t, filepath.Join(t.TempDir(), "j"), Options{})
	for i := range 50 {
		require.NoError(t, putOne(f, i, []byte("v")))
	}
	r, w := io.Pipe()
	var wg sync.WaitGroup
	wg.Go(func() { require.NoError(t, w.CloseWithError(f.Backup(context.Background(), w, noNote))) })
	one := make([]byte, 1)
	_, err := io.ReadFull(r, one)
	require.NoError(t, err)
	for i := range 10 {
		require.NoError(t, putOne(f, 1000+i, []byte("v")))
	}
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	wg.Wait()
	path := filepath.Join(t.TempDir(), "j")
	_, err = Restore(context.Background(), path, bytes.NewReader(append(one, rest...)), Options{Buckets: []Bucket{inTest}})
	require.NoError(t, err)
	require.Len(t, records(t, openCopied(t, path, Options{})), 50)
	require.NoFileExists(t, f.real+backupSuffix)
}

func FuzzRestore(f *testing.F) {
	f.Add([]byte(backupMagic))
	f.Add([]byte(backupMagic + "rh\x06header\x00z"))
	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "j")
		if _, err := Restore(context.Background(), path, bytes.NewReader(b), Options{Buckets: []Bucket{inTest}}); err != nil {
			require.NoFileExists(t, path)
		}
	})
}
