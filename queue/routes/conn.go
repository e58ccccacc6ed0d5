package routes

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// conn is a connection of a Dialer: it notes what goes over it.
type conn struct {
	net.Conn
	d      *Dialer
	line   int
	opened time.Time

	mu     sync.Mutex
	owed   bool      // something was sent, and nothing came since
	piped  bool      // more was sent meanwhile: what comes may answer a part
	asked  time.Time // when
	last   time.Time // when anything went over it
	ended  bool
	closed sync.Once
}

// Opened is when the connection was made: one that had waited is older than the
// Dial that gave it out. Package isolink asks such a one for an echo before it
// trusts it with money.
func (c *conn) Opened() time.Time { return c.opened }

// Write is the connection's. One that was retired writes nothing.
func (c *conn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if c.ended {
		c.mu.Unlock()
		return 0, errEnded
	}
	now := time.Now()
	switch {
	case c.owed:
		c.piped = true
	case now.Sub(c.last) >= longQuiet:
		c.piped = false
	}
	if !c.owed {
		c.owed, c.asked = true, now
	}
	c.last = now
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// Read is the connection's. What comes is the line's success; an end with
// something unanswered is its failure.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.mu.Lock()
		answered, took := c.owed, time.Since(c.asked)
		c.owed, c.last = false, time.Now()
		c.mu.Unlock()
		if answered {
			c.d.choose.succeeded(c.line, took)
		}
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.unanswered(err)
	}
	return n, err
}

// errEnded is the error of a Write on a connection that has ended: nothing left.
var errEnded = fmt.Errorf("%w: %w", queue.ErrNotSent, net.ErrClosed)

var errUnanswered = errors.New("closed with something unanswered")

// unanswered counts a connection that ended with something unanswered.
func (c *conn) unanswered(err error) {
	c.mu.Lock()
	owed := c.owed
	c.owed, c.ended = false, true
	c.mu.Unlock()
	if owed {
		c.d.choose.failed(c.line, true, err)
	}
}

// Close is the connection's, at once: what TLS would say in parting could wait
// for a peer that does not read.
func (c *conn) Close() (err error) {
	c.unanswered(errUnanswered)
	c.closed.Do(func() {
		c.d.mu.Lock()
		delete(c.d.conns, c)
		c.d.mu.Unlock()
		err = closeNow(c.Conn)
	})
	return err
}

func closeNow(c net.Conn) error {
	if below, ok := c.(interface{ NetConn() net.Conn }); ok {
		return below.NetConn().Close()
	}
	return c.Close()
}

// quiet is how long nothing must have gone over a connection that is retired;
// longQuiet, longer than an answer is waited for, where questions were sent side
// by side: it cannot be told which of them had theirs.
const (
	quiet     = 2 * time.Second
	longQuiet = 65 * time.Second
)

// retire closes the connection if nothing is under way on it.
func (c *conn) retire() {
	c.mu.Lock()
	enough := quiet
	if c.piped {
		enough = longQuiet
	}
	idle := !c.owed && !c.ended && time.Since(c.last) >= enough
	if idle {
		c.ended = true
	}
	c.mu.Unlock()
	if idle {
		_ = c.Close()
	}
}

// spare is a connection that waits to be used. It is read from all the time, so
// that its end is seen.
type spare struct {
	conn   net.Conn
	opened time.Time
	gone   chan struct{} // closed when the reading has ended
	err    error
}

func newSpare(c net.Conn) *spare {
	s := &spare{conn: c, opened: time.Now(), gone: make(chan struct{})}
	go func() {
		defer close(s.gone)
		var b [1]byte
		n, err := c.Read(b[:])
		if n > 0 {
			err = errors.New("the host spoke first")
		}
		s.err = err
	}()
	return s
}

// oldest is how long a spare is kept: a network that has forgotten it says nothing,
// so that only a new one proves that its line works.
const oldest = 10 * time.Minute

func (s *spare) alive() bool {
	select {
	case <-s.gone:
		return false
	default:
		return true
	}
}

// take gives the connection out, nil when it has ended.
func (s *spare) take() net.Conn {
	if s.conn.SetReadDeadline(time.Unix(1, 0)) == nil {
		<-s.gone
		if errors.Is(s.err, os.ErrDeadlineExceeded) && s.conn.SetReadDeadline(time.Time{}) == nil {
			return s.conn
		}
	}
	s.discard()
	return nil
}

func (s *spare) discard() {
	_ = closeNow(s.conn)
	<-s.gone
}
