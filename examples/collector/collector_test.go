package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/reconcile"
	"github.com/tallystick/tallystick/reconcile/custody"
	"github.com/tallystick/tallystick/reconcile/ledger/client"
)

// patience ends what hangs; a busy machine is only slow.
const patience = 5 * time.Minute

// childEnv makes the test binary the collector that tests kill.
const childEnv = "TALLYSTICK_CHILD_COLLECTOR"

func TestMain(m *testing.M) {
	if args := os.Getenv(childEnv); args != "" {
		os.Exit(run(context.Background(), strings.Split(args, "\n"), os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// process is a collector of its own.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	mu    sync.Mutex
	all   strings.Builder
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0]), lines: make(chan string, 10_000)}
	p.cmd.Env = append(os.Environ(), childEnv+"="+strings.Join(args, "\n"))
	p.cmd.Stderr = os.Stderr
	var err error
	p.in, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	t.Cleanup(func() { p.kill() })
	go func() {
		defer close(p.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			p.mu.Lock()
			p.all.WriteString(in.Text() + "\n")
			p.mu.Unlock()
			select {
			case p.lines <- in.Text():
			default: // nobody waits for this one
			}
		}
	}()
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// await returns the submatches of the next line that matches.
func (p *process) await(pattern string) []string {
	p.t.Helper()
	want := regexp.MustCompile(pattern)
	deadline := time.After(patience)
	for {
		select {
		case line, open := <-p.lines:
			if !open {
				p.t.Fatalf("the collector ended without %q", pattern)
			}
			if m := want.FindStringSubmatch(line); m != nil {
				return m
			}
		case <-deadline:
			p.t.Fatalf("no line %q", pattern)
		}
	}
}

func (p *process) enter(line string) {
	p.t.Helper()
	_, err := io.WriteString(p.in, line+"\n")
	require.NoError(p.t, err)
}

// Several devices deliver through the HTTPS link while the collector is killed
// and started again: each sale is booked once and accepted once, and a receipt
// that outlived the kills lets a device prune.
func TestKillAndRestart(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "data")
	p := start(t, "-dir", dir, "-listen", "127.0.0.1:0", "-lang", "en")
	url := p.await(`listening on (https://\S+)$`)[1]
	pub, err := base64.StdEncoding.DecodeString(p.await(`^receipts are signed by (\S+)$`)[1])
	require.NoError(t, err)
	pem, err := os.ReadFile(filepath.Join(dir, tlsCertFile))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))

	const devices, sales = 3, 40
	var tills []*device
	for i := range devices {
		p.enter(fmt.Sprint("add till-", i))
		tills = append(tills, newDevice(t, url, roots, p.await(`token \(shown this once\): (\S+)$`)[1]))
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, d := range tills {
		wg.Go(func() { _ = d.q.Forward(ctx, tillLane, d.link) })
	}
	kills := 0
	for i := range sales {
		for _, d := range tills {
			d.sell(t, fmt.Sprint("order-", i))
		}
		if i%15 == 14 {
			p.await(`order-`) // in the middle of it
			p.kill()
			kills++
			p = start(t, "-dir", dir, "-listen", strings.TrimPrefix(url, "https://"), "-lang", "en")
			p.await(`listening on`)
			for _, d := range tills {
				d.q.NetworkBack()
			}
		}
	}
	short, done := context.WithTimeout(ctx, patience)
	defer done()
	for _, d := range tills {
		require.NoError(t, d.q.Drain(short, tillLane, d.link))
	}
	cancel()
	wg.Wait()
	for _, d := range tills {
		d.settle(t, sales, pub)
	}
	p.enter("conflicts")
	p.await(`^none$`)
	p.enter("list")
	for range devices {
		p.await(fmt.Sprintf(`^till-\d +\S{22}  %d entries$`, sales))
	}
	p.enter("nonsense")
	p.await(`^unknown command: nonsense$`)
	p.enter("revoke till-0")
	p.await(`till-0 are good no longer`)
	p.enter("quit")
	p.await(fmt.Sprintf(`^%d entries of %d journals$`, devices*sales, devices))
	p.await(`^closed;`)
	require.NoError(t, p.cmd.Wait())
	require.Equal(t, 2, kills)

	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		if runtime.GOOS != "windows" && !f.IsDir() {
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), f.Name())
		}
	}
}

