package queue

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Undoing a sale again after its refund was withdrawn, or after another refund
// was, journals a refund of what is left: the cancelled one is never given as
// the answer.
func TestReverseBehindAWithdrawnRefund(t *testing.T) {
	q := openNew(t, fast)
	sold, err := q.Append(bg, offlineSale("sale"))
	require.NoError(t, err)
	part, err := q.Append(bg, refundOf("part", sold, 250))
	require.NoError(t, err)
	once(t, q, uplink{send: silent})
	first, err := q.Reverse(bg, sold.ID)
	require.NoError(t, err)
	require.True(t, first.Card.Track2.IsZero(), "the tracks go with the sale's answer")
	require.False(t, first.Card.PAN.IsZero())
	_, err = q.Reverse(bg, first.ID)
	require.NoError(t, err)
	second, err := q.Reverse(bg, sold.ID)
	require.NoError(t, err)
	require.Equal(t, Pending, second.State)
	require.EqualValues(t, 1000, second.Amount.Minor)
	_, err = q.Reverse(bg, part.ID)
	require.NoError(t, err)
	third, err := q.Reverse(bg, sold.ID)
	require.NoError(t, err)
	require.EqualValues(t, 250, third.Amount.Minor)
	same, err := q.Reverse(bg, sold.ID)
	require.NoError(t, err)
	require.Equal(t, second.ID, same.ID, "it left nothing but what the third takes")
	h := newOneHost(7)
	require.NoError(t, q.Drain(bg, cardLane, h))
	e, err := q.Get(bg, sold.ID)
	require.NoError(t, err)
	require.Equal(t, e.Amount.Minor, e.Refunded)
	require.NoError(t, q.Verify(bg))
}

// The ref that Reverse gives a refund holds the number of its sale here: that of
// an imported one is not taken for it, and does not keep it out.
func TestImportedRefundsHaveRefsOfTheirOwn(t *testing.T) {
	other := cardLane
	other.Terminal = "10000002"
	doubtful := func(lane Lane, prefix string) (*Queue, Entry) {
		q := openNew(t, fast)
		for _, ref := range []string{"first", "sale"} {
			s := offlineSale(prefix + ref)
			s.Lane = lane
			_, err := q.Append(bg, s)
			require.NoError(t, err)
		}
		ctx, cancel := context.WithCancel(bg)
		defer cancel()
		_ = q.Drain(ctx, lane, windowed{uplink{
			prepare: func(context.Context) (Line, error) { return Line{HostBatch: 7}, nil },
			send: func(ctx context.Context, e Entry) (Answer, error) {
				if e.ID == 1 {
					return approve(ctx, e)
				}
				cancel()
				return silent(ctx, e)
			},
		}, 1})
		e, err := q.ByRef(bg, prefix+"sale")
		require.NoError(t, err)
		require.Equal(t, InDoubt, e.State)
		return q, e
	}
	a, theirs := doubtful(other, "a ")
	b, mine := doubtful(cardLane, "b ")
	require.Equal(t, theirs.ID, mine.ID)
	back, err := a.Reverse(bg, theirs.ID)
	require.NoError(t, err)
	var out bytes.Buffer
	_, err = a.Export(bg, &out)
	require.NoError(t, err)
	did, err := b.Import(bg, from(out.Bytes()))
	require.NoError(t, err)
	require.Empty(t, did.Conflicts)
	own, err := b.Reverse(bg, mine.ID)
	require.NoError(t, err)
	require.Equal(t, mine.ID, own.Original)
	did, err = b.Import(bg, from(out.Bytes()))
	require.NoError(t, err)
	require.Empty(t, did.Conflicts)
	for e, err := range b.All(bg, Filter{}) {
		require.NoError(t, err)
		if e.Origin.ID == back.ID {
			require.Equal(t, a.Digest(back), b.Digest(e))
		}
	}
	out.Reset()
	_, err = b.Export(bg, &out)
	require.NoError(t, err)
	did, err = a.Import(bg, from(out.Bytes()))
	require.NoError(t, err)
	require.Empty(t, did.Conflicts, "what comes home is known")
	require.NoError(t, a.Verify(bg))
	require.NoError(t, b.Verify(bg))
}

