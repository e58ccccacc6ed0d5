package routes

import "time"

// EventKind is what happened to a route.
type EventKind uint8

// The events. What each fills in stands behind it.
const (
	Failed    EventKind = iota + 1 // a try over the route failed: Failures, Err
	Recovered                      // the first success after failures
	Left                           // the route in use was given up for To
	Returned                       // the route in use was left for To, a better one that proved well
)

var kindNames = [...]string{"", "failed", "recovered", "left", "returned"}

func (k EventKind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// Event is one thing that happened to a route, for a screen. It holds no card
// data.
type Event struct {
	Kind     EventKind
	Time     time.Time
	Route    string
	To       string // of Left and Returned: the route in use now
	Failures int    // in a row
	Err      error
}

// Health is how a route gets on.
type Health struct {
	Name        string
	InUse       bool
	Failures    int       // in a row
	LastSuccess time.Time // zero: none yet
	LastFailure time.Time // zero: none yet
	// Latency is how long its answers, or its connections, took: a mean in which
	// each new one counts a fifth. 0: unknown.
	Latency time.Duration
	Err     error // of the last failure; nil since it succeeded
}
