package httplink_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/queue/httplink/internal/refhost"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "host's authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	a := &authority{cert: cert, key: key, pool: x509.NewCertPool()}
	a.pool.AddCert(cert)
	return a
}

func (a *authority) issue(t testing.TB, use x509.ExtKeyUsage) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	form := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "test"}, ExtKeyUsage: []x509.ExtKeyUsage{use},
		KeyUsage: x509.KeyUsageDigitalSignature, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, form, a.cert, key.Public(), a.key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (a *authority) device(t testing.TB) tls.Certificate {
	return a.issue(t, x509.ExtKeyUsageClientAuth)
}

// demand is a server's side of mutual TLS 1.3.
func (a *authority) demand(t testing.TB) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{a.issue(t, x509.ExtKeyUsageServerAuth)},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool}
}

func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

// readable turns the coding of answers off, so that a proxy can tell them apart.
func readable(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Del("Accept-Encoding")
		h.ServeHTTP(w, r)
	})
}

func TestMutualTLS(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", h2), func(t *testing.T) {
			var proto atomic.Value
			h := &refhost.Host{Before: func(_ http.ResponseWriter, r *http.Request) bool {
				proto.Store(r.Proto)
				require.EqualValues(t, tls.VersionTLS13, r.TLS.Version)
				require.Len(t, r.TLS.PeerCertificates, 1)
				return false
			}}
			server, client := secured(t, h, h2)
			s := &till{Queue: openJournal(t), t: t, host: h}
			s.connect(server.URL, &httplink.Options{TLS: client})
			for range 20 {
				s.append(s.told())
			}
			e, err := s.Do(t.Context(), s.link, s.sale())
			require.NoError(t, err)
			require.Equal(t, queue.Accepted, e.State)
			require.NoError(t, s.Drain(t.Context(), lane, s.link))
			s.agree()
			require.Equal(t, map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[h2], proto.Load())
		})
	}
}

func reasonOf(t *testing.T, err error) httplink.Reason {
	t.Helper()
	var line *httplink.LineError
	require.ErrorAs(t, err, &line)
	return line.Reason
}

// Without trust no entry is sent, and none is in doubt.
func TestNoTrust(t *testing.T) {
	h := &refhost.Host{}
	server, client := secured(t, h, true)
	stranger := newAuthority(t)
	for name, c := range map[string]*tls.Config{
		"the host is a stranger":   {RootCAs: stranger.pool, Certificates: client.Certificates},
		"the device is a stranger": {RootCAs: client.RootCAs, Certificates: []tls.Certificate{stranger.device(t)}},
		"the device has no name":   {RootCAs: client.RootCAs},
	} {
		t.Run(name, func(t *testing.T) {
			s := &till{Queue: openJournal(t), t: t, host: h}
			s.connect(server.URL, &httplink.Options{TLS: c})
			_, err := s.link.Prepare(t.Context())
			// A host that closes at once may cut off its own word for why.
			may := []httplink.Reason{httplink.NoTrust}
			if c.RootCAs == client.RootCAs {
				may = append(may, httplink.Broken)
			}
			require.Contains(t, may, reasonOf(t, err), "%v", err)
			_, err = s.Do(t.Context(), s.link, s.sale())
			require.ErrorIs(t, err, queue.ErrNotSent)
		})
	}
	old := httptest.NewUnstartedServer(h)
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS12}
	old.Config.ErrorLog = quiet()
	old.StartTLS()
	t.Cleanup(old.Close)
	pool := x509.NewCertPool()
	pool.AddCert(old.Certificate())
	s := &till{Queue: openJournal(t), t: t, host: h}
	s.connect(old.URL, &httplink.Options{TLS: &tls.Config{RootCAs: pool}})
	_, err := s.link.Prepare(t.Context())
	require.Equal(t, httplink.NoTrust, reasonOf(t, err), "TLS 1.2 has to be asked for")
	require.Empty(t, h.Bookings())
}

