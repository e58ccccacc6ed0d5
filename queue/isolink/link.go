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
// one message is under way at a time.
type Link struct {
	lane     queue.Lane
	dial     Dialer
	numbers  Numbers
	keys     codec.KeyLoader
	opts     Options
	terminal string // as DE 41 carries it
	merchant string // as DE 42 carries it

	life    context.Context // ends with Close
	end     context.CancelFunc
	readers sync.WaitGroup
	turn    chan struct{} // whoever holds its one token owns what follows

	conn   *conn     // nil: none
	old    []*conn   // read for late answers only
	mac    codec.MAC // nil: a sign-in is needed
	line   queue.Line
	signed time.Time // when we signed in last
	asked  int       // answers in a row that ask for a sign-in
	code   string    // DE 39 of the newest of them

	lateMu sync.Mutex
	late   []Late
}

// New makes the link of lane's terminal. Nothing is dialled before the first
// Prepare. keys takes the working keys of a sign-in into use: a PED, or a
// *codec.MasterKey.
//
// It refuses a terminal of more than 8 characters, a merchant of more than 15,
// an operator of more than 3, and a framing without a length.
func New(lane queue.Lane, dial Dialer, numbers Numbers, keys codec.KeyLoader, opts *Options) (*Link, error) {
	o := opts.withDefaults()
	switch {
	case dial == nil || numbers == nil || keys == nil:
		return nil, errors.New("isolink: dial, numbers and keys are required")
	case o.Framing.Length == codec.LengthNone:
		return nil, errors.New("isolink: a stream needs a framing with a length")
	case !printable(lane.Terminal, 8):
		return nil, errors.New("isolink: the terminal needs 1 to 8 printable characters")
	case !printable(lane.Merchant, 15):
		return nil, errors.New("isolink: the merchant needs 1 to 15 printable characters")
	case !printable(o.Operator, 3):
		return nil, errors.New("isolink: the operator needs 1 to 3 printable characters")
	}
	l := &Link{lane: lane, dial: dial, numbers: numbers, keys: keys, opts: o,
		terminal: pad(lane.Terminal, 8), merchant: pad(lane.Merchant, 15), turn: make(chan struct{}, 1)}
	l.life, l.end = context.WithCancel(context.Background())
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

// Close ends the connection and whatever waits on it, and returns once nothing
// of the link runs any more. It may be called more than once. What was under
// way is in doubt.
func (l *Link) Close() error {
	l.end()
	l.turn <- struct{}{} // whoever holds it returns soon, for its ctx has ended
	l.drop()
	for _, c := range l.old {
		c.Close()
	}
	<-l.turn
	l.readers.Wait()
	return nil
}

// begin takes the turn, under a ctx that also ends with Close and after
// Options.AnswerTimeout.
func (l *Link) begin(ctx context.Context) (context.Context, func(), error) {
	ctx, cancel := context.WithTimeout(ctx, l.opts.AnswerTimeout)
	stop := context.AfterFunc(l.life, cancel)
	done := func() { stop(); cancel() }
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		done()
		return nil, nil, l.whyEnded(lineError("waiting for the line", ctx.Err()))
	}
	if l.life.Err() != nil {
		<-l.turn
		done()
		return nil, nil, ErrClosed
	}
	return ctx, func() { <-l.turn; done() }, nil
}

func (l *Link) whyEnded(err error) error {
	if l.life.Err() != nil {
		return ErrClosed
	}
	return err
}

// Prepare connects and signs in where that is needed, and says under which
// batch number the host books. With a line that is ready it returns at once.
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
	return l.line, nil
}

// ready connects and signs in where that is needed.
func (l *Link) ready(ctx context.Context) error {
	err := l.connect(ctx)
	if err == nil && l.mac == nil {
		err = l.signIn(ctx)
	}
	if err == nil {
		return nil
	}
	err = l.whyEnded(err)
	l.tell(Event{Kind: NoLine, Err: err})
	return err
}

