package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/report"
)

// reportName is what the files of the day's report are called, but for their
// endings.
const reportName = "report"

// report begins the day's report with what the journal tells.
func (d *day) report(ctx context.Context, q *queue.Queue) (*report.Report, error) {
	r := report.New(d.words.dayTitle, time.Now())
	if err := r.AddJournal(ctx, q, report.Span{}); err != nil {
		return nil, fmt.Errorf(d.words.noJournal, err)
	}
	return r, nil
}

// categoriesOf are the categories of the comparison that the report has, too.
var categoriesOf = map[screen.Category]report.Category{
	screen.CardOnline: report.CardOnline, screen.CardOffline: report.CardOffline, screen.QRCode: report.QRCode,
	screen.CashTaken: report.Cash, screen.Voids: report.Voids, screen.Refunds: report.Refunds,
}

// reported puts into the report what the comparison knows beyond the journal:
// what was acknowledged, what the acquirer's ledger has, and where they disagree.
func reported(r *report.Report, o outcome, w *words) {
	open := map[report.Category]report.Figure{}
	for _, row := range r.Taken {
		open[row.Category] = row.Open
	}
	r.Taken = nil
	figure := func(f screen.Figure) report.Figure { return report.Figure{Count: int64(f.Count), Sum: f.Fen} }
	for _, row := range o.rows {
		c, known := categoriesOf[row.Category]
		if known && (row.Acknowledged.Count > 0 || row.Host.Count > 0 || open[c].Count > 0) {
			r.Taken = append(r.Taken, report.Row{Category: c, Currency: queue.CNY, Taken: figure(row.Acknowledged), Host: figure(row.Host), Open: open[c]})
		}
	}
	for _, f := range o.findings {
		l := report.Line{Finding: findingOf(f), Ref: f.ref, Detail: w.reasons[f.why]}
		here := f.journalled
		if here.Count == 0 {
			here = f.told
		}
		if here.Count > 0 {
			l.Here = queue.Money{Minor: here.Fen, Currency: queue.CNY}
		}
		if f.host.Count > 0 {
			l.There = queue.Money{Minor: f.host.Fen, Currency: queue.CNY}
		}
		r.Add(l)
	}
}

// findingOf is what the report says of a disagreement.
func findingOf(f finding) report.Finding {
	switch f.why {
	case otherAmount:
		return report.AmountDiffers
	case paidTwice:
		return report.CollectedTwice
	case standsUnasked, neverAcknowledged:
		return report.StandsThere
	case notOurs:
		return report.MissingHere
	case notStanding, missingAtHost:
		return report.MissingThere
	case notPaid, notSettled:
		return report.Remark
	}
	if f.kind == screen.Lost {
		return report.Remark
	}
	return report.ContentDiffers
}

// endings are those of the report's files.
var endings = map[report.Format]string{report.Text: "txt", report.Markdown: "md", report.CSV: "csv", report.JSON: "json", report.HTML: "html"}

// keepReport writes the report into the day's folder, in every format.
func (d *day) keepReport(r *report.Report) error {
	for format, ending := range endings {
		path := d.path(reportName + "." + ending)
		var b bytes.Buffer
		err := r.Write(&b, format, report.Lang(d.cfg.lang))
		if err == nil {
			err = os.WriteFile(path, b.Bytes(), 0o600)
		}
		if err != nil {
			return fmt.Errorf(d.words.noReport, path, err)
		}
	}
	return nil
}
