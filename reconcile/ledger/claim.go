package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/queue"
)

// A claim says that one journal, and no other, deals with a key: a parcel that
// is collected, say.
type claim struct {
	journal [16]byte
	since   time.Time
	by      Identity // the sale that took it; its sequence is 0 for a Claim
	ref     string   // of that sale
	rival   Identity // the first sale of another journal about the key; its sequence is 0 for none
}

// maxClaimKey bounds a claim's key in bytes.
const maxClaimKey = 64

func claimKey(o *Options, name string) []byte { return key(spaceClaim, o.hide(name)) }

func loadClaim(tx Tx, o *Options, name string) (c claim, held bool, err error) {
	v, err := tx.Get(claimKey(o, name))
	if err != nil || v == nil {
		return c, false, err
	}
	r := record.NewReader(v)
	takeArray(r, c.journal[:])
	c.since = r.Time()
	c.by = Identity{Journal: c.journal, Epoch: r.Uint(), Sequence: queue.ID(r.Uint())}
	c.ref = r.String()
	if r.More() {
		takeArray(r, c.rival.Journal[:])
		c.rival.Epoch, c.rival.Sequence = r.Uint(), queue.ID(r.Uint())
	}
	if err := r.Done(); err != nil {
		return c, false, fmt.Errorf("%w: a claim: %w", ErrDamaged, err)
	}
	return c, true, nil
}

func (c claim) put(tx Tx, o *Options, name string) error {
	w := &record.Writer{}
	w.Bytes(c.journal[:])
	w.Time(c.since)
	w.Uint(c.by.Epoch)
	w.Uint(uint64(c.by.Sequence))
	w.String(c.ref)
	if c.rival.Sequence != 0 {
		w.Bytes(c.rival.Journal[:])
		w.Uint(c.rival.Epoch)
		w.Uint(uint64(c.rival.Sequence))
	}
	return tx.Put(claimKey(o, name), w.B)
}

// Claim books the key for the journal if nobody holds it, and returns which
// journal holds it now, and since when. Any other journal than the caller's own
// means: taken. The one that holds it is told of another one that has a sale
// about it all the same. Asking again gives the same. It is synced before it is
// answered.
//
// Errors: *InvalidError for a key that has not 1 to 64 bytes, ErrForeign, a
// *LimitError, and those of the engine.
func (l *Ledger) Claim(ctx context.Context, device string, journal [16]byte, name string) (holder [16]byte, since time.Time, err error) {
	if len(name) < 1 || len(name) > maxClaimKey {
		return holder, since, &InvalidError{"claim", fmt.Sprintf("has %d bytes, allowed are 1 to %d", len(name), maxClaimKey)}
	}
	err = l.engine.Update(ctx, func(tx Tx) error {
		bk, err := ownBook(tx, journal, device, l.opts)
		if err != nil {
			return err
		}
		c, held, err := loadClaim(tx, l.opts, name)
		if err == nil && !held {
			if err := bk.bind(tx, device); err != nil {
				return err
			}
			c = claim{journal: journal, since: l.now()}
			err = l.takeClaim(tx, device, name, c)
		}
		holder, since = c.journal, c.since
		if err == nil && held && c.journal == journal && c.rival.Sequence != 0 {
			var paid Booking
			if paid, err = bookedAs(tx, c.rival); err == nil && paid.Counts() {
				holder, since = paid.Journal, paid.Booked
			}
		}
		return err
	})
	if err != nil {
		return [16]byte{}, time.Time{}, err
	}
	return holder, since, nil
}

func (l *Ledger) takeClaim(tx Tx, device, name string, c claim) error {
	use, err := loadUsage(tx, device)
	if err != nil {
		return err
	}
	use.Claims++
	limits, err := l.opts.limits(tx, device)
	if err != nil {
		return err
	}
	if limit := limits.Claims; use.Claims > limit {
		return &LimitError{Limit: "claims", Have: use.Claims, Max: limit}
	}
	if err := tx.Admit(); err != nil {
		return err
	}
	if err := tx.Put(usageKey(device), use.encode()); err != nil {
		return err
	}
	return c.put(tx, l.opts, name)
}