// device sells, here in the test's own process.
type device struct {
	q      *queue.Queue
	link   *httplink.Link
	client *client.Client
}

func newDevice(t *testing.T, url string, roots *x509.CertPool, token string) *device {
	t.Helper()
	q, err := queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true,
		PrepareTimeout: patience, RetryMin: time.Millisecond, RetryMax: 50 * time.Millisecond})
	require.NoError(t, err)
	t.Cleanup(func() { _ = q.Close() })
	o := connect(t, q, url, roots, token)
	return &device{q, o.link, o.Client}
}

func connect(t *testing.T, q *queue.Queue, url string, roots *x509.CertPool, token string) (o office) {
	t.Helper()
	secret := func(context.Context) (queue.Secret, error) { return queue.NewSecret(token), nil }
	var err error
	o.link, err = httplink.New(tillLane, url, q, &httplink.Options{TLS: &tls.Config{RootCAs: roots}, Token: secret})
	require.NoError(t, err)
	t.Cleanup(func() { _ = o.link.Close() })
	o.Client, err = client.New(url, q, &client.Options{TLS: &tls.Config{RootCAs: roots}, Token: secret})
	require.NoError(t, err)
	t.Cleanup(o.Client.Close)
	return o
}

func (d *device) sell(t *testing.T, ref string) {
	t.Helper()
	_, err := d.q.Append(context.Background(), queue.Transaction{Ref: ref, Lane: tillLane, Op: queue.Sale, Tender: queue.Cash,
		Amount: queue.Money{Minor: 1250, Currency: queue.CNY}})
	require.NoError(t, err)
}

// settle requires that all was accepted, with a reference of its own each, and
// prunes the batch by a receipt.
func (d *device) settle(t *testing.T, sales int, pub []byte) {
	t.Helper()
	ctx := context.Background()
	rrns := map[string]bool{}
	for e, err := range d.q.All(ctx, queue.Filter{}) {
		require.NoError(t, err)
		require.Equal(t, queue.Accepted, e.State, "%s: %s", e.Ref, e.ParkedWhy)
		rrns[e.Answer.RRN] = true
	}
	require.Len(t, rrns, sales)
	id, err := d.q.CloseBatch(ctx, tillLane)
	require.NoError(t, err)
	require.NoError(t, d.q.SettleBatch(ctx, id))
	require.NoError(t, d.client.Prune(ctx, id, pub))
	b, err := d.q.Batch(ctx, id)
	require.NoError(t, err)
	require.Equal(t, sales, b.Pruned)
}

