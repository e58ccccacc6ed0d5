// Command courier lives a courier's day on a handset that takes card, code and
// cash payments, while the network comes and goes, requests and answers get
// lost, the primary line to the acquirer is down for a while, and the handset's
// process is killed with SIGKILL again and again. In the
// end it compares three lists row by row: what the handset had acknowledged, its
// journal, and the acquirer's ledger.
//
// It runs three processes of itself: the day, which plays courier and customers
// and keeps a list of its own; the handset (courier handset), which is killed;
// and the acquirer (courier acquirer), which is not. Both can also be run by
// hand: courier handset -help, courier acquirer -help.
//
// A sale is taken when the handset has acknowledged it as accepted by the host,
// or as stored to be delivered. What it told as in doubt is not taken: it is
// being reversed, and the customer pays anew under another ref. A taken sale is
// lost if it does not stand at the host when the day has ended; a booking that
// stands there without a sale, void or refund that the handset has acknowledged
// as done is doubled; whatever else disagrees, be it amount, kind or state, or a
// void, refund or reversal that one side lacks, is different. A sale that was
// voided or refunded stands, for the void or refund is a booking of its own.
//
// The handset dies at planned points, which it marks and then waits at, and at
// random moments: with four kills or more, at least once in an attempt, while an
// answer is under way, in the upload and in the settlement, as long as the route
// has somebody who pays online.
//
// The day ends with its report: what was taken, what the acquirer has, how the
// batches were settled, what differs and what to do about it. Where the day's
// files are kept it stands among them as report.html, .md, .csv, .json and .txt.
//
// The last line is "taken N, at the host N, lost 0, doubled 0, different 0" with
// the figures as they are. The exit status is 0 if the last three are 0 and, on
// the route that ships with the program, 150 sales were taken and, where losses
// are on, 5 reversals took place; 1 if not, the day's files then being kept; and
// 2, with one sentence, when something is in the way that a person can clear.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/examples/courier/handset"
	"github.com/tallystick/tallystick/examples/courier/route"
	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/reconcile/report"
)

// Exit statuses.
const (
	exitDone    = 0
	exitFailed  = 1
	exitBlocked = 2
)

