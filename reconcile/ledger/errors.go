package ledger

import (
	"errors"
	"fmt"
	"time"
)

var (
	// ErrForeign means that the journal belongs to another device. Hand lets a
	// second device, which took it over, deliver its entries, too.
	ErrForeign = errors.New("the journal belongs to another device")
	// ErrLane means that the device is kept to other lanes (Device.Lanes).
	ErrLane = errors.New("the device may not use this terminal")
	// ErrUnknownDevice means that the credentials are none of a device that the
	// ledger knows, or of one that is locked out.
	ErrUnknownDevice = errors.New("no such device")
	// ErrBusy means that the same entry, or the one that it is about, is being
	// decided at this moment, or the same attachment received: try again.
	ErrBusy = errors.New("another call is at work on it")
	// ErrNotFound means that the ledger has no such thing.
	ErrNotFound = errors.New("not found in the ledger")
	// ErrTaken means that another journal holds the claim's key, or another
	// device the certificate's.
	ErrTaken = errors.New("another device holds it")
)

// Why tells why an entry was refused and kept aside.
type Why uint8

// The reasons.
const (
	// OtherContent: the identity is booked with other content.
	OtherContent Why = iota + 1
	// OtherBatch: the entry is booked under another batch number of the host.
	OtherBatch
	// OtherSequence: the ref is booked under another sequence, and that booking
	// stands.
	OtherSequence
	// OlderEpoch: the journal was restored since, and the restored one has been
	// seen here.
	OlderEpoch
	// TwiceClaimed: the entry is booked, but what it is about (a waybill) is
	// held by another journal.
	TwiceClaimed
)

var whyNames = [...]string{"", "the same entry with other content",
	"the same entry with another batch number", "the same ref under another sequence",
	"an older epoch than the one known here", "held by another device"}

func (w Why) String() string {
	if w >= 1 && int(w) < len(whyNames) {
		return whyNames[w]
	}
	return fmt.Sprintf("unknown(%d)", uint8(w))
}

// ConflictError says that an entry is not booked because the ledger has
// something else in its place. It is kept for the office: see Conflicts.
type ConflictError struct {
	Why     Why
	Entry   Identity // what was submitted
	Against Identity // what is booked; for OlderEpoch the journal and its epoch
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("entry %s is refused: %s (%s): a person has to look", e.Entry, e.Why, e.Against)
}

// LimitError says which limit of the device refuses something; nothing of it
// was kept.
type LimitError struct {
	Limit     string // "entries", "bytes", "rate", "journals", "attachment size", "attachments", "attachment bytes", "claims"
	Have, Max int64
	// RetryAfter is when it makes sense to try again; 0: not before a person
	// has raised the limit.
	RetryAfter time.Duration
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("limit of %s: %d of %d", e.Limit, e.Have, e.Max)
}

// InvalidError says which field of an entry cannot be booked. It never holds
// the field's value.
type InvalidError struct{ Field, Problem string }

func (e *InvalidError) Error() string { return e.Field + " " + e.Problem }
