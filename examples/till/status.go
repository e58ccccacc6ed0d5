package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/alarm"
)

// tell shows what happens beside the cashier's own work: warnings, and how ends
// what was left open. An entry that came to its end before tell has seen it at
// all is new to it (Event.From is 0), and told all the same.
func (t *till) tell(ctx context.Context) {
	last := ""
	for ev := range t.q.Watch(ctx) {
		var w *alarm.Warning
		switch e := ev.Entry; {
		case errors.As(ev.Warning, &w):
			if s := w.Cashier(t.sentences()); s != last { // both lanes have one host: once is enough
				t.say(sayWarning, s)
				last = s
			}
		case e.State == ev.From:
		case e.Op == queue.Sale && e.State == queue.Reversed:
			t.sayAfter(sayUndone, e.ID)
		case e.Op == queue.Void && e.State == queue.Accepted:
			t.sayAfter(sayVoided, e.Original)
		case (e.Op == queue.Void || e.Op == queue.Refund) && e.State == queue.Declined:
			t.sayAfter(sayNotVoided, e.Original, e.Answer.Code)
		}
	}
}

// sayAfter writes one line behind the command that is being carried out: "undone"
// does not come before "no outcome".
func (t *till) sayAfter(what text, args ...any) {
	t.turn.Lock()
	defer t.turn.Unlock()
	t.say(what, args...)
}

// status shows what waits, what needs a person, and whether the till may be
// wiped.
func (t *till) status(ctx context.Context) error {
	backlogs, err := t.q.Backlogs(ctx)
	if err != nil {
		return err
	}
	for _, b := range backlogs {
		t.say(sayWaits, b.Lane.Host, b.Waiting, cmp.Or(strings.Trim(fmt.Sprint(b.Sums), "[]"), "0"), b.Parked)
	}
	s, err := t.q.Status(ctx)
	if err != nil {
		return err
	}
	for _, p := range s.NeedPerson {
		t.say(sayParked, p.ID, p.Amount, p.Why)
	}
	for _, w := range t.monitor.Active() {
		t.say(sayWarning, w.Cashier(t.sentences()))
		t.say(saySupport, w.Support(t.sentences()))
	}
	if s.SafeToWipe {
		t.say(saySafe)
	} else {
		t.say(sayUnsafe)
	}
	return nil
}

func (t *till) sentences() alarm.Language {
	if t.lang == screen.Chinese {
		return alarm.Chinese
	}
	return alarm.English
}
