package routes

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// Route is one way to the host: an uplink of its own.
type Route struct {
	Name   string // 1 to 64 bytes, for events
	Uplink queue.Uplink
	// Probe tells whether the route works, with no byte of an entry sent. Nil: the
	// uplink's Prepare. Where it has none either, a better route is taken into use
	// again by time alone.
	Probe func(context.Context) error
}

// Uplink is a queue.Uplink, Preparer, Windower and LateAnswerer made of routes.
// It is safe for concurrent use; a route that is no queue.Windower is called by
// one goroutine at a time all the same.
type Uplink struct {
	choose *chooser
	routes []*route
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// route is one route with what guards it.
type route struct {
	Route
	gate  chan struct{} // nil where the uplink takes several calls at once
	mu    sync.Mutex
	probe context.CancelFunc // ends the probe under way
}

// New makes one uplink of routes to one host, the best one first. It tries
// nothing before it is used. Close it: it then closes the routes' uplinks that
// have a Close, too.
//
// It refuses no routes at all, a nil Uplink, and names that are missing or not
// told apart.
func New(opts *Options, routes ...Route) (*Uplink, error) {
	var names []string
	u := &Uplink{}
	for i, r := range routes {
		if r.Uplink == nil {
			return nil, fmt.Errorf("route %d: it has no uplink", i+1)
		}
		names = append(names, r.Name)
		g := &route{Route: r}
		if _, ok := r.Uplink.(queue.Windower); !ok {
			g.gate = make(chan struct{}, 1)
		}
		u.routes = append(u.routes, g)
	}
	if err := named(names); err != nil {
		return nil, err
	}
	u.choose = newChooser(opts.withDefaults(), names)
	ctx, stop := context.WithCancel(context.Background())
	u.stop = stop
	u.done.Go(func() { watch(ctx, u.choose.opts.Probe, u.look) })
	return u, nil
}

// watch calls look at its pace until ctx ends.
func watch(ctx context.Context, every time.Duration, look func(context.Context)) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			look(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// Close ends the watch over idle routes and closes the routes. It may be called
// more than once.
func (u *Uplink) Close() error {
	u.stop()
	u.done.Wait()
	var errs []error
	for _, r := range u.routes {
		if c, ok := r.Uplink.(interface{ Close() error }); ok {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(errs...)
}

// Health tells how each route gets on, the best one first.
func (u *Uplink) Health() []Health { return u.choose.health() }

// Window is the smallest window of the routes.
func (u *Uplink) Window() int {
	size := 0
	for _, r := range u.routes {
		n := 1
		if w, ok := r.Uplink.(queue.Windower); ok {
			n = max(w.Window(), 1)
		}
		if size == 0 || n < size {
			size = n
		}
	}
	return size
}

// LateAnswers are those of all routes.
func (u *Uplink) LateAnswers() (all []queue.LateAnswer) {
	for _, r := range u.routes {
		l, ok := r.Uplink.(queue.LateAnswerer)
		if !ok || r.enter(context.Background()) != nil {
			continue
		}
		all = append(all, l.LateAnswers()...)
		r.leave()
	}
	return all
}

// Prepare readies the route in use, or the next one that can be readied; they
// share the time until ctx's deadline.
//
// Errors: those of the routes; nothing of an entry was sent.
func (u *Uplink) Prepare(ctx context.Context) (queue.Line, error) {
	return over(ctx, u, true, func(ctx context.Context, r *route) (queue.Line, error) { return r.prepare(ctx) })
}

// Send delivers e over the route in use. Only when that is proven not to have
// sent a byte of it (queue.ErrNotSent) the next one is readied and tried.
//
// Errors: those of the route that ended it; one of a route that was readied but
// books under another batch number wraps queue.ErrPrepareFirst: the next Prepare
// tells that number.
func (u *Uplink) Send(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	first := u.choose.using()
	return over(ctx, u, false, func(ctx context.Context, r *route) (queue.Answer, error) {
		if r != u.routes[first] {
			if err := r.readyFor(ctx, e); err != nil {
				return queue.Answer{}, err
			}
		}
		return r.send(ctx, e)
	})
}

// over calls fn for one route after another until one has succeeded, has sent
// something, or the host itself has spoken. Where nothing is sent at all, any
// other error lets the next one try.
func over[T any](ctx context.Context, u *Uplink, silent bool, fn func(context.Context, *route) (T, error)) (out T, err error) {
	order := u.choose.order()
	var errs []error
	for n, i := range order {
		r := u.routes[i]
		c, cancel := ctx, context.CancelFunc(func() {})
		if deadline, ok := ctx.Deadline(); ok && silent {
			c, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(order)-n))
		}
		began := time.Now()
		out, err = fn(c, r)
		cancel()
		switch {
		case err == nil && silent:
			u.choose.readied(i)
			return out, nil
		case err == nil:
			u.choose.succeeded(i, time.Since(began))
			return out, nil
		case errors.Is(err, queue.ErrPrepareFirst) && !errors.Is(err, errOtherBatch):
			return out, err // the next Prepare mends it
		case errors.Is(err, queue.ErrUnsendable) || errors.Is(err, errors.ErrUnsupported) || byHost(err) || errors.Is(ctx.Err(), context.Canceled):
			return out, err
		}
		sent := !silent && !errors.Is(err, queue.ErrNotSent)
		if !errors.Is(err, errOtherBatch) {
			u.choose.failed(i, sent, err)
		}
		if sent {
			return out, err // a byte may have left: no other route gets this one
		}
		errs = append(errs, fmt.Errorf("route %s: %w", r.Name, err))
		if ctx.Err() != nil {
			break
		}
	}
	var none T
	return none, errors.Join(errs...)
}

// byHost tells of an error that it is the host's word, not the route's failure.
func byHost(err error) bool {
	var word interface{ ByHost() bool }
	if errors.As(err, &word) && word.ByHost() {
		return true
	}
	var slot interface{ RetryAfter() time.Duration }
	var plan interface{ Planned() bool }
	return (errors.As(err, &slot) && slot.RetryAfter() > 0) || (errors.As(err, &plan) && plan.Planned())
}

// enter takes the route for one call; traffic ends a probe.
func (r *route) enter(ctx context.Context) error {
	if r.gate == nil {
		return nil
	}
	select {
	case r.gate <- struct{}{}:
		return nil
	default:
	}
	r.mu.Lock()
	if r.probe != nil {
		r.probe()
	}
	r.mu.Unlock()
	select {
	case r.gate <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r *route) leave() {
	if r.gate != nil {
		<-r.gate
	}
}

func (r *route) prepare(ctx context.Context) (queue.Line, error) {
	p, ok := r.Uplink.(queue.Preparer)
	if !ok {
		return queue.Line{}, nil
	}
	if err := r.enter(ctx); err != nil {
		return queue.Line{}, err
	}
	defer r.leave()
	return p.Prepare(ctx)
}

func (r *route) send(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	if err := r.enter(ctx); err != nil {
		return queue.Answer{}, fmt.Errorf("%w: %w", queue.ErrNotSent, err)
	}
	defer r.leave()
	return r.Uplink.Send(ctx, e)
}

var errOtherBatch = errors.New("the host books under another batch number over this route")

// readyFor readies a route for an entry that was begun for another one.
func (r *route) readyFor(ctx context.Context, e queue.Entry) error {
	line, err := r.prepare(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", queue.ErrNotSent, err)
	}
	first := e.Kind != queue.Reversal && !e.Repeat
	if first && line.HostBatch != 0 && e.HostBatch != 0 && line.HostBatch != e.HostBatch {
		return fmt.Errorf("%w: %w: %d here, %d of the entry", queue.ErrPrepareFirst, errOtherBatch, line.HostBatch, e.HostBatch)
	}
	return nil
}

// look tries the idle routes that are due.
func (u *Uplink) look(ctx context.Context) {
	for _, i := range u.choose.idle() {
		r := u.routes[i]
		try := r.Probe
		if p, ok := r.Uplink.(queue.Preparer); ok && try == nil {
			try = func(ctx context.Context) error { _, err := p.Prepare(ctx); return err }
		}
		if try == nil {
			u.choose.assumed(i)
			continue
		}
		began := time.Now()
		err, ran := r.try(ctx, try)
		if ran && ctx.Err() == nil && !byHost(err) {
			u.choose.probed(i, time.Since(began), err)
		}
	}
}

// probeTimeout bounds a try of an idle route.
const probeTimeout = 5 * time.Second

// try runs a probe unless the route is busy. One that traffic ended did not run.
func (r *route) try(ctx context.Context, probe func(context.Context) error) (err error, ran bool) {
	if r.gate != nil {
		select {
		case r.gate <- struct{}{}:
			defer r.leave()
		default:
			return nil, false
		}
	}
	ended, end := context.WithCancel(ctx)
	defer end()
	r.mu.Lock()
	r.probe = end
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		r.probe = nil
		r.mu.Unlock()
	}()
	c, cancel := context.WithTimeout(ended, probeTimeout)
	defer cancel()
	err = probe(c)
	return err, err == nil || ended.Err() == nil
}
