package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/examples/courier/handset"
	"github.com/tallystick/tallystick/examples/courier/route"
	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/internal/faultproxy"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/alarm"
	"github.com/tallystick/tallystick/queue/isolink"
	"github.com/tallystick/tallystick/reconcile/report"
)

// day is one courier's day under way. Everything of it runs in one goroutine,
// but for the reading of the children's lines.
type day struct {
	cfg     config
	self    string // this program's own file
	dir     string // where the day's files are
	parcels []route.Parcel
	plan    plan
	show    *screen.Screen
	out     io.Writer // for the verdict
	words   *words

	acquirer *child
	address  string            // where it listens: the backup line
	primary  *faultproxy.Proxy // the primary line, which goes down and up
	handset  *child            // nil: it does not run
	started  bool              // it has run before
	armed    []handset.Trap
	kills    killer

	delivered int // entries, as the handset has told
	steps     int // deliveries and details: what shows that it gets on

	last   map[string]screen.Transition // of each terminal's session
	down   bool                         // the network, as the handset has told
	tunnel bool                         // it is to go down in the middle of an attempt

	list   *list
	taken  []taken  // in the order of the day
	handed []string // the parcels handed over
	online int      // sales that the host has accepted at once
}

// taken is a sale that may be voided or refunded later.
type taken struct {
	ref    string
	tender route.Tender
	fen    int64
	booked bool // the host does not forget it
	undone bool
}

// forgotten is how many of its first sales the acquirer answers and does not
// book, so that at the settlement the totals differ and the batch upload has
// something to mend.
const forgotten = 2

const (
	journalName  = "courier.journal"
	ledgerName   = "acquirer.ledger"
	acknowledged = "acknowledged.csv"
)

func (d *day) path(name string) string { return filepath.Join(d.dir, name) }

// run lives the day up to the end of all processes.
func (d *day) run(ctx context.Context) error {
	defer d.abandon()
	if err := d.startAcquirer(ctx); err != nil {
		return err
	}
	for i, p := range d.parcels {
		d.kills.before(i)
		if err := d.weather(ctx, i); err != nil {
			return err
		}
		if err := d.deliver(ctx, i, p); err != nil {
			return err
		}
		if err := d.status(ctx); err != nil {
			return err
		}
	}
	if err := d.switchLine(ctx, false); err != nil {
		return err
	}
	if err := d.hitTheRest(ctx); err != nil {
		return err
	}
	if err := d.settle(ctx); err != nil {
		return err
	}
	if err := d.followUp(ctx); err != nil {
		return err
	}
	return d.close()
}

// abandon leaves no process behind.
func (d *day) abandon() {
	for _, c := range []*child{d.handset, d.acquirer} {
		if c != nil {
			c.abandon()
		}
	}
	d.handset, d.acquirer = nil, nil
	if d.primary != nil {
		_ = d.primary.Close() // it carries nothing any more
	}
}