const secretToken = "s3cr3t-t0ken"

func TestABearerToken(t *testing.T) {
	h := &refhost.Host{Before: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer "+secretToken {
			return false
		}
		_ = wire.NewProblem(wire.ProblemUnauthorized, "").Write(w)
		return true
	}}
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	token, tokenErr := "another", error(nil)
	var mu sync.Mutex // events come from several goroutines
	var shown []string
	s := &till{Queue: openJournal(t), t: t, host: h}
	o := &httplink.Options{TLS: &tls.Config{RootCAs: pool},
		Token: func(context.Context) (queue.Secret, error) { return queue.NewSecret(token), tokenErr },
		OnEvent: func(ev httplink.Event) {
			mu.Lock()
			defer mu.Unlock()
			shown = append(shown, fmt.Sprintf("%+v", ev))
		}}
	s.connect(server.URL, o)
	_, err := s.link.Prepare(t.Context())
	require.Equal(t, httplink.Unauthorized, reasonOf(t, err))
	_, err = s.Do(t.Context(), s.link, s.sale())
	require.ErrorIs(t, err, queue.ErrNotSent)
	told := s.append(s.told())
	for _, bad := range []string{"", "with space", "line\r\nInjected: yes", "七"} {
		token = bad
		_, err = s.link.Prepare(t.Context())
		require.Equal(t, httplink.NoToken, reasonOf(t, err))
		_, err = s.link.Send(t.Context(), told)
		require.ErrorIs(t, err, queue.ErrNotSent)
	}
	tokenErr = errors.New("the vault is shut")
	_, err = s.link.Prepare(t.Context())
	require.Equal(t, httplink.NoToken, reasonOf(t, err))
	require.ErrorIs(t, err, tokenErr)
	token, tokenErr = secretToken, nil
	e, err := s.Do(t.Context(), s.link, s.sale())
	require.NoError(t, err)
	require.Equal(t, queue.Accepted, e.State)
	require.NoError(t, s.link.Close())
	mu.Lock()
	defer mu.Unlock()
	shown = append(shown, fmt.Sprintf("%+v %#v", o, s.link))
	for _, x := range shown {
		require.NotContains(t, x, secretToken)
	}
}

// A card goes to a host that authorises, where the app says so, over TLS.
func TestACardGoesOnlyWhereItIsAskedFor(t *testing.T) {
	for _, card := range []bool{false, true} {
		t.Run(fmt.Sprint(card), func(t *testing.T) {
			var got []wire.Entry
			h := &refhost.Host{Decide: func(e wire.Entry) (wire.Verdict, string) { got = append(got, e); return wire.Approved, "00" }}
			server, client := secured(t, h, true)
			s := &till{Queue: openJournal(t), t: t, host: h}
			s.connect(server.URL, &httplink.Options{TLS: client, Card: card})
			x := s.sale()
			x.Card.PINBlock = queue.NewSecret("\x01\x02\x03\x04\x05\x06\x07\x08")
			_, err := s.Do(t.Context(), s.link, x)
			require.NoError(t, err)
			require.Len(t, got, 1)
			require.Equal(t, "621626*********0018", got[0].MaskedPAN)
			require.Equal(t, card, got[0].Card != nil)
			if card {
				require.Equal(t, testPAN, got[0].Card.PAN.Reveal())
				require.Equal(t, "\x01\x02\x03\x04\x05\x06\x07\x08", got[0].Card.PINBlock.Reveal())
				require.NotContains(t, fmt.Sprintf("%+v %#v", got[0], got[0].Card), testPAN)
			}
		})
	}
}

