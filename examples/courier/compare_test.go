package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/examples/courier/handset"
	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/queue"
)

// books are the three lists of a small day that agrees.
type books struct {
	handed  []string
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
	lane := queue.Lane{Host: "acquirer", Merchant: merchant, Terminal: cards}
	if tender == queue.Cash {
		lane.Terminal = depot
	}
	id := queue.ID(len(b.journal) + 1)
	b.journal = append(b.journal, queue.Entry{
		ID: id, Kind: k, STAN: queue.STAN(id), HostBatch: 1, State: s,
		Transaction: queue.Transaction{Ref: ref, Lane: lane, Op: op, Tender: tender, Amount: queue.Money{Minor: fen, Currency: queue.CNY}},
	})
	e := &b.journal[len(b.journal)-1]
	if tender == queue.CardTender {
		e.MaskedPAN = "622155******0000"
	}
	if s == queue.Accepted && k != queue.Reversal {
		e.Answer = queue.Answer{RRN: fmt.Sprint("rrn", id), AuthCode: fmt.Sprint("auth", id)}
	}
	return e
}

// tell acknowledges e as it stands. A sale that is taken is a parcel handed over.
func (b *books) tell(e queue.Entry, first, now handset.State) {
	q := asked{Ref: e.Ref, Op: e.Op.String(), Tender: e.Tender.String(), Terminal: e.Lane.Terminal, Fen: e.Amount.Minor}
	if e.Original != 0 {
		q.Of = b.journal[e.Original-1].Ref
	} else {
		q.Parcel = "parcel of " + e.Ref
	}
	if e.Op == queue.Sale && first.Taken() {
		b.handed = append(b.handed, q.Parcel)
	}
	row := told{asked: q, State: first, Now: now, Entry: uint64(e.ID), STAN: uint32(e.STAN), Offline: e.Kind == queue.Advice}
	if first != handset.Stored {
		row.Batch = e.HostBatch
	}
	b.list = append(b.list, row)
}

func (b *books) compare() outcome { return compare(b.handed, b.list, b.journal, b.ledger) }

func (b *books) book(e queue.Entry, s host.State) *host.Booking {
	entry := map[queue.Tender]string{queue.CardTender: "051", queue.QR: "032", queue.Cash: "000"}[e.Tender]
	b.ledger.Bookings = append(b.ledger.Bookings, host.Booking{
		Identity: identityInLedger(e), Kind: kindOf(e), State: s, Amount: e.Amount.Minor, Currency: "156", Entry: entry,
		Merchant: merchant, PAN: e.MaskedPAN, RRN: e.Answer.RRN, AuthCode: e.Answer.AuthCode,
	})
	return &b.ledger.Bookings[len(b.ledger.Bookings)-1]
}

func identityInLedger(e queue.Entry) host.Identity {
	return host.Identity{Terminal: e.Lane.Terminal, Batch: e.HostBatch, STAN: uint32(e.STAN)}
}

