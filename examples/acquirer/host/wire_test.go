package host

import (
	"bytes"
	"crypto/rand"
	"io"
	"log/slog"
	"net"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
)

// Whatever is not a request closes its connection, and only that. A frame that
// does not end is waited for, here by a host that has little time.
func TestBadFrames(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	hasty := start(t, Config{FrameTimeout: 50 * time.Millisecond})
	good := open(t, s.Addr().String())
	noise := make([]byte, 900)
	rand.Read(noise)
	sale := good.frame(good.sale(100))
	answer := bytes.Clone(sale)
	answer[2+5+6+1] = 0x10
	for name, frame := range map[string][]byte{
		"garbage":          append([]byte{0x03, 0x84}, noise...),
		"half a frame":     sale[:len(sale)/2],
		"half a length":    sale[:1],
		"a huge length":    append([]byte{0xFF, 0xFF}, noise...),
		"a tiny length":    {0x00, 0x03, 0x60, 0x00, 0x03},
		"no length at all": []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"an answer":        answer,
		"trailing bytes":   append([]byte{sale[0], sale[1] + 2}, append(bytes.Clone(sale[2:]), 0, 0)...),
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, s.Addr().String())
			_, err := c.Write(frame)
			require.NoError(t, err)
			if strings.HasPrefix(name, "half") {
				c = dial(t, hasty.Addr().String())
				_, err = c.Write(frame)
				require.NoError(t, err)
			}
			c.gone()
		})
	}
	require.Equal(t, "00", good.codeOf(good.sale(100)), "others are not disturbed")
	require.Len(t, stopAndRead(t, s).Bookings, 1)
}

// A field that a terminal fills with nonsense is refused, not fatal.
func TestNonsenseInFields(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	p := open(t, s.Addr().String())
	sale := p.sale(5)
	answered := p.ask(sale)
	for de, v := range map[int]string{3: "990000", 11: "000000", 61: "1"} {
		m := p.void(sale, answered)
		p.set(m, de, v)
		require.Equal(t, "30", p.codeOf(m), "DE %d", de)
	}
	m := p.settle(codec.Totals48{})
	p.set(m, 48, "12")
	require.Equal(t, "30", p.codeOf(m))
	m = p.details(codec.Details48{{STAN: 1, Amount: 1}})
	p.set(m, 48, "99")
	require.Equal(t, "30", p.codeOf(m))
	require.Equal(t, "40", p.codeOf(p.message(0x0100, codec.Private60{Type: codec.TypePreAuth, Batch: p.batch})))
	short := p.echo()
	p.set(short, 60, "123")
	require.Equal(t, "30", p.codeOf(short))
	require.Equal(t, "00", p.codeOf(p.sale(100)))
}

// A request that cannot be answered is taken back; the host goes on.
func TestWhatCannotBeAnsweredIsNotBooked(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	err := s.update(func(b books) error {
		require.NoError(t, b.saveTombstone(&Tombstone{}))
		return errNoMessage
	})
	require.ErrorIs(t, err, errNoMessage)
	p := open(t, s.Addr().String())
	require.Equal(t, "00", p.codeOf(p.sale(1)))
	require.Empty(t, stopAndRead(t, s).Tombstones)
}

func TestConnectionsAreBounded(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t), MaxConns: 2})
	a, b := open(t, s.Addr().String()), dial(t, s.Addr().String())
	require.Equal(t, "00", b.codeOf(b.echo()))
	dial(t, s.Addr().String()).gone()
	require.Equal(t, "00", a.codeOf(a.echo()))
}

func TestIdleConnectionsEnd(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t), IdleTimeout: time.Millisecond})
	dial(t, s.Addr().String()).gone()
}

// Many messages in one write are answered one after the other, in order.
func TestPipelined(t *testing.T) {
	s := start(t, Config{Ledger: ledgerPath(t)})
	p := open(t, s.Addr().String())
	var all []byte
	for range 20 {
		all = append(all, p.frame(p.sale(100))...)
	}
	_, err := p.Write(all)
	require.NoError(t, err)
	for i := range 20 {
		require.Equal(t, i+2, stanOf(p.receive()))
	}
	require.Len(t, stopAndRead(t, s).Bookings, 20)
}

// lines is a log that several goroutines write.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var longNumber = regexp.MustCompile(`[0-9]{13,}`)

// Neither log nor ledger file holds a card number, and the log no key.
func TestNoCardNumberAnywhere(t *testing.T) {
	var log lines
	s := start(t, Config{Ledger: ledgerPath(t), Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	p := open(t, s.Addr().String())
	sale := p.sale(100)
	a := p.ask(sale)
	stripe := p.transaction(mtiFinancial, codec.TypeSale, "000000", "021", 100)
	p.set(stripe, 35, testVisa+"=30121010000000000000")
	require.Equal(t, "00", p.codeOf(stripe))
	conflict := p.sale(101)
	p.set(conflict, 11, six(stanOf(sale)))
	p.codeOf(conflict)
	p.codeOf(p.refund(sale, a, 1))
	p.codeOf(p.offline(100, testCard))
	buried := p.sale(100)
	p.codeOf(p.reversal(buried))
	p.ask(p.settle(codec.Totals48{}))
	p.codeOf(p.details(codec.Details48{detailOf(t, p.sale(7)), detailOf(t, sale)}))
	bad := p.frame(p.sale(100))
	bad[len(bad)-30] ^= 0x0F
	_, err := p.Write(bad)
	require.NoError(t, err)
	_, err = p.Write(bad[:len(bad)/2])
	require.NoError(t, err)
	require.NoError(t, p.Conn.(*net.TCPConn).CloseWrite())
	io.Copy(io.Discard, p)

	l := stopAndRead(t, s)
	require.NotEmpty(t, l.Bookings)
	text := log.String()
	require.Contains(t, text, "0200")
	for _, found := range longNumber.FindAllString(text, -1) {
		t.Errorf("%d digits in the log", len(found))
	}
	file := readFile(t, s.cfg.Ledger)
	for _, card := range []string{testCard, testVisa} {
		require.NotContains(t, text, card)
		require.NotContains(t, file, card)
	}
}

// When a host is closed nothing of it is left running.
func TestNothingIsLeftRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	s := start(t, Config{Mischief: Mischief{Late: 1, LateBy: time.Hour, Only: []codec.MTI{mtiFinancial}, DownEvery: time.Hour, DownFor: time.Hour}})
	for range 5 {
		p := open(t, s.Addr().String())
		p.send(p.sale(1))
		require.Equal(t, "00", p.codeOf(p.echo()))
	}
	require.NoError(t, s.Close())
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, patience, time.Millisecond,
		"the goroutine that Eventually itself runs is one")
	require.NoDirExists(t, s.temp)
}
