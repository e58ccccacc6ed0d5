package queue

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/tallystick/tallystick/internal/journal"
)

// Happening is one event of the log, for a person who has to know what was done
// and when: an auditor, or who answers a complaint. It holds no card data.
type Happening struct {
	N uint64 // the event's number, ascending; 0 for a "kept"
	// At is the device's wall clock. Boot numbers the boots that the journal has
	// seen, from 1, and SinceBoot is the time since then: where At and SinceBoot
	// part, the clock was set. Both are 0 for what Compact has condensed.
	At        time.Time
	Boot      uint32
	SinceBoot time.Duration
	What      string // "appended", "attempted", "answered", "parked", "resolved", "unparked", …
	Entry     ID     // 0: the event is of no entry
	Lane      Lane   // zero: the event names none
	Answer    Answer // of the host, or of the person who resolved
	// Who decided, and why: of resolved, unparked and what else a person does. Why
	// is also the reason for which an entry was parked.
	Who, Why string
}

// historyPage is how many events History reads at once.
const historyPage = 256

// History yields the events of an entry, or with 0 all of them, in their order.
// What Compact has condensed to its outcome is a "kept", besides what hosts and
// persons said. It reads the whole log. The loop body may call any method of q:
// no read is open while it runs. An error is yielded once and last: ErrDamaged,
// ErrClosed, ctx.Err().
func (q *Queue) History(ctx context.Context, id ID) iter.Seq2[Happening, error] {
	return func(yield func(Happening, error) bool) {
		var clock clockRecord
		for next := uint64(1); next != 0; {
			err := ctx.Err()
			var page []Happening
			if err == nil {
				page, next, err = q.happenings(next, &clock)
			}
			for _, h := range page {
				if (id == 0 || h.Entry == id) && !yield(h, nil) {
					return
				}
			}
			if err != nil {
				yield(Happening{}, err)
				return
			}
		}
	}
}

// happenings reads a page of the log and returns where the next one begins, 0 at
// the end. clock is the evidence of time so far.
func (q *Queue) happenings(from uint64, clock *clockRecord) (page []Happening, next uint64, err error) {
	err = q.read(func(v *fileView) error {
		last, err := v.tx.LastEvent()
		if err != nil {
			return err
		}
		n := max(from, v.tx.FirstEvent())
		for ; n <= last && len(page) < historyPage; n++ {
			body, err := v.tx.Event(n)
			if errors.Is(err, journal.ErrLost) {
				page = append(page, Happening{N: n, What: "lost to damage"})
				continue
			}
			if err != nil {
				return err
			}
			h, err := v.happening(n, body, clock)
			if err != nil {
				return err
			}
			page = append(page, h)
		}
		if n <= last {
			next = n
		}
		return nil
	})
	return page, next, err
}

func (v *fileView) happening(n uint64, body []byte, clock *clockRecord) (Happening, error) {
	ev, err := decodeEvent(body)
	if err != nil {
		return Happening{}, err
	}
	if ev.kind == evNoted {
		return v.happening(ev.keep.number, ev.keep.body, &clockRecord{})
	}
	if ev.kind == evClock {
		if clock.boot == 0 || clock.id != ev.boot {
			clock.boot++
		}
		clock.id, clock.offset = ev.boot, ev.offset
	}
	h := Happening{N: n, At: ev.at, What: ev.kind.String(), Entry: ev.id, Lane: ev.laneName, Answer: ev.answer, Who: ev.who, Why: ev.text}
	switch {
	case ev.kind == evAppended || ev.kind == evImported:
		h.Entry, h.Lane = ev.entry.ID, ev.entry.Lane
	case ev.kind == evKept && ev.keep.part == partClock:
		*clock, err = decodeClock(ev.keep.body)
	case ev.kind == evKept && ev.keep.part == partEntry:
		var e Entry
		e, err = parseEntry(ev.keep.body)
		h.Entry, h.Lane, h.Answer = e.ID, e.Lane, e.Answer
	case ev.lane != 0 && ev.kind != evLane:
		var l laneRecord
		l, err = v.laneAt(ev.lane)
		h.Lane, err = l.name, ignoreNotFound(err)
	}
	if ev.kind == evKept {
		h.N = 0
	} else if clock.boot != 0 {
		h.Boot, h.SinceBoot = clock.boot, time.Duration(ev.at.UnixNano())-clock.offset
	}
	return h, err
}
