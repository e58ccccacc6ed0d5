package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// A screen shows what waits, by lane, without reading a single sale.
func ExampleQueue_Backlogs() {
	q, done := backlogged()
	defer done()
	backlogs, err := q.Backlogs(context.Background())
	for _, b := range backlogs {
		fmt.Println(b.Lane, b.Waiting, b.Sums, err)
	}
	// Output: depot/M1/C0000001 2 [19.80 CNY] <nil>
}

// An app raises a warning of its own for everyone who watches.
func ExampleQueue_Warn() {
	q, done := backlogged()
	defer done()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	paper := errors.New("the printer is out of paper")
	go func() { // the printer's driver: until someone hears it
		for ctx.Err() == nil {
			q.Warn(paper)
			select {
			case <-time.After(10 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}()
	for ev := range q.Watch(ctx) {
		if errors.Is(ev.Warning, paper) {
			fmt.Println(ev.Warning)
			break
		}
	}
	// Output: the printer is out of paper
}

// backlogged opens a journal in which two sales wait.
func backlogged() (q *queue.Queue, done func()) {
	dir, err := os.MkdirTemp("", "till-")
	if err != nil {
		panic(err)
	}
	if q, err = queue.Open(filepath.Join(dir, "journal"), nil, &queue.Options{Unsealed: true}); err != nil {
		panic(err)
	}
	for _, ref := range []string{"order-1", "order-2"} {
		_, err := q.Append(context.Background(), queue.Transaction{Ref: ref, Lane: queue.Lane{Host: "depot", Merchant: "M1", Terminal: "C0000001"},
			Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: 990, Currency: queue.CNY}})
		if err != nil {
			panic(err)
		}
	}
	return q, func() { _ = errors.Join(q.Close(), os.RemoveAll(dir)) }
}
