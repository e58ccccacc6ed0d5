package custody

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// Claims says which device a waybill belongs to. The client of package ledger is
// one. Calls are bound by their context.
type Claims interface {
	// Claim makes the waybill the calling device's if it is nobody's, and returns
	// whose it is now, and since when. Claiming again changes nothing.
	Claim(ctx context.Context, waybill string) (holder [16]byte, since time.Time, err error)
	// Release gives up a claim of the calling device. What nobody holds is no
	// error, what another device holds is one.
	Release(ctx context.Context, waybill string) error
}

// Options of New.
type Options struct {
	// Depot is the lane of cash and of notices, towards the depot. Required.
	Depot queue.Lane
	// Claims asks for waybills across devices. Nil: this device is on its own.
	Claims Claims
	// ClaimWait bounds each question to Claims. Default 5 s.
	ClaimWait time.Duration
	// Verify checks a confirmation of a hand-over: Ed25519 makes one. Required
	// for SignOff and HandOver.
	Verify func(side Side, digest [32]byte, c Confirmation) error
}

// Book is the parcels and the cash of one device. It keeps nothing itself: all
// is in the journal. It is safe for concurrent use.
type Book struct {
	q    *queue.Queue
	opts Options

	mu   sync.Mutex
	busy map[string]bool // waybills of which a change is under way
}

// New returns the book of the journal q.
func New(q *queue.Queue, opts Options) (*Book, error) {
	if q == nil || opts.Depot == (queue.Lane{}) {
		return nil, errors.New("a book needs a journal and the lane towards the depot")
	}
	if opts.ClaimWait <= 0 {
		opts.ClaimWait = 5 * time.Second
	}
	return &Book{q: q, opts: opts, busy: map[string]bool{}}, nil
}

// Parcel is what is known of a parcel in its newest round.
type Parcel struct {
	Waybill string
	// Round counts how often the parcel was taken out, from 1.
	Round int
	Due   queue.Money
	State State
	// Paid is what was taken less what was given back, in minor units.
	Paid int64
	// Payments are the entries of all payments that were tried.
	Payments []queue.Entry
	// Claimed says that the waybill was known to be this device's when the parcel
	// was taken out or paid for. Without it another device may have collected the
	// parcel as well: Recheck tells.
	Claimed bool
	// Reason is why the parcel was refused or returned.
	Reason string
	// Pruned says that the parcel is so old that its payments are forgotten but
	// for their refs: its Due and State are not known any more, and nothing can
	// be collected.
	Pruned bool

	facts facts
}

// Left is what is still to be paid, in minor units; 0 when the parcel goes back.
func (p Parcel) Left() int64 {
	if p.State != Open && p.State != PartlyPaid {
		return 0
	}
	return p.Due.Minor - p.Paid
}

// Bounds of what is tried for one waybill.
const (
	maxRounds   = 99
	maxPayments = 99
)

// Parcel returns what is known of a parcel.
//
// Errors: ErrUnknown, ErrWaybill, those of the journal.
func (b *Book) Parcel(ctx context.Context, waybill string) (Parcel, error) {
	if err := checkWaybill(waybill); err != nil {
		return Parcel{}, err
	}
	p := Parcel{Waybill: waybill}
	var out queue.Entry
	for p.Round < maxRounds {
		e, found, err := b.find(ctx, outRef(waybill, p.Round+1))
		if err != nil {
			return Parcel{}, err
		}
		if !found {
			break
		}
		out = e
		p.Round++
	}
	if p.Round == 0 {
		return p, fmt.Errorf("waybill %s: %w", waybill, ErrUnknown)
	}
	if p.Pruned = out.Pruned; p.Pruned {
		return p, nil
	}
	d, err := decodeParcel(out.Data)
	if err != nil {
		return p, fmt.Errorf("entry %d: %w", out.ID, err)
	}
	p.Due, p.Claimed = d.due, d.claimed
	p.facts.due = d.due.Minor
	if err := b.payments(ctx, &p); err != nil {
		return p, err
	}
	if p.facts.refused, err = b.ended(ctx, &p, refusedRef(waybill, p.Round)); err != nil {
		return p, err
	}
	if p.facts.returned, err = b.ended(ctx, &p, returnedRef(waybill, p.Round)); err != nil {
		return p, err
	}
	p.Paid, p.State = p.facts.paid, p.facts.state()
	return p, nil
}

// payments reads the payments of a parcel's round.
func (b *Book) payments(ctx context.Context, p *Parcel) error {
	for n := 1; n <= maxPayments; n++ {
		e, found, err := b.find(ctx, payRef(p.Waybill, p.Round, n))
		if err != nil || !found {
			return err
		}
		p.Payments = append(p.Payments, e)
		voided := false
		if e.VoidedBy != 0 {
			v, err := b.q.Get(ctx, e.VoidedBy)
			if err != nil {
				return fmt.Errorf("the void of entry %d: %w", e.ID, err)
			}
			voided = v.State == queue.Accepted
		}
		minor, unsent := worth(e, voided)
		p.facts.paid = plus(p.facts.paid, minor)
		p.facts.unsent = p.facts.unsent || unsent
		if d, err := decodePay(e.Data); err == nil && d.claimed {
			p.Claimed = true
		}
	}
	return nil
}

// ended looks for a notice about the parcel's end and takes its reason over.
func (b *Book) ended(ctx context.Context, p *Parcel, ref string) (bool, error) {
	e, found, err := b.find(ctx, ref)
	if err != nil || !found || e.State == queue.Cancelled {
		return false, err
	}
	d, err := decodeParcel(e.Data)
	if err == nil {
		p.Reason = d.reason
	}
	return true, nil
}

func (b *Book) find(ctx context.Context, ref string) (e queue.Entry, found bool, err error) {
	e, err = b.q.ByRef(ctx, ref)
	if errors.Is(err, queue.ErrNotFound) {
		return e, false, nil
	}
	return e, err == nil, err
}

// hold makes a waybill this call's until the func it returns is called.
func (b *Book) hold(waybill string) (release func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.busy[waybill] {
		return nil, fmt.Errorf("waybill %s: %w", waybill, ErrUnderWay)
	}
	b.busy[waybill] = true
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.busy, waybill)
	}, nil
}

// notice journals what became of a parcel.
func (b *Book) notice(ctx context.Context, ref string, data []byte) error {
	_, err := b.q.Append(ctx, queue.Transaction{Ref: ref, Lane: b.opts.Depot, Op: queue.Report, Data: data})
	return err
}
