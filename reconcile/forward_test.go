package reconcile

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

// eachBatch is a host whose ledger begins anew with each batch.
type eachBatch struct{ *ledgerHost }

func (h eachBatch) EndBatch(ctx context.Context, b queue.Batch, balanced bool, n int) (queue.Answer, error) {
	a, err := h.ledgerHost.EndBatch(ctx, b, balanced, n)
	clear(h.booked)
	clear(h.credits)
	return a, err
}

// Forward settles at the host's limit and goes on in the next batch.
func TestForwardSettlesAtTheLimit(t *testing.T) {
	q, err := queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true, RetryMin: 1, RetryMax: 2, BatchLimit: 4})
	require.NoError(t, err)
	defer q.Close()
	for i := range 10 {
		_, err := q.Append(bg, sale(fmt.Sprint(i), 100))
		require.NoError(t, err)
	}
	ctx, cancel := context.WithCancel(bg)
	var records []int
	err = Forward(ctx, q, lane, eachBatch{newHost()}, func(r Result, err error) {
		require.NoError(t, err)
		require.True(t, r.Balanced)
		if records = append(records, r.Records); len(records) == 2 {
			cancel()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []int{4, 4}, records)
	require.NoError(t, q.Verify(bg))
}
