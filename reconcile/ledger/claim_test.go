package ledger

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

func TestClaims(t *testing.T) {
	l := newLedger(t, OpenMemory(), &Options{Claims: func(data []byte) (string, bool) { return string(data), len(data) > 0 },
		Limits: Limits{Claims: 2}})
	mine, theirs := journalOf(1), journalOf(2)
	holder, since, err := l.Claim(bg, "till-1", mine, "parcel")
	require.NoError(t, err)
	require.EqualValues(t, mine, holder)
	require.Equal(t, noon, since)
	holder, _, err = l.Claim(bg, "till-2", theirs, "parcel")
	require.NoError(t, err)
	require.EqualValues(t, mine, holder)
	require.ErrorIs(t, l.Release(bg, "till-2", theirs, "parcel"), ErrTaken)
	_, _, err = l.Claim(bg, "till-2", mine, "other")
	require.ErrorIs(t, err, ErrForeign)
	require.NoError(t, l.Release(bg, "till-1", mine, "parcel"))
	require.NoError(t, l.Release(bg, "till-1", mine, "parcel"))
	holder, _, err = l.Claim(bg, "till-2", theirs, "parcel")
	require.NoError(t, err)
	require.EqualValues(t, theirs, holder)

	// Both have collected one parcel: both are booked, and both are told.
	paid := advice(1)
	paid.Data = []byte("waybill")
	require.NoError(t, submit(t, l, sub(mine, 1, paid)).Err)
	out, err := l.Submit(bg, "till-2", sub(theirs, 1, paid))
	require.NoError(t, err)
	require.NoError(t, out[0].Err)
	require.True(t, out[0].Booking.Counts())
	for _, pair := range [][2]wire.JournalID{{mine, theirs}, {theirs, mine}} {
		n := 0
		for c, err := range l.Conflicts(bg, pair[0]) {
			require.NoError(t, err)
			n++
			require.Equal(t, TwiceClaimed, c.Why)
			require.Equal(t, "waybill", c.Held)
			require.EqualValues(t, pair[0], c.Entry.Journal)
			require.EqualValues(t, pair[1], c.Against.Journal)
			require.Equal(t, "order-1", c.AgainstRef)
		}
		require.Equal(t, 1, n)
	}
	// So they are where the first one had claimed it before.
	paid.Seq, paid.STAN, paid.Ref, paid.Data = 2, 2, "order-2", []byte("claimed")
	_, _, err = l.Claim(bg, "till-2", theirs, "claimed")
	require.NoError(t, err)
	out, err = l.Submit(bg, "till-2", sub(theirs, 1, paid))
	require.NoError(t, err)
	require.NoError(t, out[0].Err)
	require.NoError(t, submit(t, l, sub(mine, 1, paid)).Err)
	for _, j := range []wire.JournalID{mine, theirs} {
		told := map[string]string{}
		for c, err := range l.Conflicts(bg, j) {
			require.NoError(t, err)
			told[c.Held] = c.AgainstRef
		}
		require.Equal(t, map[string]string{"waybill": "order-1", "claimed": "order-2"}, told)
	}
	require.NoError(t, l.Release(bg, "till-2", theirs, "claimed"))
	// One that has claimed it learns that another one was paid, before it is, too.
	paid.Seq, paid.STAN, paid.Ref, paid.Data = 3, 3, "order-3", []byte("late")
	_, _, err = l.Claim(bg, "till-2", theirs, "late")
	require.NoError(t, err)
	require.NoError(t, submit(t, l, sub(mine, 1, paid)).Err)
	for device, j := range map[string][2]wire.JournalID{"till-2": {theirs, mine}, "till-1": {mine, theirs}} {
		holder, _, err = l.Claim(bg, device, j[0], "late")
		require.NoError(t, err)
		require.EqualValues(t, j[1], holder)
	}
	out, err = l.Submit(bg, "till-2", sub(theirs, 1, paid))
	require.NoError(t, err)
	require.NoError(t, out[0].Err)
	for _, j := range []wire.JournalID{mine, theirs} {
		told := 0
		for c, err := range l.Conflicts(bg, j) {
			require.NoError(t, err)
			if c.Held == "late" {
				told++
			}
		}
		require.Equal(t, 1, told)
	}
	require.NoError(t, l.Release(bg, "till-2", theirs, "late"))
	var limit *LimitError
	for i := range 2 {
		_, _, err = l.Claim(bg, "till-1", mine, fmt.Sprint("p", i))
		require.NoError(t, err)
	}
	_, _, err = l.Claim(bg, "till-1", mine, "one too many")
	require.ErrorAs(t, err, &limit)
}

// What is paid is held for good, and no longer counts among the claims: a courier
// who claims some hundred parcels a day goes on being able to.
func TestPaidClaimsDoNotCount(t *testing.T) {
	l := newLedger(t, OpenMemory(), &Options{Claims: func(data []byte) (string, bool) { return string(data), len(data) > 0 },
		Limits: Limits{Claims: 2}})
	mine := journalOf(1)
	claim := func(name string) error {
		_, _, err := l.Claim(bg, "till-1", mine, name)
		return err
	}
	pay := func(seq queue.ID, name string) wire.Entry {
		paid := advice(seq)
		paid.Data = []byte(name)
		require.NoError(t, submit(t, l, sub(mine, 1, paid)).Err)
		return paid
	}
	var limit *LimitError
	require.NoError(t, claim("a"))
	require.NoError(t, claim("b"))
	require.ErrorAs(t, claim("c"), &limit)
	paid := pay(1, "a")
	require.NoError(t, claim("c"))
	require.ErrorAs(t, claim("d"), &limit)
	require.True(t, submit(t, l, sub(mine, 1, paid)).Repeat)
	require.ErrorAs(t, claim("d"), &limit, "a repeat frees nothing")
	pay(2, "e") // never claimed before
	require.NoError(t, l.Release(bg, "till-1", mine, "e"))
	require.NoError(t, l.Release(bg, "till-1", mine, "a"))
	require.ErrorAs(t, claim("d"), &limit, "nor does giving back what did not count")
	require.NoError(t, l.Release(bg, "till-1", mine, "b"))
	require.NoError(t, claim("d"))
}
