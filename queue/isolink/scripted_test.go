package isolink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

var lane = queue.Lane{Host: "h", Merchant: "898100000000001", Terminal: "10000001"}

// The secrets of the tests' cards; none may show in an error or an event.
const (
	secretTrack = "6216261000000000018=30122010000000000"
	secretCode  = "6212345678901234567"
	secretPIN   = "0123456789ABCDEF"
)

// scripted is a host on a TCP port that does what a test tells it. It signs in
// whoever asks, unless the script takes the 0800 itself.
type scripted struct {
	t      *testing.T
	ln     net.Listener
	tmk    *codec.MasterKey
	script func(*asked) // nil: approve

	mu     sync.Mutex
	mak    []byte
	keys   byte
	batch  int
	seen   []*codec.Message
	bodies [][]byte
	conns  []net.Conn
	texts  []string // all errors and events
	events []isolink.Event
}

// asked is one message that came, and the connection it came on.
type asked struct {
	*codec.Message
	h     *scripted
	conn  net.Conn
	frame codec.Frame
}

func newScripted(t *testing.T, script func(*asked)) *scripted {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return serveScript(t, ln, script)
}

func masterKey(t testing.TB) *codec.MasterKey {
	t.Helper()
	tmk, err := codec.NewMasterKey(bytes.Repeat([]byte{0x11}, 16))
	require.NoError(t, err)
	return tmk
}

// serveScript runs a scripted host on ln.
func serveScript(t *testing.T, ln net.Listener, script func(*asked)) *scripted {
	t.Helper()
	h := &scripted{t: t, ln: ln, tmk: masterKey(t), script: script, batch: 42}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			h.mu.Lock()
			h.conns = append(h.conns, c)
			h.mu.Unlock()
			all.Go(func() { h.serve(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		h.mu.Lock()
		for _, c := range h.conns {
			c.Close()
		}
		h.mu.Unlock()
		all.Wait()
		h.noSecrets()
	})
	return h
}

func (h *scripted) serve(c net.Conn) {
	defer c.Close()
	for {
		frame, err := codec.Framing{}.Read(c, nil)
		if err != nil {
			return
		}
		m, err := codec.UnionPay().Decode(frame.Body)
		if err != nil {
			return
		}
		h.mu.Lock()
		h.seen, h.bodies = append(h.seen, m), append(h.bodies, frame.Body)
		script := h.script
		h.mu.Unlock()
		a := &asked{m, h, c, frame}
		if script != nil {
			script(a)
		} else {
			a.answer("00", nil)
		}
	}
}

// answer answers as a good host does, after change has had its way.
func (a *asked) answer(code string, change func(m *codec.Message)) { a.write(a.reply(code, change)) }

func (a *asked) reply(code string, change func(m *codec.Message)) []byte {
	m := codec.NewMessage(codec.UnionPay(), a.Type().Response())
	for _, de := range []int{3, 4, 11, 41, 42, 48, 49, 60} {
		if v, ok := a.Text(de); ok {
			a.must(m.Set(de, v))
		}
	}
	for de, v := range map[int]string{12: "235959", 13: "1231", 37: "000000000777", 39: code} {
		a.must(m.Set(de, v))
	}
	if v, _ := a.Text(60); a.Type() == 0x0800 && code == "00" && !strings.HasPrefix(v[8:], "36") {
		a.h.newKeys(m)
	}
	if change != nil {
		change(m)
	}
	return a.seal(m, a.Type() < 0x0300 || a.Type() == 0x0400)
}

// seal encodes and frames a message, with a MAC of the session's key if it has
// none and signed says so.
func (a *asked) seal(m *codec.Message, signed bool) []byte {
	body, err := codec.UnionPay().Append(nil, m)
	a.must(err)
	if signed && !m.Has(64) {
		a.h.mu.Lock()
		mac, err := codec.NewECBMAC(a.h.mak)
		a.h.mu.Unlock()
		a.must(err)
		body, err = codec.UnionPay().AppendMAC(nil, m, mac)
		a.must(err)
	}
	wire, err := codec.Framing{}.Append(nil, codec.Frame{TPDU: a.frame.TPDU.Swap(), Header: a.frame.Header, Body: body})
	a.must(err)
	return wire
}

func (a *asked) write(b []byte) { _, _ = a.conn.Write(b) }

func (a *asked) must(err error) {
	if err != nil {
		panic(err)
	}
}

// newKeys gives a sign-in's answer fresh working keys and the batch number.
func (h *scripted) newKeys(m *codec.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keys += 2
	h.mak = bytes.Repeat([]byte{0x20 + h.keys}, 8)
	pin, err := h.tmk.Wrap(bytes.Repeat([]byte{0x40 + h.keys}, 16))
	if err == nil {
		var mac codec.WrappedKey
		mac, err = h.tmk.Wrap(h.mak)
		err = errors.Join(err, m.SetValue(62, codec.WorkingKeys{PIN: pin, MAC: mac}))
	}
	if err = errors.Join(err, m.SetValue(60, codec.Private60{Batch: h.batch, Network: 3})); err != nil {
		panic(err)
	}
}

// behave gives the host another script; nil: approve.
func (h *scripted) behave(script func(*asked)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.script = script
}

// total is how many messages came.
func (h *scripted) total() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.seen)
}

