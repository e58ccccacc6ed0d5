package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/tallystick/tallystick/codec"
)

// A Kind says what a booking is.
type Kind string

// The kinds of booking.
const (
	Sale        Kind = "sale"         // 0200, 60.1 = 22: card or QR
	OfflineSale Kind = "offline sale" // 0220, 60.1 = 30: card or cash
	Void        Kind = "void"         // 0200, 60.1 = 23
	Refund      Kind = "refund"       // 0220, 60.1 = 25
)

// credit says whether the kind pays money back.
func (k Kind) credit() bool { return k == Void || k == Refund }

// A State says what became of a booking.
type State string

// The states of a booking. Voided and booked count in the totals, reversed does not.
const (
	Booked   State = "booked"
	Voided   State = "voided"   // by a void that stands; both count
	Reversed State = "reversed" // undone by an 0400
)

// An Identity is what makes a message the same message: terminal (DE 41), batch
// number (60.2) and STAN (DE 11). A reversal carries its original's.
type Identity struct {
	Terminal string
	Batch    uint32
	STAN     uint32
}

// String gives the identity as terminal/batch/STAN.
func (id Identity) String() string {
	return fmt.Sprintf("%s/%06d/%06d", id.Terminal, id.Batch, id.STAN)
}

func (id Identity) key() []byte {
	return fmt.Appendf(nil, "%-8s%06d%06d", id.Terminal, id.Batch, id.STAN)
}

// A Booking is one transaction in the host's books.
type Booking struct {
	Identity
	Merchant   string
	MTI        string // four digits, of the message that brought it
	Kind       Kind
	State      State
	Amount     int64  // minor units of Currency
	Currency   string // ISO 4217, numeric
	PAN        string // masked; empty where there is no card
	Entry      string // DE 22, three digits; empty when it came from a grouped upload
	Foreign    bool   // counts among the foreign cards
	RRN        string // DE 37 as answered
	AuthCode   string // DE 38 as answered
	Original   Identity
	Refunded   int64 // minor units refunded of it so far
	Arrivals   int   // how often this identity came as a transaction or as a detail, the first included
	Conflicts  int   // how often it came with other content
	FromUpload bool  // booked from a batch upload: the transaction itself is not here
}

// A Tombstone stands for a reversal whose original was not here. The original
// is refused when it comes later.
type Tombstone struct {
	Identity
	Kind     Kind // of the original
	Amount   int64
	Arrivals int // of the reversal
	Refused  int // arrivals of the original, each refused
}

// A Conflict is a message whose identity was taken by other content.
type Conflict struct {
	Identity
	MTI        string
	Kind       Kind
	Amount     int64
	FromUpload bool
	Arrivals   int
}

// A Terminal is the host's view of one terminal.
type Terminal struct {
	ID       string
	Merchant string
	Batch    uint32 // the current batch number
	SignedIn bool
	Ask      codec.Processing  // what the host wants of it, until it is done
	SignIns  int               // how often it signed in
	Loads    int               // how often it downloaded its parameters, to the end
	Status   []codec.Parameter // as it told them last
}

// A Ledger is everything the host has booked, each list in the order of
// terminal, batch and STAN.
type Ledger struct {
	Terminals  []Terminal
	Bookings   []Booking
	Tombstones []Tombstone
	Conflicts  []Conflict
	Batches    []Batch
}

// Errors of Listen and ReadLedger about the ledger file.
var (
	ErrLedgerHeld   = errors.New("another process holds the ledger")
	ErrLedgerFormat = errors.New("not a ledger of this host")
	ErrLedgerDamage = errors.New("the ledger is damaged")
)

const (
	ledgerFormat = "tallystick acquirer 1"
	lockPatience = 200 * time.Millisecond
	syncedMode   = 0o600
)

