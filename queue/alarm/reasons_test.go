package alarm

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/queue/isolink"
)

// Every reason that a link of ours gives is one that there are sentences for.
func TestReasonsOfOurLinks(t *testing.T) {
	for r, want := range map[isolink.Reason]Cause{isolink.NoNetwork: NoNetwork, isolink.NoName: NoName, isolink.ConnRefused: ConnRefused,
		isolink.NoTrust: NoTrust, isolink.Silent: Silent, isolink.Broken: Broken, isolink.HostBusy: HostBusy,
		isolink.HostRefused: HostRefused, isolink.TerminalUnknown: TerminalUnknown, isolink.KeysWrong: KeysWrong} {
		got, code := causeOf(&isolink.LineError{Reason: r, Code: "58"})
		require.Equal(t, want, got, "%s", r)
		require.Equal(t, "58", code)
	}
	planned, _ := causeOf(&isolink.LineError{Reason: isolink.HostBusy, Code: "90"})
	require.Equal(t, Paused, planned)

	for r := httplink.NoNetwork; r <= httplink.Unauthorized; r++ {
		got, _ := causeOf(&httplink.LineError{Reason: r, Status: 500})
		require.NotEqual(t, NoLine, got, "%s", r)
	}
	busy, _ := causeOf(&httplink.WaitError{Until: time.Now()})
	require.Equal(t, HostBusy, busy)
}
