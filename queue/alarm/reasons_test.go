package alarm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
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
		require.Equal(t, r == httplink.NoToken, got == NoLine, "%s", r)
	}
	// What passes by itself is not told at once as what needs a person, nor is a
	// lack of network as a terminal that the host does not know.
	for status, lasts := range map[int]bool{429: false, 500: false, 502: false, 503: false, 504: false, 302: true, 400: true, 404: true} {
		got, code := causeOf(&httplink.LineError{Reason: httplink.HostRefused, Status: status})
		require.Equal(t, lasts, got.lasting(), "%d", status)
		require.Equal(t, strconv.Itoa(status), code)
	}
	for cause, err := range map[Cause]error{NoNetwork: syscall.ENETUNREACH, NoName: &net.DNSError{IsNotFound: true},
		ConnRefused: syscall.ECONNREFUSED, Silent: context.DeadlineExceeded, NoLine: errors.New("no account")} {
		got, _ := causeOf(&httplink.LineError{Reason: httplink.NoToken, Err: fmt.Errorf("the token: %w", err)})
		require.Equal(t, cause, got)
	}
	busy, _ := causeOf(&httplink.WaitError{Until: time.Now()})
	require.Equal(t, HostBusy, busy)
}
