package isolink

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

// Link is the line of one terminal to its host. It is safe for concurrent use;
// up to Options.Window entries are under way at a time.
type Link struct {
	lane     queue.Lane
	dial     Dialer
	numbers  Numbers
	keys     codec.KeyLoader
	opts     Options
	terminal string // as DE 41 carries it
	merchant string // as DE 42 carries it

	answerOpen, triesOpen bool // the host's parameters decide

	life    context.Context // ends with Close
	end     context.CancelFunc
	closed  sync.Once
	readers sync.WaitGroup
	slots   chan struct{} // one token for each entry under way
	turn    chan struct{} // whoever holds its one token connects, signs in, and writes

	maccing sync.Mutex // one MAC is made at a time

	mu      sync.Mutex // guards what follows; never held while waiting
	conn    *conn      // nil: none
	old     []*conn    // nothing more is sent on these
	session session
	flying  int           // entries whose answer is waited for
	landed  chan struct{} // closed when the last of them has come
	asks    asks
	chores  chores
	kept    kept
	late    []Late
	toldOf  queue.BatchID // the batch whose totals were told last, by a style without an end message
	told    []queue.Totals
	doubted doubted
}

// session is what a sign-in brought.
type session struct {
	n    int       // counts sign-ins, from 1
	in   bool      // else a sign-in is needed
	mac  codec.MAC // nil where the style has none
	line queue.Line
}

// New makes the link of lane's terminal. Nothing is dialled before the first
// Prepare. keys takes the working keys of a sign-in into use: a PED, or a
// *codec.MasterKey; styles whose sign-in brings none need none.
//
// It refuses a terminal of more than 8 characters, a merchant of more than 15,
// an operator of more than 3, a window of more than 256, and a framing without a
// length.
func New(lane queue.Lane, dial Dialer, numbers Numbers, keys codec.KeyLoader, opts *Options) (*Link, error) {
	o := opts.withDefaults()
	switch {
	case dial == nil || numbers == nil:
		return nil, errors.New("isolink: dial and numbers are required")
	case keys == nil && o.Style == UnionPay:
		return nil, errors.New("isolink: the working keys of a sign-in need keys to load them")
	case o.Style > ISO1993:
		return nil, errors.New("isolink: the style is not known")
	case !digits(o.Institution, 11):
		return nil, errors.New("isolink: the institution has at most 11 digits")
	case o.Framing.Length == codec.LengthNone:
		return nil, errors.New("isolink: a stream needs a framing with a length")
	case !printable(lane.Terminal, 8):
		return nil, errors.New("isolink: the terminal needs 1 to 8 printable characters")
	case !printable(lane.Merchant, 15):
		return nil, errors.New("isolink: the merchant needs 1 to 15 printable characters")
	case !printable(o.Operator, 3):
		return nil, errors.New("isolink: the operator needs 1 to 3 printable characters")
	case o.Window > maxWindow:
		return nil, errors.New("isolink: the window has at most 256 entries")
	}
	l := &Link{lane: lane, dial: dial, numbers: numbers, keys: keys, opts: o,
		terminal: pad(lane.Terminal, 8), merchant: pad(lane.Merchant, 15),
		slots: make(chan struct{}, o.Window), turn: make(chan struct{}, 1)}
	l.answerOpen = opts == nil || opts.AnswerTimeout <= 0
	l.triesOpen = opts == nil || opts.Tries <= 0
	l.life, l.end = context.WithCancel(context.Background())
	l.remember()
	return l, nil
}

func printable(s string, most int) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7E {
			return false
		}
	}
	return s != "" && len(s) <= most
}

func digits(s string, most int) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) <= most
}

// Window is how many entries may be under way at a time, as queue.Windower asks.
func (l *Link) Window() int { return l.opts.Window }

// Close ends the connection and whatever waits on it, and returns once nothing
// of the link runs any more. It may be called more than once. What was under
// way is in doubt.
func (l *Link) Close() error {
	l.closed.Do(func() {
		l.end()
		for range cap(l.slots) {
			l.slots <- struct{}{} // whoever holds one returns soon, for its ctx has ended
		}
		l.turn <- struct{}{}
		l.mu.Lock()
		for _, c := range append(l.old, l.conn) {
			if c != nil {
				c.Close()
			}
		}
		l.mu.Unlock()
		<-l.turn
		for range cap(l.slots) {
			<-l.slots
		}
		l.readers.Wait()
		l.tell(Event{Kind: Ended})
	})
	return nil
}

