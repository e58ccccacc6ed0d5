package alarm

import (
	"fmt"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// Kind is which figure a Warning is about.
type Kind uint8

// The kinds. Have and Threshold of a Warning are in the unit behind them.
const (
	Backlog Kind = iota + 1 // entries pending or in doubt: entries
	Amount                  // what the sales among them add up to: minor units of Currency
	Age                     // of the oldest entry to be sent: milliseconds
	SignIn                  // failures in a row to get a line: failures
	Answers                 // answer time against the last days' same hour: percent
	Parked                  // entries that need a person: entries
)

var kindNames = [...]string{"", "backlog", "amount", "age", "sign_in", "answers", "parked"}

// String returns the kind as a word for a label: sign_in.
func (k Kind) String() string {
	if k > 0 && int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("unknown(%d)", uint8(k))
}

// State is what a Warning tells.
type State uint8

// The states.
const (
	Raised  State = iota + 1 // the threshold is reached
	Worse                    // the figure has doubled since it was told last
	Cleared                  // the figure is low again
)

var stateNames = [...]string{"", "raised", "worse", "cleared"}

func (s State) String() string {
	if s > 0 && int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("unknown(%d)", uint8(s))
}

// Warning is one early warning about one lane. As an error it is the Warning
// of a queue.Event; errors.As finds it there. It is not changed once it was
// told.
type Warning struct {
	Lane  queue.Lane
	Kind  Kind
	State State
	// Have is the figure, Threshold where it is raised, in the kind's unit.
	Have, Threshold int64
	Currency        queue.Currency // of Amount
	// Cause is the likeliest one. Code is the host's where the host refuses.
	Cause Cause
	Code  string
	// Percentile, Took and Usual are of Answers: 50 or 95, what it is now, and
	// what it was on the last days at this hour.
	Percentile  int
	Took, Usual time.Duration
	// Entry and Why are of Parked: the first entry that needs a person, and
	// what its journal says about it.
	Entry queue.ID
	Why   string
	// Since is when the warning was raised, At when this was told, by the
	// device's clock.
	Since, At time.Time
}

// Error is the sentence for support, in English.
func (w *Warning) Error() string { return w.Support(English) }
