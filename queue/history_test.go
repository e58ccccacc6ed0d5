package queue

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// An auditor reads what became of an entry, who decided and why, and when by the
// device's clocks; compacting leaves what hosts and persons said.
func TestHistory(t *testing.T) {
	q := openNew(t, fast)
	for i := range 100 { // more than a page of events
		_, err := q.Append(bg, cashSale(fmt.Sprint("cash", i)))
		require.NoError(t, err)
	}
	require.NoError(t, q.Drain(bg, cashLane, uplink{send: approve}))
	e, err := q.Append(bg, offlineSale("s"))
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cardLane, answering(Refused, "30")))
	require.NoError(t, q.Unpark(bg, e.ID, "Li", "the merchant is set up now"))
	require.NoError(t, q.Drain(bg, cardLane, answering(Refused, "30")))
	require.NoError(t, q.Resolve(bg, e.ID, Answer{Verdict: Approved, Code: "00"}, "Wang", "booked by telephone"))
	compacted := false
	tell := func(id ID) (out []string) {
		last := uint64(0)
		for h, err := range q.History(bg, id) {
			require.NoError(t, err)
			if h.N != 0 {
				require.Greater(t, h.N, last)
				last = h.N
			}
			out = append(out, fmt.Sprint(h.What, " ", h.Answer.Code, " ", h.Who))
			require.False(t, h.At.IsZero())
			if !compacted {
				require.EqualValues(t, 1, h.Boot)
				require.Positive(t, h.SinceBoot)
			}
		}
		return out
	}
	require.Equal(t, []string{"appended  ", "attempted  ", "answered 30 ", "unparked  Li", "attempted  ", "answered 30 ", "resolved 00 Wang"}, tell(e.ID))
	everything := tell(0)
	require.Equal(t, "clock  ", everything[0])
	require.Len(t, everything, 1+2+3*100+7)
	for range q.History(bg, 0) {
		_, err := q.Append(bg, cashSale("written while it is read"))
		require.NoError(t, err)
		break
	}

	moved, err := q.Append(bg, offlineSale("m"))
	require.NoError(t, err)
	_, err = q.Move(bg, moved.ID, otherLane, "plan b", "the first host is away")
	require.NoError(t, err)

	b, err := q.CloseBatch(bg, cashLane)
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cashLane, uplink{send: approve}))
	require.NoError(t, q.SettleBatch(bg, b))
	require.NoError(t, q.Prune(bg, b))
	require.NoError(t, q.Compact(bg))
	compacted = true
	var said []string
	for _, s := range tell(e.ID) {
		if s != "kept 00 " {
			said = append(said, s)
		}
	}
	require.Equal(t, []string{"answered 30 ", "unparked  Li", "answered 30 ", "resolved 00 Wang"}, said)
	require.Contains(t, tell(moved.ID), "moved to another lane  plan b")
	require.NoError(t, q.Close())
	for _, err := range q.History(bg, 0) {
		require.ErrorIs(t, err, ErrClosed)
	}
}
