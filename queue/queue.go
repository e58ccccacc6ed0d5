package queue

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/journal"
)

// Keys seal the journal's records. Key returns the 32 bytes of the key of a
// name (1 to 32 bytes), Current the name under which new records are sealed;
// naming a new one rotates, as long as Key still knows the old ones. Both are
// called from many goroutines.
type Keys interface {
	Current() (name string, err error)
	Key(name string) ([]byte, error)
}

// Options of Open. The zero value, or nil, holds the defaults; Open does not
// write to it.
type Options struct {
	// Unsealed allows nil Keys: records then carry digests, not seals, and
	// anyone who reads the file reads the cards in it.
	Unsealed bool
	// LockWait bounds the wait for another opener to close the journal.
	// Default: no wait.
	LockWait time.Duration
	// MaxSize bounds the file in bytes. Default 1 GiB; where an address has 32
	// bits 512 MiB, and no more.
	MaxSize int64
	// AnswerTimeout is how long an attempt waits for its answer. Default 60 s.
	AnswerTimeout time.Duration
	// PrepareTimeout is how long connecting and signing in may take before
	// the line counts as down. Default 5 s.
	PrepareTimeout time.Duration
	// RetryMin and RetryMax bound the forwarder's pause after a failure: a
	// random time up to RetryMin, doubled by each further failure up to
	// RetryMax. Defaults 500 ms and 60 s.
	RetryMin, RetryMax time.Duration
	// Spread is over how long the background's tries are spread once a lane has
	// been failing for that long, where the host does not publish it
	// (Line.Spread). Default 600 s; negative: RetryMax stays the bound.
	Spread time.Duration
	// RepeatShare is the budget of repeats: while more than so many attempts
	// fail for each that the host answers, a lane repeats one entry at a time,
	// and none for a random time up to RetryMax after a failure. New entries go
	// at once, and nothing is dropped. Default 0.2.
	RepeatShare float64
	// ReversalTries is after how many transmissions without an answer that
	// decides a reversal is parked. Default 10.
	ReversalTries int
	// Limits bound what may be taken offline. Default: nothing is bounded.
	Limits Limits
	// DoubleTap is how long a card, or a payment code, that paid an amount on
	// a lane is not taken for the same amount again without being asked for:
	// see DoubleTapError. Default 0: never asked.
	DoubleTap time.Duration
	// DuplicateMemory is how long the host recognises a repeated advice.
	// What was first attempted longer ago, or cannot be proven younger, is
	// parked instead of sent again. Default 24 h.
	DuplicateMemory time.Duration
	// BatchLimit is how many records a batch of a host that numbers its batches
	// takes. When it is reached Do gets ErrHeldBack and what was never
	// attempted waits for the next batch: CloseBatch and settle. Default 500.
	BatchLimit int
	// Lanes overrides BatchLimit, DuplicateMemory and ReversalTries for single
	// lanes, and declares their hosts' planned pauses.
	Lanes map[Lane]LaneOptions
	// RetainFor is how long after its closing Prune leaves a batch alone, by
	// the device's wall clock. Default 0: as soon as it has settled.
	RetainFor time.Duration
	// Log gets what goes wrong in the background: never card data. Default:
	// nothing is logged.
	Log *slog.Logger

	onOpen func(*bolt.DB) // the fault tests take hold of the file here
	seed   uint64         // of what differs from device to device
}

// LaneOptions are settings of one lane; a zero field leaves that of Options.
type LaneOptions struct {
	BatchLimit      int
	DuplicateMemory time.Duration
	ReversalTries   int
	// Maintenance are the planned pauses of the lane's host.
	Maintenance []Maintenance
}

func (o Options) batchLimit(l Lane) uint64 {
	if n := o.Lanes[l].BatchLimit; n > 0 {
		return uint64(n)
	}
	return uint64(o.BatchLimit)
}

func (o Options) memory(l Lane) time.Duration {
	if d := o.Lanes[l].DuplicateMemory; d > 0 {
		return d
	}
	return o.DuplicateMemory
}

