package routes

import (
	"fmt"
	"time"
)

// Options of New and NewDialer. The zero value, or nil, holds the defaults;
// neither writes to it.
type Options struct {
	// Failures is how many failures in a row make the route in use be left, when
	// another one works. Default 2.
	Failures int
	// Probe is how often an idle route is tried: a better one than that in use,
	// and with Hot each. Default 30 s.
	Probe time.Duration
	// Proven is how many tries in a row a better route must pass before it is
	// taken into use again. Default 3.
	Proven int
	// Hold is for how long a route that was left stays out of use at least.
	// Default 1 min.
	Hold time.Duration
	// Hot keeps every idle route ready: an uplink by its Prepare, a line by a
	// connection that waits, for ten minutes until it is made anew. Default: an idle route that is not better than the
	// one in use is left alone.
	Hot bool
	// OnEvent is told what happens to the routes. It is called from several
	// goroutines, one at a time for each Dialer or Uplink, must return soon and
	// must not call them. A panic in it is dropped.
	OnEvent func(Event)
}

const longestHold = time.Hour

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Failures <= 0 {
		d.Failures = 2
	}
	if d.Proven <= 0 {
		d.Proven = 3
	}
	if d.Probe <= 0 {
		d.Probe = 30 * time.Second
	}
	if d.Hold <= 0 {
		d.Hold = time.Minute
	}
	return d
}

// named checks the names of routes: something to tell them apart by.
func named(names []string) error {
	seen := map[string]bool{}
	for i, n := range names {
		switch {
		case n == "" || len(n) > 64:
			return fmt.Errorf("route %d: its name has %d bytes, allowed are 1 to 64", i+1, len(n))
		case seen[n]:
			return fmt.Errorf("route %d: another one is named %q, too", i+1, n)
		}
		seen[n] = true
	}
	if len(names) == 0 {
		return fmt.Errorf("no route: at least one is needed")
	}
	return nil
}
