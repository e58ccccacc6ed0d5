package httplink_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
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

const testPAN = "6216261000000000018"

var lane = queue.Lane{Host: "depot", Merchant: "898100000000001", Terminal: "10000001"}

var (
	_ queue.Uplink       = (*httplink.Link)(nil)
	_ queue.Preparer     = (*httplink.Link)(nil)
	_ queue.Windower     = (*httplink.Link)(nil)
	_ queue.LateAnswerer = (*httplink.Link)(nil)
)

// till is a device with a journal, its host, and a link between them.
type till struct {
	*queue.Queue
	t    testing.TB
	host *refhost.Host
	url  string
	link *httplink.Link
	n    int
}

// openJournal opens a journal that is patient: a busy machine is no silent host.
func openJournal(t testing.TB) *queue.Queue {
	t.Helper()
	q, err := queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true,
		AnswerTimeout: 5 * time.Minute, PrepareTimeout: 5 * time.Minute, RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond, ReversalTries: 1000})
	require.NoError(t, err)
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func newTill(t testing.TB, h *refhost.Host, opts *httplink.Options) *till {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	s := &till{Queue: openJournal(t), t: t, host: h, url: server.URL}
	s.connect(s.url, opts)
	return s
}

func (s *till) connect(base string, opts *httplink.Options) {
	s.t.Helper()
	if opts == nil {
		opts = &httplink.Options{Plain: true}
	}
	var err error
	s.link, err = httplink.New(lane, base, s.Queue, opts)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, s.link.Close()) })
}

func cny(n int64) queue.Money { return queue.Money{Minor: n, Currency: queue.CNY} }

func (s *till) sale() queue.Transaction {
	s.n++
	return queue.Transaction{Ref: fmt.Sprintf("sale-%d", s.n), Lane: lane, Op: queue.Sale, Tender: queue.CardTender, Amount: cny(int64(1000 + s.n)),
		EntryMode: "052", Card: queue.Card{PAN: queue.NewSecret(testPAN), Expiry: queue.NewSecret("3012")}}
}

func (s *till) told() queue.Transaction {
	x := s.sale()
	x.Approval = "Y1"
	return x
}

func (s *till) append(x queue.Transaction) queue.Entry {
	s.t.Helper()
	e, err := s.Append(context.Background(), x)
	require.NoError(s.t, err)
	return e
}

func (s *till) state(id queue.ID) queue.Entry {
	s.t.Helper()
	e, err := s.Get(context.Background(), id)
	require.NoError(s.t, err)
	return e
}

// agree holds the journal to what the host has: everything decided, each accepted
// entry booked once, nothing booked that the journal does not have.
func (s *till) agree() {
	s.t.Helper()
	var sum int64
	entries := 0
	bookings := map[queue.ID]int{}
	for _, b := range s.host.Bookings() {
		bookings[b.Entry.Seq]++
	}
	for e, err := range s.All(context.Background(), queue.Filter{}) {
		require.NoError(s.t, err)
		entries++
		require.True(s.t, e.State.Final(), "entry %d is %s: %s", e.ID, e.State, e.ParkedWhy)
		if e.State == queue.Accepted {
			require.Equal(s.t, 1, bookings[e.ID], "entry %d (%s) is accepted", e.ID, e.Ref)
		}
		require.LessOrEqual(s.t, bookings[e.ID], 1, "entry %d (%s)", e.ID, e.Ref)
		delete(bookings, e.ID)
		if e.State != queue.Accepted || e.Kind == queue.Reversal {
			continue
		}
		switch e.Op {
		case queue.Sale:
			voided := e.VoidedBy != 0 && s.state(e.VoidedBy).State == queue.Accepted
			if !voided {
				sum += e.Amount.Minor
			}
		case queue.Refund:
			sum -= e.Amount.Minor
		}
	}
	require.Positive(s.t, entries)
	require.Empty(s.t, bookings, "the host has what the journal has not")
	require.Equal(s.t, s.host.Balance(lane), sum)
}

