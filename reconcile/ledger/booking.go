package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// Identity names an entry: its journal, the epoch of that journal in which it
// was delivered, and its sequence there.
type Identity struct {
	Journal  [16]byte
	Epoch    uint64
	Sequence queue.ID
}

// String returns journal/epoch/sequence.
func (id Identity) String() string {
	return fmt.Sprintf("%x/%d/%d", id.Journal, id.Epoch, id.Sequence)
}

// Booking is an entry as the ledger has it. It is a copy.
type Booking struct {
	Identity
	// Position is its place in the order of booking, from 1, dense but for what
	// SalvageFile has lost. The RRN of an approval is made of it, where
	// Options.Decide gave none.
	Position uint64
	// Device is the name of the device that delivered it.
	Device string
	Lane   queue.Lane
	// Entry is what was journalled, without its card.
	Entry wire.Entry
	// Digest is SHA-256 over the entry's canonical bytes.
	Digest [sha256.Size]byte
	// State is Accepted, Declined, or Reversed.
	State queue.State
	// Reversal is the reversal that undid it, VoidedBy the void; 0: none.
	Reversal, VoidedBy queue.ID
	// Refunded is what the refunds of it add up to, in minor units.
	Refunded int64
	// Retold says that the device told of it again as accepted: the ledger had
	// lost it, and has the device's word for the answer.
	Retold bool
	// Answer is the first answer: every repeat gets it.
	Answer queue.Answer
	// Booked is the ledger's clock at booking, to the millisecond.
	Booked time.Time
}

// Counts tells whether the booking moves money now: a sale or refund that was
// accepted, and neither reversed nor voided.
func (b Booking) Counts() bool {
	return b.State == queue.Accepted && b.VoidedBy == 0 && b.Entry.Kind != queue.Reversal &&
		(b.Entry.Op == queue.Sale || b.Entry.Op == queue.Refund)
}

// Canonical appends the entry's canonical bytes, as package queue lays them
// down, to dst.
func (b Booking) Canonical(dst []byte) []byte {
	return b.Entry.Canonical(dst, wire.Submission{Journal: b.Journal, Lane: b.Lane})
}

const bookingForm = 1

func (b Booking) encode() []byte {
	w := &record.Writer{}
	w.Byte(bookingForm)
	w.Uint(b.Position)
	w.String(b.Device)
	w.Bytes(b.Digest[:])
	w.Time(b.Booked)
	encodeAnswer(w, b.Answer)
	w.Byte(byte(b.State))
	w.Uint(uint64(b.Reversal))
	w.Uint(uint64(b.VoidedBy))
	w.Int(b.Refunded)
	w.Bool(b.Retold)
	w.String(b.Lane.Host)
	w.String(b.Lane.Merchant)
	w.String(b.Lane.Terminal)
	encodeEntry(w, b.Entry)
	return w.B
}

func encodeEntry(w *record.Writer, e wire.Entry) {
	w.Byte(byte(e.Kind))
	w.Byte(byte(e.Op))
	w.Byte(byte(e.Tender))
	w.Byte(byte(e.Reason))
	w.String(e.Ref)
	w.Uint(uint64(e.STAN))
	encodeMoney(w, e.Amount)
	w.Time(e.Time)
	w.Uint(uint64(e.Original))
	w.Uint(uint64(e.HostBatch))
	w.String(e.Approval)
	w.String(e.EntryMode)
	w.String(e.Operator)
	w.String(e.MaskedPAN)
	w.Bytes(e.Data)
	w.Bool(e.DataHash != nil)
	if e.DataHash != nil {
		w.Bytes(e.DataHash[:])
	}
	w.Bool(e.Of != nil)
	if o := e.Of; o != nil {
		w.Uint(uint64(o.STAN))
		w.Uint(uint64(o.HostBatch))
		w.String(o.RRN)
		w.String(o.AuthCode)
		w.Time(o.Time)
	}
}

