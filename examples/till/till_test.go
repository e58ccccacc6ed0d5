package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/alarm"
)

// cashier types commands and reads what the till says.
type cashier struct {
	t     *testing.T
	types *io.PipeWriter
	ended chan error

	mu     sync.Mutex
	text   bytes.Buffer
	warned bytes.Buffer // the warnings of text, which come at any moment
	more   chan struct{}
}

func (c *cashier) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.more)
	c.more = make(chan struct{})
	if bytes.HasPrefix(b, []byte("! ")) {
		c.warned.Write(b)
	}
	return c.text.Write(b)
}

// start opens a till; its times are short, so that nothing is waited for.
func start(t *testing.T, address, journal string, lang screen.Lang) *cashier {
	in, types := io.Pipe()
	c := &cashier{t: t, types: types, ended: make(chan error, 1), more: make(chan struct{})}
	cfg := config{host: address, journal: journal, lang: lang, tmk: host.DefaultTMK(), retry: 50 * time.Millisecond, look: 20 * time.Millisecond}
	go func() { c.ended <- open(context.Background(), cfg, in, c) }()
	return c
}

// do types a line and waits until the till has said all of these, in order.
func (c *cashier) do(line string, says ...string) {
	c.t.Helper()
	_, err := fmt.Fprintln(c.types, line)
	require.NoError(c.t, err)
	c.hear(says...)
}

// hear waits until the till has said all of these, in order, and forgets what
// was said up to there.
func (c *cashier) hear(says ...string) {
	c.t.Helper()
	c.find(&c.text, says)
}

// warning waits until the till has warned of all of these, be it before what was
// heard last.
func (c *cashier) warning(says ...string) {
	c.t.Helper()
	c.find(&c.warned, says)
}

func (c *cashier) find(in *bytes.Buffer, says []string) {
	c.t.Helper()
	late := time.After(5 * time.Minute) // ends a till that hangs
	for {
		c.mu.Lock()
		heard, more := in.String(), c.more
		c.mu.Unlock()
		rest, missing := heard, ""
		for _, s := range says {
			var found bool
			if _, rest, found = strings.Cut(rest, s); !found {
				missing = s
				break
			}
		}
		if missing == "" {
			c.mu.Lock()
			in.Next(len(heard) - len(rest))
			c.mu.Unlock()
			return
		}
		select {
		case <-more:
		case <-late:
			require.Fail(c.t, "the till does not say it", "missing %q in:\n%s", missing, heard)
		}
	}
}

func (c *cashier) quit() {
	c.t.Helper()
	c.do("quit")
	require.NoError(c.t, <-c.ended)
}

func acquirer(t *testing.T, ledger string) *host.Server {
	s, err := host.Listen(host.Config{Ledger: ledger})
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- s.Serve(context.Background()) }()
	t.Cleanup(func() { require.NoError(t, errors.Join(s.Close(), <-served)) })
	return s
}

// A day at the till: sales, a double tap, a void, an outage with its warning,
// restarts, and a close after which the till may be wiped.
func TestDay(t *testing.T) {
	dir := t.TempDir()
	s := acquirer(t, filepath.Join(dir, "ledger"))
	journal := filepath.Join(dir, "till.journal")
	c := start(t, s.Addr().String(), journal, screen.English)
	c.hear("The till is open.")
	c.do("status", "Safe to wipe")
	c.do("card 12.50 order-1", "Receipt 1: 12.50 CNY approved by the host.")
	c.do("card 12.50 order-1", "Receipt 1: 12.50 CNY approved by the host.") // the same order: nothing twice
	c.do("card 12.50", "This card paid 12.50 CNY just now (receipt 1). Is this another payment? (y/n)")
	c.do("n", "Not taken.")
	c.do("card 12.50", "(y/n)")
	c.do("y", "Receipt 2: 12.50 CNY approved by the host.")
	c.do("void 2", "Receipt 2 is being voided", "Receipt 2 is voided at the host.")
	c.do("cash 9.90", "9.90 CNY taken in cash.")
	c.do("void 99", "There is no sale 99.")
	c.do("card 0.001", "Give an amount")
	c.do("card 12.5.0", "Give an amount")
	c.do("dance", "cash AMOUNT")

	c.quit()

	s.Down()
	c = start(t, s.Addr().String(), journal, screen.English)
	c.do("card 8 order-4", "8.00 CNY approved by the chip, without the host.")
	c.do("card 600", "Too much without the host.")
	c.warning("! The host cannot be reached", "the host takes no connection; call support")
	c.do("status", "acquirer: 1 waiting", "8.00 CNY", "! The host cannot be reached", "nothing listens at the host's address", "NOT safe to wipe")
	c.quit()

	c = start(t, s.Addr().String(), journal, screen.Chinese)
	c.hear("收银机已开机")
	c.do("status", "待上送 1 笔", "不可清除")
	c.do("cash 5", "已收现金 5.00 CNY")
	require.NoError(t, s.Up())
	c.do("close", "acquirer：批次 1 已结算", "depot：批次 1 已结算", "可以清除")
	c.quit()

	require.NoError(t, s.Close())
	l, err := host.ReadLedger(filepath.Join(dir, "ledger"))
	require.NoError(t, err)
	total := map[string]int64{}
	for _, b := range l.Bookings {
		if b.State == host.Booked && b.Kind != host.Void {
			total[b.Terminal] += b.Amount
		}
	}
	require.Equal(t, map[string]int64{cards.Terminal: 1250 + 800, cash.Terminal: 990 + 500}, total)
	for _, b := range l.Batches {
		if b.State == host.BatchClosed {
			require.Equal(t, "00", b.End, "%+v", b)
		}
	}
}

