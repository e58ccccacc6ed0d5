package queue

import (
	"time"

	"github.com/tallystick/tallystick/internal/clock"
	"github.com/tallystick/tallystick/internal/record"
)

// paceRecord is what of a lane's pace outlives the process: a reboot does not
// make a device forget that its host is in trouble, or asked for a pause.
type paceRecord struct {
	failures uint32 // rounds that failed since the last answer
	since    moment // when the first of them ended
	set      moment // when wait was decided
	wait     time.Duration
	why      PaceReason
	spread   time.Duration // as the host published it; 0: it did not
	ago      time.Duration // of an event: since is so long before it
}

func (p paceRecord) isZero() bool { return p == paceRecord{} }

func encodeMoment(w *record.Writer, m moment) {
	w.Time(m.wall)
	w.Uint(uint64(m.boot))
	w.Int(m.since.Milliseconds())
	w.Time(m.host)
}

func decodeMoment(r *record.Reader) moment {
	return moment{wall: r.Time(), boot: uint32(r.Uint()), since: time.Duration(r.Int()) * time.Millisecond, host: r.Time()}
}

// encode writes nothing for a lane that never paused.
func (p paceRecord) encode(w *record.Writer) {
	if p.isZero() {
		return
	}
	w.Uint(uint64(p.failures))
	encodeMoment(w, p.since)
	encodeMoment(w, p.set)
	w.Uint(uint64(p.wait.Milliseconds()))
	w.Byte(byte(p.why))
	w.Uint(uint64(p.spread.Milliseconds()))
}

// decodePace takes what is left of a lane's record.
func decodePace(r *record.Reader) (p paceRecord) {
	b := r.Rest()
	if len(b) == 0 {
		return p
	}
	rest := record.NewReader(b)
	p.failures = uint32(rest.Uint())
	p.since, p.set = decodeMoment(rest), decodeMoment(rest)
	p.wait = millis(rest)
	p.why = PaceReason(rest.Byte())
	p.spread = millis(rest)
	if rest.Done() != nil || p.isZero() {
		r.Fail()
		return paceRecord{}
	}
	return p
}

// millis takes a duration that nothing makes longer than longestSlot.
func millis(r *record.Reader) time.Duration {
	n := r.Uint()
	if n > uint64((longestSlot + longestSlot/10).Milliseconds()) {
		r.Fail()
		return 0
	}
	return time.Duration(n) * time.Millisecond
}

// stepPaced keeps how a lane's background goes on after a round that failed.
func stepPaced(v view, ev event) error {
	c, err := v.clock()
	if err != nil {
		return err
	}
	return changeLane(v, ev.lane, func(l *laneRecord) error {
		now := c.moment(ev.at.UTC().Truncate(time.Millisecond), l.hostTime)
		p := ev.pace
		for _, d := range []*time.Duration{&p.wait, &p.spread, &p.ago} {
			*d = d.Truncate(time.Millisecond)
		}
		p.set, p.since = now, l.pace.since
		if p.failures == 0 {
			p.since = moment{}
		} else if l.pace.failures == 0 {
			p.since = now
			p.since.wall, p.since.since = now.wall.Add(-p.ago), now.since-p.ago
		}
		p.ago = 0
		l.pace = p
		return nil
	})
}

// reached ends a run of failures: the host has answered. What it asked for
// stays, and so does the place in the spread.
func (p *paceRecord) reached() {
	p.failures, p.since = 0, moment{}
	if p.why == PaceBackoff {
		p.set, p.wait, p.why = moment{}, 0, PaceFree
	}
}

// left is how much of the wait is left now, and since when the lane has been
// failing. A clock that cannot tell, because it went back over a reboot, leaves
// at most atMost (I4).
func (p paceRecord) left(now moment, atMost time.Duration) (left, failing time.Duration) {
	age, proven := p.set.age(now)
	left = max(0, p.wait-age)
	if !proven {
		left = min(left, atMost)
	}
	if p.failures > 0 {
		failing, _ = p.since.age(now)
	}
	return left, failing
}

// now is this moment as the evidence of the journal has it, although no event
// of this boot may be in it yet.
func (v *fileView) now(l laneRecord) (moment, error) {
	c, err := v.clock()
	if err != nil {
		return moment{}, err
	}
	return c.reading(v.reading, l.hostTime), nil
}

func (c clockRecord) reading(r clock.Reading, host time.Time) moment {
	m := moment{wall: r.Wall, boot: c.boot, since: r.Since, host: host}
	if c.id != r.Boot {
		m.boot++
	}
	return m
}