func decodeBooking(id Identity, v []byte) (Booking, error) {
	r := record.NewReader(v)
	b := Booking{Identity: id}
	if r.Byte() != bookingForm {
		r.Fail()
	}
	b.Position = r.Uint()
	b.Device = r.String()
	takeArray(r, b.Digest[:])
	b.Booked = r.Time()
	b.Answer = decodeAnswer(r)
	b.State = queue.State(r.Byte())
	b.Reversal, b.VoidedBy, b.Refunded, b.Retold = queue.ID(r.Uint()), queue.ID(r.Uint()), r.Int(), r.Bool()
	b.Lane = queue.Lane{Host: r.String(), Merchant: r.String(), Terminal: r.String()}
	b.Entry = decodeEntry(r)
	b.Entry.Seq, b.Entry.Key = id.Sequence, wire.Key(b.Digest[:16])
	if err := r.Done(); err != nil {
		return Booking{}, fmt.Errorf("booking %s: %w: %w", id, ErrDamaged, err)
	}
	return b, nil
}

func decodeEntry(r *record.Reader) (e wire.Entry) {
	e.Kind, e.Op, e.Tender, e.Reason = queue.Kind(r.Byte()), queue.Op(r.Byte()), queue.Tender(r.Byte()), queue.Reason(r.Byte())
	e.Ref = r.String()
	e.STAN = queue.STAN(r.Uint())
	e.Amount = decodeMoney(r)
	e.Time = r.Time()
	e.Original, e.HostBatch = queue.ID(r.Uint()), uint32(r.Uint())
	e.Approval, e.EntryMode, e.Operator, e.MaskedPAN = r.String(), r.String(), r.String(), r.String()
	e.Data = append([]byte(nil), r.Bytes()...)
	if r.Bool() {
		e.DataHash = new([sha256.Size]byte)
		takeArray(r, e.DataHash[:])
	}
	if r.Bool() {
		e.Of = &wire.Original{STAN: queue.STAN(r.Uint()), HostBatch: uint32(r.Uint()), RRN: r.String(), AuthCode: r.String(), Time: r.Time()}
	}
	return e
}

// takeArray takes bytes that have a fixed length.
func takeArray(r *record.Reader, into []byte) {
	if b := r.Bytes(); copy(into, b) != len(into) || len(b) != len(into) {
		r.Fail()
	}
}

func encodeMoney(w *record.Writer, m queue.Money) {
	w.Int(m.Minor)
	w.Uint(uint64(m.Currency))
}

func decodeMoney(r *record.Reader) queue.Money {
	return queue.Money{Minor: r.Int(), Currency: queue.Currency(r.Uint())}
}

func encodeAnswer(w *record.Writer, a queue.Answer) {
	w.Byte(byte(a.Verdict))
	w.String(a.Code)
	w.String(a.RRN)
	w.String(a.AuthCode)
	encodeMoney(w, a.Approved)
	w.Time(a.HostTime)
}

func decodeAnswer(r *record.Reader) queue.Answer {
	return queue.Answer{Verdict: queue.Verdict(r.Byte()), Code: r.String(), RRN: r.String(), AuthCode: r.String(),
		Approved: decodeMoney(r), HostTime: r.Time()}
}

var be = binary.BigEndian

func key(space byte, parts ...[]byte) []byte {
	k := []byte{space}
	for _, p := range parts {
		k = append(k, p...)
	}
	return k
}

func u64(n uint64) []byte { return be.AppendUint64(nil, n) }

func (id Identity) key() []byte {
	return key(spaceBooking, id.Journal[:], u64(uint64(id.Sequence)), u64(id.Epoch))
}

func identityOf(key []byte) (Identity, error) {
	if len(key) != 33 {
		return Identity{}, fmt.Errorf("%w: a booking's key has %d bytes", ErrDamaged, len(key))
	}
	return Identity{Journal: [16]byte(key[1:17]), Sequence: queue.ID(be.Uint64(key[17:])), Epoch: be.Uint64(key[25:])}, nil
}
