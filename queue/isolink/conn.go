package isolink

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

const (
	frameTime = 10 * time.Second // from a frame's first byte to its last
	maxStrays = 64               // messages in a row that nobody waits for
	lateTime  = 2 * time.Minute  // how long an answer that did not come is still read for
)

var (
	errFlood   = errors.New("the host sends messages that nobody asked for")
	errRetired = errors.New("nothing more is sent on this connection")
	errTwice   = errors.New("a message of this type and trace number is under way")
)

// incoming is an answer as it came.
type incoming struct {
	m      *codec.Message
	raw    []byte // what the MAC is made over, and the MAC
	header codec.Header
	left   bool // it says that the host has left the batch that was asked about
}

// conn is one connection. A goroutine reads it until it ends, so that a peer
// that closes is noticed at once and no answer lies unread.
type conn struct {
	net.Conn
	dead chan struct{} // closed by the reader when it ends
	err  error         // why; set before dead is closed

	mu      sync.Mutex
	wants   map[key]*want
	answers int       // how many came
	until   time.Time // when a connection on which nothing more is sent is closed
	heard   time.Time // when the newest message came, or the connection began
}

func newConn(nc net.Conn) *conn {
	c := &conn{Conn: nc, dead: make(chan struct{}), wants: map[key]*want{}, heard: time.Now()}
	if waited, ok := nc.(interface{ Opened() time.Time }); ok {
		c.heard = waited.Opened() // it was kept ready, as package routes does
	}
	return c
}

// key is what an answer is found by on its connection, which is one terminal's.
type key struct {
	t    codec.MTI // of the answer, without a repeat digit
	stan string    // DE 11; "" for messages without one
}

func keyOf(t codec.MTI, m *codec.Message) key {
	stan, _ := m.Text(11)
	return key{t.Unrepeated(), stan}
}

// want is the answer that somebody waits for, or has waited for.
type want struct {
	request *codec.Message // what of the request an answer is compared with
	got     chan incoming  // holds one
	mac     codec.MAC      // with which the request was sent
	session int            // the sign-in that mac is of
	id      queue.ID       // of the entry that the request is for; 0: none
	stan    queue.STAN
	before  int       // how many answers had come when it was sent
	gone    time.Time // when the wait ended; zero: somebody waits
}

// compared are the elements that an answer must have as the request has them;
// nothing else of a request is kept while its answer is waited for.
var compared = []int{3, 4, 11, 41, 42, 49}

func newWant(request *codec.Message) *want {
	kept := codec.NewMessage(request.Spec(), request.Type())
	for _, de := range compared {
		if v, ok := request.Text(de); ok {
			_ = kept.Set(de, v) // it came from a message of the same dialect
		}
	}
	return &want{request: kept, got: make(chan incoming, 1)}
}

func (w *want) key() key { return keyOf(w.request.Type().Response(), w.request) }

func same(a, b *codec.Message, de int) bool {
	x, okx := a.Text(de)
	y, oky := b.Text(de)
	return okx == oky && x == y
}

// read runs until the connection ends or carries what is no message.
func (l *Link) read(c *conn) {
	c.err = l.readAll(c)
	c.Close()
	close(c.dead)
	err := c.err
	if errors.Is(err, net.ErrClosed) || errors.Is(err, errRetired) || c.retired() {
		err = nil
	}
	l.tell(Event{Kind: Lost, Err: err})
}

func (l *Link) readAll(c *conn) error {
	in := bufio.NewReader(c)
	for strays := 0; strays < maxStrays; {
		if err := c.waitUntil(time.Time{}); err != nil {
			return err
		}
		if _, err := in.Peek(1); err != nil {
			return err
		}
		if err := c.waitUntil(time.Now().Add(frameTime)); err != nil {
			return err
		}
		frame, err := l.opts.Framing.Read(in, nil)
		if err != nil {
			return err
		}
		m, err := l.opts.Spec.Decode(frame.Body)
		if err != nil {
			// The frames about it are whole: what others wait for can still come.
			if c.waiting() < 2 {
				return err
			}
			l.retire(c)
			strays++
			l.tell(Event{Kind: Stray, Err: err})
			continue
		}
		if l.deliver(c, incoming{m: m, raw: frame.Body, header: frame.Header}) {
			strays = 0
			if c.retired() && c.owes() == 0 {
				return errRetired
			}
			continue
		}
		strays++
		l.stray(m)
	}
	return errFlood
}

// stray reports a message that answers nothing of ours.
func (l *Link) stray(m *codec.Message) {
	ev := Event{Kind: Stray, Type: m.Type().String(), STAN: stanOf(m)}
	for de, ours := range map[int]string{41: l.terminal, 42: l.merchant} {
		if v, ok := m.Text(de); ok && v != ours {
			ev.Kind, ev.Err = Suspect, &AnswerError{Type: m.Type(), DE: de, Foreign: true}
		}
	}
	l.tell(ev)
}

