package main

import (
	"context"
	"fmt"

	"github.com/tallystick/tallystick/examples/courier/handset"
	"github.com/tallystick/tallystick/examples/courier/route"
	"github.com/tallystick/tallystick/queue"
)

// maxPayments bounds how often a customer is asked to pay anew.
const maxPayments = 5

// deliver hands over parcel i and is paid for it: as its recipient asked, else
// by another tender, each time under a new ref. Cash always works.
func (d *day) deliver(ctx context.Context, i int, p route.Parcel) error {
	tender, name := p.Tender, nameOf(p)
	certain := d.online >= forgotten // the host does not forget what comes now
	for n := 1; n <= maxPayments; n++ {
		ref := name
		if n > 1 {
			ref = fmt.Sprintf("%s/%d", name, n)
		}
		a, err := d.do(ctx, asked{Ref: ref, Parcel: name, Op: queue.Sale.String(), Tender: tender.String(), Terminal: terminalOf(tender), Fen: p.Fen})
		if err != nil {
			return err
		}
		if a.State.Taken() {
			if !a.Offline {
				d.online++
			}
			d.handed = append(d.handed, name)
			d.taken = append(d.taken, taken{ref: ref, tender: tender, fen: p.Fen, booked: certain})
			d.show.ParcelDone(tender, p.Fen)
			return d.secondThoughts(ctx, i, a)
		}
		tender = next(tender, a.State, n)
	}
	d.show.Refused(p.Waybill)
	return nil
}

// nameOf is what a parcel's payments are called after: its waybill, or, where
// that could be taken for a card number, its line in the route.
func nameOf(p route.Parcel) string {
	if handset.CardLike(p.Waybill) {
		return fmt.Sprintf("line/%d", p.Line)
	}
	return p.Waybill
}

// next is what the customer pays with after a tender did not work. One that is
// in doubt is being reversed: it may be used again.
func next(t route.Tender, s handset.State, n int) route.Tender {
	switch {
	case n >= maxPayments-1:
		return route.Cash
	case s == handset.InDoubt:
		return t
	case t == route.QR:
		return route.Card
	}
	return route.Cash
}

// secondThoughts voids the sale just made, or refunds an earlier one, where the
// plan says so.
func (d *day) secondThoughts(ctx context.Context, i int, a handset.Answer) error {
	last := len(d.taken) - 1
	if d.plan.voids[i] && a.State == handset.Accepted && d.taken[last].booked {
		if err := d.void(ctx, last); err != nil {
			return err
		}
	}
	if d.plan.refunds[i] {
		return d.refundOne(ctx, last/2)
	}
	return nil
}

// void undoes the sale at this place in d.taken.
func (d *day) void(ctx context.Context, at int) error {
	t := &d.taken[at]
	t.undone = true
	ref := t.ref + "/void"
	a, err := d.do(ctx, asked{Ref: ref, Of: t.ref, Op: queue.Void.String(), Tender: t.tender.String(), Terminal: terminalOf(t.tender), Fen: t.fen})
	if err == nil && a.State == handset.Accepted {
		d.show.Void(t.ref, t.fen)
	}
	return err
}

// refundOne gives back half of a sale, the first from this place on that
// nothing was undone of.
func (d *day) refundOne(ctx context.Context, from int) error {
	for at := from; at < len(d.taken); at++ {
		t := &d.taken[at]
		if !t.booked || t.undone {
			continue
		}
		t.undone = true
		ref, half := t.ref+"/refund", (t.fen+1)/2
		a, err := d.do(ctx, asked{Ref: ref, Of: t.ref, Op: queue.Refund.String(), Tender: t.tender.String(), Terminal: terminalOf(t.tender), Fen: half})
		if err == nil && a.State.Taken() {
			d.show.Refund(t.ref, half)
		}
		return err
	}
	return nil
}

// hitTheRest gives kills that wait for a request or an upload another chance,
// after the last parcel: a void asks, a refund is uploaded.
func (d *day) hitTheRest(ctx context.Context) error {
	for at := len(d.taken) - 1; at >= 0; at-- {
		if t := d.taken[at]; !t.booked || t.undone {
			continue
		}
		switch {
		case d.kills.waitsFor(handset.TrapAttempt, handset.TrapAnswer):
			if err := d.void(ctx, at); err != nil {
				return err
			}
		case d.kills.waitsFor(handset.TrapUpload):
			if err := d.refundOne(ctx, at); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}
