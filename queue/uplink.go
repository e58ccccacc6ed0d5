package queue

import (
	"context"
	"time"
)

// Uplink delivers entries to one host. Implementations are called by one
// goroutine at a time unless they are a Windower too.
type Uplink interface {
	// Send delivers e once and waits for its answer until ctx is done.
	// e.Repeat says that an earlier attempt is not proven unsent. Any error
	// leaves e in doubt, unless it wraps ErrNotSent: "no byte of e left this
	// device". An answer that does not belong to e is an error, too.
	Send(ctx context.Context, e Entry) (Answer, error)
}

// Line is what an uplink knows of its host once it is ready.
type Line struct {
	// HostBatch is the batch number under which the host books now; 0 where
	// the host has none.
	HostBatch uint32
	// HostTime is the host's clock as of sign-in; zero when unknown.
	HostTime time.Time
	// Spread is over how long the host wants the first background contacts of
	// its devices after an outage spread; 0 leaves what it said last, or
	// Options.Spread.
	Spread time.Duration
}

// Preparer is optional on an Uplink: Prepare connects and signs in where that
// is needed. It is called before an attempt is journalled, so that having no
// line costs no attempt, and with no byte of an entry sent.
type Preparer interface {
	Prepare(ctx context.Context) (Line, error)
}

// Windower is optional on an Uplink: Window is how many Sends may run at once,
// 1 to 256. An Uplink without it gets one at a time.
type Windower interface {
	Window() int
}

// LateAnswer is an answer that came after the wait for it had ended, checked
// like any other. STAN is the entry's.
type LateAnswer struct {
	ID     ID
	STAN   STAN
	Answer Answer
}

// LateAnswerer is optional on an Uplink: LateAnswers hands over what came since
// the last call. It is asked before an attempt. A late answer to an advice in
// doubt decides; once the reversal of a request is journalled it is evidence
// (I5).
type LateAnswerer interface {
	LateAnswers() []LateAnswer
}

// Verdict is what an answer means for the entry that it answers. The zero
// Verdict decides nothing: forgetting to classify an answer is safe.
type Verdict uint8

// The verdicts, with codes of ISO 8583 DE 39 as examples.
const (
	Unknown     Verdict = iota // in progress, too late, unreadable (09 68 98): leaves the entry in doubt
	Approved                   // 00
	Partial                    // 10: less than was asked
	Duplicate                  // 94: the host has seen this identity before
	Unavailable                // refused for now, nothing booked (06 77 90 91 92 96 99 A0)
	NotFound                   // nothing there to reverse or void (12 25)
	Refused                    // any other refusal
)

var verdictNames = [...]string{"unknown", "approved", "partial", "duplicate", "unavailable", "not found", "refused"}

// decides tells whether a host that answers so has taken the entry up: it is
// there, and in order.
func (v Verdict) decides() bool { return v != Unknown && v != Unavailable }

func (v Verdict) String() string { return name(verdictNames[:], int(v)) }

// Answer is what a host answered.
type Answer struct {
	Verdict  Verdict
	Code     string // the host's own code, DE 39; up to 4 bytes
	RRN      string // the host's reference, DE 37; up to 24 bytes
	AuthCode string // DE 38; up to 12 bytes
	// Approved is the amount of a Partial answer.
	Approved Money
	// HostTime is the host's clock in the answer; zero when it has none.
	HostTime time.Time
	// RetryAfter is how long the host asks the background to be left alone, and
	// Planned says that this is a cut-over or maintenance (DE 39 = 90): see
	// PauseError. Neither is journalled with the answer.
	RetryAfter time.Duration
	Planned    bool
	// SignIn says, with Unavailable, that the host has not looked at the entry, for
	// it wants a sign-in, or another token, first: Prepare does that. It is not
	// journalled either.
	SignIn bool
}
