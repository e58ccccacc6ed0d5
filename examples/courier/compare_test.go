package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/examples/courier/handset"
	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/queue"
)

// books are the three lists of a small day that agrees.
type books struct {
	list    []told
	journal []queue.Entry
	ledger  host.Ledger
}

const (
	cards = "10000001"
	depot = "10000002"
)

// entry journals an entry with the next id and STAN.
func (b *books) entry(ref string, k queue.Kind, op queue.Op, tender queue.Tender, fen int64, s queue.State) *queue.Entry {
	lane := queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: cards}
	if tender == queue.Cash {
		lane.Terminal = depot
	}
	id := queue.ID(len(b.journal) + 1)
	b.journal = append(b.journal, queue.Entry{
		ID: id, Kind: k, STAN: queue.STAN(id), HostBatch: 1, State: s,
		Transaction: queue.Transaction{Ref: ref, Lane: lane, Op: op, Tender: tender, Amount: queue.Money{Minor: fen, Currency: queue.CNY}},
	})
	return &b.journal[len(b.journal)-1]
}

func (b *books) tell(e queue.Entry, first, now handset.State) {
	b.list = append(b.list, told{Now: now, Answer: handset.Answer{
		Ref: e.Ref, State: first, Op: e.Op.String(), Tender: e.Tender.String(), Fen: e.Amount.Minor, Offline: e.Kind == queue.Advice,
	}})
}

func (b *books) book(e queue.Entry, s host.State) *host.Booking {
	entry := map[queue.Tender]string{queue.CardTender: "051", queue.QR: "032", queue.Cash: "000"}[e.Tender]
	b.ledger.Bookings = append(b.ledger.Bookings, host.Booking{
		Identity: identityInLedger(e), Kind: kindOf(e), State: s, Amount: e.Amount.Minor, Currency: "156", Entry: entry,
	})
	return &b.ledger.Bookings[len(b.ledger.Bookings)-1]
}

func identityInLedger(e queue.Entry) host.Identity {
	return host.Identity{Terminal: e.Lane.Terminal, Batch: e.HostBatch, STAN: uint32(e.STAN)}
}

// reversal journals the reversal of e.
func (b *books) reversal(e queue.Entry) {
	r := b.entry("reversal of "+e.Ref, queue.Reversal, e.Op, e.Tender, e.Amount.Minor, queue.Accepted)
	r.Original, r.STAN = e.ID, e.STAN
}

// sale adds a sale that all three have.
func (b *books) sale(ref string, k queue.Kind, tender queue.Tender, fen int64, first handset.State) queue.Entry {
	e := *b.entry(ref, k, queue.Sale, tender, fen, queue.Accepted)
	b.tell(e, first, first)
	b.book(e, host.Booked)
	return e
}

func newBooks() *books {
	b := &books{}
	b.sale("online", queue.Request, queue.CardTender, 1000, handset.Accepted)
	b.sale("offline", queue.Advice, queue.CardTender, 2000, handset.Stored)
	b.sale("code", queue.Request, queue.QR, 300, handset.Accepted)
	b.sale("cash", queue.Advice, queue.Cash, 400, handset.Stored)

	voided := b.sale("voided", queue.Request, queue.CardTender, 500, handset.Accepted)
	b.ledger.Bookings[len(b.ledger.Bookings)-1].State = host.Voided
	v := b.entry("voided/void", queue.Request, queue.Void, queue.CardTender, 500, queue.Accepted)
	v.Original = voided.ID
	b.tell(*v, handset.Accepted, handset.Accepted)
	b.book(*v, host.Booked).Original = identityInLedger(voided)

	refunded := b.sale("refunded", queue.Advice, queue.Cash, 600, handset.Stored)
	b.ledger.Bookings[len(b.ledger.Bookings)-1].Refunded = 250
	r := b.entry("refunded/refund", queue.Advice, queue.Refund, queue.Cash, 250, queue.Accepted)
	r.Original = refunded.ID
	b.tell(*r, handset.Stored, handset.Stored)
	b.book(*r, host.Booked).Original = identityInLedger(refunded)

	undone := *b.entry("undone", queue.Request, queue.Sale, queue.CardTender, 700, queue.Reversed)
	b.tell(undone, handset.InDoubt, handset.Reversed)
	b.book(undone, host.Reversed)
	b.reversal(undone)
	buried := *b.entry("buried", queue.Request, queue.Sale, queue.QR, 800, queue.Reversed)
	b.tell(buried, handset.InDoubt, handset.Reversed)
	b.ledger.Tombstones = append(b.ledger.Tombstones, host.Tombstone{Identity: identityInLedger(buried), Kind: host.Sale, Amount: 800})
	b.reversal(buried)

	b.tell(*b.entry("declined", queue.Request, queue.Sale, queue.CardTender, 900, queue.Declined), handset.Declined, handset.Declined)
	unsent := b.entry("unsent", queue.Request, queue.Sale, queue.QR, 950, queue.Cancelled)
	unsent.HostBatch = 0
	b.tell(*unsent, handset.NotSent, handset.NotSent)
	for _, terminal := range []string{cards, depot} {
		b.ledger.Batches = append(b.ledger.Batches, host.Batch{Terminal: terminal, Number: 1, State: host.BatchClosed, End: "00"})
	}
	b.list = append(b.list, told{Answer: handset.Answer{Ref: "nowhere", State: handset.NotSent, Op: "sale", Tender: "qr", Fen: 1}, Now: handset.NotSent})
	return b
}

