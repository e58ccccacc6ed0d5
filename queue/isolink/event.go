package isolink

import (
	"fmt"
	"time"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

// EventKind is what happened on the line.
type EventKind uint8

// The events. What each fills in stands behind it; none holds card data.
const (
	Connecting EventKind = iota + 1 // about to dial
	Connected                       // a connection is there
	SigningIn                       // the sign-in was sent
	Ready                           // signed in, or connected again with a sign-in that holds: Batch, HostTime
	Lost                            // the connection is gone: Err, nil when it was closed here
	NoLine                          // Prepare failed: Err, a *LineError
	Stray                           // a message that nobody waits for was skipped: Type, STAN; or one that cannot be read: Err
	Suspect                         // a message was refused: Type, STAN, Err, an *AnswerError; Foreign in it: for another terminal or merchant
	Asked                           // the host asks for something, as a sign-in: Code of the answer, Processing of its header
	Unsendable                      // an entry cannot be expressed: STAN, Err
	CameLate                        // an answer came after its wait had ended: STAN, Code
	SignedOff                       // the terminal has stopped: STAN; Err where the host could not be told
	BatchEnded                      // the host has closed the batch, a sign-in is needed: Batch, Code
	Obeyed                          // what the host asked for was done: Processing; or not: Err
	MemoryLost                      // Options.Memory failed: Err
	Ended                           // the link was closed
)

var eventNames = [...]string{"", "connecting", "connected", "signing in", "ready", "lost", "no line", "stray",
	"suspect", "asked", "unsendable", "came late", "signed off", "batch ended", "obeyed", "memory lost", "ended"}

func (k EventKind) String() string {
	if k > 0 && int(k) < len(eventNames) {
		return eventNames[k]
	}
	return fmt.Sprintf("unknown(%d)", k)
}

// Event is one thing that happened on the line of a terminal.
type Event struct {
	Kind  EventKind
	Time  time.Time
	Type  string // message type, four digits
	STAN  queue.STAN
	Batch uint32
	Code  string // DE 39
	Err   error

	HostTime   time.Time        // the host's clock
	Processing codec.Processing // what the host asks for
}

func (l *Link) tell(ev Event) {
	ev.Time = time.Now()
	defer func() { _ = recover() }() // a screen's fault ends no payment
	l.opts.OnEvent(ev)
}
