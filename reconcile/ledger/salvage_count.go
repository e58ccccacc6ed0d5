package ledger

import (
	"context"
	"slices"

	"github.com/tallystick/tallystick/reconcile/agree"
)

// sums are what the readable bookings come to.
type sums struct {
	bookings, last uint64 // how many, and the highest position
	journals       map[[16]byte]*journalBook
	devices        map[string]*usage
	places         []uint64 // all positions
}

func (n *sums) book(journal [16]byte) *journalBook {
	if n.journals[journal] == nil {
		n.journals[journal] = &journalBook{journal: journal}
	}
	return n.journals[journal]
}

func (n *sums) of(device string) *usage {
	if n.devices[device] == nil {
		n.devices[device] = &usage{}
	}
	return n.devices[device]
}

func (s *salvage) count(n *sums) error {
	n.journals, n.devices = map[[16]byte]*journalBook{}, map[string]*usage{}
	for b, err := range pages(s.ctx, s.fresh, key(spaceBooking), nil, readBooking) {
		if err != nil {
			return err
		}
		n.bookings++
		n.last = max(n.last, b.Position)
		n.places = append(n.places, b.Position)
		bk := n.book(b.Journal)
		bk.Entries++
		bk.Top, bk.Epoch = max(bk.Top, b.Sequence), max(bk.Epoch, b.Epoch)
		if !slices.Contains(bk.Devices, b.Device) && len(bk.Devices) < maxHands {
			bk.Devices = append(bk.Devices, b.Device)
		}
		use := n.of(b.Device)
		use.Entries++
		use.Bytes += int64(len(b.encode()))
	}
	return nil
}

// devices lets the devices in that are known, and counts their attachments.
func (s *salvage) devices(n *sums) error {
	for d, err := range pages(s.ctx, s.fresh, key(spaceDevice), nil, func(_ Tx, k, v []byte) (Device, error) { return decodeDevice(string(k[1:]), v) }) {
		if err != nil {
			return err
		}
		err := s.fresh.Update(s.ctx, func(tx Tx) error {
			for _, a := range d.access {
				if err := tx.Put(key(spaceAccess, a), []byte(d.Name)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for a, err := range pages(s.ctx, s.fresh, key(spaceAttach), nil, func(_ Tx, k, v []byte) (Attachment, error) { return decodeAttachment(k, v) }) {
		if err != nil {
			return err
		}
		use := n.of(a.Device)
		use.Attachments++
		use.AttachmentBytes += a.Size
	}
	return nil
}

// totals writes what counts.
func (s *salvage) totals(tx Tx, n sums) error {
	for _, err := range []error{s.books(tx, &n), s.usages(tx, n), s.asides(tx), s.positions(tx, n)} {
		if err != nil {
			return err
		}
	}
	return nil
}

// books counts the journals' entries; who may deliver them, and how far they have
// come, is what was kept, or what the bookings show.
func (s *salvage) books(tx Tx, n *sums) error {
	err := tx.Scan(key(spaceBook), nil, func(k, v []byte) (bool, error) {
		kept, err := decodeBook([16]byte(k[1:]), v)
		if err != nil {
			return false, err
		}
		bk := n.book(kept.journal)
		bk.Devices, bk.Epoch, bk.Top = kept.Devices, max(bk.Epoch, kept.Epoch), max(bk.Top, kept.Top)
		return true, nil
	})
	if err != nil {
		return err
	}
	for _, bk := range n.journals {
		if len(bk.Devices) > 0 {
			n.of(bk.Devices[0]).Journals++
		}
		if err := bk.put(tx); err != nil {
			return err
		}
	}
	return nil
}

func (s *salvage) usages(tx Tx, n sums) error {
	for device, use := range n.devices {
		kept, err := loadUsage(tx, device)
		if err != nil {
			return err
		}
		if use.Claims = kept.Claims; s.report.ClaimsLost {
			use.Claims = 0
		}
		if err := tx.Put(usageKey(device), use.encode()); err != nil {
			return err
		}
	}
	return nil
}

func (s *salvage) asides(tx Tx) error {
	of := map[[16]byte]uint64{}
	err := tx.Scan(key(spaceAside), nil, func(k, v []byte) (bool, error) {
		c, err := decodeConflict(k, v)
		of[c.Entry.Journal]++
		return true, err
	})
	for journal, count := range of {
		if err == nil {
			err = putAsides(tx, journal, count)
		}
	}
	return err
}

// positions goes on with the order behind all that may have been given out, and
// reports and marks what is missing in it.
func (s *salvage) positions(tx Tx, n sums) error {
	kept, err := lastPosition(tx)
	if err != nil {
		return err
	}
	last := max(n.last, kept)
	s.report.EndUnknown = s.report.EndUnknown || kept == 0
	slices.Sort(n.places)
	next := uint64(1)
	for _, p := range append(n.places, last+1) {
		if p > next {
			s.lose(agree.Range{From: next, To: p - 1})
		}
		next = p + 1
	}
	s.report.Bookings = n.bookings
	if s.report.EndUnknown {
		last += positionsSkipped
	}
	if err = putPosition(tx, last); err == nil {
		err = tx.Put(key(spaceMeta, unclaimed), []byte{1})
	}
	if err != nil || s.report.LostCount == 0 && !s.report.EndUnknown {
		return err
	}
	return tx.Put(key(spaceMeta, salvaged), []byte{1})
}

// salvaged marks a ledger of which bookings were lost, unclaimed one whose claims
// are to be held to its bookings.
var salvaged, unclaimed = []byte("salvaged"), []byte("unclaimed")

// reclaim makes the claims of what was paid anew, once after a salvage.
func (l *Ledger) reclaim(ctx context.Context) error {
	mark := key(spaceMeta, unclaimed)
	var marked []byte
	err := l.engine.View(ctx, func(tx Tx) (err error) {
		marked, err = tx.Get(mark)
		return err
	})
	if err != nil || marked == nil || l.opts.Claims == nil {
		return err
	}
	var step []Booking
	claim := func(tx Tx) error {
		for _, b := range step {
			s := submission{Identity: b.Identity, device: b.Device, entry: b.Entry, digest: b.Digest, now: b.Booked}
			if err := s.claim(tx, l.opts, b); err != nil {
				return err
			}
		}
		return nil
	}
	for b, err := range l.All(ctx, 0) {
		if err == nil && len(step) == salvageStep {
			err = l.engine.Update(ctx, claim)
			step = step[:0]
		}
		if err != nil {
			return err
		}
		step = append(step, b)
	}
	return l.engine.Update(ctx, func(tx Tx) error {
		if err := claim(tx); err != nil {
			return err
		}
		return tx.Delete(mark)
	})
}

// wasSalvaged tells whether bookings may be missing.
func wasSalvaged(tx Tx) (bool, error) {
	v, err := tx.Get(key(spaceMeta, salvaged))
	return v != nil, err
}

func (s *salvage) lose(r agree.Range) {
	s.report.LostCount += r.Len()
	if len(s.report.Lost) < 1000 {
		s.report.Lost = append(s.report.Lost, r)
	}
}