// of finds the entry of a ref.
func (b *books) of(ref string) *queue.Entry {
	for i := range b.journal {
		if b.journal[i].Ref == ref {
			return &b.journal[i]
		}
	}
	panic("no entry " + ref)
}

// row finds the acknowledgement of a ref.
func (b *books) row(ref string) *told {
	for i := range b.list {
		if b.list[i].Ref == ref {
			return &b.list[i]
		}
	}
	panic("no row " + ref)
}

// at finds the booking of a ref.
func (b *books) at(ref string) *host.Booking {
	for i := range b.ledger.Bookings {
		if b.ledger.Bookings[i].Identity == identityInLedger(*b.of(ref)) {
			return &b.ledger.Bookings[i]
		}
	}
	panic("no booking " + ref)
}

func remove[T any](list *[]T, at *T) {
	for i := range *list {
		if &(*list)[i] == at {
			*list = append((*list)[:i:i], (*list)[i+1:]...)
			return
		}
	}
	panic("not in the list")
}

func TestCompareAgrees(t *testing.T) {
	b := newBooks()
	o := compare(b.list, b.journal, b.ledger)
	require.Empty(t, o.findings)
	require.Equal(t, []int{6, 6, 2}, []int{o.taken, o.atHost, o.reversals}, "taken, at the host, reversals")
	require.Equal(t, []int{0, 0, 0}, []int{o.lost, o.doubled, o.different})
	want := map[screen.Category]screen.Figure{
		screen.CardOnline: {Count: 2, Fen: 1500}, screen.CardOffline: {Count: 1, Fen: 2000}, screen.QRCode: {Count: 1, Fen: 300},
		screen.CashTaken: {Count: 2, Fen: 1000}, screen.Voids: {Count: 1, Fen: -500}, screen.Refunds: {Count: 1, Fen: -250},
		screen.Reversals: {Count: 2, Fen: 1500}, screen.Total: {Count: 8, Fen: 4050},
	}
	for _, r := range o.rows {
		require.Equal(t, screen.Row{Category: r.Category, Acknowledged: want[r.Category], Journal: want[r.Category], Host: want[r.Category]}, r)
	}
}

