package queue

import "time"

// elapse warns one watcher of what time alone uses up: Limits.Age and
// Limits.Silence. Nobody journals anything when half of them has passed.
type elapse struct {
	q     *Queue
	next  time.Time
	timer *time.Timer
	told  map[Lane]int // how far it was told of; the zero Lane stands for Age
}

// newElapse returns nil where no limit of time is set.
func newElapse(q *Queue) *elapse {
	if q.opts.Limits.Age <= 0 && q.opts.Limits.Silence <= 0 {
		return nil
	}
	return &elapse{q: q, timer: time.NewTimer(0), told: map[Lane]int{}}
}

func (t *elapse) stop() {
	if t != nil {
		t.timer.Stop()
	}
}

// due is when to look again; for ever where there is nothing to look at.
func (t *elapse) due() <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.timer.C
}

// look returns what has reached another mark since the last look.
func (t *elapse) look() (out []Event) {
	now := time.Now()
	if t == nil || now.Before(t.next) {
		return nil
	}
	lim := t.q.opts.Limits
	wait := lookAgain
	pass := func(of Lane, l *LimitError) {
		mark, until := passed(l.Have, l.Max)
		if mark > t.told[of] {
			out = append(out, Event{Warning: l})
		}
		t.told[of] = mark
		wait = min(wait, until)
	}
	err := t.q.read(func(v *fileView) error {
		if lim.Age > 0 {
			age, err := v.oldest()
			if err != nil {
				return err
			}
			pass(Lane{}, &LimitError{Limit: "age", Have: age.Milliseconds(), Max: lim.Age.Milliseconds()})
		}
		if lim.Silence <= 0 {
			return nil
		}
		lanes, err := v.allLanes()
		for _, l := range lanes {
			if t.q.paces.known(l.name, nil) != nil { // not of a lane out of use
				pass(l.name, silence(l, v.quiet(l), lim))
			}
		}
		return err
	})
	if err != nil && !isClosed(err) {
		t.q.opts.Log.Warn("looking at the limits of time failed", "error", err)
	}
	t.next = now.Add(wait)
	t.timer.Reset(wait)
	return out
}

// passed tells how many marks a figure has reached, 50 % and 80 %, and after how
// many milliseconds it may have reached another, by now or from 0.
func passed(have, most int64) (marks int, until time.Duration) {
	until = time.Duration(max(most/2, 1)) * time.Millisecond
	for _, percent := range []int64{50, 80} {
		mark := markAt(most, percent)
		if have < mark {
			return marks, min(until, time.Duration(mark-have)*time.Millisecond)
		}
		marks++
	}
	return marks, until
}
