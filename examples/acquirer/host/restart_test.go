package host

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
)

// childEnv makes the test binary be the program, so that a test can kill it.
const childEnv = "ACQUIRER_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(Main(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// child runs the program in a process of its own and gives its address.
func child(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	t.Cleanup(func() { in.Close() })
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	first, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	addr, ok := strings.CutPrefix(strings.TrimSpace(first), "listening ")
	require.True(t, ok, first)
	return cmd, addr
}

func TestRestartKeepsKeysBatchesAndLedger(t *testing.T) {
	path := ledgerPath(t)
	s := start(t, Config{Ledger: path})
	p := open(t, s.Addr().String())
	sale, buried := p.sale(100), p.sale(200)
	require.Equal(t, "00", p.codeOf(sale))
	require.Equal(t, "25", p.codeOf(p.reversal(buried)))
	claim := codec.Totals48{Inland: codec.GroupTotals{DebitAmount: 100, DebitCount: 1}}
	p.ask(p.settle(claim))
	before := stopAndRead(t, s)

	s = start(t, Config{Ledger: path})
	q := dial(t, s.Addr().String())
	q.mac, q.batch, q.stan = p.mac, p.batch, p.stan
	require.Equal(t, "94", q.codeOf(sale), "with the keys of before")
	require.Equal(t, "12", q.codeOf(buried))
	require.Equal(t, "00", q.codeOf(q.end(codec.NetBatchEndEqual, 0)), "the settlement goes on where it stood")
	after := stopAndRead(t, s)
	require.Equal(t, before.Bookings[0].RRN, after.Bookings[0].RRN)

	s = start(t, Config{Ledger: path})
	r := open(t, s.Addr().String())
	require.Equal(t, 2, r.batch)
	r.stan = q.stan
	m := r.sale(1)
	a := r.ask(m)
	rrn, _ := a.Text(37)
	require.NotEqual(t, after.Bookings[0].RRN, rrn, "an RRN is given once")
}

// What was answered 00 is in the ledger, wherever in its work the host is killed.
func TestKilledWhileBooking(t *testing.T) {
	path := ledgerPath(t)
	rng := rand.New(rand.NewPCG(1, 2))
	args := []string{"-listen", "127.0.0.1:0", "-ledger", path}
	const terminals = 4
	for i := range terminals {
		args = append(args, "-terminal", fmt.Sprintf("2000000%d:%s", i, testMerchant))
	}
	approved := map[Identity]int64{}
	stans := [terminals]int{}
	for range 6 {
		cmd, addr := child(t, args...)
		answers := make(chan Booking)
		var wg sync.WaitGroup
		for i := range terminals {
			p := dial(t, addr)
			p.terminal, p.stan = fmt.Sprintf("2000000%d", i), stans[i]
			p.signIn(codec.NetSignInDouble)
			wg.Go(func() { stans[i] = p.sellUntilCut(answers) })
		}
		go func() { wg.Wait(); close(answers) }()
		kill := 20 + rng.IntN(60)
		n := 0
		for b := range answers {
			approved[b.Identity] = b.Amount
			if n++; n == kill {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		cmd.Wait()
		require.GreaterOrEqual(t, n, kill)
	}
	l, err := ReadLedger(path)
	require.NoError(t, err)
	booked := map[Identity]int64{}
	for _, b := range l.Bookings {
		require.Equal(t, 1, b.Arrivals)
		booked[b.Identity] = b.Amount
	}
	for id, amount := range approved {
		require.Equal(t, amount, booked[id], "%v was answered 00", id)
	}
	require.LessOrEqual(t, len(booked)-len(approved), 6*terminals, "at most the one in work of each terminal at each kill is booked and not answered")
}

// sellUntilCut sells until the connection ends; it gives its last STAN, whether
// that was answered or not.
func (p *pos) sellUntilCut(answers chan<- Booking) int {
	for {
		m := p.sale(int64(100 + p.stan))
		if _, err := p.Write(p.frame(m)); err != nil {
			return p.stan
		}
		f, err := codec.Framing{}.Read(p, nil)
		if err != nil {
			return p.stan
		}
		a, err := codec.UnionPay().Decode(f.Body)
		if err != nil {
			return p.stan
		}
		if v, _ := a.Text(39); v == "00" {
			answers <- Booking{Identity: Identity{p.terminal, uint32(p.batch), uint32(stanOf(m))}, Amount: amountOf(m)}
		}
	}
}

// A ledger that cannot grow stops the host; what it had answered is there.
func TestDiskFull(t *testing.T) {
	path := ledgerPath(t)
	s, err := Listen(Config{Ledger: path, maxSize: 1 << 20})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background()) }()
	p := open(t, s.Addr().String())
	approved := 0
	answers := make(chan Booking, 1)
	go func() {
		defer close(answers)
		p.sellUntilCut(answers)
	}()
	for range answers {
		approved++
	}
	require.ErrorContains(t, <-done, "ledger")
	l, err := ReadLedger(path)
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(l.Bookings), approved)
	require.Positive(t, approved)
}
