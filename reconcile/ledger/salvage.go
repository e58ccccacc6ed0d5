package ledger

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"

	"github.com/tallystick/tallystick/internal/journal"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// SalvageReport says what became of a damaged ledger.
type SalvageReport struct {
	// Aside is where the damaged file is kept.
	Aside string
	// Bookings is how many are readable. Lost are the positions of the others, the
	// first 1,000 ranges of them, and LostCount counts them all.
	Bookings  uint64
	Lost      []agree.Range
	LostCount uint64
	// EndUnknown says that the newest bookings may be lost without a trace, or be
	// as they were before the newest commits; new ones have positions far behind.
	EndUnknown bool
	// ClaimsLost says that no claim is known any more. Those of what is paid New
	// makes anew from the bookings.
	ClaimsLost bool
	// Damage is what was found wrong, the first 100 of it.
	Damage []string
}

// SalvageFile writes what is readable of the damaged ledger at path into a fresh
// file, puts that in its place and keeps the damaged one beside it. Call it when
// OpenFile, or the first call after it, returned ErrDamaged, and the backups are
// older than what is readable; then OpenFile again.
//
// What follows from the bookings is made anew from them. A lost booking is one
// that its device finds out about by comparing itself (reconcile.Incomplete) and
// tells again, unless its journal has pruned it; it then has a new position, so
// that whoever follows All sees it again. Until then what it undid may
// stand as it was before. What else is lost is not named: limits and tokens of
// devices (SetDevice, Token), claims of what is not paid, attachments.
//
// A crash at any point leaves the damaged file or the whole fresh one. Errors:
// ErrHeld, queue.ErrKey (a missing key is no damage), ErrFormat, ErrDamaged when no
// header is readable, and those of the file system. On all of them the damaged
// file is as it was.
func SalvageFile(ctx context.Context, path string, keys queue.Keys, o *FileOptions) (SalvageReport, error) {
	jo, err := o.store(keys)
	if err != nil {
		return SalvageReport{}, err
	}
	s := salvage{ctx: ctx}
	r, err := journal.Salvage(ctx, path, jo, s.rebuild)
	if err != nil {
		return SalvageReport{}, err
	}
	s.report.Aside, s.report.Damage = r.Aside, r.Damage
	return s.report, nil
}

// salvage fills a fresh file.
type salvage struct {
	ctx    context.Context
	fresh  *File
	old    *journal.Remains
	opts   Options         // its secret alone
	lone   map[string]bool // records that the tree does not lead to
	report SalvageReport
}

// salvageStep is how many records one commit takes.
const salvageStep = 256

// positionsSkipped is how far new positions keep away from those that may have
// been given out without a trace.
const positionsSkipped = 1_000_000

func (s *salvage) rebuild(fresh *journal.File, old *journal.Remains, r *journal.SalvageReport) error {
	s.fresh, s.old, s.lone = &File{fresh}, old, map[string]bool{}
	if err := s.carry(spaceMeta); err != nil {
		return err
	}
	if err := s.secret(); err != nil {
		return err
	}
	for _, space := range []byte(spaces) {
		made := space == spaceOrder || space == spaceRef || space == spaceAccess
		switch {
		case space == spaceMeta, made && !r.Whole, space == spaceClaim && s.report.ClaimsLost:
		default:
			if err := s.carry(space); err != nil {
				return err
			}
		}
	}
	if !r.Whole {
		s.report.EndUnknown = r.Stale || r.EndUnknown
		if err := s.orphans(spaceBooking, preferred); err != nil {
			return err
		}
		if err := s.orphans(spaceAside, nil); err != nil {
			return err
		}
		return s.relate()
	}
	n := sums{}
	if err := s.count(&n); err != nil {
		return err
	}
	s.report.Bookings = n.bookings
	return nil
}

// carry copies what is readable of one space.
func (s *salvage) carry(space byte) error {
	return s.copy(s.old.Each, space, func(Tx, pair) (bool, error) { return true, nil })
}

// orphans copies what is readable of one space although the way to it is damaged:
// of records that are seldom deleted and do no harm, and of which better tells whether an older
// version is to be taken for another; nil: there is but one.
func (s *salvage) orphans(space byte, better func(have, other []byte) bool) error {
	return s.copy(s.old.Orphans, space, func(tx Tx, p pair) (bool, error) {
		have, err := tx.Get(p.key)
		if err != nil || have != nil && (better == nil || !s.lone[string(p.key)] || !better(have, p.value)) {
			return false, err
		}
		s.lone[string(p.key)] = true
		return true, nil
	})
}

