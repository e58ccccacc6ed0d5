package alarm

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// Language is one that sentences are there in.
type Language uint8

// The languages.
const (
	English Language = iota
	Chinese
)

// Cashier is the sentence for who stands at the device: what is wrong, why, and
// what to do now, without a technical word.
func (w *Warning) Cashier(in Language) string { return w.sentence(in, forCashier) }

// Support is the sentence for who looks after the device: it names the lane,
// figure and threshold, the cause with the host's code, and what to look at.
func (w *Warning) Support(in Language) string { return w.sentence(in, forSupport) }

type reader uint8

const (
	forCashier reader = iota
	forSupport
	readers
)

// words are those of one language.
type words struct {
	facts   [readers][Parked + 1]string // by Kind, filled in by fill
	cleared [readers][Parked + 1]string
	causes  [readers][NeedsPerson + 1]cause // by Cause
	lane    string                          // in front of what support reads
	between string                          // fact, cause
	next    string                          // cause, next step
	end     string
	code    string
	units   units
}

// cause is why, and what to do about it.
type cause struct{ why, step string }

func wordsOf(in Language) *words {
	if in == Chinese {
		return &chinese
	}
	return &english
}

func (w *Warning) sentence(in Language, to reader) string {
	t := wordsOf(in)
	s := ""
	if to == forSupport {
		s = w.fill(t, t.lane)
	}
	if w.State == Cleared {
		return t.begin(s + w.fill(t, t.cleared[to][w.known()]) + t.end)
	}
	why := t.causes[to][0]
	if int(w.Cause) < len(t.causes[to]) {
		why = t.causes[to][w.Cause]
	}
	s += w.fill(t, t.facts[to][w.known()]) + t.between + w.fill(t, why.why)
	if w.Code != "" {
		s += fmt.Sprintf(t.code, w.Code)
	}
	return t.begin(s + t.next + w.fill(t, why.step) + t.end)
}

// known is the kind, 0 for one that there are no words for.
func (w *Warning) known() Kind {
	if w.Kind > Parked {
		return 0
	}
	return w.Kind
}

// fill puts the figures into a text.
func (w *Warning) fill(t *words, text string) string {
	return strings.NewReplacer(
		"{host}", w.Lane.Host, "{merchant}", w.Lane.Merchant, "{terminal}", w.Lane.Terminal,
		"{n}", fmt.Sprint(w.Have), "{at}", fmt.Sprint(w.Threshold),
		"{payments}", t.units.plural(w.Have, t.units.payment),
		"{attempts}", t.units.plural(w.Have, t.units.attempt),
		"{sum}", t.units.money(queue.Money{Minor: w.Have, Currency: w.Currency}),
		"{atsum}", t.units.money(queue.Money{Minor: w.Threshold, Currency: w.Currency}),
		"{age}", t.units.milliseconds(w.Have), "{atage}", t.units.milliseconds(w.Threshold),
		"{took}", t.units.duration(w.Took), "{usual}", t.units.duration(w.Usual), "{p}", fmt.Sprint(w.Percentile),
		"{entry}", fmt.Sprint(w.Entry), "{why}", w.Why,
	).Replace(text)
}

// begin gives an English sentence its capital letter.
func (t *words) begin(s string) string {
	if t == &english && s != "" && s[0] >= 'a' && s[0] <= 'z' {
		return string(s[0]-'a'+'A') + s[1:]
	}
	return s
}

// units are how a language says figures.
type units struct {
	payment, attempt     [2]string // one, more
	hour, minute, second string
	unknown              string // an age that the clock cannot tell
	yuan                 string
}

func (u units) plural(n int64, of [2]string) string {
	if n == 1 {
		return fmt.Sprintf(of[0], n)
	}
	return fmt.Sprintf(of[1], n)
}

func (u units) money(m queue.Money) string {
	s := m.String()
	if m.Currency == queue.CNY {
		s = strings.TrimSuffix(s, " CNY") + u.yuan
	}
	return s
}

func (u units) milliseconds(ms int64) string {
	if ms >= (math.MaxInt64 / int64(time.Millisecond)) {
		return u.unknown
	}
	return u.duration(time.Duration(ms) * time.Millisecond)
}

// duration says a duration in two units at most.
func (u units) duration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f"+u.second, d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d"+u.second, int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d"+u.minute, int(d.Minutes()))
	}
	return fmt.Sprintf("%d"+u.hour+"%d"+u.minute, int(d.Hours()), int(d.Minutes())%60)
}
