package custody

import (
	"fmt"
	"math"

	"github.com/tallystick/tallystick/queue"
)

// State is how far a parcel has come.
type State uint8

// The states.
const (
	Open State = iota + 1
	PartlyPaid
	Collected
	Refused
	Returned
	Overpaid
	states
)

var stateNames = [states]string{"", "open", "partly paid", "collected", "refused", "returned", "overpaid"}

func (s State) String() string {
	if s == 0 || s >= states {
		return fmt.Sprintf("State(%d)", uint8(s))
	}
	return stateNames[s]
}

// facts are all that decides a parcel's state.
type facts struct {
	due, paid         int64
	unsent            bool // a payment was begun and may still be taken
	refused, returned bool
}

// state is the parcel's state: a function of the facts alone.
func (f facts) state() State {
	switch {
	case f.paid > f.due, (f.refused || f.returned) && f.paid > 0:
		return Overpaid
	case f.returned:
		return Returned
	case f.refused:
		return Refused
	case f.paid == f.due:
		return Collected
	case f.paid > 0:
		return PartlyPaid
	}
	return Open
}

// collect says whether so much may be collected.
func (f facts) collect(amount int64) error {
	switch s := f.state(); {
	case s == Collected || s == Overpaid:
		return ErrCollected
	case s == Refused || s == Returned:
		return fmt.Errorf("%w: it is %s", ErrState, s)
	case f.unsent:
		return ErrUnderWay
	case amount <= 0 || amount > f.due-f.paid:
		return fmt.Errorf("%w: %d are left to pay, in minor units", ErrAmount, f.due-f.paid)
	}
	return nil
}

// refuse says whether the recipient can refuse the parcel.
func (f facts) refuse() error {
	switch s := f.state(); {
	case s == Refused || s == Open && !f.unsent:
		return nil
	case s == Open:
		return ErrUnderWay
	default:
		return fmt.Errorf("%w: it is %s", ErrState, s)
	}
}

// giveBack says whether the parcel can go back to the depot.
func (f facts) giveBack() error {
	switch s := f.state(); {
	case s == Returned || s == Refused || s == Open && !f.unsent:
		return nil
	case s == Open:
		return ErrUnderWay
	default:
		return fmt.Errorf("%w: it is %s; give back what was paid first", ErrState, s)
	}
}

// worth is what a payment counts for, and whether it may come to count without
// anything new being journalled.
func worth(e queue.Entry, voided bool) (minor int64, unsent bool) {
	switch {
	case e.Op != queue.Sale || voided:
		return 0, false
	case e.State == queue.Accepted:
		return e.Amount.Minor - e.Refunded, false
	case e.State.Final():
		return 0, false
	case e.Kind == queue.Advice || e.Deferred:
		return e.Amount.Minor, false
	}
	return 0, e.State == queue.Pending
}

// plus adds without wrapping round: what is too much stays too much.
func plus(a, b int64) int64 {
	if b > 0 && a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
