package alarm

import (
	"slices"
	"time"
)

// class tells answers apart that have nothing to do with each other: an issuer
// decides on a request, a host takes note of the rest.
type class uint8

const (
	decisions class = iota
	deliveries
	classes
)

// hour is one hour of one day, in the zone that hours are counted in.
type hour struct {
	day int64 // since 1970
	of  int   // 0 to 23
}

func hourOf(t time.Time, zone *time.Location) hour {
	t = t.In(zone)
	_, offset := t.Zone()
	return hour{day: floorDiv(t.Unix()+int64(offset), 24*60*60), of: t.Hour()}
}

func floorDiv(a, b int64) int64 {
	if a < 0 {
		return -((-a + b - 1) / b)
	}
	return a / b
}

// history is what the answers of one lane took, by hour of the day, for some
// days.
type history struct {
	days []day // ascending
}

type day struct {
	n     int64
	hours [24][classes]*counts
}

const (
	minDays = 3
	maxDays = 31
	// enough is how many answers the same hour of the last days must have had,
	// on minDays days, before it is compared with.
	enough = 50
)

// add counts an answer, and lets go of days so that keep of them and today are
// left: first of those that are not among the last ones, which a wrong clock
// has left, then of the oldest.
func (h *history) add(at hour, c class, took time.Duration, keep int) {
	i, found := slices.BinarySearchFunc(h.days, at.day, func(d day, n int64) int { return int(max(-1, min(1, d.n-n))) })
	if !found {
		h.days = slices.Insert(h.days, i, day{n: at.day})
		if len(h.days) > keep+1 {
			drop := slices.IndexFunc(h.days, func(d day) bool { return d.n < at.day-int64(keep) || d.n > at.day })
			h.days = slices.Delete(h.days, max(drop, 0), max(drop, 0)+1)
		}
		i = slices.IndexFunc(h.days, func(d day) bool { return d.n == at.day })
	}
	cell := &h.days[i].hours[at.of][c]
	if *cell == nil {
		*cell = new(counts)
	}
	(*cell).add(took)
}

// usual is what answers took in the same hour of the keep days before; false
// where there are too few to tell.
func (h *history) usual(at hour, c class, keep int) (p50, p95 time.Duration, ok bool) {
	var same []*counts
	answers := 0
	for _, d := range h.days {
		cell := d.hours[at.of][c]
		if d.n >= at.day || d.n < at.day-int64(keep) || cell == nil {
			continue
		}
		same = append(same, cell)
		answers += cell.total()
	}
	if len(same) < minDays || answers < enough {
		return 0, 0, false
	}
	all := sum(same)
	return percentile(all, 50), percentile(all, 95), true
}
