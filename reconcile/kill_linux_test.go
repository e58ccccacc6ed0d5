package reconcile_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/internal/faultkit"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/queue/isolink"
	"github.com/tallystick/tallystick/reconcile"
	"github.com/tallystick/tallystick/reconcile/ledger"
	"github.com/tallystick/tallystick/reconcile/ledger/client"
)

// childEnv makes the test binary the process that the tests here kill.
const childEnv = "TALLYSTICK_CHILD_RECONCILE"

// child is what such a process is told.
type child struct {
	Work  string // settle, incomplete, office or acquirer
	Path  string // of its journal or ledger
	Kill  int64  // before which write of that file it dies; 0: it lives
	Late  bool   // it dies when that write is done, with nobody told of it
	Addr  string // of the other side
	Token string
	Cert  []byte
	Batch queue.BatchID

	died context.Context // done when the other side has died
}

func TestMain(m *testing.M) {
	if told := os.Getenv(childEnv); told != "" {
		var c child
		err := json.Unmarshal([]byte(told), &c)
		if err == nil {
			err = c.run()
		}
		if err != nil {
			fmt.Println("failed:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// trap kills this process with SIGKILL before the n-th write of the file, or right
// after it: what is on the disk is what the writes up to there left.
func (c child) trap(db *bolt.DB) {
	ops := reflect.ValueOf(db).Elem().FieldByName("ops").FieldByName("writeAt")
	writeAt := (*func([]byte, int64) (int, error))(unsafe.Pointer(ops.UnsafeAddr()))
	through, n := *writeAt, new(atomic.Int64)
	*writeAt = func(b []byte, off int64) (int, error) {
		now := n.Add(1) == c.Kill
		if now && c.Late {
			_, _ = through(b, off)
		}
		if now {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // it comes at once
		}
		return through(b, off)
	}
}

func (c child) run() error {
	go func() { // with nobody left to kill it, it ends by itself
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	switch c.Work {
	case "office":
		return c.office()
	case "acquirer":
		return c.acquirer()
	}
	o := &queue.Options{Unsealed: true, AnswerTimeout: patience, PrepareTimeout: patience,
		RetryMin: time.Millisecond, RetryMax: 5 * time.Millisecond, ReversalTries: 1000}
	faultkit.Into(o, "onOpen", c.trap)
	q, err := queue.Open(c.Path, nil, o)
	if err != nil {
		return err
	}
	if c.Work == "settle" {
		err = c.settle(q)
	} else {
		err = c.incomplete(q)
	}
	return errors.Join(err, q.Close())
}

func (c child) settle(q *queue.Queue) error {
	tmk, err := codec.NewMasterKey(host.DefaultTMK())
	if err != nil {
		return err
	}
	link, err := isolink.New(c.Batch.Lane, isolink.TCP(c.Addr), q, tmk, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	if c.died != nil {
		stop := context.AfterFunc(c.died, cancel)
		defer stop()
	}
	r, err := reconcile.Settle(ctx, q, c.Batch, link)
	if err == nil && r.Batch != c.Batch {
		err = fmt.Errorf("the result is of batch %s", r.Batch)
	}
	return errors.Join(err, link.Close())
}

func (c child) line(q *queue.Queue) (l line, err error) {
	pool := x509.NewCertPool()
	cert, err := x509.ParseCertificate(c.Cert)
	if err != nil {
		return l, err
	}
	pool.AddCert(cert)
	shake := &tls.Config{RootCAs: pool, ServerName: "example.com"}
	token := func(context.Context) (queue.Secret, error) { return queue.NewSecret(c.Token), nil }
	if l.link, err = httplink.New(office, "https://"+c.Addr, q, &httplink.Options{TLS: shake, Token: token, AnswerTimeout: patience}); err != nil {
		return l, err
	}
	l.Client, err = client.New("https://"+c.Addr, q, &client.Options{TLS: shake, Token: token, Timeout: patience})
	return l, err
}

func (c child) incomplete(q *queue.Queue) error {
	l, err := c.line(q)
	if err != nil {
		return err
	}
	defer l.close()
	r, err := reconcile.Incomplete(bg, q, office.Host, l)
	if err == nil && !r.Agreed {
		err = fmt.Errorf("not agreed: %+v", r.Open())
	}
	return err
}

// office serves the ledger and says where.
func (c child) office() error {
	o := &ledger.FileOptions{Unsealed: true}
	faultkit.Into(o, "onOpen", c.trap)
	e, err := ledger.OpenFile(c.Path, nil, o)
	if err != nil {
		return err
	}
	l, err := newOffice(e)
	if err != nil {
		return err
	}
	s := httptest.NewTLSServer(l.Handler())
	fmt.Println(s.Listener.Addr())
	select {}
}

// acquirer answers terminals and says where.
func (c child) acquirer() error {
	o := host.Config{Ledger: c.Path}
	faultkit.Into(&o, "onOpen", c.trap)
	s, err := host.Listen(o)
	if err != nil {
		return err
	}
	fmt.Println(s.Addr())
	return s.Serve(bg)
}

func newOffice(e ledger.Engine) (*ledger.Ledger, error) {
	return ledger.New(bg, e, ed25519.NewKeyFromSeed(make([]byte, 32)), &ledger.Options{
		Decide: func(context.Context, ledger.Booking, *wire.Card) (queue.Answer, error) { return now, nil }})
}

// start starts the process; what it says comes out of said.
func (c child) start(t *testing.T) (cmd *exec.Cmd, said io.Reader) {
	t.Helper()
	told, err := json.Marshal(c)
	require.NoError(t, err)
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(told), "GORACE=atexit_sleep_ms=0") // else it waits a second at its end
	_, err = cmd.StdinPipe()                                                              // open for as long as this process lives
	require.NoError(t, err)
	said, err = cmd.StdoutPipe()
	require.NoError(t, err)
	err = cmd.Start()
	if errors.Is(err, syscall.ENOEXEC) {
		t.Skip("this machine runs the test by an emulator only, and no child of it")
	}
	require.NoError(t, err)
	return cmd, said
}

// live lets the process do its work and tells whether it was killed in it.
func (c child) live(t *testing.T) (killed bool) {
	t.Helper()
	cmd, out := c.start(t)
	said, err := io.ReadAll(out)
	require.NoError(t, err)
	err = cmd.Wait()
	if wasKilled(cmd) {
		return true
	}
	require.NoError(t, err, "%s at write %d: %s", c.Work, c.Kill, said)
	return false
}

func wasKilled(cmd *exec.Cmd) bool {
	s, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && s.Signaled() && s.Signal() == syscall.SIGKILL
}

// eachWrite calls try with one write after the other to be killed at, or with each
// of step, until nothing was killed any more.
func eachWrite(t *testing.T, step int64, try func(n int64) (killed bool)) {
	if testing.Short() {
		step = 7
	}
	n := int64(1)
	for try(n) {
		n += step
	}
	require.Greater(t, n, int64(4), "it writes")
	t.Logf("killed at each %d. of some %d writes", step, n)
}

// earlyAndLate is how densely the other side is killed before its writes, and after
// them, which leaves the same on its disk but with nobody told.
var earlyAndLate = map[bool]int64{false: 3, true: 1}

func put(t *testing.T, name string, b []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, b, 0o600))
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

func serve(t *testing.T, c host.Config) (s *host.Server, end func()) {
	t.Helper()
	s, err := host.Listen(c)
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background()) }()
	return s, func() {
		require.NoError(t, s.Close())
		require.NoError(t, <-served)
	}
}

var posLane = queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}

func posSale(ref string, fen int64) queue.Transaction {
	return queue.Transaction{Ref: ref, Lane: posLane, Op: queue.Sale, Tender: queue.CardTender, EntryMode: "052",
		Amount: queue.Money{Minor: fen, Currency: queue.CNY},
		Card:   queue.Card{PAN: queue.NewSecret("6216261000000000018"), Expiry: queue.NewSecret("3012"), Sequence: "1"}}
}

// posDay makes a closed batch: a sale, one that the host forgets, a voided one
// with its void, and two advices that nobody was told of yet.
func posDay(t *testing.T) (journal, books []byte, batch queue.BatchID) {
	dir := t.TempDir()
	journalAt, booksAt := filepath.Join(dir, "journal"), filepath.Join(dir, "books")
	s, end := serve(t, host.Config{Ledger: booksAt})
	q, err := queue.Open(journalAt, nil, &queue.Options{Unsealed: true, AnswerTimeout: patience, PrepareTimeout: patience})
	require.NoError(t, err)
	tmk, err := codec.NewMasterKey(host.DefaultTMK())
	require.NoError(t, err)
	link, err := isolink.New(posLane, isolink.TCP(s.Addr().String()), q, tmk, nil)
	require.NoError(t, err)
	do := func(x queue.Transaction) queue.Entry {
		e, err := q.Do(bg, link, x)
		require.NoError(t, err)
		require.Equal(t, queue.Accepted, e.State)
		return e
	}
	kept := do(posSale("kept", 1250))
	require.NoError(t, s.SetMischief(host.Mischief{Forget: 1}))
	do(posSale("forgotten", 990))
	require.NoError(t, s.SetMischief(host.Mischief{}))
	do(queue.Transaction{Ref: "void", Lane: posLane, Op: queue.Void, Original: do(posSale("voided", 300)).ID})
	advice := posSale("offline", 4000)
	advice.Approval = "Y1"
	_, err = q.Append(bg, advice)
	require.NoError(t, err)
	_, err = q.Append(bg, queue.Transaction{Ref: "refund", Lane: posLane, Op: queue.Refund, Original: kept.ID, Amount: queue.Money{Minor: 250, Currency: queue.CNY}})
	require.NoError(t, err)
	batch, err = q.CloseBatch(bg, posLane)
	require.NoError(t, err)
	require.NoError(t, link.Close())
	require.NoError(t, q.Close())
	end()
	return read(t, journalAt), read(t, booksAt), batch
}

// The device's process is killed before every single write of its journal while
// it settles with an acquirer, so in every state that a settlement has on disk;
// the next process settles, and both sides have the same transactions, once.
func TestKilledInEveryStateOfSettlement(t *testing.T) {
	journal, books, batch := posDay(t)
	var want []byte
	eachWrite(t, 1, func(n int64) bool {
		path, booksAt := put(t, "journal", journal), put(t, "books", books)
		s, end := serve(t, host.Config{Ledger: booksAt})
		c := child{Work: "settle", Path: path, Addr: s.Addr().String(), Batch: batch, Kill: n}
		killed := c.live(t)
		c.Kill = 0
		require.False(t, c.live(t))
		end()
		have := sameBooks(t, path, booksAt, batch)
		if want == nil {
			want = have
		}
		require.Equal(t, string(want), string(have), "killed before write %d", n)
		return killed
	})
}

// The acquirer's process is killed before and after every single write of its
// books while a device settles with it, so also when it has booked and nobody was
// told: the next one, on the same file, ends it, and both sides have the same
// transactions, once.
func TestAcquirerKilledInEveryStateOfSettlement(t *testing.T) {
	journal, books, batch := posDay(t)
	var want []byte
	for late, step := range earlyAndLate {
		eachWrite(t, step, func(n int64) bool {
			path, booksAt := put(t, "journal", journal), put(t, "books", books)
			q, err := queue.Open(path, nil, &queue.Options{Unsealed: true, AnswerTimeout: patience, PrepareTimeout: patience, RetryMin: time.Millisecond, RetryMax: 5 * time.Millisecond, ReversalTries: 1000})
			require.NoError(t, err)
			c := child{Work: "acquirer", Path: booksAt, Batch: batch, Kill: n, Late: late}
			killed := c.acquiresUntilSettled(t, q)
			c.Kill = 0
			require.False(t, c.acquiresUntilSettled(t, q)) // settled before, it returns the same again
			require.NoError(t, q.Close())
			have := sameBooks(t, path, booksAt, batch)
			if want == nil {
				want = have
			}
			require.Equal(t, string(want), string(have), "killed at write %d", n)
			return killed
		})
	}
}

// acquiresUntilSettled lets a device settle with the acquirer that c is, and tells
// whether that was killed in it.
func (c child) acquiresUntilSettled(t *testing.T, q *queue.Queue) (killed bool) {
	t.Helper()
	cmd, said := c.start(t)
	lines := bufio.NewReader(said)
	first, _ := lines.ReadString('\n')
	if c.Addr = strings.TrimSpace(first); c.Addr == "" {
		_ = cmd.Wait()
		require.True(t, wasKilled(cmd), "it died before it answered")
		return true
	}
	require.NotContains(t, c.Addr, "failed")
	var dead context.CancelFunc
	c.died, dead = context.WithCancel(bg)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = io.Copy(io.Discard, lines) // until it dies
		dead()
	}()
	if err := c.settle(q); err != nil {
		require.NotZero(t, c.Kill, "%v", err)
		<-gone // by nobody's hand but its own
		_ = cmd.Wait()
		return wasKilled(cmd)
	}
	_ = cmd.Process.Kill()
	<-gone
	_ = cmd.Wait()
	return false
}

