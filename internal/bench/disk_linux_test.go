package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMemoryIsNoDisk(t *testing.T) {
	table := []byte("22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n" +
		"31 22 0:27 / /dev/shm rw,nosuid - tmpfs tmpfs rw\n" +
		"cut short\n")
	name, volatile := inMounts(table, "254:0")
	require.Equal(t, "ext4 on /dev/vda", name)
	require.False(t, volatile)
	name, volatile = inMounts(table, "0:27")
	require.Equal(t, "tmpfs on tmpfs", name)
	require.True(t, volatile)
	name, volatile = inMounts(table, "9:9")
	require.Equal(t, "unknown file system", name)
	require.False(t, volatile)
}
