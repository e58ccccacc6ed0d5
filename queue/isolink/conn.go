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
	lateTime  = 2 * time.Minute  // how long a connection is still read after its answer did not come
)

var errFlood = errors.New("the host sends messages that nobody asked for")

// incoming is an answer as it came.
type incoming struct {
	m      *codec.Message
	raw    []byte // what the MAC is made over, and the MAC
	header codec.Header
}

// conn is one connection. A goroutine reads it until it ends, so that a peer
// that closes is noticed at once and no answer lies unread.
type conn struct {
	net.Conn
	dead chan struct{} // closed by the reader when it ends
	err  error         // why; set before dead is closed

	mu    sync.Mutex
	want  *want
	until time.Time // when a connection that is read for late answers only is closed
	heard time.Time // when the newest message came, or the connection began
}

// want is the answer that somebody waits for, or has waited for.
type want struct {
	request *codec.Message // what of the request an answer is compared with
	got     chan incoming  // holds one
	mac     codec.MAC      // with which the request was sent
	id      queue.ID       // of the entry that the request is for; 0: none
	stan    queue.STAN
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

// takes tells whether m answers the request, ignoring its repeat digit.
func (w *want) takes(m *codec.Message) bool {
	return m.Type().Unrepeated() == w.request.Type().Response() && same(m, w.request, 11)
}

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
	if errors.Is(err, net.ErrClosed) || c.late() {
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
			return err
		}
		if l.deliver(c, incoming{m, frame.Body, frame.Header}) {
			strays = 0
			continue
		}
		strays++
		l.tell(Event{Kind: Stray, Type: m.Type().String(), STAN: stanOf(m)})
	}
	return errFlood
}

// waitUntil bounds the next read; zero: only where late answers are waited for.
func (c *conn) waitUntil(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.until.IsZero() && (t.IsZero() || c.until.Before(t)) {
		t = c.until
	}
	return c.SetReadDeadline(t)
}

// linger goes on to read c for the answer that did not come in time. An answer
// that came in the last moment is returned instead.
func (c *conn) linger(w *want) (in incoming, came bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case in = <-w.got:
		return in, true
	default:
	}
	c.until = time.Now().Add(lateTime)
	_ = c.SetReadDeadline(c.until) // on an error the reader ends anyway
	return in, false
}

func (c *conn) late() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.until.IsZero()
}

// deliver gives an answer to whoever waits for it, or has waited.
func (l *Link) deliver(c *conn, in incoming) bool {
	c.mu.Lock()
	w, late := c.want, !c.until.IsZero()
	c.heard = time.Now()
	if w == nil || !w.takes(in.m) {
		c.mu.Unlock()
		return false
	}
	c.want = nil
	if !late {
		w.got <- in
	}
	c.mu.Unlock()
	if late {
		l.keepLate(w, in)
	}
	return true
}

// expect begins to wait for w.
func (c *conn) expect(w *want) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want = w
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
	stop := context.AfterFunc(ctx, func() { _ = c.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	n, err := c.Write(frame)
	// What lies below another kind of connection may have sent bytes of its own.
	_, plain := c.Conn.(*net.TCPConn)
	return err != nil && n == 0 && plain, err
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
