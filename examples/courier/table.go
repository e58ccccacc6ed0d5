package main

import (
	"slices"
	"strconv"

	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/examples/courier/handset"
	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/queue"
)

// table adds up the three lists by category.
type table [screen.Total + 1]screen.Row

func (t *table) rows() []screen.Row {
	out := slices.Clone(t[:])
	sum := func(get func(*screen.Row) *screen.Figure) {
		for i := screen.CardOnline; i <= screen.Refunds; i++ {
			get(&out[screen.Total]).Count += get(&out[i]).Count
			get(&out[screen.Total]).Fen += get(&out[i]).Fen
		}
	}
	sum(func(r *screen.Row) *screen.Figure { return &r.Acknowledged })
	sum(func(r *screen.Row) *screen.Figure { return &r.Journal })
	sum(func(r *screen.Row) *screen.Figure { return &r.Host })
	for i := range out {
		out[i].Category = screen.Category(i)
	}
	return out
}

func count(f *screen.Figure, fen int64) {
	f.Count++
	f.Fen += fen
}

func (t *table) told(row told) {
	switch {
	case row.Now == handset.Reversed:
		count(&t[screen.Reversals].Acknowledged, row.Fen)
	case row.State.Taken():
		cat, sign := category(row.Op, row.Tender, row.Offline)
		count(&t[cat].Acknowledged, sign*row.Fen)
	}
}

func (t *table) journalled(e queue.Entry) {
	switch e.State {
	case queue.Reversed:
		count(&t[screen.Reversals].Journal, e.Amount.Minor)
	case queue.Accepted:
		cat, sign := category(e.Op.String(), e.Tender.String(), e.Kind == queue.Advice)
		count(&t[cat].Journal, sign*e.Amount.Minor)
	}
}

// booked counts a booking. A sale that came from a grouped upload does not say
// what was paid with; the journal's entry then does.
func (t *table) booked(b host.Booking, tender queue.Tender) {
	op := queue.Sale
	switch {
	case b.State == host.Reversed:
		count(&t[screen.Reversals].Host, b.Amount)
		return
	case b.Kind == host.Void:
		op = queue.Void
	case b.Kind == host.Refund:
		op = queue.Refund
	}
	if t, says := tenderOf(b); says {
		tender = t
	}
	cat, sign := category(op.String(), tender.String(), b.Kind == host.OfflineSale)
	count(&t[cat].Host, sign*b.Amount)
}

// tenderOf is what a booking says that was paid with, by its entry mode (DE 22).
func tenderOf(b host.Booking) (t queue.Tender, says bool) {
	mode, _ := strconv.Atoi(b.Entry)
	switch {
	case b.Entry == "":
		return 0, false
	case mode/10 == 3:
		return queue.QR, true
	case mode/10 == 0:
		return queue.Cash, true
	}
	return queue.CardTender, true
}

func (t *table) buried(tomb host.Tombstone) { count(&t[screen.Reversals].Host, tomb.Amount) }

// category is where a transaction is counted, and with which sign.
func category(op, tender string, offline bool) (screen.Category, int64) {
	switch {
	case op == queue.Void.String():
		return screen.Voids, -1
	case op == queue.Refund.String():
		return screen.Refunds, -1
	case tender == queue.Cash.String():
		return screen.CashTaken, 1
	case tender == queue.QR.String():
		return screen.QRCode, 1
	case offline:
		return screen.CardOffline, 1
	}
	return screen.CardOnline, 1
}
