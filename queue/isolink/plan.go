package isolink

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"time"
)

// HourTime is what is known of the sign-ins in one hour of the day.
type HourTime struct {
	Count int           `json:"n"`    // so many were measured
	Mean  time.Duration `json:"mean"` // how long they took, newer ones counting more; in nanoseconds
}

// noteSignIn counts a sign-in that took so long, or after so long came to
// nothing.
func (l *Link) noteSignIn(took time.Duration) {
	hour := time.Now().In(l.opts.Zone).Hour()
	l.keep(func(k *kept) {
		h := &k.Hours[hour]
		if h.Count == 0 {
			h.Mean = took
		} else {
			h.Mean += (took - h.Mean) / min(8, time.Duration(h.Count+1))
		}
		h.Count = min(h.Count+1, 1<<30)
	})
}

// SignInTimes is how long sign-ins took, by the hour of the day in Options.Zone,
// with dialling where that was needed. A host that stayed silent counts with the
// time that it was given.
func (l *Link) SignInTimes() [24]HourTime {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.kept.Hours
}

// Plan says when a terminal signs in of its own accord, once a day: in an hour
// from From to before To, 0 to 24, in Options.Zone. From may be later than To,
// for a night. The zero Plan leaves the whole day.
type Plan struct{ From, To int }

func (p Plan) hours() (hours []int) {
	from, to := ((p.From%24)+24)%24, ((p.To%24)+24)%24
	n := (to - from + 24) % 24
	if n == 0 {
		n = 24
	}
	for i := range n {
		hours = append(hours, (from+i)%24)
	}
	return hours
}

// fast leaves out the hours whose sign-ins took clearly longer than those of the
// middle one: by a half, and by half a second.
func fast(hours []int, times [24]HourTime) []int {
	var known []time.Duration
	for _, h := range hours {
		if times[h].Count > 0 {
			known = append(known, times[h].Mean)
		}
	}
	if len(known) < 2 {
		return hours
	}
	slices.Sort(known)
	middle := known[(len(known)-1)/2]
	limit := max(middle+middle/2, middle+500*time.Millisecond)
	return slices.DeleteFunc(slices.Clone(hours), func(h int) bool { return times[h].Count > 0 && times[h].Mean > limit })
}

// NextSignIn is when the terminal is due to sign in of its own accord after t:
// once a day, in one of the plan's hours that have not been slow. The terminal's
// name and the date choose the moment, so that a host's devices are spread over
// all of these hours, and chance moves it by up to half a minute.
func (l *Link) NextSignIn(t time.Time, p Plan) time.Time {
	hours := fast(p.hours(), l.SignInTimes())
	for day := 0; ; day++ {
		if at := l.moment(l.opens(t, p, day), hours); at.After(t) {
			return at
		}
	}
}

// opens is when the plan's hours that t is in, or behind, began, so many days on.
func (l *Link) opens(t time.Time, p Plan, days int) time.Time {
	t = t.In(l.opts.Zone)
	from := p.hours()[0]
	if t.Hour() < from {
		days--
	}
	return time.Date(t.Year(), t.Month(), t.Day()+days, from, 0, 0, 0, l.opts.Zone)
}

// moment is when the terminal signs in in the hours that open then.
func (l *Link) moment(opens time.Time, hours []int) time.Time {
	sum := sha256.Sum256([]byte(l.lane.String() + opens.Format("|2006-01-02")))
	second := binary.BigEndian.Uint64(sum[:]) % uint64(len(hours)*3600)
	shift := rand.N(time.Minute) - 30*time.Second
	inHour := min(max(time.Duration(second%3600)*time.Second+shift, 0), time.Hour-time.Second)
	later := (hours[second/3600] - opens.Hour() + 24) % 24
	return opens.Add(time.Duration(later)*time.Hour + inHour)
}

// Renew signs in anew, whether that is needed or not. What is under way is
// waited for first, for a part of Options.LineTimeout.
//
// Errors: those of Prepare; the next Prepare then signs in.
func (l *Link) Renew(ctx context.Context) error {
	ctx, done, err := l.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	l.leave()
	return l.ready(ctx)
}

// SignInDaily renews the sign-in at each NextSignIn until ctx is done, whose
// error it returns, or the link is closed (ErrClosed). A renewal that fails is
// told as an event; payments and the next day try again.
func (l *Link) SignInDaily(ctx context.Context, p Plan) error {
	ctx, done := l.living(ctx)
	defer done()
	due := l.NextSignIn(time.Now(), p)
	for {
		// A device that slept, or whose clock was set, looks again within the hour.
		timer := time.NewTimer(min(time.Until(due), time.Hour))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return l.whyEnded(ctx.Err())
		}
		now := time.Now().Round(0) // by the wall clock
		if now.Before(due) {
			if due.Sub(now) > 48*time.Hour { // the clock was set back
				due = l.NextSignIn(now, p)
			}
			continue
		}
		_ = l.Renew(ctx) // told as NoLine
		if tomorrow := l.opens(due, p, 1); tomorrow.After(now) {
			now = tomorrow
		}
		due = l.NextSignIn(now.Add(-1), p)
	}
}
