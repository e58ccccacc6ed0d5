package client_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile"
	"github.com/tallystick/tallystick/reconcile/agree"
	"github.com/tallystick/tallystick/reconcile/ledger"
	"github.com/tallystick/tallystick/reconcile/ledger/client"
)

var (
	bg   = context.Background()
	lane = queue.Lane{Host: "office", Merchant: "M", Terminal: "T1"}
)

// A Client is what reconcile compares itself through.
var _ reconcile.Comparer = (*client.Client)(nil)

// rig is a device and its office, over TLS.
type rig struct {
	*queue.Queue
	ledger *ledger.Ledger
	server *httptest.Server
	link   *httplink.Link
	client *client.Client
	token  string
}

func office(t testing.TB) (*ledger.Ledger, *httptest.Server) {
	t.Helper()
	l, err := ledger.New(bg, ledger.OpenMemory(), ed25519.NewKeyFromSeed(make([]byte, 32)), &ledger.Options{
		Decide: func(context.Context, ledger.Booking, *wire.Card) (queue.Answer, error) {
			return queue.Answer{Verdict: queue.Approved, Code: "00", AuthCode: "A1"}, nil
		}})
	require.NoError(t, err)
	server := httptest.NewTLSServer(l.Handler())
	t.Cleanup(server.Close)
	return l, server
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{}
	r.ledger, r.server = office(t)
	var err error
	r.Queue, err = queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true, PrepareTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Close() })
	r.connect(t)
	return r
}

// connect lets the device into the office that stands behind r.server.
func (r *rig) connect(t testing.TB) {
	t.Helper()
	require.NoError(t, r.ledger.SetDevice(bg, ledger.Device{Name: "till"}))
	token, err := r.ledger.Token(bg, "till")
	require.NoError(t, err)
	r.token = token
	pool := x509.NewCertPool()
	pool.AddCert(r.server.Certificate())
	secret := func(context.Context) (queue.Secret, error) { return queue.NewSecret(token), nil }
	r.link, err = httplink.New(lane, r.server.URL, r.Queue, &httplink.Options{TLS: &tls.Config{RootCAs: pool}, Token: secret})
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.link.Close() })
	r.client, err = client.New(r.server.URL, r.Queue, &client.Options{TLS: &tls.Config{RootCAs: pool}, Token: secret})
	require.NoError(t, err)
	t.Cleanup(r.client.Close)
}

func (r *rig) sell(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		_, err := r.Append(bg, queue.Transaction{Ref: fmt.Sprint("order-", i), Lane: lane, Op: queue.Sale, Tender: queue.Cash,
			Amount: queue.Money{Minor: 1250, Currency: queue.CNY}})
		require.NoError(t, err)
	}
	require.NoError(t, r.Drain(bg, lane, r.link))
}

// half is what the journal holds.
func (r *rig) half(t testing.TB) *agree.Half {
	t.Helper()
	h := &agree.Half{}
	for e, err := range r.All(bg, queue.Filter{}) {
		require.NoError(t, err)
		require.NoError(t, h.Set(uint64(e.ID), agree.LeafOf(r.Digest(e))))
	}
	return h
}

func (r *rig) compare(t testing.TB) agree.Difference {
	t.Helper()
	d, err := agree.Compare(bg, r.half(t), agree.Subject{Journal: r.JournalID(), Epoch: r.Epoch()}, r.client.Agree)
	require.NoError(t, err)
	return d
}

// The office has burnt down. Its new ledger is told all that the device's old
// one had accepted, and both agree again: twice over, nothing is doubled.
func TestRetellToALedgerThatLostAll(t *testing.T) {
	r := newRig(t)
	r.sell(t, 20)
	_, err := r.Do(bg, r.link, queue.Transaction{Ref: "online", Lane: lane, Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: 7, Currency: queue.CNY}})
	require.NoError(t, err)
	require.True(t, r.compare(t).Equal())

	r.ledger, r.server = office(t)
	r.connect(t)
	require.False(t, r.compare(t).Equal())
	for _, want := range []queue.Verdict{queue.Approved, queue.Duplicate} {
		for e, err := range r.All(bg, queue.Filter{}) {
			require.NoError(t, err)
			a, err := r.client.Retell(bg, e)
			require.NoError(t, err)
			require.Equal(t, want, a.Verdict)
			require.Equal(t, e.Answer.RRN, a.RRN)
		}
	}
	require.True(t, r.compare(t).Equal())
	b, err := r.ledger.ByRef(bg, r.JournalID(), "online")
	require.NoError(t, err)
	require.Equal(t, "A1", b.Answer.AuthCode)
	require.True(t, b.Retold)
	require.NoError(t, r.ledger.Verify(bg))
	e, err := r.Append(bg, queue.Transaction{Ref: "new", Lane: lane, Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: 7, Currency: queue.CNY}})
	require.NoError(t, err)
	_, err = r.client.Retell(bg, e)
	require.ErrorContains(t, err, "pending", "what nobody accepted is not told as if")
}

