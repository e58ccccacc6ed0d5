package report_test

import (
	"context"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/report"
)

// approving is a host that approves everything.
type approving struct{}

func (approving) Send(context.Context, queue.Entry) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Approved, Code: "00", RRN: "000000000901"}, nil
}

func Example() {
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
	at := time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC)
	t := queue.Transaction{Ref: "order-1", Lane: queue.Lane{Host: "acquirer", Merchant: "104110048161234", Terminal: "10000001"},
		Op: queue.Sale, Tender: queue.CardTender, Amount: queue.Money{Minor: 1250, Currency: queue.CNY}, Time: at}
	if _, err := q.Do(ctx, approving{}, t); err != nil {
		log.Fatal(err)
	}
	t.Ref, t.Amount.Minor, t.Approval = "order-2", 990, "Y1" // no line: taken offline
	if _, err := q.Append(ctx, t); err != nil {
		log.Fatal(err)
	}
	r := report.New("Shop 12", at)
	if err := r.AddJournal(ctx, q, report.Span{}); err != nil {
		log.Fatal(err)
	}
	if err := r.Write(os.Stdout, report.Text, report.English); err != nil {
		log.Fatal(err)
	}
	// Output:
	// Shop 12: Reconciliation report
	// made: 2026-11-22 18:00:00 +00:00
	//
	// What was taken and what the host has
	// category       currency  taken    sum  at the host    sum  open   sum
	// ------------------------------------------------------------------------------
	// card, online   CNY           1  12.50            1  12.50     0  0.00
	// card, offline  CNY           1   9.90            0   0.00     1  9.90  differs
	// total          CNY           2  22.40            1  12.50     1  9.90  differs
	//
	// What differs, and what to do
	//   1. waiting: entry 2, ref order-2, terminal 10000001, STAN 000002, time 2026-11-22 18:00:00 +00:00
	//      here 9.90 CNY (pending)
	//      It was taken while there was no line and has not been sent yet.
	//      → Keep the device on and connected; it is sent by itself.
	//
	// Nothing to do, goes on by itself or is done: 1.
}
