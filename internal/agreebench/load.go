package main

import (
	"os"
	"strings"
)

// load is what the machine was busy with over the last minute, five and
// fifteen, where that can be told.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "not known"
	}
	return strings.Join(strings.Fields(string(b))[:3], " ")
}
