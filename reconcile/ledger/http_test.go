package ledger_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/agree"
	"github.com/tallystick/tallystick/reconcile/ledger"
	"github.com/tallystick/tallystick/reconcile/ledger/client"
)

var (
	bg     = context.Background()
	signer = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	lane   = queue.Lane{Host: "office", Merchant: "898100000000001", Terminal: "10000001"}
)

// office is a ledger behind TLS.
type office struct {
	*ledger.Ledger
	server *httptest.Server
	log    *lockedBuffer
	engine ledger.Engine
}

func newOffice(t testing.TB, o *ledger.Options) *office {
	t.Helper()
	s := &office{engine: ledger.OpenMemory(), log: &lockedBuffer{}}
	own := ledger.Options{}
	if o != nil {
		own = *o
	}
	own.Log = slog.New(slog.NewTextHandler(s.log, nil))
	if own.Decide == nil {
		own.Decide = func(context.Context, ledger.Booking, *wire.Card) (queue.Answer, error) {
			return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
		}
	}
	var err error
	s.Ledger, err = ledger.New(bg, s.engine, signer, &own)
	require.NoError(t, err)
	s.server = httptest.NewUnstartedServer(s.Handler())
	s.server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.server.EnableHTTP2 = true
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

// till is a device of an office.
type till struct {
	*queue.Queue
	link   *httplink.Link
	client *client.Client
	name   string
	token  string
}

func (s *office) roots() *tls.Config {
	pool := x509.NewCertPool()
	pool.AddCert(s.server.Certificate())
	return &tls.Config{RootCAs: pool}
}

func (s *office) newTill(t testing.TB, name string) *till {
	t.Helper()
	require.NoError(t, s.SetDevice(bg, ledger.Device{Name: name}))
	token, err := s.Token(bg, name)
	require.NoError(t, err)
	q, err := queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true,
		PrepareTimeout: time.Minute, RetryMin: time.Millisecond, RetryMax: 20 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { _ = q.Close() })
	d := &till{Queue: q, name: name, token: token}
	secret := func(context.Context) (queue.Secret, error) { return queue.NewSecret(token), nil }
	d.link, err = httplink.New(lane, s.server.URL, q, &httplink.Options{TLS: s.roots(), Token: secret})
	require.NoError(t, err)
	t.Cleanup(func() { _ = d.link.Close() })
	d.client, err = client.New(s.server.URL, q, &client.Options{TLS: s.roots(), Token: secret})
	require.NoError(t, err)
	t.Cleanup(d.client.Close)
	return d
}

func cash(ref string, minor int64) queue.Transaction {
	return queue.Transaction{Ref: ref, Lane: lane, Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: minor, Currency: queue.CNY}}
}

func (d *till) sell(t testing.TB, refs ...string) {
	t.Helper()
	for _, ref := range refs {
		_, err := d.Append(bg, cash(ref, 1250))
		require.NoError(t, err)
	}
}

// A day through the real link: sold offline and online, reversed, refunded,
// reported; the ledger has each once, and says so by a receipt that prunes.
func TestADayThroughTheLink(t *testing.T) {
	s := newOffice(t, nil)
	d := s.newTill(t, "till-1")
	d.sell(t, "a", "b", "c")
	online := cash("online", 990)
	e, err := d.Do(bg, d.link, online)
	require.NoError(t, err)
	require.Equal(t, queue.Accepted, e.State)
	_, err = d.Append(bg, queue.Transaction{Ref: "photo", Lane: lane, Op: queue.Report, Data: []byte("signed")})
	require.NoError(t, err)
	require.NoError(t, d.Drain(bg, lane, d.link))
	a, err := d.ByRef(bg, "a")
	require.NoError(t, err)
	require.Equal(t, "office", a.Lane.Host)
	_, err = d.Append(bg, queue.Transaction{Ref: "refund", Lane: lane, Op: queue.Refund, Original: a.ID, Amount: queue.Money{Minor: 250, Currency: queue.CNY}})
	require.NoError(t, err)
	require.NoError(t, d.Drain(bg, lane, d.link))

	booked := 0
	for b, err := range s.All(bg, 0) {
		require.NoError(t, err)
		booked++
		e, err := d.Get(bg, b.Sequence)
		require.NoError(t, err)
		require.Equal(t, d.Digest(e), b.Digest)
		require.Equal(t, d.Canonical(nil, e), b.Canonical(nil))
		require.Equal(t, queue.Accepted, e.State)
		require.Equal(t, b.Answer.RRN, e.Answer.RRN)
	}
	require.Equal(t, 6, booked)

	id, err := d.CloseBatch(bg, lane)
	require.NoError(t, err)
	require.NoError(t, d.SettleBatch(bg, id))
	require.NoError(t, d.client.Prune(bg, id, s.Public()))
	b, err := d.Batch(bg, id)
	require.NoError(t, err)
	require.Equal(t, 6, b.Pruned)
}

