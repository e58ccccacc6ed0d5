// Package reconcile proves that a device and its host agree: it settles closed
// batches, in steps that a crash or a lost line cannot double or lose.
package reconcile

import (
	"context"

	"github.com/tallystick/tallystick/queue"
)

// Host is what settling asks of a host link. Any error leaves open whether the
// host got the message; calling again must be safe.
type Host interface {
	queue.Uplink
	// SendTotals tells the host what b adds up to and returns what it says of
	// inland and foreign cards (UnionPay 0500, DE 48).
	SendTotals(ctx context.Context, b queue.Batch, t queue.Totals) (inland, foreign queue.Balance, err error)
	// SendDetail uploads one entry of b (0320). Approved means that the host
	// lacked it and has it now, Duplicate that it has it and it is equal,
	// Refused that it has it with other content.
	SendDetail(ctx context.Context, b queue.Batch, e queue.Entry) (queue.Answer, error)
	// EndBatch tells the host that b is complete with so many records (0320,
	// 207 or 202). Approved means that both sides agree now, Refused that the
	// host has something else; the host has closed the batch either way.
	EndBatch(ctx context.Context, b queue.Batch, balanced bool, records int) (queue.Answer, error)
	// Foreign tells whether the host counts an entry among foreign cards.
	Foreign(e queue.Entry) bool
}
