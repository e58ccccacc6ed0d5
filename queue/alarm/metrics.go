package alarm

import (
	"time"

	"github.com/tallystick/tallystick/queue"
)

// Metrics takes the figures of a Monitor. Its methods are called from several
// goroutines, must return soon and must not call the Monitor. Package
// alarm/prom is one for Prometheus.
type Metrics interface {
	// Backlog tells what a lane holds, at each look.
	Backlog(b queue.Backlog)
	// Prepared tells of an uplink's Prepare: how long it took, and why there is
	// no line, 0 when there is one.
	Prepared(l queue.Lane, took time.Duration, failed Cause)
	// Sent tells of one transmission: how long it took until its answer, or
	// until the wait ended without one. What did not leave the device is not
	// told.
	Sent(l queue.Lane, k queue.Kind, took time.Duration, answered bool)
	// Warned tells of a Warning that was raised, has become worse or is cleared.
	Warned(w *Warning)
}

type noMetrics struct{}

func (noMetrics) Backlog(queue.Backlog)                            {}
func (noMetrics) Prepared(queue.Lane, time.Duration, Cause)        {}
func (noMetrics) Sent(queue.Lane, queue.Kind, time.Duration, bool) {}
func (noMetrics) Warned(*Warning)                                  {}
