package main

import (
	"fmt"
	"time"
)

// target is a bound that was set before anything was measured.
type target struct {
	what     string
	measured string
	bound    string
	stretch  string
	verdict  string
}

// atMost judges a figure that must not exceed its bound; a stretch of 0 is none.
func atMost(v, bound, stretch float64) string {
	switch {
	case v > bound:
		return fmt.Sprintf("**missed**: %.3g times the bound", v/bound)
	case stretch > 0 && v <= stretch:
		return "met, stretch too"
	}
	return "met"
}

// atLeast judges a figure that must not fall below its bound.
func atLeast(v, bound, stretch float64) string {
	switch {
	case v < bound:
		return fmt.Sprintf("**missed**: %.0f %% of the bound", 100*v/bound)
	case stretch > 0 && v >= stretch:
		return "met, stretch too"
	}
	return "met"
}

// million is at how many entries the bounds of a large journal hold.
const million = 1_000_000

// atMillion gives a verdict only where as many entries were there.
func atMillion(entries int, verdict string) string {
	if entries < million {
		return fmt.Sprintf("not judged: %d entries", entries)
	}
	return verdict
}

const mib = 1 << 20

func judge(m measured) []target {
	r := m.rounds
	by := func(n int) float64 { return r.ratio(key{tallystick, rateBy(n)}, key{raw, rateBy(n)}) }
	one := r.ratio(key{tallystick, p50}, key{raw, p50})
	life := r.ratio(key{raw, rateBy(lifeWriters)}, key{tallystick, perSec})
	out := []target{
		{"one writer, p50 append ÷ raw fdatasync", times(one), "≤ 3.0", "2.5", atMost(one, 3, 2.5)},
		{"8 writers ÷ raw group commit", times(by(8)), "≥ 0.38", "0.55", atLeast(by(8), .38, .55)},
		{"64 writers ÷ raw group commit", times(by(64)), "≥ 0.32", "0.50", atLeast(by(64), .32, .50)},
		{"256 writers ÷ raw group commit", times(by(256)), "≥ 0.30", "0.45", atLeast(by(256), .30, .45)},
	}
	batch := r.ratio(key{tallystick, rateBy(64)}, key{boltBatch, rateBy(64)})
	each := r.ratio(key{tallystick, perSec}, key{sqliteEach, perSec})
	many := r.ratio(key{tallystick, perSec}, key{sqliteMany, perSec})
	out = append(out,
		target{"64 writers vs bbolt's own Batch (1 ms)", times(batch), "≥ 3", "", atLeast(batch, 3, 0)},
		target{"append–attempt–answer by 64, its time ÷ one raw group commit of the appends alone", times(life), "≤ 4.0", "2.8", atMost(life, 4, 2.8)},
		target{"the same vs " + sqliteEach, times(each), "≥ 6", "", atLeast(each, 6, 0)},
		target{"the same vs " + sqliteMany, times(many), "≥ 6", "", atLeast(many, 6, 0)})
	return append(out, judgeLarge(m)...)
}

func judgeLarge(m measured) []target {
	o, l := m.online, m.large
	one := "met"
	if o != (online{1, 1}) {
		one = "**missed**"
	}
	drained := float64(l.drained) / float64(l.fresh)
	mb := func(b int64) string { return fmt.Sprintf("%.1f MiB", float64(b)/mib) }
	heap := max(l.heapFilled, l.heapOpened)
	n := l.entries
	atMillion := func(n int, verdict string) string {
		if m.largeFailed != nil {
			return "**missed**: not measured to the end"
		}
		return atMillion(n, verdict)
	}
	return []target{
		{"an online sale: commits before its first byte, and before Do returns", fmt.Sprintf("%d and %d", o.beforeFirstByte, o.beforeReturn),
			"1 and 1", "", one},
		{fmt.Sprintf("open after a clean close (%d entries)", n), short(l.openClean), "≤ 10 ms at 1 M", "",
			atMillion(n, atMost(l.openClean.Seconds(), .010, 0))},
		{fmt.Sprintf("open after a crash, warm (%d entries)", n), short(l.openCrashed), "≤ 1.5 s at 1 M", "",
			atMillion(n, atMost(l.openCrashed.Seconds(), 1.5, 0))},
		{fmt.Sprintf("bytes a commit changes after draining %d ÷ in a new file", n), times(drained), "≤ 2 at 1 M", "",
			atMillion(n, atMost(drained, 2, 0))},
		{fmt.Sprintf("heap at %d pending entries", n), mb(heap), "≤ 64 MiB at 1 M", "", atMillion(n, atMost(float64(heap), 64*mib, 0))},
		{fmt.Sprintf("heap at %d pending entries", m.heapEntries), mb(m.heap), "≤ 8 MiB at 10 k", "", atMost(float64(m.heap), 8*mib, 0)},
	}
}

func times(v float64) string { return fmt.Sprintf("%.2f", v) }

func short(d time.Duration) string {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond).String()
	}
	return d.Round(time.Millisecond).String()
}