// copy copies those of the records that each yields which are to be taken, many in
// one commit.
func (s *salvage) copy(each func(journal.Bucket, func(k, v []byte) error) error, space byte, take func(Tx, pair) (bool, error)) error {
	var step []pair
	put := func() error {
		puts := step
		step = nil
		return s.fresh.Update(s.ctx, func(tx Tx) error {
			for _, p := range puts {
				ok, err := take(tx, p)
				if err == nil && ok {
					err = tx.Put(p.key, p.value)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := each(journal.Bucket(space), func(k, v []byte) error {
		if step = append(step, pair{key(space, k), v}); len(step) < salvageStep {
			return nil
		}
		return put()
	})
	if err != nil {
		return err
	}
	return put()
}

// preferred takes the version of a booking that more was done to: what is done is
// seldom taken back.
func preferred(have, other []byte) bool {
	rank := func(v []byte) int {
		b, err := decodeBooking(Identity{}, v)
		switch {
		case err != nil:
			return 0
		case b.State == queue.Reversed:
			return 3
		case b.VoidedBy != 0:
			return 2
		}
		return 1
	}
	return rank(other) > rank(have)
}

// secret reads the ledger's secret, or draws a fresh one: the keys of claims are
// then of no use, while those of refs are made anew.
func (s *salvage) secret() error {
	at := key(spaceMeta, []byte("form"))
	return s.fresh.Update(s.ctx, func(tx Tx) error {
		form, err := tx.Get(at)
		if err != nil {
			return err
		}
		if len(form) == len(ledgerForm)+len(s.opts.secret) {
			copy(s.opts.secret[:], form[len(ledgerForm):])
			return nil
		}
		s.report.ClaimsLost = true
		_, _ = rand.Read(s.opts.secret[:]) // never fails
		return tx.Put(at, append([]byte(ledgerForm), s.opts.secret[:]...))
	})
}

// relate makes anew what follows from the bookings.
func (s *salvage) relate() error {
	n := sums{}
	if err := s.count(&n); err != nil {
		return err
	}
	for _, step := range []func(Tx, Booking) error{s.unsettle, s.reversed, s.unvoid, s.voided, s.refunded, s.named} {
		if err := s.each(step); err != nil {
			return err
		}
	}
	if err := s.devices(&n); err != nil {
		return err
	}
	return s.fresh.Update(s.ctx, func(tx Tx) error { return s.totals(tx, n) })
}

// each calls fn with every booking as it stands then, many in one commit.
func (s *salvage) each(fn func(Tx, Booking) error) error {
	var ids [][]byte
	do := func() error {
		all := ids
		ids = nil
		return s.fresh.Update(s.ctx, func(tx Tx) error {
			for _, at := range all {
				b, err := loadBooking(tx, at)
				if err == nil {
					err = fn(tx, b)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	for b, err := range pages(s.ctx, s.fresh, key(spaceBooking), nil, readBooking) {
		if err != nil {
			return err
		}
		if ids = append(ids, b.key()); len(ids) == salvageStep {
			if err := do(); err != nil {
				return err
			}
		}
	}
	return do()
}

// unsettle forgets what refunds are said to come to: they are added up anew.
func (s *salvage) unsettle(tx Tx, b Booking) error {
	if b.Refunded == 0 {
		return nil
	}
	b.Refunded = 0
	return tx.Put(b.key(), b.encode())
}

func again(b Booking) submission {
	return submission{Identity: b.Identity, lane: b.Lane, entry: b.Entry, device: b.Device}
}

// reversed undoes what an accepted reversal is of, or leaves its tombstone.
func (s *salvage) reversed(tx Tx, b Booking) error {
	if b.Entry.Kind != queue.Reversal || b.State != queue.Accepted {
		return nil
	}
	orig, at, err := again(b).reversedBy(tx)
	switch {
	case err != nil:
		return err
	case orig == nil:
		return undo{reversal: b.Sequence}.put(tx, at)
	case orig.State != queue.Accepted:
		return nil
	}
	orig.State, orig.Reversal = queue.Reversed, b.Sequence
	return tx.Put(orig.key(), orig.encode())
}

// unvoid forgets a void that is lost and was reversed, of which the tombstone tells.
func (s *salvage) unvoid(tx Tx, b Booking) error {
	if b.VoidedBy == 0 {
		return nil
	}
	voids, err := bookingsAt(tx, b.Journal, b.VoidedBy)
	if err != nil || len(voids) > 0 {
		return err
	}
	tombstone := false
	err = tx.Scan(key(spaceUndo, b.Journal[:], u64(uint64(b.VoidedBy))), nil, func(k, _ []byte) (bool, error) {
		tombstone = !bytes.Equal(k, orphanKey(b.Journal, b.VoidedBy))
		return !tombstone, nil
	})
	if err != nil || !tombstone {
		return err
	}
	b.VoidedBy = 0
	return tx.Put(b.key(), b.encode())
}

// voided undoes what an accepted void is of, and what a reversed one is of not.
func (s *salvage) voided(tx Tx, b Booking) error {
	if b.Entry.Kind == queue.Reversal || b.Entry.Op != queue.Void || b.State == queue.Declined {
		return nil
	}
	by := again(b)
	orig, err := by.original(tx, by.about)
	stands := b.State == queue.Accepted
	switch {
	case err != nil:
		return err
	case orig == nil && stands:
		return changeOrphan(tx, b.Journal, b.Entry.Original, func(o *orphan) { o.void = b.Sequence })
	case orig == nil || stands == (orig.VoidedBy == b.Sequence):
		return nil
	case stands:
		orig.VoidedBy = b.Sequence
	default:
		orig.VoidedBy = 0
	}
	return tx.Put(orig.key(), orig.encode())
}

// refunded adds a refund that counts to its sale.
func (s *salvage) refunded(tx Tx, b Booking) error {
	if b.Entry.Op != queue.Refund || !b.Counts() {
		return nil
	}
	orig, err := saleOf(tx, b)
	if err != nil {
		return err
	}
	if orig == nil {
		return changeOrphan(tx, b.Journal, b.Entry.Original, func(o *orphan) { o.refunded += b.Entry.Amount.Minor })
	}
	orig.Refunded += b.Entry.Amount.Minor
	return tx.Put(orig.key(), orig.encode())
}

// named gives a booking its place in the order, and its ref.
func (s *salvage) named(tx Tx, b Booking) error {
	if err := tx.Put(key(spaceOrder, u64(b.Position)), b.key()); err != nil {
		return err
	}
	if b.Entry.Kind == queue.Reversal || b.State == queue.Reversed {
		return nil
	}
	return tx.Put(refKey(&s.opts, b.Journal, b.Entry.Ref), b.key())
}

// orphan is what the bookings about an entry that was lost have done to it: it is
// done to it again when it is told again.
type orphan struct {
	void     queue.ID
	refunded int64
}

func orphanKey(journal [16]byte, seq queue.ID) []byte {
	return key(spaceUndo, journal[:], u64(uint64(seq)), []byte("orphaned"))
}

func loadOrphan(tx Tx, at []byte) (o orphan, found bool, err error) {
	v, err := tx.Get(at)
	if err != nil || v == nil {
		return o, false, err
	}
	if len(v) != 16 {
		return o, false, fmt.Errorf("%w: what is about a lost entry", ErrDamaged)
	}
	return orphan{queue.ID(be.Uint64(v)), int64(be.Uint64(v[8:]))}, true, nil
}

func changeOrphan(tx Tx, journal [16]byte, seq queue.ID, change func(*orphan)) error {
	at := orphanKey(journal, seq)
	o, _, err := loadOrphan(tx, at)
	if err != nil {
		return err
	}
	change(&o)
	return tx.Put(at, append(u64(uint64(o.void)), u64(uint64(o.refunded))...))
}

// adopt does to a booking that was lost, and is told again, what had been done to
// it.
func (s submission) adopt(tx Tx, b *Booking) error {
	at := orphanKey(s.Journal, s.Sequence)
	o, found, err := loadOrphan(tx, at)
	if err != nil || !found || b.State != queue.Accepted {
		return err
	}
	b.VoidedBy, b.Refunded = o.void, o.refunded
	if o.void != 0 && b.Entry.Op == queue.Refund {
		if err := giveBack(tx, *b, -b.Entry.Amount.Minor); err != nil {
			return err
		}
	}
	return tx.Delete(at)
}