// Release gives the key back. Releasing what nobody holds is no error; ErrTaken
// means that another journal holds it. Other errors are those of Claim.
func (l *Ledger) Release(ctx context.Context, device string, journal [16]byte, name string) error {
	return l.engine.Update(ctx, func(tx Tx) error {
		if _, err := ownBook(tx, journal, device, l.opts); err != nil {
			return err
		}
		c, held, err := loadClaim(tx, l.opts, name)
		if err != nil || !held {
			return err
		}
		if c.journal != journal {
			return ErrTaken
		}
		if c.by.Sequence == 0 {
			if err := freeClaim(tx, device); err != nil {
				return err
			}
		}
		return tx.Delete(claimKey(l.opts, name))
	})
}

// freeClaim takes a claim out of the device's count.
func freeClaim(tx Tx, device string) error {
	use, err := loadUsage(tx, device)
	if err != nil {
		return err
	}
	use.Claims = max(0, use.Claims-1)
	return tx.Put(usageKey(device), use.encode())
}

// claim takes what a booked sale is about for its journal, or sets the sale
// aside as one of two: the money is booked either way.
func (s submission) claim(tx Tx, o *Options, b Booking) error {
	if o.Claims == nil || b.Entry.Op != queue.Sale || b.Entry.Kind == queue.Reversal || b.State != queue.Accepted {
		return nil
	}
	name, ok := o.Claims(slices.Clone(b.Entry.Data))
	if !ok || len(name) < 1 || len(name) > maxClaimKey {
		return nil
	}
	c, held, err := loadClaim(tx, o, name)
	switch {
	case err != nil:
		return err
	case !held:
		return claim{journal: s.Journal, since: s.now, by: s.Identity, ref: s.entry.Ref}.put(tx, o, name)
	case c.journal != s.Journal:
		return s.claimedTwice(tx, o, c, name)
	case c.by.Sequence == 0: // claimed before it was paid
		c.by, c.ref = s.Identity, s.entry.Ref
		err := c.put(tx, o, name)
		if err == nil {
			err = freeClaim(tx, s.device)
		}
		if err != nil || c.rival.Sequence == 0 {
			return err
		}
		rival, err := bookedAs(tx, c.rival)
		if err != nil {
			return err
		}
		return s.keepAside(tx, Conflict{Why: TwiceClaimed, Against: c.rival, AgainstRef: rival.Entry.Ref, Held: name})
	}
	return nil
}

// bookedAs returns a booking that a claim names; a zero one where a salvage has
// lost it.
func bookedAs(tx Tx, id Identity) (Booking, error) {
	b, err := loadBooking(tx, id.key())
	if errors.Is(err, ErrNotFound) {
		return Booking{}, nil
	}
	return b, err
}

// claimedTwice keeps the pair for both journals to see.
func (s submission) claimedTwice(tx Tx, o *Options, c claim, name string) error {
	if c.rival.Sequence == 0 {
		c.rival = s.Identity
		if err := c.put(tx, o, name); err != nil {
			return err
		}
	}
	if err := s.keepAside(tx, Conflict{Why: TwiceClaimed, Against: c.by, AgainstRef: c.ref, Held: name}); err != nil || c.by.Sequence == 0 {
		return err
	}
	first, err := bookedAs(tx, c.by)
	if err != nil || first.Position == 0 {
		return err
	}
	other := submission{Identity: first.Identity, device: first.Device, entry: first.Entry, digest: first.Digest, now: s.now}
	return other.keepAside(tx, Conflict{Why: TwiceClaimed, Against: s.Identity, AgainstRef: s.entry.Ref, Held: name})
}
