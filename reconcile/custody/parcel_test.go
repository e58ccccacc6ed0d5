package custody

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

func TestCollectInParts(t *testing.T) {
	b, q := device(t, nil)
	take(t, b, 10000)
	p, err := b.Collect(bg, waybill, cash(2500), nil)
	require.NoError(t, err)
	require.Equal(t, PartlyPaid, p.State)
	require.EqualValues(t, 7500, p.Left())
	p, err = b.Collect(bg, waybill, card(5000), online(q, host{queue.Refused}))
	require.NoError(t, err)
	require.EqualValues(t, 7500, p.Left(), "a declined card pays nothing")
	p, err = b.Collect(bg, waybill, card(5000), online(q, host{queue.Approved}))
	require.NoError(t, err)
	require.EqualValues(t, 2500, p.Left())
	_, err = b.Collect(bg, waybill, cash(2501), nil)
	require.ErrorIs(t, err, ErrAmount)
	qr := queue.Transaction{Lane: cards, Tender: queue.QR, Amount: cny(2500), Card: queue.Card{PayCode: queue.NewSecret("6200000000000000018")}}
	p, err = b.Collect(bg, waybill, qr, online(q, host{queue.Approved}))
	require.NoError(t, err)
	require.Equal(t, Collected, p.State)
	require.EqualValues(t, 10000, p.Paid)
	require.Len(t, p.Payments, 4)
	_, err = b.Collect(bg, waybill, cash(1), nil)
	require.ErrorIs(t, err, ErrCollected)

	// The depot is told of what other hosts got, and of nothing else.
	notes := 0
	for e, err := range q.All(bg, queue.Filter{Lane: depot}) {
		require.NoError(t, err)
		if _, ok := WaybillOf(e.Data); ok && e.Kind == queue.Notice {
			notes++
		}
	}
	require.Equal(t, 2, notes)
}

// What is paid stays paid when the device is started anew.
func TestCollectedOnceAfterRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	q := journal(t, path)
	b, err := New(q, Options{Depot: depot})
	require.NoError(t, err)
	take(t, b, 100)
	_, err = b.Collect(bg, waybill, cash(100), nil)
	require.NoError(t, err)
	require.NoError(t, q.Close())
	b, err = New(journal(t, path), Options{Depot: depot})
	require.NoError(t, err)
	_, err = b.Collect(bg, waybill, cash(100), nil)
	require.ErrorIs(t, err, ErrCollected)
	p, err := b.Parcel(bg, waybill)
	require.NoError(t, err)
	require.Equal(t, Collected, p.State)
}

// Two books of one journal know nothing of each other: the ref keeps the waybill
// from being collected twice, and the second is told.
func TestCollectedOnceByTheRef(t *testing.T) {
	b, q := device(t, nil)
	other, err := New(q, Options{Depot: depot})
	require.NoError(t, err)
	take(t, b, 100)
	p, err := b.Collect(bg, waybill, cash(100), func(ctx context.Context, tr queue.Transaction) (queue.Entry, error) {
		_, err := other.Collect(ctx, waybill, cash(100), nil)
		require.NoError(t, err)
		return q.Append(ctx, tr)
	})
	require.ErrorIs(t, err, queue.ErrConflict)
	require.EqualValues(t, 100, p.Paid)
	require.Len(t, p.Payments, 1)
}

func TestCollectConcurrently(t *testing.T) {
	b, _ := device(t, nil)
	take(t, b, 100)
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if _, err := b.Collect(bg, waybill, cash(100), nil); err == nil {
				taken.Add(1)
			} else if !errors.Is(err, ErrUnderWay) && !errors.Is(err, ErrCollected) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.EqualValues(t, 1, taken.Load())
	p, err := b.Parcel(bg, waybill)
	require.NoError(t, err)
	require.EqualValues(t, 100, p.Paid)
}