var (
	bucketMeta      = []byte("meta")
	bucketTerminals = []byte("terminals")
	bucketBookings  = []byte("bookings")
	bucketRRN       = []byte("rrn")
	bucketTombs     = []byte("tombstones")
	bucketConflicts = []byte("conflicts")
	bucketBatches   = []byte("batches")
	buckets         = [][]byte{bucketMeta, bucketTerminals, bucketBookings, bucketRRN, bucketTombs, bucketConflicts, bucketBatches}
	keyFormat       = []byte("format")
	keyContent      = []byte("content key")
)

// ReadLedger reads the ledger at path without changing it. It is for looking
// after the host has stopped: while one runs it fails with ErrLedgerHeld. A file
// that is no ledger gives ErrLedgerFormat, one that cannot be read to its end
// ErrLedgerDamage, a missing one fs.ErrNotExist. There are no digests: damage
// within a record that still reads as one is not seen.
func ReadLedger(path string) (Ledger, error) {
	if _, err := os.Stat(path); err != nil {
		return Ledger{}, err
	}
	var l Ledger
	err := guarded(func() error {
		db, err := openFile(path, &bbolt.Options{ReadOnly: true, Timeout: lockPatience})
		if err != nil {
			return err
		}
		l, err = read(db)
		return errors.Join(err, db.Close())
	})
	if err != nil {
		return Ledger{}, err
	}
	return l, nil
}

func read(db *bbolt.DB) (l Ledger, err error) {
	err = guarded(func() error {
		return db.View(func(tx *bbolt.Tx) (err error) {
			l, err = readAll(tx)
			return err
		})
	})
	return l, err
}

// guarded turns what bbolt does with a damaged file, a panic or a fault of
// memory, into ErrLedgerDamage.
func guarded(fn func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if recover() != nil {
			err = ErrLedgerDamage
		}
	}()
	return fn()
}

func readAll(tx *bbolt.Tx) (l Ledger, err error) {
	if l.Terminals, err = all(tx, bucketTerminals, func(r *terminalRecord) Terminal { return r.Terminal }); err != nil {
		return l, err
	}
	if l.Bookings, err = all(tx, bucketBookings, func(r *bookingRecord) Booking { return r.Booking }); err != nil {
		return l, err
	}
	if l.Tombstones, err = all(tx, bucketTombs, func(r *Tombstone) Tombstone { return *r }); err != nil {
		return l, err
	}
	if l.Conflicts, err = all(tx, bucketConflicts, func(r *Conflict) Conflict { return *r }); err != nil {
		return l, err
	}
	l.Batches, err = all(tx, bucketBatches, func(r *Batch) Batch { return *r })
	return l, err
}

// openLedger opens the ledger for writing, makes it when it is missing, and
// reads it once, so that a damaged one is found before anything depends on it.
func openLedger(path string, maxSize int) (db *bbolt.DB, err error) {
	switch info, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		if err := createLedger(path); err != nil {
			return nil, err
		}
	case err == nil && info.Mode().IsRegular() && info.Size() == 0:
		return nil, ErrLedgerFormat // bbolt would fill it
	}
	err = guarded(func() (err error) {
		db, err = openFile(path, &bbolt.Options{Timeout: lockPatience, PageSize: 4096, FreelistType: bbolt.FreelistMapType, MaxSize: maxSize})
		return err
	})
	if err != nil {
		return nil, err
	}
	if _, err := read(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func openFile(path string, o *bbolt.Options) (*bbolt.DB, error) {
	db, err := bbolt.Open(path, syncedMode, o)
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, ErrLedgerHeld
	case fromSystem(err):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrLedgerFormat, err)
	}
	err = db.View(func(tx *bbolt.Tx) error {
		if b := tx.Bucket(bucketMeta); b == nil || string(b.Get(keyFormat)) != ledgerFormat {
			return ErrLedgerFormat
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// fromSystem tells an error of the operating system from bbolt's about the
// content of the file.
func fromSystem(err error) bool {
	var path *fs.PathError
	var call *os.SyscallError
	var number syscall.Errno
	return errors.As(err, &path) || errors.As(err, &call) || errors.As(err, &number)
}
