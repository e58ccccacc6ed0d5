package custody_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/custody"
)

var depot = queue.Lane{Host: "depot", Merchant: "104110048161234", Terminal: "10000002"}

// approving is a host that approves everything.
type approving struct{}

func (approving) Send(context.Context, queue.Entry) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
}

func openJournal() (q *queue.Queue, done func()) {
	dir, err := os.MkdirTemp("", "tallystick")
	if err != nil {
		log.Fatal(err)
	}
	q, err = queue.Open(filepath.Join(dir, "courier.journal"), nil, &queue.Options{Unsealed: true})
	if err != nil {
		log.Fatal(err)
	}
	return q, func() { _, _ = q.Close(), os.RemoveAll(dir) }
}

func ExampleBook_Collect() {
	q, done := openJournal()
	defer done()
	ctx := context.Background()
	b, err := custody.New(q, custody.Options{Depot: depot})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := b.Take(ctx, "SF100200300", queue.Money{Minor: 12800, Currency: queue.CNY}); err != nil {
		log.Fatal(err)
	}
	pay := func(t queue.Transaction, send func(context.Context, queue.Transaction) (queue.Entry, error)) {
		p, err := b.Collect(ctx, "SF100200300", t, send)
		fmt.Println(p.State, p.Left(), err)
	}
	pay(queue.Transaction{Tender: queue.Cash, Amount: queue.Money{Minor: 2800, Currency: queue.CNY}}, nil)
	pay(queue.Transaction{Tender: queue.CardTender, Amount: queue.Money{Minor: 10000, Currency: queue.CNY},
		Lane: queue.Lane{Host: "acquirer", Merchant: "104110048161234", Terminal: "10000001"}},
		func(ctx context.Context, t queue.Transaction) (queue.Entry, error) { return q.Do(ctx, approving{}, t) })
	_, err = b.Collect(ctx, "SF100200300", queue.Transaction{Tender: queue.Cash, Amount: queue.Money{Minor: 100, Currency: queue.CNY}}, nil)
	fmt.Println(errors.Is(err, custody.ErrCollected))
	// Output:
	// partly paid 10000 <nil>
	// collected 0 <nil>
	// true
}

func ExampleBook_Refuse() {
	q, done := openJournal()
	defer done()
	ctx := context.Background()
	b, _ := custody.New(q, custody.Options{Depot: depot})
	_, _ = b.Take(ctx, "SF1", queue.Money{Minor: 100, Currency: queue.CNY})
	p, err := b.Refuse(ctx, "SF1", "not ordered")
	fmt.Println(p.State, p.Reason, err)
	p, err = b.Return(ctx, "SF1", "back at the depot")
	fmt.Println(p.State, p.Reason, err)
	// Output:
	// refused not ordered <nil>
	// returned back at the depot <nil>
}

func ExampleBook_SignOff() {
	q, done := openJournal()
	defer done()
	ctx := context.Background()
	courierPublic, courier, _ := ed25519.GenerateKey(nil)
	clerkPublic, clerk, _ := ed25519.GenerateKey(nil)
	b, err := custody.New(q, custody.Options{Depot: depot, Verify: custody.Ed25519(func(s custody.Side) ed25519.PublicKey {
		if s == custody.Courier {
			return courierPublic
		}
		return clerkPublic
	})})
	if err != nil {
		log.Fatal(err)
	}
	for _, waybill := range []string{"SF1", "SF2"} {
		_, _ = b.Take(ctx, waybill, queue.Money{Minor: 5000, Currency: queue.CNY})
		if _, err := b.Collect(ctx, waybill, queue.Transaction{Tender: queue.Cash, Amount: queue.Money{Minor: 5000, Currency: queue.CNY}}, nil); err != nil {
			log.Fatal(err)
		}
	}
	id, err := q.CloseBatch(ctx, depot)
	if err != nil {
		log.Fatal(err)
	}
	if err := q.Drain(ctx, depot, approving{}); err != nil {
		log.Fatal(err)
	}
	h, err := b.Prepare(ctx, id)
	if err != nil {
		log.Fatal(err)
	}
	h.Counted, h.Denominations = 9900, []custody.Denomination{{Value: 5000, Pieces: 1}, {Value: 100, Pieces: 49}}
	h.Reason, h.Courier, h.Clerk, h.Time = "one coin short", "courier 7", "clerk 3", time.UnixMilli(1795341600000)
	_, err = b.SignOff(ctx, h, custody.Sign(courier, custody.Courier, h.Digest()), custody.Sign(clerk, custody.Clerk, h.Digest()))
	fmt.Println(h.Expected, h.Difference(), err)
	signed, _, _, err := b.HandOver(ctx, id)
	fmt.Println(signed.Reason, err, q.SettleBatch(ctx, id))
	// Output:
	// 100.00 CNY -100 <nil>
	// one coin short <nil> <nil>
}

func ExampleBook_Recheck() {
	q, done := openJournal()
	defer done()
	ctx := context.Background()
	b, _ := custody.New(q, custody.Options{Depot: depot, Claims: elsewhere{}})
	_, err := b.Take(ctx, "SF1", queue.Money{Minor: 100, Currency: queue.CNY})
	fmt.Println(err)
	conflicts, err := b.Recheck(ctx, time.Time{})
	fmt.Println(len(conflicts), err)
	// Output:
	// waybill SF1 is another device's (journal 07000000) since 2026-11-22T08:00:00Z: do not collect it here
	// 0 <nil>
}

// elsewhere is a ledger at which another device has every waybill.
type elsewhere struct{}

func (elsewhere) Claim(context.Context, string) ([16]byte, time.Time, error) {
	return [16]byte{7}, time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC), nil
}

func (elsewhere) Release(context.Context, string) error { return nil }

func ExampleWaybillOf() {
	q, done := openJournal()
	defer done()
	ctx := context.Background()
	b, _ := custody.New(q, custody.Options{Depot: depot})
	_, _ = b.Take(ctx, "SF1", queue.Money{Minor: 100, Currency: queue.CNY})
	p, err := b.Collect(ctx, "SF1", queue.Transaction{Tender: queue.Cash, Amount: queue.Money{Minor: 100, Currency: queue.CNY}}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(custody.WaybillOf(p.Payments[0].Data))
	// Output: SF1 true
}