// A request in doubt is not paid: the customer pays otherwise.
func TestCollectAfterDoubt(t *testing.T) {
	b, q := device(t, nil)
	take(t, b, 100)
	p, err := b.Collect(bg, waybill, card(100), online(q, host{}))
	require.ErrorIs(t, err, queue.ErrInDoubt)
	require.Equal(t, Open, p.State)
	p, err = b.Collect(bg, waybill, cash(100), nil)
	require.NoError(t, err)
	require.Equal(t, Collected, p.State)
	require.NoError(t, q.Drain(bg, cards, host{})) // the reversal is never answered: both are parked
	p, err = b.Parcel(bg, waybill)
	require.NoError(t, err)
	require.Equal(t, queue.Parked, p.Payments[0].State)
	require.Equal(t, Collected, p.State)
}

// A restored journal does not know how a request that was under way ended. When
// it was paid after all, beside the cash, the parcel says that too much was
// taken.
func TestOverpaid(t *testing.T) {
	first, q := device(t, nil)
	take(t, first, 100)
	c := &copied{q: q}
	_, err := first.Collect(bg, waybill, card(100), online(q, c))
	require.ErrorIs(t, err, queue.ErrInDoubt)
	restored, err := queue.Restore(bg, filepath.Join(t.TempDir(), "copy"), &c.backup, nil, &queue.Options{Unsealed: true})
	require.NoError(t, err)
	defer restored.Close()
	b, err := New(restored, Options{Depot: depot})
	require.NoError(t, err)
	p, err := b.Collect(bg, waybill, cash(100), nil)
	require.NoError(t, err)
	require.Equal(t, Collected, p.State)
	require.Equal(t, queue.Parked, p.Payments[0].State)
	require.NoError(t, restored.Resolve(bg, p.Payments[0].ID, queue.Answer{Verdict: queue.Approved}, "clerk", "the acquirer has it"))
	p, err = b.Parcel(bg, waybill)
	require.NoError(t, err)
	require.Equal(t, Overpaid, p.State)
	require.EqualValues(t, 200, p.Paid)
	require.Zero(t, p.Left())
	_, err = b.Collect(bg, waybill, cash(1), nil)
	require.ErrorIs(t, err, ErrCollected)
}

// A payment that has not left the device may still be taken: no other one
// beside it.
func TestCollectUnsent(t *testing.T) {
	b, q := device(t, nil)
	take(t, b, 100)
	p, err := b.Collect(bg, waybill, card(100), online(q, unsent{}))
	require.ErrorIs(t, err, queue.ErrNotSent)
	require.Equal(t, Open, p.State)
	_, err = b.Collect(bg, waybill, cash(100), nil)
	require.ErrorIs(t, err, ErrUnderWay)
	_, err = b.Refuse(bg, waybill, "not at home")
	require.ErrorIs(t, err, ErrUnderWay)
	_, err = q.TakeOffline(bg, p.Payments[0].ID, "Y1")
	require.NoError(t, err)
	p, err = b.Parcel(bg, waybill)
	require.NoError(t, err)
	require.Equal(t, Collected, p.State)
}

func TestVoidAndRefundOpenAgain(t *testing.T) {
	b, q := device(t, nil)
	take(t, b, 100)
	p, err := b.Collect(bg, waybill, card(100), online(q, host{queue.Approved}))
	require.NoError(t, err)
	_, err = b.Refuse(bg, waybill, "damaged")
	require.ErrorIs(t, err, ErrState, "what is paid cannot be refused")
	_, err = b.Return(bg, waybill, "damaged")
	require.ErrorIs(t, err, ErrState)
	_, err = q.Reverse(bg, p.Payments[0].ID)
	require.NoError(t, err)
	p, err = b.Parcel(bg, waybill)
	require.NoError(t, err)
	require.Equal(t, Collected, p.State, "the void is not answered yet")
	require.NoError(t, q.Drain(bg, cards, host{queue.Approved}))
	p, err = b.Parcel(bg, waybill)
	require.NoError(t, err)
	require.Equal(t, Open, p.State)
	p, err = b.Collect(bg, waybill, card(100), online(q, host{queue.Approved}))
	require.NoError(t, err)
	_, err = q.Append(bg, queue.Transaction{Ref: "refund", Lane: cards, Op: queue.Refund, Amount: cny(40), Original: p.Payments[1].ID})
	require.NoError(t, err)
	p, err = b.Parcel(bg, waybill)
	require.NoError(t, err)
	require.Equal(t, PartlyPaid, p.State)
	require.EqualValues(t, 60, p.Paid)
}

