package httplink_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/faultproxy"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/queue/httplink/internal/refhost"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// passage is a till whose line to the host leads through a fault proxy.
type passage struct {
	*till
	proxy *faultproxy.Proxy
	fault faultproxy.Fault
	armed int
}

func newPassage(t *testing.T, server *httptest.Server, h *refhost.Host, split bufio.SplitFunc, f faultproxy.Fault, opts httplink.Options) *passage {
	t.Helper()
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	proxy, err := faultproxy.Listen(u.Host, split)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, proxy.Close()) })
	s := &till{Queue: openJournal(t), t: t, host: h, url: u.Scheme + "://" + proxy.Addr()}
	opts.AnswerTimeout = silence(t, server, opts)
	if f.For == long {
		f.For += opts.AnswerTimeout
	}
	s.connect(s.url, &opts)
	return &passage{till: s, proxy: proxy, fault: f}
}

// silence is how long a link waits for an answer: much longer than connecting and
// an answer take on this machine now, so that what no fault strikes gets through.
func silence(t *testing.T, server *httptest.Server, opts httplink.Options) time.Duration {
	t.Helper()
	began := time.Now()
	l, err := httplink.New(lane, server.URL, fakeJournal{}, &opts)
	require.NoError(t, err)
	_, err = l.Prepare(t.Context())
	require.NoError(t, err)
	took := time.Since(began)
	require.NoError(t, l.Close())
	return max(150*time.Millisecond, 10*took)
}

// strike arms the fault for the next unit that holds a request with all of these
// texts, or for the answer that comes behind it.
func (p *passage) strike(texts ...string) {
	f := p.fault
	asked := func(u []byte) bool {
		for _, x := range texts {
			if !bytes.Contains(u, []byte(x)) {
				return false
			}
		}
		return true
	}
	f.Match = asked
	if f.To == faultproxy.ToDevice {
		sign := `"answers"`
		if texts[0] == "GET " {
			sign = `"time"`
		}
		f.Match = func(u []byte) bool { return bytes.Contains(u, []byte(sign)) }
	}
	p.armed++
	p.proxy.Strike(f)
}

// drain delivers everything. What the host refuses because the message was
// damaged is looked at by a person, who lets it go on.
func (p *passage) drain() {
	ctx := p.t.Context()
	for {
		require.NoError(p.t, p.Drain(ctx, lane, p.link))
		parked := false
		for e, err := range p.All(ctx, queue.Filter{States: []queue.State{queue.Parked}}) {
			require.NoError(p.t, err)
			if e.Kind == queue.Request {
				if e.Reversal == 0 { // a damaged answer may read as a duplicate
					require.NoError(p.t, p.Resolve(ctx, e.ID, queue.Answer{Verdict: p.booked(e)}, "test", "asked the host"))
				}
				continue
			}
			parked = true
			require.NoError(p.t, p.Unpark(ctx, e.ID, "test", "the message was damaged on its way"))
		}
		if !parked {
			return
		}
	}
}

// booked is what the host's people say of an entry.
func (p *passage) booked(e queue.Entry) queue.Verdict {
	for _, b := range p.host.Bookings() {
		if b.Entry.Seq == e.ID && b.Answer.Verdict == wire.Approved {
			return queue.Approved
		}
	}
	return queue.Refused
}

// withdraw cancels the sales that were proven unsent: their customers have gone.
func (p *passage) withdraw() {
	for e, err := range p.All(p.t.Context(), queue.Filter{States: []queue.State{queue.Pending}}) {
		require.NoError(p.t, err)
		e, err = p.Reverse(p.t.Context(), e.ID)
		require.NoError(p.t, err)
		require.Equal(p.t, queue.Cancelled, e.State)
	}
}

func (p *passage) untilStruck(do func()) {
	for p.proxy.Struck() < p.armed {
		do()
		p.drain()
	}
}

// accepted takes sales until the host has accepted one.
func (p *passage) accepted() queue.Entry {
	for {
		e, err := p.Do(p.t.Context(), p.link, p.sale())
		if err == nil && e.State == queue.Accepted {
			return e
		}
		p.drain()
	}
}

