package isolink

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/tallystick/tallystick/internal/resume"
)

// Dialer opens a connection to the host. It returns when ctx is done. One that
// gives out a connection which had waited tells its age by a method Opened of the
// connection, as package routes does: the host is then asked for an echo on it
// where Options.EchoAfter says so. A Write of which provably nothing left tells it
// by wrapping queue.ErrNotSent.
type Dialer func(ctx context.Context) (net.Conn, error)

// TCP dials host:port without encryption. A peer that vanishes is noticed by the
// operating system's probes within 30 s or so.
func TCP(address string) Dialer {
	return func(ctx context.Context) (net.Conn, error) { return plain.DialContext(ctx, "tcp", address) }
}

// TLS dials host:port and shakes hands by config, which is copied: its zero
// MinVersion means TLS 1.3 here, and Certificates are what the host knows the
// terminal by. Where config has no ClientSessionCache the Dialer has one of its
// own, so that a host which lets sessions be resumed is asked for a certificate
// once, not at each connection.
func TLS(address string, config *tls.Config) Dialer {
	c := config.Clone()
	if c == nil {
		c = &tls.Config{}
	}
	if c.MinVersion == 0 {
		c.MinVersion = tls.VersionTLS13
	}
	d := tls.Dialer{NetDialer: plain, Config: c}
	if c.ClientSessionCache != nil {
		return func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", address) }
	}
	kept := resume.New(4)
	c.ClientSessionCache = kept
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := d.DialContext(ctx, "tcp", address)
		kept.Failed(err)
		return conn, err
	}
}

// ThinTLS is TLS for a line that is slow or paid by the byte: it agrees on keys
// by X25519 alone, whatever config prefers. What a connection costs in bytes,
// both ways, with ECDSA certificates of one authority on either side:
//
//	           a full handshake   a resumed one
//	TLS        about 4,000        about 3,000
//	ThinTLS    about 1,700        about 650
//
// That takes a host that keeps the session's state itself and gives out a short
// handle, as examples/acquirer does; a ticket that holds the state is 800 bytes
// or so longer, and passes twice. The price is that who records the line today can read
// it once a large quantum computer exists: the default guards against that.
func ThinTLS(address string, config *tls.Config) Dialer {
	c := config.Clone()
	if c == nil {
		c = &tls.Config{}
	}
	c.CurvePreferences = []tls.CurveID{tls.X25519}
	return TLS(address, c)
}

var plain = &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}
