package reconcile

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/agree"
)

var (
	cashLane = queue.Lane{Host: "depot", Merchant: "DEPOT", Terminal: "C0000001"}
	cardLane = queue.Lane{Host: "depot", Merchant: "DEPOT", Terminal: "10000001"}
)

// memBook is a ledger in memory that books each entry once by its digest.
type memBook struct {
	mu     sync.Mutex
	q      *queue.Queue
	booked map[queue.ID][]agree.Held
	seen   map[queue.ID]bool
	void   map[queue.ID]bool // reversed, be it before they came
	decide func(queue.Entry) queue.Verdict
	calls  []string
	before func(call string) error // the message is lost
	after  func(call string) error // its answer is lost
}

func newBook() *memBook {
	none := func(string) error { return nil }
	return &memBook{booked: map[queue.ID][]agree.Held{}, seen: map[queue.ID]bool{}, void: map[queue.ID]bool{},
		decide: func(queue.Entry) queue.Verdict { return queue.Approved }, before: none, after: none}
}

func (b *memBook) Uplink(queue.Lane) (queue.Uplink, error) { return b, nil }

func (b *memBook) call(name string, fn func()) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls = append(b.calls, name)
	if err := b.before(name); err != nil {
		return err
	}
	fn()
	return b.after(name)
}

func (b *memBook) Send(_ context.Context, e queue.Entry) (a queue.Answer, err error) {
	err = b.call(fmt.Sprint("send ", e.ID), func() { a.Verdict = b.book(e, b.decide(e)) })
	a.Code = "00"
	return a, err
}

func (b *memBook) Retell(_ context.Context, e queue.Entry) (a queue.Answer, err error) {
	err = b.call(fmt.Sprint("retell ", e.ID), func() { a.Verdict = b.book(e, queue.Approved) })
	return a, err
}

// book books e once, and answers a repeat with the first answer.
func (b *memBook) book(e queue.Entry, v queue.Verdict) queue.Verdict {
	raw := b.q.Canonical(nil, e)
	for _, h := range b.booked[e.ID] {
		if string(h.Canonical) == string(raw) {
			if h.Stands || b.void[e.ID] {
				return queue.Approved
			}
			return queue.Refused
		}
	}
	if v == queue.Unavailable || v == queue.Unknown {
		return v
	}
	b.seen[e.ID] = true
	if b.void[e.ID] {
		v = queue.Refused
	}
	if e.Kind == queue.Reversal && v == queue.Approved {
		b.void[e.Original] = true
		for i := range b.booked[e.Original] {
			b.booked[e.Original][i].Stands = false
		}
	}
	b.booked[e.ID] = append(b.booked[e.ID], agree.Held{Canonical: raw, Epoch: b.q.Epoch(), Stands: v == queue.Approved, Booked: time.Now()})
	return v
}

// half is what the ledger holds.
func (b *memBook) half() *agree.Half {
	h := &agree.Half{}
	for id := range b.seen {
		var ds [][32]byte
		for _, e := range b.booked[id] {
			if e.Stands {
				ds = append(ds, sha256.Sum256(e.Canonical))
			}
		}
		if err := h.Set(uint64(id), agree.LeafOf(ds...)); err != nil {
			panic(err)
		}
	}
	return h
}

func (b *memBook) Agree(ctx context.Context, m []byte) (out []byte, err error) {
	var failed error
	err = b.call(fmt.Sprint("agree ", m[0]&15), func() {
		out, failed = agree.Answer(ctx, m, b.half(), func(seq uint64) ([]agree.Held, error) { return b.booked[queue.ID(seq)], nil })
	})
	if err == nil {
		err = failed
	}
	return out, err
}

// lose makes the ledger forget an entry.
func (b *memBook) lose(ids ...queue.ID) {
	for _, id := range ids {
		delete(b.booked, id)
		delete(b.seen, id)
	}
}

// change books another version of an entry in its place.
func (b *memBook) change(t testing.TB, id queue.ID, change func(*queue.Entry)) {
	e, err := b.q.Get(bg, id)
	require.NoError(t, err)
	change(&e)
	b.booked[id] = []agree.Held{{Canonical: b.q.Canonical(nil, e), Epoch: 1, Stands: true}}
	b.seen[id] = true
}

// isoOnly is the same host without the means to compare.
type isoOnly struct{ *memBook }

func (p isoOnly) Uplink(l queue.Lane) (queue.Uplink, error) { return p.memBook, nil }
func (isoOnly) Agree()                                      {}

func openBook(t testing.TB, path string) *queue.Queue {
	q, err := queue.Open(path, nil, &queue.Options{Unsealed: true, RetryMin: 1, RetryMax: 2, ReversalTries: 100})
	require.NoError(t, err)
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// crashed opens a copy of q's file, as a device that died now would find it.
func crashed(t testing.TB, q *queue.Queue) *queue.Queue {
	raw, err := os.ReadFile(q.Path())
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(path, raw, 0o600))
	return openBook(t, path)
}

func cash(ref string, minor int64) queue.Transaction {
	return queue.Transaction{Ref: ref, Lane: cashLane, Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: minor, Currency: queue.CNY}}
}

func card(ref string, minor int64) queue.Transaction {
	return queue.Transaction{Ref: ref, Lane: cardLane, Op: queue.Sale, Tender: queue.CardTender, Amount: queue.Money{Minor: minor, Currency: queue.CNY},
		EntryMode: "051", Card: queue.Card{PAN: queue.NewSecret("6221558812340000"), Expiry: queue.NewSecret("3012")}}
}

// journalOf has n accepted cash sales, entries 1 to n, at a ledger.
func journalOf(t testing.TB, n int) (*queue.Queue, *memBook) {
	q, b := openBook(t, filepath.Join(t.TempDir(), "journal")), newBook()
	b.q = q
	for i := range n {
		_, err := q.Append(bg, cash(fmt.Sprint("sale ", i+1), int64(100+i)))
		require.NoError(t, err)
	}
	if n > 0 {
		require.NoError(t, q.Drain(bg, cashLane, b))
	}
	return q, b
}

// same requires that the ledger holds exactly what the journal says.
func same(t testing.TB, q *queue.Queue, b *memBook) {
	t.Helper()
	left := map[queue.ID]int{}
	for id, all := range b.booked {
		for _, h := range all {
			if h.Stands {
				left[id]++
			}
		}
	}
	for e, err := range q.All(bg, queue.Filter{}) {
		require.NoError(t, err)
		want := 0
		if e.State == queue.Accepted {
			want = 1
		}
		require.True(t, e.State.Final(), "entry %d is %s", e.ID, e.State)
		require.Equal(t, want, left[e.ID], "entry %d is %s here", e.ID, e.State)
		delete(left, e.ID)
	}
	require.Empty(t, left)
}
