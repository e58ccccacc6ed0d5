package isolink_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

var chinaTime = time.FixedZone("UTC+8", 8*60*60)

// device is the link of one of many terminals, with what it knows of the hours.
func device(t *testing.T, n int, memory isolink.Memory) *isolink.Link {
	t.Helper()
	lane := queue.Lane{Host: "h", Merchant: "898100000000001", Terminal: fmt.Sprintf("%08d", n)}
	l, err := isolink.New(lane, isolink.TCP("127.0.0.1:1"), new(series), masterKey(t), &isolink.Options{Memory: memory})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l
}

// Planned sign-ins are spread over the plan's hours: no minute has more than its
// share of a thousand devices.
func TestPlannedSignInsAreSpread(t *testing.T) {
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, chinaTime)
	minutes := map[int64]int{}
	hours := map[int]int{}
	for n := range 1000 {
		l := device(t, n, nil)
		at := l.NextSignIn(noon, isolink.Plan{From: 23, To: 5})
		require.True(t, at.After(noon) && at.Before(noon.Add(24*time.Hour)), "%s", at)
		minutes[at.Unix()/60]++
		hours[at.In(chinaTime).Hour()]++
		again := l.NextSignIn(noon, isolink.Plan{From: 23, To: 5})
		require.WithinDuration(t, at, again, time.Minute, "the terminal's name chooses, chance only a little")
		next := l.NextSignIn(at.Add(time.Hour), isolink.Plan{From: 23, To: 5})
		require.Greater(t, next.Sub(at), 17*time.Hour, "in the next night")
	}
	require.Len(t, hours, 6, "%v", hours)
	for at, n := range minutes {
		require.LessOrEqual(t, n, 15, "at %s", time.Unix(at*60, 0)) // 2.8 on average
	}
	require.Greater(t, len(minutes), 300)
}

// Hours in which five days of sign-ins were slow, or came to nothing, are left
// out.
func TestSlowHoursAreLeftOut(t *testing.T) {
	memory := isolink.MemoryFile(filepath.Join(t.TempDir(), "memory"))
	tmk := masterKey(t)
	synctest.Test(t, func(t *testing.T) {
		h := &scripted{tmk: tmk, batch: 42}
		dial := func(ctx context.Context) (net.Conn, error) {
			slow := map[int]time.Duration{2: 4 * time.Second, 3: 30 * time.Second}[time.Now().In(chinaTime).Hour()]
			select {
			case <-time.After(max(slow, time.Second)):
				return h.piped(func(a *asked) { a.answer("00", nil) }), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		midnight := time.Date(2026, 3, 4, 0, 0, 0, 0, chinaTime)
		for day := range 5 {
			for hour := 1; hour <= 4; hour++ {
				<-time.After(time.Until(midnight.Add(time.Duration(24*day+hour) * time.Hour)))
				l, err := isolink.New(lane, dial, new(series), tmk, &isolink.Options{Memory: memory, TryTimeout: 10 * time.Second, LineTimeout: 10 * time.Second})
				require.NoError(t, err)
				_, err = l.Prepare(t.Context())
				require.Equal(t, hour == 3, err != nil)
				require.NoError(t, l.Close())
			}
		}
	})
	times := device(t, 1, memory).SignInTimes()
	require.Equal(t, 5, times[2].Count)
	require.Equal(t, 4*time.Second, times[2].Mean)
	require.Equal(t, time.Second, times[1].Mean)
	require.Equal(t, 10*time.Second, times[3].Mean, "silence counts with the time that it was given")
	for n := range 200 {
		at := device(t, n, memory).NextSignIn(time.Now(), isolink.Plan{From: 1, To: 5})
		require.Contains(t, []int{1, 4}, at.In(chinaTime).Hour())
	}
}

// A terminal signs in once a day of its own accord.
func TestSignInDaily(t *testing.T) {
	var signIns []time.Time
	o := &isolink.Options{OnEvent: func(ev isolink.Event) {
		if ev.Kind == isolink.Ready {
			signIns = append(signIns, ev.Time)
		}
	}}
	inBubble(t, nil, o, func(t *testing.T, _ *scripted, l *isolink.Link) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*24*time.Hour)
		defer cancel()
		require.ErrorIs(t, l.SignInDaily(ctx, isolink.Plan{From: 3, To: 5}), context.DeadlineExceeded)
		closed := make(chan error, 1)
		go func() { closed <- l.SignInDaily(t.Context(), isolink.Plan{}) }()
		require.NoError(t, l.Close())
		require.ErrorIs(t, <-closed, isolink.ErrClosed)
	})
	days := map[int]bool{}
	for _, at := range signIns {
		require.Contains(t, []int{3, 4}, at.In(chinaTime).Hour())
		days[at.In(chinaTime).YearDay()] = true
	}
	require.Len(t, signIns, 10)
	require.Len(t, days, 10)
}
