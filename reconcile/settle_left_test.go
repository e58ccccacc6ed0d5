package reconcile_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
	"github.com/tallystick/tallystick/reconcile"
)

// A host that ends a batch by itself, as at a cut-off, goes on under another
// number: ours is closed as superseded, sales go on, and it is settled all the
// same. What the host lacks of it it does not take any more, and it is named.
func TestSettleABatchThatTheHostLeft(t *testing.T) {
	for _, forgotten := range []bool{false, true} {
		s, err := host.Listen(host.Config{})
		require.NoError(t, err)
		served := make(chan error, 1)
		go func() { served <- s.Serve(context.Background()) }()
		q, err := queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true})
		require.NoError(t, err)
		tmk, err := codec.NewMasterKey(host.DefaultTMK())
		require.NoError(t, err)
		lane := queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}
		dial := func() *isolink.Link {
			l, err := isolink.New(lane, isolink.TCP(s.Addr().String()), q, tmk, nil)
			require.NoError(t, err)
			return l
		}
		sell := func(l *isolink.Link, ref string) {
			e, err := q.Do(context.Background(), l, queue.Transaction{Ref: ref, Lane: lane, Op: queue.Sale, Tender: queue.CardTender, EntryMode: "051",
				Amount: queue.Money{Minor: 100, Currency: queue.CNY}, Card: queue.Card{PAN: queue.NewSecret("6216261000000000018"), Expiry: queue.NewSecret("3012")}})
			require.NoError(t, err)
			require.Equal(t, queue.Accepted, e.State)
		}
		link := dial()
		sell(link, "first")
		if forgotten {
			require.NoError(t, s.SetMischief(host.Mischief{Forget: 1}))
		}
		sell(link, "second")
		require.NoError(t, s.SetMischief(host.Mischief{}))
		left := queue.BatchID{Lane: lane, N: 1}
		b, err := q.Batch(context.Background(), left)
		require.NoError(t, err)
		// What the host does by itself another hand has to do here.
		_, _, err = link.SendTotals(context.Background(), b, queue.Totals{Currency: queue.CNY, Inland: queue.Sums{DebitCount: 2, Debit: 200}})
		require.NoError(t, err)
		_, err = link.EndBatch(context.Background(), b, !forgotten, 2)
		require.NoError(t, err)
		require.NoError(t, link.Close())

		link = dial()
		sell(link, "third")
		b, err = q.Batch(context.Background(), left)
		require.NoError(t, err)
		require.Equal(t, queue.BatchClosed, b.State)
		require.True(t, b.Superseded)
		r, err := reconcile.Settle(context.Background(), q, left, link)
		if forgotten {
			var out *reconcile.OutOfBalanceError
			require.ErrorAs(t, err, &out)
			require.Equal(t, []queue.ID{2}, out.Different)
		} else {
			require.NoError(t, err)
			require.True(t, r.Balanced)
		}
		require.Equal(t, 2, r.Records)
		b, err = q.Batch(context.Background(), left)
		require.NoError(t, err)
		require.Equal(t, queue.BatchSettled, b.State)
		sell(link, "fourth")
		require.NoError(t, link.Close())
		require.NoError(t, q.Close())
		require.NoError(t, s.Close())
		require.NoError(t, <-served)
	}
}
