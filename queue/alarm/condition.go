package alarm

import "time"

// condition is one figure against one threshold. It decides when that is worth
// a word, and nothing else: no clock, no lane, no text.
type condition struct {
	raised bool
	told   int64     // the figure when it was told last
	since  time.Time // when it was raised
	calm   time.Time // since when the figure is low again; zero: it is not
	grave  bool      // it was told that time does not heal the cause
}

// change is what a condition has to tell.
type change uint8

const (
	nothing change = iota
	raise
	worsen
	clear
)

// look takes the figure of this moment. A threshold below 1 watches nothing.
func (c *condition) look(now time.Time, have, threshold int64, calm time.Duration) change {
	low := threshold < 1 || have < threshold-threshold/5
	switch {
	case !c.raised && (low || have < threshold):
		return nothing
	case !c.raised:
		*c = condition{raised: true, told: have, since: now}
		return raise
	case !low:
		c.calm = time.Time{}
		if have/2 < c.told {
			return nothing
		}
		c.told = have
		return worsen
	case c.calm.IsZero():
		c.calm = now
	}
	if now.Sub(c.calm) < calm {
		return nothing
	}
	*c = condition{}
	return clear
}
