package report

import (
	"fmt"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
)

// problems are what is said of what reconcile.Incomplete finds. What was never
// sent, is in doubt or needs a person is the journal's to tell: see AddJournal.
var problems = map[reconcile.Problem]Finding{
	reconcile.Missing: MissingThere, reconcile.Undone: UndoneThere, reconcile.Unexpected: StandsThere,
	reconcile.OtherAmount: AmountDiffers, reconcile.OtherContent: ContentDiffers, reconcile.Twice: Doubled,
	reconcile.Foreign: MissingHere,
}

// AddIncomplete tells what reconcile.Incomplete found between the journal and a
// host that says what it holds, and what it has mended. Call it beside AddJournal,
// which tells of what only waits.
func (r *Report) AddIncomplete(found reconcile.Incompleteness) {
	for _, u := range found.Lines {
		f, known := problems[u.Problem]
		switch {
		case u.Mended && u.Now == queue.Accepted:
			f = Mended
		case u.Mended || !known:
			continue
		}
		r.Add(unfinished(f, u))
	}
	r.More += found.Omitted
}

func unfinished(f Finding, u reconcile.Unfinished) Line {
	l := Line{Finding: f, Entry: u.ID}
	if u.Entry.ID != 0 {
		l = lineOf(f, u.Entry)
		l.State = u.Now
	}
	for _, h := range u.Held {
		if !h.Stands && f != UndoneThere || h.Amount.Currency == 0 {
			continue
		}
		if l.There = signed(queue.Entry{Transaction: queue.Transaction{Op: h.Op, Amount: h.Amount}}); u.Entry.ID == 0 {
			l.Ref, l.Terminal, l.STAN, l.Card, l.Time = h.Ref, h.Lane.Terminal, h.STAN, h.MaskedPAN, h.Time
		}
		break
	}
	if l.Time.IsZero() {
		l.Time = u.Since
	}
	if u.To > u.ID {
		l.Detail = fmt.Sprintf("%d–%d", u.ID, u.To)
	}
	return l
}
