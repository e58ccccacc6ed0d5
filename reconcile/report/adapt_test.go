package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
	"github.com/tallystick/tallystick/reconcile/custody"
)

func TestAddIncomplete(t *testing.T) {
	e := queue.Entry{ID: 5, State: queue.Accepted, Transaction: sale("a", queue.CardTender, 100)}
	held := reconcile.HostEntry{Stands: true, Op: queue.Refund, Amount: cny(70), Ref: "other", STAN: 9, Lane: lane}
	r := New("", made)
	r.AddIncomplete(reconcile.Incompleteness{Omitted: 3, Lines: []reconcile.Unfinished{
		{Problem: reconcile.NeverSent, ID: 1, Entry: e},
		{Problem: reconcile.Missing, ID: 5, Entry: e, Now: queue.Accepted, Mended: true},
		{Problem: reconcile.Doubtful, ID: 6, Entry: e, Now: queue.Reversed, Mended: true},
		{Problem: reconcile.Missing, ID: 5, Entry: e, Now: queue.Accepted},
		{Problem: reconcile.OtherAmount, ID: 5, Entry: e, Now: queue.Accepted, Held: []reconcile.HostEntry{{}, held}},
		{Problem: reconcile.Foreign, ID: 7, To: 9, Held: []reconcile.HostEntry{held}},
	}})
	require.Equal(t, 3, r.More)
	require.Equal(t, []Finding{Mended, MissingThere, AmountDiffers, MissingHere}, []Finding{r.Lines[0].Finding, r.Lines[1].Finding,
		r.Lines[2].Finding, r.Lines[3].Finding})
	require.Equal(t, []queue.Money{cny(100), cny(-70)}, []queue.Money{r.Lines[2].Here, r.Lines[2].There})
	require.Equal(t, Line{Finding: MissingHere, Entry: 7, Ref: "other", Terminal: lane.Terminal, STAN: 9, There: cny(-70), Detail: "7–9"}, r.Lines[3])
	for p := reconcile.Missing; p <= reconcile.Foreign; p++ {
		require.NotZero(t, problems[p], p)
	}
}

func TestAddCustody(t *testing.T) {
	r := New("", made)
	paid := queue.Entry{ID: 3, Transaction: sale("cod/SF1/1/1", queue.Cash, 100)}
	r.AddParcel(custody.Parcel{Waybill: "SF1", State: custody.Collected, Due: cny(100), Paid: 100})
	r.AddParcel(custody.Parcel{Waybill: "SF2", State: custody.Overpaid, Due: cny(100), Paid: 200, Payments: []queue.Entry{paid}})
	r.AddConflict(custody.Conflict{Waybill: "SF3", Holder: [16]byte{0xab}})
	r.AddConflict(custody.Conflict{Waybill: "SF4", Holder: [16]byte{0xab}, Paid: 100, Payments: []queue.Entry{paid}})
	h := custody.HandOver{Batch: queue.BatchID{Lane: lane, N: 1}, Expected: cny(100), Counted: 100, Time: time.Now()}
	r.AddHandOver(h)
	h.Counted, h.Reason = 90, "a coin was missing"
	r.AddHandOver(h)
	require.Len(t, r.Lines, 3)
	require.Equal(t, []string{"SF2", "SF4", h.Batch.String()}, []string{r.Lines[0].Ref, r.Lines[1].Ref, r.Lines[2].Ref})
	require.Equal(t, []queue.Money{cny(200), cny(100)}, []queue.Money{r.Lines[0].Here, r.Lines[0].There})
	require.Contains(t, r.Lines[1].Detail, "ab000000")
	require.Equal(t, []queue.Money{cny(100), cny(90)}, []queue.Money{r.Lines[2].Here, r.Lines[2].There})
	require.False(t, r.Agrees())
}
