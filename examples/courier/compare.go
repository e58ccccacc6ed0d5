package main

import (
	"cmp"

	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/queue"
)

// outcome is what comparing the three lists comes to.
type outcome struct {
	taken, atHost            int // sales
	lost, doubled, different int
	reversals                int // at the host
	rows                     []screen.Row
	findings                 []finding
}

// finding is one disagreement.
type finding struct {
	kind                   screen.DifferenceKind
	ref                    string
	why                    reason
	told, journalled, host screen.Figure
}

// compare holds three lists against each other, row by row: what was asked of
// the handset and acknowledged by it, the journal, and the host's ledger. List
// and journal meet by ref, journal and ledger by terminal, host batch number and
// STAN. handed are the parcels that were handed over: each must
// be paid for by exactly one sale of the list.
//
// A sale stands at the host if it is booked there and not reversed; a voided or
// refunded one stands, for the void or refund is a booking of its own. Each row
// counts at most once, in the first of these that applies to it:
//
//   - lost: a sale acknowledged as taken (accepted, or stored to be delivered)
//     that does not stand at the host, or is not in the journal; a parcel
//     handed over without one;
//   - doubled: a booking that stands although no acknowledgement asks for it,
//     since the handset said declined, in doubt, reversed or not sent, or said
//     nothing, or since the same transaction stands there already; a parcel
//     that more than one taken sale is for;
//   - different: anything else that disagrees, between what was asked, answered,
//     journalled and booked: amount, currency, kind, tender, terminal, merchant,
//     card, reference number, numbers or state; a void, refund or reversal
//     without its trace at the host; a reversal of something else than its
//     original; an entry that is not final; a booking, tombstone or conflict of
//     the host that nothing in the journal explains; a batch that the host has
//     not closed in agreement.
//
// taken counts the sales acknowledged as taken, atHost the sales that stand in
// the ledger, whoever asked for them.
func compare(handed []string, list []told, journal []queue.Entry, ledger host.Ledger) outcome {
	c := newComparison(journal, ledger)
	for _, row := range list {
		c.acknowledged(row)
	}
	for _, e := range journal {
		if e.Kind != queue.Reversal && !c.seen[e.ID] {
			c.unacknowledged(e)
		}
	}
	c.orphans(journal)
	c.unexplained(ledger)
	c.parcels(handed, list)
	c.out.rows = c.table.rows()
	return c.out
}

// identity is what makes an entry and a booking the same transaction.
type identity struct {
	terminal    string
	batch, stan uint32
}

func identityOf(e queue.Entry) identity {
	return identity{e.Lane.Terminal, e.HostBatch, uint32(e.STAN)}
}

func identityAt(id host.Identity) identity { return identity{id.Terminal, id.Batch, id.STAN} }

// comparison is one compare under way.
type comparison struct {
	out      outcome
	table    table
	byRef    map[string]queue.Entry
	byID     map[queue.ID]queue.Entry
	seen     map[queue.ID]bool // entries that an acknowledgement explains
	voided   map[queue.ID]bool // sales with an accepted void
	refunded map[queue.ID]int64
	bookings map[identity]host.Booking // not yet explained
	tombs    map[identity]host.Tombstone
	undoing  map[queue.ID][]queue.Entry // the reversals of an entry
}

