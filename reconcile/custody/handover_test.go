package custody

import (
	"crypto/ed25519"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
)

// pair is a courier and a clerk with their keys.
type pair struct{ courier, clerk ed25519.PrivateKey }

func newPair(t testing.TB) pair {
	_, courier, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	_, clerk, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	return pair{courier, clerk}
}

func (p pair) verify() func(Side, [32]byte, Confirmation) error {
	return Ed25519(func(s Side) ed25519.PublicKey {
		if s == Courier {
			return p.courier.Public().(ed25519.PublicKey)
		}
		return p.clerk.Public().(ed25519.PublicKey)
	})
}

func (p pair) sign(h HandOver) (courier, clerk Confirmation) {
	return Sign(p.courier, Courier, h.Digest()), Sign(p.clerk, Clerk, h.Digest())
}

// dayOfCash is a closed batch of 300 fen in cash, less a refund of 50.
func dayOfCash(t testing.TB) (*Book, *queue.Queue, queue.BatchID, pair) {
	t.Helper()
	q := journal(t, filepath.Join(t.TempDir(), "journal"))
	people := newPair(t)
	b, err := New(q, Options{Depot: depot, Verify: people.verify()})
	require.NoError(t, err)
	for _, w := range []string{"A1", "A2"} {
		_, err := b.Take(bg, w, cny(100))
		require.NoError(t, err)
	}
	_, err = b.Collect(bg, "A1", cash(100), nil)
	require.NoError(t, err)
	p, err := b.Collect(bg, "A2", cash(100), nil)
	require.NoError(t, err)
	_, err = q.Append(bg, queue.Transaction{Ref: "other", Lane: depot, Op: queue.Sale, Tender: queue.Cash, Amount: cny(100)})
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, depot, host{queue.Approved}))
	_, err = q.Append(bg, queue.Transaction{Ref: "refund", Lane: depot, Op: queue.Refund, Amount: cny(50), Original: p.Payments[0].ID})
	require.NoError(t, err)
	id, err := q.CloseBatch(bg, depot)
	require.NoError(t, err)
	return b, q, id, people
}

func counted(h HandOver) HandOver {
	h.Counted, h.Courier, h.Clerk = h.Expected.Minor, "courier 7", "clerk 3"
	h.Time = time.Date(2026, 11, 22, 18, 0, 0, 0, time.FixedZone("", 8*60*60))
	return h
}

func TestHandOver(t *testing.T) {
	b, q, id, people := dayOfCash(t)
	_, err := b.Prepare(bg, id)
	var outstanding *queue.OutstandingError
	require.ErrorAs(t, err, &outstanding, "the refund is not delivered yet")
	require.NoError(t, q.Drain(bg, depot, host{queue.Approved}))
	_, _, _, err = b.HandOver(bg, id)
	require.ErrorIs(t, err, queue.ErrNotFound)
	h, err := b.Prepare(bg, id)
	require.NoError(t, err)
	require.Equal(t, cny(250), h.Expected)
	require.Equal(t, 4, h.Entries)
	h = counted(h)
	h.Counted, h.Reason = 240, "a coin was missing"
	h.Denominations = []Denomination{{100, 2}, {20, 2}}
	require.EqualValues(t, -10, h.Difference())
	courier, clerk := people.sign(h)
	e, err := b.SignOff(bg, h, courier, clerk)
	require.NoError(t, err)
	again, err := b.SignOff(bg, h, courier, clerk)
	require.NoError(t, err)
	require.Equal(t, e.ID, again.ID)
	got, c1, c2, err := b.HandOver(bg, id)
	require.NoError(t, err)
	require.Equal(t, h.Digest(), got.Digest())
	require.True(t, got.Time.Equal(h.Time))
	require.Equal(t, h.Denominations, got.Denominations)
	require.Equal(t, courier, c1)
	require.Equal(t, clerk, c2)

	other := h
	other.Counted, other.Denominations = 250, nil
	courier, clerk = people.sign(other)
	_, err = b.SignOff(bg, other, courier, clerk)
	require.ErrorIs(t, err, queue.ErrConflict, "a batch is handed over once")
	require.NoError(t, q.SettleBatch(bg, id))
	require.NoError(t, q.Prune(bg, id))
	_, _, _, err = b.HandOver(bg, id)
	require.NoError(t, err)
	pruned, err := b.Prepare(bg, id)
	require.NoError(t, err)
	require.Equal(t, h.Root, pruned.Root, "what was handed over can be told for ever")
}

