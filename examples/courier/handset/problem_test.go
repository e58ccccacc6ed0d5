package handset

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/examples/acquirer/host"
)

// refused runs the program with these flags, which must end at once with
// status 2 and one sentence.
func refused(t *testing.T, flags ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	require.Equal(t, exitBlocked, Main(context.Background(), flags, strings.NewReader(""), &out, &errs))
	require.Empty(t, out.String())
	require.Equal(t, 1, strings.Count(errs.String(), "\n"), "one sentence: %s", errs.String())
	return errs.String()
}

func TestWhatIsInTheWay(t *testing.T) {
	b := newBench(t, host.Mischief{})
	s := b.run()
	require.Equal(t, Accepted, s.ask("card A 1").State)

	held := refused(t, "-journal", b.journal, "-lang", "en")
	require.Contains(t, held, b.journal)
	require.Contains(t, held, strconv.Itoa(os.Getpid()))
	held = refused(t, "-journal", b.journal, "-lang", "zh")
	require.Contains(t, held, "正被占用")
	require.Contains(t, held, strconv.Itoa(os.Getpid()))
	require.Zero(t, s.quit())

	key, err := os.ReadFile(KeyPath(b.journal))
	require.NoError(t, err)
	for text, sentence := range map[string]string{
		"":                             "has no key beside it",
		"nonsense\n":                   "is not a key file",
		strings.Repeat("0", 64) + "\n": "is not the one of this journal",
	} {
		require.NoError(t, os.Remove(KeyPath(b.journal)))
		if text != "" {
			require.NoError(t, os.WriteFile(KeyPath(b.journal), []byte(text), 0o600))
		} else {
			require.Contains(t, refused(t, "-journal", b.journal, "-lang", "en"), sentence)
			require.NoError(t, os.WriteFile(KeyPath(b.journal), key, 0o600))
			continue
		}
		require.Contains(t, refused(t, "-journal", b.journal, "-lang", "en"), sentence)
	}

	require.NoError(t, os.WriteFile(KeyPath(b.journal), key, 0o600))
	s = b.run()
	require.Equal(t, Accepted, s.ask("show A").State, "nothing was lost of it")
	require.Zero(t, s.quit())
}

func TestNoPlaceForAJournal(t *testing.T) {
	dir := t.TempDir()
	require.Contains(t, refused(t, "-journal", filepath.Join(dir, "missing", "journal"), "-lang", "en"), "cannot be used")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text"), bytes.Repeat([]byte("not a journal\n"), 1000), 0o600))
	require.Contains(t, refused(t, "-journal", filepath.Join(dir, "text"), "-lang", "en"), "has no key beside it")
}

func TestFlags(t *testing.T) {
	for _, flags := range [][]string{{"-nonsense"}, {"extra"}, {"-tmk", "11"}, {"-answer-timeout", "0s"}, {"-patience", "-1s"}, {"-lang", "fr"}} {
		require.NotEmpty(t, refused(t, flags...), flags)
	}
	var out, errs bytes.Buffer
	require.Zero(t, Main(context.Background(), []string{"-help", "-lang", "en"}, strings.NewReader(""), &out, &errs))
	require.Contains(t, errs.String(), "-journal")
	require.NotContains(t, refused(t, "6221558812340000", "-lang", "en"), "622155881234")
}

// TestKeyFile: made once, readable by its owner only, and kept.
func TestKeyFile(t *testing.T) {
	b := newBench(t, host.Mischief{})
	require.Zero(t, b.run().quit())
	made, err := os.Stat(KeyPath(b.journal))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), made.Mode().Perm())
	first, err := os.ReadFile(KeyPath(b.journal))
	require.NoError(t, err)
	require.NoError(t, makeKey(b.journal))
	again, err := os.ReadFile(KeyPath(b.journal))
	require.NoError(t, err)
	require.Equal(t, first, again, "a key is never replaced")
	left, err := os.ReadDir(filepath.Dir(b.journal))
	require.NoError(t, err)
	for _, f := range left {
		require.NotContains(t, f.Name(), ".key-", "no draft of a key is left")
	}
}
