package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// fileSystem names the file system of a folder and the device below it.
func fileSystem(dir string) (name string, volatile bool, err error) {
	var s syscall.Stat_t
	if err := syscall.Stat(dir, &s); err != nil {
		return "", false, err
	}
	dev := fmt.Sprintf("%d:%d", (s.Dev>>8)&0xfff|(s.Dev>>32)&^0xfff, s.Dev&0xff|(s.Dev>>12)&^0xff)
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", false, err
	}
	name, volatile = inMounts(table, dev)
	return name, volatile, nil
}

// inMounts finds a device in the mount table:
// id parent major:minor root point options [optional…] - type source options
func inMounts(table []byte, dev string) (name string, volatile bool) {
	name = "unknown file system"
	for line := range bytes.Lines(table) {
		mount, fs, ok := strings.Cut(string(line), " - ")
		m, f := strings.Fields(mount), strings.Fields(fs)
		if !ok || len(m) < 3 || len(f) < 2 || m[2] != dev {
			continue
		}
		return f[0] + " on " + f[1], f[0] == "tmpfs" || f[0] == "ramfs"
	}
	return name, false
}

// load is the machine's load averages.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}