// TestCompareCountsEachDamage: one damage a row, and what it must count as.
func TestCompareCountsEachDamage(t *testing.T) {
	lost, doubled, different := screen.Lost, screen.Doubled, screen.Different
	for _, c := range []struct {
		name   string
		damage func(*books)
		kind   screen.DifferenceKind
		why    reason
		ref    string // of the finding; "": a booking's own name
	}{
		{"a taken sale is missing at the host", func(b *books) { remove(&b.ledger.Bookings, b.at("online")) }, lost, notStanding, "online"},
		{"an offline sale is missing at the host", func(b *books) { remove(&b.ledger.Bookings, b.at("offline")) }, lost, notStanding, "offline"},
		{"cash is missing at the host", func(b *books) { remove(&b.ledger.Bookings, b.at("cash")) }, lost, notStanding, "cash"},
		{"a taken sale is reversed at the host", func(b *books) { b.at("code").State = host.Reversed }, lost, notStanding, "code"},
		{"a taken sale is reversed on both sides", func(b *books) {
			b.of("code").State, b.at("code").State = queue.Reversed, host.Reversed
		}, lost, notStanding, "code"},
		{"a stored sale was never delivered", func(b *books) {
			b.of("cash").State = queue.Pending
			remove(&b.ledger.Bookings, b.at("cash"))
		}, lost, notStanding, "cash"},
		{"a taken sale was declined after all", func(b *books) {
			b.of("offline").State = queue.Declined
			remove(&b.ledger.Bookings, b.at("offline"))
		}, lost, notStanding, "offline"},
		{"a taken sale is nowhere", func(b *books) {
			b.list = append(b.list, told{Answer: handset.Answer{Ref: "ghost", Op: "sale", Tender: "cash", Fen: 1, State: handset.Stored}})
		}, lost, notJournalled, "ghost"},
		{"two sales share one booking", func(b *books) {
			remove(&b.ledger.Bookings, b.at("code"))
			b.of("code").STAN = b.of("online").STAN
		}, lost, notStanding, "code"},

		{"what was in doubt stands", func(b *books) { b.at("undone").State = host.Booked }, doubled, standsUnasked, "undone"},
		{"what was declined stands", func(b *books) { b.book(*b.of("declined"), host.Booked) }, doubled, standsUnasked, "declined"},
		{"what was not sent stands", func(b *books) {
			b.of("unsent").HostBatch = 1
			b.book(*b.of("unsent"), host.Booked)
		}, doubled, standsUnasked, "unsent"},
		{"what came after its tombstone stands", func(b *books) { b.book(*b.of("buried"), host.Booked) }, doubled, standsUnasked, "buried"},
		{"a booking stands without an entry", func(b *books) {
			k := *b.at("online")
			k.STAN = 777
			b.ledger.Bookings = append(b.ledger.Bookings, k)
		}, doubled, notOurs, ""},
		{"a booking stands twice under one number", func(b *books) {
			b.ledger.Bookings = append(b.ledger.Bookings, *b.at("online"))
		}, doubled, notOurs, ""},
		{"an entry stands that was never acknowledged", func(b *books) { remove(&b.list, b.row("code")) }, doubled, neverAcknowledged, "code"},
		{"a refund stands that was never acknowledged", func(b *books) { remove(&b.list, b.row("refunded/refund")) }, doubled, neverAcknowledged, "refunded/refund"},
		{"a void stands that was in doubt", func(b *books) { b.row("voided/void").State = handset.InDoubt }, doubled, standsUnasked, "voided/void"},

		{"the host has another amount", func(b *books) { b.at("online").Amount++ }, different, otherAmount, "online"},
		{"the host has another currency", func(b *books) { b.at("cash").Currency = "840" }, different, otherCurrency, "cash"},
		{"the host has another kind", func(b *books) { b.at("offline").Kind = host.Sale }, different, otherKind, "offline"},
		{"the journal has another amount", func(b *books) {
			b.of("online").Amount.Minor++
			b.at("online").Amount++
		}, different, otherContent, "online"},
		{"the journal has another tender", func(b *books) { b.of("code").Tender = queue.CardTender }, different, otherContent, "code"},
		{"the journal does not know that the host has it", func(b *books) { b.of("offline").State = queue.InDoubt }, different, otherState, "offline"},
		{"an entry is parked", func(b *books) { b.of("cash").State = queue.Parked }, different, otherState, "cash"},
		{"the reversal is missing at the host", func(b *books) { remove(&b.ledger.Bookings, b.at("undone")) }, different, noReversal, "undone"},
		{"the tombstone is missing at the host", func(b *books) { b.ledger.Tombstones = nil }, different, noReversal, "buried"},
		{"the reversal is of another amount", func(b *books) { b.ledger.Tombstones[0].Amount-- }, different, otherAmount, "buried"},
		{"what was in doubt is still", func(b *books) { b.of("undone").State = queue.InDoubt }, different, otherState, "undone"},
		{"what was in doubt is still, and the host never heard of it", func(b *books) {
			b.of("buried").State = queue.InDoubt
			b.ledger.Tombstones = nil
		}, different, otherState, "buried"},
		{"what was in doubt is accepted, and nowhere booked", func(b *books) {
			b.of("undone").State = queue.Accepted
			remove(&b.ledger.Bookings, b.at("undone"))
		}, different, missingAtHost, "undone"},
		{"what was in doubt is not in the journal", func(b *books) { b.row("nowhere").State = handset.InDoubt }, different, notJournalled, ""},
		{"what was declined was reversed", func(b *books) { b.book(*b.of("declined"), host.Reversed) }, different, otherState, "declined"},
		{"the host has a reversal of nobody's", func(b *books) {
			k := *b.at("undone")
			k.STAN = 777
			b.ledger.Bookings = append(b.ledger.Bookings, k)
		}, different, unknownReversal, ""},
		{"the host has a tombstone of nobody's", func(b *books) {
			b.ledger.Tombstones = append(b.ledger.Tombstones, host.Tombstone{Identity: host.Identity{Terminal: cards, Batch: 1, STAN: 777}})
		}, different, unknownReversal, ""},
		{"the host has a conflict", func(b *books) {
			b.ledger.Conflicts = append(b.ledger.Conflicts, host.Conflict{Identity: b.at("cash").Identity, Amount: 400})
		}, different, conflict, ""},
		{"a batch was closed and does not agree", func(b *books) { b.ledger.Batches[0].End = "95" }, different, notSettled, ""},
		{"a batch was never closed", func(b *books) { b.ledger.Batches[1].State = host.BatchTotals }, different, notSettled, ""},
		{"a batch was never heard of", func(b *books) { b.ledger.Batches = b.ledger.Batches[1:] }, different, notSettled, ""},
		{"the refund is for another original", func(b *books) { b.at("refunded/refund").Original.STAN++ }, different, otherOriginal, "refunded/refund"},
		{"the host has refunded more", func(b *books) { b.at("refunded").Refunded++ }, different, otherRefund, "refunded"},
		{"one ref is acknowledged twice", func(b *books) { b.list = append(b.list, *b.row("declined")) }, different, toldTwice, "declined"},
		{"an acknowledged void was journalled nowhere", func(b *books) {
			b.list = append(b.list, told{Answer: handset.Answer{Ref: "code/void", Op: "void", Tender: "qr", Fen: 300, State: handset.Accepted}})
		}, different, notJournalled, ""},
		{"an entry that nobody was told of is accepted, and nowhere booked", func(b *books) {
			b.entry("orphan", queue.Advice, queue.Sale, queue.Cash, 1, queue.Accepted)
		}, different, missingAtHost, "orphan"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBooks()
			c.damage(b)
			o := compare(b.list, b.journal, b.ledger)
			require.Len(t, o.findings, 1)
			require.Equal(t, c.kind, o.findings[0].kind)
			require.Equal(t, english.reasons[c.why], english.reasons[o.findings[0].why])
			if c.ref != "" {
				require.Equal(t, c.ref, o.findings[0].ref)
			}
			counts := map[screen.DifferenceKind]int{lost: o.lost, doubled: o.doubled, different: o.different}
			require.Equal(t, 1, counts[c.kind])
			require.Equal(t, 1, o.lost+o.doubled+o.different, "counted once")
		})
	}
}

