package alarm

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPercentiles(t *testing.T) {
	var c counts
	for i := range 100 {
		c.add(time.Duration(i+1) * 10 * time.Millisecond)
	}
	s := sum([]*counts{&c, nil})
	for p, exact := range map[int]time.Duration{50: 500 * time.Millisecond, 95: 950 * time.Millisecond} {
		got := percentile(s, p)
		require.GreaterOrEqual(t, got, exact)
		require.Less(t, got, exact*6/5)
	}
	require.Equal(t, 100, c.total())

	var far counts
	far.add(time.Hour)
	far.add(-time.Second)
	require.EqualValues(t, 1, far[0])
	require.Equal(t, 2*edges[len(edges)-1], percentile(sum([]*counts{&far}), 95))
	for range 1 << 17 {
		far.add(time.Hour)
	}
	require.EqualValues(t, math.MaxUint16, far[len(far)-1], "a count does not begin anew")
}

// There is nothing usual before three days have enough of the same hour, and
// this day never counts.
func TestUsualNeedsDays(t *testing.T) {
	h := new(history)
	at := hour{100, 9}
	fill := func(day int64, of, n int, took time.Duration) {
		for range n {
			h.add(hour{day, of}, decisions, took, 7)
		}
	}
	fill(100, 9, 500, time.Second)
	fill(99, 9, 500, time.Second)
	fill(98, 9, 500, time.Second)
	fill(97, 8, 500, time.Second)
	_, _, ok := h.usual(at, decisions, 7)
	require.False(t, ok, "two days of this hour")
	fill(97, 9, 1, time.Second)
	_, _, ok = h.usual(at, deliveries, 7)
	require.False(t, ok, "another class")
	p50, p95, ok := h.usual(at, decisions, 7)
	require.True(t, ok)
	require.InDelta(t, time.Second, p50, float64(time.Second/5))
	require.Equal(t, p50, p95)

	few := new(history)
	for day := range int64(7) {
		for range 7 {
			few.add(hour{day, 9}, decisions, time.Second, 7)
		}
	}
	_, _, ok = few.usual(hour{7, 9}, decisions, 7)
	require.False(t, ok, "49 answers")
}

// A clock that jumps for an hour costs at most one day of what was kept.
func TestHistoryOutlivesAWrongClock(t *testing.T) {
	h := new(history)
	for day := range int64(8) {
		h.add(hour{20000 + day, 9}, decisions, time.Second, 7)
	}
	for _, wrong := range []int64{47000, -3, 0} {
		h.add(hour{wrong, 9}, decisions, time.Second, 7)
	}
	for day := range int64(4) {
		h.add(hour{20008 + day, 9}, decisions, time.Second, 7)
	}
	require.LessOrEqual(t, len(h.days), 8)
	lately := 0
	for i, d := range h.days {
		if d.n >= 20004 && d.n <= 20011 {
			lately++
		}
		if i > 0 {
			require.Less(t, h.days[i-1].n, d.n)
		}
	}
	require.GreaterOrEqual(t, lately, 4)
}

func TestHourOf(t *testing.T) {
	shanghai := time.FixedZone("", 8*60*60)
	require.Equal(t, hour{0, 8}, hourOf(time.Unix(0, 0), shanghai))
	require.Equal(t, hour{0, 23}, hourOf(time.Unix(16*60*60-1, 0), shanghai))
	require.Equal(t, hour{1, 0}, hourOf(time.Unix(16*60*60, 0), shanghai))
	require.Equal(t, hour{-1, 23}, hourOf(time.Unix(-8*60*60-1, 0), shanghai))
}

// answersOf plays days of answers to one lane, as long as a long-tailed
// distribution has it, and counts the warnings. slow is by how much the host is
// slower from a day on.
func answersOf(rng *rand.Rand, days, perHour int, median time.Duration, sigma float64, slowFrom int, slow float64) (raised, falsely, until int) {
	h, r, c := new(history), new(recent), new(condition)
	start := time.Unix(1_700_000_000, 0).Truncate(24 * time.Hour)
	until = -1
	since := 0
	for d := range days {
		for of := 8; of < 22; of++ {
			for k := range perHour {
				at := start.Add(time.Duration(d)*24*time.Hour + time.Duration(of)*time.Hour + time.Duration(k)*time.Hour/time.Duration(perHour))
				// Hours differ: the evening is slower.
				took := float64(median) * (1 + float64(of)/22) * math.Exp(sigma*rng.NormFloat64())
				if d >= slowFrom {
					took *= slow
					since++
				}
				in := hourOf(at, time.UTC)
				r.add(answer{at, in, time.Duration(took)})
				h.add(in, decisions, time.Duration(took), 7)
				if k%max(1, perHour/60) != 0 {
					continue // a look a minute
				}
				s, known := r.compare(h, in, decisions, at, 7)
				if !known || c.look(at, s.percent, 200, 30*time.Second) != raise {
					continue
				}
				raised++
				if d < slowFrom {
					falsely++
				} else if until < 0 {
					until = since
				}
			}
		}
	}
	return raised, falsely, until
}

// Three weeks of a host as it is raise no more than two warnings; the
// first days none at all; a host three times as slow is told within 40 answers.
func TestSlowHostIsToldAndNoOther(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, perHour := range []int{12, 240} {
		for _, sigma := range []float64{0.3, 0.9} {
			_, falsely, _ := answersOf(rng, 21, perHour, time.Second, sigma, 99, 1)
			t.Logf("%d an hour, sigma %.1f: %d in 21 days", perHour, sigma, falsely)
			require.LessOrEqual(t, falsely, 2, "%d an hour, sigma %.1f", perHour, sigma)
			early, _, _ := answersOf(rng, 3, perHour, time.Second, sigma, 1, 5)
			require.Zero(t, early, "the first days")
		}
	}
	for _, perHour := range []int{60, 300} {
		raised, _, until := answersOf(rng, 11, perHour, time.Second, 0.6, 10, 3)
		require.Positive(t, raised)
		require.LessOrEqual(t, until, 40, "%d an hour", perHour)
		require.Positive(t, until)
	}
}

// A rise that nobody waits for is none, however many percent it is.
func TestSmallRiseIsNone(t *testing.T) {
	h, r := new(history), new(recent)
	now := time.Unix(1_700_000_000, 0)
	in := hourOf(now, time.UTC)
	for day := range int64(4) {
		for range 50 {
			h.add(hour{in.day - 1 - day, in.of}, decisions, 20*time.Millisecond, 7)
		}
	}
	for range 64 {
		r.add(answer{now, in, 400 * time.Millisecond})
	}
	s, known := r.compare(h, in, decisions, now, 7)
	require.True(t, known)
	require.EqualValues(t, 100, s.percent)
	for range 64 {
		r.add(answer{now, in, 600 * time.Millisecond})
	}
	s, _ = r.compare(h, in, decisions, now, 7)
	require.Greater(t, s.percent, int64(2000))

	s, known = r.compare(h, in, decisions, now.Add(fresh+time.Second), 7)
	require.True(t, known, "what is old says nothing of now")
	require.Zero(t, s.percent)
}
