package routes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Line is one way to open a connection to the host.
type Line struct {
	Name string // 1 to 64 bytes, for events
	Dial func(context.Context) (net.Conn, error)
}

// Dialer opens connections over the line in use, and over another one where
// that fails. It is safe for concurrent use.
//
// A connection that it gave stays where it is until the one who uses it is done
// with it, or, where a better line has proved well, until it is idle: nothing
// sent on it is unanswered and nothing went over it for two seconds, or for 65
// where several messages were under way at once. It is then closed, and the next
// one goes over the better line.
type Dialer struct {
	choose *chooser
	lines  []Line
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu     sync.Mutex
	conns  map[*conn]bool
	spares map[int]*spare
	closed bool
}

// NewDialer makes a dialer of lines to one host, the best one first. It dials
// nothing before it is used, but with Options.Hot. Close it.
//
// It refuses no lines at all, a nil Dial, and names that are missing or not told
// apart.
func NewDialer(opts *Options, lines ...Line) (*Dialer, error) {
	var names []string
	for i, l := range lines {
		if l.Dial == nil {
			return nil, fmt.Errorf("line %d: it has no Dial", i+1)
		}
		names = append(names, l.Name)
	}
	if err := named(names); err != nil {
		return nil, err
	}
	d := &Dialer{choose: newChooser(opts.withDefaults(), names), lines: lines, conns: map[*conn]bool{}, spares: map[int]*spare{}}
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	d.done.Go(func() { watch(ctx, d.choose.opts.Probe, d.look) })
	return d, nil
}

// Close ends the watch over idle lines and closes what waits on them. The
// connections that Dial gave are left to those who use them. It may be called
// more than once.
func (d *Dialer) Close() error {
	d.stop()
	d.mu.Lock()
	d.closed = true
	spares := d.spares
	d.spares = map[int]*spare{}
	d.mu.Unlock()
	for _, s := range spares {
		s.discard()
	}
	d.done.Wait()
	return nil
}

// Health tells how each line gets on, the best one first. A line's latency is
// that of its connections and of the first byte after something was sent.
func (d *Dialer) Health() []Health { return d.choose.health() }

// headStart is how long the line in use has before the next one is dialled
// beside it: nothing is sent while dialling, so the first that connects is taken.
const headStart = time.Second

// errClosed is the error of a Dial after Close.
var errClosed = fmt.Errorf("the dialer is closed: %w", net.ErrClosed)

// Dial opens a connection: over the line in use, or over the first one that
// connects, the next one being dialled when one has failed or after a second.
//
// Errors: those of all lines; ctx.Err().
func (d *Dialer) Dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	order := d.choose.order()
	results := make(chan dialled, len(order))
	var errs []error
	broken := map[int]bool{}
	started, open := 0, 0
	next := func() {
		i := order[started]
		started++
		open++
		go func() { results <- d.dial(ctx, i) }()
	}
	if d.isClosed() {
		return nil, errClosed
	}
	next()
	for open > 0 {
		var late <-chan time.Time
		if started < len(order) {
			timer := time.NewTimer(headStart)
			defer timer.Stop()
			late = timer.C
		}
		select {
		case <-late:
			next()
			continue
		case r := <-results:
			open--
			if r.err == nil {
				d.overtaken(order[:started], r.line, broken)
				go drop(results, open)
				return d.adopt(r), nil
			}
			if !errors.Is(ctx.Err(), context.Canceled) {
				d.choose.failed(r.line, false, r.err)
			}
			broken[r.line] = true
			errs = append(errs, fmt.Errorf("line %s: %w", d.lines[r.line].Name, r.err))
			if started < len(order) && ctx.Err() == nil {
				next()
			}
		}
	}
	return nil, errors.Join(errs...)
}

type dialled struct {
	line   int
	conn   net.Conn
	opened time.Time
	took   time.Duration
	err    error
}

func (d *Dialer) dial(ctx context.Context, i int) dialled {
	if c, opened := d.takeSpare(i); c != nil {
		return dialled{line: i, conn: c, opened: opened}
	}
	began := time.Now()
	c, err := d.lines[i].Dial(ctx)
	if err == nil && c == nil {
		err = errors.New("its Dial gave neither a connection nor an error")
	}
	return dialled{i, c, time.Now(), time.Since(began), err}
}

// overtaken counts the lines as failed that had a head start before the one
// that connected, and did not.
func (d *Dialer) overtaken(tried []int, won int, broken map[int]bool) {
	for _, i := range tried {
		if i == won {
			return
		}
		if !broken[i] {
			d.choose.failed(i, false, errSlow)
		}
	}
}

var errSlow = errors.New("another line connected first, in spite of its head start")

// drop closes what dials bring that are not needed any more.
func drop(results <-chan dialled, open int) {
	for range open {
		if r := <-results; r.err == nil {
			_ = r.conn.Close()
		}
	}
}

func (d *Dialer) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

func (d *Dialer) adopt(r dialled) net.Conn {
	d.choose.readied(r.line)
	c := &conn{Conn: r.conn, d: d, line: r.line, opened: r.opened, last: time.Now()}
	d.mu.Lock()
	d.conns[c] = true
	d.mu.Unlock()
	return c
}

// look tries the idle lines that are due, and ends idle connections over lines
// that are worse than the one in use.
func (d *Dialer) look(ctx context.Context) {
	for _, i := range d.choose.idle() {
		began := time.Now()
		c, cancel := context.WithTimeout(ctx, probeTimeout)
		err := d.keep(c, i)
		cancel()
		if ctx.Err() == nil {
			d.choose.probed(i, time.Since(began), err)
		}
	}
	using := d.choose.using()
	d.mu.Lock()
	var worse []*conn
	for c := range d.conns {
		if c.line > using {
			worse = append(worse, c)
		}
	}
	d.mu.Unlock()
	for _, c := range worse {
		c.retire()
	}
}

// keep tries a line: by the connection that waits on it, unless that is old, or by
// a new one, which with Options.Hot is kept.
func (d *Dialer) keep(ctx context.Context, i int) error {
	d.mu.Lock()
	s := d.spares[i]
	d.mu.Unlock()
	if s != nil && s.alive() && time.Since(s.opened) < oldest {
		return nil
	}
	c, err := d.lines[i].Dial(ctx)
	if err != nil {
		return err
	}
	if !d.choose.opts.Hot {
		return c.Close()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return c.Close()
	}
	if s := d.spares[i]; s != nil {
		go s.discard()
	}
	d.spares[i] = newSpare(c)
	return nil
}

func (d *Dialer) takeSpare(i int) (c net.Conn, opened time.Time) {
	d.mu.Lock()
	s := d.spares[i]
	delete(d.spares, i)
	d.mu.Unlock()
	if s == nil {
		return nil, opened
	}
	return s.take(), s.opened
}
