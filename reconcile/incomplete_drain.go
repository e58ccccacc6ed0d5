package reconcile

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// ErrUndelivered is wrapped by Incomplete when not all that waits could be
// delivered: the line was down, the host asked to come later, or it answered
// nothing that decides.
var ErrUndelivered = errors.New("what waits could not be delivered")

var (
	errTried = fmt.Errorf("%w: the host has not answered for good, after several tries", ErrUndelivered)
	errLine  = fmt.Errorf("%w: the line is down", ErrUndelivered)
	errLater = fmt.Errorf("%w: the host is to be tried later", ErrUndelivered)
)

// Bounds of one call's tries: of an entry, of the line, and of waiting for it.
const (
	triesOfEntry = 4 // the queue puts an entry behind the others after three
	silences     = 2
	patience     = 10 * time.Second
)

// drainOnce drains a lane for as long as that brings something.
func drainOnce(ctx context.Context, q *queue.Queue, l queue.Lane, p Peer) error {
	pace, err := q.Pace(l)
	if err != nil {
		return err
	}
	if time.Until(pace.Next) > patience {
		return fmt.Errorf("%w, at %s", errLater, pace.Next.Format(time.RFC3339))
	}
	up, err := p.Uplink(l)
	if err != nil {
		return err
	}
	within, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	d := &draining{outer: ctx, up: up, stop: stop, tries: map[queue.ID]int{}}
	err = q.Drain(within, l, d)
	if cause := context.Cause(within); ctx.Err() == nil && cause != nil {
		return cause
	}
	return err
}

// draining is an Uplink that ends its Drain when the line is down, or when all
// that is left has been tried.
type draining struct {
	outer context.Context // of the caller: stop does not end what is under way
	up    queue.Uplink
	stop  context.CancelCauseFunc

	mu     sync.Mutex
	tries  map[queue.ID]int
	silent int // answers that did not come, in a row
}

func (d *draining) Send(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	d.mu.Lock()
	d.tries[e.ID]++
	tried := d.tries[e.ID] > triesOfEntry
	d.mu.Unlock()
	if tried {
		d.stop(fmt.Errorf("entry %d: %w", e.ID, errTried))
		return queue.Answer{}, fmt.Errorf("tried before in this call: %w", queue.ErrNotSent)
	}
	outer, cancel := d.outer, context.CancelFunc(func() {})
	if until, ok := ctx.Deadline(); ok {
		outer, cancel = context.WithDeadline(outer, until)
	}
	defer cancel()
	a, err := d.up.Send(outer, e)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		d.silent = 0
		if a.Planned || a.RetryAfter > patience {
			d.stop(errLater)
		}
	} else if d.silent++; d.silent >= silences {
		d.stop(fmt.Errorf("%w: entry %d: %w", errLine, e.ID, err))
	}
	return a, err
}

func (d *draining) Prepare(ctx context.Context) (queue.Line, error) {
	p, ok := d.up.(queue.Preparer)
	if !ok {
		return queue.Line{}, nil
	}
	line, err := p.Prepare(ctx)
	if err != nil {
		d.stop(fmt.Errorf("%w: %w", errLine, err))
	}
	return line, err
}

func (d *draining) Window() int {
	if w, ok := d.up.(queue.Windower); ok {
		return w.Window()
	}
	return 1
}

func (d *draining) LateAnswers() []queue.LateAnswer {
	if l, ok := d.up.(queue.LateAnswerer); ok {
		return l.LateAnswers()
	}
	return nil
}