// living is a ctx that also ends with Close.
func (l *Link) living(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(l.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// take waits for a token's place.
func (l *Link) take(ctx context.Context, tokens chan struct{}) error {
	select {
	case tokens <- struct{}{}:
	case <-ctx.Done():
		return l.whyEnded(lineError("waiting for the line", ctx.Err()))
	}
	if l.life.Err() != nil {
		<-tokens
		return ErrClosed
	}
	return nil
}

// begin takes the turn, under a ctx that also ends with Close.
func (l *Link) begin(ctx context.Context) (context.Context, func(), error) {
	ctx, done := l.living(ctx)
	waiting, cancel := context.WithTimeout(ctx, l.opts.AnswerTimeout)
	defer cancel()
	if err := l.take(waiting, l.turn); err != nil {
		done()
		return nil, nil, err
	}
	return ctx, func() { <-l.turn; done() }, nil
}

func (l *Link) whyEnded(err error) error {
	if l.life.Err() != nil {
		return ErrClosed
	}
	return err
}

// current is the session as it stands.
func (l *Link) current() session {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session
}

// Prepare connects and signs in where that is needed, and says under which
// batch number the host books. With a line that is ready it returns at once;
// that there is none it says after Options.LineTimeout at the latest.
//
// Errors: a *LineError, ErrClosed, an error of Numbers. With all of them nothing
// of an entry was sent.
func (l *Link) Prepare(ctx context.Context) (queue.Line, error) {
	ctx, done, err := l.begin(ctx)
	if err != nil {
		return queue.Line{}, err
	}
	defer done()
	if err := l.ready(ctx); err != nil {
		return queue.Line{}, err
	}
	return l.current().line, nil
}

// connect dials unless there is a connection that can be trusted. It needs the
// turn.
func (l *Link) connect(ctx context.Context) (*conn, error) {
	l.mu.Lock()
	c := l.conn
	l.mu.Unlock()
	if c != nil && !c.ended() && l.alive(ctx, c) {
		return c, nil
	}
	l.tell(Event{Kind: Connecting})
	ctx, cancel := context.WithTimeout(ctx, l.opts.TryTimeout)
	defer cancel()
	for range mostSpares {
		c, err := l.open(ctx)
		if err != nil {
			return nil, err
		}
		s := l.current()
		if !s.in {
			return c, nil // the sign-in shows what it is worth
		}
		if l.alive(ctx, c) {
			l.tell(Event{Kind: Ready, Batch: s.line.HostBatch})
			return c, nil
		}
	}
	return nil, &LineError{During: "dial", Reason: Silent}
}

// mostSpares bounds how many connections that had waited, and are dead, a dialer
// may give out before one that is not.
const mostSpares = 4

// open dials.
func (l *Link) open(ctx context.Context) (*conn, error) {
	l.dialled()
	nc, err := l.dial(ctx)
	if err != nil {
		return nil, lineError("dial", err)
	}
	l.dialWorked()
	c := newConn(nc)
	l.mu.Lock()
	l.conn = c
	l.mu.Unlock()
	l.tell(Event{Kind: Connected})
	l.readers.Go(func() { l.read(c) })
	return c, nil
}

// alive asks for an echo where the host was not heard for long: the network may
// have forgotten the connection.
func (l *Link) alive(ctx context.Context, c *conn) bool {
	if l.opts.EchoAfter < 0 || c.idle() < l.opts.EchoAfter {
		return true
	}
	wait := echoTime
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end)/2)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	f := l.echo()
	if f.err != nil {
		return true // a dialect without an echo
	}
	_, err := l.converse(ctx, c, f.m)
	return err == nil
}

// post writes a frame, and from then on w is waited for on c. unsent says that
// no byte of it left the device. After a write that failed nothing more is sent
// on c. It needs the turn.
func (l *Link) post(ctx context.Context, c *conn, frame []byte, w *want) (unsent bool, err error) {
	if err := c.expect(w); err != nil {
		return err == errRetired, err
	}
	if c.ended() {
		c.forget(w)
		return true, c.err
	}
	unsent, err = c.send(ctx, frame)
	if err == nil {
		return false, nil
	}
	if unsent {
		c.forget(w)
	} else if in, came, _ := c.giveUp(w); came {
		w.got <- in
		err = nil
	}
	if !unsent || ctx.Err() == nil {
		l.retire(c)
	}
	return unsent, err
}

