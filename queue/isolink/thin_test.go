package isolink_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/internal/faultproxy"
	"github.com/tallystick/tallystick/queue/isolink"
)

// secured runs an acquirer that takes terminals over mutual TLS, and a proxy in
// front of it; it returns the terminal's side of TLS.
func secured(t *testing.T, change func(*tls.Config)) (*host.Server, *faultproxy.Proxy, *tls.Config) {
	t.Helper()
	ca, err := newAuthority("acquirer")
	require.NoError(t, err)
	server, err := ca.demand()
	require.NoError(t, err)
	if change != nil {
		change(server)
	}
	cert, err := ca.issue("terminal 10000001", x509.ExtKeyUsageClientAuth)
	require.NoError(t, err)
	s, err := host.Listen(host.Config{TLS: server})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background()) }()
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		require.NoError(t, <-served)
	})
	proxy, err := faultproxy.Listen(s.Addr().String(), nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	return s, proxy, &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{cert}}
}

// cost dials, asks for an echo and returns how many bytes went over the socket
// both ways, those of the echo not counted.
func cost(t *testing.T, proxy *faultproxy.Proxy, dial isolink.Dialer) (bytes int, resumed bool) {
	t.Helper()
	const record = 5 + 1 + 16 // what TLS adds to a message
	before := proxy.Passed(faultproxy.ToHost) + proxy.Passed(faultproxy.ToDevice)
	c, err := dial(t.Context())
	require.NoError(t, err)
	defer c.(interface{ NetConn() net.Conn }).NetConn().Close()
	m := codec.NewMessage(codec.UnionPay(), 0x0820)
	set(m, 41, cardTerm)
	set(m, 42, merchant)
	set(m, 60, "00000001301")
	body, err := codec.UnionPay().Append(nil, m)
	require.NoError(t, err)
	frame, err := codec.Framing{}.Append(nil, codec.Frame{Body: body})
	require.NoError(t, err)
	_, err = c.Write(frame)
	require.NoError(t, err)
	answer, err := codec.Framing{}.Read(bufio.NewReader(c), nil)
	require.NoError(t, err)
	passed := proxy.Passed(faultproxy.ToHost) + proxy.Passed(faultproxy.ToDevice) - before
	return int(passed) - (len(frame) + record) - (2 + 5 + 6 + len(answer.Body) + record), c.(*tls.Conn).ConnectionState().DidResume
}

// What a connection costs on the wire, counted at a socket.
func TestWhatAConnectionCosts(t *testing.T) {
	stateless := func(c *tls.Config) {
		c.WrapSession = func(cs tls.ConnectionState, s *tls.SessionState) ([]byte, error) { return c.EncryptTicket(cs, s) }
		c.UnwrapSession = func(b []byte, cs tls.ConnectionState) (*tls.SessionState, error) { return c.DecryptTicket(b, cs) }
	}
	for _, x := range []struct {
		name          string
		server        func(*tls.Config)
		dial          func(string, *tls.Config) isolink.Dialer
		full, resumed int // at most
	}{
		{"thin", nil, isolink.ThinTLS, 2000, 800},
		{"default", nil, isolink.TLS, 4300, 3200},
		{"thin, the ticket holds the state", stateless, isolink.ThinTLS, 3000, 2700},
	} {
		t.Run(x.name, func(t *testing.T) {
			_, proxy, config := secured(t, x.server)
			dial := x.dial(proxy.Addr(), config)
			full, resumed := cost(t, proxy, dial)
			require.False(t, resumed)
			require.LessOrEqual(t, full, x.full)
			for range 3 {
				again, resumed := cost(t, proxy, dial)
				require.True(t, resumed)
				require.LessOrEqual(t, again, x.resumed)
				t.Logf("a full handshake %d bytes, a resumed one %d", full, again)
			}
		})
	}
}

// A link resumes its session over reconnects, also after a handshake that broke.
func TestReconnectsAreResumed(t *testing.T) {
	resumed := make(chan bool, 16)
	_, proxy, config := secured(t, func(c *tls.Config) {
		c.VerifyConnection = func(s tls.ConnectionState) error { resumed <- s.DidResume; return nil }
	})
	l, err := isolink.New(cardLane, isolink.ThinTLS(proxy.Addr(), config), new(series), masterKey(t), patient(nil))
	require.NoError(t, err)
	defer l.Close()
	lose := func() { // the line, and see it
		proxy.Refuse()
		for {
			if _, err := l.Prepare(t.Context()); err != nil {
				break
			}
		}
		require.NoError(t, proxy.Admit())
	}
	_, err = l.Prepare(t.Context())
	require.NoError(t, err)
	require.False(t, <-resumed)
	for range 2 {
		lose()
		_, err = l.Prepare(t.Context())
		require.NoError(t, err)
		require.True(t, <-resumed)
	}
	lose()
	proxy.Strike(faultproxy.Fault{Kind: faultproxy.Cut, To: faultproxy.ToDevice, At: 3})
	_, err = l.Prepare(t.Context())
	require.NoError(t, err, "the second try")
	require.Equal(t, 1, proxy.Struck())
	require.NotEmpty(t, resumed)
	for len(resumed) > 0 {
		require.True(t, <-resumed, "what broke did not cost a full handshake")
	}
}
