package queue_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/tallystick/tallystick/queue"
)

// withBatches is an uplink to a host that numbers its batches.
type withBatches struct{ approving }

func (withBatches) Prepare(context.Context) (queue.Line, error) {
	return queue.Line{HostBatch: 42}, nil
}

func ExampleQueue_SettleBatch() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	b, _ := q.CloseBatch(ctx, lane)
	var open *queue.OutstandingError
	fmt.Println(errors.As(q.SettleBatch(ctx, b), &open))
	_ = q.Drain(ctx, lane, approving{})
	fmt.Println(q.SettleBatch(ctx, b))
	// Output:
	// true
	// <nil>
}

func ExampleQueue_Outstanding() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	fmt.Println(q.Outstanding(ctx, queue.BatchID{Lane: lane, N: 1}))
	// Output: batch acquirer/104110048161234/10000001#1 has 1 entries pending, in doubt or parked: 1
}

func ExampleQueue_Batch() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	_ = q.Drain(ctx, lane, withBatches{})
	b, _ := q.Batch(ctx, queue.BatchID{Lane: lane, N: 1})
	fmt.Println(b.State, b.HostBatch, b.Entries, b.Unfinished)
	// Output: open 42 1 0
}

func ExampleQueue_Unsettled() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	_, _ = q.CloseBatch(ctx, lane)
	// After a crash: which settlement is to go on?
	open, _ := q.Unsettled(ctx, lane)
	fmt.Println(len(open), open[0].ID.N, open[0].State)
	// Output: 1 1 closed
}

func ExampleQueue_SaveProgress() {
	q, done := open()
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	b, _ := q.CloseBatch(ctx, lane)
	_ = q.SaveProgress(ctx, b, []byte("totals sent"))
	kept, _ := q.Batch(ctx, b)
	fmt.Printf("%s\n", kept.Progress)
	// Output: totals sent
}

func ExampleQueue_WithLane() {
	q, done := open()
	defer done()
	err := q.WithLane(context.Background(), lane, func() error {
		fmt.Println("nothing else is sent on the lane now")
		return nil
	})
	fmt.Println(err)
	// Output:
	// nothing else is sent on the lane now
	// <nil>
}

func ExampleQueue_WaitFull() {
	q, done := openWith(&queue.Options{Unsealed: true, BatchLimit: 1})
	defer done()
	ctx := context.Background()
	_, _ = q.Append(ctx, cash("order-1"))
	_ = q.Drain(ctx, lane, withBatches{})
	fmt.Println(q.WaitFull(ctx, lane))
	// Output: <nil>
}
