package ledger

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// submission is an entry on its way into the ledger, checked in form.
type submission struct {
	Identity
	via    [16]byte    // the journal that imported it and sends it; zero: none
	home   journalBook // of Journal, once it is read
	sender journalBook // of via
	device string
	lane   queue.Lane
	entry  wire.Entry
	digest [sha256.Size]byte
	now    time.Time
	answer queue.Answer // what was decided about a request; zero: nothing yet
	retold bool         // the device tells of an entry that was accepted before
}

// book is the whole of booking: a function of the stored state and the
// submission, run inside a transaction. An error that is the entry's own is in
// the result, and what was written then stays; err ends the transaction.
func (s submission) book(tx Tx, o *Options) (res Result, err error) {
	if err := s.checkLane(tx); err != nil {
		return own(err)
	}
	fence, err := s.open(tx, o)
	if err != nil {
		return own(err)
	}
	same, err := bookingsAt(tx, s.Journal, s.Sequence)
	if err != nil {
		return res, err
	}
	for _, b := range same {
		if b.Digest != s.digest {
			continue
		}
		if b.Entry.HostBatch != s.entry.HostBatch {
			return s.setAside(tx, OtherBatch, b.Identity)
		}
		return Result{Booking: b, Repeat: true}, s.home.seen(tx, s.Epoch)
	}
	if fence != nil {
		return s.setAside(tx, OlderEpoch, *fence)
	}
	for _, b := range same {
		if b.Epoch == s.Epoch {
			return s.setAside(tx, OtherContent, b.Identity)
		}
	}
	undone, err := loadUndo(tx, s)
	if err != nil {
		return res, err
	}
	holder, err := s.refHolder(tx, o)
	if err != nil {
		return res, err
	}
	if holder != nil && undone.reversal == 0 {
		return s.setAside(tx, OtherSequence, holder.Identity)
	}
	return s.bookNew(tx, o, undone)
}

// checkLane refuses a lane that is not among those that the device is kept to.
func (s submission) checkLane(tx Tx) error {
	d, _, err := loadDevice(tx, s.device)
	if err == nil && len(d.Lanes) > 0 && !slices.Contains(d.Lanes, s.lane) {
		err = ErrLane
	}
	return err
}

// own puts an error that concerns one entry into its result.
func own(err error) (Result, error) {
	var limit *LimitError
	if errors.As(err, &limit) || errors.Is(err, ErrForeign) || errors.Is(err, ErrLane) || errors.Is(err, ErrFull) || errors.Is(err, errUndecided) {
		return Result{Err: err}, nil
	}
	return Result{}, err
}

// open returns the books of the entry's journal and of the one that sends it, and
// gives the identity its epoch. The epoch of a submission is that of the
// sender: where that is not the entry's own journal, the entry is booked under
// the epoch that its own journal has here. fence is set when the sender is of an
// older epoch than its journal has here.
func (s *submission) open(tx Tx, o *Options) (fence *Identity, err error) {
	if s.home, err = ownBook(tx, s.Journal, s.device, o); err != nil {
		return nil, err
	}
	sender := s.home
	if s.via != [16]byte{} {
		if s.sender, err = ownBook(tx, s.via, s.device, o); err != nil {
			return nil, err
		}
		sender = s.sender
	}
	if s.Epoch < sender.Epoch {
		fence = &Identity{Journal: sender.journal, Epoch: sender.Epoch}
	}
	if s.via != [16]byte{} {
		s.sender.Epoch = max(s.sender.Epoch, s.Epoch)
		s.Epoch = max(1, s.home.Epoch)
	}
	return fence, nil
}

// bookNew books what the ledger has in no form. Until the effect is known
// nothing is written.
func (s submission) bookNew(tx Tx, o *Options, undone undo) (Result, error) {
	if s.entry.Kind != queue.Reversal {
		if err := tx.Admit(); err != nil {
			return own(err)
		}
	}
	b := Booking{Identity: s.Identity, Device: s.device, Lane: s.lane, Entry: s.entry, Digest: s.digest,
		Retold: s.retold, Booked: s.now}
	use, err := s.admit(tx, o, b)
	if err != nil {
		return own(err)
	}
	if b.Answer, err = s.effect(tx, &b, undone); errors.Is(err, errUndecided) {
		return own(err)
	} else if err != nil {
		return Result{}, err
	}
	if b.Position, err = nextPosition(tx); err != nil {
		return Result{}, err
	}
	if !s.retold {
		b.Answer.HostTime = s.now
		if b.Answer.RRN == "" && (b.Answer.Verdict == queue.Approved || b.Answer.Verdict == queue.Partial) {
			b.Answer.RRN = rrn(b.Position)
		}
	}
	if b.State == 0 {
		b.State = stateOf(b.Answer)
	}
	if s.retold {
		if err := s.adopt(tx, &b); err != nil {
			return Result{}, err
		}
	}
	if err := s.store(tx, o, b, use); err != nil {
		return Result{}, err
	}
	return Result{Booking: b}, s.claim(tx, o, b)
}

