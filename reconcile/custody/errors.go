package custody

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrWaybill means that a waybill cannot be one.
	ErrWaybill = errors.New("the waybill cannot be used")
	// ErrUnknown means that the parcel was not taken out: Take it first.
	ErrUnknown = errors.New("the parcel was not taken out on this device")
	// ErrCollected means that the parcel is paid.
	ErrCollected = errors.New("the parcel is paid already")
	// ErrUnderWay means that a payment for the parcel is under way, or was begun
	// and nothing of it has left the device: end it (queue.TakeOffline,
	// queue.Reverse, queue.Do) before another one.
	ErrUnderWay = errors.New("a payment for the parcel is under way")
	// ErrAmount means that the amount is not above zero and up to what is left.
	ErrAmount = errors.New("the amount cannot be collected")
	// ErrState means that the parcel's state does not allow it.
	ErrState = errors.New("not possible in the parcel's state")
	// ErrTries means that too many payments were tried for one parcel.
	ErrTries = errors.New("too many payments were tried for this parcel")
	// ErrChanged means that a hand-over is not what the journal says, or not what
	// was signed: Prepare it anew.
	ErrChanged = errors.New("the hand-over is not what the journal says")
	// ErrNotConfirmed means that a side of a hand-over has not confirmed it.
	ErrNotConfirmed = errors.New("the hand-over is not confirmed by both sides")

	errForm = errors.New("the entry's data cannot be read as custody's")
)

// TakenError means that the waybill belongs to another device: nothing was
// journalled. The customer may have paid there.
type TakenError struct {
	Waybill string
	Holder  [16]byte // the journal that has it
	Since   time.Time
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("waybill %s is another device's (journal %s) since %s: do not collect it here",
		e.Waybill, hex.EncodeToString(e.Holder[:4]), e.Since.UTC().Format(time.RFC3339))
}
