package journal_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/faultkit"
	"github.com/tallystick/tallystick/internal/journal"
)

const renewPuts = 60

// eachFault runs fn with each write, then with each sync, of an undisturbed run
// failing.
func eachFault(t *testing.T, run func(k *faultkit.Kit, what string) (begin func())) {
	var k faultkit.Kit
	run(&k, "nothing fails")()
	writes, syncs := k.Counts()
	require.Greater(t, writes, 10)
	for n := 1; n <= writes; n += step(t, 1, 3) {
		var k faultkit.Kit
		fault := []error{syscall.ENOSPC, syscall.EIO, faultkit.Short}[n%3]
		begin := run(&k, fmt.Sprintf("%v at write %d of %d", fault, n, writes))
		k.FailWrite(n, fault)
		begin()
	}
	for n := 1; n <= syncs; n += step(t, 1, 2) {
		var k faultkit.Kit
		begin := run(&k, fmt.Sprintf("sync %d of %d", n, syncs))
		k.FailSync(n)
		begin()
	}
}

// filled is the bytes of a journal of renewPuts puts, as a crash left it.
func filled(t *testing.T) []byte {
	path := tempPath(t)
	f := open(t, path, damageOptions())
	for range renewPuts {
		put(t, f)
	}
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return raw
}

// held are options under which k has the files that are written from now on.
func held(k *faultkit.Kit) journal.Options {
	o := damageOptions()
	o.OnOpen, o.OnWrite = k.Hold, k.Raw
	return o
}

// Whatever fails while a journal is compacted, it holds what it held and goes on.
func TestCompactWhoseDiskFails(t *testing.T) {
	raw := filled(t)
	eachFault(t, func(k *faultkit.Kit, what string) func() {
		path := tempPath(t)
		require.NoError(t, os.WriteFile(path, raw, 0o600))
		f := open(t, path, held(k))
		w, s := k.Counts()
		require.Equal(t, [2]int{0, 1}, [2]int{w, s}, "Open syncs what it found")
		return func() {
			err := f.Compact(bg, nil)
			require.NoFileExists(t, path+".compact", what)
			k.Heal()
			require.NoError(t, checkContent(f, renewPuts), "%s: %v", what, err)
			put(t, f)
			require.NoError(t, f.VerifyLog(bg), what)
			require.NoError(t, f.Close(), what)
			f = open(t, path, damageOptions())
			require.NoError(t, checkContent(f, renewPuts+1), what)
			require.NoError(t, f.Close())
			require.NoError(t, os.RemoveAll(filepath.Dir(path)))
		}
	})
}

// A restore whose disk fails leaves nothing; a salvage or a migration whose disk
// fails leaves the file that it found. Each can be done again.
func TestRestoreAndSalvageWhoseDiskFails(t *testing.T) {
	raw := filled(t)
	from := tempPath(t)
	require.NoError(t, os.WriteFile(from, raw, 0o600))
	f := open(t, from, damageOptions())
	var backup bytes.Buffer
	require.NoError(t, f.Backup(bg, &backup, func() []byte { return []byte("note") }))
	require.NoError(t, f.Close())
	for name, do := range map[string]func(path string, o journal.Options) error{
		"restore": func(path string, o journal.Options) error {
			_, err := journal.Restore(bg, path, bytes.NewReader(backup.Bytes()), o)
			return err
		},
		"salvage": func(path string, o journal.Options) error {
			_, err := journal.Salvage(bg, path, o, nil)
			return err
		},
		"migrate": func(path string, o journal.Options) error {
			return journal.Migrate(bg, path, o, func(fresh *journal.File, old *journal.Remains, r *journal.SalvageReport) error {
				return old.Each(data, func(key, value []byte) error {
					return fresh.Update(bg, func(tx *journal.Tx) error { return tx.Put(data, key, value) })
				})
			})
		},
	} {
		eachFault(t, func(k *faultkit.Kit, what string) func() {
			path := tempPath(t)
			if name != "restore" {
				require.NoError(t, os.WriteFile(path, raw, 0o600))
			}
			return func() {
				if err := do(path, held(k)); err != nil {
					k.Heal()
					if name == "restore" {
						require.NoFileExists(t, path, "%s: %s", name, what)
					} else {
						left, err := os.ReadFile(path)
						require.NoError(t, err)
						require.True(t, bytes.Equal(raw, left), "%s: %s", name, what)
						require.NoFileExists(t, path+".salvage", "%s: %s", name, what)
					}
					require.NoError(t, do(path, damageOptions()), "%s: %s", name, what)
				}
				f := open(t, path, damageOptions())
				require.NoError(t, checkContent(f, renewPuts), "%s: %s", name, what)
				require.NoError(t, f.Close())
				require.NoError(t, os.RemoveAll(filepath.Dir(path)))
			}
		})
	}
}
