package main

import (
	"errors"
	"runtime"
	"sync"
	"time"
)

var errClosed = errors.New("store is closed")

const (
	// maxGroup bounds how many records one commit joins.
	maxGroup = 1024
	// linger is how long a group waits for those that the last one answered.
	linger = 50 * time.Microsecond
)

// committer joins the records of many goroutines into groups: it is what the
// raw file and those peers get that can write several records with one sync
// but do not gather them from several goroutines themselves. One goroutine
// calls commit; a record's Append returns what the commit of its group did. A
// lone writer calls commit itself: it owes nothing to others, and no handing
// over between goroutines.
type committer struct {
	commit  func(records [][]byte) error
	lone    bool
	ops     chan *groupOp
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
}

type groupOp struct {
	record []byte
	done   chan error
}

func newCommitter(writers int, commit func([][]byte) error) *committer {
	c := &committer{commit: commit, lone: writers == 1, ops: make(chan *groupOp, maxGroup),
		stop: make(chan struct{}), stopped: make(chan struct{})}
	if c.lone {
		close(c.stopped)
		return c
	}
	go c.loop()
	return c
}

func (c *committer) Append(_ int, record []byte) error {
	if c.lone {
		return c.commit([][]byte{record})
	}
	op := &groupOp{record, make(chan error, 1)}
	select {
	case c.ops <- op:
	case <-c.stop:
		return errClosed
	}
	select {
	case err := <-op.done:
		return err
	case <-c.stopped:
	}
	select {
	case err := <-op.done:
		return err
	default:
		return errClosed
	}
}

// end waits for the commit under way.
func (c *committer) end() {
	c.once.Do(func() { close(c.stop) })
	<-c.stopped
}

func (c *committer) loop() {
	defer close(c.stopped)
	last := 1
	for {
		select {
		case first := <-c.ops:
			group := c.collect(first, last)
			records := make([][]byte, len(group))
			for i, op := range group {
				records[i] = op.record
			}
			err := c.commit(records)
			for _, op := range group {
				op.done <- err
			}
			last = len(group)
		case <-c.stop:
			return
		}
	}
}

// collect takes what waits, and lingers for as many more as the last group had.
func (c *committer) collect(first *groupOp, last int) []*groupOp {
	group := []*groupOp{first}
	for n := len(c.ops); n > 0; n-- {
		group = append(group, <-c.ops)
	}
	if last == 1 && len(group) == 1 {
		return group
	}
	want := min(len(group)+last, maxGroup)
	until := time.Now().Add(linger)
	for len(group) < want {
		select {
		case op := <-c.ops:
			group = append(group, op)
			continue
		default:
		}
		if time.Now().After(until) {
			break
		}
		runtime.Gosched()
	}
	return group
}
