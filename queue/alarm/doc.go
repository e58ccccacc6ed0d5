// Package alarm warns early: before a backlog becomes a loss, a slow host a
// queue of customers, and a parked payment a complaint.
//
//	m, err := alarm.New(q, nil)
//	link := m.Host(lane, isoLink)  // measures; use it wherever the link was used
//	go m.Run(ctx)
//	for ev := range q.Watch(ctx) { // a Warning is an Event of the journal
//		var w *alarm.Warning
//		if errors.As(ev.Warning, &w) {
//			show(w.Cashier(alarm.Chinese))
//		}
//	}
//
// # What it watches, lane by lane
//
//	kind     figure                                  raised at (default)
//	backlog  entries pending or in doubt             50
//	amount   sales among them, by currency           10,000 yuan, dollars, euros …
//	age      of the oldest entry to be sent          30 minutes
//	sign-in  failures in a row to get a line         5; 1 where only a person can help
//	answers  p50 or p95 of the newest answers,       200 %
//	         in percent of the same hour's
//	parked   entries that need a person              1
//
// A Warning is raised when its figure reaches the threshold, told again each
// time that the figure has doubled since, and cleared once the figure has been
// below four fifths of the threshold for Options.Calm. A figure that goes up
// and down therefore warns at most once in that time, and one that stays high
// is told a few times, not at each look. After a restart what still holds is
// raised anew.
//
// # Answer times
//
// The answers of each lane are counted by duration, hour of day and day, for
// Options.Days days; requests, on which an issuer decides, apart from all else.
// An attempt that ended without an answer in time counts with the time waited.
// The newest answers of this hour, 64 at most, are compared with what the same
// hour saw on the days before: the median from 20 answers on, p95 from 60 on.
// There is no warning before three days have 50 answers of that hour between
// them, for a rise of less than half a second, or from this day's own figures.
// What stays slow for days becomes the norm: the metrics tell of that.
//
// The counts are kept in a file beside the journal, its path with ".answers"
// added: durations and lane names, nothing of any payment, in some 10 kB a lane
// and, with 7 days, never more than 110 kB. It is replaced as a whole every
// Options.SaveEvery and when Run ends, so that a crash loses what came since and
// never the rest. A damaged file is logged and begun anew.
//
// # Sentences
//
// Each Warning has a sentence for the cashier and one for support, in Chinese
// and English, that say what is wrong, the cause, and what to do next. None of
// them, and no metric, holds card data, a ref, or a key.
package alarm
