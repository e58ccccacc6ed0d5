package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/examples/courier/route"
	"github.com/tallystick/tallystick/examples/courier/screen"
)

func parcelsOf(n int, tenders ...route.Tender) []route.Parcel {
	out := make([]route.Parcel, n)
	for i := range out {
		out[i] = route.Parcel{Line: i + 2, Waybill: fmt.Sprintf("W%d", i+1), Address: "somewhere", Fen: int64(100 + i), Tender: tenders[i%len(tenders)]}
	}
	return out
}

// TestPlanHitsEachKind: from four kills on, each kind that is hit for certain
// is in the plan, whatever the seed.
func TestPlanHitsEachKind(t *testing.T) {
	shipped, err := route.Day()
	require.NoError(t, err)
	for seed := range uint64(200) {
		for _, kills := range []int{4, 5, 12, 25} {
			p := newPlan(seed, shipped, kills)
			require.Len(t, p.kills, kills)
			kinds := map[screen.Moment]int{}
			for i, k := range p.kills {
				kinds[k.moment()]++
				require.LessOrEqual(t, k.before, len(shipped))
				require.True(t, i == 0 || p.kills[i-1].before <= k.before, "in the order of the day")
			}
			for _, m := range []screen.Moment{screen.InAttempt, screen.WhileAnswering, screen.InUpload, screen.InSettlement} {
				require.NotZero(t, kinds[m], "seed %d, %d kills: moment %d", seed, kills, m)
			}
		}
	}
}

func TestPlanFollowsFromTheSeed(t *testing.T) {
	parcels := parcelsOf(100, route.Card, route.Cash, route.QR)
	require.Equal(t, newPlan(7, parcels, 20), newPlan(7, parcels, 20))
	require.NotEqual(t, newPlan(7, parcels, 20), newPlan(8, parcels, 20))
}

// TestPlanFitsEveryRoute: few parcels, or none that is paid online.
func TestPlanFitsEveryRoute(t *testing.T) {
	for _, parcels := range [][]route.Parcel{parcelsOf(1, route.Cash), parcelsOf(1, route.Card), parcelsOf(40, route.Cash), parcelsOf(33, route.QR)} {
		for seed := range uint64(50) {
			p := newPlan(seed, parcels, 30)
			require.Len(t, p.kills, 30)
			for _, o := range p.outages {
				require.Less(t, o.from, len(parcels))
				require.GreaterOrEqual(t, o.from, calmParcels)
			}
		}
	}
}

// TestPlanDetours: the primary line goes down in the shipped day whatever the
// seed, and is up again before its end.
func TestPlanDetours(t *testing.T) {
	for seed := range uint64(200) {
		p := newPlan(seed, parcelsOf(200, route.Card), 12)
		require.Len(t, p.detours, 3)
		up := calmParcels
		for _, o := range p.detours {
			require.GreaterOrEqual(t, o.from, up)
			require.Less(t, o.from, o.to)
			up = o.to
		}
		require.Less(t, up, 200)
	}
}
