package reconcile_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
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

	"github.com/tallystick/tallystick/internal/faultproxy"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile"
	"github.com/tallystick/tallystick/reconcile/ledger"
	"github.com/tallystick/tallystick/reconcile/ledger/client"
)

var (
	bg     = context.Background()
	office = queue.Lane{Host: "office", Merchant: "898100000000001", Terminal: "10000001"}
	now    = queue.Answer{Verdict: queue.Approved, Code: "00"}
)

// patience ends a wait that hangs. What the tests cut is seen at once, and a busy
// machine is no other side that is silent.
const patience = 5 * time.Minute

// line is a device's way to its office: the link and the client of the ledger.
type line struct {
	*client.Client
	link *httplink.Link
}

func (l line) Uplink(queue.Lane) (queue.Uplink, error) { return l.link, nil }

func (l line) close() {
	_ = l.link.Close()
	l.Client.Close()
}

// trouble is a journal that had every trouble that replaying mends, a ledger
// that lacks some of it, and a proxy between them.
type trouble struct {
	file   []byte // the journal
	lost   map[queue.ID]bool
	asked  queue.ID // in doubt, and booked
	server *httptest.Server
	proxy  *faultproxy.Proxy
	ledger *ledger.Ledger
	token  string
}

func openOffice(t testing.TB, path string) *queue.Queue {
	q, err := queue.Open(path, nil, &queue.Options{Unsealed: true, AnswerTimeout: patience, PrepareTimeout: patience, RetryMin: time.Millisecond, RetryMax: 5 * time.Millisecond, ReversalTries: 1000})
	require.NoError(t, err)
	return q
}

func sellFor(ref string) queue.Transaction {
	return queue.Transaction{Ref: ref, Lane: office, Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: 1250, Currency: queue.CNY}}
}

// approving is an uplink that approves, or loses its answers.
type approving struct{ silent bool }

func (a approving) Send(context.Context, queue.Entry) (queue.Answer, error) {
	if a.silent {
		return queue.Answer{}, errors.New("cut")
	}
	return now, nil
}

func newTrouble(t testing.TB) *trouble {
	path := filepath.Join(t.TempDir(), "journal")
	q := openOffice(t, path)
	for i := range 6 {
		_, err := q.Append(bg, sellFor(fmt.Sprint("sale ", i)))
		require.NoError(t, err)
	}
	require.NoError(t, q.Drain(bg, office, approving{}))
	asked, err := q.Do(bg, approving{silent: true}, sellFor("asked"))
	require.ErrorIs(t, err, queue.ErrInDoubt)
	_, err = q.Append(bg, sellFor("waits"))
	require.NoError(t, err)
	require.NoError(t, q.Close())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return &trouble{file: raw, asked: asked.ID, lost: map[queue.ID]bool{2: true, 3: true, 6: true}}
}

// begin opens a fresh copy of the journal and makes the ledger that goes with it.
func (d *trouble) begin(t testing.TB) *queue.Queue {
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(path, d.file, 0o600))
	q := openOffice(t, path)
	var err error
	d.ledger, err = ledger.New(bg, ledger.OpenMemory(), ed25519.NewKeyFromSeed(make([]byte, 32)), &ledger.Options{
		Decide: func(context.Context, ledger.Booking, *wire.Card) (queue.Answer, error) { return now, nil }})
	require.NoError(t, err)
	d.fill(t, d.ledger, q)
	d.server = httptest.NewUnstartedServer(d.ledger.Handler())
	d.server.Config.ErrorLog = log.New(io.Discard, "", 0) // lines are cut here
	d.server.StartTLS()
	d.proxy, err = faultproxy.Listen(d.server.Listener.Addr().String(), faultproxy.Records)
	require.NoError(t, err)
	return q
}

// fill books in l what the ledger has before anything is mended.
func (d *trouble) fill(t testing.TB, l *ledger.Ledger, q *queue.Queue) {
	require.NoError(t, l.SetDevice(bg, ledger.Device{Name: "till"}))
	var err error
	d.token, err = l.Token(bg, "till")
	require.NoError(t, err)
	for e, err := range q.All(bg, queue.Filter{}) {
		require.NoError(t, err)
		told, journal := wire.FromQueue(e, q.JournalID())
		in := wire.Submission{Journal: journal, Epoch: q.Epoch(), Lane: e.Lane, Entries: []wire.Entry{told}}
		in.Entries[0].Key = in.KeyFor(told)
		switch {
		case e.State == queue.Accepted && !d.lost[e.ID]:
			_, err = l.Retell(bg, "till", in, now)
		case e.ID == d.asked:
			_, err = l.Submit(bg, "till", in)
		}
		require.NoError(t, err)
	}
}

func (d *trouble) end() {
	_ = d.proxy.Close()
	d.server.Close()
}

func (d *trouble) connect(t testing.TB, q *queue.Queue) line {
	pool := x509.NewCertPool()
	pool.AddCert(d.server.Certificate())
	shake := &tls.Config{RootCAs: pool, ServerName: "example.com"}
	token := func(context.Context) (queue.Secret, error) { return queue.NewSecret(d.token), nil }
	link, err := httplink.New(office, "https://"+d.proxy.Addr(), q, &httplink.Options{TLS: shake, Token: token, AnswerTimeout: patience})
	require.NoError(t, err)
	c, err := client.New("https://"+d.proxy.Addr(), q, &client.Options{TLS: shake, Token: token, Timeout: patience})
	require.NoError(t, err)
	return line{c, link}
}