func (o Options) tries(l Lane) int {
	if n := o.Lanes[l].ReversalTries; n > 0 {
		return n
	}
	return o.ReversalTries
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	set := func(v *time.Duration, def time.Duration) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&d.AnswerTimeout, 60*time.Second)
	set(&d.PrepareTimeout, 5*time.Second)
	set(&d.RetryMin, 500*time.Millisecond)
	set(&d.RetryMax, 60*time.Second)
	set(&d.DuplicateMemory, 24*time.Hour)
	if d.Spread == 0 {
		d.Spread = 10 * time.Minute
	}
	if d.RepeatShare == 0 {
		d.RepeatShare = 0.2
	}
	d.Spread, d.RepeatShare = min(d.Spread, longestSlot), max(d.RepeatShare, 0)
	d.seed = rand64()
	d.RetryMax = max(d.RetryMax, d.RetryMin)
	if d.BatchLimit <= 0 {
		d.BatchLimit = 500
	}
	if d.ReversalTries <= 0 {
		d.ReversalTries = 10
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	return d
}

// Queue is the open journal of one device. It is safe for concurrent use.
type Queue struct {
	file     *journal.File
	opts     Options
	changed  *signal
	lines    *lines
	paces    *paces
	watchers *watchers
}

// Open opens the journal at path, or makes one with mode 0600, and takes its
// lock. What a crash cut short is found in doubt. The whole file is examined
// before it is used, in a way that a damaged one cannot take the app down by:
// after an unclean end Open waits for that; after a clean one it goes on behind
// Open, and the first call that needs the journal waits for it and returns
// ErrDamaged where there is damage. Salvage then gets out what is readable.
//
// A journal of an older format is migrated first: its log is stepped through
// into a fresh file, which takes its place; the old one is kept as
// path.migrated until the first Open after a clean end.
//
// Errors: ErrHeld, ErrFormat, ErrDamaged, ErrKey, an *InvalidError for nil
// keys without Unsealed, and those of the file system. On any error the file
// holds what it held; what is damaged, of another format or sealed under other
// keys was not written to.
func Open(path string, keys Keys, opts *Options) (*Queue, error) {
	o := opts.withDefaults()
	jo, err := journalOptions(keys, o)
	if err != nil {
		return nil, err
	}
	f, err := journal.Open(path, jo)
	if errors.Is(err, journal.ErrOldFormat) {
		s := salvage{ctx: context.Background(), opts: &o}
		if err = journal.Migrate(s.ctx, path, jo, s.rebuild); err == nil {
			jo.Migrated = true
			f, err = journal.Open(path, jo)
		}
	}
	if err != nil {
		return nil, err
	}
	return &Queue{file: f, opts: o, changed: newSignal(), lines: newLines(), paces: newPaces(), watchers: newWatchers()}, nil
}

func journalOptions(keys Keys, o Options) (journal.Options, error) {
	if keys == nil && !o.Unsealed {
		return journal.Options{}, invalid("keys", "nil keys need Options.Unsealed, which leaves card data readable in the file")
	}
	jo := journal.Options{Buckets: buckets, MaxSize: o.MaxSize, LockWait: o.LockWait, OnOpen: o.onOpen}
	if keys != nil {
		jo.Keys = keys
	}
	return jo, nil
}

// Close ends the journal cleanly and gives its lock back. Commits under way
// end first; Forward, Drain and Do that are waiting return ErrClosed. Close
// may be called more than once.
func (q *Queue) Close() error {
	q.changed.close()
	return q.file.Close()
}

// JournalID is drawn when the journal is made: no two have the same.
func (q *Queue) JournalID() [16]byte { return q.file.ID() }

// Path is the path that the journal was opened at.
func (q *Queue) Path() string { return q.file.Path() }

// jitter returns a random duration from 0 to d.
func jitter(d time.Duration) time.Duration {
	return time.Duration(rand64() % uint64(d+1))
}

func rand64() uint64 {
	var b [8]byte
	rand.Read(b[:])
	return binary.BigEndian.Uint64(b[:])
}

func isClosed(err error) bool { return errors.Is(err, ErrClosed) }
