package ledger

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/tallystick/tallystick/queue"
)

// Verify walks the whole ledger, as of one synced state, and checks that every
// booking has the digest of its content, that the order of booking is dense and
// names each booking once, that journals and refs agree with the bookings, and
// that what undid a booking is booked. It needs memory for the journals' counts
// alone.
//
// Of a ledger that lost bookings in SalvageFile it does not say again that those
// are missing.
//
// Errors: ErrDamaged with what does not hold, those of the engine.
func (l *Ledger) Verify(ctx context.Context) error {
	return l.engine.View(ctx, func(tx Tx) error {
		holes, err := wasSalvaged(tx)
		if err != nil {
			return err
		}
		n, err := verifyOrder(ctx, tx, holes)
		if err != nil {
			return err
		}
		return l.verifyBookings(ctx, tx, n, holes)
	})
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDamaged}, args...)...)
}

func verifyOrder(ctx context.Context, tx Tx, holes bool) (n uint64, err error) {
	err = tx.Scan(key(spaceOrder), nil, func(k, v []byte) (bool, error) {
		n++
		if !holes && !bytes.Equal(k, key(spaceOrder, u64(n))) {
			return false, damaged("position %d is missing", n)
		}
		b, err := loadBooking(tx, v)
		if err == nil && !bytes.Equal(k, key(spaceOrder, u64(b.Position))) {
			err = damaged("position %x names booking %s, which has position %d", k[1:], b.Identity, b.Position)
		}
		if err == nil {
			err = ctx.Err()
		}
		return err == nil, err
	})
	return n, err
}

func (l *Ledger) verifyBookings(ctx context.Context, tx Tx, n uint64, holes bool) error {
	counts := map[[16]byte]uint64{}
	found := uint64(0)
	err := tx.Scan(key(spaceBooking), nil, func(k, v []byte) (bool, error) {
		b, err := readBooking(tx, k, v)
		if err == nil {
			found++
			counts[b.Journal]++
			err = l.verifyBooking(tx, b, holes)
		}
		if err == nil {
			err = ctx.Err()
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	if found != n {
		return damaged("%d bookings for %d positions", found, n)
	}
	for journal, have := range counts {
		bk, known, err := loadBook(tx, journal)
		if err != nil {
			return err
		}
		if !known || bk.Entries != have {
			return damaged("journal %x counts %d entries and has %d", journal, bk.Entries, have)
		}
	}
	return nil
}

func (l *Ledger) verifyBooking(tx Tx, b Booking, holes bool) error {
	if sha256.Sum256(b.Canonical(nil)) != b.Digest {
		return damaged("booking %s is not what its digest says", b.Identity)
	}
	for _, by := range []queue.ID{b.Reversal, b.VoidedBy} {
		if by == 0 || holes {
			continue
		}
		all, err := bookingsAt(tx, b.Journal, by)
		if err != nil {
			return err
		}
		about := false
		for _, x := range all {
			about = about || x.Entry.Original == b.Sequence
		}
		if !about {
			return damaged("booking %s was undone by entry %d, which is not booked", b.Identity, by)
		}
	}
	if b.Entry.Kind == queue.Reversal || b.State == queue.Reversed {
		return nil
	}
	at, err := tx.Get(refKey(l.opts, b.Journal, b.Entry.Ref))
	if err == nil && !bytes.Equal(at, b.key()) {
		err = damaged("the ref of booking %s does not lead to it", b.Identity)
	}
	return err
}
