package queue

import (
	"fmt"
	"time"
)

// Limits bound what may be taken while the host does not know of it. A zero
// field bounds nothing. They hold for offline sales: Append, and TakeOffline.
type Limits struct {
	// PerSale bounds one sale, by tender and currency, in minor units.
	PerSale map[TenderCurrency]int64
	// Count bounds how many entries wait, pending or in doubt.
	Count int
	// Sum bounds what the waiting sales of one currency add up to, in minor
	// units.
	Sum map[Currency]int64
	// Age bounds how old the oldest waiting entry may be. What cannot be
	// proven young counts as too old.
	Age time.Duration
	// Silence bounds the time since the lane's newest answer, once it had one. A
	// clock that went back behind that answer proves nothing: the lane counts as
	// silent.
	Silence time.Duration
}

func (l Limits) none() bool {
	return l.PerSale == nil && l.Count <= 0 && l.Sum == nil && l.Age <= 0 && l.Silence <= 0
}

// TenderCurrency is a tender in a currency.
type TenderCurrency struct {
	Tender   Tender
	Currency Currency
}

// LimitError is returned for a sale that a limit refuses; nothing of it was
// kept. As an Event's Warning it tells how far the limit is used up.
type LimitError struct {
	Limit string // "per sale", "count", "sum", "age", "silence"
	// Have is the figure with this sale, Max the limit: minor units, entries,
	// or milliseconds.
	Have, Max int64
	Currency  Currency // of "per sale" and "sum"
	Lane      Lane     // of "silence"
}

func (e *LimitError) Error() string {
	show := func(n int64) string {
		switch e.Limit {
		case "per sale", "sum":
			return Money{n, e.Currency}.String()
		case "age", "silence":
			return (time.Duration(n) * time.Millisecond).String()
		}
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("offline limit %q: %s of %s", e.Limit, show(e.Have), show(e.Max))
}

// check returns the error of the first limit that taking e, which is
// journalled in this view already, passes; and those whose half or four fifths
// it reaches.
func (v *fileView) check(lim Limits, e Entry) (warn []*LimitError, err error) {
	if lim.none() {
		return nil, nil
	}
	test := func(limit string, have, before, most int64, c Currency) {
		l := &LimitError{Limit: limit, Have: have, Max: most, Currency: c}
		switch {
		case most <= 0:
		case have > most:
			if err == nil {
				err = l
			}
		case crosses(before, have, most, 50), crosses(before, have, most, 80):
			warn = append(warn, l)
		}
	}
	test("per sale", e.Amount.Minor, e.Amount.Minor, lim.PerSale[TenderCurrency{e.Tender, e.Amount.Currency}], e.Amount.Currency)
	count, sum, rerr := v.waiting(e.Amount.Currency)
	if rerr != nil {
		return nil, rerr
	}
	test("count", count, count-1, int64(lim.Count), 0)
	test("sum", sum, sum-e.Amount.Minor, lim.Sum[e.Amount.Currency], e.Amount.Currency)
	if lim.Age > 0 {
		age, rerr := v.oldest()
		if rerr != nil {
			return nil, rerr
		}
		if err == nil && age > lim.Age {
			err = &LimitError{Limit: "age", Have: age.Milliseconds(), Max: lim.Age.Milliseconds()}
		}
	}
	l, rerr := v.laneOf(e.Lane)
	if rerr != nil {
		return nil, rerr
	}
	if quiet := v.quiet(l); err == nil && lim.Silence > 0 && quiet > lim.Silence {
		err = silence(l, quiet, lim)
	}
	return warn, err
}

func silence(l laneRecord, quiet time.Duration, lim Limits) *LimitError {
	return &LimitError{Limit: "silence", Have: quiet.Milliseconds(), Max: lim.Silence.Milliseconds(), Lane: l.name}
}

// quiet is the time since the lane's newest answer, 0 where it had none.
func (v *fileView) quiet(l laneRecord) time.Duration {
	if l.contact.IsZero() {
		return 0
	}
	return sinceWall(v.reading.Wall, l.contact)
}

// sinceWall is how long ago something was by the wall clock. One that went back
// behind it proves nothing: that counts as for ever.
func sinceWall(now, then time.Time) time.Duration {
	d := now.Sub(then)
	if d < -jump {
		return 1<<63 - 1
	}
	return max(d, 0)
}

// crosses tells whether a figure reaches so many percent of most by this step.
func crosses(before, have, most, percent int64) bool {
	mark := markAt(most, percent)
	return before < mark && have >= mark
}

// markAt is so many percent of most.
func markAt(most, percent int64) int64 {
	if most < 100 {
		return (most*percent + 99) / 100
	}
	return most / 100 * percent
}

// waiting counts what is pending or in doubt in all lanes, and adds up its
// sales in one currency.
func (v *fileView) waiting(c Currency) (count, sum int64, err error) {
	lanes, err := v.allLanes()
	if err != nil {
		return 0, 0, err
	}
	for _, l := range lanes {
		for _, t := range l.tallies {
			if t.State != Pending && t.State != InDoubt {
				continue
			}
			count += t.Count
			if t.Op == Sale && t.Kind != Reversal && t.Currency == c {
				sum += t.Sum
			}
		}
	}
	return count, sum, nil
}

// allLanes returns every lane as this view has it.
func (v *fileView) allLanes() (lanes []laneRecord, err error) {
	n, err := v.count("lanes")
	if err != nil {
		return nil, err
	}
	for i := range uint32(n + v.newLanes) {
		l, err := v.laneAt(i + 1)
		if err != nil {
			return nil, err
		}
		lanes = append(lanes, l)
	}
	return lanes, nil
}

// oldest is the age of the oldest entry that waits in the file, in any lane.
func (v *fileView) oldest() (time.Duration, error) { return v.oldestOf(nil) }

// oldestOf is oldest for the work whose keys begin with prefix: by the wall
// clock since it was taken, and by every clock since it was first sent, for
// attempts make nothing younger. What cannot be proven young counts as for ever.
func (v *fileView) oldestOf(prefix []byte) (time.Duration, error) {
	first, err := v.oldestWaiting(prefix)
	if err != nil || first == 0 {
		return 0, err
	}
	e, err := v.entry(first)
	if err != nil {
		return 0, err
	}
	age := max(sinceWall(v.reading.Wall, e.Changed), v.reading.Wall.Sub(e.Time))
	if e.first.wall.IsZero() {
		return age, nil
	}
	sent, err := v.sinceFirst(e)
	return max(age, sent), err
}

// sinceFirst is how long ago an entry was first sent, by every clock.
func (v *fileView) sinceFirst(e Entry) (time.Duration, error) {
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return 0, err
	}
	now, err := v.now(l)
	if err != nil {
		return 0, err
	}
	age, proven := e.first.age(now)
	if !proven {
		return 1<<63 - 1, nil
	}
	return age, nil
}

// oldestWaiting is the lowest sequence in the work lists whose names begin with
// prefix, 0 when they are empty. It looks at the head of each run of one lane,
// class, batch and demotion.
func (v *fileView) oldestWaiting(prefix []byte) (first ID, err error) {
	begin := prefix
	for {
		var at []byte
		err := v.spans(inWork, prefix, begin, workPlaceSize, 0, func(name []byte, n uint64) (bool, error) {
			at = append(at, name...)
			if first == 0 || ID(n) < first {
				first = ID(n)
			}
			return false, nil
		})
		if err != nil || at == nil {
			return first, err
		}
		begin = append(at, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	}
}