func TestSignOffRefuses(t *testing.T) {
	b, q, id, people := dayOfCash(t)
	require.NoError(t, q.Drain(bg, depot, host{queue.Approved}))
	h, err := b.Prepare(bg, id)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		change func(*HandOver)
		want   string
	}{
		"no reason":        {func(h *HandOver) { h.Counted-- }, "give the reason"},
		"one person":       {func(h *HandOver) { h.Clerk = h.Courier }, "one person"},
		"nobody":           {func(h *HandOver) { h.Clerk = "" }, "named"},
		"negative":         {func(h *HandOver) { h.Counted = -1 }, "out of range"},
		"denominations":    {func(h *HandOver) { h.Denominations = []Denomination{{100, 2}} }, "add up to 200, not to 250"},
		"overflow":         {func(h *HandOver) { h.Denominations = []Denomination{{1 << 40, 1 << 40}} }, "denomination is out of range"},
		"denomination":     {func(h *HandOver) { h.Denominations = []Denomination{{-100, -2}} }, "denomination is out of range"},
		"no time":          {func(h *HandOver) { h.Time = time.Time{} }, "time"},
		"other sum":        {func(h *HandOver) { h.Expected.Minor, h.Counted = 200, 200 }, ErrChanged.Error()},
		"other entries":    {func(h *HandOver) { h.Root[0]++ }, ErrChanged.Error()},
		"other journal":    {func(h *HandOver) { h.Journal[0]++ }, ErrChanged.Error()},
		"other batch":      {func(h *HandOver) { h.Batch.N = 9 }, "not found"},
		"other lane":       {func(h *HandOver) { h.Batch.Lane = cards }, "not of the lane"},
		"many":             {func(h *HandOver) { h.Denominations = make([]Denomination, 65) }, "64"},
		"long reason":      {func(h *HandOver) { h.Reason = string(make([]byte, 201)) }, "200 bytes"},
		"open batch":       {func(h *HandOver) { h.Batch.N = 2 }, "close it first"},
		"signed elsewhere": {func(*HandOver) {}, ErrNotConfirmed.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			h := counted(h)
			c.change(&h)
			courier, clerk := people.sign(h)
			if name == "signed elsewhere" {
				courier, clerk = newPair(t).sign(h)
			}
			_, err := b.SignOff(bg, h, courier, clerk)
			require.ErrorContains(t, err, c.want)
		})
	}
	h = counted(h)
	courier, clerk := people.sign(h)
	for name, c := range map[string][2]Confirmation{"none": {}, "one": {courier, nil}, "the same": {courier, courier},
		"exchanged": {clerk, courier}, "long": {courier, make(Confirmation, maxConfirmation+1)}} {
		_, err := b.SignOff(bg, h, c[0], c[1])
		require.ErrorIs(t, err, ErrNotConfirmed, name)
	}
	h.Clerk = "somebody else"
	_, err = b.SignOff(bg, h, courier, clerk)
	require.ErrorIs(t, err, ErrNotConfirmed, "all of the hand-over is signed")
	unchecked, err := New(q, Options{Depot: depot})
	require.NoError(t, err)
	_, err = unchecked.SignOff(bg, counted(h), courier, clerk)
	require.ErrorIs(t, err, ErrNotConfirmed)
}

// One key for both sides does not make one signature two.
func TestSignatureIsOfOneSide(t *testing.T) {
	people := newPair(t)
	verify := Ed25519(func(Side) ed25519.PublicKey { return people.courier.Public().(ed25519.PublicKey) })
	c := Sign(people.courier, Courier, [32]byte{1})
	require.NoError(t, verify(Courier, [32]byte{1}, c))
	require.Error(t, verify(Clerk, [32]byte{1}, c))
	require.Error(t, verify(Courier, [32]byte{2}, c))
	require.Error(t, Ed25519(func(Side) ed25519.PublicKey { return nil })(Courier, [32]byte{1}, c))
}

// Batches of two depots have hand-overs of their own.
func TestHandOverOfEachLane(t *testing.T) {
	b, q := device(t, nil)
	other, err := New(q, Options{Depot: cards, Verify: b.opts.Verify})
	require.NoError(t, err)
	for _, b := range []*Book{b, other} {
		_, err := b.Take(bg, b.opts.Depot.Host, cny(100))
		require.NoError(t, err)
		_, err = b.Collect(bg, b.opts.Depot.Host, cash(100), nil)
		require.NoError(t, err)
		require.NoError(t, q.Drain(bg, b.opts.Depot, host{queue.Approved}))
		id, err := q.CloseBatch(bg, b.opts.Depot)
		require.NoError(t, err)
		h, err := b.Prepare(bg, id)
		require.NoError(t, err)
		_, err = b.SignOff(bg, counted(h), Confirmation{1}, Confirmation{2})
		require.NoError(t, err)
		_, _, _, err = b.HandOver(bg, id)
		require.NoError(t, err)
	}
}

// The lane towards the depot holds cash of one currency.
func TestPrepareRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		sale func(*queue.Transaction)
		want error
	}{
		"card":     {func(tr *queue.Transaction) { tr.Tender, tr.Approval = queue.CardTender, "Y1" }, queue.ErrState},
		"currency": {func(tr *queue.Transaction) { tr.Amount.Currency = queue.USD }, reconcile.ErrCurrencies},
	} {
		t.Run(name, func(t *testing.T) {
			b, q := device(t, nil)
			for i, ref := range []string{"a", "b"} {
				tr := queue.Transaction{Ref: ref, Lane: depot, Op: queue.Sale, Tender: queue.Cash, Amount: cny(100)}
				if i == 1 {
					c.sale(&tr)
				}
				_, err := q.Append(bg, tr)
				require.NoError(t, err)
			}
			require.NoError(t, q.Drain(bg, depot, host{queue.Approved}))
			id, err := q.CloseBatch(bg, depot)
			require.NoError(t, err)
			_, err = b.Prepare(bg, id)
			require.ErrorIs(t, err, c.want)
		})
	}
}
