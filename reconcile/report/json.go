package report

import (
	"encoding/json"
	"io"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// The document that JSON writes: amounts are integers in minor units.
type (
	jsonReport struct {
		Title     string         `json:"title"`
		Made      time.Time      `json:"made"`
		From      *time.Time     `json:"from,omitempty"`
		To        *time.Time     `json:"to,omitempty"`
		Lang      string         `json:"lang"`
		Agrees    bool           `json:"agrees"`
		Verdict   string         `json:"verdict"`
		Taken     []jsonRow      `json:"taken"`
		Undone    []jsonUndone   `json:"undone"`
		Batches   []jsonBatch    `json:"batches"`
		Statement *jsonStatement `json:"statement,omitempty"`
		Lines     []jsonLine     `json:"lines"`
		More      int            `json:"more"`
	}
	jsonRow struct {
		Category string `json:"category"`
		Currency string `json:"currency"`
		Taken    Figure `json:"taken"`
		Host     Figure `json:"host"`
		Open     Figure `json:"open"`
	}
	jsonUndone struct {
		State    string `json:"state"`
		Currency string `json:"currency"`
		Figure
	}
	jsonBatch struct {
		Terminal  string `json:"terminal"`
		Batch     uint32 `json:"batch"`
		HostBatch uint32 `json:"host_batch"`
		Records   int    `json:"records"`
		Currency  string `json:"currency,omitempty"`
		Debits    Figure `json:"debits"`
		Credits   Figure `json:"credits"`
		Result    string `json:"result"`
	}
	jsonStatement struct {
		Rows []jsonStatementRow `json:"rows"`
		Fees []jsonMoney        `json:"fees"`
	}
	jsonStatementRow struct {
		Finding  string `json:"finding"`
		Currency string `json:"currency"`
		Count    int64  `json:"count"`
		Here     int64  `json:"here"`
		There    int64  `json:"there"`
	}
	jsonMoney struct {
		Minor    int64  `json:"minor"`
		Currency string `json:"currency"`
	}
	jsonLine struct {
		Finding   string     `json:"finding"`
		Acts      bool       `json:"needs_person"`
		Entry     uint64     `json:"entry,omitempty"`
		State     string     `json:"state,omitempty"`
		Ref       string     `json:"ref,omitempty"`
		Terminal  string     `json:"terminal,omitempty"`
		HostBatch uint32     `json:"host_batch,omitempty"`
		STAN      uint32     `json:"stan,omitempty"`
		RRN       string     `json:"rrn,omitempty"`
		Card      string     `json:"card,omitempty"`
		Time      *time.Time `json:"time,omitempty"`
		Here      *jsonMoney `json:"here,omitempty"`
		There     *jsonMoney `json:"there,omitempty"`
		FileLine  int        `json:"statement_line,omitempty"`
		Detail    string     `json:"detail,omitempty"`
		Cause     string     `json:"cause"`
		Next      string     `json:"next"`
	}
)

var categoryCodes = [categories]string{"", "card_online", "card_offline", "qr", "cash", "voids", "refunds"}

var resultCodes = [batchResults]string{"", "balanced", "after_upload", "out_of_balance", "not_settled", "settled_alone"}

func stamp(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func jsonOf(m queue.Money) *jsonMoney {
	if m.Currency == 0 {
		return nil
	}
	return &jsonMoney{m.Minor, m.Currency.String()}
}

func (r *Report) json(out io.Writer, v *view) error {
	d := jsonReport{Title: safe(r.Title), Made: r.Made, From: stamp(r.Span.From), To: stamp(r.Span.To), Lang: v.words.tag,
		Agrees: v.agrees, Verdict: v.sentence(), Taken: []jsonRow{}, Undone: []jsonUndone{}, Batches: []jsonBatch{}, Lines: []jsonLine{}, More: r.More}
	for _, t := range r.Taken {
		d.Taken = append(d.Taken, jsonRow{name(categoryCodes[:], t.Category), t.Currency.String(), t.Taken, t.Host, t.Open})
	}
	for _, u := range r.Undone {
		d.Undone = append(d.Undone, jsonUndone{u.State.String(), u.Currency.String(), u.Figure})
	}
	for _, b := range r.Batches {
		j := jsonBatch{safe(b.ID.Lane.Terminal), b.ID.N, b.HostBatch, b.Records, "", b.Debits, b.Credits, name(resultCodes[:], b.Result)}
		if b.Currency != 0 {
			j.Currency = b.Currency.String()
		}
		d.Batches = append(d.Batches, j)
	}
	if s := r.Statement; s != nil {
		d.Statement = &jsonStatement{[]jsonStatementRow{}, []jsonMoney{}}
		for _, row := range s.Rows {
			d.Statement.Rows = append(d.Statement.Rows, jsonStatementRow{row.Finding.String(), row.Currency.String(), row.Count, row.Here, row.There})
		}
		for _, f := range s.Fees {
			d.Statement.Fees = append(d.Statement.Fees, jsonMoney{f.Minor, f.Currency.String()})
		}
	}
	for _, l := range r.ordered() {
		d.Lines = append(d.Lines, r.jsonLine(v.words, l))
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(d)
}

func (r *Report) jsonLine(w *words, l Line) jsonLine {
	s := w.said(l.Finding)
	j := jsonLine{Finding: l.Finding.String(), Acts: l.Finding.Acts(), Entry: uint64(l.Entry), Ref: safe(l.Ref), Terminal: safe(l.Terminal),
		HostBatch: l.HostBatch, STAN: uint32(l.STAN), RRN: safe(l.RRN), Card: safe(l.Card), Time: stamp(l.Time),
		Here: jsonOf(l.Here), There: jsonOf(l.There), FileLine: l.FileLine, Detail: safe(l.Detail), Cause: s.cause, Next: s.next}
	if l.State != 0 {
		j.State = l.State.String()
	}
	return j
}