// A PIN block goes with the request that it was entered for, and with nothing else.
func TestThePINGoesWithARequestOnly(t *testing.T) {
	var got []wire.Entry
	h := &refhost.Host{Decide: func(e wire.Entry) (wire.Verdict, string) { got = append(got, e); return wire.Approved, "00" }}
	server, client := secured(t, h, true)
	l, err := httplink.New(lane, server.URL, fakeJournal{}, &httplink.Options{TLS: client, Card: true})
	require.NoError(t, err)
	for id, kind := range []queue.Kind{queue.Request, queue.Advice} {
		e := entryOf(queue.ID(id+1), kind)
		e.Card = queue.Card{PAN: queue.NewSecret(testPAN), PINBlock: queue.NewSecret("\x01\x02")}
		_, err := l.Send(t.Context(), e)
		require.NoError(t, err)
	}
	require.NoError(t, l.Close())
	require.Len(t, got, 2)
	require.False(t, got[0].Card.PINBlock.IsZero())
	require.True(t, got[1].Card.PINBlock.IsZero())
	require.Equal(t, testPAN, got[1].Card.PAN.Reveal())
}

// The next request after silence goes over another connection: HTTP/2 would put
// it on the silent one.
func TestSilenceEndsAConnection(t *testing.T) {
	var conns atomic.Int32
	release := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := &refhost.Host{Before: func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			cancel() // the wait for the answer ends here, however long it took to ask
			<-release
		}
		return false
	}}
	ca := newAuthority(t)
	server := httptest.NewUnstartedServer(h)
	server.TLS, server.EnableHTTP2 = ca.demand(t), true
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	l, err := httplink.New(lane, server.URL, fakeJournal{}, &httplink.Options{
		TLS: &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{ca.device(t)}}})
	require.NoError(t, err)
	_, err = l.Prepare(t.Context())
	require.NoError(t, err)
	_, err = l.Send(ctx, entryOf(1, queue.Advice))
	require.Equal(t, httplink.Silent, reasonOf(t, err))
	_, err = l.Prepare(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 2, conns.Load())
	close(release)
	require.NoError(t, l.Close())
}

func TestDataCanBeWithheld(t *testing.T) {
	for _, withhold := range []bool{false, true} {
		s := newTill(t, &refhost.Host{}, &httplink.Options{Plain: true, WithholdData: withhold})
		x := s.told()
		x.Data = []byte("waybill 17")
		e := s.append(x)
		require.NoError(t, s.Drain(t.Context(), lane, s.link))
		s.agree()
		b := s.host.Bookings()[0]
		require.Equal(t, s.Digest(s.state(e.ID)), b.Entry.Digest(wire.Submission{Journal: b.Journal, Lane: b.Lane}))
		require.Equal(t, withhold, b.Entry.Data == nil)
		require.Equal(t, withhold, b.Entry.DataHash != nil)
	}
}

func TestNewRefuses(t *testing.T) {
	token := func(context.Context) (queue.Secret, error) { return queue.NewSecret(secretToken), nil }
	for name, c := range map[string]struct {
		base string
		opts httplink.Options
	}{
		"plain":              {"http://host", httplink.Options{}},
		"a token in plain":   {"http://host", httplink.Options{Plain: true, Token: token}},
		"a card in plain":    {"http://host", httplink.Options{Plain: true, Card: true}},
		"a user in the base": {"https://user:pass@host", httplink.Options{}},
		"a query":            {"https://host/?a=b", httplink.Options{}},
		"a fragment":         {"https://host/#a", httplink.Options{}},
		"no host":            {"https://", httplink.Options{}},
		"another scheme":     {"ftp://host", httplink.Options{}},
		"no URL":             {"https://ho st\x00", httplink.Options{}},
		"old TLS":            {"https://host", httplink.Options{TLS: &tls.Config{MinVersion: tls.VersionTLS10}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := httplink.New(lane, c.base, fakeJournal{}, &c.opts)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "pass")
		})
	}
	_, err := httplink.New(lane, "https://host", nil, nil)
	require.Error(t, err)
	_, err = httplink.New(queue.Lane{}, "https://host", fakeJournal{}, nil)
	require.Error(t, err)
}