// sameBooks requires that the settled journal and the acquirer have the same
// transactions, and returns them.
func sameBooks(t *testing.T, path, booksAt string, batch queue.BatchID) []byte {
	t.Helper()
	books, err := host.ReadLedger(booksAt)
	require.NoError(t, err)
	there := map[string]int64{}
	var said strings.Builder
	for _, b := range books.Bookings {
		require.Zero(t, b.Conflicts)
		there[fmt.Sprint(b.Batch, "/", b.STAN)] = b.Amount
		fmt.Fprintln(&said, b.Batch, b.STAN, b.Kind, b.State, b.Amount)
	}
	require.Len(t, there, len(books.Bookings))
	require.Empty(t, books.Conflicts)
	q, err := queue.Open(path, nil, &queue.Options{Unsealed: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, q.Close()) }()
	require.NoError(t, q.Verify(bg))
	b, err := q.Batch(bg, batch)
	require.NoError(t, err)
	require.Equal(t, queue.BatchSettled, b.State)
	here := map[string]int64{}
	for e, err := range q.All(bg, queue.Filter{}) {
		require.NoError(t, err)
		require.Equal(t, queue.Accepted, e.State, e.Ref)
		here[fmt.Sprint(e.HostBatch, "/", int(e.STAN))] = e.Amount.Minor
	}
	require.Equal(t, here, there)
	require.Len(t, here, 6)
	for _, b := range books.Batches {
		fmt.Fprintf(&said, "%+v\n", b)
	}
	return []byte(said.String())
}