// peer is an office as reconcile sees it.
type peer struct {
	*client.Client
	link queue.Uplink
}

func (p peer) Uplink(queue.Lane) (queue.Uplink, error) { return p.link, nil }

// silent loses the answer of every request, which its ledger has booked.
type silent struct{ queue.Uplink }

func (s silent) Send(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	a, err := s.Uplink.Send(ctx, e)
	if e.Kind == queue.Request {
		return queue.Answer{}, errors.New("the answer was lost")
	}
	return a, err
}

// A ledger restored from an older backup lacks entries, and one sale is in doubt:
// Incomplete finds both and mends them, once and for all.
func TestIncompleteAgainstALedger(t *testing.T) {
	r := newRig(t)
	r.sell(t, 30)
	_, err := r.Do(bg, silent{r.link}, queue.Transaction{Ref: "lost", Lane: lane, Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: 7, Currency: queue.CNY}})
	require.ErrorIs(t, err, queue.ErrInDoubt)
	found, err := reconcile.Incomplete(bg, r.Queue, "office", peer{r.client, r.link})
	require.NoError(t, err)
	require.True(t, found.Agreed, "%+v", found.Open())
	lost, err := r.ByRef(bg, "lost")
	require.NoError(t, err)
	require.Equal(t, queue.Reversed, lost.State)

	r.ledger, r.server = office(t)
	r.connect(t)
	for range 2 {
		found, err = reconcile.Incomplete(bg, r.Queue, "office", peer{r.client, r.link})
		require.NoError(t, err)
		require.True(t, found.Agreed, "%+v", found.Open())
	}
	require.NoError(t, r.ledger.Verify(bg))
	all := 0
	for b, err := range r.ledger.All(bg, 0) {
		require.NoError(t, err)
		require.True(t, b.Retold)
		all++
	}
	require.Equal(t, 31, all, "30 sales and a reversal; what it reverses is not told again")
}

func TestClaimsOverTheLine(t *testing.T) {
	r := newRig(t)
	holder, since, err := r.client.Claim(bg, "parcel-1")
	require.NoError(t, err)
	require.Equal(t, r.JournalID(), holder)
	again, when, err := r.client.Claim(bg, "parcel-1")
	require.NoError(t, err)
	require.Equal(t, holder, again)
	require.True(t, since.Equal(when))
	require.NoError(t, r.client.Release(bg, "parcel-1"))
	other := [16]byte{9}
	require.NoError(t, r.ledger.SetDevice(bg, ledger.Device{Name: "other"}))
	_, _, err = r.ledger.Claim(bg, "other", other, "parcel-1")
	require.NoError(t, err)
	holder, _, err = r.client.Claim(bg, "parcel-1")
	require.NoError(t, err)
	require.Equal(t, other, holder)
	var p *wire.Problem
	require.ErrorAs(t, r.client.Release(bg, "parcel-1"), &p)
	require.Equal(t, 409, p.Status)
	asides, err := r.client.Conflicts(bg)
	require.NoError(t, err)
	require.Empty(t, asides)
}

func TestWhatIsRefusedIsTold(t *testing.T) {
	r := newRig(t)
	r.sell(t, 1)
	require.NoError(t, r.ledger.SetDevice(bg, ledger.Device{Name: "till", Locked: true}))
	var p *wire.Problem
	_, err := r.client.Receipt(bg, r.JournalID(), []agree.Range{{From: 1, To: 1}})
	require.ErrorAs(t, err, &p)
	require.Equal(t, wire.ProblemUnauthorized, p.Type)
	require.NotContains(t, err.Error(), r.token)
	_, _, err = r.client.Announce(bg, 1, sha256.Sum256(nil), 1, "a/b")
	require.ErrorAs(t, err, &p)
	_, _, _, err = r.client.Part(bg, sha256.Sum256(nil), 0, bytes.NewReader([]byte("x")))
	require.ErrorAs(t, err, &p)

	for _, base := range []string{"http://127.0.0.1:1", "ftp://x", "https://user@x", "nonsense", ""} {
		_, err := client.New(base, r.Queue, nil)
		require.Error(t, err, base)
	}
	_, err = client.New("http://127.0.0.1:1", r.Queue, &client.Options{Plain: true, Token: func(context.Context) (queue.Secret, error) { return queue.Secret{}, nil }})
	require.Error(t, err, "no token over a plain line")
	r.server.Close()
	_, err = r.client.Agree(bg, nil)
	require.Error(t, err)
}

