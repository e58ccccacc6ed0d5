package handset

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/internal/faultproxy"
	"github.com/tallystick/tallystick/queue/alarm"
	"github.com/tallystick/tallystick/queue/isolink"
	"github.com/tallystick/tallystick/queue/routes"
)

// awaitEvent reads up to an event with these pairs.
func (s *session) awaitEvent(pairs ...string) Line {
	s.t.Helper()
	for {
		l, ok := s.next()
		require.True(s.t, ok, "no event %v came; %s", pairs, s.stderr.String())
		found := l.Word == WordEvent
		for i := 0; i < len(pairs); i += 2 {
			found = found && l.Get(pairs[i]) == pairs[i+1]
		}
		s.events = append(s.events, l)
		if found {
			return l
		}
	}
}

// TestChangeOfLine: while the primary line is down payments go over the backup,
// under the same sign-in, and the traffic returns when it is up again.
func TestChangeOfLine(t *testing.T) {
	b := newBench(t, host.Mischief{})
	primary, err := faultproxy.Listen(b.server.Addr().String(), nil)
	require.NoError(t, err)
	defer primary.Close()
	s := b.run("-host", primary.Addr(), "-backup", b.server.Addr().String())
	require.Equal(t, Accepted, s.ask("card A 1").State)
	require.NotZero(t, primary.Passed(faultproxy.ToHost))

	primary.Refuse()
	s.say("offline")
	require.Equal(t, Stored, s.ask("card B 2").State)
	for range 2 { // as many failures as a change of line takes
		s.awaitEvent("about", "session", "is", isolink.NoLine.String(), "terminal", "10000001")
	}
	s.say("online")
	s.awaitEvent("about", "route", "is", routes.Left.String(), "from", Primary, "to", Backup, "terminal", "10000001")
	require.Equal(t, Accepted, s.ask("qr C 3").State)

	require.NoError(t, primary.Admit())
	s.awaitEvent("about", "route", "is", routes.Returned.String(), "from", Backup, "to", Primary, "terminal", "10000001")
	s.until("B", Accepted)
	require.Zero(t, s.quit())
	var signIns int
	for _, l := range s.told("session") {
		if l.Get("is") == isolink.SigningIn.String() {
			signIns++
		}
	}
	require.Equal(t, 1, signIns, "a change of line signs in anew")
	require.Len(t, b.books().Bookings, 3)
}

// TestWarnings: what waits is warned of in the courier's language, and the
// warning is cleared when it has been delivered.
func TestWarnings(t *testing.T) {
	for lang, want := range map[string][2]string{
		"en": {"3 transactions have not reached the host", "What was waiting has reached the host"},
		"zh": {"3", "主机"},
	} {
		b := newBench(t, host.Mischief{})
		s := b.run("-offline", "-warn", "3", "-lang", lang)
		for _, ref := range []string{"A", "B", "C"} {
			s.say("cash " + ref + " 1")
		}
		w := s.awaitEvent("about", "warning", "kind", alarm.Backlog.String(), "state", alarm.Raised.String())
		require.Equal(t, "10000002", w.Get("terminal"))
		require.Contains(t, w.Get("why"), want[0])
		s.say("online")
		w = s.awaitEvent("about", "warning", "kind", alarm.Backlog.String(), "state", alarm.Cleared.String())
		require.Contains(t, w.Get("why"), want[1])
		require.Zero(t, s.quit())
	}
}

// TestHostAsksForParameters: they are downloaded before the next payment, and
// the next process has them still.
func TestHostAsksForParameters(t *testing.T) {
	b := newBench(t, host.Mischief{})
	s := b.run()
	require.Equal(t, Accepted, s.ask("card A 1").State)
	require.NoError(t, b.server.Ask("10000001", codec.ProcessStripeParams))
	require.Equal(t, Accepted, s.ask("card B 1").State) // its answer asks
	require.Equal(t, Accepted, s.ask("card C 1").State)
	require.Zero(t, s.quit())
	var obeyed int
	for _, l := range s.told("session") {
		if l.Get("is") == isolink.Obeyed.String() {
			obeyed++
		}
	}
	require.Equal(t, 1, obeyed)
	kept, err := isolink.MemoryFile(b.journal + ".10000001").Load()
	require.NoError(t, err)
	require.NotEmpty(t, kept)
}

func TestWarnTakesANumber(t *testing.T) {
	require.Contains(t, refused(t, "-warn", "0", "-lang", "en"), "-warn takes a number above zero")
}
