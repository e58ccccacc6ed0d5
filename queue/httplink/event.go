package httplink

import (
	"fmt"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// EventKind is what happened on the line.
type EventKind uint8

// The events. What each fills in stands behind it; none holds card data.
const (
	Ready      EventKind = iota + 1 // the host told its line: Batch
	NoLine                          // Prepare failed: Err
	Sent                            // a request was answered or given up: Entries, Bytes, Err
	Split                           // a request was refused as a whole and goes in halves: Entries, Err
	Slot                            // the host asks to wait: Err, a *WaitError
	Suspect                         // an answer was refused: STAN, Err, an *AnswerError
	Stray                           // answers to what was not asked were skipped: Entries
	Unsendable                      // an entry cannot be expressed: STAN, Err
	CameLate                        // an answer came after its wait had ended: STAN, Code
)

var eventNames = [...]string{"", "ready", "no line", "sent", "split", "slot", "suspect", "stray", "unsendable", "came late"}

func (k EventKind) String() string {
	if k > 0 && int(k) < len(eventNames) {
		return eventNames[k]
	}
	return fmt.Sprintf("unknown(%d)", k)
}

// Event is one thing that happened on the line of a terminal.
type Event struct {
	Kind    EventKind
	Time    time.Time
	STAN    queue.STAN
	Batch   uint32
	Entries int
	Bytes   int    // of the request's body, as it went out
	Code    string // the host's code
	Err     error
}

func (l *Link) tell(ev Event) {
	ev.Time = time.Now()
	defer func() { _ = recover() }() // a screen's fault ends no payment
	l.opts.OnEvent(ev)
}
