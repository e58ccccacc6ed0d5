package ledger

import (
	"context"

	"github.com/tallystick/tallystick/internal/journal"
	"github.com/tallystick/tallystick/internal/lock"
)

// Engine stores a ledger: records in key order, changed in transactions. OpenFile
// and OpenMemory make the two that come with the package; another one must keep
// what is said here, since everything that the ledger promises rests on it.
type Engine interface {
	// Update runs fn and returns nil once all that it wrote is synced to the
	// disk. Transactions have one order, in which each sees what the ones
	// before it wrote. fn may run several times; when it returns an error
	// nothing of it is kept and Update returns that error. Any other error
	// leaves the outcome open, unless it wraps ErrFull or ErrClosed or is
	// ctx.Err(): then nothing was kept. A crash leaves all of a transaction or
	// nothing, and all of every one that was answered with nil.
	Update(ctx context.Context, fn func(Tx) error) error
	// View runs fn on one state, which holds only what is synced.
	View(ctx context.Context, fn func(Tx) error) error
	// Close ends the engine once the transactions under way have ended.
	Close() error
}

// Tx reads and, in an Update, writes one state. Keys have 1 to 256 bytes, of
// which the first is one of a small set of letters; values have up to 1 MiB.
// What Get and Scan give may be kept but not changed.
type Tx interface {
	// Get returns the record at key, nil when there is none.
	Get(key []byte) ([]byte, error)
	// Put stores value at key.
	Put(key, value []byte) error
	// Delete removes the record at key, if there is one.
	Delete(key []byte) error
	// Scan calls fn for the records whose keys are from ≤ key and begin with
	// prefix, in key order, until fn returns false or an error. fn writes
	// nothing.
	Scan(prefix, from []byte, fn func(key, value []byte) (more bool, err error)) error
	// Admit is called before something new is written. It refuses with an error
	// that wraps ErrFull when the room left must be kept for reversals.
	Admit() error
}

var (
	// ErrClosed is returned by every call after Close.
	ErrClosed = journal.ErrClosed
	// ErrFull means that the ledger has no room for new entries. What is left
	// is kept for reversals.
	ErrFull = journal.ErrFull
	// ErrNotSynced means that a commit failed: what it held may or may not be
	// kept. Submitting again tells which.
	ErrNotSynced = journal.ErrNotSynced
	// ErrHeld means that another process, or this one, has the ledger open.
	ErrHeld = lock.ErrHeld
	// ErrFormat means that the file is not a ledger of a format that this
	// version reads.
	ErrFormat = journal.ErrFormat
	// ErrDamaged means that a record fails its digest.
	ErrDamaged = journal.ErrDamaged
)

// What the first byte of a key says.
const (
	spaceMeta    = 'm' // the ledger's own: format, counters
	spaceBooking = 'b' // journal, sequence, epoch: a booking
	spaceRef     = 'r' // journal, hidden ref: the sequence and epoch that have it
	spaceUndo    = 'u' // journal, original, fingerprint: what undid it
	spaceBook    = 'j' // journal: its device, epoch and counts
	spaceOrder   = 'n' // position: the booking's key
	spaceAside   = 'c' // journal, sequence, epoch, digest: what was refused or claimed twice
	spaceDevice  = 'd' // name: a device
	spaceAccess  = 'k' // hash of a token or public key: a device's name
	spaceAttach  = 'a' // device, hash: an attachment
	spaceLink    = 'l' // journal, sequence, hash: an attachment of an entry
	spaceClaim   = 'w' // hidden key: the journal that holds it
)

const spaces = "mbrujncdkalw"