// reversal journals the reversal of e.
func (b *books) reversal(e queue.Entry) {
	r := b.entry("reversal of "+e.Ref, queue.Reversal, e.Op, e.Tender, e.Amount.Minor, queue.Accepted)
	r.Original, r.STAN, r.Batch, r.HostBatch = e.ID, e.STAN, e.Batch, e.HostBatch
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
	b.list = append(b.list, told{asked: asked{Ref: "nowhere", Op: "sale", Tender: "qr", Terminal: cards, Fen: 1}, State: handset.NotSent, Now: handset.NotSent})
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
	o := b.compare()
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
			b.list = append(b.list, told{asked: asked{Ref: "ghost", Op: "sale", Tender: "cash", Fen: 1}, State: handset.Stored})
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
		{"a refund stands that was never acknowledged", func(b *books) { remove(&b.list, b.row("refunded/refund")) }, doubled, neverAcknowledged, "refunded/refund"},
		{"a void stands that was in doubt", func(b *books) { b.row("voided/void").State = handset.InDoubt }, doubled, standsUnasked, "voided/void"},

		{"the host has another amount", func(b *books) { b.at("online").Amount++ }, different, otherAmount, "online"},
		{"the host has another currency", func(b *books) { b.at("cash").Currency = "840" }, different, otherCurrency, "cash"},
		{"the host has another kind", func(b *books) { b.at("offline").Kind = host.Sale }, different, otherKind, "offline"},
		{"journal and host have another amount than was asked for", func(b *books) {
			b.of("online").Amount.Minor++
			b.at("online").Amount++
		}, different, otherContent, "online"},
		{"the handset answered with another amount", func(b *books) { b.row("cash").Otherwise = true }, different, answeredOtherwise, "cash"},
		{"it refused something else", func(b *books) { b.row("nowhere").Otherwise = true }, different, answeredOtherwise, "nowhere"},
		{"the journal has another operation", func(b *books) { b.row("online").Op = "void" }, different, otherContent, "online"},
		{"the journal has another terminal", func(b *books) { b.row("online").Terminal = depot }, different, otherContent, "online"},
		{"the journal has another currency", func(b *books) { b.of("code").Amount.Currency = 840 }, different, otherContent, "code"},
		{"a void is of another sale than was asked for", func(b *books) { b.row("voided/void").Of = "online" }, different, otherContent, "voided/void"},
		{"what was declined has another amount", func(b *books) { b.row("declined").Fen++ }, different, otherContent, "declined"},
		{"what was reversed has another tender", func(b *books) { b.of("undone").Tender = queue.QR }, different, otherContent, "undone"},
		{"another entry was acknowledged", func(b *books) { b.row("cash").Entry++ }, different, otherNumbers, "cash"},
		{"another STAN was acknowledged", func(b *books) { b.row("cash").STAN++ }, different, otherNumbers, "cash"},
		{"another batch was acknowledged", func(b *books) { b.row("online").Batch++ }, different, otherNumbers, "online"},
		{"no batch was acknowledged", func(b *books) { b.row("undone").Batch = 0 }, different, otherNumbers, "undone"},
		{"the host has another card, the same at its end", func(b *books) { b.at("online").PAN = "621626******0000" }, different, otherCard, "online"},
		{"the host has another card, the same at its beginning", func(b *books) { b.at("offline").PAN = "622155******0018" }, different, otherCard, "offline"},
		{"the host has no card", func(b *books) { b.at("online").PAN = "" }, different, otherCard, "online"},
		{"the host has a card where there was none", func(b *books) { b.at("code").PAN = "622155******0000" }, different, otherCard, "code"},
		{"the host has a reversed sale on another card", func(b *books) { b.at("undone").PAN = "411111******1111" }, different, otherCard, "undone"},
		{"the host has another merchant", func(b *books) { b.at("cash").Merchant = "898100000000002" }, different, otherMerchant, "cash"},
		{"the host has another reference number", func(b *books) { b.at("cash").RRN = "rrn" }, different, otherRRN, "cash"},
		{"the host has another authorisation", func(b *books) { b.at("code").AuthCode = "" }, different, otherRRN, "code"},
		{"the host has it as paid by other means", func(b *books) { b.at("code").Entry = "051" }, different, otherTender, "code"},
		{"the host has a reversed sale as a refund", func(b *books) { b.at("undone").Kind = host.Refund }, different, otherKind, "undone"},
		{"the host has another amount reversed", func(b *books) { b.at("undone").Amount++ }, different, otherAmount, "undone"},
		{"the host has another currency reversed", func(b *books) { b.at("undone").Currency = "840" }, different, otherCurrency, "undone"},
		{"the tombstone is of another kind", func(b *books) { b.ledger.Tombstones[0].Kind = host.Void }, different, otherKind, "buried"},
		{"a reversal has no end", func(b *books) { b.of("reversal of undone").State = queue.Pending }, different, openReversal, "undone"},
		{"a reversal is parked", func(b *books) { b.of("reversal of buried").State = queue.Parked }, different, openReversal, "buried"},
		{"a reversal has another STAN", func(b *books) { b.of("reversal of undone").STAN++ }, different, otherReversal, "undone"},
		{"a reversal has another host batch", func(b *books) { b.of("reversal of undone").HostBatch++ }, different, otherReversal, "undone"},
		{"a reversal is in another batch", func(b *books) { b.of("reversal of undone").Batch.N++ }, different, otherReversal, "undone"},
		{"a reversal has another amount", func(b *books) { b.of("reversal of buried").Amount.Minor++ }, different, otherReversal, "buried"},
		{"a reversal was declined", func(b *books) { b.of("reversal of buried").State = queue.Declined }, different, otherReversal, "buried"},
		{"a reversal is missing", func(b *books) { remove(&b.journal, b.of("reversal of buried")) }, different, otherReversal, "buried"},
		{"a reversal is of nobody's", func(b *books) {
			b.reversal(*b.of("cash"))
			b.of("reversal of cash").Original = 777
		}, different, otherReversal, "reversal of cash"},
		{"a sale that stands was reversed", func(b *books) { b.reversal(*b.of("cash")) }, different, otherReversal, "cash"},
		{"a parcel was handed over for nothing", func(b *books) { b.handed = append(b.handed, "unpaid") }, lost, notPaid, "unpaid"},
		{"a parcel was paid for twice", func(b *books) {
			b.sale("again", queue.Advice, queue.Cash, 400, handset.Stored)
			b.row("again").Parcel = b.row("cash").Parcel
			b.handed = b.handed[:len(b.handed)-1]
		}, doubled, paidTwice, "parcel of cash"},
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
			b.list = append(b.list, told{asked: asked{Ref: "code/void", Op: "void", Tender: "qr", Fen: 300}, State: handset.Accepted})
		}, different, notJournalled, ""},
		{"an entry that nobody was told of is accepted, and nowhere booked", func(b *books) {
			b.entry("orphan", queue.Advice, queue.Sale, queue.Cash, 1, queue.Accepted)
		}, different, missingAtHost, "orphan"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBooks()
			c.damage(b)
			o := b.compare()
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

// TestCompareTakesWhatIsAlike: what may be written differently on the two sides
// is no difference.
func TestCompareTakesWhatIsAlike(t *testing.T) {
	for name, change := range map[string]func(*books){
		"another mask": func(b *books) { b.at("online").PAN = "622155xxxxxx0000" },
		"mended from the upload, under new numbers": func(b *books) {
			k := b.at("online")
			k.FromUpload, k.RRN, k.AuthCode, k.Entry = true, "new", "new", ""
		},
		"a reference number that the device never learned": func(b *books) { b.of("online").Answer = queue.Answer{} },
		"stored, and delivered in a later batch": func(b *books) {
			e, k := b.of("offline"), b.at("offline")
			e.HostBatch, k.Batch = 2, 2
			b.ledger.Batches = append(b.ledger.Batches, host.Batch{Terminal: cards, Number: 2, State: host.BatchClosed, End: "00"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBooks()
			change(b)
			require.Empty(t, b.compare().findings)
		})
	}
}

// TestAnswered: an answer must be about what was asked, in each of its parts.
func TestAnswered(t *testing.T) {
	q := asked{Ref: "r", Of: "o", Op: "refund", Tender: "card", Terminal: cards, Fen: 5}
	alike := handset.Answer{Ref: "r", Of: "o", Op: "refund", Tender: "card", Terminal: cards, Fen: 5, Entry: 3, State: handset.Stored}
	require.True(t, q.answered(alike))
	require.True(t, q.answered(handset.Answer{Ref: "r", State: handset.Refused}))
	for name, change := range map[string]func(*handset.Answer){
		"ref":      func(a *handset.Answer) { a.Ref = "s" },
		"original": func(a *handset.Answer) { a.Of = "p" },
		"op":       func(a *handset.Answer) { a.Op = "void" },
		"tender":   func(a *handset.Answer) { a.Tender = "qr" },
		"terminal": func(a *handset.Answer) { a.Terminal = depot },
		"amount":   func(a *handset.Answer) { a.Fen = 105 },
		"no entry": func(a *handset.Answer) { a.Entry = 0 },
	} {
		a := alike
		change(&a)
		require.False(t, q.answered(a), name)
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
		{"a sale stands that was never acknowledged", func(b *books) { remove(&b.list, b.row("code")) }, []reason{neverAcknowledged, notPaid}},
		{"a void in doubt was not reversed", func(b *books) {
			b.of("voided/void").State = queue.Reversed
			b.row("voided/void").State = handset.InDoubt
		}, []reason{otherVoid, standsUnasked}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBooks()
			c.damage(b)
			o := b.compare()
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
	o := b.compare()
	require.Equal(t, []int{6, 7, 1, 2, 0}, []int{o.taken, o.atHost, o.lost, o.doubled, o.different})
}
