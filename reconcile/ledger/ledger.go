package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// Options of New. The zero value, or nil, holds the defaults; New does not
// write to it.
type Options struct {
	// Decide is asked about each new sale that is a request: is it approved? It
	// is called once at a time for an entry, outside of any transaction, and
	// what it said is synced before the device hears it; after a crash in
	// between it is asked again, so it must know an entry that it has decided
	// by its Digest. Approved, Partial and Refused are booked; Unavailable is
	// passed on and nothing booked; any other verdict or an error leaves the
	// device in doubt, which reverses. What a reversal or a void undoes later is
	// a booking of its own: follow All. Card tells what the wire carried of the
	// card, which is kept nowhere. Default: requests are refused with code 40.
	Decide func(ctx context.Context, b Booking, card *wire.Card) (queue.Answer, error)
	// Claims names what a sale is about that only one journal may deal with, by
	// the app's own data of the entry: a parcel that is collected. It must be a
	// pure function. Default: nothing is.
	Claims func(data []byte) (key string, ok bool)
	// Limits bound each device, unless AddDevice gave it limits of its own.
	Limits Limits
	// Attachments is the folder that attachments are kept in, made with mode
	// 0700. Default: attachments are refused.
	Attachments string
	// Clock is the ledger's clock. Default: time.Now.
	Clock func() time.Time
	// Log gets refusals and what goes wrong: never card data. Default: nothing
	// is logged.
	Log *slog.Logger

	secret [32]byte
}

// Ledger books what devices deliver. It is safe for concurrent use.
type Ledger struct {
	engine Engine
	signer ed25519.PrivateKey
	opts   *Options
	log    *slog.Logger
	busy   busy
	rates  rates
	halves halves
	files  files
}

// New returns the ledger that engine holds. The engine stays the caller's, to be
// closed after the last call. signer signs receipts: keep it as long as devices
// keep what those allow them to prune.
//
// Errors: ErrFormat for an engine that holds a ledger of a newer form, and those
// of the engine and of the folder of attachments.
func New(ctx context.Context, engine Engine, signer ed25519.PrivateKey, o *Options) (*Ledger, error) {
	if len(signer) != ed25519.PrivateKeySize {
		return nil, errors.New("a ledger needs an Ed25519 private key to sign receipts with")
	}
	own := Options{}
	if o != nil {
		own = *o
	}
	own.Limits = own.Limits.withDefaults(defaultLimits)
	if own.Clock == nil {
		own.Clock = time.Now
	}
	l := &Ledger{engine: engine, signer: signer, opts: &own, log: own.Log}
	l.halves.cached, l.halves.building = map[[16]byte]*half{}, make(chan struct{}, 2)
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if err := l.checkForm(ctx); err != nil {
		return nil, err
	}
	if err := l.reclaim(ctx); err != nil {
		return nil, err
	}
	return l, l.files.open(own.Attachments)
}

const ledgerForm = "tallystick ledger 1\n"

// checkForm reads what the engine holds, or makes it a ledger. Behind the form
// stands a secret drawn then: refs and claims are keys of records, which no seal
// hides, so their keys are made with it.
func (l *Ledger) checkForm(ctx context.Context) error {
	at := key(spaceMeta, []byte("form"))
	var form []byte
	read := func(tx Tx) (err error) {
		form, err = tx.Get(at)
		return err
	}
	if err := l.engine.View(ctx, read); err != nil {
		return err
	}
	if form == nil {
		fresh := make([]byte, len(ledgerForm)+len(l.opts.secret))
		_, _ = rand.Read(fresh[copy(fresh, ledgerForm):]) // never fails
		err := l.engine.Update(ctx, func(tx Tx) error {
			if err := read(tx); err != nil || form != nil {
				return err
			}
			return tx.Put(at, fresh)
		})
		if err != nil {
			return err
		}
		if form == nil {
			form = fresh
		}
	}
	secret, ok := bytes.CutPrefix(form, []byte(ledgerForm))
	if !ok || copy(l.opts.secret[:], secret) != len(l.opts.secret) {
		return fmt.Errorf("%w: it says %.20q", ErrFormat, form)
	}
	return nil
}

// hide makes a record's key of a text.
func (o *Options) hide(text string) []byte {
	h := hmac.New(sha256.New, o.secret[:])
	h.Write([]byte(text))
	return h.Sum(nil)[:16]
}

// now is the ledger's clock as it is kept: to the millisecond.
func (l *Ledger) now() time.Time { return l.opts.Clock().UTC().Truncate(time.Millisecond) }

// Public is the key that the ledger's receipts are verified with.
func (l *Ledger) Public() ed25519.PublicKey { return l.signer.Public().(ed25519.PublicKey) }

// ByRef returns the booking that stands under the journal's ref, or ErrNotFound.
func (l *Ledger) ByRef(ctx context.Context, journal [16]byte, ref string) (b Booking, err error) {
	err = l.engine.View(ctx, func(tx Tx) error {
		at, err := tx.Get(refKey(l.opts, journal, ref))
		if err == nil && at == nil {
			return fmt.Errorf("ref: %w", ErrNotFound)
		}
		if err == nil {
			b, err = loadBooking(tx, at)
		}
		return err
	})
	return b, err
}

// At returns the bookings of a sequence: none, one, or, where two devices went
// on from one journal, one of each epoch.
func (l *Ledger) At(ctx context.Context, journal [16]byte, seq queue.ID) (out []Booking, err error) {
	err = l.engine.View(ctx, func(tx Tx) error {
		out, err = bookingsAt(tx, journal, seq)
		return err
	})
	return out, err
}

// All yields the bookings behind a position, in the order of booking: a back
// office follows the ledger by keeping the last Position that it has worked off.
// A booking is yielded as it stands now, so what undid it shows in it; the
// reversal or void is a booking of its own further on. The loop body may call
// any method of l. An error is yielded once and last.
func (l *Ledger) All(ctx context.Context, after uint64) iter.Seq2[Booking, error] {
	return pages(ctx, l.engine, key(spaceOrder), key(spaceOrder, u64(after+1)), func(tx Tx, _, v []byte) (Booking, error) { return loadBooking(tx, v) })
}

// Last is the newest booking's Position, 0 where there is none: what All yields
// behind it is booked later.
func (l *Ledger) Last(ctx context.Context) (position uint64, err error) {
	err = l.engine.View(ctx, func(tx Tx) error {
		position, err = lastPosition(tx)
		return err
	})
	return position, err
}

// Holding is what the ledger has of a journal.
type Holding struct {
	Journal [16]byte
	Devices []string // that may deliver its entries; the first one brought it
	Epoch   uint64   // the newest one seen: older ones are fenced
	Entries uint64
	Top     queue.ID // the highest sequence
}

// Journals yields what the ledger has of each journal. An error is yielded once
// and last.
func (l *Ledger) Journals(ctx context.Context) iter.Seq2[Holding, error] {
	return pages(ctx, l.engine, key(spaceBook), nil, func(_ Tx, k, v []byte) (Holding, error) {
		b, err := decodeBook([16]byte(k[1:]), v)
		return Holding{b.journal, b.Devices, b.Epoch, b.Entries, b.Top}, err
	})
}