func TestRefuseAndReturn(t *testing.T) {
	o := newOffice()
	b, _ := device(t, o)
	other, _ := device(t, o)
	take(t, b, 100)
	_, err := other.Take(bg, waybill, cny(100))
	var taken *TakenError
	require.ErrorAs(t, err, &taken)
	p, err := b.Refuse(bg, waybill, "not ordered")
	require.NoError(t, err)
	require.Equal(t, Refused, p.State)
	require.Equal(t, "not ordered", p.Reason)
	_, err = b.Collect(bg, waybill, cash(100), nil)
	require.ErrorIs(t, err, ErrState)
	for range 2 { // the same again changes nothing
		p, err = b.Return(bg, waybill, "back")
		require.NoError(t, err)
		require.Equal(t, Returned, p.State)
	}
	_, err = b.Collect(bg, waybill, cash(100), nil)
	require.ErrorIs(t, err, ErrState)
	p, err = other.Take(bg, waybill, cny(100)) // tomorrow, with another courier
	require.NoError(t, err)
	require.True(t, p.Claimed)
	_, err = b.Take(bg, waybill, cny(100))
	require.ErrorAs(t, err, &taken)
	_, err = other.Return(bg, waybill, "nobody there")
	require.NoError(t, err)
	p, err = b.Take(bg, waybill, cny(80)) // and again, with less due
	require.NoError(t, err)
	require.Equal(t, Parcel{Waybill: waybill, Round: 2, Due: cny(80), State: Open, Claimed: true, facts: facts{due: 80}}, p)
	p, err = b.Collect(bg, waybill, cash(80), nil)
	require.NoError(t, err)
	require.Equal(t, Collected, p.State)
}

// With a network the second device is told before it journals anything.
func TestSecondDeviceOnline(t *testing.T) {
	o := newOffice()
	first, _ := device(t, o)
	second, q := device(t, o)
	o.down = true // both took it out without a network, by whatever mistake
	take(t, first, 100)
	take(t, second, 100)
	o.down = false
	p, err := first.Collect(bg, waybill, cash(100), nil)
	require.NoError(t, err)
	require.True(t, p.Claimed)
	p, err = second.Collect(bg, waybill, card(100), online(q, host{queue.Approved}))
	var taken *TakenError
	require.ErrorAs(t, err, &taken)
	require.Equal(t, first.q.JournalID(), taken.Holder)
	require.Equal(t, opened, taken.Since)
	require.Empty(t, p.Payments)
}

// Without one both collect; the one that comes second to the office is told by
// Recheck.
func TestSecondDeviceOffline(t *testing.T) {
	o := newOffice()
	o.down = true
	first, _ := device(t, o)
	second, q := device(t, o)
	for _, b := range []*Book{first, second} {
		take(t, b, 100)
		p, err := b.Collect(bg, waybill, cash(100), nil)
		require.NoError(t, err)
		require.False(t, p.Claimed, "said honestly")
		_, err = b.Recheck(bg, time.Time{})
		require.Error(t, err, "nobody could be asked")
	}
	o.down = false
	conflicts, err := first.Recheck(bg, time.Time{})
	require.NoError(t, err)
	require.Empty(t, conflicts)
	for range 2 {
		conflicts, err = second.Recheck(bg, time.Time{})
		require.NoError(t, err)
		require.Len(t, conflicts, 1)
		require.Equal(t, first.q.JournalID(), conflicts[0].Holder)
		require.EqualValues(t, 100, conflicts[0].Paid)
	}
	conflicts, err = second.Recheck(bg, time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, conflicts)
	// What both journals upload names the waybill, so that the ledger sees it.
	e, err := q.ByRef(bg, payRef(waybill, 1, 1))
	require.NoError(t, err)
	w, ok := WaybillOf(e.Data)
	require.True(t, ok)
	require.Equal(t, waybill, w)
}

