package isolink

import (
	"bufio"
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/tallystick/tallystick/codec"
)

const (
	frameTime = 10 * time.Second // from a frame's first byte to its last
	maxStrays = 64               // messages in a row that nobody waits for
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

	mu   sync.Mutex
	want *want
}

// want is the answer that somebody waits for.
type want struct {
	answers codec.MTI
	request *codec.Message
	got     chan incoming // holds one
}

// takes tells whether m answers the request, ignoring its repeat digit.
func (w *want) takes(m *codec.Message) bool {
	return m.Type().Unrepeated() == w.answers && same(m, w.request, 11)
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
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	l.tell(Event{Kind: Lost, Err: err})
}

func (l *Link) readAll(c *conn) error {
	in := bufio.NewReader(c)
	for strays := 0; strays < maxStrays; {
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			return err
		}
		if _, err := in.Peek(1); err != nil {
			return err
		}
		if err := c.SetReadDeadline(time.Now().Add(frameTime)); err != nil {
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
		if c.deliver(incoming{m, frame.Body, frame.Header}) {
			strays = 0
			continue
		}
		strays++
		l.tell(Event{Kind: Stray, Type: m.Type().String(), STAN: stanOf(m)})
	}
	return errFlood
}

// deliver gives an answer to whoever waits for it.
func (c *conn) deliver(in incoming) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.want == nil || !c.want.takes(in.m) {
		return false
	}
	c.want.got <- in
	c.want = nil
	return true
}

// expect begins to wait for the answer to m.
func (c *conn) expect(m *codec.Message) *want {
	w := &want{answers: m.Type().Response(), request: m, got: make(chan incoming, 1)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.want = w
	return w
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
