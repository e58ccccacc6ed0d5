package queue

import (
	"fmt"
	"time"
)

// DoubleTapError asks the app about a sale that looks like one just taken: the
// same lane, amount and card within Options.DoubleTap. Nothing was kept. If the
// customer does pay twice, the app repeats the call with Transaction.Again set
// to First.
type DoubleTapError struct{ First ID }

func (e *DoubleTapError) Error() string {
	return fmt.Sprintf("entry %d took the same amount from the same card just now: ask, then set Again", e.First)
}

// lookBack bounds how many entries the guard looks at.
const lookBack = 64

// doubleTap refuses a sale whose like was taken within the window. A clock that
// jumped back makes the window longer, never shorter.
func (v *fileView) doubleTap(t Transaction, window time.Duration) error {
	t.Card = t.Card.withPAN()
	if window <= 0 || t.Op != Sale || (t.Card.PAN.IsZero() && t.Card.PayCode.IsZero()) {
		return nil
	}
	if _, found, err := v.byRef(t.Ref); found || err != nil {
		return err
	}
	last, err := v.count("entries")
	if err != nil {
		return err
	}
	for id := ID(last); id > 0 && id+lookBack > ID(last); id-- {
		e, err := v.entry(id)
		if err != nil {
			return err
		}
		alike := e.Op == Sale && e.Kind != Reversal && e.given().Lane == t.Lane && e.Amount == t.Amount &&
			(e.State == Pending || e.State == InDoubt || e.State == Accepted) && id > t.Again
		if !alike || v.reading.Wall.Sub(e.Changed) > window {
			continue
		}
		card, err := v.card(id)
		if err != nil {
			return err
		}
		if card.PAN.Reveal() == t.Card.PAN.Reveal() && card.PayCode.Reveal() == t.Card.PayCode.Reveal() {
			return &DoubleTapError{First: id}
		}
	}
	return nil
}
