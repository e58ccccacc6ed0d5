package host

import (
	"crypto/tls"
	"crypto/x509"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// a session that can be told from others.
func session(t *testing.T) *tls.SessionState {
	t.Helper()
	// An empty TLS 1.3 state, as Bytes writes it: version, type, suite, creation
	// time, secret of one byte, and nothing more.
	s, err := tls.ParseSessionState([]byte{3, 4, 1, 0x13, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	require.NoError(t, err)
	return s
}

func shown(cert string) tls.ConnectionState {
	return tls.ConnectionState{PeerCertificates: []*x509.Certificate{{Raw: []byte(cert)}}}
}

func TestSessionsAreBounded(t *testing.T) {
	now := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	s := newSessions(func() time.Time { return now })
	alive := func(handle []byte) bool {
		state, err := s.unwrap(handle, tls.ConnectionState{})
		require.NoError(t, err)
		return state != nil
	}
	wrap := func(cs tls.ConnectionState) []byte {
		handle, err := s.wrap(cs, session(t))
		require.NoError(t, err)
		require.Len(t, handle, 16)
		return handle
	}
	other := wrap(shown("b"))
	first := wrap(shown("a"))
	require.True(t, alive(first))
	require.True(t, alive(first), "a handle can be used again")
	for range maxSessionsOfOne {
		wrap(shown("a"))
	}
	require.False(t, alive(first), "who connects often displaces himself")
	require.True(t, alive(other), "and nobody else")
	for range maxSessions {
		wrap(tls.ConnectionState{})
	}
	require.False(t, alive(other))
	require.Equal(t, maxSessions, s.order.Len())
	require.Len(t, s.by, maxSessions)
	require.Empty(t, s.of)

	newest := wrap(shown("a"))
	now = now.Add(sessionLife)
	require.True(t, alive(newest))
	now = now.Add(time.Second)
	require.False(t, alive(newest))
	require.False(t, alive(nil))
	require.False(t, alive(make([]byte, 400)))
}
