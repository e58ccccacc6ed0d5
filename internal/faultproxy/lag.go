package faultproxy

import (
	"math/rand/v2"
	"time"
)

// maxUnderWay bounds the units that are under way one way; more wait at their
// sender.
const maxUnderWay = 1024

// lag is what is under way in one direction of a line.
type lag struct {
	shape Shape
	free  time.Time // when the line has room for the next unit
	last  time.Time // when the newest unit arrives
	units chan parcel
}

// parcel is a unit and when it arrives; no bytes: the end of the line.
type parcel struct {
	at time.Time
	b  []byte
}

func newLag(s Shape) *lag {
	// A connection costs a round trip before anything passes.
	up := time.Now().Add(2 * s.Latency)
	return &lag{shape: s, free: up, last: up, units: make(chan parcel, maxUnderWay)}
}

// add sends b on its way; nil ends the line. It returns false when the line has
// ended already.
func (g *lag) add(l *line, b []byte) bool {
	if now := time.Now(); g.free.Before(now) {
		g.free = now
	}
	if g.shape.Rate > 0 {
		g.free = g.free.Add(time.Duration(len(b)) * time.Second / time.Duration(g.shape.Rate))
	}
	at := g.free.Add(g.shape.Latency)
	if g.shape.Jitter > 0 {
		at = at.Add(rand.N(g.shape.Jitter))
	}
	if at.Before(g.last) {
		at = g.last
	}
	g.last = at
	select {
	case g.units <- parcel{at, b}:
		return true
	case <-l.gone:
		return false
	}
}

// deliver writes what arrives until the line ends.
func (g *lag) deliver(l *line, to Direction) {
	for {
		select {
		case p := <-g.units:
			if !l.wait(time.Until(p.at)) {
				return
			}
			if p.b == nil {
				l.close()
				return
			}
			if _, err := l.ends[to].Write(p.b); err != nil {
				l.close()
				return
			}
		case <-l.gone:
			return
		}
	}
}
