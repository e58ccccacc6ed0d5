package queue

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/journal"
)

var (
	cardLane = Lane{"acquirer", "104110048161234", "10000001"}
	cashLane = Lane{"depot", "DEPOT", "C0000001"}
	bg       = context.Background()
)

// openAt opens the journal at path without seals and closes it at the end.
func openAt(t testing.TB, path string, o Options) *Queue {
	t.Helper()
	o.Unsealed = true
	q, err := Open(path, nil, &o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func openNew(t testing.TB, o Options) *Queue {
	return openAt(t, filepath.Join(t.TempDir(), "journal"), o)
}

// crashed opens what a device would find if it died now: a copy of q's file.
func crashed(t testing.TB, q *Queue, o Options) *Queue {
	t.Helper()
	b, err := os.ReadFile(q.file.Path())
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return openAt(t, path, o)
}

const testPAN = "6221558812340000"

func cardSale(ref string) Transaction {
	return Transaction{Ref: ref, Lane: cardLane, Op: Sale, Tender: CardTender, Amount: Money{1250, CNY},
		EntryMode: "051", Card: Card{PAN: NewSecret(testPAN), Expiry: NewSecret("3012"), Track2: NewSecret(testPAN + "=30121010000000000")}}
}

func offlineSale(ref string) Transaction {
	t := cardSale(ref)
	t.Approval = "Y1"
	return t
}

func cashSale(ref string) Transaction {
	return Transaction{Ref: ref, Lane: cashLane, Op: Sale, Tender: Cash, Amount: Money{990, CNY}}
}

// uplink is an Uplink made of functions; what is nil is not called.
type uplink struct {
	send    func(context.Context, Entry) (Answer, error)
	prepare func(context.Context) (Line, error)
}

func (u uplink) Send(ctx context.Context, e Entry) (Answer, error) { return u.send(ctx, e) }

func (u uplink) Prepare(ctx context.Context) (Line, error) {
	if u.prepare == nil {
		return Line{}, nil
	}
	return u.prepare(ctx)
}

func approve(context.Context, Entry) (Answer, error) {
	return Answer{Verdict: Approved, Code: "00", RRN: "000000000001", AuthCode: "A00001"}, nil
}

var errSilent = errors.New("no answer")

func silent(context.Context, Entry) (Answer, error) { return Answer{}, errSilent }

func answering(v Verdict, code string) uplink {
	return uplink{send: func(context.Context, Entry) (Answer, error) { return Answer{Verdict: v, Code: code}, nil }}
}

// numbered is a line to a host that numbers its batches.
func numbered(send func(context.Context, Entry) (Answer, error), batch *uint32) uplink {
	return uplink{send: send, prepare: func(context.Context) (Line, error) { return Line{HostBatch: *batch}, nil }}
}

// recorder keeps every entry that is sent through it.
type recorder struct {
	mu   sync.Mutex
	seen []Entry
}

func (r *recorder) through(send func(context.Context, Entry) (Answer, error)) func(context.Context, Entry) (Answer, error) {
	return func(ctx context.Context, e Entry) (Answer, error) {
		r.mu.Lock()
		r.seen = append(r.seen, e)
		r.mu.Unlock()
		return send(ctx, e)
	}
}

func all(t testing.TB, q *Queue, f Filter) (out []Entry) {
	t.Helper()
	for e, err := range q.All(bg, f) {
		require.NoError(t, err)
		out = append(out, e)
	}
	return out
}

var fast = Options{RetryMin: 1, RetryMax: 2}

type txn = journal.Tx
