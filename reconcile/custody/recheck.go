package custody

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// Conflict is a parcel that this device has and another one claimed first, or was
// paid for all the same: both may have collected it.
type Conflict struct {
	Waybill string
	Holder  [16]byte // the other device's journal
	Since   time.Time
	// Paid is what was collected here, in minor units.
	Paid     int64
	Payments []queue.Entry
}

// Recheck goes through the parcels taken out since a time and makes good what
// could not be done without a network: it claims their waybills, gives up those of
// returned parcels, and tells the depot of payments that it has not been told of.
// Call it when the network is back and at the end of the day; calling it again
// changes nothing. It returns the parcels that another device has.
//
// Errors: those of the journal and of Claims, with what was found before them.
func (b *Book) Recheck(ctx context.Context, since time.Time) (conflicts []Conflict, err error) {
	seen := map[string]bool{}
	for e, err := range b.q.All(ctx, queue.Filter{Lane: b.opts.Depot}) {
		if err != nil {
			return conflicts, err
		}
		if e.Kind != queue.Notice || e.Time.Before(since) {
			continue
		}
		d, err := decodeParcel(e.Data)
		if err != nil || seen[d.waybill] {
			continue
		}
		seen[d.waybill] = true
		c, err := b.recheck(ctx, d.waybill)
		if err != nil {
			return conflicts, fmt.Errorf("waybill %s: %w", d.waybill, err)
		}
		if c != nil {
			conflicts = append(conflicts, *c)
		}
	}
	return conflicts, nil
}

func (b *Book) recheck(ctx context.Context, waybill string) (*Conflict, error) {
	release, err := b.hold(waybill)
	if err != nil {
		return nil, nil // a payment is under way, which claims by itself
	}
	defer release()
	p, err := b.Parcel(ctx, waybill)
	if err != nil || p.Pruned {
		return nil, err
	}
	for _, e := range p.Payments {
		if !b.note(ctx, e) {
			return nil, errors.New("the depot could not be told of a payment")
		}
	}
	if b.opts.Claims == nil {
		return nil, nil
	}
	ask, cancel := context.WithTimeout(ctx, b.opts.ClaimWait)
	defer cancel()
	if p.State == Returned {
		return nil, b.giveUp(ask, waybill)
	}
	holder, at, err := b.opts.Claims.Claim(ask, waybill)
	if err != nil || holder == b.q.JournalID() {
		return nil, err
	}
	return &Conflict{Waybill: waybill, Holder: holder, Since: at, Paid: p.Paid, Payments: p.Payments}, nil
}

// giveUp releases the claim of a returned parcel, unless another device has it
// out by now.
func (b *Book) giveUp(ctx context.Context, waybill string) error {
	failed := b.opts.Claims.Release(ctx, waybill)
	if failed == nil {
		return nil
	}
	if holder, _, err := b.opts.Claims.Claim(ctx, waybill); err == nil && holder != b.q.JournalID() {
		return nil
	}
	return failed
}