// Send delivers e once and waits for its answer, as queue.Uplink asks. It needs
// a Prepare before it; a connection that was lost since is dialled anew.
//
// Errors that wrap queue.ErrNotSent: no connection (a *LineError), ErrClosed, a
// write of which nothing left, and, wrapping queue.ErrPrepareFirst, no sign-in
// (ErrSignInFirst) or a batch number that a sign-in has replaced since the entry
// was made ready; wrapping queue.ErrUnsendable, an entry that has no message in the dialect. All others
// leave e in doubt: a *LineError (silence, a broken connection), an *AnswerError,
// one of which wraps queue.ErrBadMAC.
func (l *Link) Send(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	m, err := l.entryMessage(e)
	if err != nil {
		l.tell(Event{Kind: Unsendable, STAN: e.STAN, Err: err})
		return queue.Answer{}, err
	}
	ctx, done := l.living(ctx)
	defer done()
	waiting, cancel := context.WithTimeout(ctx, l.opts.AnswerTimeout)
	defer cancel()
	if err := l.take(waiting, l.slots); err != nil {
		return queue.Answer{}, notSent(err)
	}
	defer func() { <-l.slots }()
	c, w, err := l.launch(ctx, m, e)
	if err != nil {
		return queue.Answer{}, err
	}
	defer l.land()
	answering, cancel := context.WithTimeout(ctx, l.answerTime())
	defer cancel()
	in, err := l.await(answering, c, w)
	if err != nil {
		return queue.Answer{}, err
	}
	return l.judge(w, in, e)
}

// launch sends the message of e, when it is its turn.
func (l *Link) launch(ctx context.Context, m *codec.Message, e queue.Entry) (c *conn, w *want, err error) {
	ctx, done, err := l.begin(ctx)
	if err != nil {
		return nil, nil, notSent(err)
	}
	s := l.current()
	unsent := true
	if !s.in {
		err = fmt.Errorf("%w: %w", queue.ErrPrepareFirst, ErrSignInFirst)
	} else if gone(e, s.line) {
		err = fmt.Errorf("%w: %w", queue.ErrPrepareFirst, errBatchGone)
	} else if c, w, unsent, err = l.write(ctx, m, s, e); err != nil {
		err = l.whyEnded(err)
	}
	done()
	switch {
	case err == nil:
		return c, w, nil
	case unsent:
		return nil, nil, notSent(err)
	case err == errTwice:
		return nil, nil, fmt.Errorf("entry %d: %w", e.ID, err)
	}
	return nil, nil, lineError(m.Type().String(), l.whyEnded(c.whyUnwritten(err)))
}

// errBatchGone keeps an entry from being sent under a number that the host has
// left between the entry's Prepare and its Send.
var errBatchGone = errors.New("the host has gone on to another batch since this entry was made ready")

// gone tells of an entry's first transmission under a batch number that a sign-in
// since has replaced: it can still have the new one. A repeat cannot, and a
// reversal has its original's.
func gone(e queue.Entry, line queue.Line) bool {
	return !e.Repeat && e.Kind != queue.Reversal && e.HostBatch != 0 && line.HostBatch != 0 && e.HostBatch != line.HostBatch
}

func (l *Link) write(ctx context.Context, m *codec.Message, s session, e queue.Entry) (c *conn, w *want, unsent bool, err error) {
	connecting, cancel := context.WithTimeout(ctx, l.opts.LineTimeout)
	defer cancel()
	if c, err = l.connect(connecting); err != nil {
		return nil, nil, true, err
	}
	frame, err := l.frame(m, s.mac)
	if err != nil {
		return nil, nil, true, err
	}
	w = newWant(m)
	w.id, w.stan, w.mac, w.session = e.ID, e.STAN, s.mac, s.n
	writing, cancel := context.WithTimeout(ctx, l.answerTime())
	defer cancel()
	if unsent, err = l.post(writing, c, frame, w); unsent {
		err = lineError(m.Type().String(), err)
	} else if err == nil {
		l.fly()
	}
	return c, w, unsent, err
}

func notSent(err error) error {
	if errors.Is(err, queue.ErrNotSent) {
		return err
	}
	return fmt.Errorf("%w: %w", queue.ErrNotSent, err)
}

func stanOf(m *codec.Message) queue.STAN {
	text, _ := m.Text(11)
	n, _ := strconv.ParseUint(text, 10, 32)
	return queue.STAN(n)
}
