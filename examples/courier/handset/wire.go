package handset

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// errTunnel is why a dial fails while the line is off: what a device without a
// network says of any host.
var errTunnel error = &net.DNSError{Err: "no network: the line is off"}

// wire is the network as the handset has it: it can be switched off as a tunnel
// would, which breaks what is connected and lets nothing connect.
type wire struct {
	mu    sync.Mutex
	off   bool
	conns map[*wired]struct{}
}

func newWire(off bool) *wire { return &wire{off: off, conns: map[*wired]struct{}{}} }

// dialer opens a connection to the host.
type dialer func(ctx context.Context) (net.Conn, error)

// dial returns a dialer that connects through w; after each write of the
// connection it calls wrote, before anything more is read.
func (w *wire) dial(address string, wrote func()) dialer {
	return func(ctx context.Context) (net.Conn, error) {
		if w.isOff() {
			return nil, errTunnel
		}
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", address)
		if err != nil {
			return nil, err
		}
		conn := &wired{Conn: c, wire: w, wrote: wrote}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.off {
			_ = c.Close()
			return nil, errTunnel
		}
		w.conns[conn] = struct{}{}
		return conn, nil
	}
}

func (w *wire) isOff() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.off
}

// set switches the line off or on and tells whether that was a change.
func (w *wire) set(off bool) (changed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	changed, w.off = w.off != off, off
	if off {
		for c := range w.conns {
			c.broken.Store(true)
			_ = c.Conn.Close()
			delete(w.conns, c)
		}
	}
	return changed
}

// wired is a connection over a wire.
type wired struct {
	net.Conn
	wire    *wire
	wrote   func()
	writing sync.Mutex
	broken  atomic.Bool // the line was switched off
}

func (c *wired) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	n, err := c.Conn.Write(b)
	c.wrote()
	return n, err
}

// Read hands over nothing that comes while a write is under way, as its answer
// may: where wrote switches the line off, it never came.
func (c *wired) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.broken.Load() {
		return 0, errTunnel
	}
	return n, err
}

func (c *wired) Close() error {
	c.wire.mu.Lock()
	delete(c.wire.conns, c)
	c.wire.mu.Unlock()
	return c.Conn.Close()
}
