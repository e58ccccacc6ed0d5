package main

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestFullDisk: a day whose folder has no room ends with one sentence and
// status 2, wherever in the day that is.
func TestFullDisk(t *testing.T) {
	for _, size := range []string{"16k", "1m", "4200k", "4300k"} {
		t.Run(size, func(t *testing.T) {
			dir := t.TempDir()
			if err := unix.Mount("none", dir, "tmpfs", 0, "size="+size); err != nil {
				t.Skipf("no small disk can be mounted here (%v): mounting needs root", err)
			}
			t.Cleanup(func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) })
			out, status := finished(t, "-route", writeRoute(t, 300), "-keep", filepath.Join(dir, "kept"), "-kills", "2", "-seed", "1", "-loss", "0")
			require.Equal(t, exitBlocked, status, out)
			require.Contains(t, out, "no space")
		})
	}
}
