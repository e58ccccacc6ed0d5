package queue

import (
	"context"
	"iter"
	"sync"
)

// Event is one change of an entry, as of a synced state.
type Event struct {
	// Entry as it is now, without its card.
	Entry Entry
	// From is the state before; 0 for an entry that is new, and for the first
	// Event of an entry whose earlier ones were not fetched in time.
	From State
	// Missed says that so much changed before the last Event was fetched that
	// changes of other entries were left out: Status and All have them. Entry
	// is empty then.
	Missed bool
	// Warning is set, with an empty Entry, to a *LimitError when what is held, or
	// what has passed, reaches half or four fifths of one of the Limits, and to
	// what Warn was called with: package alarm's *Warning. errors.As tells them
	// apart. What has passed when Watch begins is told at once; silence is told of
	// lanes that this Queue has sent on.
	Warning error
}

// watchers is who looks on. Changes are handed over after their commit.
type watchers struct {
	mu  sync.Mutex
	all map[*watcher]bool
}

// maxWatched bounds how many changed entries wait for one watcher.
const maxWatched = 4096

type watcher struct {
	wake    chan struct{}
	order   []ID
	changes map[ID]Event
	seen    map[ID]uint64 // the event that a waiting change stems from
	warn    []error
	missed  bool
}

func newWatchers() *watchers { return &watchers{all: map[*watcher]bool{}} }

// change is an entry's way through one commit.
type change struct {
	entry *Entry
	from  State
	at    uint64 // number of the commit's last event: orders changes of one entry
}

// watched is what one function of a commit has for those who watch.
type watched struct {
	changes  []change
	warnings []*LimitError
}

// publish hands over what a commit has done.
func (s *watchers) publish(done watched) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.all {
		for _, c := range done.changes {
			w.add(c)
		}
		for _, l := range done.warnings {
			w.addWarning(l)
		}
		w.call()
	}
}

func (s *watchers) warn(warning error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for w := range s.all {
		w.addWarning(warning)
		w.call()
	}
}

func (w *watcher) call() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// addWarning keeps the newest maxWatched warnings.
func (w *watcher) addWarning(warning error) {
	w.warn = append(w.warn, warning)
	if len(w.warn) > maxWatched {
		w.warn = w.warn[len(w.warn)-maxWatched:]
	}
}

// add keeps the newest state of each entry and the oldest From.
func (w *watcher) add(c change) {
	old, waits := w.changes[c.entry.ID]
	switch {
	case !waits && len(w.order) >= maxWatched:
		w.missed = true
		return
	case !waits:
		w.order = append(w.order, c.entry.ID)
		old.From = c.from
	case c.at < w.seen[c.entry.ID]:
		return
	}
	old.Entry = *c.entry
	w.changes[c.entry.ID] = old
	w.seen[c.entry.ID] = c.at
}

func (s *watchers) take(w *watcher) (out []Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range w.order {
		out = append(out, w.changes[id])
	}
	for _, warning := range w.warn {
		out = append(out, Event{Warning: warning})
	}
	if w.missed {
		out = append(out, Event{Missed: true})
	}
	w.order, w.missed, w.warn = nil, false, nil
	clear(w.changes)
	clear(w.seen)
	return out
}

// Watch yields the changes of entries from the moment that the iteration
// begins until ctx is done or the journal is closed. It never holds up a
// commit: a loop body that is slower than the changes gets each entry's newest
// state, and where more than 4096 entries wait, an Event that says so. The body
// may call any method of q.
func (q *Queue) Watch(ctx context.Context) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		w := &watcher{wake: make(chan struct{}, 1), changes: map[ID]Event{}, seen: map[ID]uint64{}}
		q.watchers.mu.Lock()
		q.watchers.all[w] = true
		q.watchers.mu.Unlock()
		defer func() {
			q.watchers.mu.Lock()
			delete(q.watchers.all, w)
			q.watchers.mu.Unlock()
		}()
		passing := newElapse(q)
		defer passing.stop()
		for {
			for _, ev := range append(q.watchers.take(w), passing.look()...) {
				if !yield(ev) {
					return
				}
			}
			select {
			case <-w.wake:
			case <-passing.due():
			case <-ctx.Done():
				return
			case <-q.changed.closed:
				return
			}
		}
	}
}

// Warn hands a warning to everyone who watches now, as an Event. Nothing is
// journalled; a watcher that is slower than the warnings keeps the newest 4096.
// The error must hold no card data. nil warns of nothing.
func (q *Queue) Warn(warning error) {
	if warning != nil {
		q.watchers.warn(warning)
	}
}

// collect leaves what this view has put to those who watch.
func (v *fileView) collect() error {
	last, err := v.tx.LastEvent()
	if err != nil {
		return err
	}
	last += uint64(len(v.log))
	for _, h := range v.put {
		c := change{entry: &h.cur, at: last}
		if h.old != nil {
			c.from = h.old.State
		}
		*v.changes = append(*v.changes, c)
	}
	return nil
}
