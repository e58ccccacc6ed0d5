package lock

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// A lock is given back although a child that is being started has its file still.
func TestReleaseWhileAChildIsStarted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.lock")
	l, err := Acquire(t.Context(), path)
	require.NoError(t, err)
	inherited, err := unix.Dup(int(l.file.Fd()))
	require.NoError(t, err)
	defer unix.Close(inherited)
	require.NoError(t, l.Release())
	now, cancel := context.WithCancel(t.Context())
	cancel()
	l, err = Acquire(now, path)
	require.NoError(t, err)
	require.NoError(t, l.Release())
}
