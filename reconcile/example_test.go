package reconcile_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
)

// forgetful is a host that has lost one booking and takes it from the upload.
type forgetful struct{ booked map[queue.STAN]int64 }

func (h forgetful) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	if e.STAN != 2 {
		h.booked[e.STAN] = e.Amount.Minor
	}
	return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
}

func (h forgetful) SendTotals(_ context.Context, _ queue.Batch, t queue.Totals) (inland, foreign queue.Balance, err error) {
	var sum int64
	for _, v := range h.booked {
		sum += v
	}
	if t.Inland.Debit == sum && t.Inland.DebitCount == len(h.booked) {
		return queue.Balanced, queue.Balanced, nil
	}
	return queue.NotBalanced, queue.Balanced, nil
}

func (h forgetful) SendDetail(_ context.Context, _ queue.Batch, e queue.Entry) (queue.Answer, error) {
	if _, ok := h.booked[e.STAN]; ok {
		return queue.Answer{Verdict: queue.Duplicate, Code: "94"}, nil
	}
	h.booked[e.STAN] = e.Amount.Minor
	return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
}

func (h forgetful) EndBatch(context.Context, queue.Batch, bool, int) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
}

func (forgetful) Foreign(queue.Entry) bool { return false }

func ExampleSettle() {
	dir, err := os.MkdirTemp("", "tallystick")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	q, err := queue.Open(filepath.Join(dir, "till.journal"), nil, &queue.Options{Unsealed: true})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	ctx := context.Background()
	lane := queue.Lane{Host: "acquirer", Merchant: "104110048161234", Terminal: "10000001"}
	for i := range 3 {
		_, err := q.Append(ctx, queue.Transaction{Ref: fmt.Sprint("order-", i), Lane: lane, Op: queue.Sale,
			Tender: queue.CardTender, Approval: "Y1", Amount: queue.Money{Minor: 1000, Currency: queue.CNY}})
		if err != nil {
			log.Fatal(err)
		}
	}
	b, _ := q.CloseBatch(ctx, lane)
	r, err := reconcile.Settle(ctx, q, b, forgetful{map[queue.STAN]int64{}})
	fmt.Println(r.Records, r.Totals.Inland.Debit, r.Balanced, r.Mended, err)
	// Output: 3 3000 false [2] <nil>
}

func ExampleTotals() {
	dir, err := os.MkdirTemp("", "tallystick")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	q, err := queue.Open(filepath.Join(dir, "till.journal"), nil, &queue.Options{Unsealed: true})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	ctx := context.Background()
	lane := queue.Lane{Host: "acquirer", Merchant: "104110048161234", Terminal: "10000001"}
	host := forgetful{map[queue.STAN]int64{}}
	_, _ = q.Do(ctx, host, queue.Transaction{Ref: "order-1", Lane: lane, Op: queue.Sale, Tender: queue.CardTender,
		Amount: queue.Money{Minor: 1250, Currency: queue.CNY}})
	t, n, err := reconcile.Totals(ctx, q, queue.BatchID{Lane: lane, N: 1}, nil)
	fmt.Println(n, t.Inland.DebitCount, t.Inland.Debit, t.Currency, err)
	// Output: 1 1 1250 CNY <nil>
}
