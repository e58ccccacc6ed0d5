package handset

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/tallystick/tallystick/examples/acquirer/host"
)

// smallDisk mounts a disk of so many KiB, or skips the test.
func smallDisk(t *testing.T, kib int) string {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", kib)); err != nil {
		t.Skipf("no small disk can be mounted here (%v): mounting needs root", err)
	}
	t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// fill takes all the space that is left on the disk.
func fill(t *testing.T, dir string) (free func()) {
	f, err := os.Create(filepath.Join(dir, "ballast"))
	require.NoError(t, err)
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	require.ErrorIs(t, err, unix.ENOSPC)
	require.NoError(t, f.Close())
	return func() { require.NoError(t, os.Remove(f.Name())) }
}

// TestFullDisk: on a disk without room the program says so in one sentence with
// status 2. What it had answered before is there when there is room again.
func TestFullDisk(t *testing.T) {
	b := newBench(t, host.Mischief{})
	dir := smallDisk(t, 32<<10)
	b.journal = filepath.Join(dir, "journal")
	free := fill(t, dir)
	require.Contains(t, refused(t, "-journal", b.journal, "-lang", "en"), "no space is left on the disk")
	free()

	s := b.run()
	free = fill(t, dir)
	taken, status := 0, -1
	for status < 0 {
		s.say(fmt.Sprintf("cash C%d 1", taken))
		for status < 0 {
			l, ok := s.next()
			if !ok {
				status = <-s.ended
			} else if l.Word == WordAnswer {
				require.Equal(t, Stored, ParseAnswer(l).State)
				taken++
				break
			}
		}
	}
	require.Equal(t, exitBlocked, status)
	require.Contains(t, s.stderr.String(), "no space is left on the disk")
	require.NotZero(t, taken)
	free()

	s = b.run()
	for i := range taken {
		require.True(t, s.ask(fmt.Sprintf("show C%d", i)).State.Taken(), i)
	}
	require.Zero(t, s.quit())
}
