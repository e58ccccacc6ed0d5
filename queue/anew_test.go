package queue

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A sale at risk whose issuer is away is presented anew ever more seldom, and
// holds up nothing behind it. Once the issuer is back it is accepted.
func TestASaleAtRiskIsPresentedEverMoreSeldom(t *testing.T) {
	for name, refuse := range map[string]Answer{
		"unavailable": {Verdict: Unavailable, Code: "91"},
		"in part":     {Verdict: Partial, Code: "10", Approved: Money{100, CNY}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := openNew(t, Options{})
				defer q.Close()
				var presented atomic.Int32
				var back atomic.Bool
				up := uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
					if e.Kind != Request || back.Load() {
						return approve(ctx, e)
					}
					presented.Add(1)
					return refuse, nil
				}}
				mustAppend(t, q, offlineSale("before"))
				_, err := q.AppendAtRisk(bg, cardSale("risk"))
				require.NoError(t, err)
				mustAppend(t, q, offlineSale("behind"))
				stop := forwarding(t, q, cardLane, up)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				require.Equal(t, Accepted, stateOf(t, q, "behind"))
				require.Equal(t, Accepted, stateOf(t, q, "before"))
				require.Equal(t, PaceBudget, paceOf(t, q, cardLane).Why)
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				require.InDelta(t, 200, presented.Load(), 60) // each ten minutes, or a little sooner
				mustAppend(t, q, offlineSale("fresh"))
				synctest.Wait()
				require.Equal(t, Accepted, stateOf(t, q, "fresh"), "what is new does not wait for it")

				back.Store(true)
				time.Sleep(11 * time.Minute)
				synctest.Wait()
				require.Equal(t, Accepted, stateOf(t, q, "risk"))
				stop()
				require.NoError(t, q.Verify(bg))
			})
		})
	}
}

// A void that Forward sends to a host which wants a sign-in first goes once more
// behind it, and where the host goes on wanting it, ever more seldom.
func TestAForwardedVoidOutlivesASignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		defer q.Close()
		sale, err := q.Do(bg, uplink{send: approve}, cardSale("s"))
		require.NoError(t, err)
		var voids atomic.Int32
		var signedIn atomic.Bool
		up := uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
			if e.Op != Void || signedIn.Load() {
				return approve(ctx, e)
			}
			voids.Add(1)
			return Answer{Verdict: Unavailable, Code: "A0", SignIn: true}, nil
		}}
		void, err := q.Reverse(bg, sale.ID)
		require.NoError(t, err)
		stop := forwarding(t, q, cardLane, up)
		time.Sleep(24 * time.Hour)
		synctest.Wait()
		require.InDelta(t, 200, voids.Load(), 60)
		require.Equal(t, Declined, stateOfID(t, q, void.ID))
		same, err := q.Reverse(bg, sale.ID)
		require.NoError(t, err)
		require.Equal(t, Pending, same.State)
		require.Equal(t, void.Ref, same.Ref, "no second void")
		signedIn.Store(true)
		time.Sleep(11 * time.Minute)
		synctest.Wait()
		require.Equal(t, Accepted, stateOf(t, q, void.Ref))
		e, err := q.Get(bg, sale.ID)
		require.NoError(t, err)
		require.Equal(t, same.ID, e.VoidedBy)
		stop()
		require.NoError(t, q.Verify(bg))
	})
}

func stateOfID(t *testing.T, q *Queue, id ID) State {
	e, err := q.Get(bg, id)
	require.NoError(t, err)
	return e.State
}
