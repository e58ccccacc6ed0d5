package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/tallystick/tallystick/queue"
)

// csv writes one table with a row for each figure and each line. A spreadsheet
// needs the mark at the beginning to read Chinese.
func (r *Report) csv(out io.Writer, v *view) error {
	w := v.words
	if w.tag == string(Chinese) {
		if _, err := io.WriteString(out, "\ufeff"); err != nil {
			return err
		}
	}
	c := csv.NewWriter(out)
	heads := []string{w.section, w.finding, w.currency, w.here + " " + w.count, w.here + " " + w.sum, w.there + " " + w.count,
		w.there + " " + w.sum, w.open + " " + w.count, w.open + " " + w.sum, w.entry, w.state, w.ref, w.terminal, w.batch, w.stan,
		w.rrn, w.card, w.time, w.fileLine, w.detail, w.cause, w.next}
	row := func(cells ...string) {
		_ = c.Write(append(cells, make([]string, len(heads)-len(cells))...)) // Error tells
	}
	row(heads...)
	figures := func(cur queue.Currency, fs ...Figure) []string {
		cells := []string{currency(cur)}
		for _, f := range fs {
			cells = append(cells, strconv.FormatInt(f.Count, 10), plain(f.Sum, cur))
		}
		return cells
	}
	for _, t := range r.Taken {
		row(append([]string{w.takenHere, name(w.categories[:], t.Category)}, figures(t.Currency, t.Taken, t.Host, t.Open)...)...)
	}
	for _, u := range r.Undone {
		row(append([]string{w.undone, w.states[u.State]}, figures(u.Currency, u.Figure)...)...)
	}
	for _, b := range r.Batches {
		cur, sum := "", ""
		if b.Currency != 0 {
			cur, sum = currency(b.Currency), plain(b.Debits.Sum-b.Credits.Sum, b.Currency)
		}
		row(w.batches, name(w.results[:], b.Result), cur, strconv.Itoa(b.Records), sum, "", "", "", "", "", "", "", cell(b.ID.Lane.Terminal), fmt.Sprint(b.HostBatch))
	}
	if r.Statement != nil {
		for _, s := range r.Statement.Rows {
			row(w.statement, w.said(s.Finding).name, currency(s.Currency), strconv.FormatInt(s.Count, 10), plain(s.Here, s.Currency), "", plain(s.There, s.Currency))
		}
		for _, f := range r.Statement.Fees {
			row(w.statement, w.fees, currency(f.Currency), "", "", "", plain(f.Minor, f.Currency))
		}
	}
	for _, l := range r.ordered() {
		row(r.csvLine(w, l)...)
	}
	if r.More > 0 {
		row(w.note, "", "", strconv.Itoa(r.More), "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", v.more)
	}
	c.Flush()
	return c.Error()
}

func (r *Report) csvLine(w *words, l Line) []string {
	s := w.said(l.Finding)
	cur, here, there := l.Here.Currency, "", ""
	if cur != 0 {
		here = plain(l.Here.Minor, cur)
	}
	if l.There.Currency != 0 {
		cur, there = l.There.Currency, plain(l.There.Minor, l.There.Currency)
	}
	entry, batch, stan, fileLine := "", "", "", ""
	if l.Entry != 0 {
		entry = strconv.FormatUint(uint64(l.Entry), 10)
	}
	if l.HostBatch != 0 {
		batch = fmt.Sprint(l.HostBatch)
	}
	if l.STAN != 0 {
		stan = l.STAN.String()
	}
	if l.FileLine != 0 {
		fileLine = strconv.Itoa(l.FileLine)
	}
	shown := ""
	if cur != 0 {
		shown = currency(cur)
	}
	return []string{w.differs, s.name, shown, "", here, "", there, "", "", entry, w.states[l.State], cell(l.Ref), cell(l.Terminal), batch,
		stan, cell(l.RRN), cell(l.Card), r.when(l.Time), fileLine, cell(l.Detail), s.cause, s.next}
}

// plain is an amount without commas, for a spreadsheet.
func plain(minor int64, c queue.Currency) string {
	return strings.ReplaceAll(amount(minor, c), ",", "")
}

// cell is a text that no spreadsheet takes for a formula.
func cell(s string) string {
	s = safe(s)
	switch first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(s, unicode.IsSpace)); first {
	case '=', '+', '-', '@', '|', '%', '＝', '＋', '－', '＠', '−':
		return "'" + s
	}
	return s
}
