package isolink_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

// authority signs certificates with an ECDSA key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(name string) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		return nil, err
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	a.pool.AddCert(a.cert)
	return a, nil
}

// issue makes a certificate, for a server on this machine or for a terminal.
func (a *authority) issue(name string, use x509.ExtKeyUsage) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{use},
		KeyUsage: x509.KeyUsageDigitalSignature, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, form, a.cert, key.Public(), a.key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// demand is a server's side of mutual TLS 1.3.
func (a *authority) demand() (*tls.Config, error) {
	cert, err := a.issue("host", x509.ExtKeyUsageServerAuth)
	return &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert},
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: a.pool}, err
}

// front takes TLS connections on a port of this machine and passes what they
// carry on to target.
func front(target string, config *tls.Config) (address string, stop func(), err error) {
	ln, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		return "", nil, err
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				up, err := net.Dial("tcp", target)
				if err != nil {
					return
				}
				defer up.Close()
				go func() { _, _ = io.Copy(up, c); up.Close() }()
				_, _ = io.Copy(c, up)
			}()
		}
	}()
	return ln.Addr().String(), func() { ln.Close() }, nil
}

// Over TLS 1.3 the host knows the terminal by its certificate.
func ExampleTLS() {
	target, q, stop := exampleTill()
	defer stop()
	ca, err := newAuthority("acquirer")
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := ca.demand()
	if err != nil {
		fmt.Println(err)
		return
	}
	address, stopFront, err := front(target, server)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stopFront()

	cert, err := ca.issue("terminal 10000001", x509.ExtKeyUsageClientAuth) // an ECDSA key
	if err != nil {
		fmt.Println(err)
		return
	}
	dial := isolink.TLS(address, &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{cert}})
	lane := queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}
	keys, err := codec.NewMasterKey(host.DefaultTMK())
	if err != nil {
		fmt.Println(err)
		return
	}
	link, err := isolink.New(lane, dial, q, keys, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer link.Close()
	line, err := link.Prepare(context.Background())
	fmt.Println(line.HostBatch, err)
	// Output: 1 <nil>
}

func TestTLS(t *testing.T) {
	ca, err := newAuthority("acquirer")
	require.NoError(t, err)
	server, err := ca.demand()
	require.NoError(t, err)
	versions := make(chan uint16, 8)
	server.VerifyConnection = func(s tls.ConnectionState) error {
		versions <- s.Version
		return nil
	}
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	require.NoError(t, err)
	h := serveScript(t, ln, nil)
	cert, err := ca.issue("terminal", x509.ExtKeyUsageClientAuth)
	require.NoError(t, err)
	stranger, err := newAuthority("another")
	require.NoError(t, err)
	strange, err := stranger.issue("terminal", x509.ExtKeyUsageClientAuth)
	require.NoError(t, err)
	link := func(config *tls.Config) *isolink.Link {
		l, err := isolink.New(lane, isolink.TLS(ln.Addr().String(), config), new(series), h.tmk, patient(nil))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, l.Close()) })
		return l
	}

	good := &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{cert}}
	l := link(good)
	a, err := h.send(l, cardEntry())
	require.NoError(t, err)
	require.Equal(t, queue.Approved, a.Verdict)
	require.Equal(t, uint16(tls.VersionTLS13), <-versions)
	require.Zero(t, good.MinVersion, "the caller's config is not written to")

	// Silence over TLS ends as it does without, and the next connection works.
	ctx := newExpiring()
	h.behave(func(*asked) { ctx.expire() })
	_, err = l.Send(ctx, cardEntry())
	inDoubt(t, err)
	requireReason(t, isolink.Silent, err)
	h.behave(nil)
	_, err = h.send(l, cardEntry())
	require.NoError(t, err)

	for name, config := range map[string]*tls.Config{
		"a host that we do not trust":    {RootCAs: stranger.pool, Certificates: []tls.Certificate{cert}},
		"a terminal without certificate": {RootCAs: ca.pool},
		"a terminal of another's":        {RootCAs: ca.pool, Certificates: []tls.Certificate{strange}},
		"another name":                   {RootCAs: ca.pool, Certificates: []tls.Certificate{cert}, ServerName: "elsewhere"},
		"an old version":                 {RootCAs: ca.pool, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12},
	} {
		_, err := link(config).Prepare(t.Context())
		require.Error(t, err, name)
		requireReason(t, isolink.NoTrust, err)
	}
	old := server.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	oldHost, stop, err := front(ln.Addr().String(), old)
	require.NoError(t, err)
	defer stop()
	notYet, err := isolink.New(lane, isolink.TLS(oldHost, good), new(series), h.tmk, patient(nil))
	require.NoError(t, err)
	defer notYet.Close()
	_, err = notYet.Prepare(t.Context())
	requireReason(t, isolink.NoTrust, err)

	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer plain.Close()
	go func() {
		if c, err := plain.Accept(); err == nil {
			_, _ = c.Write([]byte("220 not TLS at all\r\n"))
			c.Close()
		}
	}()
	noTLS, err := isolink.New(lane, isolink.TLS(plain.Addr().String(), good), new(series), h.tmk, patient(nil))
	require.NoError(t, err)
	defer noTLS.Close()
	_, err = noTLS.Prepare(t.Context())
	requireReason(t, isolink.NoTrust, err)
}
