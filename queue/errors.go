package queue

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/internal/journal"
	"github.com/tallystick/tallystick/internal/lock"
	"github.com/tallystick/tallystick/internal/seal"
)

// Errors of Open.
var (
	// ErrHeld means that another process, or this one, has the journal open;
	// the error's text names the holder's process id where it can be told.
	ErrHeld = lock.ErrHeld
	// ErrFormat means that the file is not a journal of a format that this
	// version reads. It was not touched.
	ErrFormat = journal.ErrFormat
	// ErrDamaged means that a record fails its digest or the chain of events
	// does not hold; the error's text names the event.
	ErrDamaged = journal.ErrDamaged
	// ErrKey means that Keys has no usable key for a record.
	ErrKey = seal.ErrKey
)

// Errors of everything that writes.
var (
	// ErrClosed is returned by every call after Close.
	ErrClosed = journal.ErrClosed
	// ErrNotSynced means that a commit failed. What it held may or may not be
	// kept (I7); calling again with the same Ref tells which.
	ErrNotSynced = journal.ErrNotSynced
	// ErrFull means that the file or the disk has no room for new entries: what
	// is left is kept for answers and reversals, and forwarding goes on. Settle,
	// Prune and Compact make room.
	ErrFull = journal.ErrFull
	// ErrNotFound means that the journal has no such entry, ref or batch.
	ErrNotFound = errors.New("not found in the journal")
	// ErrConflict means that the Ref is in the journal with other content.
	ErrConflict = errors.New("ref is in use for another transaction")
	// ErrState means that the entry's state does not allow what was asked.
	ErrState = errors.New("not possible in this state")
	// ErrNumbers means that every STAN of the lane is held by an entry that
	// is not settled: settle the lane's batches.
	ErrNumbers = errors.New("every STAN of the lane is in use")
)

// Errors of Do and of an Uplink's Send.
var (
	// ErrNotSent is wrapped by an Uplink that can prove that no byte of the
	// entry left the device, and by Do when nothing was sent.
	ErrNotSent = errors.New("not sent")
	// ErrPrepareFirst is wrapped by an Uplink whose line is not ready any more since
	// its Prepare: a session has ended meanwhile. Nothing of the entry left the
	// device; Do prepares the line and sends once more.
	ErrPrepareFirst = fmt.Errorf("the line has to be made ready again: %w", ErrNotSent)
	// ErrUnsendable is wrapped by an Uplink for an entry that its dialect can
	// never express; nothing of it left the device. The entry is parked with
	// the error's text as the reason, so that text must hold no card data.
	ErrUnsendable = fmt.Errorf("the host's dialect cannot express it: %w", ErrNotSent)
	// ErrBadMAC is wrapped by an Uplink when an answer's MAC is wrong.
	ErrBadMAC = errors.New("the MAC of the answer is wrong")
	// ErrInDoubt is returned by Do, with the entry, when the wait has ended
	// without an answer that decides. The reversal is journalled, or the entry
	// parked where a reversal could undo another one.
	ErrInDoubt = errors.New("outcome unknown")
	// ErrHeldBack is wrapped, with ErrNotSent, when the lane may not send
	// requests now: a reversal is not answered yet, or a batch is being
	// settled.
	ErrHeldBack = errors.New("the lane holds requests back")
)

// InvalidError says which field of a Transaction cannot be journalled. It
// never holds the field's value.
type InvalidError struct{ Field, Problem string }

func (e *InvalidError) Error() string { return e.Field + ": " + e.Problem }

func invalid(field, format string, args ...any) error {
	return &InvalidError{field, fmt.Sprintf(format, args...)}
}

// OutstandingError names the entries that keep a batch from being settled (I6).
type OutstandingError struct {
	Batch   BatchID
	Entries []ID // the first 20
	Count   int
}

func (e *OutstandingError) Error() string {
	ids := make([]string, len(e.Entries))
	for i, id := range e.Entries {
		ids[i] = fmt.Sprint(id)
	}
	return fmt.Sprintf("batch %s has %d entries pending, in doubt or parked: %s",
		e.Batch, e.Count, strings.Join(ids, ", "))
}

func stateError(e ID, s State, what string) error {
	return fmt.Errorf("entry %d is %s: %w: %s", e, s, ErrState, what)
}