// One device can neither read nor write what is another's, at any endpoint.
func TestEveryEndpointKeepsDevicesApart(t *testing.T) {
	s := newOffice(t, &ledger.Options{Attachments: t.TempDir()})
	mine, thief := s.newTill(t, "till-1"), s.newTill(t, "till-2")
	mine.sell(t, "a")
	require.NoError(t, mine.Drain(bg, lane, mine.link))
	hash := sha256.Sum256([]byte("photo"))
	_, _, err := mine.client.Announce(bg, 1, hash, 5, "image/png")
	require.NoError(t, err)
	_, _, _, err = mine.client.Part(bg, hash, 0, bytes.NewReader([]byte("pho")))
	require.NoError(t, err)
	_, _, err = mine.client.Claim(bg, "parcel")
	require.NoError(t, err)

	j := mine.JournalID()
	name := wire.JournalID(j).String()
	entry, err := mine.Get(bg, 1)
	require.NoError(t, err)
	told, _ := wire.FromQueue(entry, j)
	in := wire.Submission{Journal: j, Epoch: 1, Lane: lane, Entries: []wire.Entry{told}}
	in.Entries[0].Key = in.KeyFor(told)
	body, err := in.Encode()
	require.NoError(t, err)
	retell, err := json.Marshal(ledger.Told{Submission: body, Code: "00"})
	require.NoError(t, err)
	var half agree.Half
	require.NoError(t, half.Set(1, agree.LeafOf(mine.Digest(entry))))
	var message []byte
	_, err = agree.Compare(bg, &half, agree.Subject{Journal: j, Epoch: 1}, func(_ context.Context, m []byte) ([]byte, error) {
		message = m
		return mine.client.Agree(bg, m)
	})
	require.NoError(t, err)
	require.NotEmpty(t, message)

	announce := fmt.Sprintf(`{"journal":%q,"seq":1,"hash":%q,"size":5,"type":"image/png"}`, name, hex.EncodeToString(hash[:]))
	part := ledger.AttachmentsPath + "/" + hex.EncodeToString(hash[:])
	key := http.Header{wire.KeyHeader: {in.Key().Header()}, "Content-Type": {"application/json"}}
	upload := http.Header{"Content-Type": {ledger.PartMedia}, "Upload-Offset": {"3"}}
	for _, x := range []struct {
		method, path string
		body         []byte
		header       http.Header
		status       int
	}{
		{"POST", wire.EntriesPath, body, key, 403},
		{"POST", ledger.RetellPath, retell, key, 403},
		{"POST", ledger.AgreePath, message, nil, 403},
		{"POST", ledger.ReceiptPath, []byte(`{"journal":"` + name + `","ranges":[[1,1]]}`), nil, 403},
		{"POST", ledger.ClaimPath, []byte(`{"journal":"` + name + `","key":"other"}`), nil, 403},
		{"POST", ledger.ReleasePath, []byte(`{"journal":"` + name + `","key":"parcel"}`), nil, 403},
		{"GET", ledger.ConflictsPath + "?journal=" + name, nil, nil, 403},
		{"POST", ledger.AttachmentsPath, []byte(announce), nil, 403},
		{"HEAD", part, nil, nil, 404},
		{"PATCH", part, []byte("to"), upload, 404},
	} {
		t.Run(x.method+" "+x.path, func(t *testing.T) {
			for token, want := range map[string]int{thief.token: x.status, "": 401, "nonsense": 401} {
				status, answer := s.call(t, x.method, x.path, token, x.header, x.body)
				require.Equal(t, want, status, "%s", answer)
				require.NotContains(t, string(answer), "parcel")
			}
			status, answer := s.call(t, x.method, x.path, mine.token, x.header, x.body)
			require.Less(t, status, 300, "the owner may: %s", answer)
		})
	}
	for _, err := range s.Conflicts(bg, [16]byte{}) {
		require.NoError(t, err)
		t.Error("a stranger's try leaves nothing behind")
	}
	status, _ := s.call(t, "GET", ledger.ConflictsPath+"?journal="+wire.JournalID{}.String(), thief.token, nil, nil)
	require.Equal(t, 400, status, "no journal is not all journals")
	require.NoError(t, s.SetDevice(bg, ledger.Device{Name: "till-2", Locked: true}))
	status, _ = s.call(t, "GET", wire.LinePath+"?host=h&merchant=m&terminal=t", thief.token, nil, nil)
	require.Equal(t, 401, status)
	require.NotContains(t, s.log.String(), mine.token)
	require.NotContains(t, s.log.String(), thief.token)
}

