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