// connect dials unless there is a connection that can be trusted.
func (l *Link) connect(ctx context.Context) error {
	if l.conn != nil && !l.conn.ended() && l.alive(ctx) {
		return nil
	}
	l.conn = nil
	l.tell(Event{Kind: Connecting})
	nc, err := l.dial(ctx)
	if err != nil {
		return lineError("dial", err)
	}
	c := &conn{Conn: nc, dead: make(chan struct{}), heard: time.Now()}
	l.conn = c
	l.tell(Event{Kind: Connected})
	l.readers.Go(func() { l.read(c) })
	return nil
}

// alive asks for an echo where the host was not heard for long: the network may
// have forgotten the connection.
func (l *Link) alive(ctx context.Context) bool {
	if l.opts.EchoAfter < 0 || l.conn.idle() < l.opts.EchoAfter {
		return true
	}
	wait := echoTime
	if end, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(end)/2)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	f := &fields{m: codec.NewMessage(l.opts.Spec, mtiNetwork)}
	f.set(41, l.terminal)
	f.set(42, l.merchant)
	f.value(60, codec.Private60{Batch: int(l.line.HostBatch), Network: codec.NetEcho})
	if f.err != nil {
		return true // a dialect without an echo
	}
	_, err := l.converse(ctx, f.m)
	return err == nil
}

// drop gives the connection up; the next call dials.
func (l *Link) drop() {
	if l.conn != nil {
		l.conn.Close()
		l.conn = nil
	}
}

// exchange sends a frame and waits for its answer. unsent says that no byte of
// it left the device. After an error the connection is not used again: what is
// silent or broken is not trusted with the next message.
func (l *Link) exchange(ctx context.Context, frame []byte, w *want) (in incoming, unsent bool, err error) {
	c := l.conn
	c.expect(w)
	if c.ended() {
		err, unsent = c.err, true
	} else if unsent, err = c.send(ctx, frame); err != nil {
		err = c.whyUnwritten(err)
	} else if in, err = c.wait(ctx, w); err == nil {
		return in, false, nil
	} else if in, came := l.waitLonger(c, w); came {
		return in, false, nil
	}
	l.drop()
	return in, unsent, lineError(w.request.Type().String(), l.whyEnded(err))
}

// Send delivers e once and waits for its answer, as queue.Uplink asks. It needs
// a Prepare before it; a connection that was lost since is dialled anew.
//
// Errors that wrap queue.ErrNotSent: no connection (a *LineError), no sign-in
// (ErrSignInFirst), ErrClosed, a write of which nothing left, and, wrapping
// queue.ErrUnsendable, an entry that has no message in the dialect. All others
// leave e in doubt: a *LineError (silence, a broken connection), an *AnswerError,
// one of which wraps queue.ErrBadMAC.
func (l *Link) Send(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	m, err := l.entryMessage(e)
	if err != nil {
		l.tell(Event{Kind: Unsendable, STAN: e.STAN, Err: err})
		return queue.Answer{}, err
	}
	ctx, done, err := l.begin(ctx)
	if err != nil {
		return queue.Answer{}, notSent(err)
	}
	defer done()
	if l.mac == nil {
		return queue.Answer{}, notSent(ErrSignInFirst)
	}
	if err := l.connect(ctx); err != nil {
		return queue.Answer{}, notSent(l.whyEnded(err))
	}
	frame, err := l.frame(m, l.mac)
	if err != nil {
		return queue.Answer{}, notSent(err)
	}
	w := newWant(m)
	w.id, w.stan, w.mac = e.ID, e.STAN, l.mac
	in, unsent, err := l.exchange(ctx, frame, w)
	if unsent {
		return queue.Answer{}, notSent(err)
	}
	if err != nil {
		return queue.Answer{}, err
	}
	return l.judge(w.request, in, e)
}

func notSent(err error) error { return fmt.Errorf("%w: %w", queue.ErrNotSent, err) }

func stanOf(m *codec.Message) queue.STAN {
	text, _ := m.Text(11)
	n, _ := strconv.ParseUint(text, 10, 32)
	return queue.STAN(n)
}