// The device's process is killed before every write of its journal while it
// finds and mends what is incomplete; the next process ends it.
func TestKilledInEveryStateOfIncomplete(t *testing.T) {
	d := newTrouble(t)
	eachWrite(t, 1, func(n int64) bool {
		q := d.begin(t)
		defer d.end()
		path := q.Path()
		require.NoError(t, q.Close())
		c := child{Work: "incomplete", Path: path, Addr: d.proxy.Addr(), Token: d.token, Cert: d.server.Certificate().Raw, Kill: n}
		killed := c.live(t)
		c.Kill = 0
		require.False(t, c.live(t))
		q = openOffice(t, path)
		d.equal(t, q)
		require.NoError(t, q.Verify(bg))
		require.NoError(t, d.ledger.Verify(bg))
		require.NoError(t, q.Close())
		return killed
	})
}

// The other half's process is killed before and after every write of its ledger
// while a device mends what is incomplete: the next one, on the same file, has it
// all.
func TestOfficeKilledInEveryStateOfIncomplete(t *testing.T) {
	d := newTrouble(t)
	q := d.begin(t)
	base := filepath.Join(t.TempDir(), "ledger")
	cert := d.server.Certificate().Raw // each server of httptest has the same
	d.end()
	e, err := ledger.OpenFile(base, nil, &ledger.FileOptions{Unsealed: true})
	require.NoError(t, err)
	l, err := newOffice(e)
	require.NoError(t, err)
	d.fill(t, l, q)
	require.NoError(t, e.Close())
	require.NoError(t, q.Close())
	books := read(t, base)

	for late, step := range earlyAndLate {
		eachWrite(t, step, func(n int64) bool {
			c := child{Work: "office", Path: put(t, "ledger", books), Token: d.token, Cert: cert, Kill: n, Late: late}
			q := openOffice(t, put(t, "journal", d.file))
			killed := c.servesUntilDone(t, q)
			c.Kill = 0
			require.False(t, c.servesUntilDone(t, q))
			e, err := ledger.OpenFile(c.Path, nil, &ledger.FileOptions{Unsealed: true})
			require.NoError(t, err)
			d.ledger, err = newOffice(e)
			require.NoError(t, err)
			require.NoError(t, d.ledger.Verify(bg))
			d.equal(t, q)
			require.NoError(t, e.Close())
			require.NoError(t, q.Close())
			return killed
		})
	}
}

// servesUntilDone lets a device mend with the office that c is, and tells
// whether that was killed in it.
func (c child) servesUntilDone(t *testing.T, q *queue.Queue) (killed bool) {
	t.Helper()
	cmd, said := c.start(t)
	first, _ := bufio.NewReader(said).ReadString('\n')
	if c.Addr = strings.TrimSpace(first); c.Addr == "" {
		_ = cmd.Wait()
		require.True(t, wasKilled(cmd), "it died before it served")
		return true
	}
	require.NotContains(t, c.Addr, "failed")
	l, err := c.line(q)
	require.NoError(t, err)
	r, err := reconcile.Incomplete(bg, q, office.Host, l)
	l.close()
	if err != nil {
		require.NotZero(t, c.Kill, "%v", err)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return true
	}
	require.True(t, r.Agreed, "%+v", r.Open())
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	return false
}
