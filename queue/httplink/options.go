package httplink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// Journal is what the link asks of the journal: a *queue.Queue.
type Journal interface {
	JournalID() [16]byte
	Epoch() uint64
	Digest(queue.Entry) [32]byte
}

// Options of New. The zero value, or nil, holds the defaults; New does not write
// to it. Card and WithholdData may change only while nothing is in doubt.
type Options struct {
	// TLS is how hands are shaken; it is copied. Its zero MinVersion means TLS 1.3,
	// and Certificates are what the host knows the device by. Sessions are resumed
	// where the host lets them be, also after a line that broke. For a line that is
	// paid by the byte set CurvePreferences to X25519 alone: see isolink.ThinTLS.
	TLS *tls.Config
	// Token gives the bearer token of each request, for a host that knows the
	// device by one. It is never printed and goes over TLS only.
	Token func(ctx context.Context) (queue.Secret, error)
	// Plain allows an http:// base: a line that others keep private. Neither a
	// token nor a card goes over it.
	Plain bool
	// Card sends the card's data, for a host that authorises. Without it the host
	// is told the masked number only. The PIN block goes with a Request alone.
	Card bool
	// WithholdData tells the host the SHA-256 of an entry's Data instead of Data.
	WithholdData bool
	// Window is how many entries may be under way at once, 1 to 256; those that
	// wait at the same time go in one request. Default 64.
	Window int
	// AnswerTimeout bounds the wait for any answer, and so does the ctx of each
	// call. Default 60 s.
	AnswerTimeout time.Duration
	// AskAfter is how long the host may not have been heard before Prepare asks it
	// for its line again. Default 60 s; negative: only after a failure.
	AskAfter time.Duration
	// MaxRetryAfter bounds what a host's Retry-After can ask for. Default 1 h.
	MaxRetryAfter time.Duration
	// Proxy names the proxy for a request. Default http.ProxyFromEnvironment.
	Proxy func(*http.Request) (*url.URL, error)
	// Dial opens the connections below TLS. Default: TCP with keep-alive probes,
	// given up after 5 s.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// OnEvent is told what happens on the line, for a screen. It is called from
	// several goroutines, must return soon and must not call the Link. A panic
	// in it is dropped.
	OnEvent func(Event)
}

const (
	defaultWindow = 64
	dialTime      = 5 * time.Second
	lateTime      = time.Minute // how long an answer is still read after its wait has ended
)

func (o *Options) withDefaults() (d Options) {
	if o != nil {
		d = *o
	}
	if d.Window <= 0 {
		d.Window = defaultWindow
	}
	d.Window = min(d.Window, wire.MaxEntries)
	if d.AnswerTimeout <= 0 {
		d.AnswerTimeout = 60 * time.Second
	}
	if d.AskAfter == 0 {
		d.AskAfter = 60 * time.Second
	}
	if d.MaxRetryAfter <= 0 {
		d.MaxRetryAfter = time.Hour
	}
	if d.Proxy == nil {
		d.Proxy = http.ProxyFromEnvironment
	}
	if d.Dial == nil {
		d.Dial = (&net.Dialer{Timeout: dialTime, KeepAliveConfig: net.KeepAliveConfig{Enable: true,
			Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}).DialContext
	}
	if d.OnEvent == nil {
		d.OnEvent = func(Event) {}
	}
	return d
}

// check refuses a base that would show what must not be seen.
func (o Options) check(base string) (*url.URL, error) {
	u, err := url.Parse(base)
	switch {
	case err != nil:
		return nil, errors.New("httplink: the base is not a URL")
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "":
		return nil, errors.New("httplink: the base is https://host[:port][/path], without user, query or fragment")
	case u.Scheme == "http" && !o.Plain:
		return nil, errors.New("httplink: http:// needs Options.Plain")
	case u.Scheme == "http" && (o.Card || o.Token != nil):
		return nil, errors.New("httplink: a card or a token goes over https:// only")
	case o.TLS != nil && o.TLS.MinVersion != 0 && o.TLS.MinVersion < tls.VersionTLS12:
		return nil, errors.New("httplink: TLS below 1.2 is no protection")
	}
	if u.Path == "" {
		u.Path = "/" // JoinPath would make a relative one of it
	}
	return u, nil
}

func (o Options) transport() *http.Transport {
	c := o.TLS.Clone()
	if c == nil {
		c = &tls.Config{}
	}
	if c.MinVersion == 0 {
		c.MinVersion = tls.VersionTLS13
	}
	return &http.Transport{
		Proxy: o.Proxy, DialContext: o.Dial, TLSClientConfig: c, TLSHandshakeTimeout: dialTime,
		ForceAttemptHTTP2: true, DisableCompression: true, MaxResponseHeaderBytes: 32 << 10,
		MaxIdleConnsPerHost: 2, IdleConnTimeout: 5 * time.Minute,
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second, MaxReadFrameSize: 16 << 10},
	}
}

// bearer returns the Authorization of a request; empty: none.
func (o Options) bearer(ctx context.Context) (string, error) {
	if o.Token == nil {
		return "", nil
	}
	type given struct {
		token queue.Secret
		err   error
	}
	got := make(chan given, 1)
	go func() { // the app's code may hang or panic; nothing of ours shall
		g := given{err: errors.New("Options.Token panicked")}
		defer func() {
			_ = recover()
			got <- g
		}()
		g.token, g.err = o.Token(ctx)
	}()
	var g given
	select {
	case g = <-got:
	case <-ctx.Done():
		g.err = ctx.Err()
	}
	if g.err != nil {
		return "", fmt.Errorf("the token: %w", g.err)
	}
	t := g.token.Reveal()
	if t == "" || strings.ContainsFunc(t, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", errors.New("the token is empty or not printable")
	}
	return "Bearer " + t, nil
}