// Two couriers without a network are paid for one parcel: both are booked, and the
// office sees it. Then its disk damages a page: what is readable is got out, and the
// couriers tell the rest again.
func TestTwoCouriersAndADamagedLedger(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "data")
	args := []string{"-dir", dir, "-listen", "127.0.0.1:0", "-lang", "en"}
	p := start(t, args...)
	url := p.await(`listening on (https://\S+)$`)[1]
	pem, err := os.ReadFile(filepath.Join(dir, tlsCertFile))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	due := queue.Money{Minor: 12800, Currency: queue.CNY}
	var couriers []*device
	for i := range 2 {
		p.enter(fmt.Sprint("add courier-", i))
		d := newDevice(t, url, roots, p.await(`token \(shown this once\): (\S+)$`)[1])
		couriers = append(couriers, d)
		parcels, err := custody.New(d.q, custody.Options{Depot: tillLane})
		require.NoError(t, err)
		for n := range 20 {
			waybill := fmt.Sprintf("SF%d%02d", i*(n%2), n) // each second one is of both
			_, err = parcels.Take(ctx, waybill, due)
			require.NoError(t, err)
			_, err = parcels.Collect(ctx, waybill, queue.Transaction{Tender: queue.Cash, Amount: due}, nil)
			require.NoError(t, err)
		}
		require.NoError(t, d.q.Drain(ctx, tillLane, d.link))
	}
	p.enter("conflicts")
	for range 20 {
		p.await(`^SET ASIDE  courier-\d  128\.00 CNY .*another device has collected it, too$`)
	}
	p.enter("quit")
	p.await(`^closed;`)
	require.NoError(t, p.cmd.Wait())

	at := filepath.Join(dir, ledgerFile)
	b, err := os.ReadFile(at)
	require.NoError(t, err)
	for page := 2; page < len(b)/4096; page++ {
		if b[page*4096+8] == 2 && b[page*4096+10] > 4 { // a leaf of bbolt's tree with bookings
			clear(b[page*4096+1024 : page*4096+2048])
		}
	}
	require.NoError(t, os.WriteFile(at, b, 0o600))
	var out, errs strings.Builder
	require.NotZero(t, run(ctx, args, strings.NewReader(""), &out, &errs))
	require.Contains(t, errs.String(), "-salvage")
	p = start(t, append(args, "-salvage")...)
	require.NotEqual(t, "0", p.await(`(\d+) are lost until their devices`)[1])
	url = p.await(`listening on (https://\S+)$`)[1]
	for i, d := range couriers {
		p.enter(fmt.Sprint("add courier-", i))
		found, err := reconcile.Incomplete(ctx, d.q, tillLane.Host, connect(t, d.q, url, roots, p.await(`token \(shown this once\): (\S+)$`)[1]))
		require.NoError(t, err)
		require.True(t, found.Agreed, "%v", found.Open())
	}
	p.enter("quit")
	p.await(`^80 entries of 2 journals$`)
	require.NoError(t, p.cmd.Wait())
}

// office is a device's lines to a collector.
type office struct {
	*client.Client
	link *httplink.Link
}

func (o office) Uplink(queue.Lane) (queue.Uplink, error) { return o.link, nil }

// The till of the command line against a collector that speaks Chinese.
func TestTillInChinese(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	p := start(t, "-dir", dir, "-listen", "127.0.0.1:0", "-lang", "zh", "-limit", "500")
	url := p.await(`正在监听 (https://\S+)$`)[1]
	p.enter("add 收银台")
	token := p.await(`终端 收银台 的令牌（仅显示一次）：(\S+)$`)[1]
	var out, errs strings.Builder
	args := []string{"till", "-url", url, "-ca", filepath.Join(dir, tlsCertFile), "-journal", filepath.Join(t.TempDir(), "j"), "-sales", "3", "-lang", "zh", "-token"}
	require.Zero(t, run(context.Background(), append(args, token), nil, &out, &errs), errs.String())
	require.Equal(t, "共售 3 笔，已送达并受理 3 笔，未完成 0 笔\n", out.String())
	p.await(`收银台.*消费.*1\.00 CNY.*已入账`)
	p.enter("quit")
	p.await(`^共 3 笔，1 本日志$`)
	require.NoError(t, p.cmd.Wait())
	require.NotContains(t, errs.String()+out.String(), token)

	for _, bad := range [][]string{{"-lang", "xx"}, {"-dir"}, {"stray"}, {"till", "-ca", "nowhere"}, {"till", "-x"}} {
		require.NotZero(t, run(context.Background(), bad, nil, io.Discard, io.Discard), bad)
	}
}

// Keys are made once and kept; what is not a key is not overwritten.
func TestKeysStay(t *testing.T) {
	dir := t.TempDir()
	a, err := loadKeys(dir, []string{"localhost", "127.0.0.1"}, time.Now())
	require.NoError(t, err)
	b, err := loadKeys(dir, []string{"elsewhere"}, time.Now())
	require.NoError(t, err)
	require.Equal(t, a.seal, b.seal)
	require.Equal(t, a.signer, b.signer)
	require.Equal(t, a.tls.Certificate, b.tls.Certificate)
	require.True(t, net.ParseIP("127.0.0.1").Equal(a.tls.Leaf.IPAddresses[0]))
	for _, name := range []string{sealFile, signerFile, tlsKeyFile, tlsCertFile} {
		path := filepath.Join(dir, name)
		good, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, []byte("nonsense"), 0o600))
		_, err = loadKeys(dir, nil, time.Now())
		require.Error(t, err, name)
		require.NoError(t, os.WriteFile(path, good, 0o600))
	}
}
