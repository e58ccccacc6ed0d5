package isolink

import (
	"fmt"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// EventKind is what happened on the line.
type EventKind uint8

// The events. What each fills in stands behind it; none holds card data.
const (
	Connecting EventKind = iota + 1 // about to dial
	Connected                       // a connection is there
	SigningIn                       // the sign-in was sent
	Ready                           // signed in: Batch
	Lost                            // the connection is gone: Err, nil when it was closed here
	NoLine                          // Prepare failed: Err, a *LineError
	Stray                           // a message that nobody waits for was skipped: Type, STAN
	Suspect                         // an answer was refused: Err, an *AnswerError
	Asked                           // the host asks for a sign-in: Code of the answer
	Unsendable                      // an entry cannot be expressed: STAN, Err
	CameLate                        // an answer came after its wait had ended: STAN, Code
	SignedOff                       // the host was told that the terminal stops: STAN
)

var eventNames = [...]string{"", "connecting", "connected", "signing in", "ready", "lost", "no line", "stray",
	"suspect", "asked", "unsendable", "came late", "signed off"}

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
}

func (l *Link) tell(ev Event) {
	ev.Time = time.Now()
	l.opts.OnEvent(ev)
}