// A device dies before it delivered. Another one takes over what it had, delivers
// it under its identities, and prunes it by a receipt of the first one's journal.
func TestRescuedEntries(t *testing.T) {
	r := newRig(t)
	dead, err := queue.Open(filepath.Join(t.TempDir(), "dead"), nil, &queue.Options{Unsealed: true})
	require.NoError(t, err)
	defer func() { _ = dead.Close() }()
	for i := range 3 {
		_, err := dead.Append(bg, queue.Transaction{Ref: fmt.Sprint("dead-", i), Lane: lane, Op: queue.Sale, Tender: queue.Cash,
			Amount: queue.Money{Minor: 5, Currency: queue.CNY}})
		require.NoError(t, err)
	}
	var file bytes.Buffer
	_, err = dead.Export(bg, &file)
	require.NoError(t, err)
	r.sell(t, 2)
	_, err = r.Import(bg, func() (io.Reader, error) { return bytes.NewReader(file.Bytes()), nil })
	require.NoError(t, err)
	for e, err := range r.All(bg, queue.Filter{States: []queue.State{queue.Parked}}) {
		require.NoError(t, err)
		require.NoError(t, r.Unpark(bg, e.ID, "the owner", "the dead device never had a line"))
	}
	require.NoError(t, r.Drain(bg, lane, r.link))

	got, err := r.ledger.ByRef(bg, dead.JournalID(), "dead-2")
	require.NoError(t, err)
	require.EqualValues(t, 3, got.Sequence)
	batches := map[queue.BatchID]bool{}
	for e, err := range r.All(bg, queue.Filter{}) {
		require.NoError(t, err)
		require.Equal(t, queue.Accepted, e.State)
		if e.Origin != (queue.Origin{}) {
			batches[e.Batch] = true
		}
	}
	require.Len(t, batches, 1)
	for b := range batches {
		require.NoError(t, r.SettleBatch(bg, b))
		own, err := r.client.Receipt(bg, r.JournalID(), []agree.Range{{From: 1, To: 9}})
		require.NoError(t, err)
		var missing *ledger.UncoveredError
		require.ErrorAs(t, ledger.Prune(bg, r.Queue, b, r.ledger.Public(), own), &missing, "its own journal's receipt is for others")
		require.NoError(t, r.client.Prune(bg, b, r.ledger.Public()))
		done, err := r.Batch(bg, b)
		require.NoError(t, err)
		require.Equal(t, 3, done.Pruned)
	}
}

// A device that settled a batch has its ledger sign for it, and prunes.
func Example() {
	dir, err := os.MkdirTemp("", "till")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	office, _ := ledger.New(bg, ledger.OpenMemory(), ed25519.NewKeyFromSeed(make([]byte, 32)), nil)
	_ = office.SetDevice(bg, ledger.Device{Name: "till"})
	token, _ := office.Token(bg, "till")
	server := httptest.NewTLSServer(office.Handler())
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	secret := func(context.Context) (queue.Secret, error) { return queue.NewSecret(token), nil }

	q, _ := queue.Open(filepath.Join(dir, "journal"), nil, &queue.Options{Unsealed: true})
	defer func() { _ = q.Close() }()
	link, _ := httplink.New(lane, server.URL, q, &httplink.Options{TLS: &tls.Config{RootCAs: pool}, Token: secret})
	defer func() { _ = link.Close() }()
	c, _ := client.New(server.URL, q, &client.Options{TLS: &tls.Config{RootCAs: pool}, Token: secret})
	defer c.Close()

	_, _ = q.Append(bg, queue.Transaction{Ref: "order-1", Lane: lane, Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: 990, Currency: queue.CNY}})
	fmt.Println(q.Drain(bg, lane, link))
	b, _ := q.CloseBatch(bg, lane)
	_ = q.SettleBatch(bg, b)
	fmt.Println(c.Prune(bg, b, office.Public()))
	batch, _ := q.Batch(bg, b)
	fmt.Println(batch.Pruned)
	// Output:
	// <nil>
	// <nil>
	// 1
}
