package isolink

import (
	"time"

	"github.com/tallystick/tallystick/codec"
)

// hostTime is the host's clock in an answer, as the style tells it.
func (l *Link) hostTime(m *codec.Message) time.Time {
	if l.opts.Style == ISO1993 {
		clock, _ := m.Text(12)
		at, err := time.ParseInLocation("060102150405", clock, l.opts.Zone)
		if err != nil {
			return time.Time{}
		}
		return at
	}
	return hostTime(m, time.Now(), l.opts.Zone)
}

// hostTime is the host's clock in an answer (DE 12, 13), which name no year: of
// the years about now the one that comes nearest. It is zero where the answer
// has no clock, or one that is no time.
func hostTime(m *codec.Message, now time.Time, zone *time.Location) time.Time {
	clock, ok12 := m.Text(12)
	date, ok13 := m.Text(13)
	if !ok12 || !ok13 {
		return time.Time{}
	}
	at, err := time.ParseInLocation("20060102150405", "2000"+date+clock, zone)
	if err != nil {
		return time.Time{}
	}
	var best time.Time
	year := now.In(zone).Year()
	for y := year - 1; y <= year+1; y++ {
		t := time.Date(y, at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, zone)
		if t.Day() == at.Day() && (best.IsZero() || t.Sub(now).Abs() < best.Sub(now).Abs()) {
			best = t
		}
	}
	return best
}