// A return without a network gives the waybill up later.
func TestRecheckReleases(t *testing.T) {
	o := newOffice()
	b, _ := device(t, o)
	take(t, b, 100)
	o.down = true
	_, err := b.Return(bg, waybill, "")
	require.NoError(t, err)
	require.Len(t, o.by, 1)
	o.down = false
	_, err = b.Recheck(bg, time.Time{})
	require.NoError(t, err)
	require.Empty(t, o.by)
	other, _ := device(t, o)
	take(t, other, 100)
	_, err = b.Recheck(bg, time.Time{})
	require.NoError(t, err, "what another one has out since is not this device's any more")
	require.Len(t, o.by, 1)
}

// The note of a payment that a crash kept from being made is made later.
func TestRecheckNotes(t *testing.T) {
	b, q := device(t, nil)
	take(t, b, 100)
	e, err := q.Do(bg, host{queue.Approved}, queue.Transaction{Ref: payRef(waybill, 1, 1), Lane: cards, Op: queue.Sale, Tender: queue.CardTender,
		Amount: cny(100), Data: payData{waybill: waybill, due: cny(100)}.encode()})
	require.NoError(t, err)
	for range 2 {
		_, err = b.Recheck(bg, time.Time{})
		require.NoError(t, err)
		note, err := q.ByRef(bg, noteRef(e.Ref))
		require.NoError(t, err)
		require.Equal(t, depot, note.Lane)
	}
}

func TestTake(t *testing.T) {
	b, _ := device(t, nil)
	_, err := b.Parcel(bg, waybill)
	require.ErrorIs(t, err, ErrUnknown)
	_, err = b.Collect(bg, waybill, cash(1), nil)
	require.ErrorIs(t, err, ErrUnknown)
	for range 2 {
		take(t, b, 100)
	}
	_, err = b.Take(bg, waybill, cny(99))
	require.ErrorIs(t, err, ErrState)
	_, err = b.Take(bg, waybill, cny(0))
	require.ErrorIs(t, err, ErrAmount)
	_, err = b.Collect(bg, waybill, queue.Transaction{Tender: queue.Cash, Amount: queue.Money{Minor: 100, Currency: queue.USD}}, nil)
	require.ErrorIs(t, err, ErrAmount)
	for _, bad := range []string{"", "a b", "a/b", "运单", "x\n", "123456789012345678901234567890123"} {
		_, err = b.Take(bg, bad, cny(1))
		require.ErrorIs(t, err, ErrWaybill, bad)
	}
	_, err = New(nil, Options{})
	require.Error(t, err)
}

// A parcel whose batch was pruned is known, and closed.
func TestPrunedParcel(t *testing.T) {
	b, q := device(t, nil)
	take(t, b, 100)
	_, err := b.Collect(bg, waybill, cash(100), nil)
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, depot, host{queue.Approved}))
	id, err := q.CloseBatch(bg, depot)
	require.NoError(t, err)
	require.NoError(t, q.SettleBatch(bg, id))
	require.NoError(t, q.Prune(bg, id))
	p, err := b.Parcel(bg, waybill)
	require.NoError(t, err)
	require.True(t, p.Pruned)
	_, err = b.Collect(bg, waybill, cash(100), nil)
	require.ErrorIs(t, err, ErrCollected)
	_, err = b.Take(bg, waybill, cny(100))
	require.ErrorIs(t, err, ErrState)
	_, err = b.Refuse(bg, waybill, "")
	require.ErrorIs(t, err, ErrState)
}
