package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// measured is everything that one run found.
type measured struct {
	quick       bool
	fs          string
	loadBefore  string
	loadAfter   string
	roundCount  int
	rounds      results
	large       large
	largeFailed error
	online      online
	heap        int64
	heapEntries int
}

// markdown writes the report. The chart stands beside it.
func (m measured) markdown() string {
	var b strings.Builder
	w := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	w("# What durability costs")
	w("")
	if m.quick {
		w("**A quick run: it shows that everything works. Its figures mean nothing.**")
		w("")
	}
	w("Written by `go run . -out DIR` in this folder. %s, %s/%s, %d CPUs; %s; load before %s, after %s; %d rounds, interleaved.",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), m.fs, m.loadBefore, m.loadAfter, m.roundCount)
	w("Every store is durable when it answers. Figures are medians of the rounds; ratios are taken within each round first.")
	w("")
	w("![appends and whole lives per second](chart.svg)")
	w("")
	m.writeTargets(w)
	m.writeAppends(w)
	m.writeLives(w)
	m.writeLarge(w)
	writeMethod(w)
	return b.String()
}

type line func(format string, args ...any)

func (m measured) writeTargets(w line) {
	w("## Targets")
	w("")
	w("| | measured | target | stretch | |")
	w("|---|---|---|---|---|")
	for _, t := range judge(m) {
		w("| %s | %s | %s | %s | %s |", t.what, t.measured, t.bound, t.stretch, t.verdict)
	}
	w("")
}

func (m measured) writeAppends(w line) {
	w("## Appends")
	w("")
	w("Records of %d bytes, and for tallystick a card sale whose fields have about as many. ÷ raw is by the raw file's figure of the same round.", recordSize)
	w("")
	w("| | p50 of one writer | ÷ raw | by 8, /s | ÷ raw | by 64, /s | ÷ raw | by 256, /s | ÷ raw |")
	w("|---|---|---|---|---|---|---|---|---|")
	for _, c := range contenders {
		row := fmt.Sprintf("| %s | %.0f µs | %.2f |", c.name, m.rounds.median(key{c.name, p50}), m.rounds.ratio(key{c.name, p50}, key{raw, p50}))
		for _, n := range []int{8, 64, 256} {
			k := key{c.name, rateBy(n)}
			if len(m.rounds[k]) == 0 {
				row += " | |"
				continue
			}
			row += fmt.Sprintf(" %.0f | %.3f |", m.rounds.median(k), m.rounds.ratio(k, key{raw, rateBy(n)}))
		}
		w("%s", row)
	}
	w("")
	for _, c := range contenders {
		lo, hi := m.rounds.spread(key{c.name, rateBy(64)})
		w("- %s%s: %s. By 64, rounds from %.0f to %.0f /s.", c.name, version(c.name), c.how, lo, hi)
	}
	w("")
}

// modules are where the contenders come from.
var modules = map[string]string{
	boltBatch: "go.etcd.io/bbolt", tidwall: "github.com/tidwall/wal", raftWAL: "github.com/hashicorp/raft-wal",
	dqueue: "github.com/joncrlsn/dque", sqlite: "modernc.org/sqlite",
}

func version(who string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, d := range info.Deps {
		if d.Path == modules[who] {
			return " (" + d.Path + " " + d.Version + ")"
		}
	}
	return ""
}

func (m measured) writeLives(w line) {
	w("## Append, attempt, answer")
	w("")
	w("64 writers append while a forwarder delivers in windows of 64 to a host in memory, until all is answered.")
	w("")
	w("| | entries/s | tallystick is faster by |")
	w("|---|---|---|")
	for _, who := range []string{tallystick, sqliteMany, sqliteEach} {
		w("| %s | %.0f | %.1f |", who, m.rounds.median(key{who, perSec}), m.rounds.ratio(key{tallystick, perSec}, key{who, perSec}))
	}
	w("")
}

func (m measured) writeLarge(w line) {
	l := m.large
	w("## A journal with %d entries", l.entries)
	w("")
	if m.largeFailed != nil {
		w("It did not get to the end, and zeros stand for what was not measured: %v.", m.largeFailed)
		w("")
	}
	w("| | |")
	w("|---|---|")
	w("| file | %.1f MiB, %d bytes an entry |", float64(l.fileBytes)/mib, l.fileBytes/int64(max(1, l.entries)))
	w("| appends while it was filled, by 64 | %.0f /s |", l.appendRate)
	w("| Drain of all, window 64 | %.0f /s |", l.drainRate)
	w("| Open after a clean close | %s; examined behind it after %s |", short(l.openClean), short(l.readyClean))
	w("| Open after a crash (a copy of the open file, in the page cache) | %s |", short(l.openCrashed))
	w("| heap, having appended them | %.1f MiB |", float64(l.heapFilled)/mib)
	w("| heap, opened anew | %.1f MiB |", float64(l.heapOpened)/mib)
	w("| bytes of the file that the commit of one entry changes | %d in a new file, %d with all pending, %d after draining |", l.fresh, l.filled, l.drained)
	w("")
}

func writeMethod(w line) {
	w("## How")
	w("")
	w("- Each trial has a new store in a new folder, warmed by two records a writer; opening, creating and closing are not timed.")
	w("- Rounds begin with a different contender each; the garbage of one trial is collected before the next.")
	w("- The group committer for those that have none of their own takes what waits, and up to 50 µs long as many as the last group had. A lone writer commits for itself.")
	w("- Bytes per commit are pages of the file that differ before and after, times 4096: `write_bytes` of /proc counts whole folios on ext4, and the block device's counter counts every process.")
	w("- The commits of an online sale are counted in the file itself, by the transaction number of its meta pages, at the moment of sending and after.")
	w("- The journal's entries are sealed (AES-256-GCM), indexed and chained; the peers' records are neither sealed nor indexed.")
}
