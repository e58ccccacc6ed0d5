package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/courier/handset"
	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/alarm"
	"github.com/tallystick/tallystick/queue/isolink"
	"github.com/tallystick/tallystick/reconcile"
)

// A till has two lanes: cards are asked about at the acquirer, cash is told to
// the depot. Each is a terminal of its own, with its own numbers and batches,
// and neither waits for the other.
var (
	cards = queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}
	cash  = queue.Lane{Host: "depot", Merchant: "898100000000001", Terminal: "10000002"}
)

// till is the running program.
type till struct {
	q       *queue.Queue
	monitor *alarm.Monitor
	links   map[queue.Lane]*alarm.HostUplink
	lang    screen.Lang
	in      *bufio.Scanner
	turn    sync.Mutex // held by a command: what it led to is told after it
	mu      sync.Mutex // one line at a time
	out     io.Writer
}

// options bound what is taken while the host does not know of it, and ask about
// a card that pays the same twice within two minutes.
func options(cfg config) *queue.Options {
	return &queue.Options{
		RetryMax:      cfg.retry,
		AnswerTimeout: 20 * time.Second,
		DoubleTap:     2 * time.Minute,
		Limits: queue.Limits{
			PerSale: map[queue.TenderCurrency]int64{{Tender: queue.CardTender, Currency: queue.CNY}: 500_00},
			Count:   500,
		},
	}
}

// open runs a till on its journal until in ends, quit is typed, or ctx is done.
func open(ctx context.Context, cfg config, in io.Reader, out io.Writer) error {
	keys, err := handset.Keys(cfg.journal) // a real till asks the platform's key store
	if err != nil {
		return err
	}
	q, err := queue.Open(cfg.journal, keys, options(cfg)) // what a crash cut short is in doubt now
	if err != nil {
		return err
	}
	t := &till{q: q, links: map[queue.Lane]*alarm.HostUplink{}, lang: cfg.lang, in: bufio.NewScanner(in), out: out}
	return errors.Join(t.work(ctx, cfg), q.Close())
}

// work starts what runs beside the cashier and obeys the cashier.
func (t *till) work(ctx context.Context, cfg config) (err error) {
	if t.monitor, err = alarm.New(t.q, &alarm.Options{Every: cfg.look}); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop()
	for _, lane := range []queue.Lane{cards, cash} {
		tmk, err := codec.NewMasterKey(cfg.tmk) // a real till has it in its PED
		if err != nil {
			return err
		}
		link, err := isolink.New(lane, isolink.TCP(cfg.host), t.q, tmk, nil)
		if err != nil {
			return err
		}
		defer link.Close()
		host := t.monitor.Host(lane, link)
		t.links[lane] = host
		// Forward delivers what waits, through outages; this one also settles a
		// batch that has reached the host's limit.
		beside.Go(func() { _ = reconcile.Forward(ctx, t.q, lane, host, nil) })
	}
	beside.Go(func() { _ = t.monitor.Run(ctx) })
	beside.Go(func() { t.tell(ctx) })
	t.say(sayWelcome)
	return t.obey(ctx)
}

// obey carries out one command a line.
func (t *till) obey(ctx context.Context) error {
	for t.prompt() {
		word, rest, _ := strings.Cut(strings.TrimSpace(t.in.Text()), " ")
		if word == "quit" {
			return nil
		}
		err := t.carryOut(ctx, word, strings.TrimSpace(rest))
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if errors.Is(err, queue.ErrNotSynced) || errors.Is(err, queue.ErrDamaged) || errors.Is(err, queue.ErrClosed) {
				return err // the disk is not to be trusted: no more sales
			}
			t.say(sayFailed, said(t.lang, err))
		}
	}
	return t.in.Err()
}

func (t *till) carryOut(ctx context.Context, word, rest string) error {
	t.turn.Lock()
	defer t.turn.Unlock()
	switch word {
	case "":
	case "cash", "card":
		return t.sell(ctx, word, rest)
	case "void":
		return t.void(ctx, rest)
	case "close":
		return t.closeDay(ctx)
	case "status":
		return t.status(ctx)
	default:
		t.say(sayHelp)
	}
	return nil
}

func (t *till) prompt() bool {
	t.mu.Lock()
	fmt.Fprint(t.out, "> ")
	t.mu.Unlock()
	return t.in.Scan()
}

// ask puts a question that is answered with y or n. The cashier may take long.
func (t *till) ask(question text, args ...any) bool {
	t.say(question, args...)
	t.turn.Unlock()
	defer t.turn.Lock()
	return t.prompt() && strings.HasPrefix(strings.ToLower(strings.TrimSpace(t.in.Text())), "y")
}

// say writes one line.
func (t *till) say(what text, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, what.in(t.lang)+"\n", args...)
}