func (d *day) startAcquirer(ctx context.Context) error {
	loss := strconv.FormatFloat(d.cfg.loss, 'g', -1, 64)
	c, err := start(d.self, "acquirer", "-listen", "127.0.0.1:0", "-ledger", d.path(ledgerName), "-eof-quits",
		"-seed", strconv.FormatUint(d.cfg.seed, 10), "-lose-request", loss, "-lose-answer", loss,
		"-forget", strconv.Itoa(forgotten), "-lang", string(d.cfg.lang))
	if err != nil {
		return fmt.Errorf(d.words.noSelf, err)
	}
	d.acquirer = c
	select {
	case line, more := <-c.lines:
		if !more {
			return d.acquirerEnded()
		}
		d.address = strings.TrimPrefix(line, "listening ")
		d.show.Listening(d.address)
		if d.primary, err = faultproxy.Listen(d.address, nil); err != nil {
			return fmt.Errorf(d.words.noLine, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *day) acquirerEnded() error {
	dead := d.acquirer
	d.acquirer = nil
	return d.ended(dead)
}

// Times of the handset in this example: short, so that a day fits a minute. Where
// no answer gets lost nobody waits for one in vain, and a busy machine is no host
// that is silent.
const (
	answerTimeout = "300ms"
	withoutLosses = "1m"
	longestRetry  = "200ms"
)

// warnAt is how many waiting payments the courier is warned of.
const warnAt = "8"

// Who the handset is to its hosts.
const (
	merchant     = "898100000000001"
	cardTerminal = "10000001" // cards and payment codes
	cashTerminal = "10000002"
)

func terminalOf(t route.Tender) string {
	if t == route.Cash {
		return cashTerminal
	}
	return cardTerminal
}

func (d *day) startHandset() error {
	timeout := answerTimeout
	if d.cfg.loss == 0 {
		timeout = withoutLosses
	}
	args := []string{"-host", d.primary.Addr(), "-backup", d.address, "-warn", warnAt, "-journal", d.path(journalName), "-eof-quits",
		"-merchant", merchant, "-terminal", cardTerminal, "-cash-terminal", cashTerminal,
		"-answer-timeout", timeout, "-retry", longestRetry, "-lang", string(d.cfg.lang)}
	if d.down {
		args = append(args, "-offline")
	}
	d.armed = nil
	for _, k := range d.kills.traps() { // before it goes on with anything
		d.armed = append(d.armed, k.trap)
		args = append(args, "-arm", fmt.Sprintf("%s:%d", k.trap, k.pass))
	}
	c, err := start(d.self, "handset", args...)
	if err != nil {
		return fmt.Errorf(d.words.noSelf, err)
	}
	d.handset = c
	return nil
}

// ended is the error of a process that has ended by itself: the sentence it
// left is a problem that a person can clear when its status says so.
func (d *day) ended(c *child) error {
	sentence := c.errs.last(c.name)
	if c.status() == exitBlocked && sentence != "" {
		return &blockedError{sentence}
	}
	return fmt.Errorf(d.words.died, c.name, fmt.Sprint(c.err, " ", c.errs.all()))
}

// event takes note of what the handset tells beside the answers.
func (d *day) event(l handset.Line) {
	switch l.Get("about") {
	case "line":
		d.down = l.Get("line") == "off"
		if d.down {
			d.tunnel = false
			d.armed = slices.DeleteFunc(d.armed, func(t handset.Trap) bool { return t == handset.TrapTunnel })
		}
		d.show.Outage(d.down)
	case "doubt":
		state := handset.State(l.Get("state"))
		d.list.now(l.Get("ref"), state)
		if state == handset.Reversed {
			d.show.Reversal(l.Get("ref"))
		}
	case "settling":
		d.settlingStep(l)
	case "session":
		d.session(l)
	case "route":
		d.show.Route(l.Get("terminal"), l.Get("to") == handset.Backup)
	case "warning":
		d.show.Warning(l.Get("terminal"), l.Get("why"), l.Get("state") == alarm.Cleared.String())
	}
}

// session shows a transition of a terminal's session. A line that is ready was
// signed in over, or is dialled anew under a sign-in that still holds.
func (d *day) session(l handset.Line) {
	terminal := l.Get("terminal")
	transitions := map[string]screen.Transition{
		isolink.Connecting.String(): screen.Connecting, isolink.Connected.String(): screen.Connected,
		isolink.Lost.String(): screen.LineLost, isolink.NoLine.String(): screen.NoLine,
		isolink.SigningIn.String(): screen.SigningIn, isolink.Ready.String(): screen.Connected,
		isolink.SignedOff.String(): screen.SignedOff, isolink.BatchEnded.String(): screen.SignInDue,
		isolink.Asked.String(): screen.HostAsks, isolink.Obeyed.String(): screen.HostObeyed,
	}
	t, known := transitions[l.Get("is")]
	if !known {
		return
	}
	if t == screen.Connected && d.last[terminal] == screen.SigningIn && l.Get("is") == isolink.Ready.String() {
		t = screen.SignedIn
	}
	d.last[terminal] = t
	d.show.Session(terminal, t)
}

func (d *day) settlingStep(l handset.Line) {
	steps := map[string]screen.Step{
		handset.StepClosing: screen.ClosingBatch, handset.StepDrain: screen.Draining, handset.StepTotals: screen.ComparingTotals,
		handset.StepEnd: screen.EndingBatch, handset.StepSettled: screen.Settled,
	}
	terminal, name := l.Get("terminal"), l.Get("step")
	if step, known := steps[name]; known {
		d.show.Settling(terminal, step)
		return
	}
	d.steps++
	d.show.Details(int(l.Number("sent")), int(l.Number("of")))
}

// weather lets an outage, of the network or of the primary line, begin or end
// before parcel i. Where losses are on, one of the network begins in the middle
// of the next attempt.
func (d *day) weather(ctx context.Context, i int) error {
	if err := d.detour(i); err != nil {
		return err
	}
	for _, o := range d.plan.outages {
		switch i {
		case o.from:
			if d.cfg.loss > 0 {
				d.tunnel = true
				continue
			}
			return d.switchLine(ctx, true)
		case o.from + 1:
			if !d.down {
				return d.switchLine(ctx, true)
			}
		case o.to:
			return d.switchLine(ctx, false)
		}
	}
	return nil
}

// detour takes the primary line down or up again before parcel i.
func (d *day) detour(i int) error {
	for _, o := range d.plan.detours {
		switch i {
		case o.from:
			d.primary.Refuse()
			d.show.PrimaryLine(true)
		case o.to:
			if err := d.primary.Admit(); err != nil {
				return fmt.Errorf(d.words.noLine, err)
			}
			d.show.PrimaryLine(false)
		}
	}
	return nil
}

// switchLine switches the handset's network off or on.
func (d *day) switchLine(ctx context.Context, off bool) error {
	d.tunnel = false
	d.armed = slices.DeleteFunc(d.armed, func(t handset.Trap) bool { return t == handset.TrapTunnel })
	command := "online"
	if off {
		command = "offline"
	}
	_, err := d.ask(ctx, command, func(l handset.Line) bool { return l.Word == handset.WordStatus && l.Get("line") != "" })
	return err
}

// status brings the screen up to date.
func (d *day) status(ctx context.Context) error {
	l, err := d.ask(ctx, "status", func(l handset.Line) bool { return l.Word == handset.WordStatus && l.Get("line") != "" })
	if err == nil {
		delivered := int(l.Number("delivered"))
		d.show.Uploads(delivered, int(l.Number("waiting")))
		d.steps += max(0, delivered-d.delivered)
		d.delivered = delivered
	}
	return err
}

// do asks the handset for a payment, a void or a refund, and keeps what was
// asked and what the handset acknowledges.
func (d *day) do(ctx context.Context, q asked) (handset.Answer, error) {
	return d.hear(ctx, q, q.command())
}

// command is q as the handset takes it.
func (q asked) command() string {
	switch q.Op {
	case queue.Void.String():
		return fmt.Sprintf("void %s %s", q.Ref, q.Of)
	case queue.Refund.String():
		return fmt.Sprintf("refund %s %s %s", q.Ref, q.Of, handset.Yuan(q.Fen))
	}
	return fmt.Sprintf("%s %s %s", q.Tender, q.Ref, handset.Yuan(q.Fen))
}

// hear gives a command about what was asked, and keeps the answer.
func (d *day) hear(ctx context.Context, q asked, command string) (handset.Answer, error) {
	l, err := d.ask(ctx, command, func(l handset.Line) bool {
		return l.Word == handset.WordAnswer && l.Get("ref") == q.Ref || l.Word == handset.WordError
	})
	if err != nil {
		return handset.Answer{}, err
	}
	if l.Word == handset.WordError {
		return handset.Answer{}, errors.New(l.Get("why"))
	}
	a := handset.ParseAnswer(l)
	if err := d.list.add(q, a); err != nil {
		return a, &blockedError{fmt.Sprintf(d.words.noCSV, d.path(acknowledged), err)}
	}
	return a, nil
}

// settle agrees with the hosts, however often the handset dies of it. Where much
// gets lost the handset's patience may not do: it is told to go on for as long
// as it gets on.
func (d *day) settle(ctx context.Context) error {
	d.kills.before(len(d.parcels))
	const tries = 3 // in a row, without a step forward
	for try := 1; ; try++ {
		before := d.steps
		l, err := d.ask(ctx, "settle", func(l handset.Line) bool { return l.Word == handset.WordSettle })
		if err != nil {
			return err
		}
		if l.Get("state") == handset.Settled {
			break
		}
		if err := d.status(ctx); err != nil {
			return err
		}
		if d.steps > before {
			try = 0
		}
		if try == tries || l.Get("state") != handset.Unsettled {
			return fmt.Errorf(d.words.unsettled, l.Get("terminal"), l.Get("why"))
		}
	}
	d.kills.giveUp()
	for len(d.kills.due) > 0 {
		if err := d.status(ctx); err != nil {
			return err
		}
	}
	return d.status(ctx)
}

// followUp asks what became of what was told as in doubt.
func (d *day) followUp(ctx context.Context) error {
	for _, row := range slices.Clone(d.list.rows) {
		if row.Now != handset.InDoubt {
			continue
		}
		a, err := d.hear(ctx, row.asked, "show "+row.Ref)
		if err != nil {
			return err
		}
		if a.State == handset.Reversed {
			d.show.Reversal(row.Ref)
		}
	}
	return nil
}

// close ends both processes cleanly.
func (d *day) close() error {
	for _, c := range []**child{&d.handset, &d.acquirer} {
		dead := *c
		*c = nil
		if dead == nil {
			continue
		}
		if err := dead.end(); err != nil {
			return d.ended(dead)
		}
	}
	return d.list.close()
}

// blockedError is a sentence, in the day's language, about something in the way
// that a person can clear.
type blockedError struct{ sentence string }

func (e *blockedError) Error() string { return e.sentence }

// journal reads the journal after the day: verified, every entry of it, and what
// it has to report.
func (d *day) journal(ctx context.Context) (entries []queue.Entry, r *report.Report, err error) {
	path := d.path(journalName)
	keys, err := handset.Keys(path)
	if err != nil {
		return nil, nil, err
	}
	q, err := queue.Open(path, keys, nil)
	if err != nil {
		return nil, nil, fmt.Errorf(d.words.noJournal, err)
	}
	defer q.Close()
	if err := q.Verify(ctx); err != nil {
		return nil, nil, fmt.Errorf(d.words.verify, err)
	}
	for e, err := range q.All(ctx, queue.Filter{}) {
		if err != nil {
			return nil, nil, fmt.Errorf(d.words.noJournal, err)
		}
		entries = append(entries, e)
	}
	r, err = d.report(ctx, q)
	return entries, r, err
}
