package ledger

import (
	"bytes"
	"errors"

	"github.com/tallystick/tallystick/queue"
)

// The ledger's own codes, as DE 39 has them.
const (
	codeApproved  = "00"
	codeWrong     = "12" // the original does not stand, or is undone already
	codeAbsent    = "25" // there is no such original
	codeReversed  = "21" // its reversal came first
	codeTooMuch   = "61" // more than is left of the original
	codeNoDecider = "40" // nobody here decides requests
)

// errUndecided ends a transaction, with nothing written, in which a new request
// was met that has to be decided first.
var errUndecided = errors.New("a decision is needed")

func approve() queue.Answer { return queue.Answer{Verdict: queue.Approved, Code: codeApproved} }

func refuse(v queue.Verdict, code string) queue.Answer { return queue.Answer{Verdict: v, Code: code} }

// effect says what answer b gets, and writes what b does to other bookings.
func (s submission) effect(tx Tx, b *Booking, undone undo) (queue.Answer, error) {
	e := b.Entry
	switch {
	case e.Kind == queue.Reversal:
		return s.asTold(s.reverse(tx))
	case undone.reversal != 0:
		b.State, b.Reversal = queue.Reversed, undone.reversal
		return refuse(queue.Refused, codeReversed), nil
	case e.Op == queue.Void:
		return s.asTold(s.void(tx))
	case e.Op == queue.Refund:
		return s.asTold(s.refund(tx))
	case s.retold:
		return s.answer, nil
	case e.Kind != queue.Request:
		return approve(), nil
	case s.answer.Verdict == queue.Unknown:
		return queue.Answer{}, errUndecided
	}
	return s.answer, nil
}

// asTold is what a device was told of a reversal, void or refund that it tells
// again, also where the ledger has lost the original.
func (s submission) asTold(a queue.Answer, err error) (queue.Answer, error) {
	if s.retold && err == nil && (a.Code == codeAbsent || a.Verdict == queue.Approved) {
		return s.answer, nil
	}
	return a, err
}

// reversedBy returns what a reversal undoes, and the key of its tombstone.
func (s submission) reversedBy(tx Tx) (orig *Booking, at []byte, err error) {
	at = undoKey(s.Journal, s.entry.Original, s.lane, s.entry)
	orig, err = s.original(tx, func(b Booking) bool {
		return b.Entry.Kind == queue.Request && bytes.Equal(at, undoKey(s.Journal, b.Sequence, b.Lane, b.Entry))
	})
	return orig, at, err
}

// reverse undoes the original, or leaves a tombstone for it.
func (s submission) reverse(tx Tx) (queue.Answer, error) {
	orig, at, err := s.reversedBy(tx)
	switch {
	case err != nil:
		return queue.Answer{}, err
	case orig == nil:
		return approve(), undo{reversal: s.Sequence}.put(tx, at)
	case orig.State != queue.Accepted:
		return approve(), nil
	case orig.VoidedBy != 0 || orig.Refunded != 0:
		return refuse(queue.NotFound, codeWrong), nil
	}
	switch orig.Entry.Op {
	case queue.Void:
		if ok, err := unvoid(tx, *orig); err != nil || !ok {
			return refuse(queue.NotFound, codeWrong), err
		}
	case queue.Refund:
		if err := giveBack(tx, *orig, -orig.Entry.Amount.Minor); err != nil {
			return queue.Answer{}, err
		}
	}
	orig.State, orig.Reversal = queue.Reversed, s.Sequence
	return approve(), tx.Put(orig.key(), orig.encode())
}

