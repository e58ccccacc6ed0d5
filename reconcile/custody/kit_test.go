package custody

import (
	"bytes"
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

var (
	bg    = context.Background()
	cards = queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}
	depot = queue.Lane{Host: "depot", Merchant: "898100000000001", Terminal: "10000002"}
)

func cny(minor int64) queue.Money { return queue.Money{Minor: minor, Currency: queue.CNY} }

const waybill = "SF100200300"

// host answers every request with its verdict; 0 is silence.
type host struct{ says queue.Verdict }

func (h host) Send(context.Context, queue.Entry) (queue.Answer, error) {
	if h.says == 0 {
		return queue.Answer{}, errors.New("silence")
	}
	return queue.Answer{Verdict: h.says, Code: "xx"}, nil
}

// unsent proves that nothing left the device.
type unsent struct{}

func (unsent) Send(context.Context, queue.Entry) (queue.Answer, error) {
	return queue.Answer{}, queue.ErrNotSent
}

// copied takes a backup of the journal while a request is under way.
type copied struct {
	q      *queue.Queue
	backup bytes.Buffer
}

func (c *copied) Send(ctx context.Context, _ queue.Entry) (queue.Answer, error) {
	return queue.Answer{}, c.q.Backup(ctx, &c.backup)
}

// office is where devices claim waybills.
type office struct {
	mu   sync.Mutex
	by   map[string][16]byte
	down bool
}

// claimsOf is the office as one device sees it.
type claimsOf struct {
	*office
	id [16]byte
}

var opened = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func (c claimsOf) Claim(_ context.Context, waybill string) ([16]byte, time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return [16]byte{}, time.Time{}, errors.New("no network")
	}
	if _, taken := c.by[waybill]; !taken {
		c.by[waybill] = c.id
	}
	return c.by[waybill], opened, nil
}

func (c claimsOf) Release(_ context.Context, waybill string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return errors.New("no network")
	}
	if holder, held := c.by[waybill]; held && holder != c.id {
		return errors.New("another device has it")
	}
	delete(c.by, waybill)
	return nil
}

func journal(t testing.TB, path string) *queue.Queue {
	t.Helper()
	q, err := queue.Open(path, nil, &queue.Options{Unsealed: true, RetryMin: 1, RetryMax: 2, ReversalTries: 1})
	require.NoError(t, err)
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// device is a book with a journal of its own.
func device(t testing.TB, o *office) (*Book, *queue.Queue) {
	t.Helper()
	q := journal(t, filepath.Join(t.TempDir(), "journal"))
	opts := Options{Depot: depot, Verify: func(Side, [32]byte, Confirmation) error { return nil }}
	if o != nil {
		opts.Claims = claimsOf{o, q.JournalID()}
	}
	b, err := New(q, opts)
	require.NoError(t, err)
	return b, q
}

func newOffice() *office { return &office{by: map[string][16]byte{}} }

// cash and card are payments as an app makes them.
func cash(minor int64) queue.Transaction {
	return queue.Transaction{Tender: queue.Cash, Amount: cny(minor)}
}

func card(minor int64) queue.Transaction {
	return queue.Transaction{Lane: cards, Tender: queue.CardTender, Amount: cny(minor),
		Card: queue.Card{PAN: queue.NewSecret("6221558812340000"), Expiry: queue.NewSecret("3012")}}
}

// online sends by Do through a host.
func online(q *queue.Queue, up queue.Uplink) func(context.Context, queue.Transaction) (queue.Entry, error) {
	return func(ctx context.Context, t queue.Transaction) (queue.Entry, error) { return q.Do(ctx, up, t) }
}

func take(t testing.TB, b *Book, due int64) {
	t.Helper()
	p, err := b.Take(bg, waybill, cny(due))
	require.NoError(t, err)
	require.Equal(t, Open, p.State)
	require.Equal(t, due, p.Left())
}
