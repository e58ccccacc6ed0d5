package report

import (
	"encoding/hex"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/custody"
)

// AddParcel tells of a parcel of which more was paid than was due; of any other
// it says nothing.
func (r *Report) AddParcel(p custody.Parcel) {
	if p.State == custody.Overpaid {
		r.Add(Line{Finding: CollectedTwice, Ref: p.Waybill, Here: queue.Money{Minor: p.Paid, Currency: p.Due.Currency},
			There: p.Due, Time: newest(p.Payments).Time})
	}
}

// AddConflict tells of a parcel that was collected here and belongs to another
// device, as custody.Book.Recheck found it. One that was not paid here needs
// nothing but to be left alone, and is not told of.
func (r *Report) AddConflict(c custody.Conflict) {
	if c.Paid == 0 {
		return
	}
	e := newest(c.Payments)
	l := lineOf(CollectedTwice, e)
	l.Ref, l.Here.Minor, l.Detail = c.Waybill, c.Paid, "journal "+hex.EncodeToString(c.Holder[:4])
	r.Add(l)
}

func newest(payments []queue.Entry) (e queue.Entry) {
	if n := len(payments); n > 0 {
		e = payments[n-1]
	}
	return e
}

// AddHandOver tells of a signed hand-over whose cash is not what was collected.
func (r *Report) AddHandOver(h custody.HandOver) {
	if h.Difference() != 0 {
		r.Add(Line{Finding: CashDiffers, Ref: h.Batch.String(), Terminal: h.Batch.Lane.Terminal, Time: h.Time, Here: h.Expected,
			There: queue.Money{Minor: h.Counted, Currency: h.Expected.Currency}, Detail: h.Courier + " / " + h.Clerk + ": " + h.Reason})
	}
}
