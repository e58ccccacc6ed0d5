package handset

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/alarm"
	"github.com/tallystick/tallystick/queue/isolink"
	"github.com/tallystick/tallystick/reconcile"
)

// Host is the link of one lane to its host.
type Host interface {
	reconcile.Host
	queue.Preparer
	io.Closer
}

// connector makes the link of a lane. It dials by dial and tells its events.
type connector func(cfg Config, q *queue.Queue, lane queue.Lane, dial dialer, tell func(isolink.Event)) (Host, error)

// connect makes an ISO 8583 link. What it learns of its host, such as the
// parameters downloaded, is kept beside the journal.
func connect(cfg Config, q *queue.Queue, lane queue.Lane, dial dialer, tell func(isolink.Event)) (Host, error) {
	tmk, err := codec.NewMasterKey(cfg.TMK)
	if err != nil {
		return nil, err
	}
	return isolink.New(lane, isolink.Dialer(dial), q, tmk, &isolink.Options{
		AnswerTimeout: cfg.AnswerTimeout, Memory: isolink.MemoryFile(cfg.Journal + "." + lane.Terminal), OnEvent: tell,
	})
}

// line is a lane with its link.
type line struct {
	lane queue.Lane
	host *watched
}

// handset is the running process.
type handset struct {
	cfg     Config
	words   *words
	q       *queue.Queue
	wire    *wire
	monitor *alarm.Monitor
	traps   *armoury
	cards   line // cards and payment codes, to the acquirer
	cash    line // to the depot
	gone    chan struct{}
	leave   sync.Once
	doubts  map[queue.ID]string // requests in doubt, told to the courier, by ref

	settlements bell // rings when a settlement beside the commands has ended

	mu  sync.Mutex
	out io.Writer
}

// run opens the journal and obeys the commands of in until they end, quit is
// given or ctx is done. Its errors are *Problem where a person can do something
// about them.
func run(ctx context.Context, cfg Config, in io.Reader, out io.Writer) error {
	keys, err := Keys(cfg.Journal)
	if err != nil {
		return err
	}
	q, err := queue.Open(cfg.Journal, keys, cfg.options())
	if err != nil {
		return blocked(cfg.Journal, err)
	}
	h := &handset{cfg: cfg, words: wordsOf(cfg.Lang), q: q, wire: newWire(cfg.Offline), gone: make(chan struct{}),
		doubts: map[queue.ID]string{}, out: out}
	h.traps = &armoury{say: h.say, gone: h.gone, armed: cfg.armed}
	err = h.work(ctx, in)
	return blocked(cfg.Journal, errors.Join(err, closed(q.Close())))
}

// closed leaves out what a journal says that was closed after a failed commit:
// the failure itself is told.
func closed(err error) error {
	if errors.Is(err, queue.ErrNotSynced) {
		return nil
	}
	return err
}

