package queue

import (
	"math"
	"time"
)

// Maintenance is a planned pause of a lane's host. The background sends nothing
// in it: entries wait, new ones are journalled, and no failure is counted. A Do
// is tried all the same, for the host may be there and the device's clock wrong.
// It ends up to a tenth of its length late, at random, so that not all devices
// come at once.
type Maintenance struct {
	// Start is the first time that it begins, in the zone that it is planned in.
	Start time.Time
	// Length is how long it lasts, up to 12 hours.
	Length time.Duration
	// EveryDays repeats it: 1 daily, 7 weekly, at the same time of the day. 0:
	// once.
	EveryDays int
}

const longestMaintenance = 12 * time.Hour

// last returns when the window began that t is in, or the one before t.
func (m Maintenance) last(t time.Time) time.Time {
	if m.EveryDays <= 0 || t.Before(m.Start) {
		return m.Start
	}
	n := int(math.Floor(t.Sub(m.Start).Hours()/24)) / m.EveryDays
	begins := m.Start.AddDate(0, 0, n*m.EveryDays)
	if begins.After(t) { // a zone's days are not all of 24 hours
		return m.Start.AddDate(0, 0, (n-1)*m.EveryDays)
	}
	if next := m.Start.AddDate(0, 0, (n+1)*m.EveryDays); !next.After(t) {
		return next
	}
	return begins
}

// plannedUntil is when the lane's planned pause ends that now is in; zero where
// it is in none.
func (o *Options) plannedUntil(l Lane, now time.Time) (until time.Time) {
	for _, m := range o.Lanes[l].Maintenance {
		length := min(m.Length, longestMaintenance)
		begins := m.last(now)
		ends := begins.Add(length)
		if length <= 0 || now.Before(begins) {
			continue
		}
		ends = ends.Add(time.Duration(o.late(ends) * float64(length/10)))
		if now.Before(ends) && ends.After(until) {
			until = ends
		}
	}
	return until
}

// late is a fraction of one, the same for this device and one end of a window,
// another for others.
func (o *Options) late(ends time.Time) float64 {
	x := o.seed ^ uint64(ends.Unix())
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return float64((x^x>>31)>>11) / (1 << 53)
}
