package isolink

import (
	"context"
	"slices"

	"github.com/tallystick/tallystick/queue"
)

const (
	maxLate = 256 // late answers kept
	maxOld  = 4   // connections on which nothing more is sent
)

// Late is an answer that came after the wait for it had ended, checked like any
// other. While its entry is in doubt it decides; once the reversal of a request
// is journalled it is evidence only.
type Late = queue.LateAnswer

// LateAnswers returns the late answers since the last call, oldest first, at
// most 256: older ones are forgotten, as a repeat or a reversal settles what
// they were about. An answer that did not come is read for two minutes more,
// on its own connection.
func (l *Link) LateAnswers() []Late {
	l.mu.Lock()
	defer l.mu.Unlock()
	late := l.late
	l.late = nil
	return late
}

// retire has nothing more sent on c: the next message goes over a new
// connection. What it owes is read for still.
func (l *Link) retire(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == c {
		l.conn = nil
	}
	if l.life.Err() != nil || c.retire(max(lateTime, l.opts.AnswerTimeout)) == 0 {
		c.Close()
		return
	}
	l.old = slices.DeleteFunc(l.old, func(o *conn) bool { return o == c || o.ended() })
	l.old = append(l.old, c)
	if len(l.old) > maxOld {
		l.old[0].Close()
		l.old = l.old[1:]
	}
}

// await waits for w's answer on c. Where nothing came on the connection since w
// was sent, it is not trusted with the next message; otherwise only this answer
// is missing.
func (l *Link) await(ctx context.Context, c *conn, w *want) (incoming, error) {
	in, err := c.wait(ctx, w)
	if err == nil {
		return in, nil
	}
	in, came, silent := c.giveUp(w)
	if came {
		return in, nil
	}
	if silent || c.ended() || w.id == 0 {
		l.retire(c)
	}
	return in, lineError(w.request.Type().String(), l.whyEnded(err))
}

// keepLate takes an answer that nobody waits for any more. It runs on the
// connection's reader.
func (l *Link) keepLate(w *want, in incoming) {
	a, _, err := l.check(w, in)
	if err != nil {
		l.tell(Event{Kind: Suspect, Type: in.m.Type().String(), STAN: w.stan, Err: err})
		return
	}
	l.mu.Lock()
	if len(l.late) == maxLate {
		l.late = l.late[1:]
	}
	l.late = append(l.late, Late{ID: w.id, STAN: w.stan, Answer: a})
	l.mu.Unlock()
	l.tell(Event{Kind: CameLate, Type: in.m.Type().String(), STAN: w.stan, Code: a.Code})
}