func (s *office) call(t *testing.T, method, path, token string, header http.Header, body []byte) (int, []byte) {
	t.Helper()
	return s.callAs(t, s.server.Client(), method, path, token, header, body)
}

func (s *office) callAs(t *testing.T, c *http.Client, method, path, token string, header http.Header, body []byte) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest(method, s.server.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	if header != nil {
		req.Header = header.Clone()
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := c.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, b
}

// A pinned certificate is as good as a token; one of each must be one device's.
func TestCertificates(t *testing.T) {
	s := newOffice(t, nil)
	a, b := s.newTill(t, "till-1"), s.newTill(t, "till-2")
	cert := selfSigned(t)
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: s.roots()}}
	c.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{cert}
	line := wire.LinePath + "?host=h&merchant=m&terminal=t"
	get := func(token string) int {
		status, _ := s.callAs(t, c, "GET", line, token, nil, nil)
		return status
	}
	require.Equal(t, 401, get(""), "a certificate that nobody pinned")
	require.Equal(t, 401, get(a.token), "beside a token it must be good, too")
	require.NoError(t, s.Pin(bg, "till-1", cert.Leaf))
	require.NoError(t, s.Pin(bg, "till-1", cert.Leaf))
	require.ErrorIs(t, s.Pin(bg, "till-2", cert.Leaf), ledger.ErrTaken)
	require.Equal(t, 200, get(""))
	require.Equal(t, 200, get(a.token))
	require.Equal(t, 401, get(b.token), "the token is another device's")
	require.NoError(t, s.Revoke(bg, "till-1"))
	require.Equal(t, 401, get(""))
	require.Equal(t, 401, get(a.token))
	c.CloseIdleConnections()
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "till"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestRateIsTold(t *testing.T) {
	s := newOffice(t, &ledger.Options{Limits: ledger.Limits{Rate: 1}})
	a, b := s.newTill(t, "till-1"), s.newTill(t, "till-2")
	line := wire.LinePath + "?host=h&merchant=m&terminal=t"
	req, err := http.NewRequest("GET", s.server.URL+line, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+a.token)
	for n := 0; ; n++ {
		require.Less(t, n, 100_000)
		resp, err := s.server.Client().Do(req)
		require.NoError(t, err)
		_ = resp.Body.Close()
		if resp.StatusCode == 429 {
			require.NotEmpty(t, resp.Header.Get("Retry-After"))
			break
		}
		require.Equal(t, 200, resp.StatusCode)
	}
	status, _ := s.call(t, "GET", line, b.token, nil, nil)
	require.Equal(t, 200, status, "each device has its own")
}

// What is decided for card data, and what goes wrong in it, shows nowhere.
func TestNoCardInLogsOrAnswers(t *testing.T) {
	const pan = "6221558812340000"
	fail := false
	s := newOffice(t, &ledger.Options{Decide: func(_ context.Context, b ledger.Booking, c *wire.Card) (queue.Answer, error) {
		if fail {
			return queue.Answer{}, fmt.Errorf("no decision for %v %+v", c, b)
		}
		return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
	}})
	d := s.newTill(t, "till-1")
	send := func(seq queue.ID) []byte {
		e := wire.Entry{Seq: seq, Kind: queue.Request, Op: queue.Sale, Tender: queue.CardTender, Ref: fmt.Sprint("r", seq), STAN: 1,
			Amount: queue.Money{Minor: 1, Currency: queue.CNY}, Time: time.Unix(1e9, 0).UTC(), MaskedPAN: "622155******0000",
			Card: &wire.Card{PAN: queue.NewSecret(pan), Track2: queue.NewSecret(pan + "=3012")}}
		in := wire.Submission{Journal: d.JournalID(), Epoch: 1, Lane: lane, Entries: []wire.Entry{e}}
		in.Entries[0].Key = in.KeyFor(e)
		body, err := in.Encode()
		require.NoError(t, err)
		require.Contains(t, string(body), pan)
		_, answer := s.call(t, "POST", wire.EntriesPath, d.token, http.Header{wire.KeyHeader: {in.Key().Header()}, "Content-Type": {"application/json"}}, body)
		return answer
	}
	answers := send(1)
	fail = true
	answers = append(answers, send(2)...)
	require.NotContains(t, string(answers), pan)
	require.NotEmpty(t, s.log.String())
	require.NotContains(t, s.log.String(), pan)
	err := s.engine.View(bg, func(tx ledger.Tx) error {
		for c := range 256 {
			err := tx.Scan([]byte{byte(c)}, nil, func(k, v []byte) (bool, error) {
				require.NotContains(t, string(k)+string(v), pan)
				return true, nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	require.NoError(t, err)
}
