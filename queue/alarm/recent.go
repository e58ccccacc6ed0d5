package alarm

import (
	"slices"
	"time"
)

// recent are the newest answers of one lane and class.
type recent struct {
	all  [64]answer
	next int // where the next one goes
}

type answer struct {
	at   time.Time // by the clock that nobody sets
	in   hour
	took time.Duration
}

// fresh is how long an answer tells of the host as it is now.
const fresh = 30 * time.Minute

// The fewest answers that a percentile is taken of, and the smallest rise that
// is one.
const (
	fewest50 = 20
	fewest95 = 60
	leastUp  = 500 * time.Millisecond
)

func (r *recent) add(a answer) {
	r.all[r.next] = a
	r.next = (r.next + 1) % len(r.all)
}

// of returns what the fresh answers of an hour took, ascending, and whether
// there are fresh ones at all.
func (r *recent) of(in hour, now time.Time) (took []time.Duration, any bool) {
	for _, a := range r.all {
		if a.at.IsZero() || now.Sub(a.at) > fresh {
			continue
		}
		any = true
		if a.in == in {
			took = append(took, a.took)
		}
	}
	slices.Sort(took)
	return took, any
}

// slowness is how answers compare with the last days'.
type slowness struct {
	percent     int64 // of the usual time; 0: there are no fresh answers
	percentile  int
	took, usual time.Duration
}

// compare returns the percentile that is up most; false where the answers of
// this hour, or of the days before, are too few to tell.
func (r *recent) compare(h *history, in hour, c class, now time.Time, keep int) (worst slowness, known bool) {
	took, any := r.of(in, now)
	if !any {
		return slowness{}, true
	}
	p50, p95, ok := h.usual(in, c, keep)
	if !ok {
		return slowness{}, false
	}
	for _, p := range []struct {
		percentile, fewest int
		usual              time.Duration
	}{{50, fewest50, p50}, {95, fewest95, p95}} {
		if len(took) < p.fewest {
			continue
		}
		s := slowness{100, p.percentile, took[rank(len(took), p.percentile)-1], p.usual}
		if s.took-s.usual >= leastUp {
			s.percent = int64(100 * s.took / s.usual)
		}
		if !known || s.percent > worst.percent {
			worst, known = s, true
		}
	}
	return worst, known
}
