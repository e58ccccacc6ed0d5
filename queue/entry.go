package queue

import (
	"fmt"
	"time"
)

// ID is an entry's sequence number in its journal: dense and from 1. It is the
// only order that entries have (I4).
type ID uint64

// STAN is a system trace audit number (ISO 8583 DE 11), 1 to 999999.
type STAN uint32

// String returns the six digits that DE 11 carries.
func (s STAN) String() string { return fmt.Sprintf("%06d", uint32(s)) }

// Lane is an ordering domain: one terminal of one merchant at one host, with
// one STAN series, one batch series and one duplicate memory. Host is the
// app's own name for the host, 1 to 64 bytes; Merchant (DE 42) and Terminal
// (DE 41) have 1 to 64 bytes and must fit the host's dialect.
type Lane struct{ Host, Merchant, Terminal string }

// String returns host/merchant/terminal.
func (l Lane) String() string { return l.Host + "/" + l.Merchant + "/" + l.Terminal }

// BatchID names one of our batches of a lane, numbered densely from 1. It is
// not the host's batch number.
type BatchID struct {
	Lane Lane
	N    uint32
}

// String returns the lane and the number, lane#n.
func (b BatchID) String() string { return fmt.Sprintf("%s#%d", b.Lane, b.N) }

// Kind is how an entry is delivered.
type Kind uint8

// The kinds, in the order in which a lane sends them, Reversal first.
const (
	Request  Kind = iota + 1 // asks for a decision; in doubt it is reversed, never repeated
	Advice                   // tells of a decision taken; repeated unchanged until answered
	Reversal                 // undoes a request; repeated unchanged until answered
	Notice                   // non-financial; repeated until answered, behind all money
)

var kindNames = [...]string{"", "request", "advice", "reversal", "notice"}

func (k Kind) String() string { return name(kindNames[:], int(k)) }

// Op is what an entry does.
type Op uint8

// The operations.
const (
	Sale   Op = iota + 1
	Void      // undoes an accepted sale or refund of the same host batch as a whole
	Refund    // gives back all or part of an accepted sale
	Report    // non-financial: signature, delivery proof, fault report
)

var opNames = [...]string{"", "sale", "void", "refund", "report"}

func (o Op) String() string { return name(opNames[:], int(o)) }

// Tender is what was paid with.
type Tender uint8

// The tenders. Card may be taken offline with an offline approval, QR never,
// Cash always and in a lane of its own.
const (
	CardTender Tender = iota + 1
	QR
	Cash
)

var tenderNames = [...]string{"none", "card", "qr", "cash"}

func (t Tender) String() string { return name(tenderNames[:], int(t)) }

// State is what is known of an entry. The zero State is none.
type State uint8

// The states. Accepted, Declined, Reversed and Cancelled are final: nothing
// changes them (I5).
const (
	Pending   State = iota + 1 // never attempted, or every attempt proven unsent
	InDoubt                    // an attempt was begun, its outcome is unknown
	Accepted                   // the host has it
	Declined                   // the host refused it
	Reversed                   // undone at the host
	Parked                     // needs a person
	Cancelled                  // withdrawn before any attempt
)

var stateNames = [...]string{"", "pending", "in doubt", "accepted", "declined", "reversed", "parked", "cancelled"}

func (s State) String() string { return name(stateNames[:], int(s)) }

// Final reports whether nothing can change the state any more.
func (s State) Final() bool {
	return s == Accepted || s == Declined || s == Reversed || s == Cancelled
}

