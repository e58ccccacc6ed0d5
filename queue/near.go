package queue

import (
	"cmp"
	"slices"

	"github.com/tallystick/tallystick/internal/clock"
)

// near is the lanes, batches and the clock that a view has read or put. What
// one function of a commit leaves the next one finds, read and parsed.
type near struct {
	reading clock.Reading // of the clocks: one for all functions of a commit
	lanes   []nearLane
	batches []nearBatch
	time    *clockRecord
}

type nearLane struct {
	laneRecord
	named bool // its name is in the file
	put   bool
}

type nearBatch struct {
	batchRecord
	put bool
}

func (n *near) lane(number uint32) *nearLane {
	for i := range n.lanes {
		if n.lanes[i].number == number {
			return &n.lanes[i]
		}
	}
	return nil
}

func (n *near) laneNamed(name Lane) *nearLane {
	for i := range n.lanes {
		if n.lanes[i].name == name {
			return &n.lanes[i]
		}
	}
	return nil
}

func (n *near) batch(lane, number uint32) *nearBatch {
	for i := range n.batches {
		if b := &n.batches[i]; b.lane == lane && b.n == number {
			return b
		}
	}
	return nil
}

func (n *near) setLane(l nearLane) {
	if old := n.lane(l.number); old != nil {
		l.named = l.named || old.named
		l.put = l.put || old.put
		*old = l
		return
	}
	n.lanes = append(n.lanes, l)
}

func (n *near) setBatch(b nearBatch) {
	if old := n.batch(b.lane, b.n); old != nil {
		b.put = b.put || old.put
		*old = b
		return
	}
	n.batches = append(n.batches, b)
}

// sort orders what is written as its keys are.
func (n *near) sort() {
	slices.SortFunc(n.lanes, func(a, b nearLane) int { return cmp.Compare(a.number, b.number) })
	slices.SortFunc(n.batches, func(a, b nearBatch) int {
		return cmp.Or(cmp.Compare(a.lane, b.lane), cmp.Compare(a.n, b.n))
	})
}

// leave gives what is written now to the functions behind this one.
func (n *near) leave(to *near) {
	for _, l := range n.lanes {
		l.named, l.put = l.named || l.put, false
		to.setLane(l)
	}
	for _, b := range n.batches {
		b.put = false
		to.setBatch(b)
	}
	if n.time != nil {
		to.time = n.time
	}
}
