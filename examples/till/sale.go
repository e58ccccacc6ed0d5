package main

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/queue"
)

// testCard is from a range published for tests; a real till's reader gives the
// card, and the chip's approval (tag 8A) where the chip decides offline.
const (
	testCard     = "6221558812340000"
	chipApproval = "Y1"
)

// sell takes an amount, and an order number as the sale's ref: the same order
// is never taken twice, whatever happens. Without one the till makes one up.
func (t *till) sell(ctx context.Context, tender, rest string) error {
	amount, order, _ := strings.Cut(rest, " ")
	fen, ok := parseYuan(amount)
	if !ok {
		t.say(sayBadAmount)
		return nil
	}
	if order = strings.TrimSpace(order); order == "" {
		order = rand.Text()[:12]
	}
	sale := queue.Transaction{Ref: order, Op: queue.Sale, Amount: queue.Money{Minor: fen, Currency: queue.CNY}}
	if tender == "cash" {
		sale.Lane, sale.Tender, sale.EntryMode = cash, queue.Cash, "000"
		e, err := t.q.Append(ctx, sale) // a nil error means: on the disk; Forward tells the depot
		if err == nil {
			t.say(sayTaken, e.ID, e.Amount)
		}
		return err
	}
	sale.Lane, sale.Tender, sale.EntryMode = cards, queue.CardTender, "051"
	sale.Card = queue.Card{PAN: queue.NewSecret(testCard), Expiry: queue.NewSecret("3012")}
	e, err := t.takeCard(ctx, sale)
	var twice *queue.DoubleTapError
	if errors.As(err, &twice) {
		if !t.ask(sayAgain, sale.Amount, twice.First) {
			t.say(sayNotTaken)
			return nil
		}
		sale.Again = twice.First
		e, err = t.takeCard(ctx, sale)
	}
	return t.outcome(e, err)
}

// takeCard asks the host. Where not a byte of the sale has left the till, the
// chip's own approval counts, within the limits of options.
func (t *till) takeCard(ctx context.Context, sale queue.Transaction) (queue.Entry, error) {
	e, err := t.q.Do(ctx, t.links[cards], sale)
	switch {
	case !errors.Is(err, queue.ErrNotSent):
		return e, err
	case e.ID != 0: // journalled already, and proven unsent
		return t.q.TakeOffline(ctx, e.ID, chipApproval)
	}
	sale.Approval = chipApproval
	return t.q.Append(ctx, sale)
}

// outcome says how a card sale stands. In doubt is neither approved nor
// declined, and is not shown as one of them.
func (t *till) outcome(e queue.Entry, err error) error {
	var limit *queue.LimitError
	switch {
	case errors.As(err, &limit):
		t.say(sayOverLimit)
	case errors.Is(err, queue.ErrInDoubt):
		t.say(sayInDoubt, e.ID, e.Amount)
	case err != nil:
		return err
	case e.Kind == queue.Advice:
		t.say(sayOffline, e.ID, e.Amount)
	case e.State == queue.Accepted:
		t.say(sayApproved, e.ID, e.Amount)
	case e.State == queue.Declined:
		t.say(sayDeclined, e.ID, e.Answer.Code)
	default:
		t.say(sayStands, e.ID, states[e.State].in(t.lang))
	}
	return nil
}

// parseYuan reads yuan with up to two decimals, 0.01 to 50000.
func parseYuan(s string) (fen int64, ok bool) {
	whole, cents, _ := strings.Cut(s, ".")
	if strings.ContainsFunc(whole+cents, func(r rune) bool { return r < '0' || r > '9' }) || len(cents) > 2 {
		return 0, false
	}
	fen, err := strconv.ParseInt(whole+(cents + "00")[:2], 10, 64)
	return fen, err == nil && whole != "" && fen >= 1 && fen <= 50_000_00
}
