// Package reconcile proves that a device and its host agree.
//
// Settle settles closed batches with hosts that speak ISO 8583, by totals and,
// where they differ, by batch upload, in steps that a crash or a lost line
// cannot double or lose; Forward does it whenever a batch is full. Incomplete
// compares a journal with a host that embeds package ledger, entry by entry, in
// bytes in proportion to what differs, and mends that by replay. Package
// statement reads what an acquirer sends as a file, package report tells a
// person how the day ended.
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
	// Refused that it has it with other content, NotFound that the host has left
	// the batch and says nothing of it.
	SendDetail(ctx context.Context, b queue.Batch, e queue.Entry) (queue.Answer, error)
	// EndBatch tells the host that b is complete with so many records (0320,
	// 207 or 202). Approved means that both sides agree now, Refused that the
	// host has something else; the host has closed the batch either way. NotFound
	// means that it has left the batch before.
	EndBatch(ctx context.Context, b queue.Batch, balanced bool, records int) (queue.Answer, error)
	// Foreign tells whether the host counts an entry among foreign cards.
	Foreign(e queue.Entry) bool
}

// PerCurrency is optional on a Host: true where the host compares each currency
// of a batch by itself, as hosts of ISO 8583 do. Settle then tells the totals of
// one currency after the other; otherwise a batch has one currency.
type PerCurrency interface {
	PerCurrency() bool
}

// TotalsEnder is optional on a Host whose dialect has no end message: EndTotals
// tells a batch's totals for the last time, for each currency, in the place of
// EndBatch and with its meaning; balanced says that the host has agreed to those
// of this currency already. An error that wraps errors.ErrUnsupported: it has
// EndBatch.
type TotalsEnder interface {
	EndTotals(ctx context.Context, b queue.Batch, t queue.Totals, balanced bool) (queue.Answer, error)
}

// DetailRanker is optional on a Host that wants details in an order of its own:
// DetailRank is in which round, 0 to 2, the detail of an entry goes; within a
// round they go by sequence.
type DetailRanker interface {
	DetailRank(e queue.Entry) int
}

const maxRank = 2
