package isolink_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/internal/faultproxy"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

// journal opens a journal and appends n entries to be told.
func journal(tb testing.TB, n int) *queue.Queue {
	tb.Helper()
	q, err := queue.Open(filepath.Join(tb.TempDir(), "journal"), nil, &queue.Options{Unsealed: true, BatchLimit: 2 * n,
		AnswerTimeout: plenty, PrepareTimeout: plenty, RetryMin: 10 * time.Millisecond, RetryMax: time.Second})
	require.NoError(tb, err)
	tb.Cleanup(func() { require.NoError(tb, q.Close()) })
	for i := range n {
		told := cardSale(fmt.Sprint("told-", i), int64(1+i))
		told.Approval = "Y1"
		_, err := q.Append(tb.Context(), told)
		require.NoError(tb, err)
	}
	return q
}

// approver is a host without a ledger: it signs in and approves, and does
// nothing else.
func approver(tb testing.TB) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	tb.Cleanup(func() { ln.Close() })
	tmk := masterKey(tb)
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				h := &scripted{tmk: tmk, batch: 42}
				in := bufio.NewReader(c)
				for {
					frame, err := codec.Framing{}.Read(in, nil)
					if err != nil {
						return
					}
					m, err := codec.UnionPay().Decode(frame.Body)
					if err != nil {
						return
					}
					(&asked{m, h, c, frame}).answer("00", nil)
				}
			}()
		}
	}()
	return ln.Addr().String()
}

// BenchmarkDrain delivers 10,000 entries over loopback, each synced before its
// first byte and each answer synced, as a terminal with a window of 1 and as a
// gateway's.
func BenchmarkDrain(b *testing.B) {
	for _, window := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprint("window=", window), func(b *testing.B) {
			const n = 10_000
			address := approver(b)
			for b.Loop() {
				b.StopTimer()
				q := journal(b, n)
				l, err := isolink.New(cardLane, isolink.TCP(address), q, masterKey(b), &isolink.Options{Window: window})
				require.NoError(b, err)
				b.StartTimer()
				require.NoError(b, q.Drain(b.Context(), cardLane, l))
				b.StopTimer()
				require.NoError(b, l.Close())
				delivered(b, q, n)
				b.StartTimer()
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

func delivered(tb testing.TB, q *queue.Queue, n int) {
	tb.Helper()
	for e, err := range q.All(tb.Context(), queue.Filter{}) {
		require.NoError(tb, err)
		require.Equal(tb, queue.Accepted, e.State, e.Ref)
		n--
	}
	require.Zero(tb, n)
}

// A hundred entries, one at a time, over a line of 300 ms round trip on which
// each twentieth exchange costs its connection, at any byte of the request or of
// the answer.
func TestABadLine(t *testing.T) {
	if os.Getenv("TALLYSTICK_LONG") == "" {
		t.Skip("it takes most of a minute: set TALLYSTICK_LONG=1")
	}
	s, err := host.Listen(host.Config{})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background()) }()
	defer func() {
		require.NoError(t, s.Close())
		require.NoError(t, <-served)
	}()
	proxy, err := faultproxy.Listen(s.Addr().String(), faultproxy.Frames)
	require.NoError(t, err)
	defer proxy.Close()
	proxy.Shape(faultproxy.Shape{Latency: 150 * time.Millisecond})
	dice := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	exchanges, doomed := 0, 0
	proxy.StrikeEach(func(to faultproxy.Direction, _ []byte) (faultproxy.Fault, bool) {
		mu.Lock()
		defer mu.Unlock()
		strikes := doomed > 0
		if to == faultproxy.ToHost {
			exchanges++
			lost := exchanges%20 == 0
			strikes = lost && dice.IntN(2) == 0
			if lost && !strikes {
				doomed++ // its answer
			}
		} else if strikes {
			doomed--
		}
		return faultproxy.Fault{Kind: faultproxy.Cut, To: to, At: dice.IntN(120)}, strikes
	})
	q := journal(t, 100)
	l, err := isolink.New(cardLane, isolink.TCP(proxy.Addr()), q, masterKey(t), nil)
	require.NoError(t, err)
	start := time.Now()
	require.NoError(t, q.Drain(t.Context(), cardLane, l))
	t.Logf("100 entries in %s, %d connections lost", time.Since(start).Round(time.Millisecond), proxy.Struck())
	require.NoError(t, l.Close())
	delivered(t, q, 100)
}
