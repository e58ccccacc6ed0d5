package main

import (
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/examples/courier/handset"
	"github.com/tallystick/tallystick/queue"
)

// acknowledgedAs says how a row of the list and its entry disagree, if they do.
func (f found) acknowledgedAs() reason {
	e, row := f.entry, f.row
	if row == nil {
		return agrees
	}
	batchKnown := row.Batch != 0 || row.State == handset.Accepted || row.State == handset.InDoubt
	switch {
	case row.Otherwise:
		return answeredOtherwise
	case e.Op.String() != row.Op || e.Amount.Minor != row.Fen || e.Amount.Currency != queue.CNY ||
		e.Tender.String() != row.Tender || e.Lane.Terminal != row.Terminal || e.Lane.Merchant != merchant:
		return otherContent
	case uint64(e.ID) != row.Entry || uint32(e.STAN) != row.STAN || batchKnown && e.HostBatch != row.Batch:
		return otherNumbers
	}
	return agrees
}

// original says whether an entry undoes the sale that was asked for.
func (c *comparison) original(f found) reason {
	if f.row != nil && c.byID[f.entry.Original].Ref != f.row.Of {
		return otherContent
	}
	return agrees
}

// kept says what is wrong with a transaction that was acknowledged as taken and
// should stand everywhere, all alike.
func (c *comparison) kept(f found) reason {
	if !f.inJournal {
		return notJournalled
	}
	e, b := f.entry, f.booking
	if why := first(f.acknowledgedAs(), c.original(f)); why != agrees {
		return why
	}
	switch {
	case e.State != queue.Accepted:
		return otherState
	case !f.standsAtTheHost:
		return missingAtHost
	case (b.State == host.Voided) != c.voided[e.ID]:
		return otherVoid
	case b.Refunded != c.refunded[e.ID]:
		return otherRefund
	case e.Original != 0 && identityAt(b.Original) != identityOf(c.byID[e.Original]):
		return otherOriginal
	}
	return first(booked(e, b), c.reversed(e))
}

// undone says what is wrong with a transaction that should stand nowhere, and
// does not stand at the host.
func (c *comparison) undone(f found) reason {
	if !f.inJournal {
		switch {
		case f.row == nil:
		case f.row.State == handset.InDoubt:
			return notJournalled
		case f.row.Otherwise:
			return answeredOtherwise
		}
		return agrees
	}
	e, trace := f.entry, f.booked || f.tombed
	if why := first(f.acknowledgedAs(), c.original(f)); why != agrees {
		return why
	}
	switch {
	case !e.State.Final():
		return otherState
	case e.State == queue.Accepted:
		return missingAtHost
	case e.State == queue.Reversed && !trace:
		return noReversal
	case e.State != queue.Reversed && trace:
		return otherState
	case f.tombed && f.tomb.Kind != kindOf(e):
		return otherKind
	case f.tombed && f.tomb.Amount != e.Amount.Minor:
		return otherAmount
	}
	why := c.reversed(e)
	if f.booked {
		why = first(booked(e, f.booking), why)
	}
	return why
}

// first is the first reason of them that is one.
func first(why ...reason) reason {
	for _, w := range why {
		if w != agrees {
			return w
		}
	}
	return agrees
}

// booked says in what the booking of an entry is not alike. A booking that was
// mended from the batch upload has numbers of its own: the entry keeps those of
// the first answer, which the host has forgotten.
func booked(e queue.Entry, b host.Booking) reason {
	tender, says := tenderOf(b)
	switch {
	case b.Kind != kindOf(e):
		return otherKind
	case b.Amount != e.Amount.Minor:
		return otherAmount
	case b.Currency != e.Amount.Currency.Numeric():
		return otherCurrency
	case says && tender != e.Tender:
		return otherTender
	case b.Merchant != e.Lane.Merchant:
		return otherMerchant
	case !sameCard(b.PAN, e.MaskedPAN):
		return otherCard
	case b.FromUpload:
		return agrees
	case e.Answer.RRN != "" && b.RRN != e.Answer.RRN, e.Answer.AuthCode != "" && b.AuthCode != e.Answer.AuthCode:
		return otherRRN
	}
	return agrees
}

// sameCard compares two masked card numbers by what a mask must leave, the first
// six and the last four digits, and their length.
func sameCard(a, b string) bool {
	if len(a) != len(b) || len(a) < 10 {
		return a == b
	}
	return a[:6] == b[:6] && a[len(a)-4:] == b[len(b)-4:]
}

// reversed says what is wrong with the reversals of an entry: each must be of
// what the entry is and have come to an end, and a reversed entry must have one
// that the host took.
func (c *comparison) reversed(e queue.Entry) reason {
	taken := false
	for _, r := range c.undoing[e.ID] {
		switch {
		case !r.State.Final():
			return openReversal
		case r.STAN != e.STAN, r.HostBatch != e.HostBatch, r.Batch != e.Batch, r.Lane != e.Lane, r.Amount != e.Amount,
			r.Op != e.Op, r.Tender != e.Tender, r.MaskedPAN != e.MaskedPAN:
			return otherReversal
		}
		taken = taken || r.State == queue.Accepted
	}
	if taken != (e.State == queue.Reversed) {
		return otherReversal
	}
	return agrees
}

// kindOf is how the host books an entry.
func kindOf(e queue.Entry) host.Kind {
	switch {
	case e.Op == queue.Void:
		return host.Void
	case e.Op == queue.Refund:
		return host.Refund
	case e.Kind == queue.Advice:
		return host.OfflineSale
	}
	return host.Sale
}
