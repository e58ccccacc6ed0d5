package ledger

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

var (
	bg    = context.Background()
	cards = queue.Lane{Host: "office", Merchant: "M", Terminal: "T1"}
	noon  = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	// signer is a test's key: its seed is known to everybody.
	signer = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
)

// much is how much a test does: all in the long mode, TALLYSTICK_LONG=1.
func much(long, normal, short int) int {
	switch {
	case os.Getenv("TALLYSTICK_LONG") != "":
		return long
	case testing.Short():
		return short
	}
	return normal
}

// engines are the engines that come with the package.
func engines(t *testing.T, fn func(t *testing.T, e Engine)) {
	t.Run("memory", func(t *testing.T) { fn(t, OpenMemory()) })
	t.Run("file", func(t *testing.T) { fn(t, openFile(t, filepath.Join(t.TempDir(), "ledger"))) })
}

func openFile(t *testing.T, path string) *File {
	t.Helper()
	f, err := OpenFile(path, nil, &FileOptions{Unsealed: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

func newLedger(t *testing.T, e Engine, o *Options) *Ledger {
	t.Helper()
	own := Options{}
	if o != nil {
		own = *o
	}
	if own.Clock == nil {
		own.Clock = func() time.Time { return noon }
	}
	l, err := New(bg, e, signer, &own)
	require.NoError(t, err)
	for _, name := range []string{"till-1", "till-2"} {
		require.NoError(t, l.SetDevice(bg, Device{Name: name}))
	}
	return l
}

func yes(context.Context, Booking, *wire.Card) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
}

// journalOf is a device's journal as the ledger sees it.
func journalOf(n byte) wire.JournalID { return wire.JournalID{n, 0xaa} }

func entry(seq queue.ID, kind queue.Kind, op queue.Op, ref string) wire.Entry {
	e := wire.Entry{Seq: seq, Kind: kind, Op: op, Tender: queue.CardTender, Ref: ref, STAN: queue.STAN(seq),
		Amount: queue.Money{Minor: 1000, Currency: queue.CNY}, Time: noon, MaskedPAN: "622155******0000"}
	if op == queue.Report {
		e.Tender, e.Amount, e.MaskedPAN = 0, queue.Money{}, ""
	}
	if kind == queue.Reversal {
		e.Reason = queue.NoAnswer
	}
	return e
}

func advice(seq queue.ID) wire.Entry {
	return entry(seq, queue.Advice, queue.Sale, fmt.Sprint("order-", seq))
}

func request(seq queue.ID) wire.Entry {
	return entry(seq, queue.Request, queue.Sale, fmt.Sprint("order-", seq))
}

// reversalOf is the reversal of a request, as queue journals it.
func reversalOf(seq queue.ID, e wire.Entry) wire.Entry {
	r := e
	r.Seq, r.Kind, r.Original, r.Reason, r.Ref = seq, queue.Reversal, e.Seq, queue.NoAnswer, fmt.Sprintf("reversal of entry %d", e.Seq)
	return r
}

func voidOf(seq queue.ID, e wire.Entry) wire.Entry {
	v := entry(seq, queue.Request, queue.Void, fmt.Sprintf("void of entry %d", e.Seq))
	v.Original, v.Amount = e.Seq, e.Amount
	return v
}

func refundOf(seq queue.ID, e wire.Entry, minor int64) wire.Entry {
	r := entry(seq, queue.Advice, queue.Refund, fmt.Sprint("refund-", seq))
	r.Original, r.Amount.Minor = e.Seq, minor
	return r
}

func sub(j wire.JournalID, epoch uint64, es ...wire.Entry) wire.Submission {
	return wire.Submission{Journal: j, Epoch: epoch, Lane: cards, Entries: es}
}

// submit delivers one entry for till-1.
func submit(t *testing.T, l *Ledger, in wire.Submission) Result {
	t.Helper()
	out, err := l.Submit(bg, "till-1", in)
	require.NoError(t, err)
	require.Len(t, out, len(in.Entries))
	return out[0]
}

func conflict(t *testing.T, res Result) *ConflictError {
	t.Helper()
	var c *ConflictError
	require.ErrorAs(t, res.Err, &c)
	return c
}

// ring is an office's one key.
type ring struct{ n byte }

func (r ring) Current() (string, error)   { return "k", nil }
func (r ring) Key(string) ([]byte, error) { return bytes.Repeat([]byte{r.n}, 32), nil }

// requireNoText requires that the file does not show a text.
func requireNoText(t *testing.T, path, text string) {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	require.False(t, bytes.Contains(b, []byte(text)), "the file shows %q", text)
}