func newComparison(journal []queue.Entry, ledger host.Ledger) *comparison {
	c := &comparison{
		byRef: map[string]queue.Entry{}, byID: map[queue.ID]queue.Entry{}, seen: map[queue.ID]bool{},
		voided: map[queue.ID]bool{}, refunded: map[queue.ID]int64{},
		bookings: map[identity]host.Booking{}, tombs: map[identity]host.Tombstone{},
		undoing: map[queue.ID][]queue.Entry{},
	}
	for _, e := range journal {
		c.byID[e.ID] = e
		if e.Kind == queue.Reversal {
			c.undoing[e.Original] = append(c.undoing[e.Original], e)
			continue
		}
		c.byRef[e.Ref] = e
		c.table.journalled(e)
		if e.State == queue.Accepted && e.Op == queue.Void {
			c.voided[e.Original] = true
		}
		if e.State == queue.Accepted && e.Op == queue.Refund {
			c.refunded[e.Original] += e.Amount.Minor
		}
	}
	tenders := map[identity]queue.Entry{}
	for _, e := range journal {
		tenders[identityOf(e)] = e
	}
	for _, b := range ledger.Bookings {
		id := identityAt(b.Identity)
		c.table.booked(b, tenders[id].Tender)
		if stands(b) && isSale(b) {
			c.out.atHost++
		}
		if b.State == host.Reversed {
			c.out.reversals++
		}
		if _, twice := c.bookings[id]; twice {
			c.surplus(b)
			continue
		}
		c.bookings[id] = b
	}
	for _, t := range ledger.Tombstones {
		c.tombs[identityAt(t.Identity)] = t
		c.table.buried(t)
		c.out.reversals++
	}
	return c
}

func stands(b host.Booking) bool { return b.State == host.Booked || b.State == host.Voided }

func isSale(b host.Booking) bool { return b.Kind == host.Sale || b.Kind == host.OfflineSale }

// found is what journal and host have of one acknowledgement.
type found struct {
	row             *told
	entry           queue.Entry
	booking         host.Booking
	tomb            host.Tombstone
	inJournal       bool
	booked, tombed  bool
	standsAtTheHost bool
}

// find takes what journal and host have of an entry; it is explained then.
func (c *comparison) find(e queue.Entry, inJournal bool) found {
	f := found{entry: e, inJournal: inJournal}
	if !inJournal {
		return f
	}
	c.seen[e.ID] = true
	id := identityOf(e)
	if f.booking, f.booked = c.bookings[id]; f.booked {
		delete(c.bookings, id)
		f.standsAtTheHost = stands(f.booking)
	}
	if f.tomb, f.tombed = c.tombs[id]; f.tombed {
		delete(c.tombs, id)
	}
	return f
}

// acknowledged judges one row of the list.
func (c *comparison) acknowledged(row told) {
	c.table.told(row)
	sale := row.Op == queue.Sale.String()
	if sale && row.State.Taken() {
		c.out.taken++
	}
	e, inJournal := c.byRef[row.Ref]
	if inJournal && c.seen[e.ID] {
		c.add(screen.Different, toldTwice, found{row: &row, entry: e, inJournal: true})
		return
	}
	f := c.find(e, inJournal)
	f.row = &row
	switch {
	case row.State.Taken() && sale && !inJournal:
		c.add(screen.Lost, notJournalled, f)
	case row.State.Taken() && sale && !f.standsAtTheHost:
		c.add(screen.Lost, notStanding, f)
	case row.State.Taken():
		c.add(screen.Different, c.kept(f), f)
	case f.standsAtTheHost:
		c.add(screen.Doubled, standsUnasked, f)
	default:
		c.add(screen.Different, c.undone(f), f)
	}
}

// unacknowledged judges an entry that the handset told nobody of.
func (c *comparison) unacknowledged(e queue.Entry) {
	f := c.find(e, true)
	if f.standsAtTheHost {
		c.add(screen.Doubled, neverAcknowledged, f)
		return
	}
	c.add(screen.Different, c.undone(f), f)
}

// orphans counts the reversals whose original is not in the journal.
func (c *comparison) orphans(journal []queue.Entry) {
	for _, e := range journal {
		if _, known := c.byID[e.Original]; e.Kind == queue.Reversal && !known {
			c.add(screen.Different, otherReversal, found{entry: e, inJournal: true})
		}
	}
}

