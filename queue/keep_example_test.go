package queue_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/queue"
)

// day sells one thing and settles the lane.
func day(q *queue.Queue, ref string) queue.BatchID {
	ctx := context.Background()
	sell(q, ref)
	b, err := q.CloseBatch(ctx, lane)
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(q.Drain(ctx, lane, approving{}), q.SettleBatch(ctx, b)); err != nil {
		log.Fatal(err)
	}
	return b
}

func sell(q *queue.Queue, ref string) {
	_, err := q.Append(context.Background(), queue.Transaction{Ref: ref, Lane: lane, Op: queue.Sale, Tender: queue.Cash,
		Amount: queue.Money{Minor: 990, Currency: queue.CNY}})
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleQueue_Prune() {
	q, done := open()
	defer done()
	ctx := context.Background()
	b := day(q, "order-1")
	fmt.Println(q.Prune(ctx, b))
	e, err := q.ByRef(ctx, "order-1")
	fmt.Println(e.ID, e.State, e.Amount, e.Pruned, err)
	// Output:
	// <nil>
	// 1 accepted 9.90 CNY true <nil>
}

func ExampleQueue_Compact() {
	q, done := open()
	defer done()
	ctx := context.Background()
	fmt.Println(q.Prune(ctx, day(q, "order-1")))
	fmt.Println(q.Compact(ctx), q.Verify(ctx))
	// Output:
	// <nil>
	// <nil> <nil>
}

func ExampleRestore() {
	q, done := open()
	defer done()
	ctx := context.Background()
	day(q, "order-1")
	var file bytes.Buffer
	if err := q.Backup(ctx, &file); err != nil {
		log.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "restored")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	second, err := queue.Restore(ctx, filepath.Join(dir, "till.journal"), &file, nil, &queue.Options{Unsealed: true})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	e, err := second.ByRef(ctx, "order-1")
	fmt.Println(second.Epoch(), e.State, err)
	// Output: 2 accepted <nil>
}

// numbering is a host that numbers its batches.
type numbering struct {
	approving
	batch uint32
}

func (n numbering) Prepare(context.Context) (queue.Line, error) {
	return queue.Line{HostBatch: n.batch}, nil
}

func ExampleQueue_SetSTANFloor() {
	q, done := open()
	defer done()
	ctx := context.Background()
	sell(q, "order-1")
	_ = q.Drain(ctx, lane, numbering{batch: 7})
	var file bytes.Buffer
	_ = q.Backup(ctx, &file)
	dir, _ := os.MkdirTemp("", "restored")
	defer func() { _ = os.RemoveAll(dir) }()
	second, err := queue.Restore(ctx, filepath.Join(dir, "till.journal"), &file, nil, &queue.Options{Unsealed: true})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = second.Close() }()
	online := queue.Transaction{Ref: "order-2", Lane: lane, Op: queue.Sale, Tender: queue.Cash,
		Amount: queue.Money{Minor: 100, Currency: queue.CNY}}
	_, err = second.Do(ctx, numbering{batch: 7}, online)
	fmt.Println(errors.Is(err, queue.ErrHeldBack))
	fmt.Println(second.SetSTANFloor(ctx, lane, 500, "Li", "the first till is scrapped"))
	e, err := second.Do(ctx, numbering{batch: 7}, online)
	fmt.Println(e.STAN, e.State, err)
	// Output:
	// true
	// <nil>
	// 000500 accepted <nil>
}

// Package rescue does this with a file that is sealed.
func ExampleQueue_Export() {
	q, done := open()
	defer done()
	other, otherDone := open()
	defer otherDone()
	ctx := context.Background()
	sell(q, "order-1")
	var clear bytes.Buffer
	n, err := q.Export(ctx, &clear)
	fmt.Println(n, err)
	into, err := other.Import(ctx, func() (io.Reader, error) { return bytes.NewReader(clear.Bytes()), nil })
	fmt.Println(into.Entries, into.Known, err)
	e, _ := other.ByRef(ctx, "order-1")
	fmt.Println(e.STAN, e.Origin.ID, e.Origin.Journal == q.JournalID())
	// Output:
	// 1 <nil>
	// 1 0 <nil>
	// 000001 1 true
}
