package wire_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

var lane = queue.Lane{Host: "depot", Merchant: "898100000000001", Terminal: "10000001"}

// booking approves everything, but is silent where told so.
type booking struct{ silent map[string]bool }

func (b booking) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	if b.silent[e.Ref] {
		return queue.Answer{}, context.DeadlineExceeded
	}
	return queue.Answer{Verdict: queue.Approved, Code: "00", RRN: "123456789012", AuthCode: "654321"}, nil
}

// journal holds one entry of each kind.
func journal(t *testing.T) *queue.Queue {
	t.Helper()
	q, err := queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	ctx, up := t.Context(), booking{map[string]bool{"lost": true}}
	zone := time.FixedZone("LMT", 8*3600+5*60+43)
	cny := func(n int64) queue.Money { return queue.Money{Minor: n, Currency: queue.CNY} }
	card := queue.Card{PAN: queue.NewSecret("6216261000000000018"), Expiry: queue.NewSecret("3012"), Sequence: "1", ICC: queue.NewSecret("\x9f\x26\x00\xff")}
	sale, err := q.Do(ctx, up, queue.Transaction{Ref: "sale", Lane: lane, Op: queue.Sale, Tender: queue.CardTender, Amount: cny(1250), EntryMode: "052", Card: card, Operator: "17"})
	require.NoError(t, err)
	voided, err := q.Do(ctx, up, queue.Transaction{Ref: "voided", Lane: lane, Op: queue.Sale, Tender: queue.QR, Amount: cny(1), Card: queue.Card{PayCode: queue.NewSecret("6212345678901234567")}})
	require.NoError(t, err)
	_, err = q.Reverse(ctx, voided.ID)
	require.NoError(t, err)
	_, err = q.Do(ctx, up, queue.Transaction{Ref: "lost", Lane: lane, Op: queue.Sale, Tender: queue.CardTender, Amount: cny(3), Card: card})
	require.ErrorIs(t, err, queue.ErrInDoubt)
	for _, x := range []queue.Transaction{
		{Ref: "told <&> 送达", Lane: lane, Op: queue.Sale, Tender: queue.CardTender, Amount: cny(999_999_999_999), Approval: "Y1", Card: card},
		{Ref: "cash", Lane: lane, Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: 5, Currency: 36}, Data: []byte("waybill\x00\xff"), Time: time.Date(2026, 5, 1, 2, 3, 4, 5_999_999, zone)},
		{Ref: "refund", Lane: lane, Op: queue.Refund, Original: sale.ID, Amount: cny(250)},
		{Ref: "proof", Lane: lane, Op: queue.Report, Data: []byte("signature")},
	} {
		_, err := q.Append(ctx, x)
		require.NoError(t, err, x.Ref)
	}
	require.NoError(t, q.Drain(ctx, lane, up))
	return q
}

// What a host computes of what it reads is what the journal computes.
func TestDigestIsTheJournals(t *testing.T) {
	q := journal(t)
	n := 0
	for e, err := range q.All(t.Context(), queue.Filter{}) {
		require.NoError(t, err)
		w, of := wire.FromQueue(e, q.JournalID())
		s := wire.Submission{Journal: of, Epoch: q.Epoch(), Lane: e.Lane, Entries: []wire.Entry{w}}
		require.Equal(t, q.Digest(e), w.Digest(s), e.Ref)
		s.Entries[0].Card = wire.CardFromQueue(e.Card)
		body, err := s.Encode()
		require.NoError(t, err, e.Ref)
		got, err := wire.DecodeSubmission(body, s.KeyFor(w))
		require.NoError(t, err, "%s: %s", e.Ref, body)
		require.Equal(t, q.Digest(e), got.Entries[0].Digest(got), e.Ref)
		again, err := got.Encode()
		require.NoError(t, err)
		require.Equal(t, string(body), string(again))
		n++
	}
	require.Equal(t, 9, n)
}

// An entry that was imported has its first journal's identity: a host that has it
// already knows it again.
func TestAnImportedEntryIsItself(t *testing.T) {
	first := journal(t)
	told, err := first.Append(t.Context(), queue.Transaction{Ref: "late", Lane: lane, Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: 7, Currency: queue.CNY}})
	require.NoError(t, err)
	w, of := wire.FromQueue(told, first.JournalID())
	key := wire.Submission{Journal: of, Lane: lane}.KeyFor(w)
	var export bytes.Buffer
	_, err = first.Export(t.Context(), &export)
	require.NoError(t, err)
	second, err := queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, second.Close()) })
	for i := range 3 { // so that the numbers differ
		_, err = second.Append(t.Context(), queue.Transaction{Ref: fmt.Sprint(i), Lane: lane, Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: 1, Currency: queue.CNY}})
		require.NoError(t, err)
	}
	_, err = second.Import(t.Context(), func() (io.Reader, error) { return bytes.NewReader(export.Bytes()), nil })
	require.NoError(t, err)
	imported, same := 0, 0
	for e, err := range second.All(t.Context(), queue.Filter{}) {
		require.NoError(t, err)
		w, of := wire.FromQueue(e, second.JournalID())
		s := wire.Submission{Journal: of, Lane: e.Lane}
		require.Equal(t, second.Digest(e), w.Digest(s), e.Ref)
		if e.Origin != (queue.Origin{}) {
			imported++
			require.Equal(t, wire.JournalID(first.JournalID()), of)
		}
		if s.KeyFor(w) == key {
			same++
		}
	}
	require.Greater(t, imported, 5)
	require.Equal(t, 1, same)
}