// TestCompareCountsBothEnds: a damage that shows at two rows counts at both.
func TestCompareCountsBothEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(*books)
		why    []reason
	}{
		{"a void is missing at the host", func(b *books) {
			remove(&b.ledger.Bookings, b.at("voided/void"))
			b.at("voided").State = host.Booked
		}, []reason{otherVoid, missingAtHost}},
		{"a taken sale is booked under another number", func(b *books) { b.of("online").HostBatch = 2 }, []reason{notStanding, notOurs}},
		{"a refund is missing at the host", func(b *books) {
			remove(&b.ledger.Bookings, b.at("refunded/refund"))
			b.at("refunded").Refunded = 0
		}, []reason{otherRefund, missingAtHost}},
		{"a void in doubt was not reversed", func(b *books) {
			b.of("voided/void").State = queue.Reversed
			b.row("voided/void").State = handset.InDoubt
		}, []reason{otherVoid, standsUnasked}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBooks()
			c.damage(b)
			o := compare(b.list, b.journal, b.ledger)
			var why []reason
			for _, f := range o.findings {
				why = append(why, f.why)
			}
			require.Equal(t, c.why, why)
		})
	}
}

// TestCompareCountsWhatStands: the figures of the verdict are counted on each
// side, not derived from each other.
func TestCompareCountsWhatStands(t *testing.T) {
	b := newBooks()
	remove(&b.ledger.Bookings, b.at("online"))
	b.at("undone").State = host.Booked
	b.book(*b.entry("stranger", queue.Advice, queue.Sale, queue.Cash, 5, queue.Accepted), host.Booked)
	o := compare(b.list, b.journal, b.ledger)
	require.Equal(t, []int{6, 7, 1, 2, 0}, []int{o.taken, o.atHost, o.lost, o.doubled, o.different})
}
