package main

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tallystick/tallystick/examples/courier/handset"
	"github.com/tallystick/tallystick/examples/courier/route"
	"github.com/tallystick/tallystick/examples/courier/screen"
)

// kill is one planned SIGKILL: at a trap that is armed before a parcel, or, with
// no trap, after a time that begins with a parcel.
type kill struct {
	before int          // the parcel's index; len(parcels): the settlement
	trap   handset.Trap // "": at a random moment
	pass   int          // points of the trap's kind that pass first
	after  time.Duration
}

// moment is how the screen names the kill.
func (k kill) moment() screen.Moment {
	switch k.trap {
	case handset.TrapAttempt:
		return screen.InAttempt
	case handset.TrapAnswer:
		return screen.WhileAnswering
	case handset.TrapUpload, handset.TrapDetails:
		return screen.InUpload
	case handset.TrapSettlement:
		return screen.InSettlement
	}
	return screen.AtRandom
}

// outage is a stretch of parcels without a network: from the first on, up to
// but not with the second.
type outage struct{ from, to int }

// plan is what chance has in store for a day. It follows from the seed and the
// route alone; at which instruction a process dies does not.
type plan struct {
	kills   []kill // by parcel
	outages []outage
	detours []outage     // stretches without the primary line
	voids   map[int]bool // of the sale of this parcel, right after it
	refunds map[int]bool // of an earlier parcel's sale, after this parcel
}

// Shares of the route.
const (
	parcelsPerOutage = 30
	parcelsPerUndo   = 25
	calmParcels      = 12 // at the beginning: the host forgets a few sales here

	parcelsPerDetour = 60
	detourParcels    = 20
)

func newPlan(seed uint64, parcels []route.Parcel, kills int) plan {
	rng := rand.New(rand.NewPCG(seed, 0x636f7572696572))
	p := plan{voids: map[int]bool{}, refunds: map[int]bool{}}
	var online, any []int
	for i, parcel := range parcels {
		any = append(any, i)
		if parcel.Tender != route.Cash {
			online = append(online, i)
		}
	}
	p.drawDetours(seed, len(parcels))
	p.drawOutages(rng, online, len(parcels))
	online = slices.DeleteFunc(online, p.down)
	for i := calmParcels; i < len(parcels); i += parcelsPerUndo {
		within := min(parcelsPerUndo, len(parcels)-i)
		p.voids[i+rng.IntN(within)] = true
		p.refunds[i+rng.IntN(within)] = true
	}
	for _, trap := range drawTraps(rng, kills, len(online) > 0) {
		p.kills = append(p.kills, drawKill(rng, trap, online, any))
	}
	slices.SortStableFunc(p.kills, func(a, b kill) int { return a.before - b.before })
	if i := slices.IndexFunc(p.kills, func(k kill) bool { return k.trap == handset.TrapSettlement }); i >= 0 {
		p.kills[i].pass %= 2 // every settlement has two points at least, whatever else happens in it
	}
	return p
}

// drawOutages lets each begin at a parcel that is paid online, so that it can
// begin in the middle of an attempt, and end before the day does.
func (p *plan) drawOutages(rng *rand.Rand, online []int, parcels int) {
	for n := range parcels / parcelsPerOutage {
		lo, hi := max(calmParcels, n*parcelsPerOutage), (n+1)*parcelsPerOutage-10
		var begin []int
		for _, i := range online {
			if i >= lo && i < hi {
				begin = append(begin, i)
			}
		}
		if len(begin) > 0 {
			from := begin[rng.IntN(len(begin))]
			p.outages = append(p.outages, outage{from, from + 3 + rng.IntN(6)})
		}
	}
}

// drawDetours takes the primary line away for a stretch of each part of the
// route.
func (p *plan) drawDetours(seed uint64, parcels int) {
	rng := rand.New(rand.NewPCG(seed, 0x6465746f7572))
	for begin := 0; begin+parcelsPerDetour <= parcels; begin += parcelsPerDetour {
		from := begin + calmParcels + rng.IntN(parcelsPerDetour-calmParcels-detourParcels)
		p.detours = append(p.detours, outage{from, from + detourParcels})
	}
}

func (p *plan) down(i int) bool {
	return slices.ContainsFunc(p.outages, func(o outage) bool { return i >= o.from && i < o.to })
}

// drawTraps chooses the kinds of the kills: each of the four that are hit for
// certain once, in a random order, then at random. Where nobody pays online
// nothing asks for an answer, so that those kinds cannot be hit.
func drawTraps(rng *rand.Rand, kills int, online bool) []handset.Trap {
	certain := []handset.Trap{handset.TrapUpload, handset.TrapSettlement}
	more := []handset.Trap{handset.TrapUpload, handset.TrapDetails, handset.TrapSettlement, "", "", ""}
	if online {
		certain = append(certain, handset.TrapAttempt, handset.TrapAnswer)
		more = append(more, handset.TrapAttempt, handset.TrapAttempt, handset.TrapAnswer, handset.TrapAnswer)
	}
	rng.Shuffle(len(certain), func(i, j int) { certain[i], certain[j] = certain[j], certain[i] })
	out := certain[:min(kills, len(certain))]
	for len(out) < kills {
		out = append(out, more[rng.IntN(len(more))])
	}
	return out
}

func drawKill(rng *rand.Rand, trap handset.Trap, online, any []int) kill {
	k := kill{trap: trap, after: time.Duration(rng.IntN(int(40 * time.Millisecond)))}
	pick := func(from []int) int { return from[rng.IntN((len(from)*9+9)/10)] } // rather not the last ones
	switch trap {
	case handset.TrapAttempt:
		k.before, k.pass = pick(online), rng.IntN(2)
	case handset.TrapAnswer:
		k.before = pick(online)
	case handset.TrapUpload:
		k.before, k.pass = pick(any), rng.IntN(2)
	case handset.TrapSettlement, handset.TrapDetails:
		k.before, k.pass = len(any), rng.IntN(4)
	default:
		k.before = rng.IntN(len(any) + len(any)/8 + 1) // more of them in the settlement than in a parcel
		k.before = min(k.before, len(any))
	}
	return k
}
