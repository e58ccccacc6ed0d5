package isolink_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
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

// isoHost is a host of ISO 8583:1987 or 1993 with books in memory: it signs on,
// books each trace number once, takes reversals before their originals, and
// compares totals by currency. It shares no code with the link.
type isoHost struct {
	t       *testing.T
	ln      net.Listener
	spec    *codec.Spec
	iso1993 bool

	mu     sync.Mutex
	books  map[string]*isoBooking // by STAN
	agreed map[string]string      // totals, by batch and currency
	seen   []string               // messages, without their times
	forget int                    // answer so many sales without booking them
	lose   int                    // book so many messages and hang up without answering them
	change func(m *codec.Message) // has its way with each answer
	rough  bool                   // messages may come damaged
}

type isoBooking struct {
	amount           int64
	currency, kind   string // kind: the processing code
	reversed, closed bool
}

func newISOHost(t *testing.T, style isolink.Style) *isoHost {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	h := &isoHost{t: t, ln: ln, spec: codec.ISO1987ASCII(), books: map[string]*isoBooking{}, agreed: map[string]string{}}
	if style == isolink.ISO1993 {
		h.spec, h.iso1993 = codec.ISO1993ASCII(), true
	}
	var all sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { c.Close() })
			all.Go(func() { h.serve(c) })
		}
	})
	t.Cleanup(func() { ln.Close(); stop(); all.Wait() })
	return h
}

func (h *isoHost) serve(c net.Conn) {
	defer c.Close()
	framing := codec.Framing{NoTPDU: true, NoHeader: true}
	for {
		frame, err := framing.Read(c, nil)
		if err != nil {
			return
		}
		m, err := h.spec.Decode(frame.Body)
		if err != nil {
			if !h.rough {
				h.t.Errorf("the host cannot read a message: %v", err)
			}
			return
		}
		h.mu.Lock()
		a := codec.NewMessage(h.spec, m.Type().Response())
		for _, de := range []int{3, 4, 7, 11, 41, 42, 49, 50} {
			if v, ok := m.Text(de); ok {
				h.must(a.Set(de, v))
			}
		}
		h.seen = append(h.seen, shape(m))
		code := h.decide(m, a)
		if h.iso1993 {
			code = map[string]string{"00": "000", "94": "913", "25": "914", "95": "501", "sign": "800", "told": "900", "back": "400", "even": "500"}[code]
		} else if len(code) > 2 {
			code = "00"
		}
		h.must(a.Set(39, code))
		if h.change != nil {
			h.change(a)
		}
		answers := h.lose == 0 || m.Type()&0x0F00 == 0x0800
		if !answers {
			h.lose--
		}
		h.mu.Unlock()
		body, err := h.spec.Append(nil, a)
		h.must(err)
		wire, err := framing.Append(nil, codec.Frame{Body: body})
		h.must(err)
		if !answers {
			return
		}
		_, _ = c.Write(wire)
	}
}

func (h *isoHost) must(err error) {
	if err != nil {
		h.t.Error(err)
	}
}

func val(m *codec.Message, de int) string {
	v, _ := m.Text(de)
	return v
}

// shape is a message without its times and its card.
func shape(m *codec.Message) string {
	s := m.Type().String()
	for de := range m.Fields {
		if de == 2 || de == 7 || de == 12 || de == 13 || de == 14 || de == 28 {
			s += " " + strconv.Itoa(de)
		} else {
			s += " " + strconv.Itoa(de) + "=" + strings.TrimRight(val(m, de), " ")
		}
	}
	return s
}

// decide books, and returns a code of 1987 or a word that has one in 1993.
func (h *isoHost) decide(m, a *codec.Message) string {
	switch m.Type().Unrepeated() & 0x0FFF {
	case 0x0800, 0x0804:
		return "sign"
	case 0x0200, 0x0220:
		return h.book(m, a)
	case 0x0420:
		b := h.books[val(m, 11)]
		if b == nil { // a tombstone: the original is refused when it comes later
			b = &isoBooking{}
			h.books[val(m, 11)] = b
		}
		b.reversed = true
		return "back"
	case 0x0500, 0x0520:
		return h.compare(m, a)
	}
	return "25"
}

func (h *isoHost) book(m, a *codec.Message) string {
	if h.books[val(m, 11)] != nil {
		return "94"
	}
	amount, _ := strconv.ParseInt(val(m, 4), 10, 64)
	b := &isoBooking{amount: amount, currency: val(m, 49), kind: val(m, 3)}
	h.must(a.Set(37, fmt.Sprintf("R%011s", val(m, 11))))
	h.must(a.Set(38, "A"+val(m, 11)[1:]))
	if h.forget > 0 && m.Type()&0x0FFF == 0x0200 {
		h.forget--
		return "00"
	}
	h.books[val(m, 11)] = b
	if m.Type()&0x00F0 == 0x20 {
		return "told"
	}
	return "00"
}

// compare gives the host's totals of a currency and, in 1987, DE 66. What it has
// agreed to it agrees to again.
func (h *isoHost) compare(m, a *codec.Message) string {
	batch := val(m, 71) + val(m, 28) + val(m, 29) + " " + val(m, 50)
	told := val(m, 76) + val(m, 88) + val(m, 97)
	if h.agreed[batch] == told {
		if !h.iso1993 {
			h.must(a.Set(66, "1"))
		}
		return "even"
	}
	var counts, sums [2]int64 // credits, debits
	for _, b := range h.books {
		if b.currency != val(m, 50) || b.reversed || b.closed {
			continue
		}
		i := 0
		if b.kind == "000000" {
			i = 1
		}
		counts[i]++
		sums[i] += b.amount
	}
	net, sign := sums[0]-sums[1], "C"
	if net < 0 {
		net, sign = -net, "D"
	}
	even := true
	for de, v := range map[int]string{74: fmt.Sprintf("%010d", counts[0]), 76: fmt.Sprintf("%010d", counts[1]), 86: fmt.Sprintf("%016d", sums[0]),
		88: fmt.Sprintf("%016d", sums[1]), 97: fmt.Sprintf("%s%016d", sign, net)} {
		even = even && val(m, de) == v
		h.must(a.Set(de, v))
	}
	for _, de := range []int{75, 77} {
		even = even && val(m, de) == "0000000000"
	}
	if !h.iso1993 {
		h.must(a.Set(66, map[bool]string{true: "1", false: "2"}[even]))
	}
	if !even {
		return "95"
	}
	h.agreed[batch] = told
	for _, b := range h.books {
		b.closed = b.closed || b.currency == val(m, 50)
	}
	return "even"
}

// isoTill is a journal and its link to an ISO host.
type isoTill struct {
	*queue.Queue
	host *isoHost
	link *isolink.Link
}

func newISOTill(t *testing.T, style isolink.Style, o isolink.Options) *isoTill {
	t.Helper()
	s := &isoTill{host: newISOHost(t, style)}
	var err error
	s.Queue, err = queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true,
		AnswerTimeout: plenty, PrepareTimeout: 2 * plenty, RetryMin: time.Millisecond, RetryMax: 10 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	o.Style, o.Institution = style, "123456"
	s.link, err = isolink.New(cardLane, isolink.TCP(s.host.ln.Addr().String()), s.Queue, nil, patient(&o))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.link.Close()) })
	return s
}

func (s *isoTill) sell(t *testing.T, ref string, fen int64) queue.Entry {
	t.Helper()
	e, err := s.Do(t.Context(), s.link, cardSale(ref, fen))
	require.NoError(t, err)
	require.Equal(t, queue.Accepted, e.State)
	return e
}
