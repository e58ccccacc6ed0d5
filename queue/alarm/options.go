package alarm

import (
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// Thresholds are the figures at which a lane's warnings are raised. A zero
// field stands for the default, a negative one for none.
type Thresholds struct {
	// Backlog is a count of entries pending or in doubt. Default 50.
	Backlog int
	// Amount is what the sales among them add up to, by currency in minor
	// units. A currency that is not named is not watched. Default, for nil:
	// 10,000 units of CNY, EUR, GBP, HKD, MOP, SGD and USD.
	Amount map[queue.Currency]int64
	// Age is of the oldest entry that the forwarder has to send. Default 30 min.
	Age time.Duration
	// SignIn is a count of failures in a row to connect and sign in. Default 5.
	// A cause that time does not heal (a certificate, an unknown terminal, wrong
	// keys, a refusal) is told at the first.
	SignIn int
	// Answers is p50 or p95 of the newest answers in percent of the last days'
	// same hour. Default 200; values below 110 are taken as 110.
	Answers int
	// Parked is a count of entries that need a person. Default 1.
	Parked int
}

// Options of New. The zero value, or nil, holds the defaults; New does not
// write to it.
type Options struct {
	// Thresholds are those of every lane.
	Thresholds Thresholds
	// Lanes overrides them for single lanes; a zero field leaves that of
	// Thresholds.
	Lanes map[queue.Lane]Thresholds
	// Every is the time between two looks while something waits or is raised;
	// otherwise a change in the journal is waited for. Default 5 s.
	Every time.Duration
	// Calm is how long a figure must stay low before its warning is cleared.
	// Default 30 s.
	Calm time.Duration
	// Days is how many days answer times are compared with, 3 to 31. Default 7.
	Days int
	// SaveEvery is the longest that answer times are kept in memory only.
	// Default 15 min.
	SaveEvery time.Duration
	// Path is where answer times are kept. Default: the journal's path with
	// ".answers" added.
	Path string
	// Zone is where the hours of the day are counted. Default time.Local.
	Zone *time.Location
	// Metrics gets every figure. Default: nobody does.
	Metrics Metrics
	// Log gets what goes wrong with the file of answer times. Default: nothing
	// is logged.
	Log *slog.Logger
}

func defaultAmounts() map[queue.Currency]int64 {
	amounts := map[queue.Currency]int64{}
	for _, c := range []queue.Currency{queue.CNY, queue.EUR, queue.GBP, queue.HKD, queue.MOP, queue.SGD, queue.USD} {
		amounts[c] = 10_000_00
	}
	return amounts
}

func (o *Options) withDefaults(journal string) (d Options, err error) {
	if o != nil {
		d = *o
	}
	set := func(v *time.Duration, def time.Duration) {
		if *v <= 0 {
			*v = def
		}
	}
	set(&d.Every, 5*time.Second)
	set(&d.Calm, 30*time.Second)
	set(&d.SaveEvery, 15*time.Minute)
	if d.Days == 0 {
		d.Days = 7
	}
	if d.Days < minDays || d.Days > maxDays {
		return d, fmt.Errorf("alarm: Options.Days is %d, it may be %d to %d", d.Days, minDays, maxDays)
	}
	if d.Path == "" {
		d.Path = journal + ".answers"
	}
	if d.Zone == nil {
		d.Zone = time.Local
	}
	if d.Metrics == nil {
		d.Metrics = noMetrics{}
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	d.Thresholds = d.Thresholds.over(Thresholds{Backlog: 50, Amount: defaultAmounts(), Age: 30 * time.Minute,
		SignIn: 5, Answers: 200, Parked: 1})
	lanes := map[queue.Lane]Thresholds{}
	for l, t := range d.Lanes {
		lanes[l] = t.over(d.Thresholds)
	}
	d.Lanes = lanes
	return d, nil
}

// over returns t with base's fields where t's are zero.
func (t Thresholds) over(base Thresholds) Thresholds {
	if t.Backlog == 0 {
		t.Backlog = base.Backlog
	}
	if t.Amount == nil {
		t.Amount = base.Amount
	}
	t.Amount = maps.Clone(t.Amount)
	if t.Age == 0 {
		t.Age = base.Age
	}
	if t.SignIn == 0 {
		t.SignIn = base.SignIn
	}
	if t.Answers == 0 {
		t.Answers = base.Answers
	}
	if t.Answers > 0 {
		t.Answers = max(t.Answers, 110)
	}
	if t.Parked == 0 {
		t.Parked = base.Parked
	}
	return t
}

func (o Options) thresholds(l queue.Lane) Thresholds {
	if t, ok := o.Lanes[l]; ok {
		return t
	}
	return o.Thresholds
}
