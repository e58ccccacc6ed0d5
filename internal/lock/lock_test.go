package lock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/lock"
)

// holdEnv makes the test binary a process that holds the named lock until its
// input ends.
const holdEnv = "TALLYSTICK_LOCK_HOLD"

func TestMain(m *testing.M) {
	path := os.Getenv(holdEnv)
	if path == "" {
		os.Exit(m.Run())
	}
	l, err := lock.Acquire(context.Background(), path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("held")
	_, _ = bufio.NewReader(os.Stdin).ReadByte()
	_ = l.Release()
}

func now(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func requireHeld(t *testing.T, err error, pid int) {
	t.Helper()
	var held *lock.HeldError
	require.ErrorAs(t, err, &held)
	require.ErrorIs(t, err, lock.ErrHeld)
	require.Equal(t, pid, held.PID)
	require.Contains(t, err.Error(), fmt.Sprint(pid))
}

func TestOneHolderInAProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.lock")
	l, err := lock.Acquire(now(t), path)
	require.NoError(t, err)
	_, err = lock.Acquire(now(t), path)
	requireHeld(t, err, os.Getpid())
	require.NoError(t, l.Release())
	l, err = lock.Acquire(now(t), path)
	require.NoError(t, err)
	require.NoError(t, l.Release())
	_, err = os.Stat(path)
	require.NoError(t, err, "the lock file stays")
}

func TestOneHolderUnderTwoNames(t *testing.T) {
	dir := t.TempDir()
	real := filepath.Join(dir, "real")
	require.NoError(t, os.Mkdir(real, 0o700))
	if err := os.Symlink(real, filepath.Join(dir, "link")); err != nil {
		t.Skipf("no symlinks here: %v", err)
	}
	l, err := lock.Acquire(now(t), filepath.Join(real, "j.lock"))
	require.NoError(t, err)
	defer l.Release()
	_, err = lock.Acquire(now(t), filepath.Join(dir, "link", "j.lock"))
	requireHeld(t, err, os.Getpid())
	t.Chdir(dir)
	_, err = lock.Acquire(now(t), filepath.Join("real", ".", "j.lock"))
	requireHeld(t, err, os.Getpid())
}

func TestOneHolderAmongProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.lock")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+path)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "held\n", line)

	_, err = lock.Acquire(now(t), path)
	requireHeld(t, err, cmd.Process.Pid)

	// Bounded: the wait ends with its context, and sees the other let go.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	_, err = lock.Acquire(ctx, path)
	requireHeld(t, err, cmd.Process.Pid)
	require.NoError(t, in.Close())
	l, err := lock.Acquire(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, cmd.Wait())
	require.NoError(t, l.Release())
}

func TestKilledHolderLetsGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "j.lock")
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holdEnv+"="+path)
	_, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	l, err := lock.Acquire(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, l.Release())
}

func TestFileIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	path := filepath.Join(t.TempDir(), "j.lock")
	l, err := lock.Acquire(now(t), path)
	require.NoError(t, err)
	defer l.Release()
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode())
}

func TestMissingFolder(t *testing.T) {
	_, err := lock.Acquire(now(t), filepath.Join(t.TempDir(), "none", "j.lock"))
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.False(t, errors.Is(err, lock.ErrHeld))
}
