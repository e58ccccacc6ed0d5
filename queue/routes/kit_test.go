package routes

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

var (
	bg      = context.Background()
	lane    = queue.Lane{Host: "acquirer", Merchant: "104110048161234", Terminal: "10000001"}
	errDown = errors.New("the route is down")
)

// way is a route in a test: an uplink whose ways to fail are set.
type way struct {
	mu       sync.Mutex
	noLine   bool
	send     error // of Send
	refuse   error // of Prepare
	line     queue.Line
	prepares int
	sends    []queue.Entry
	inside   int
	most     int
	closed   int
	pace     time.Duration
}

func (w *way) enter() func() {
	w.mu.Lock()
	w.inside++
	w.most = max(w.most, w.inside)
	pace := w.pace
	w.mu.Unlock()
	time.Sleep(pace)
	return func() {
		w.mu.Lock()
		w.inside--
		w.mu.Unlock()
	}
}

func (w *way) set(noLine bool, send error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noLine, w.send = noLine, send
}

func (w *way) Prepare(ctx context.Context) (queue.Line, error) {
	defer w.enter()()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.prepares++
	if w.noLine {
		return queue.Line{}, errDown
	}
	return w.line, w.refuse
}

func (w *way) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	defer w.enter()()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.noLine {
		return queue.Answer{}, fmt.Errorf("%w: %w", queue.ErrNotSent, errDown)
	}
	w.sends = append(w.sends, e)
	if w.send != nil {
		return queue.Answer{}, w.send
	}
	return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
}

func (w *way) Close() error { w.closed++; return nil }

func (w *way) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.sends)
}

// seen keeps the events.
type seen struct {
	mu  sync.Mutex
	all []Event
}

func (s *seen) on(ev Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, ev)
}

func (s *seen) kinds() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ev := range s.all {
		text := ev.Kind.String() + " " + ev.Route
		if ev.To != "" {
			text += " for " + ev.To
		}
		out = append(out, text)
	}
	s.all = nil
	return out
}

func two(t *testing.T, o Options) (u *Uplink, a, b *way, events *seen) {
	a, b, events = &way{}, &way{}, &seen{}
	o.OnEvent = events.on
	u, err := New(&o, Route{Name: "a", Uplink: a}, Route{Name: "b", Uplink: b})
	require.NoError(t, err)
	return u, a, b, events
}

func inUse(u interface{ Health() []Health }) string {
	for _, h := range u.Health() {
		if h.InUse {
			return h.Name
		}
	}
	return ""
}

// ledger is a host that both routes lead to.
type ledger struct {
	mu   sync.Mutex
	refs map[queue.STAN]string // "" was reversed
}

func newLedger() *ledger { return &ledger{refs: map[queue.STAN]string{}} }

func (h *ledger) book(e queue.Entry) queue.Answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	ref, known := h.refs[e.STAN]
	switch {
	case e.Kind == queue.Reversal:
		h.refs[e.STAN] = ""
		return queue.Answer{Verdict: queue.Approved, Code: "00"}
	case !known:
		h.refs[e.STAN] = e.Ref
		return queue.Answer{Verdict: queue.Approved, Code: "00"}
	case ref == "":
		return queue.Answer{Verdict: queue.Refused, Code: "12"}
	}
	return queue.Answer{Verdict: queue.Duplicate, Code: "94"}
}

func (h *ledger) stands(e queue.Entry) bool { return h.refs[e.STAN] == e.Ref }

// faulty is a route to it on which every way to fail comes round.
type faulty struct {
	host *ledger
	n    int
	sent int
}

func (f *faulty) Prepare(context.Context) (queue.Line, error) {
	if f.n++; f.n%11 == 0 {
		return queue.Line{}, errDown
	}
	return queue.Line{}, nil
}

func (f *faulty) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	switch f.n++; f.n % 7 {
	case 1:
		return queue.Answer{}, queue.ErrNotSent
	case 3:
		return queue.Answer{}, errDown
	case 5:
		f.host.book(e)
		return queue.Answer{}, errDown
	}
	f.sent++
	return f.host.book(e), nil
}

func sale(i int) queue.Transaction {
	return queue.Transaction{Ref: fmt.Sprint("s", i), Lane: lane, Op: queue.Sale, Tender: queue.CardTender, EntryMode: "051",
		Amount: queue.Money{Minor: 1250, Currency: queue.CNY}, Card: queue.Card{PAN: queue.NewSecret("6221558812340000"), Expiry: queue.NewSecret("3012")}}
}

func testCertificate(t *testing.T) tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, &key.PublicKey, key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
