package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tallystick/tallystick/queue"
)

// cash is a payment for the examples.
func cash(ref string) queue.Transaction {
	return queue.Transaction{Ref: ref, Lane: lane, Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: 100, Currency: queue.CNY}}
}

// card is a card payment for the examples, with a published test number.
func card(ref string) queue.Transaction {
	return queue.Transaction{Ref: ref, Lane: lane, Op: queue.Sale, Tender: queue.CardTender, Amount: queue.Money{Minor: 1250, Currency: queue.CNY},
		Card: queue.Card{PAN: queue.NewSecret("6221558812340000")}}
}

// answers is an uplink whose host answers everything alike.
type answers struct {
	answer queue.Answer
	err    error
}

func (a answers) Send(context.Context, queue.Entry) (queue.Answer, error) { return a.answer, a.err }

func ExampleQueue_Append() {
	q, done := open()
	defer done()
	ctx := context.Background()
	first, err := q.Append(ctx, cash("order-1"))
	again, _ := q.Append(ctx, cash("order-1"))
	other := cash("order-1")
	other.Amount.Minor = 999
	_, conflict := q.Append(ctx, other)
	fmt.Println(first.ID, again.ID, err, errors.Is(conflict, queue.ErrConflict))
	// Output: 1 1 <nil> true
}

func ExampleQueue_AppendAtRisk() {
	q, done := open()
	defer done()
	ctx := context.Background()
	e, _ := q.AppendAtRisk(ctx, card("order-1"))
	fmt.Println(e.Kind, e.State)
	_ = q.Drain(ctx, lane, answers{answer: queue.Answer{Verdict: queue.Refused, Code: "51"}})
	e, _ = q.ByRef(ctx, "order-1")
	fmt.Println(e.State)
	// Output:
	// request pending
	// declined
}

func ExampleQueue_DoConfirm() {
	q, done := open()
	defer done()
	ctx := context.Background()
	chip := errors.New("the card refused")
	e, err := q.DoConfirm(ctx, approving{}, card("order-1"), func(_ context.Context, e queue.Entry) error {
		fmt.Println("the host says", e.Answer.Code)
		return chip
	})
	fmt.Println(e.State, errors.Is(err, queue.ErrInDoubt), errors.Is(err, chip))
	_ = q.Drain(ctx, lane, approving{}) // the reversal
	e, _ = q.Get(ctx, e.ID)
	fmt.Println(e.State)
	// Output:
	// the host says 00
	// in doubt true true
	// reversed
}

func ExampleQueue_TakeOffline() {
	q, done := open()
	defer done()
	ctx := context.Background()
	e, err := q.Do(ctx, answers{err: queue.ErrNotSent}, card("order-1"))
	fmt.Println(e.State, errors.Is(err, queue.ErrNotSent))
	e, _ = q.TakeOffline(ctx, e.ID, "Y1") // the chip approved offline
	fmt.Println(e.Kind, e.STAN)
	// Output:
	// pending true
	// advice 000001
}

func ExampleQueue_Forward() {
	q, done := open()
	defer done()
	ctx, cancel := context.WithCancel(context.Background())
	_, _ = q.Append(ctx, cash("order-1"))
	ended := make(chan error)
	go func() { ended <- q.Forward(ctx, lane, approving{}) }()
	_ = q.Drain(ctx, lane, approving{}) // shares the work, and ends when it is done
	e, _ := q.ByRef(ctx, "order-1")
	fmt.Println(e.State)
	cancel()
	fmt.Println(<-ended)
	// Output:
	// accepted
	// context canceled
}

func ExampleQueue_Drain() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	fmt.Println(q.Drain(ctx, lane, approving{}))
	// Output: <nil>
}

func ExampleQueue_Get() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	e, _ := q.Get(ctx, 1)
	_, err := q.Get(ctx, 2)
	fmt.Println(e.Ref, errors.Is(err, queue.ErrNotFound))
	// Output: order-1 true
}

func ExampleQueue_ByRef() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	e, err := q.ByRef(ctx, "order-1")
	fmt.Println(e.ID, e.State, err)
	// Output: 1 pending <nil>
}