// parcels counts the parcels that were handed over for nothing, and those that
// were paid for more than once.
func (c *comparison) parcels(handed []string, list []told) {
	paid := map[string]int{}
	for _, row := range list {
		if row.Parcel != "" && row.State.Taken() {
			paid[row.Parcel]++
		}
	}
	for _, parcel := range handed {
		if paid[parcel] == 0 {
			c.add(screen.Lost, notPaid, found{row: &told{asked: asked{Ref: parcel}}})
		}
	}
	for _, row := range list {
		if paid[row.Parcel] > 1 {
			c.add(screen.Doubled, paidTwice, found{row: &told{asked: asked{Ref: row.Parcel}}})
			delete(paid, row.Parcel)
		}
	}
}

// unexplained counts what the host has and nothing in the journal explains.
func (c *comparison) unexplained(ledger host.Ledger) {
	for _, b := range ledger.Bookings {
		id := identityAt(b.Identity)
		left, open := c.bookings[id]
		if !open {
			continue
		}
		delete(c.bookings, id)
		if stands(left) {
			c.surplus(left)
		} else {
			c.add(screen.Different, unknownReversal, found{booking: left, booked: true})
		}
	}
	for _, t := range ledger.Tombstones {
		if _, open := c.tombs[identityAt(t.Identity)]; open {
			delete(c.tombs, identityAt(t.Identity))
			c.add(screen.Different, unknownReversal, found{tomb: t, tombed: true})
		}
	}
	c.unbalanced(ledger)
	for _, k := range ledger.Conflicts {
		c.add(screen.Different, conflict, found{booking: host.Booking{Identity: k.Identity, Amount: k.Amount}, booked: true})
	}
}

// unbalanced counts the batches that the host has not closed in agreement.
func (c *comparison) unbalanced(ledger host.Ledger) {
	type number struct {
		terminal string
		batch    uint32
	}
	settled := map[number]bool{}
	for _, b := range ledger.Batches {
		settled[number{b.Terminal, b.Number}] = b.State == host.BatchClosed && b.End == "00"
	}
	for _, b := range ledger.Bookings {
		n := number{b.Terminal, b.Batch}
		if stands(b) && !settled[n] {
			settled[n] = true // once a batch
			c.add(screen.Different, notSettled, found{booking: host.Booking{Identity: host.Identity{Terminal: n.terminal, Batch: n.batch}}, booked: true})
		}
	}
}

// surplus counts a booking that stands without an entry of its own.
func (c *comparison) surplus(b host.Booking) {
	c.add(screen.Doubled, notOurs, found{booking: b, booked: true, standsAtTheHost: true})
}

// add keeps a finding, unless all agrees.
func (c *comparison) add(kind screen.DifferenceKind, why reason, f found) {
	if why == agrees {
		return
	}
	switch kind {
	case screen.Lost:
		c.out.lost++
	case screen.Doubled:
		c.out.doubled++
	default:
		c.out.different++
	}
	out := finding{kind: kind, why: why}
	if f.row != nil {
		out.ref, out.told = f.row.Ref, screen.Figure{Count: 1, Fen: f.row.Fen}
	}
	if f.inJournal {
		out.ref, out.journalled = f.entry.Ref, screen.Figure{Count: 1, Fen: f.entry.Amount.Minor}
	}
	if f.booked {
		out.ref = cmp.Or(out.ref, f.booking.String())
		out.host = screen.Figure{Count: 1, Fen: f.booking.Amount}
	} else if f.tombed {
		out.ref = cmp.Or(out.ref, f.tomb.String())
	}
	c.out.findings = append(c.out.findings, out)
}

// differences are the findings as the screen shows them.
func (o outcome) differences(w *words) []screen.Difference {
	out := make([]screen.Difference, len(o.findings))
	for i, f := range o.findings {
		out[i] = screen.Difference{Kind: f.kind, Ref: f.ref, Acknowledged: f.told, Journal: f.journalled, Host: f.host,
			Detail: w.reasons[f.why]}
	}
	return out
}