// An answer that does not come is neither approved nor declined: the customer
// pays otherwise, and the till says when the sale is undone. What was delivered
// is given back by a refund.
func TestDoubtAndRefund(t *testing.T) {
	s := acquirer(t, "")
	c := start(t, s.Addr().String(), filepath.Join(t.TempDir(), "till.journal"), screen.English)
	c.do("cash 3", "Receipt 1: 3.00 CNY taken in cash.")
	s.SetMischief(host.Mischief{Cut: 1, Only: []codec.MTI{0x0200}})
	c.do("card 20", "20.00 CNY has no outcome. It is being undone")
	s.SetMischief(host.Mischief{})
	c.hear("is undone at the host: the customer has not paid it.")
	c.do("close", "depot: batch 1 settled", "Safe to wipe")
	c.do("close", "depot: 0 waiting (0), 0 need a person", "Safe to wipe")
	c.do("void 1", "Receipt 1 is given back by refund")
	c.do("void 1", "Receipt 1 has a refund already.")
	c.quit()
}

func TestProgram(t *testing.T) {
	var out, problems bytes.Buffer
	require.Equal(t, 2, run([]string{"-lang", "fr"}, strings.NewReader(""), &out, &problems))
	require.Contains(t, problems.String(), "give en or zh")
	require.Equal(t, 2, run([]string{"-tmk", "x"}, strings.NewReader(""), &out, &problems))
	missing := filepath.Join(t.TempDir(), "no", "such", "folder", "journal")
	problems.Reset()
	require.Equal(t, 2, run([]string{"-lang=zh", "-journal", missing}, strings.NewReader(""), &out, &problems))
	require.Contains(t, problems.String(), "请用 -journal 指定")
	require.Zero(t, run([]string{"-lang=en", "-host", "127.0.0.1:1", "-tmk", hex.EncodeToString(host.DefaultTMK()),
		"-journal", filepath.Join(t.TempDir(), "journal")}, strings.NewReader("status\n"), &out, &problems))
	require.Contains(t, out.String(), "Safe to wipe")
}

// Every state has a word, and a text has the same verbs in both languages.
func TestWords(t *testing.T) {
	for s := queue.Pending; s <= queue.Cancelled; s++ {
		require.NotEmpty(t, states[s].in(screen.English))
		require.NotEmpty(t, states[s].in(screen.Chinese))
	}
	source, err := os.ReadFile("words.go")
	require.NoError(t, err)
	verb := regexp.MustCompile(`%[a-z]`)
	texts := regexp.MustCompile(`= text\{("(?:[^"\\]|\\.)*"), ("(?:[^"\\]|\\.)*")\}`).FindAllSubmatch(source, -1)
	require.Greater(t, len(texts), 25)
	for _, both := range texts {
		require.Equal(t, verb.FindAllString(string(both[1]), -1), verb.FindAllString(string(both[2]), -1), "%s", both[0])
	}
}

// How a sale ends is told to a cashier whose screen was slow, and behind the
// command that began it, however soon it ends.
func TestEndsAreTold(t *testing.T) {
	q, err := queue.Open(filepath.Join(t.TempDir(), "journal"), nil, &queue.Options{Unsealed: true, RetryMin: 1, RetryMax: 2})
	require.NoError(t, err)
	defer q.Close()
	c := &cashier{t: t, more: make(chan struct{})}
	till := &till{q: q, lang: screen.English, out: c}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); till.tell(ctx) }()
	defer func() { stop(); <-ended }()
	for !warnedOf(c) { // it watches once it warns
		q.Warn(&alarm.Warning{Kind: alarm.Backlog, State: alarm.Raised, Lane: cards})
		runtime.Gosched()
	}

	till.turn.Lock() // a command is carried out, and tell is held up by the first end
	undo := func(ref string) queue.Entry {
		e, err := q.Do(ctx, silentOnce{}, queue.Transaction{Ref: ref, Lane: cards, Op: queue.Sale, Tender: queue.CardTender,
			Amount: queue.Money{Minor: 2000, Currency: queue.CNY}, Card: queue.Card{PAN: queue.NewSecret(testCard)}})
		require.ErrorIs(t, err, queue.ErrInDoubt)
		require.NoError(t, q.Drain(ctx, cards, silentOnce{}))
		return e
	}
	first, second := undo("a"), undo("b")
	till.say(sayInDoubt, second.ID, second.Amount)
	till.turn.Unlock()
	c.hear(fmt.Sprintf("Receipt %d: 20.00 CNY has no outcome", second.ID),
		fmt.Sprintf("Receipt %d is undone", first.ID), fmt.Sprintf("Receipt %d is undone", second.ID))
}

func warnedOf(c *cashier) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.warned.Len() > 0
}

// silentOnce answers reversals only.
type silentOnce struct{}

func (silentOnce) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	if e.Kind == queue.Request {
		return queue.Answer{}, errors.New("no answer")
	}
	return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
}