func name(names []string, i int) string {
	if i < len(names) && (i > 0 || names[0] != "") {
		return names[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

// Reason is why a reversal goes out; it is frozen with it (I3).
type Reason uint8

// The reasons, with the DE 39 of a UnionPay reversal in brackets.
const (
	NoAnswer Reason = iota + 1 // no answer in time (98)
	BadMAC                     // the answer's MAC was wrong (A0)
	Fault                      // an approval came that the device could not complete (96)
	Other                      // the device stopped in the attempt (06)
)

var reasonNames = [...]string{"none", "no answer", "bad MAC", "fault", "other"}

func (r Reason) String() string { return name(reasonNames[:], int(r)) }

// Transaction is what an app journals.
type Transaction struct {
	// Ref is the app's own id of this transaction, 1 to 64 bytes, never used
	// for another one in this journal, not even after pruning.
	Ref  string
	Lane Lane
	Op   Op
	// Tender is required but for a Report. A Void or Refund takes its
	// original's.
	Tender Tender
	// Amount is positive; zero for a Report, and for a Void, which takes its
	// original's.
	Amount Money
	// Original is the entry that a Void or Refund is about.
	Original ID
	// Approval is the offline approval of a card taken offline: the
	// authorisation code, or the chip's own (tag 8A, "Y1"). Up to 6 bytes.
	Approval string
	// EntryMode is DE 22, three digits: how the card was read. Optional.
	EntryMode string
	Card      Card
	// Operator is the cashier's or courier's number, up to 16 bytes. Optional.
	Operator string
	// Again is the entry that a DoubleTapError named, when the app was asked
	// and this is another payment.
	Again ID
	// Time is when the payment was taken; zero means now. It stamps, it never
	// orders.
	Time time.Time
	// Data is the app's own, up to 4096 bytes, sealed with the entry.
	Data []byte
}

// Original is what a Void, a Refund or a Reversal tells the host of the entry
// that it is about.
type Original struct {
	ID        ID
	STAN      STAN
	HostBatch uint32
	RRN       string
	AuthCode  string
	Time      time.Time
}

// Entry is a transaction as journalled, with what is known of it. It is a
// copy: changing it changes nothing.
type Entry struct {
	ID ID
	Transaction
	Kind Kind
	// STAN is drawn when the entry is journalled; a Reversal has its original's.
	STAN  STAN
	Batch BatchID
	// HostBatch is the host's batch number, bound at the first attempt; 0 before.
	HostBatch uint32
	State     State
	// Attempts counts the attempts that are not proven unsent.
	Attempts int
	// Repeat says that an attempt before the current one is not proven unsent.
	Repeat bool
	// Answer is the answer that decided the state, or the newest one while
	// nothing is decided.
	Answer Answer
	// Reversal is the entry that undoes this one, 0 when there is none.
	Reversal ID
	// VoidedBy is the newest Void of this entry, 0 when there is none; whether
	// it took effect is that entry's state.
	VoidedBy ID
	// Refunded is what the Refunds of this entry add up to that were not
	// declined or cancelled, in minor units.
	Refunded int64
	// Of is the original of a Void or Refund; a Reversal has the Of of the
	// entry that it undoes.
	Of Original
	// Reason is why a Reversal goes out.
	Reason Reason
	// ParkedWhy says why the entry needs a person.
	ParkedWhy string
	// Deferred says that a Request is sent by the forwarder, not by a Do that
	// waits for it.
	Deferred bool
	// MaskedPAN stays when the card's data is forgotten.
	MaskedPAN string
	// Home is the lane in which the entry was journalled, where Move took it to
	// another; zero otherwise.
	Home Lane
	// Changed is the device's wall clock at the newest change.
	Changed time.Time

	withdrawn bool // a deferred sale that a person reversed
	// Pruned says that only a stub is left: Prune took Ref, Operator, Data and
	// MaskedPAN away.
	Pruned bool
	// Origin tells the entry's identity in the journal that it was imported
	// from; its zero value: it was journalled here.
	Origin Origin

	copied  bool     // a copy of the journal has it under this HostBatch: it stays (I3)
	digest  [32]byte // of a pruned entry: its Digest
	essence [16]byte // of a pruned entry: what sameAs compares
	place   [16]byte // of a pruned entry: where its ref is kept; zero in a stub of an older version

	approvalSeen bool   // an approval came, whatever became of the entry
	first        moment // when the first attempt began
	released     moment // when a person let it go on
}

// FirstSent is when the first attempt that is not proven unsent began, by the
// device's wall clock; zero when there was none.
func (e Entry) FirstSent() time.Time {
	if e.Attempts == 0 {
		return time.Time{}
	}
	return e.first.wall
}
