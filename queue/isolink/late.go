package isolink

import "github.com/tallystick/tallystick/queue"

const (
	maxLate = 256 // late answers kept
	maxOld  = 4   // connections read for late answers
)

// Late is an answer that came after the wait for it had ended, checked like any
// other. While its entry is in doubt it decides; once the reversal of a request
// is journalled it is evidence only.
type Late = queue.LateAnswer

// LateAnswers returns the late answers since the last call, oldest first, at
// most 256: older ones are forgotten, as a repeat or a reversal settles what
// they were about. A connection whose answer did not come is read on for two
// minutes; nothing more is sent on it.
func (l *Link) LateAnswers() []Late {
	l.lateMu.Lock()
	defer l.lateMu.Unlock()
	late := l.late
	l.late = nil
	return late
}

// waitLonger keeps the connection of an entry's message whose answer did not
// come, for as long as it is alive; or it returns the answer, which came in the
// last moment.
func (l *Link) waitLonger(c *conn, w *want) (in incoming, came bool) {
	if w.id == 0 || c.ended() || l.life.Err() != nil {
		return in, false
	}
	if in, came = c.linger(w); came {
		return in, true
	}
	l.conn = nil
	alive := l.old[:0]
	for _, o := range l.old {
		if !o.ended() {
			alive = append(alive, o)
		}
	}
	l.old = append(alive, c)
	if len(l.old) > maxOld {
		l.old[0].Close()
		l.old = l.old[1:]
	}
	return in, false
}

// keepLate takes an answer that nobody waits for any more. It runs on the
// connection's reader, without the turn.
func (l *Link) keepLate(w *want, in incoming) {
	a, _, err := l.check(w.mac, w.request, in)
	if err != nil {
		l.tell(Event{Kind: Suspect, Type: in.m.Type().String(), STAN: w.stan, Err: err})
		return
	}
	l.lateMu.Lock()
	if len(l.late) == maxLate {
		l.late = l.late[1:]
	}
	l.late = append(l.late, Late{ID: w.id, STAN: w.stan, Answer: a})
	l.lateMu.Unlock()
	l.tell(Event{Kind: CameLate, Type: in.m.Type().String(), STAN: w.stan, Code: a.Code})
}
