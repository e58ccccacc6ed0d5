package custody

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
)

// Denomination is how many notes or coins of one value were counted.
type Denomination struct {
	Value  int64 // minor units
	Pieces int64
}

// HandOver is the cash of one closed batch of the depot's lane, as the courier
// hands it over and the depot counts it. Prepare fills in the first fields, the
// two persons the others.
type HandOver struct {
	Batch   queue.BatchID
	Journal [16]byte
	// Entries is how many payments and refunds in cash the batch has, and Root is
	// a hash over all of them.
	Entries int
	Root    [sha256.Size]byte
	// Expected is what they add up to.
	Expected queue.Money

	// Counted is what was counted, in minor units of Expected's currency, and
	// Denominations, where they are given, add up to it: at most 64 kinds.
	Counted       int64
	Denominations []Denomination
	// Reason says why Counted is not Expected; required then. Up to 200 bytes.
	Reason string
	// Courier and Clerk are who hands over and who takes, 1 to 32 bytes each,
	// and not the same.
	Courier, Clerk string
	// Time is when it was counted, to the millisecond.
	Time time.Time
}

// Difference is Counted less Expected, in minor units.
func (h HandOver) Difference() int64 { return h.Counted - h.Expected.Minor }

// Digest is what both sides confirm: SHA-256 over all of the hand-over.
func (h HandOver) Digest() [sha256.Size]byte { return sha256.Sum256(h.encode()) }

// Bounds of a hand-over.
const (
	maxDenominations = 64
	maxPerson        = 32
	maxCash          = 1 << 53 // minor units
)

func (h HandOver) encode() []byte {
	w := record.Writer{B: []byte(handForm)}
	for _, s := range []string{h.Batch.Lane.Host, h.Batch.Lane.Merchant, h.Batch.Lane.Terminal} {
		w.String(s)
	}
	w.Uint(uint64(h.Batch.N))
	w.Bytes(h.Journal[:])
	w.Uint(uint64(h.Entries))
	w.Bytes(h.Root[:])
	w.Int(h.Expected.Minor)
	w.Uint(uint64(h.Expected.Currency))
	w.Int(h.Counted)
	w.Uint(uint64(len(h.Denominations)))
	for _, d := range h.Denominations {
		w.Int(d.Value)
		w.Int(d.Pieces)
	}
	w.String(h.Reason)
	w.String(h.Courier)
	w.String(h.Clerk)
	w.Time(h.Time)
	return w.B
}

// readHandOver takes a hand-over off r.
func readHandOver(r *record.Reader) (h HandOver) {
	for _, s := range []*string{&h.Batch.Lane.Host, &h.Batch.Lane.Merchant, &h.Batch.Lane.Terminal} {
		*s = r.String()
	}
	h.Batch.N = uint32(r.Uint())
	copy(h.Journal[:], r.Bytes())
	h.Entries = int(r.Uint())
	copy(h.Root[:], r.Bytes())
	h.Expected = queue.Money{Minor: r.Int(), Currency: queue.Currency(r.Uint())}
	h.Counted = r.Int()
	n := r.Uint()
	if n > maxDenominations {
		r.Fail()
	}
	for ; n > 0 && r.Err() == nil; n-- {
		h.Denominations = append(h.Denominations, Denomination{Value: r.Int(), Pieces: r.Int()})
	}
	h.Reason, h.Courier, h.Clerk = r.String(), r.String(), r.String()
	h.Time = r.Time()
	return h
}

// check says what the two persons have to fill in otherwise.
func (h HandOver) check() error {
	bad := func(what string) error { return fmt.Errorf("hand-over of batch %s: %s", h.Batch, what) }
	switch {
	case h.Counted < 0 || h.Counted > maxCash:
		return bad("the sum counted is out of range")
	case len(h.Denominations) > maxDenominations:
		return bad("it has more than 64 denominations")
	case h.Courier == "" || len(h.Courier) > maxPerson || h.Clerk == "" || len(h.Clerk) > maxPerson:
		return bad("courier and clerk are named in 1 to 32 bytes")
	case h.Courier == h.Clerk:
		return bad("courier and clerk are one person")
	case h.Difference() != 0 && h.Reason == "":
		return bad(fmt.Sprintf("%d were counted where %d are expected, in minor units: give the reason", h.Counted, h.Expected.Minor))
	case len(h.Reason) > maxReason:
		return bad("the reason has more than 200 bytes")
	case h.Time.IsZero() || h.Time.Nanosecond()%int(time.Millisecond) != 0:
		return bad("its time is to be given, to the millisecond")
	}
	if len(h.Denominations) == 0 {
		return nil
	}
	var sum int64
	for _, d := range h.Denominations {
		if d.Value <= 0 || d.Pieces <= 0 || d.Pieces > (maxCash-sum)/d.Value {
			return bad("a denomination is out of range")
		}
		sum += d.Value * d.Pieces
	}
	if sum != h.Counted {
		return bad(fmt.Sprintf("the denominations add up to %d, not to %d", sum, h.Counted))
	}
	return nil
}