func ExampleQueue_Status() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	s, _ := q.Status(ctx)
	fmt.Println(s.Waiting, s.SafeToWipe, s.AtStake[0].Sum, s.AtStake[0].Currency)
	// Output: 1 false 100 CNY
}

func ExampleQueue_Watch() {
	q, done := open()
	defer done()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { // a busy till
		defer close(ended)
		for n := 0; ctx.Err() == nil; n++ {
			_, _ = q.Append(ctx, cash(fmt.Sprint("order-", n)))
		}
	}()
	for ev := range q.Watch(ctx) {
		fmt.Println(ev.Entry.Tender, ev.Entry.State)
		break
	}
	cancel()
	<-ended
	// Output: cash pending
}

func ExampleQueue_Resolve() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	_ = q.Drain(ctx, lane, answers{answer: queue.Answer{Verdict: queue.Refused, Code: "30"}})
	e, _ := q.Get(ctx, 1)
	fmt.Println(e.State, "-", e.ParkedWhy)
	err := q.Resolve(ctx, 1, queue.Answer{Verdict: queue.Approved}, "Li Na", "the host has it by telephone")
	e, _ = q.Get(ctx, 1)
	fmt.Println(e.State, err)
	// Output:
	// parked - the host refused it
	// accepted <nil>
}

func ExampleQueue_Unpark() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	_ = q.Drain(ctx, lane, answers{answer: queue.Answer{Verdict: queue.Refused, Code: "03"}})
	_ = q.Unpark(ctx, 1, "Li Na", "the host has set the merchant up")
	_ = q.Drain(ctx, lane, approving{})
	e, _ := q.Get(ctx, 1)
	fmt.Println(e.State)
	// Output: accepted
}

func ExampleQueue_History() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	_ = q.Drain(ctx, lane, answers{answer: queue.Answer{Verdict: queue.Refused, Code: "30"}})
	_ = q.Resolve(ctx, 1, queue.Answer{Verdict: queue.Approved, Code: "00"}, "Li Na", "the host has it by telephone")
	for h := range q.History(ctx, 1) {
		fmt.Printf("%d %s %q %q %q\n", h.N, h.What, h.Answer.Code, h.Who, h.Why)
	}
	// Output:
	// 3 appended "" "" ""
	// 4 attempted "" "" ""
	// 5 answered "30" "" ""
	// 6 resolved "00" "Li Na" "the host has it by telephone"
}

func ExampleQueue_NextSTAN() {
	q, done := open()
	defer done()
	ctx := context.Background()
	signIn, _ := q.NextSTAN(ctx, lane)
	sale, _ := q.Append(ctx, cash("order-1"))
	fmt.Println(signIn, sale.STAN)
	// Output: 000001 000002
}

func ExampleQueue_Verify() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	fmt.Println(q.Verify(ctx))
	// Output: <nil>
}

func ExampleCanonicalOf() {
	q, done := open()
	defer done()
	e, _ := q.Append(context.Background(), cash("order-1"))
	ours := q.Canonical(nil, e)
	fmt.Println(bytes.Equal(ours, queue.CanonicalOf(nil, q.JournalID(), e)))
	// Output: true
}

func ExampleQueue_Digest() {
	q, done := open()
	defer done()
	e, _ := q.Append(context.Background(), cash("order-1"))
	before := q.Digest(e)
	e.State = queue.Accepted // what happens to an entry does not change its digest
	fmt.Println(q.Digest(e) == before, string(q.Canonical(nil, e)[:4]))
	// Output: true TSE1
}

func ExampleMoney_String() {
	fmt.Println(queue.Money{Minor: 1250, Currency: queue.CNY}, queue.Money{Minor: 1250, Currency: queue.JPY})
	// Output: 12.50 CNY 1250 JPY
}

func ExampleSecret() {
	s := queue.NewSecret("6221558812340000")
	fmt.Printf("%v %+v %#v %s\n", s, s, struct{ Card queue.Secret }{s}, queue.Card{PAN: s}.MaskedPAN())
	// Output: *** *** struct { Card queue.Secret }{Card:***} 622155******0000
}
