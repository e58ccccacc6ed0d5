package queue

import (
	"errors"
	"time"
)

// PauseError is an error by which an Uplink tells the forwarder when to come
// again. Any error does that which errors.As finds to have RetryAfter() or
// Planned(); this one is ready-made. It decides nothing about the entry: wrap
// ErrNotSent in Err where that is proven.
type PauseError struct {
	// After is how long the host asks to be left alone: a slot. The forwarder
	// adds up to a tenth at random. 0: the forwarder's own pace.
	After time.Duration
	// CutOver says that the pause is planned: the host changes its business day
	// or is being maintained. It counts as no failure.
	CutOver bool
	Err     error
}

func (e *PauseError) Error() string {
	what := "the host asks for a pause"
	if e.CutOver {
		what = "the host pauses as planned"
	}
	if e.After > 0 {
		what += " of " + e.After.String()
	}
	if e.Err != nil {
		what += ": " + e.Err.Error()
	}
	return what
}

// Unwrap gives the cause.
func (e *PauseError) Unwrap() error { return e.Err }

// RetryAfter is After.
func (e *PauseError) RetryAfter() time.Duration { return e.After }

// Planned is CutOver.
func (e *PauseError) Planned() bool { return e.CutOver }

// longestSlot bounds what a host can ask for.
const longestSlot = 24 * time.Hour

// asked is what a host says of when to come again.
type asked struct {
	after   time.Duration
	planned bool
}

func (a asked) any() bool { return a.after > 0 || a.planned }

// and is the longer of two pauses.
func (a asked) and(b asked) asked {
	return asked{min(max(a.after, b.after), longestSlot), a.planned || b.planned}
}

func askedBy(err error) (a asked) {
	if err == nil {
		return a
	}
	var slot interface{ RetryAfter() time.Duration }
	if errors.As(err, &slot) {
		a.after = slot.RetryAfter()
	}
	var plan interface{ Planned() bool }
	if errors.As(err, &plan) {
		a.planned = plan.Planned()
	}
	return asked{}.and(a)
}

// asked is what the host said with the outcome of an attempt.
func (s sent) asked() asked {
	if s.err != nil {
		return askedBy(s.err)
	}
	return asked{}.and(asked{s.answer.RetryAfter, s.answer.Planned})
}