// day sends one of each kind of request, each struck by the fault once.
func (p *passage) day() {
	ctx := p.t.Context()
	p.strike("GET ", wire.LinePath)
	for {
		if _, err := p.link.Prepare(ctx); err == nil {
			break
		}
	}
	p.strike(`"kind":"request"`)
	p.untilStruck(func() { _, _ = p.Do(ctx, p.link, p.sale()) })
	// A sale whose answer is lost, so that its reversal is struck.
	lose := func() {
		p.armed++
		p.proxy.Strike(faultproxy.Fault{Kind: faultproxy.Drop, To: faultproxy.ToDevice, Match: func(u []byte) bool { return bytes.Contains(u, []byte(`"answers"`)) }})
	}
	lose()
	p.strike(`"kind":"reversal"`)
	n := 0
	p.untilStruck(func() {
		if n++; n%20 == 0 {
			lose() // the first one struck another answer
		}
		_, _ = p.Do(ctx, p.link, p.sale())
	})
	told := p.told()
	p.appended(told, `"kind":"advice","op":"sale"`)
	refunded := p.accepted()
	p.appended(queue.Transaction{Ref: "refund", Lane: lane, Op: queue.Refund, Original: refunded.ID, Amount: cny(5)}, `"op":"refund"`)
	p.appended(queue.Transaction{Ref: "proof", Lane: lane, Op: queue.Report, Data: []byte("signed")}, `"kind":"notice"`)
	voided := p.accepted()
	_, err := p.Reverse(ctx, voided.ID)
	require.NoError(p.t, err)
	p.strike(`"op":"void"`)
	p.drain()
	// Several in one request.
	p.strike(`"entries":[{"key"`)
	for p.proxy.Struck() < p.armed {
		for range 8 {
			p.till.append(p.told())
		}
		p.drain()
	}
}

func (p *passage) appended(x queue.Transaction, texts ...string) {
	p.strike(texts...)
	p.till.append(x)
	p.drain()
	require.Equal(p.t, p.armed, p.proxy.Struck())
}

// long is beyond the wait for an answer.
const endOfUnit, soon, long = 1 << 20, 10 * time.Millisecond, 100 * time.Millisecond

var kindsOfFault = []faultproxy.Fault{
	{Kind: faultproxy.Cut, At: 0}, {Kind: faultproxy.Cut, At: 1}, {Kind: faultproxy.Cut, At: 150}, {Kind: faultproxy.Cut, At: -1}, {Kind: faultproxy.Cut, At: endOfUnit},
	{Kind: faultproxy.Reset, At: 0}, {Kind: faultproxy.Reset, At: endOfUnit},
	{Kind: faultproxy.Truncate, At: 1}, {Kind: faultproxy.Truncate, At: -1},
	{Kind: faultproxy.Corrupt, At: 0}, {Kind: faultproxy.Corrupt, At: 9}, {Kind: faultproxy.Corrupt, At: 100}, {Kind: faultproxy.Corrupt, At: -60}, {Kind: faultproxy.Corrupt, At: -1},
	{Kind: faultproxy.Duplicate}, {Kind: faultproxy.Drop},
	{Kind: faultproxy.Delay, For: soon}, {Kind: faultproxy.Delay, For: long}, {Kind: faultproxy.Trickle, At: 400, For: time.Millisecond},
	{Kind: faultproxy.BlackHole, At: 0}, {Kind: faultproxy.BlackHole, At: endOfUnit}, {Kind: faultproxy.HalfOpen, At: 20}, {Kind: faultproxy.HalfOpen, At: endOfUnit},
}

// Every fault on every kind of request, either way, ends with both ledgers equal.
func TestEveryFaultOnEveryRequest(t *testing.T) {
	days := map[string]func(*testing.T){}
	for _, to := range []faultproxy.Direction{faultproxy.ToHost, faultproxy.ToDevice} {
		for i, f := range kindsOfFault {
			if testing.Short() && i%4 != int(to) {
				continue
			}
			f.To = to
			days[fmt.Sprintf("%s at %d for %s %s", f.Kind, f.At, f.For, to)] = func(t *testing.T) {
				// Without a coding the proxy can tell one kind from another.
				h := &refhost.Host{Line: func(l *wire.Line) { l.Codings = nil }}
				server := httptest.NewServer(readable(h))
				t.Cleanup(server.Close)
				p := newPassage(t, server, h, nil, f, httplink.Options{Plain: true})
				p.day()
				require.Equal(t, p.armed, p.proxy.Struck(), "each armed fault has struck")
				p.withdraw()
				p.agree()
			}
		}
	}
	sideBySide(t, days)
}