// Prepare tells what cash the closed batch b of the depot's lane has: CloseBatch
// it and Drain the lane first, so that nothing in it can change any more.
//
// Errors: queue.ErrState for an open batch or one of another lane;
// *queue.OutstandingError while a payment in it is pending, in doubt or parked;
// reconcile.ErrCurrencies, reconcile.ErrOverflow; those of the journal.
func (b *Book) Prepare(ctx context.Context, id queue.BatchID) (HandOver, error) {
	h := HandOver{Batch: id, Journal: b.q.JournalID()}
	if id.Lane != b.opts.Depot {
		return h, fmt.Errorf("batch %s: %w: it is not of the lane towards the depot", id, queue.ErrState)
	}
	batch, err := b.q.Batch(ctx, id)
	if err != nil {
		return h, err
	}
	if batch.State == queue.BatchOpen {
		return h, fmt.Errorf("batch %s: %w: close it first", id, queue.ErrState)
	}
	if err := b.q.Outstanding(ctx, id); err != nil {
		return h, err
	}
	return h, b.cash(ctx, &h)
}

// cash adds up what stands in the hand-over's batch, and hashes it in order.
func (b *Book) cash(ctx context.Context, h *HandOver) error {
	sum := sha256.New()
	for e, err := range b.q.All(ctx, queue.Filter{Batch: h.Batch, States: []queue.State{queue.Accepted}, Pruned: true}) {
		switch {
		case err != nil:
			return err
		case e.Kind == queue.Reversal || e.Kind == queue.Notice:
			continue
		case e.Tender != queue.Cash:
			return fmt.Errorf("entry %d: %w: the lane towards the depot is for cash alone", e.ID, queue.ErrState)
		case h.Entries > 0 && e.Amount.Currency != h.Expected.Currency:
			return fmt.Errorf("batch %s: %w", h.Batch, reconcile.ErrCurrencies)
		}
		minor := e.Amount.Minor
		if e.Op != queue.Sale {
			minor = -minor
		}
		if minor > maxCash || h.Expected.Minor > maxCash {
			return fmt.Errorf("batch %s: %w", h.Batch, reconcile.ErrOverflow)
		}
		h.Expected = queue.Money{Minor: h.Expected.Minor + minor, Currency: e.Amount.Currency}
		h.Entries++
		d := b.q.Digest(e)
		sum.Write(d[:])
	}
	sum.Sum(h.Root[:0])
	return nil
}

// handRef names a batch within the journal, whatever its lane is called.
func handRef(id queue.BatchID) string {
	lane := sha256.Sum256([]byte(id.Lane.String()))
	return fmt.Sprintf("cod/handover/%x/%d", lane[:8], id.N)
}

// SignOff records that both sides have confirmed the hand-over, once for each
// batch: the same again changes nothing, another one is refused. It is a notice
// in the depot's lane, with both confirmations in it. The batch is then settled
// as the depot wants it: by reconcile.Settle where its host compares totals, by
// queue.SettleBatch where the confirmations are the settlement.
//
// Errors: ErrNotConfirmed with what Options.Verify said; ErrChanged when the
// journal has other cash in the batch; queue.ErrConflict when another hand-over
// of it was signed; what is missing in h; those of Prepare and queue.Append.
func (b *Book) SignOff(ctx context.Context, h HandOver, courier, clerk Confirmation) (queue.Entry, error) {
	if err := h.check(); err != nil {
		return queue.Entry{}, err
	}
	now, err := b.Prepare(ctx, h.Batch)
	if err != nil {
		return queue.Entry{}, err
	}
	if now.Journal != h.Journal || now.Entries != h.Entries || now.Root != h.Root || now.Expected != h.Expected {
		return queue.Entry{}, fmt.Errorf("batch %s: %w", h.Batch, ErrChanged)
	}
	if err := b.verify(h, courier, clerk); err != nil {
		return queue.Entry{}, err
	}
	w := record.Writer{B: h.encode()}
	w.Bytes(courier)
	w.Bytes(clerk)
	return b.q.Append(ctx, queue.Transaction{Ref: handRef(h.Batch), Lane: b.opts.Depot, Op: queue.Report, Data: w.B})
}

func (b *Book) verify(h HandOver, courier, clerk Confirmation) error {
	if b.opts.Verify == nil {
		return fmt.Errorf("%w: Options.Verify is missing", ErrNotConfirmed)
	}
	digest := h.Digest()
	for i, c := range []Confirmation{courier, clerk} {
		side := Courier + Side(i)
		if len(c) == 0 || len(c) > maxConfirmation {
			return fmt.Errorf("%w: the %s's is missing or too long", ErrNotConfirmed, side)
		}
		if err := b.opts.Verify(side, digest, c); err != nil {
			return fmt.Errorf("%w: the %s's: %w", ErrNotConfirmed, side, err)
		}
	}
	return nil
}

// HandOver returns the signed hand-over of a batch and both confirmations, after
// checking them anew.
//
// Errors: queue.ErrNotFound when none was signed; ErrNotConfirmed, ErrChanged;
// those of the journal.
func (b *Book) HandOver(ctx context.Context, id queue.BatchID) (h HandOver, courier, clerk Confirmation, err error) {
	e, err := b.q.ByRef(ctx, handRef(id))
	if err != nil {
		return h, nil, nil, err
	}
	if len(e.Data) < len(handForm) || string(e.Data[:len(handForm)]) != handForm {
		return h, nil, nil, fmt.Errorf("entry %d: %w", e.ID, errForm)
	}
	r := record.NewReader(e.Data[len(handForm):])
	h = readHandOver(r)
	courier, clerk = r.Bytes(), r.Bytes()
	if r.Done() != nil {
		return h, nil, nil, fmt.Errorf("entry %d: %w", e.ID, errForm)
	}
	if h.Batch != id || h.Journal != b.q.JournalID() {
		return h, courier, clerk, fmt.Errorf("entry %d: %w", e.ID, ErrChanged)
	}
	return h, courier, clerk, errors.Join(h.check(), b.verify(h, courier, clerk))
}
