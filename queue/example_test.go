package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/queue"
)

// approving is the smallest Uplink: a host that approves everything.
type approving struct{}

func (approving) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Approved, Code: "00", RRN: fmt.Sprintf("%012d", e.ID)}, nil
}

// open opens a journal for an example; an app gives its own path and keys.
func open() (*queue.Queue, func()) { return openWith(&queue.Options{Unsealed: true}) }

func openWith(opts *queue.Options) (*queue.Queue, func()) {
	dir, err := os.MkdirTemp("", "tallystick")
	if err != nil {
		log.Fatal(err)
	}
	q, err := queue.Open(filepath.Join(dir, "till.journal"), nil, opts)
	if err != nil {
		log.Fatal(err)
	}
	return q, func() { _ = q.Close(); _ = os.RemoveAll(dir) }
}

var lane = queue.Lane{Host: "acquirer", Merchant: "104110048161234", Terminal: "10000001"}

func ExampleOpen() {
	dir, err := os.MkdirTemp("", "tallystick")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "till.journal")
	q, err := queue.Open(path, nil, &queue.Options{Unsealed: true}) // an app with cards gives Keys
	fmt.Println(err)
	_, err = queue.Open(path, nil, &queue.Options{Unsealed: true})
	fmt.Println(errors.Is(err, queue.ErrHeld))
	fmt.Println(q.Close())
	// Output:
	// <nil>
	// true
	// <nil>
}

func ExampleSalvage() {
	dir, err := os.MkdirTemp("", "tallystick")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "till.journal")
	opts := &queue.Options{Unsealed: true}
	q, err := queue.Open(path, nil, opts)
	if err != nil {
		log.Fatal(err)
	}
	_ = q.Close()
	// When Open, or the first call after it, returned ErrDamaged:
	report, err := queue.Salvage(context.Background(), path, nil, opts)
	fmt.Println(len(report.Lost), len(report.Parked), err)
	// Output: 0 0 <nil>
}

func Example() {
	q, done := open()
	defer done()
	ctx := context.Background()
	// Taken in the cellar: synced when Append returns.
	e, err := q.Append(ctx, queue.Transaction{Ref: "order-1", Lane: lane, Op: queue.Sale, Tender: queue.Cash,
		Amount: queue.Money{Minor: 990, Currency: queue.CNY}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.ID, e.STAN, e.State)
	// The network is back.
	if err := q.Drain(ctx, lane, approving{}); err != nil {
		log.Fatal(err)
	}
	e, _ = q.ByRef(ctx, "order-1")
	fmt.Println(e.State, e.Answer.Code, e.Amount)
	// Output:
	// 1 000001 pending
	// accepted 00 9.90 CNY
}

func ExampleQueue_Do() {
	q, done := open()
	defer done()
	e, err := q.Do(context.Background(), approving{}, queue.Transaction{Ref: "order-2", Lane: lane, Op: queue.Sale,
		Tender: queue.CardTender, Amount: queue.Money{Minor: 1250, Currency: queue.CNY}, EntryMode: "051",
		Card: queue.Card{PAN: queue.NewSecret("6221558812340000")}})
	fmt.Println(e.State, e.MaskedPAN, err)
	// Output: accepted 622155******0000 <nil>
}

func ExampleQueue_Reverse() {
	q, done := open()
	defer done()
	ctx := context.Background()
	e, _ := q.Append(ctx, queue.Transaction{Ref: "order-3", Lane: lane, Op: queue.Sale, Tender: queue.Cash,
		Amount: queue.Money{Minor: 500, Currency: queue.CNY}})
	e, err := q.Reverse(ctx, e.ID)
	fmt.Println(e.State, err)
	// Output: cancelled <nil>
}

func ExampleQueue_All() {
	q, done := open()
	defer done()
	ctx := context.Background()
	for _, ref := range []string{"a", "b"} {
		_, _ = q.Append(ctx, queue.Transaction{Ref: ref, Lane: lane, Op: queue.Sale, Tender: queue.Cash,
			Amount: queue.Money{Minor: 100, Currency: queue.CNY}})
	}
	for e, err := range q.All(ctx, queue.Filter{States: []queue.State{queue.Pending}}) {
		fmt.Println(e.Ref, e.Amount, err)
	}
	// Output:
	// a 1.00 CNY <nil>
	// b 1.00 CNY <nil>
}

func ExampleQueue_CloseBatch() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, queue.Transaction{Ref: "a", Lane: lane, Op: queue.Sale, Tender: queue.Cash,
		Amount: queue.Money{Minor: 100, Currency: queue.CNY}})
	b, _ := q.CloseBatch(ctx, lane)
	fmt.Println(q.SettleBatch(ctx, b))
	_ = q.Drain(ctx, lane, approving{})
	fmt.Println(q.SettleBatch(ctx, b))
	// Output:
	// batch acquirer/104110048161234/10000001#1 has 1 entries pending, in doubt or parked: 1
	// <nil>
}