func (h *handset) work(ctx context.Context, in io.Reader) error {
	var err error
	if h.monitor, err = h.cfg.monitor(h.q); err != nil {
		return err
	}
	if h.cards, err = h.connect(h.cfg.cardLane()); err != nil {
		return err
	}
	defer h.cards.host.Close()
	if h.cash, err = h.connect(h.cfg.cashLane()); err != nil {
		return err
	}
	defer h.cash.host.Close()
	found, err := h.findDoubts(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var forwarders sync.WaitGroup
	defer forwarders.Wait()
	defer cancel()
	defer h.abandon()
	if err := h.ready(ctx, found); err != nil {
		return err
	}
	for _, l := range []line{h.cards, h.cash} {
		forwarders.Go(func() { h.forward(ctx, l) })
	}
	h.beside(ctx, forwarders.Go)
	return h.obeyAll(ctx, cancel, in)
}

// abandon lets go what waits at a mark.
func (h *handset) abandon() { h.leave.Do(func() { close(h.gone) }) }

func (h *handset) connect(lane queue.Lane) (line, error) {
	w := &watched{traps: h.traps, tunnel: func() { h.network(true) }, off: h.wire.isOff, pause: h.cfg.RetryMin, words: h.words,
		told: map[trouble]string{}, untold: map[queue.BatchID]error{}, answered: map[queue.BatchID]bool{}}
	w.tell = func(step string, e queue.Entry) { h.step(lane, step, e) }
	w.warn = func(a trouble, sentence string) { h.warn(lane, a, sentence) }
	members := &members{q: h.q}
	w.place = members.place
	lines, err := h.lines(lane, w.wrote)
	if err != nil {
		return line{}, err
	}
	link, err := h.cfg.connect(h.cfg, h.q, lane, lines.Dial, func(ev isolink.Event) { h.session(lane, ev) })
	if err != nil {
		return line{}, errors.Join(err, lines.Close())
	}
	w.Host = measured{h.monitor.Host(lane, link), link, lines}
	return line{lane, w}, nil
}

// findDoubts counts the entries that the last run left in doubt.
func (h *handset) findDoubts(ctx context.Context) (found int, err error) {
	for e, err := range h.q.All(ctx, queue.Filter{States: []queue.State{queue.InDoubt}}) {
		if err != nil {
			return 0, err
		}
		found++
		if e.Kind == queue.Request {
			h.doubts[e.ID] = e.Ref
		}
	}
	return found, nil
}

// obeyAll carries out the commands, one after the other.
func (h *handset) obeyAll(ctx context.Context, cancel func(), in io.Reader) error {
	commands := make(chan string, 64)
	go h.read(ctx, in, commands, cancel)
	for {
		select {
		case <-ctx.Done():
			return nil
		case text, more := <-commands:
			if !more {
				return nil
			}
			args := strings.Fields(text)
			if len(args) == 0 {
				continue
			}
			if args[0] == "quit" {
				return nil
			}
			if err := h.obey(ctx, args); err != nil {
				if ctx.Err() != nil {
					return nil
				}
				return err
			}
		}
	}
}

// read hands on the lines of in. When they end nobody is left to kill a
// process that waits at a mark.
func (h *handset) read(ctx context.Context, in io.Reader, commands chan<- string, cancel func()) {
	defer close(commands)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		select {
		case commands <- lines.Text():
		case <-ctx.Done():
			return
		}
	}
	h.abandon()
	if h.cfg.EOFQuits {
		cancel()
	}
}

// say writes one line. It is the only way to standard output.
func (h *handset) say(l Line) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Fprintln(h.out, l)
}

func (h *handset) ready(ctx context.Context, found int) error {
	l, err := h.counts(ctx, newLine(WordReady).number("pid", int64(os.Getpid())).number("doubt", int64(found)))
	if err != nil {
		return err
	}
	h.say(l)
	return nil
}

// counts adds to l what is delivered, what waits and what is parked.
func (h *handset) counts(ctx context.Context, l Line) (Line, error) {
	s, err := h.q.Status(ctx)
	if err != nil {
		return l, err
	}
	delivered := int64(0)
	for _, lane := range s.Lanes {
		for _, t := range lane.Tallies {
			if t.State == queue.Accepted {
				delivered += t.Count
			}
		}
	}
	return l.number("delivered", delivered).number("waiting", s.Waiting).number("parked", s.Parked), nil
}

// tellReversals tells of doubts that have ended.
func (h *handset) tellReversals(ctx context.Context) error {
	for id, ref := range h.doubts {
		e, err := h.q.Get(ctx, id)
		if err != nil {
			return err
		}
		if e.State == queue.InDoubt {
			continue
		}
		delete(h.doubts, id)
		h.say(newLine(WordEvent).with("about", "doubt").with("ref", ref).with("state", string(stateOf(e))))
	}
	return nil
}

// network switches the line off or on and tells of it. What waits is tried soon
// after the network is back.
func (h *handset) network(off bool) {
	if h.wire.set(off) {
		if !off {
			h.q.NetworkBack()
		}
		h.say(newLine(WordEvent).with("about", "line").with("line", lineState(off)))
	}
}

func lineState(off bool) string {
	if off {
		return "off"
	}
	return "on"
}

// options are the journal's, with the times that the handset was given.
func (c Config) options() *queue.Options {
	return &queue.Options{
		AnswerTimeout: c.AnswerTimeout, PrepareTimeout: 2 * c.AnswerTimeout,
		RetryMin: c.RetryMin, RetryMax: c.RetryMax, ReversalTries: reversalTries, LockWait: lockWait, BatchLimit: c.BatchLimit,
	}
}

const (
	// reversalTries is high: a courier has no one at hand who could look after
	// a parked reversal, and the line comes back.
	reversalTries = 200
	// lockWait lets a handset that was just killed go.
	lockWait = 200 * time.Millisecond
)
