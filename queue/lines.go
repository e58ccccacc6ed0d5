package queue

import (
	"context"
	"sync"
)

// signal wakes everyone who waits for a change of the journal.
type signal struct {
	mu     sync.Mutex
	ch     chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newSignal() *signal {
	return &signal{ch: make(chan struct{}), closed: make(chan struct{})}
}

// wait returns a channel that the next broadcast closes.
func (s *signal) wait() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ch
}

func (s *signal) broadcast() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.ch)
	s.ch = make(chan struct{})
}

func (s *signal) close() { s.once.Do(func() { close(s.closed) }) }

// lines keeps, for each lane, how many sends are under way and which entries
// they are about. It is not durable: after a crash nothing is under way.
type lines struct {
	mu    sync.Mutex
	lanes map[Lane]*line
}

type line struct {
	busy   int
	window int
	urgent []chan struct{} // waiting Do calls, first come first served
	plain  []chan struct{} // waiting forwarders
	called chan struct{}   // closed when a Do begins to wait; nil: nobody asked
	flying map[ID]bool
	sole   chan struct{} // held by the one who wants the lane alone
	shut   bool          // the lane is wanted or held alone: nobody else gets a send
	idle   chan struct{} // closed when the last send of a shut lane has ended
}

func newLines() *lines { return &lines{lanes: map[Lane]*line{}} }

func (s *lines) of(l Lane) *line {
	ln := s.lanes[l]
	if ln == nil {
		ln = &line{window: 1, flying: map[ID]bool{}, sole: make(chan struct{}, 1)}
		s.lanes[l] = ln
	}
	return ln
}

// acquire takes one of the lane's sends, before all forwarders when urgent.
func (s *lines) acquire(ctx context.Context, l Lane, window int, urgent bool, closed <-chan struct{}) error {
	s.mu.Lock()
	ln := s.of(l)
	ln.window = window
	if !ln.shut && ln.busy < ln.window && len(ln.urgent) == 0 {
		ln.busy++
		s.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	if urgent {
		ln.urgent = append(ln.urgent, turn)
		if ln.called != nil {
			close(ln.called)
			ln.called = nil
		}
	} else {
		ln.plain = append(ln.plain, turn)
	}
	s.mu.Unlock()
	var err error
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-closed:
		err = ErrClosed
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !drop(&ln.urgent, turn) && !drop(&ln.plain, turn) {
		s.release(ln) // the turn came at the same moment
	}
	return err
}

func drop(queue *[]chan struct{}, turn chan struct{}) bool {
	for i, c := range *queue {
		if c == turn {
			*queue = append((*queue)[:i:i], (*queue)[i+1:]...)
			return true
		}
	}
	return false
}

// alone waits until nothing is sent on the lane and lets nobody else send
// until open is called. Its error is that of acquire, with nothing taken.
func (s *lines) alone(ctx context.Context, l Lane, closed <-chan struct{}) error {
	s.mu.Lock()
	ln := s.of(l)
	s.mu.Unlock()
	select {
	case ln.sole <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-closed:
		return ErrClosed
	}
	s.mu.Lock()
	ln.shut = true
	idle := make(chan struct{})
	ln.idle = idle
	ln.admit()
	s.mu.Unlock()
	var err error
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-closed:
		err = ErrClosed
	}
	s.open(l)
	return err
}

// open ends what alone began.
func (s *lines) open(l Lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ln := s.of(l)
	ln.shut, ln.idle = false, nil
	ln.admit()
	<-ln.sole
}

// more takes up to n further sends that are free at once and that no Do waits
// for.
func (s *lines) more(l Lane, n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	ln := s.of(l)
	if len(ln.urgent) > 0 || ln.shut {
		return 0
	}
	n = max(0, min(n, ln.window-ln.busy))
	ln.busy += n
	return n
}

// done gives n sends back.
func (s *lines) done(l Lane, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.release(s.of(l))
	}
}

func (s *lines) release(ln *line) {
	ln.busy--
	ln.admit()
}

// admit gives free sends to those who wait, Do calls first.
func (ln *line) admit() {
	if ln.shut {
		if ln.busy == 0 && ln.idle != nil {
			close(ln.idle)
			ln.idle = nil
		}
		return
	}
	for _, queue := range []*[]chan struct{}{&ln.urgent, &ln.plain} {
		for len(*queue) > 0 && ln.busy < ln.window {
			turn := (*queue)[0]
			*queue = (*queue)[1:]
			ln.busy++
			close(turn)
		}
	}
}

// claim marks an entry as being worked on; false when it is already.
func (s *lines) claim(l Lane, id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ln := s.of(l)
	if ln.flying[id] {
		return false
	}
	ln.flying[id] = true
	return true
}

func (s *lines) unclaim(l Lane, id ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of(l).flying, id)
}

func (s *lines) claimed(l Lane, id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(l).flying[id]
}

// call is closed when a Do waits for the lane.
func (s *lines) call(l Lane) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	ln := s.of(l)
	if ln.called == nil {
		ln.called = make(chan struct{})
	}
	called := ln.called
	if len(ln.urgent) > 0 {
		close(called)
		ln.called = nil
	}
	return called
}

// wanted tells whether a Do, or a settlement, waits for the lane.
func (s *lines) wanted(l Lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.of(l).urgent) > 0 || s.of(l).shut
}