func (s submission) store(tx Tx, o *Options, b Booking, use usage) error {
	bk := s.home
	bk.Entries++
	bk.Top = max(bk.Top, s.Sequence)
	bk.Epoch = max(bk.Epoch, s.Epoch)
	puts := []pair{
		{b.key(), b.encode()},
		{key(spaceOrder, u64(b.Position)), b.key()},
		{key(spaceBook, s.Journal[:]), bk.encode()},
		{usageKey(s.device), use.encode()},
	}
	if s.takesRef() && b.State != queue.Reversed {
		puts = append(puts, pair{refKey(o, s.Journal, s.entry.Ref), b.key()})
	}
	if s.via != [16]byte{} {
		puts = append(puts, pair{key(spaceBook, s.via[:]), s.sender.encode()})
	}
	for _, p := range puts {
		if err := tx.Put(p.key, p.value); err != nil {
			return err
		}
	}
	return nil
}

// rrn is the ledger's reference of a booking.
func rrn(position uint64) string { return fmt.Sprintf("%012d", position) }

func stateOf(a queue.Answer) queue.State {
	if a.Verdict == queue.Approved || a.Verdict == queue.Partial {
		return queue.Accepted
	}
	return queue.Declined
}

// A reversal's ref is made of its original's number, which a restored journal
// makes again for the same original: it is told apart by its sequence alone.
func (s submission) takesRef() bool { return s.entry.Kind != queue.Reversal }

func refKey(o *Options, journal [16]byte, ref string) []byte {
	return key(spaceRef, journal[:], o.hide(ref))
}

// refHolder returns the booking that stands under the submission's ref, nil when
// there is none: one that was reversed has given it back, as a sale at the
// merchant's risk needs that is presented anew.
func (s submission) refHolder(tx Tx, o *Options) (*Booking, error) {
	if !s.takesRef() {
		return nil, nil
	}
	at, err := tx.Get(refKey(o, s.Journal, s.entry.Ref))
	if err != nil || at == nil {
		return nil, err
	}
	b, err := loadBooking(tx, at)
	if err != nil || b.State == queue.Reversed {
		return nil, err
	}
	return &b, nil
}

func loadBooking(tx Tx, at []byte) (Booking, error) {
	id, err := identityOf(at)
	if err != nil {
		return Booking{}, err
	}
	v, err := tx.Get(at)
	if err != nil {
		return Booking{}, err
	}
	if v == nil {
		return Booking{}, fmt.Errorf("booking %s: %w", id, ErrNotFound)
	}
	return decodeBooking(id, v)
}

// bookingsAt returns the bookings of a sequence, by epoch.
func bookingsAt(tx Tx, journal [16]byte, seq queue.ID) (out []Booking, err error) {
	prefix := key(spaceBooking, journal[:], u64(uint64(seq)))
	err = tx.Scan(prefix, nil, func(k, v []byte) (bool, error) {
		b, err := readBooking(tx, k, v)
		out = append(out, b)
		return true, err
	})
	return out, err
}

// nextPosition draws the next place in the order of booking.
func nextPosition(tx Tx) (uint64, error) {
	n, err := lastPosition(tx)
	if err != nil {
		return 0, err
	}
	n++
	return n, putPosition(tx, n)
}

func lastPosition(tx Tx) (uint64, error) {
	v, err := tx.Get(key(spaceMeta, position))
	if err != nil || v == nil {
		return 0, err
	}
	r := record.NewReader(v)
	n := r.Uint()
	if err := r.Done(); err != nil {
		return 0, fmt.Errorf("%w: the ledger's position: %w", ErrDamaged, err)
	}
	return n, nil
}

var position = []byte("position")

func putPosition(tx Tx, n uint64) error {
	w := &record.Writer{}
	w.Uint(n)
	return tx.Put(key(spaceMeta, position), w.B)
}

// undo is what the ledger knows to undo an entry, whether it has that entry or
// not: a reversal that came first is kept here as the entry's tombstone.
type undo struct{ reversal queue.ID }

// undoKey binds it to the entry's number and what a reversal has of it: in a
// restored journal another entry can have the number.
func undoKey(journal [16]byte, seq queue.ID, lane queue.Lane, e wire.Entry) []byte {
	h := sha256.New()
	for _, s := range []string{lane.Host, lane.Merchant, lane.Terminal} {
		h.Write(be.AppendUint16(nil, uint16(len(s))))
		h.Write([]byte(s))
	}
	h.Write([]byte{byte(e.Op), byte(e.Tender)})
	h.Write(u64(uint64(e.STAN)))
	h.Write(u64(uint64(e.Amount.Minor)))
	h.Write(u64(uint64(e.Amount.Currency)))
	return key(spaceUndo, journal[:], u64(uint64(seq)), h.Sum(nil)[:8])
}

func loadUndo(tx Tx, s submission) (u undo, err error) {
	if s.entry.Kind != queue.Request {
		return u, nil
	}
	v, err := tx.Get(undoKey(s.Journal, s.Sequence, s.lane, s.entry))
	if err != nil || v == nil {
		return u, err
	}
	r := record.NewReader(v)
	u.reversal = queue.ID(r.Uint())
	if err := r.Done(); err != nil {
		return u, fmt.Errorf("%w: tombstone of entry %s: %w", ErrDamaged, s.Identity, err)
	}
	return u, nil
}

func (u undo) put(tx Tx, at []byte) error {
	w := &record.Writer{}
	w.Uint(uint64(u.reversal))
	return tx.Put(at, w.B)
}
