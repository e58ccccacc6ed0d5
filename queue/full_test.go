package queue

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// A file that new sales have filled takes the answers and reversals of all that
// waits, the settlement, and what makes room.
func TestForwardingGoesOnInAFullFile(t *testing.T) {
	o := fast
	o.MaxSize = 2 << 20
	q := openNew(t, o)
	e, err := q.Do(bg, uplink{send: approve}, cardSale("voided later"))
	require.NoError(t, err)
	_, err = q.Do(bg, uplink{send: silent}, cardSale("silent"))
	require.ErrorIs(t, err, ErrInDoubt)
	big := func(i int) Transaction {
		s := offlineSale(fmt.Sprint("offline ", i))
		s.Data = make([]byte, 4096)
		return s
	}
	taken := 0
	for err = nil; err == nil; taken++ {
		_, err = q.Append(bg, big(taken))
	}
	require.ErrorIs(t, err, ErrFull)
	require.Greater(t, taken, 40)
	_, err = q.ByRef(bg, big(taken-1).Ref)
	require.ErrorIs(t, err, ErrNotFound, "nothing of what was refused is kept")

	_, err = q.Do(bg, uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
		require.Equal(t, Reversal, e.Kind, "a request that cannot be journalled is not sent")
		return approve(ctx, e)
	}}, cardSale("online"))
	require.ErrorIs(t, err, ErrFull)

	tries := 0
	hesitant := uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
		if tries++; tries%3 == 0 {
			return silent(ctx, e)
		}
		return approve(ctx, e)
	}}
	require.NoError(t, q.Drain(bg, cardLane, hesitant))
	require.Empty(t, all(t, q, Filter{States: []State{Pending, InDoubt}}))
	require.Equal(t, Reversed, stateOf(t, q, "silent"))
	e, err = q.Get(bg, e.ID)
	require.NoError(t, err)
	require.Equal(t, Accepted, e.State)
	require.NoError(t, q.Verify(bg))

	b, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	require.NoError(t, q.SettleBatch(bg, b))
	require.NoError(t, q.Prune(bg, b))
	require.NoError(t, q.Compact(bg))
	for i := range 40 {
		_, err = q.Append(bg, big(1000+i))
		require.NoError(t, err, "settling, pruning and compacting make room")
	}
	require.NoError(t, q.Verify(bg))
}
