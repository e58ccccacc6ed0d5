package routes

import (
	"sync"
	"time"
)

// chooser keeps the health of routes, best first, and which one is in use.
type chooser struct {
	opts   Options
	told   sync.Mutex // held while events are told, in their order
	mu     sync.Mutex
	routes []state
	inUse  int
	events []Event
}

// state is what is known of a route.
type state struct {
	Health
	unready int           // failures in a row to get ready
	silent  int           // failures in a row of what was sent
	proven  int           // tries passed in a row while idle
	entered time.Time     // when it was taken into use
	left    time.Time     // when it was last left for failures
	hold    time.Duration // how long it stays out of use then
}

func newChooser(o Options, names []string) *chooser {
	c := &chooser{opts: o}
	for _, n := range names {
		c.routes = append(c.routes, state{Health: Health{Name: n}, hold: o.Hold})
	}
	c.routes[0].entered = time.Now()
	return c
}

// order is in which order the routes are to be tried now: the one in use, then
// those that did not fail last, then the others, the better first.
func (c *chooser) order() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []int{c.inUse}
	for _, failing := range []bool{false, true} {
		for i, r := range c.routes {
			if i != c.inUse && (r.Failures > 0) == failing {
				out = append(out, i)
			}
		}
	}
	return out
}

// change runs fn on the routes and tells what came of it.
func (c *chooser) change(fn func(now time.Time)) {
	c.told.Lock()
	defer c.told.Unlock()
	c.mu.Lock()
	fn(time.Now())
	events := c.events
	c.events = nil
	c.mu.Unlock()
	if c.opts.OnEvent == nil {
		return
	}
	for _, ev := range events {
		c.show(ev)
	}
}

func (c *chooser) show(ev Event) {
	defer func() { _ = recover() }() // a screen's fault ends no payment
	c.opts.OnEvent(ev)
}

func (c *chooser) tell(ev Event, now time.Time) {
	ev.Time = now
	c.events = append(c.events, ev)
}

// succeeded notes that something sent over a route was answered. A route that
// carries traffic while the one in use fails takes its place.
func (c *chooser) succeeded(i int, took time.Duration) {
	c.change(func(now time.Time) {
		c.routes[i].silent = 0
		c.well(i, took, now)
		c.takeOver(i, now)
	})
}

// readied notes that a route is ready. That proves nothing about what is sent
// over it: those failures still count.
func (c *chooser) readied(i int) {
	c.change(func(now time.Time) {
		c.well(i, 0, now)
		c.takeOver(i, now)
	})
}

func (c *chooser) takeOver(i int, now time.Time) {
	if i != c.inUse && c.routes[c.inUse].Failures >= c.opts.Failures {
		c.leave(i, now)
	}
}

func (c *chooser) well(i int, took time.Duration, now time.Time) {
	r := &c.routes[i]
	r.unready = 0
	if r.silent > 0 {
		r.Failures = r.silent
		return
	}
	if r.Failures > 0 {
		c.tell(Event{Kind: Recovered, Route: r.Name}, now)
	}
	r.Failures, r.Err, r.LastSuccess = 0, nil, now
	switch {
	case took <= 0:
	case r.Latency == 0:
		r.Latency = took
	default:
		r.Latency += (took - r.Latency) / 5
	}
}

// failed notes that a route did not get ready, or that what was sent over it was
// not answered.
func (c *chooser) failed(i int, sent bool, err error) {
	c.change(func(now time.Time) {
		r := &c.routes[i]
		if sent {
			r.silent++
		} else {
			r.unready++
		}
		r.Failures = r.silent + r.unready
		r.proven, r.Err, r.LastFailure = 0, err, now
		c.tell(Event{Kind: Failed, Route: r.Name, Failures: r.Failures, Err: err}, now)
		if i != c.inUse || r.Failures < c.opts.Failures {
			return
		}
		for j := range c.routes {
			if j != i && c.routes[j].Failures == 0 {
				c.leave(j, now)
				return
			}
		}
	})
}

// leave gives up the route in use for another. One that was in use for a short
// while only stays away longer.
func (c *chooser) leave(to int, now time.Time) {
	r := &c.routes[c.inUse]
	if r.left.IsZero() || now.Sub(r.entered) > 10*r.hold {
		r.hold = c.opts.Hold
	} else {
		r.hold = min(2*r.hold, max(longestHold, c.opts.Hold))
	}
	r.left, r.proven = now, 0
	c.tell(Event{Kind: Left, Route: r.Name, To: c.routes[to].Name, Failures: r.Failures, Err: r.Err}, now)
	c.inUse = to
	c.routes[to].entered = now
}

// probed notes a try of an idle route that carried nothing. err nil: it passed.
func (c *chooser) probed(i int, took time.Duration, err error) {
	if err != nil {
		c.failed(i, false, err)
		return
	}
	c.change(func(now time.Time) {
		c.routes[i].silent = 0 // what went unanswered before is what Hold is for
		c.well(i, took, now)
		c.routes[i].proven++
		c.maybeReturn(i, now)
	})
}

// assumed lets a route that cannot be tried count as one that passed.
func (c *chooser) assumed(i int) {
	c.change(func(now time.Time) {
		c.routes[i].proven = c.opts.Proven
		c.maybeReturn(i, now)
	})
}

// maybeReturn takes a better route into use again once it has proved well.
func (c *chooser) maybeReturn(i int, now time.Time) {
	r := &c.routes[i]
	if i >= c.inUse || r.proven < c.opts.Proven || (!r.left.IsZero() && now.Sub(r.left) < r.hold) {
		return
	}
	c.tell(Event{Kind: Returned, Route: c.routes[c.inUse].Name, To: r.Name}, now)
	r.Failures, r.silent, r.unready, r.Err = 0, 0, 0, nil
	c.inUse, r.entered = i, now
}

// idle are the routes to try now.
func (c *chooser) idle() (out []int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.routes {
		if i != c.inUse && (i < c.inUse || c.opts.Hot) {
			out = append(out, i)
		}
	}
	return out
}

// using is the route in use.
func (c *chooser) using() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.inUse
}

func (c *chooser) health() (out []Health) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, r := range c.routes {
		h := r.Health
		h.InUse = i == c.inUse
		out = append(out, h)
	}
	return out
}
