package handset

import (
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/queue"
)

// Exit statuses of Main.
const (
	exitDone    = 0
	exitBlocked = 2
)

// Config says what a handset is.
type Config struct {
	Host          string // address of the acquirer
	Backup        string // another address of the same acquirer; "": none
	Journal       string // path
	Merchant      string // DE 42
	Terminal      string // DE 41, cards and codes
	CashTerminal  string // DE 41, cash
	TMK           []byte // terminal master key, 16 bytes
	Operator      string
	Offline       bool // start without a line
	EOFQuits      bool // end at once when the commands end
	AnswerTimeout time.Duration
	RetryMin      time.Duration
	RetryMax      time.Duration
	Patience      time.Duration // how long settle tries
	BatchLimit    int           // records a batch of the host takes
	Warn          int           // how many payments may wait before a warning
	Lang          screen.Lang

	connect connector
	armed   map[Trap]int
	errs    io.Writer // gets a sentence about each trouble; nil: none
}

// Main is the program: flags in args, commands on stdin, answers on stdout. It
// gives the exit status: 0, or 2 with one sentence on stderr.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	cfg, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if err == nil {
		ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer cancel()
		cfg.errs = stderr
		err = run(ctx, cfg, stdin, stdout)
	}
	if err == nil {
		return exitDone
	}
	sentence := err.Error()
	var p *Problem
	if errors.As(err, &p) && cfg.Lang == screen.Chinese {
		sentence = p.Chinese()
	} else if p != nil {
		sentence = p.Error()
	}
	fmt.Fprintln(stderr, "handset:", sentence)
	return exitBlocked
}

// The lanes' names for the hosts: one program serves both in this example.
const (
	acquirer = "acquirer"
	depot    = "depot"
)

func (c Config) cardLane() queue.Lane {
	return queue.Lane{Host: acquirer, Merchant: c.Merchant, Terminal: c.Terminal}
}

func (c Config) cashLane() queue.Lane {
	return queue.Lane{Host: depot, Merchant: c.Merchant, Terminal: c.CashTerminal}
}

// hostLimit is how many records a batch has at most.
const hostLimit = 500

// defaultWarn is how many payments may wait before a warning.
const defaultWarn = 20

// arm arms a trap before anything is sent: NAME:PASS.
func (c Config) arm(s string) error {
	name, pass, _ := strings.Cut(s, ":")
	n, err := strconv.Atoi(pass)
	if err != nil || n < 0 || !slices.Contains(traps, Trap(name)) {
		return errors.New("NAME:PASS")
	}
	c.armed[Trap(name)] = n
	return nil
}

// retryMin is the pause after a first failure; -retry bounds the later ones.
const retryMin = 20 * time.Millisecond

func parse(args []string, stderr io.Writer) (Config, error) {
	lang, langErr := screen.Language(screen.LanguageFlag(args), os.Getenv)
	c := Config{Lang: lang, RetryMin: retryMin, connect: connect, armed: map[Trap]int{}}
	w := wordsOf(lang)
	f := flag.NewFlagSet("handset", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&c.Host, "host", "127.0.0.1:8583", w.flags["host"])
	f.StringVar(&c.Backup, "backup", "", w.flags["backup"])
	f.StringVar(&c.Journal, "journal", "courier.journal", w.flags["journal"])
	f.StringVar(&c.Merchant, "merchant", "898100000000001", w.flags["merchant"])
	f.StringVar(&c.Terminal, "terminal", "10000001", w.flags["terminal"])
	f.StringVar(&c.CashTerminal, "cash-terminal", "10000002", w.flags["cash-terminal"])
	tmk := f.String("tmk", "11111111111111111111111111111111", w.flags["tmk"])
	f.StringVar(&c.Operator, "operator", "", w.flags["operator"])
	f.BoolVar(&c.Offline, "offline", false, w.flags["offline"])
	f.BoolVar(&c.EOFQuits, "eof-quits", false, w.flags["eof-quits"])
	f.DurationVar(&c.AnswerTimeout, "answer-timeout", 3*time.Second, w.flags["answer-timeout"])
	f.DurationVar(&c.RetryMax, "retry", 5*time.Second, w.flags["retry"])
	f.DurationVar(&c.Patience, "patience", 30*time.Second, w.flags["patience"])
	f.IntVar(&c.BatchLimit, "batch-limit", hostLimit, w.flags["batch-limit"])
	f.IntVar(&c.Warn, "warn", defaultWarn, w.flags["warn"])
	f.Func("arm", w.flags["arm"], c.arm)
	f.String("lang", "", w.flags["lang"])
	if langErr != nil {
		return c, langErr
	}
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, w.about)
			f.SetOutput(stderr)
			f.PrintDefaults()
			return c, err
		}
		return c, fmt.Errorf(w.other, err)
	}
	var err error
	switch c.TMK, err = hex.DecodeString(*tmk); {
	case f.NArg() > 0:
		return c, fmt.Errorf(w.extra, clipped(f.Arg(0)))
	case err != nil || len(c.TMK) != 16:
		return c, errors.New(w.badTMK)
	case c.AnswerTimeout <= 0 || c.RetryMax <= 0 || c.Patience <= 0:
		return c, errors.New(w.badTime)
	case c.BatchLimit < 1 || c.BatchLimit > hostLimit:
		return c, fmt.Errorf(w.badLimit, hostLimit)
	case c.Warn < 1:
		return c, errors.New(w.badWarn)
	}
	c.RetryMin = min(c.RetryMin, c.RetryMax)
	return c, nil
}