// waitUntil bounds the next read; zero: only where nothing more is sent.
func (c *conn) waitUntil(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.until.IsZero() && (t.IsZero() || c.until.Before(t)) {
		t = c.until
	}
	return c.SetReadDeadline(t)
}

// deliver gives an answer to whoever waits for it, or has waited.
func (l *Link) deliver(c *conn, in incoming) bool {
	k := keyOf(in.m.Type(), in.m)
	c.mu.Lock()
	c.heard = time.Now()
	w := c.wants[k]
	if w == nil {
		c.mu.Unlock()
		return false
	}
	delete(c.wants, k)
	c.answers++
	late := !w.gone.IsZero()
	if !late {
		w.got <- in
	}
	c.mu.Unlock()
	if late {
		l.keepLate(w, in)
	}
	return true
}

// expect begins to wait for w: errRetired where nothing more is sent on c, and
// errTwice where an answer of the same name is waited for.
func (c *conn) expect(w *want) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.until.IsZero() {
		return errRetired
	}
	for k, o := range c.wants {
		if !o.gone.IsZero() && time.Since(o.gone) > lateTime {
			delete(c.wants, k)
		}
	}
	k := w.key()
	if o := c.wants[k]; o != nil && o.gone.IsZero() {
		return errTwice
	}
	w.before = c.answers
	c.wants[k] = w
	return nil
}

// forget ends the wait for w, of which nothing was sent.
func (c *conn) forget(w *want) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.wants, w.key())
}

// giveUp ends the wait for w; an answer that came in the last moment is
// returned instead. What answers an entry is read for still. silent says that
// nothing at all has come since w was sent.
func (c *conn) giveUp(w *want) (in incoming, came, silent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case in = <-w.got:
		return in, true, false
	default:
	}
	if w.id == 0 {
		delete(c.wants, w.key())
	}
	w.gone = time.Now()
	return in, false, c.answers == w.before
}

// retire has nothing more sent on c and returns how many answers it owes. It is
// read on for them, for so long at most, or until the last has come.
func (c *conn) retire(most time.Duration) (owed int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.IsZero() {
		c.until = time.Now().Add(most)
		_ = c.SetReadDeadline(c.until) // on an error the reader ends anyway
	}
	return len(c.wants)
}

func (c *conn) retired() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.until.IsZero()
}

// owes is how many answers may still come that are of use.
func (c *conn) owes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.wants)
}

// waiting is how many wait for an answer.
func (c *conn) waiting() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.wants {
		if w.gone.IsZero() {
			n++
		}
	}
	return n
}

// idle is how long nothing was heard.
func (c *conn) idle() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Since(c.heard)
}

func (c *conn) ended() bool {
	select {
	case <-c.dead:
		return true
	default:
		return false
	}
}

// send writes a frame. unsent says that provably none of it left the device.
func (c *conn) send(ctx context.Context, frame []byte) (unsent bool, err error) {
	if ctx.Err() != nil {
		return true, ctx.Err()
	}
	deadline, _ := ctx.Deadline()
	if err := c.SetWriteDeadline(deadline); err != nil {
		return true, err
	}
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.SetWriteDeadline(time.Unix(1, 0))
		close(cut)
	})
	defer func() {
		if !stop() {
			<-cut // or it would cut the next message
		}
	}()
	n, err := c.Write(frame)
	// What lies below another kind of connection may have sent bytes of its own.
	_, plain := c.Conn.(*net.TCPConn)
	return err != nil && n == 0 && (plain || errors.Is(err, queue.ErrNotSent)), err
}

// whyUnwritten prefers the reader's word for why a write failed: a peer that
// refuses a certificate says so before it closes.
func (c *conn) whyUnwritten(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	patience := time.NewTimer(time.Second)
	defer patience.Stop()
	select {
	case <-c.dead:
		return c.err
	case <-patience.C:
		return err
	}
}

// wait returns the answer, or an error when ctx or the connection ends first.
func (c *conn) wait(ctx context.Context, w *want) (incoming, error) {
	var err error
	select {
	case in := <-w.got:
		return in, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.dead:
		err = c.err
	}
	select {
	case in := <-w.got: // both came at once
		return in, nil
	default:
		return incoming{}, err
	}
}

// Close ends the connection at once: what TLS would say in parting could wait
// for a peer that does not read.
func (c *conn) Close() error {
	if below, ok := c.Conn.(interface{ NetConn() net.Conn }); ok {
		return below.NetConn().Close()
	}
	return c.Conn.Close()
}
