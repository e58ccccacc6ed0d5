package clock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNowAdvances(t *testing.T) {
	a := Now()
	b := Now()
	require.Equal(t, a.Boot, b.Boot)
	require.NotZero(t, a.Boot)
	require.GreaterOrEqual(t, b.Since, a.Since)
}

func TestAgeIsTheLargestThatAnyClockShows(t *testing.T) {
	wall := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	one, two := [16]byte{1}, [16]byte{2}
	for _, c := range []struct {
		name      string
		then, now Reading
		age       time.Duration
		proven    bool
	}{
		{"clocks agree", Reading{wall, one, 0}, Reading{wall.Add(time.Hour), one, time.Hour}, time.Hour, true},
		{"wall clock set back", Reading{wall, one, 0}, Reading{wall.Add(-time.Hour), one, 2 * time.Hour}, 2 * time.Hour, true},
		{"wall clock set on", Reading{wall, one, 0}, Reading{wall.Add(9 * time.Hour), one, time.Hour}, 9 * time.Hour, true},
		{"rebooted", Reading{wall, one, 5 * time.Hour}, Reading{wall.Add(time.Hour), two, time.Minute}, time.Hour, true},
		{"rebooted with the wall clock set back", Reading{wall, one, 5 * time.Hour}, Reading{wall.Add(-time.Hour), two, time.Minute}, 0, false},
	} {
		age, proven := c.now.Age(c.then)
		require.Equal(t, c.age, age, c.name)
		require.Equal(t, c.proven, proven, c.name)
	}
}
