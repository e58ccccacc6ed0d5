package main

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"time"
)

type hashing struct {
	n    uint64
	cost time.Duration
}

type report struct {
	seeds                 int
	rows                  []row
	hashing               []hashing
	reading               reading
	loadBefore, loadAfter string
}

// target is what a row must reach.
type target struct {
	bytes, trips int
	cpu          time.Duration
}

func (r row) target() (t target, ok bool) {
	switch {
	case r.d == 0:
		return target{64, 1, 0}, true
	case r.n == 1_000_000 && r.kind == "gaps" && r.d == 10:
		return target{100, 3, 0}, true
	case r.n == 1_000_000 && r.kind == "gaps" && r.d == 1_000:
		return target{4_000, 3, 1500 * time.Millisecond}, true
	case r.n == 1_000_000 && r.d == 10:
		return target{600, 3, 0}, true
	case r.n == 1_000_000 && r.d == 1_000:
		return target{40_000, 3, 1500 * time.Millisecond}, true
	}
	return t, false
}

func (r row) verdict() string {
	t, ok := r.target()
	if !ok {
		return ""
	}
	cpu := max(slices.Max(r.device), slices.Max(r.host))
	word := "reached"
	if slices.Max(r.bytes) > t.bytes || slices.Max(r.trips) > t.trips || t.cpu > 0 && cpu > t.cpu {
		word = "missed"
	}
	out := fmt.Sprintf("%s: %s B, %d trips", word, thousands(t.bytes), t.trips)
	if t.cpu > 0 {
		out += fmt.Sprintf(", %.1f s", t.cpu.Seconds())
	}
	return out
}

func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# What it costs to find out what differs

One journal of n entries against one ledger that lacks d of them (gaps) or has
another content for d of them (mismatches), spread at random or in bursts of 50.
Each row is %d comparisons with other differences and other keys; every one was
checked to find exactly what differs. Bytes are those of the protocol's messages,
both ways; what carries them (HTTP, TLS) comes on top. Processor time is user
time of one side on a machine of %d processors (%s/%s), which was shared: its load
was %s before and %s after. Both sides hold the tree of their entries in memory.

| n | d | differ | bytes: median | largest | round trips | step | device: largest | host: largest | the tree alone | rateless IBLT | everything | to reach |
|--:|--:|---|--:|--:|--:|---|--:|--:|--:|--:|--:|---|
`, r.seeds, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, r.loadBefore, r.loadAfter)
	for _, w := range r.rows {
		trips := fmt.Sprint(slices.Min(w.trips))
		if m := slices.Max(w.trips); m != slices.Min(w.trips) {
			trips += fmt.Sprintf("–%d", m)
		}
		var steps []string
		for _, s := range slices.Sorted(maps.Keys(w.steps)) {
			steps = append(steps, string(s))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n",
			thousands(int(w.n)), thousands(w.d), strings.TrimSpace(w.kind+" "+w.shape), thousands(median(w.bytes)), thousands(slices.Max(w.bytes)), trips,
			strings.Join(steps, ", "), seconds(slices.Max(w.device)), seconds(slices.Max(w.host)),
			thousands(median(w.tree)), thousands(median(w.iblt)), thousands(int(w.n)*20), w.verdict())
	}
	b.WriteString(`
The tree alone tells neither gaps nor a sketch. The rateless IBLT is the one over
items of (sequence, digest): 18 bytes a symbol, as many symbols as the decoder
turns out to need, and nothing for its head, its key or a first round trip; it is
what the vector sketch replaced, which counts a mismatch once and needs no check
word. Everything is a sequence of 4 bytes and a digest of 16 for each entry.

Hashing the tree when it was just filled, for one side:
`)
	for _, n := range []uint64{1_000, 100_000, 1_000_000} {
		var all []time.Duration
		for _, h := range r.hashing {
			if h.n == n {
				all = append(all, h.cost)
			}
		}
		if len(all) > 0 {
			fmt.Fprintf(&b, "%s entries %s s. ", thousands(int(n)), seconds(median(all)))
		}
	}
	b.WriteString("\nFrom then on a booking costs the hashes of its path.\n")
	each := r.reading.first / time.Duration(r.reading.entries)
	fmt.Fprintf(&b, `
A device has its tree from reading its journal once (reconcile.Mirror): %s
entries took %s s of user time, %.1f µs each, so %.1f s for a million; the second
comparison of an unchanged journal took %s s. A later process that loads what this
one saved took %.2f µs an entry, so %.1f s for a million.
`, thousands(r.reading.entries), seconds(r.reading.first), float64(each.Nanoseconds())/1000, each.Seconds()*1e6, seconds(r.reading.second),
		float64(r.reading.load.Nanoseconds())/1000/float64(r.reading.entries), r.reading.load.Seconds()/float64(r.reading.entries)*1e6)
	return b.String()
}

func median[T int | time.Duration](all []T) T {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()) }

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
