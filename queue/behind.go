package queue

import "fmt"

// underway tells whether e was taken offline and its host has not answered yet.
func (e Entry) underway() bool { return e.Kind == Advice && (e.State == Pending || e.State == InDoubt) }

// waits tells whether the entry of an id has to wait for the answer to the sale
// that it refunds: the host cannot refund what it does not know.
func (v *fileView) waits(id ID) (bool, error) {
	e, err := v.entry(id)
	if err != nil || e.Op != Refund || e.Original == 0 {
		return false, err
	}
	orig, err := v.entry(e.Original)
	return err == nil && !orig.State.Final() && !e.leftBehind(orig), ignoreNotFound(err)
}

// leftBehind tells whether a refund that waits for its sale is in a batch before
// the sale's, which has moved on: each would wait for the other.
func (e Entry) leftBehind(sale Entry) bool {
	return e.State == Pending && e.Attempts == 0 && !e.copied && sale.Lane == e.Lane && e.Batch.N < sale.Batch.N && !sale.State.Final()
}

// catchUp moves a refund to the batch that its sale has moved to.
func (v *fileView) catchUp(e Entry) (bool, error) {
	if e.Op != Refund || e.Original == 0 {
		return false, nil
	}
	sale, err := v.entry(e.Original)
	if err != nil || !e.leftBehind(sale) {
		return false, ignoreNotFound(err)
	}
	return true, v.apply(event{kind: evMoved, id: e.ID, batch: sale.Batch.N})
}

// inVain ends a refund whose sale has come to nothing.
func (v *fileView) inVain(e Entry) (bool, error) {
	if e.Op != Refund || e.Original == 0 {
		return false, nil
	}
	orig, err := v.entry(e.Original)
	if err != nil || !orig.State.Final() || orig.State == Accepted {
		return false, ignoreNotFound(err)
	}
	if e.Attempts == 0 {
		return true, v.apply(event{kind: evCancelled, id: e.ID})
	}
	// A copy of the journal may have sent it.
	return true, v.apply(event{kind: evParked, id: e.ID, text: fmt.Sprintf("the sale that it refunds, entry %d, is %s", orig.ID, orig.State)})
}

// refundOf journals a refund of what is left of a sale, or finds the one that
// left nothing of it. One that was withdrawn, or that other refunds have left
// something beside since, is followed by another.
func (v *fileView) refundOf(e Entry) (Entry, error) {
	t := Transaction{Lane: e.Lane, Op: Refund, Original: e.ID,
		Amount: Money{e.Amount.Minor - e.Refunded, e.Amount.Currency}}
	for n := 1; n <= maxUndone; n++ {
		t.Ref = nthOf("refund", n, e.ID)
		old, found, err := v.byRef(t.Ref)
		if err != nil {
			return Entry{}, err
		}
		stands := found && old.Op == Refund && old.Original == e.ID && old.State != Declined && old.State != Cancelled
		switch {
		case t.Amount.Minor == 0 && stands:
			return v.full(old)
		case t.Amount.Minor == 0 && !found:
			return Entry{}, stateError(e.ID, e.State, "all of it is refunded")
		case !found:
			r, _, err := v.add(t, Advice, false)
			return r, err
		}
	}
	return Entry{}, stateError(e.ID, e.State, "too many refunds of it came to nothing: refund it once it is accepted")
}