// void undoes a sale or a refund as a whole.
func (s submission) void(tx Tx) (queue.Answer, error) {
	orig, err := s.original(tx, s.about)
	switch {
	case err != nil:
		return queue.Answer{}, err
	case orig == nil:
		return refuse(queue.NotFound, codeAbsent), nil
	case s.retold && orig.VoidedBy == s.Sequence: // this void was lost, its doing was not
		return approve(), nil
	case !orig.Counts() || orig.Refunded != 0 || orig.Entry.Amount != s.entry.Amount || orig.Lane != s.lane:
		return refuse(queue.NotFound, codeWrong), nil
	}
	if orig.Entry.Op == queue.Refund {
		if err := giveBack(tx, *orig, -orig.Entry.Amount.Minor); err != nil {
			return queue.Answer{}, err
		}
	}
	orig.VoidedBy = s.Sequence
	return approve(), tx.Put(orig.key(), orig.encode())
}

// unvoid makes what a void had undone stand again: the void was reversed. It is
// false where there is no room for that any more: a refund whose sale was
// refunded otherwise since, or undone.
func unvoid(tx Tx, void Booking) (ok bool, err error) {
	back := submission{Identity: void.Identity, lane: void.Lane, entry: void.Entry}
	orig, err := back.original(tx, back.about)
	if err != nil || orig == nil || orig.VoidedBy != void.Sequence {
		return err == nil, err
	}
	orig.VoidedBy = 0
	if orig.Entry.Op == queue.Refund {
		sale, err := saleOf(tx, *orig)
		if err != nil {
			return false, err
		}
		if sale != nil && (!sale.Counts() || orig.Entry.Amount.Minor > counted(*sale)-sale.Refunded) {
			return false, nil
		}
		if err := giveBack(tx, *orig, orig.Entry.Amount.Minor); err != nil {
			return false, err
		}
	}
	return true, tx.Put(orig.key(), orig.encode())
}

// refund gives back all or part of a sale.
func (s submission) refund(tx Tx) (queue.Answer, error) {
	orig, err := s.original(tx, s.about)
	switch {
	case err != nil:
		return queue.Answer{}, err
	case orig == nil:
		return refuse(queue.NotFound, codeAbsent), nil
	case orig.Entry.Op != queue.Sale || !orig.Counts() || orig.Entry.Amount.Currency != s.entry.Amount.Currency:
		return refuse(queue.Refused, codeWrong), nil
	case s.entry.Amount.Minor > counted(*orig)-orig.Refunded:
		return refuse(queue.Refused, codeTooMuch), nil
	}
	orig.Refunded += s.entry.Amount.Minor
	return approve(), tx.Put(orig.key(), orig.encode())
}

// counted is what a booking moves: all of it, or what was approved of it.
func counted(b Booking) int64 {
	if b.Answer.Verdict == queue.Partial {
		return b.Answer.Approved.Minor
	}
	return b.Entry.Amount.Minor
}

// saleOf is the sale that a refund is of; nil where the ledger has none.
func saleOf(tx Tx, refund Booking) (*Booking, error) {
	back := submission{Identity: refund.Identity, lane: refund.Lane, entry: refund.Entry}
	return back.original(tx, back.about)
}

// giveBack changes what was refunded of a refund's sale.
func giveBack(tx Tx, refund Booking, by int64) error {
	sale, err := saleOf(tx, refund)
	if err != nil || sale == nil {
		return err
	}
	sale.Refunded = max(0, sale.Refunded+by)
	return tx.Put(sale.key(), sale.encode())
}

// about tells whether b is the entry that a void or refund names.
func (s submission) about(b Booking) bool {
	op := b.Entry.Op
	return b.Entry.Kind != queue.Reversal && (op == queue.Sale || op == queue.Refund && s.entry.Op == queue.Void) &&
		(s.entry.Of == nil || s.entry.Of.STAN == 0 || s.entry.Of.STAN == b.Entry.STAN)
}

// original finds the newest booking, not of a later epoch, that has the
// submission's original's sequence and fits; nil when there is none.
func (s submission) original(tx Tx, fits func(Booking) bool) (*Booking, error) {
	all, err := bookingsAt(tx, s.Journal, s.entry.Original)
	if err != nil {
		return nil, err
	}
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Epoch <= s.Epoch && fits(all[i]) {
			return &all[i], nil
		}
	}
	return nil, nil
}
