package alarm

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// Monitor watches the figures of one journal. It is safe for concurrent use.
type Monitor struct {
	q     *queue.Queue
	opts  Options
	wake  chan struct{}
	began time.Time
	saved time.Time

	mu      sync.Mutex
	lines   map[queue.Lane]*line
	kept    map[queue.Lane]*history
	unsaved bool
	parked  map[queue.Lane]parkedEntry // Run's own
}

// New makes the monitor of q, one for a journal, and reads what answers took on
// the last days. A file of them that is damaged is logged and begun anew.
//
// It refuses Options.Days outside 3 to 31, and returns the file system's error
// where that file is there and cannot be read.
func New(q *queue.Queue, opts *Options) (*Monitor, error) {
	o, err := opts.withDefaults(q.Path())
	if err != nil {
		return nil, err
	}
	kept, err := readHistories(o.Path)
	if errors.Is(err, errDamaged) {
		o.Log.Warn("answer times begun anew", "path", o.Path, "error", err)
	} else if err != nil {
		return nil, err
	}
	now := time.Now()
	return &Monitor{q: q, opts: o, wake: make(chan struct{}, 1), began: now, saved: now, lines: map[queue.Lane]*line{},
		kept: kept, parked: map[queue.Lane]parkedEntry{}}, nil
}

// Run looks at the figures until ctx is done or the journal is closed: after
// each change, but no more often than Options.Every, at that pace while
// something waits or is raised, and once a minute otherwise. It then keeps the answer times and returns
// ctx.Err() or queue.ErrClosed. Call it once, beside Forward.
//
// Other errors: those of reading the journal (queue.ErrDamaged).
func (m *Monitor) Run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		for ev := range m.q.Watch(ctx) {
			if ev.Warning == nil {
				m.touch()
			}
		}
		stop(queue.ErrClosed) // no effect where ctx has ended it
	})
	defer watching.Wait()
	defer stop(nil)
	defer m.save()
	m.touch()
	for {
		busy, err := m.look(ctx)
		if err != nil {
			return err
		}
		if err := m.rest(ctx, busy); err != nil {
			return err
		}
	}
}

// rest waits for the time of the next look.
func (m *Monitor) rest(ctx context.Context, busy bool) error {
	if err := wait(ctx, m.opts.Every, nil); err != nil {
		return err
	}
	m.mu.Lock()
	unsaved := m.unsaved
	m.mu.Unlock()
	if unsaved && time.Since(m.saved) >= m.opts.SaveEvery {
		m.save()
	}
	if busy {
		return nil
	}
	return wait(ctx, atLeast, m.wake)
}

// atLeast is the longest time between two looks.
const atLeast = time.Minute

// wait waits for d, for wake, or for ctx.
func wait(ctx context.Context, d time.Duration, wake <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
	case <-wake:
	}
	return nil
}

// touch asks for a look.
func (m *Monitor) touch() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// save keeps the answer times.
func (m *Monitor) save() {
	m.mu.Lock()
	content, unsaved := encodeHistories(m.kept), m.unsaved
	m.unsaved = false
	m.mu.Unlock()
	m.saved = time.Now()
	if !unsaved {
		return
	}
	if err := replaceFile(m.opts.Path, content); err != nil {
		m.opts.Log.Warn("answer times not kept", "path", m.opts.Path, "error", err)
		m.mu.Lock()
		m.unsaved = true
		m.mu.Unlock()
	}
}

// Active returns the warnings that are raised, with their figures as of the
// newest look, by lane and kind: for a screen that begins to watch later.
func (m *Monitor) Active() (active []Warning) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.lines {
		for _, w := range s.active {
			active = append(active, *w)
		}
	}
	slices.SortFunc(active, func(a, b Warning) int {
		return cmp.Or(cmp.Compare(a.Lane.String(), b.Lane.String()), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Currency, b.Currency))
	})
	return active
}

// lineOf returns what is known of a lane; m.mu is held.
func (m *Monitor) lineOf(l queue.Lane) *line {
	s, ok := m.lines[l]
	if !ok {
		s = &line{lane: l, conditions: map[about]*condition{}, active: map[about]*Warning{}, history: m.historyOf(l)}
		m.lines[l] = s
	}
	return s
}

func (m *Monitor) historyOf(l queue.Lane) *history {
	if h, ok := m.kept[l]; ok {
		return h
	}
	if len(m.kept) >= maxLanes && !m.forget() {
		return nil
	}
	h := new(history)
	m.kept[l] = h
	return h
}

// forget lets go of a lane of the file that nobody uses now.
func (m *Monitor) forget() bool {
	for l := range m.kept {
		if _, used := m.lines[l]; !used {
			delete(m.kept, l)
			return true
		}
	}
	return false
}