// equal requires that the ledger has each entry as the journal does.
func (d *trouble) equal(t testing.TB, q *queue.Queue) {
	for e, err := range q.All(bg, queue.Filter{}) {
		require.NoError(t, err)
		require.True(t, e.State.Final(), "entry %d is %s", e.ID, e.State)
		all, err := d.ledger.At(bg, q.JournalID(), e.ID)
		require.NoError(t, err)
		stands := 0
		for _, b := range all {
			if b.State == queue.Accepted {
				stands++
				require.Equal(t, q.Digest(e), b.Digest)
			}
		}
		want := 0
		if e.State == queue.Accepted {
			want = 1
		}
		require.Equal(t, want, stands, "entry %d is %s here", e.ID, e.State)
	}
}

// Against the real ledger over TLS, with the line cut in each record that
// passes, and the device dead where that ended the call: the next call, on what
// is left of the journal, makes both sides equal. At which byte a record of TLS
// is cut makes no difference to those who read it; TALLYSTICK_LONG tries all the same.
func TestIncompleteCutInEveryRecord(t *testing.T) {
	d := newTrouble(t)
	for _, to := range []faultproxy.Direction{faultproxy.ToHost, faultproxy.ToDevice} {
		step := 2
		switch {
		case os.Getenv("TALLYSTICK_LONG") != "":
			step = 1
		case testing.Short():
			step = 9
		}
		for at := 0; ; at += step {
			size, struck := d.cut(t, to, at, func(n int) int { return n / 2 })
			if !struck {
				require.Greater(t, at, 8)
				break
			}
			if os.Getenv("TALLYSTICK_LONG") == "" {
				continue
			}
			for b := 0; b < size; b += 16 {
				d.cut(t, to, at, func(int) int { return b })
			}
		}
	}
}

// cut cuts the line at one byte of one record, and returns how long that was and
// whether it came to it.
func (d *trouble) cut(t testing.TB, to faultproxy.Direction, record int, at func(size int) int) (size int, struck bool) {
	q := d.begin(t)
	defer d.end()
	n := -1
	d.proxy.StrikeEach(func(way faultproxy.Direction, unit []byte) (faultproxy.Fault, bool) {
		if way != to {
			return faultproxy.Fault{}, false
		}
		if n++; n != record {
			return faultproxy.Fault{}, false
		}
		size, struck = len(unit), true
		return faultproxy.Fault{Kind: faultproxy.Cut, To: to, At: at(len(unit))}, true
	})
	l := d.connect(t, q)
	_, err := reconcile.Incomplete(bg, q, "office", l)
	l.close()
	if err != nil {
		d.proxy.Calm()
		raw, err := os.ReadFile(q.Path())
		require.NoError(t, err)
		require.NoError(t, q.Close())
		path := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(path, raw, 0o600))
		q = openOffice(t, path)
		l := d.connect(t, q)
		r, err := reconcile.Incomplete(bg, q, "office", l)
		l.close()
		require.NoError(t, err)
		require.True(t, r.Agreed, "cut %s in record %d: %+v", to, record, r.Open())
	}
	d.equal(t, q)
	require.NoError(t, q.Close())
	d.end() // nothing of the proxy runs any more
	return size, struck
}

// A device that was restored from a backup sees what the first one has sold
// since, at the number of a sale of its own and behind its end; its own entries
// are all there.
func TestIncompleteOfARestoredJournal(t *testing.T) {
	d := newTrouble(t)
	q := d.begin(t)
	defer d.end()
	l := d.connect(t, q)
	r, err := reconcile.Incomplete(bg, q, "office", l)
	require.NoError(t, err)
	require.True(t, r.Agreed)
	var backup bytes.Buffer
	require.NoError(t, q.Backup(bg, &backup))
	for _, ref := range []string{"first's 1", "first's 2"} {
		_, err := q.Append(bg, sellFor(ref))
		require.NoError(t, err)
	}
	require.NoError(t, q.Drain(bg, office, l.link))
	end := r.UpTo
	l.close()
	require.NoError(t, q.Close())

	copied, err := queue.Restore(bg, filepath.Join(t.TempDir(), "journal"), &backup, nil, &queue.Options{Unsealed: true, PrepareTimeout: patience})
	require.NoError(t, err)
	defer copied.Close()
	_, err = copied.Append(bg, sellFor("copy's 1"))
	require.NoError(t, err)
	l = d.connect(t, copied)
	defer l.close()
	r, err = reconcile.Incomplete(bg, copied, "office", l)
	require.NoError(t, err)
	require.False(t, r.Agreed)
	require.Equal(t, end+2, r.HostHighest)
	open := r.Open()
	require.Len(t, open, 2)
	for i, u := range open {
		require.Equal(t, reconcile.Foreign, u.Problem)
		require.Equal(t, end+queue.ID(i)+1, u.ID)
		require.Equal(t, fmt.Sprint("first's ", i+1), u.Held[0].Ref)
		require.Equal(t, uint64(1), u.Held[0].Epoch)
		require.False(t, u.Since.IsZero())
	}
}
