package queue

import (
	"time"

	"github.com/tallystick/tallystick/internal/clock"
)

// jump is by how much the wall clock must leave the time since boot behind,
// or run ahead of it, for that to be an event.
const jump = time.Second

// clockRecord is the evidence of time that belongs to the events since: the
// boot, by its number in this journal, and the wall clock at that boot.
type clockRecord struct {
	boot   uint32
	id     [16]byte
	offset time.Duration // wall clock less time since boot, from 1970
}

// moment is when something happened, by every clock.
type moment struct {
	wall  time.Time
	boot  uint32
	since time.Duration
	host  time.Time // the latest time that the host had shown by then
}

func (c clockRecord) moment(wall, host time.Time) moment {
	return moment{wall: wall, boot: c.boot, since: time.Duration(wall.UnixNano()) - c.offset, host: host}
}

// age is the largest that any clock shows between two moments; what cannot be
// proven young is not proven (I4).
func (m moment) age(now moment) (age time.Duration, proven bool) {
	read := func(m moment) clock.Reading {
		return clock.Reading{Wall: m.wall, Boot: [16]byte{byte(m.boot >> 24), byte(m.boot >> 16), byte(m.boot >> 8), byte(m.boot)}, Since: m.since}
	}
	age, proven = read(now).Age(read(m))
	if !m.host.IsZero() {
		age = max(age, now.host.Sub(m.host))
	}
	return age, proven
}

func stepClock(v view, ev event) error {
	c, err := v.clock()
	if err != nil {
		return err
	}
	if c.boot == 0 || c.id != ev.boot {
		c.boot++
	}
	c.id, c.offset = ev.boot, ev.offset
	return v.putClock(c)
}

// stamp journals a boot or a jump of the wall clock before the first event
// that it matters to. Both change nothing else.
func (v *fileView) stamp() error {
	if v.stamped {
		return nil
	}
	v.stamped = true
	c, err := v.clock()
	if err != nil {
		return err
	}
	offset := (time.Duration(v.reading.Wall.UnixNano()) - v.reading.Since).Truncate(time.Millisecond)
	if c.boot != 0 && c.id == v.reading.Boot && (offset-c.offset).Abs() < jump {
		return nil
	}
	ev := event{kind: evClock, at: v.reading.Wall, boot: v.reading.Boot, offset: offset}
	if err := step(v, ev); err != nil {
		return err
	}
	v.log = append(v.log, ev.encode())
	return nil
}

// park gives an advice up that would be repeated past the host's duplicate
// memory: the host could book it a second time.
func (v *fileView) park(e Entry, l laneRecord, memory time.Duration) (bool, error) {
	if e.Kind != Advice || e.Attempts == 0 {
		return false, nil
	}
	c, err := v.clock()
	if err != nil {
		return false, err
	}
	since := e.first
	if e.released != (moment{}) {
		since = e.released // a person knows that the host has nothing of it
	}
	age, proven := since.age(c.moment(v.reading.Wall, l.hostTime))
	if proven && age <= memory {
		return false, nil
	}
	why := "first sent longer ago than the host recognises a repeat: ask the host before it is sent again"
	return true, v.apply(event{kind: evParked, id: e.ID, text: why})
}