// Over TLS, by HTTP/1.1 and HTTP/2, a fault strikes whatever record comes by.
func TestFaultsOverTLS(t *testing.T) {
	days := map[string]func(*testing.T){}
	for _, h2 := range []bool{false, true} {
		for _, to := range []faultproxy.Direction{faultproxy.ToHost, faultproxy.ToDevice} {
			for i, f := range []faultproxy.Fault{
				{Kind: faultproxy.Cut, At: 7}, {Kind: faultproxy.Cut, At: endOfUnit}, {Kind: faultproxy.Reset, At: -1}, {Kind: faultproxy.Truncate, At: -1},
				{Kind: faultproxy.Corrupt, At: 0}, {Kind: faultproxy.Corrupt, At: -1}, {Kind: faultproxy.Duplicate}, {Kind: faultproxy.Drop},
				{Kind: faultproxy.Delay, For: long}, {Kind: faultproxy.BlackHole, At: 7}, {Kind: faultproxy.HalfOpen, At: endOfUnit},
			} {
				if testing.Short() && i%4 != int(to) {
					continue
				}
				f.To = to
				days[fmt.Sprintf("%s at %d %s, HTTP/2 %t", f.Kind, f.At, to, h2)] = func(t *testing.T) {
					h := &refhost.Host{}
					server, client := secured(t, h, h2)
					p := newPassage(t, server, h, faultproxy.Records, f, httplink.Options{TLS: client})
					f := p.fault
					for i := range 6 {
						passing := 0
						f.Match = func([]byte) bool { passing++; return passing > i }
						p.armed++
						p.proxy.Strike(f)
						p.till.append(p.told())
						p.untilStruck(func() { _, _ = p.Do(t.Context(), p.link, p.sale()) })
					}
					p.withdraw()
					p.agree()
				}
			}
		}
	}
	sideBySide(t, days)
}

// sideBySide runs tests that mostly wait, eight at once whatever the number of
// processors.
func sideBySide(t *testing.T, tests map[string]func(*testing.T)) {
	places := make(chan struct{}, 8)
	var all sync.WaitGroup
	for name, test := range tests {
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			t.Run(name, test)
		})
	}
	all.Wait()
}

// While the port refuses, sales go on offline; all of it arrives.
func TestARefusedPort(t *testing.T) {
	h := &refhost.Host{}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	p := newPassage(t, server, h, nil, faultproxy.Fault{}, httplink.Options{Plain: true, AskAfter: time.Nanosecond})
	ctx := t.Context()
	p.accepted()
	p.proxy.Refuse()
	_, err := p.link.Prepare(ctx)
	for err == nil {
		_, err = p.link.Prepare(ctx)
	}
	for {
		var line *httplink.LineError
		require.ErrorAs(t, err, &line)
		if line.Reason == httplink.ConnRefused {
			break
		}
		_, err = p.link.Prepare(ctx) // the end of the old connection is seen first
	}
	_, err = p.Do(ctx, p.link, p.sale())
	require.ErrorIs(t, err, queue.ErrNotSent)
	told := p.till.append(p.told())
	require.NoError(t, p.proxy.Admit())
	p.drain()
	require.Equal(t, queue.Accepted, p.state(told.ID).State)
	p.withdraw()
	p.agree()
}

// The session is resumed over reconnects, also after a handshake that broke.
func TestReconnectsAreResumed(t *testing.T) {
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", h2), func(t *testing.T) {
			ca := newAuthority(t)
			server := httptest.NewUnstartedServer(&refhost.Host{})
			server.TLS, server.EnableHTTP2 = ca.demand(t), h2
			resumed := make(chan bool, 16)
			server.TLS.VerifyConnection = func(s tls.ConnectionState) error { resumed <- s.DidResume; return nil }
			server.Config.ErrorLog = quiet()
			server.StartTLS()
			t.Cleanup(server.Close)
			proxy, err := faultproxy.Listen(server.Listener.Addr().String(), faultproxy.Records)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, proxy.Close()) })
			l, err := httplink.New(lane, "https://"+proxy.Addr(), fakeJournal{}, &httplink.Options{AskAfter: time.Nanosecond,
				TLS: &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{ca.device(t)}}})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, l.Close()) })
			lose := func() { // the line, and see it
				proxy.Refuse()
				for {
					if _, err := l.Prepare(t.Context()); err != nil && reasonOf(t, err) == httplink.ConnRefused {
						break
					}
				}
				require.NoError(t, proxy.Admit())
			}
			_, err = l.Prepare(t.Context())
			require.NoError(t, err)
			require.False(t, <-resumed)
			for _, struck := range []bool{false, true, true} {
				lose()
				if struck {
					proxy.Strike(faultproxy.Fault{Kind: faultproxy.Cut, To: faultproxy.ToDevice, At: 3})
					_, err = l.Prepare(t.Context())
					require.Error(t, err)
				}
				_, err = l.Prepare(t.Context())
				require.NoError(t, err)
				require.NotEmpty(t, resumed)
				for len(resumed) > 0 {
					require.True(t, <-resumed, "what broke did not cost a full handshake")
				}
			}
		})
	}
}

// secured is a server of mutual TLS 1.3, and how a device meets it.
func secured(t *testing.T, h *refhost.Host, h2 bool) (*httptest.Server, *tls.Config) {
	t.Helper()
	ca := newAuthority(t)
	server := httptest.NewUnstartedServer(h)
	server.TLS = ca.demand(t)
	server.EnableHTTP2 = h2
	server.Config.ErrorLog = quiet()
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{ca.device(t)}}
}