// count is how many messages of a type came.
func (h *scripted) count(t codec.MTI) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.seen {
		if m.Type() == t {
			n++
		}
	}
	return n
}

func (h *scripted) last() (*codec.Message, []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[len(h.seen)-1], h.bodies[len(h.bodies)-1]
}

func (h *scripted) told(k isolink.EventKind) (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ev := range h.events {
		if ev.Kind == k {
			n++
		}
	}
	return n
}

// note keeps what was shown, for noSecrets.
func (h *scripted) note(shown any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.texts = append(h.texts, fmt.Sprintf("%v %+v %#v", shown, shown, shown))
}

// event is what a link tells.
func (h *scripted) event(ev isolink.Event) {
	shown := ev
	shown.Time = time.Time{} // its nanoseconds may be any digits
	h.note(shown)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.events = append(h.events, ev)
}

func (h *scripted) noSecrets() {
	key := strings.Repeat("11", 16)
	for _, text := range h.texts {
		for _, s := range []string{testPAN, testPAN[6:15], secretTrack[20:], secretCode, secretPIN, key, "deadbeef"} {
			require.NotContains(h.t, text, s)
		}
	}
}

// series gives trace numbers from 900001 on.
type series struct {
	mu sync.Mutex
	n  queue.STAN
}

func (s *series) NextSTAN(context.Context, queue.Lane) (queue.STAN, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	return 900000 + s.n, nil
}

// link returns a link to h that is closed at the end of the test.
func (h *scripted) link(opts *isolink.Options) *isolink.Link {
	h.t.Helper()
	o := patient(opts)
	o.OnEvent = h.event
	l, err := isolink.New(lane, isolink.TCP(h.ln.Addr().String()), new(series), h.tmk, o)
	require.NoError(h.t, err)
	h.t.Cleanup(func() { require.NoError(h.t, l.Close()) })
	return l
}

// dialled is how many connections came.
func (h *scripted) dialled() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// plenty is a limit that only ends what hangs: no machine is so slow.
const plenty = 2 * time.Minute

// patient gives a link plenty of time to connect and to sign in, where o does
// not say how much.
func patient(o *isolink.Options) *isolink.Options {
	var p isolink.Options
	if o != nil {
		p = *o
	}
	if p.TryTimeout == 0 {
		p.TryTimeout = plenty
	}
	if p.LineTimeout == 0 {
		p.LineTimeout = 2 * plenty
	}
	return &p
}

// expiring is a ctx whose time is over when a test says so.
type expiring struct {
	context.Context
	over chan struct{}
	once sync.Once
}

func newExpiring() *expiring {
	return &expiring{Context: context.Background(), over: make(chan struct{})}
}

func (e *expiring) expire() { e.once.Do(func() { close(e.over) }) }

func (e *expiring) Done() <-chan struct{} { return e.over }

func (e *expiring) Err() error {
	select {
	case <-e.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// send prepares, then sends e.
func (h *scripted) send(l *isolink.Link, e queue.Entry) (queue.Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), plenty)
	defer cancel()
	if _, err := l.Prepare(ctx); err != nil {
		h.note(err)
		return queue.Answer{}, fmt.Errorf("prepare: %w", err)
	}
	a, err := l.Send(ctx, e)
	if err != nil {
		h.note(err)
	}
	return a, err
}

// fieldsOf writes a message as text, without its MAC.
func fieldsOf(m *codec.Message) string {
	s := m.Type().String()
	for de := range m.Fields {
		if v, _ := m.Text(de); de != 64 {
			s += " " + strconv.Itoa(de) + "=" + v
		}
	}
	return s
}

func entry(kind queue.Kind, op queue.Op, tender queue.Tender) queue.Entry {
	return queue.Entry{ID: 7, Kind: kind, STAN: 7, HostBatch: 42,
		Transaction: queue.Transaction{Ref: "r", Lane: lane, Op: op, Tender: tender, Amount: fen(1250),
			Time: time.Date(2026, 3, 4, 23, 30, 0, 0, time.UTC)}}
}

// cardEntry is a sale by card, asked for.
func cardEntry() queue.Entry {
	e := entry(queue.Request, queue.Sale, queue.CardTender)
	e.EntryMode = "052"
	e.Card = queue.Card{PAN: queue.NewSecret(testPAN), Expiry: queue.NewSecret("3012"), Sequence: "1"}
	return e
}
