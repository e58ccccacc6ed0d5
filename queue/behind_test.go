package queue

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func refundOf(ref string, e Entry, minor int64) Transaction {
	return Transaction{Ref: ref, Lane: e.Lane, Op: Refund, Original: e.ID, Amount: Money{minor, e.Amount.Currency}}
}

// A refund of what the host does not know yet is journalled at once and goes
// behind it, however often the sale has to be repeated, and then names what the
// host said of it.
func TestRefundGoesBehindItsSale(t *testing.T) {
	q := openNew(t, fast)
	sold, err := q.Append(bg, offlineSale("sale"))
	require.NoError(t, err)
	_, err = q.Append(bg, refundOf("part", sold, 250))
	require.NoError(t, err)
	_, err = q.Append(bg, refundOf("too much", sold, 1001))
	require.Error(t, err)
	_, err = q.Append(bg, Transaction{Ref: "void", Lane: cardLane, Op: Void, Original: sold.ID})
	require.ErrorIs(t, err, ErrState, "an advice is never voided")
	_, err = q.Move(bg, sold.ID, cashLane, "outage", "")
	require.ErrorIs(t, err, ErrState, "its refund waits for its own host")
	var r recorder
	tries := 0
	up := uplink{send: r.through(func(ctx context.Context, e Entry) (Answer, error) {
		if tries++; tries <= 5 { // it is demoted behind its own refund
			return silent(ctx, e)
		}
		return approve(ctx, e)
	})}
	require.NoError(t, q.Drain(bg, cardLane, windowed{up, 8}))
	require.Len(t, r.seen, 7)
	for _, e := range r.seen[:6] {
		require.Equal(t, "sale", e.Ref)
	}
	require.Equal(t, "part", r.seen[6].Ref)
	require.Equal(t, "000000000001", r.seen[6].Of.RRN)
	require.Equal(t, Accepted, stateOf(t, q, "part"))
	require.NoError(t, q.Verify(bg))
}

// What is refunded of a sale that comes to nothing is not sent.
func TestRefundOfNothing(t *testing.T) {
	q := openNew(t, fast)
	withdrawn, err := q.Append(bg, offlineSale("withdrawn"))
	require.NoError(t, err)
	_, err = q.Append(bg, refundOf("first", withdrawn, 250))
	require.NoError(t, err)
	_, err = q.Reverse(bg, withdrawn.ID)
	require.NoError(t, err)
	refused, err := q.Append(bg, offlineSale("refused"))
	require.NoError(t, err)
	_, err = q.Append(bg, refundOf("second", refused, 1250))
	require.NoError(t, err)
	var r recorder
	up := uplink{send: r.through(answering(Refused, "30").send)}
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.Len(t, r.seen, 1)
	require.Equal(t, Cancelled, stateOf(t, q, "first"))
	require.Equal(t, Pending, stateOf(t, q, "second"), "a person decides about the sale first")
	require.NoError(t, q.Resolve(bg, refused.ID, Answer{Verdict: Refused}, "Li", "the host does not take it"))
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.Len(t, r.seen, 1)
	require.Equal(t, Cancelled, stateOf(t, q, "second"))
	e, err := q.Get(bg, refused.ID)
	require.NoError(t, err)
	require.Zero(t, e.Refunded)
	b, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	require.NoError(t, q.SettleBatch(bg, b))
	require.NoError(t, q.Verify(bg))
}

// Undoing a sale that was sent, and whose answer is not there, refunds it behind
// that answer; a crash in between changes nothing.
func TestReverseOfAnAdviceInDoubt(t *testing.T) {
	q := openNew(t, fast)
	sold, err := q.Append(bg, offlineSale("sale"))
	require.NoError(t, err)
	_, err = q.Append(bg, refundOf("part", sold, 250))
	require.NoError(t, err)
	once(t, q, uplink{send: silent})
	require.Equal(t, InDoubt, stateOf(t, q, "sale"))
	back, err := q.Reverse(bg, sold.ID)
	require.NoError(t, err)
	require.Equal(t, Refund, back.Op)
	require.EqualValues(t, 1000, back.Amount.Minor)
	again, err := q.Reverse(bg, sold.ID)
	require.NoError(t, err)
	require.Equal(t, back.ID, again.ID)
	q = crashed(t, q, fast)
	require.NoError(t, q.Drain(bg, cardLane, newOneHost(7)))
	for _, ref := range []string{"sale", "part", "refund of entry 1"} {
		require.Equal(t, Accepted, stateOf(t, q, ref))
	}
	e, err := q.Get(bg, sold.ID)
	require.NoError(t, err)
	require.EqualValues(t, 1250, e.Refunded)
	require.NoError(t, q.Verify(bg))
}

// On a copy and on the device that it was made of a waiting refund has one
// effect, behind its sale.
func TestRefundThatWaitsOnTwoDevices(t *testing.T) {
	o := Options{RetryMin: 1, RetryMax: 2, Unsealed: true}
	q := openNew(t, o)
	h := newOneHost(7)
	_, err := q.Do(bg, h, cardSale("met"))
	require.NoError(t, err)
	sold, err := q.Append(bg, offlineSale("sale"))
	require.NoError(t, err)
	_, err = q.Append(bg, refundOf("refund", sold, 1250))
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, q.Backup(bg, &b))
	second, err := Restore(bg, filepath.Join(t.TempDir(), "copy"), &b, nil, &o)
	require.NoError(t, err)
	defer func() { _ = second.Close() }()
	for _, d := range []*Queue{q, second} {
		require.NoError(t, d.Drain(bg, cardLane, h))
		require.Equal(t, Accepted, stateOf(t, d, "sale"))
		require.Equal(t, Accepted, stateOf(t, d, "refund"))
		require.NoError(t, d.Verify(bg))
	}
	for _, b := range h.ledger {
		require.Equal(t, 1, b.effects, b.ref)
	}
}

// The host goes on to another number while two batches wait for their
// settlement: a sale of the first moves on, and its refund in the second goes
// with it. Otherwise the second could not be settled before the sale's batch, nor
// that go out before the second is settled.
func TestRefundCatchesUpWithItsSale(t *testing.T) {
	q := openNew(t, fast)
	host := uint32(1)
	_, err := q.Do(bg, numbered(approve, &host), cardSale("met"))
	require.NoError(t, err)
	sold, err := q.Append(bg, offlineSale("sale"))
	require.NoError(t, err)
	first, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	_, err = q.Append(bg, refundOf("refund", sold, 250))
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("another"))
	require.NoError(t, err)
	second, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	host = 2
	q = crashed(t, q, fast)
	require.NoError(t, q.Drain(bg, cardLane, numbered(approve, &host)))
	require.NoError(t, q.SettleBatch(bg, first))
	require.NoError(t, q.Drain(bg, cardLane, numbered(approve, &host)))
	require.NoError(t, q.SettleBatch(bg, second))
	host = 3
	require.NoError(t, q.Drain(bg, cardLane, numbered(approve, &host)))
	for _, ref := range []string{"sale", "refund", "another"} {
		require.Equal(t, Accepted, stateOf(t, q, ref), ref)
	}
	require.NoError(t, q.Verify(bg))
}