func main() {
	os.Exit(program(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func program(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		switch args[0] {
		case "handset":
			return handset.Main(ctx, args[1:], stdin, stdout, stderr)
		case "acquirer":
			return host.Main(ctx, args[1:], stdin, stdout, stderr)
		}
	}
	cfg, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if err != nil {
		fmt.Fprintln(stderr, "courier:", err)
		return exitBlocked
	}
	ctx, cancel := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer cancel()
	return live(ctx, cfg, stdout)
}

// config is what the flags say.
type config struct {
	seed  uint64
	kills int
	loss  float64
	route string
	keep  string
	lang  screen.Lang
}

// The defaults of the flags, and their bounds.
const (
	defaultKills = 12
	defaultLoss  = 0.1
	maxKills     = 1000
	maxLoss      = 0.5
	seeds        = 1_000_000 // drawn ones are short enough to be typed again
)

func parse(args []string, stderr io.Writer) (config, error) {
	lang, err := screen.Language(screen.LanguageFlag(args), os.Getenv)
	c := config{lang: lang}
	if err != nil {
		return c, err
	}
	w := wordsOf(lang)
	f := flag.NewFlagSet("courier", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Uint64Var(&c.seed, "seed", rand.Uint64N(seeds), w.flags["seed"])
	f.IntVar(&c.kills, "kills", defaultKills, w.flags["kills"])
	f.Float64Var(&c.loss, "loss", defaultLoss, w.flags["loss"])
	f.StringVar(&c.route, "route", "", w.flags["route"])
	f.StringVar(&c.keep, "keep", "", w.flags["keep"])
	f.String("lang", "", w.flags["lang"])
	if err := f.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(stderr, w.about)
		f.SetOutput(stderr)
		f.PrintDefaults()
		return c, err
	} else if err != nil {
		return c, fmt.Errorf(w.badFlag, err)
	}
	switch {
	case f.NArg() > 0:
		return c, fmt.Errorf(w.extra, f.Arg(0))
	case c.kills < 0 || c.kills > maxKills:
		return c, errors.New(w.badKills)
	case !(c.loss >= 0 && c.loss <= maxLoss):
		return c, errors.New(w.badLoss)
	}
	return c, nil
}

// live lives the day that cfg asks for, and gives the exit status.
func live(ctx context.Context, cfg config, stdout io.Writer) int {
	show := screen.New(stdout, cfg.lang)
	d, err := newDay(cfg, show, stdout)
	if err != nil {
		show.Fail(err)
		return exitBlocked
	}
	status := d.live(ctx)
	if status == exitDone && cfg.keep == "" {
		if err := os.RemoveAll(d.dir); err != nil {
			show.Kept(d.dir)
		}
	}
	return status
}

func newDay(cfg config, show *screen.Screen, out io.Writer) (*day, error) {
	w := wordsOf(cfg.lang)
	parcels, err := route.Day()
	if cfg.route != "" {
		parcels, err = route.Open(cfg.route)
	}
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf(w.noSelf, err)
	}
	d := &day{cfg: cfg, self: self, parcels: parcels, show: show, out: out, words: w, plan: newPlan(cfg.seed, parcels, cfg.kills),
		last: map[string]screen.Transition{}}
	d.kills = killer{planned: d.plan.kills, done: map[screen.Moment]int{}}
	if d.dir, err = folder(cfg.keep, w); err != nil {
		return nil, err
	}
	if d.list, err = newList(d.path(acknowledged)); err != nil {
		return nil, fmt.Errorf(w.noCSV, d.path(acknowledged), err)
	}
	return d, nil
}

// folder makes the folder for the day's files.
func folder(keep string, w *words) (string, error) {
	if keep == "" {
		dir, err := os.MkdirTemp("", "courier-")
		if err != nil {
			return "", fmt.Errorf(w.noTemp, err)
		}
		return dir, nil
	}
	if err := os.MkdirAll(keep, 0o700); err != nil {
		return "", fmt.Errorf(w.noKeep, keep, err)
	}
	files, err := os.ReadDir(keep)
	if err != nil {
		return "", fmt.Errorf(w.noKeep, keep, err)
	}
	if len(files) > 0 {
		return "", fmt.Errorf(w.keepFull, keep)
	}
	return keep, nil
}

// live runs the day, compares, and gives the exit status. The verdict is the
// last line, wherever there is one.
func (d *day) live(ctx context.Context) int {
	name, sum := filepath.Base(d.cfg.route), int64(0)
	if d.cfg.route == "" {
		name = "day.csv"
	}
	for _, p := range d.parcels {
		sum += p.Fen
	}
	d.show.Begin(screen.Day{Route: name, Parcels: len(d.parcels), Fen: sum, Seed: d.cfg.seed, Kills: d.cfg.kills,
		Loss: int(math.Round(d.cfg.loss * 100))})
	failed := d.run(ctx)
	var blocked *blockedError
	switch {
	case ctx.Err() != nil:
		d.show.Fail(fmt.Errorf(d.words.interrupted, d.dir))
		return exitFailed
	case errors.As(failed, &blocked):
		d.show.Fail(blocked)
		d.show.Kept(d.dir)
		return exitBlocked
	}
	return d.judge(ctx, failed)
}

// judge compares the three lists and tells the verdict. failed is why the day
// ended early, nil where it did not.
func (d *day) judge(ctx context.Context, failed error) int {
	entries, sheet, err := d.journal(ctx)
	if err != nil {
		d.show.Fail(errors.Join(failed, err))
		d.show.Kept(d.dir)
		return exitFailed
	}
	ledger, err := host.ReadLedger(d.path(ledgerName))
	if err != nil {
		d.show.Fail(errors.Join(failed, fmt.Errorf(d.words.noLedger, err)))
		d.show.Kept(d.dir)
		return exitFailed
	}
	o := compare(d.handed, d.list.rows, entries, ledger)
	d.show.Compare(o.rows, o.differences(d.words))
	status := exitDone
	if failed = errors.Join(failed, d.short(o)); failed != nil {
		d.show.Fail(failed)
		status = exitFailed
	}
	if o.lost+o.doubled+o.different > 0 {
		status = exitFailed
	}
	reported(sheet, o, d.words)
	if status != exitDone || d.cfg.keep != "" {
		if err := d.keepReport(sheet); err != nil {
			d.show.Fail(err)
			status = max(status, exitFailed)
		}
		d.show.Kept(d.dir)
	}
	if err := d.show.Close(); err != nil {
		return exitFailed
	}
	fmt.Fprintln(d.out)
	if err := sheet.Write(d.out, report.Text, report.Lang(d.cfg.lang)); err != nil {
		return exitFailed
	}
	fmt.Fprintln(d.out)
	fmt.Fprintln(d.out, screen.Verdict(o.taken, o.atHost, o.lost, o.doubled, o.different))
	return status
}

// What a day on the shipped route must come to.
const (
	leastTaken     = 150
	leastReversals = 5
)

// short says what a day on the shipped route lacks.
func (d *day) short(o outcome) error {
	switch {
	case d.cfg.route != "":
	case o.taken < leastTaken:
		return fmt.Errorf(d.words.fewTaken, o.taken)
	case d.cfg.loss > 0 && o.reversals < leastReversals:
		return fmt.Errorf(d.words.fewReversals, o.reversals)
	}
	return nil
}