// What a host has another transaction for is not sent again: it would answer
// for that one, and the payment would count as delivered.
func TestUnparkOfAnotherTransactionsNumber(t *testing.T) {
	q := openNew(t, fast)
	_, err := q.Append(bg, offlineSale("sale"))
	require.NoError(t, err)
	up := answering(Duplicate, "94")
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.Equal(t, Parked, stateOf(t, q, "sale"))
	require.ErrorIs(t, q.Unpark(bg, 1, "Li", "again"), ErrState)
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.Equal(t, Parked, stateOf(t, q, "sale"))
	require.NoError(t, q.Resolve(bg, 1, Answer{Verdict: Refused}, "Li", "the host has another sale there"))
	require.NoError(t, q.Verify(bg))
}

// A backup binds what waits to the host's batch number. An attempt that never
// left does not unbind it: the lane is not held up once the host goes on, and
// the copy tells the host the same.
func TestUnsentBehindABackup(t *testing.T) {
	q := openNew(t, fast)
	h := newOneHost(7)
	_, err := q.Do(bg, h, cardSale("met"))
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("sale"))
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, q.Backup(bg, &b))
	once(t, q, uplink{prepare: h.Prepare, send: func(context.Context, Entry) (Answer, error) { return Answer{}, ErrNotSent }})
	require.Equal(t, Pending, stateOf(t, q, "sale"))
	h.batch = 8
	_, err = q.Do(bg, h, cardSale("later"))
	require.NoError(t, err)
	once(t, q, uplink{prepare: h.Prepare, send: h.Send})
	require.Equal(t, Accepted, stateOf(t, q, "sale"))
	copyGoesOn(t, &b, h)
	require.NoError(t, q.Verify(bg))
}

// copyGoesOn delivers from a restored copy, too: the sale has one effect.
func copyGoesOn(t *testing.T, backup *bytes.Buffer, h *oneHost) {
	second, err := Restore(bg, filepath.Join(t.TempDir(), "copy"), backup, nil, &Options{RetryMin: 1, RetryMax: 2, Unsealed: true})
	require.NoError(t, err)
	defer func() { _ = second.Close() }()
	require.NoError(t, second.Drain(bg, cardLane, h))
	require.Equal(t, 1, h.standing(t)["sale"])
}

// So it is with an attempt that is under way when the backup is made: unsent, it
// still keeps the number that the copy has it under.
func TestUnsentWhileABackupIsMade(t *testing.T) {
	q := openNew(t, fast)
	h := newOneHost(7)
	_, err := q.Do(bg, h, cardSale("met"))
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("sale"))
	require.NoError(t, err)
	var b bytes.Buffer
	once(t, q, uplink{prepare: h.Prepare, send: func(context.Context, Entry) (Answer, error) {
		require.NoError(t, q.Backup(bg, &b))
		return Answer{}, ErrNotSent
	}})
	require.Equal(t, Pending, stateOf(t, q, "sale"))
	h.batch = 8
	require.NoError(t, q.Drain(bg, cardLane, h))
	copyGoesOn(t, &b, h)
	require.NoError(t, q.Verify(bg))
}

// An attempt is under way while the host goes on to another number, and proves
// unsent: a backup made then binds it to the batch that it can still go out in.
func TestUnsentAcrossBatchesBeforeABackup(t *testing.T) {
	q := openNew(t, fast)
	h := newOneHost(7)
	_, err := q.Do(bg, h, cardSale("met"))
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("sale"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	_ = q.Drain(ctx, cardLane, uplink{prepare: h.Prepare, send: func(context.Context, Entry) (Answer, error) {
		defer cancel()
		h.mu.Lock()
		h.batch = 8
		h.mu.Unlock()
		_, err := q.Do(bg, windowed{uplink{prepare: h.Prepare, send: h.Send}, 2}, cardSale("live"))
		return Answer{}, errors.Join(ErrNotSent, err)
	}})
	require.Equal(t, Pending, stateOf(t, q, "sale"))
	var b bytes.Buffer
	require.NoError(t, q.Backup(bg, &b))
	once(t, q, uplink{prepare: h.Prepare, send: h.Send})
	require.Equal(t, Accepted, stateOf(t, q, "sale"))
	copyGoesOn(t, &b, h)
	require.NoError(t, q.Verify(bg))
}