func TestADayAtTheHost(t *testing.T) {
	s := newTill(t, &refhost.Host{}, nil)
	ctx := t.Context()
	sold, err := s.Do(ctx, s.link, s.sale())
	require.NoError(t, err)
	require.Equal(t, queue.Accepted, sold.State)
	require.Equal(t, "00", sold.Answer.Code)
	require.Equal(t, "000000000001", sold.Answer.RRN)
	require.WithinDuration(t, time.Now(), sold.Answer.HostTime, time.Minute)
	declined := s.sale()
	declined.Amount = cny(51)
	e, err := s.Do(ctx, s.link, declined)
	require.NoError(t, err)
	require.Equal(t, queue.Declined, e.State)
	for range 100 {
		s.append(s.told())
	}
	voided, err := s.Do(ctx, s.link, s.sale())
	require.NoError(t, err)
	_, err = s.Reverse(ctx, voided.ID)
	require.NoError(t, err)
	s.append(queue.Transaction{Ref: "refund", Lane: lane, Op: queue.Refund, Original: sold.ID, Amount: cny(5)})
	s.append(queue.Transaction{Ref: "proof", Lane: lane, Op: queue.Report, Data: []byte("signed")})
	require.NoError(t, s.Drain(ctx, lane, s.link))
	s.agree()
	require.Less(t, s.host.Requests(), 30, "what waits goes together")
	for _, b := range s.host.Bookings() {
		require.Nil(t, b.Entry.Card, "a back office is told no card")
	}
}

// What waits at the same time goes in one request, whose entries are answered
// each for itself.
func TestABatchIsAnsweredEntryByEntry(t *testing.T) {
	h := &refhost.Host{Decide: func(e wire.Entry) (wire.Verdict, string) {
		switch e.Seq {
		case 2:
			return wire.Refused, "57"
		case 3:
			return wire.Duplicate, "94"
		}
		return wire.Approved, "00"
	}}
	h.Change = func(a *wire.Answers) { // in another order
		for i, j := 0, len(a.Answers)-1; i < j; i, j = i+1, j-1 {
			a.Answers[i], a.Answers[j] = a.Answers[j], a.Answers[i]
		}
	}
	s := newTill(t, h, nil)
	for range 10 {
		s.append(s.told())
	}
	require.NoError(t, s.Drain(t.Context(), lane, s.link))
	require.Equal(t, queue.Accepted, s.state(1).State)
	require.Equal(t, queue.Parked, s.state(2).State)
	require.Equal(t, queue.Parked, s.state(3).State)
	for id := queue.ID(4); id <= 10; id++ {
		require.Equal(t, queue.Accepted, s.state(id).State)
	}
}

func TestTheKeyIsTheSameAtEachAttempt(t *testing.T) {
	var mu sync.Mutex // each attempt has a connection, and so a goroutine, of its own
	keys := map[string]int{}
	h := &refhost.Host{}
	h.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		keys[r.Header.Get("Idempotency-Key")]++
		if keys[r.Header.Get("Idempotency-Key")] < 3 {
			panic(http.ErrAbortHandler)
		}
		return false
	}
	s := newTill(t, h, nil)
	s.append(s.told())
	require.NoError(t, s.Drain(t.Context(), lane, s.link))
	require.Equal(t, queue.Accepted, s.state(1).State)
	mu.Lock()
	defer mu.Unlock()
	require.Len(t, keys, 1)
	for k, n := range keys {
		require.Equal(t, 3, n, "no hidden repeats: one transmission an attempt")
		digest := s.Digest(s.state(1))
		require.Equal(t, wire.Key(digest[:16]).Header(), k)
	}
	require.Equal(t, 3, s.state(1).Attempts)
}

// A request whose connection breaks is sent once, on a connection that was used
// before as well: net/http must not repeat it in secret.
func TestARequestIsSentOnce(t *testing.T) {
	var posts atomic.Int32
	h := &refhost.Host{Before: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && posts.Add(1) == 2 {
			panic(http.ErrAbortHandler)
		}
		return false
	}}
	s := newTill(t, h, nil)
	_, err := s.Do(t.Context(), s.link, s.sale())
	require.NoError(t, err)
	_, err = s.Do(t.Context(), s.link, s.sale())
	require.ErrorIs(t, err, queue.ErrInDoubt)
	require.EqualValues(t, 2, posts.Load())
	require.NoError(t, s.Drain(t.Context(), lane, s.link))
	s.agree()
}

func bodyOf(b []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(b)) }
