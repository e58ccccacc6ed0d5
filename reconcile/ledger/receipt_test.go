package ledger_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/agree"
	"github.com/tallystick/tallystick/reconcile/ledger"
)

func TestReceiptForm(t *testing.T) {
	r := ledger.Receipt{Journal: [16]byte{1}, Epoch: 3, Issued: time.UnixMilli(1e12).UTC(), Root: agree.Leaf{9},
		Ranges: []agree.Range{{From: 1, To: 40}, {From: 42, To: 42}, {From: 1000, To: agree.MaxSequence}}}
	b := r.Sign(signer)
	require.Len(t, b, 4+8+16+1+6+16+1+2+2+9+64)
	got, err := ledger.OpenReceipt(b, signer.Public().(ed25519.PublicKey))
	require.NoError(t, err)
	require.Equal(t, r, got)
	require.Equal(t, b, got.Sign(signer), "what is read is what was signed")
	for _, x := range []struct {
		seq queue.ID
		in  bool
	}{{0, false}, {1, true}, {40, true}, {41, false}, {42, true}, {43, false}, {999, false}, {1000, true}} {
		require.Equal(t, x.in, got.Covers(x.seq), x.seq)
	}
	// No byte of it can be another one, none added, none left out.
	for i := range b {
		bad := append([]byte{}, b...)
		bad[i] ^= 1
		_, err := ledger.OpenReceipt(bad, signer.Public().(ed25519.PublicKey))
		require.ErrorIs(t, err, ledger.ErrReceipt)
		_, err = ledger.OpenReceipt(b[:i], signer.Public().(ed25519.PublicKey))
		require.ErrorIs(t, err, ledger.ErrReceipt)
	}
	_, err = ledger.OpenReceipt(append(b, 0), signer.Public().(ed25519.PublicKey))
	require.ErrorIs(t, err, ledger.ErrReceipt)
	other, _, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	for _, pub := range []ed25519.PublicKey{other, nil} {
		_, err = ledger.OpenReceipt(b, pub)
		require.ErrorIs(t, err, ledger.ErrReceipt)
	}
	// Forms that are signed and wrong all the same.
	for name, ranges := range map[string][]agree.Range{"touching": {{From: 1, To: 2}, {From: 3, To: 4}}, "backwards": {{From: 5, To: 6}, {From: 1, To: 2}},
		"empty": {{From: 3, To: 2}}, "none": {{From: 0, To: 1}}} {
		r.Ranges = ranges
		_, err = ledger.OpenReceipt(r.Sign(signer), signer.Public().(ed25519.PublicKey))
		require.ErrorIs(t, err, ledger.ErrReceipt, name)
	}
}

// settledDay is a till with one settled batch, of which the ledger has all but
// what never stood.
func settledDay(t *testing.T, s *office) (*till, queue.BatchID) {
	t.Helper()
	d := s.newTill(t, "till-1")
	d.sell(t, "a", "b", "c", "withdrawn")
	w, err := d.ByRef(bg, "withdrawn")
	require.NoError(t, err)
	_, err = d.Reverse(bg, w.ID)
	require.NoError(t, err)
	require.NoError(t, d.Drain(bg, lane, d.link))
	id, err := d.CloseBatch(bg, lane)
	require.NoError(t, err)
	require.NoError(t, d.SettleBatch(bg, id))
	d.sell(t, "of the next batch")
	return d, id
}

func pruned(t *testing.T, d *till, id queue.BatchID) int {
	t.Helper()
	b, err := d.Batch(bg, id)
	require.NoError(t, err)
	return b.Pruned
}

func TestPruneNeedsAReceipt(t *testing.T) {
	s := newOffice(t, nil)
	d, id := settledDay(t, s)
	asks, err := ledger.Asks(bg, d.Queue, id)
	require.NoError(t, err)
	require.Equal(t, map[[16]byte][]agree.Range{d.JournalID(): {{From: 1, To: 3}}}, asks)
	var missing *ledger.UncoveredError
	require.ErrorAs(t, ledger.Prune(bg, d.Queue, id, s.Public()), &missing)
	require.Equal(t, 3, missing.Count)

	part, err := s.Receipt(bg, "till-1", d.JournalID(), []agree.Range{{From: 1, To: 2}, {From: 4, To: 9}})
	require.NoError(t, err)
	r, err := ledger.OpenReceipt(part, s.Public())
	require.NoError(t, err)
	require.Equal(t, []agree.Range{{From: 1, To: 2}}, r.Ranges, "the ledger signs for what it has alone")
	require.ErrorAs(t, ledger.Prune(bg, d.Queue, id, s.Public(), part), &missing)
	require.Equal(t, []queue.ID{3}, missing.Entries)

	// A receipt that is signed and of other content, of another journal, or of a
	// restored copy of this one, prunes nothing.
	lie := r
	lie.Ranges, lie.Root = []agree.Range{{From: 1, To: 3}}, agree.Leaf{1}
	require.ErrorIs(t, ledger.Prune(bg, d.Queue, id, s.Public(), lie.Sign(signer)), ledger.ErrReceipt)
	lie = r
	lie.Epoch = 2
	require.ErrorIs(t, ledger.Prune(bg, d.Queue, id, s.Public(), lie.Sign(signer)), ledger.ErrReceipt)
	lie = r
	lie.Journal[0]++
	require.Error(t, ledger.Prune(bg, d.Queue, id, s.Public(), lie.Sign(signer)))
	require.Zero(t, pruned(t, d, id))

	rest, err := s.Receipt(bg, "till-1", d.JournalID(), []agree.Range{{From: 3, To: 3}})
	require.NoError(t, err)
	require.NoError(t, ledger.Prune(bg, d.Queue, id, s.Public(), part, rest))
	require.Equal(t, 4, pruned(t, d, id))
	require.NoError(t, d.client.Prune(bg, id, s.Public()), "the stubs' digests are enough to do it again")
}

// What the ledger has reversed, declined, or twice, no receipt covers.
func TestReceiptHoldsWhatStands(t *testing.T) {
	s := newOffice(t, nil)
	d := s.newTill(t, "till-1")
	d.sell(t, "a", "b")
	require.NoError(t, d.Drain(bg, lane, d.link))
	_, err := s.Receipt(bg, "till-2", d.JournalID(), []agree.Range{{From: 1, To: 2}})
	require.ErrorIs(t, err, ledger.ErrForeign)
	_, err = s.Receipt(bg, "till-1", [16]byte{1}, []agree.Range{{From: 1, To: 2}})
	require.ErrorIs(t, err, ledger.ErrNotFound)
	for _, bad := range [][]agree.Range{nil, {{From: 2, To: 1}}, {{From: 0, To: 1}}, {{From: 1, To: 5}, {From: 5, To: 6}}, {{From: 1, To: 2 << 20}}} {
		_, err = s.Receipt(bg, "till-1", d.JournalID(), bad)
		require.Error(t, err)
	}
	b, err := s.Receipt(bg, "till-1", d.JournalID(), []agree.Range{{From: 7, To: 9}})
	require.NoError(t, err)
	r, err := ledger.OpenReceipt(b, s.Public())
	require.NoError(t, err)
	require.Empty(t, r.Ranges)
	require.Zero(t, r.Root)
}
