// Package report tells a person how the day ended: what was taken, what the host
// has, what differs, and what to do about each difference. One Report is written
// as a table for the terminal, as Markdown, CSV, JSON or a single HTML page, in
// Chinese or English.
//
//	r := report.New("Shop 12", time.Now())
//	err := r.AddJournal(ctx, q, report.Span{})
//	err = r.AddStatement(ctx, q, statement.Diff(q.All(ctx, queue.Filter{}), lines, nil))
//	err = r.Write(os.Stdout, report.Text, report.Chinese)
//
// Whatever comes from outside, be it a ref, a host's text or a line of a
// statement, is written without control characters, with card numbers masked,
// and so that neither a terminal, a spreadsheet, a Markdown viewer nor a browser
// takes it for more than text.
package report

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
)

// Report is what is known of a day, or of any span of time. Make it with New,
// fill it with the Add methods and, where an app knows more, by hand. It is not
// safe for concurrent use.
type Report struct {
	// Title is the app's name for what the report is about.
	Title string
	// Made is when the report was made; the times in it are written in its zone.
	Made time.Time
	// Span is what time it tells of.
	Span Span
	// Taken is what the device took, a row for each category and currency.
	Taken []Row
	// Undone is what did not come to stand, by state: declined, reversed,
	// cancelled.
	Undone []Undone
	// Batches are the settlements.
	Batches []Batch
	// Statement is what an acquirer's statement came to, nil without one.
	Statement *Statement
	// Lines are the things to look at, at most MaxLines; More counts the others.
	Lines []Line
	More  int
}

// MaxLines bounds Report.Lines.
const MaxLines = 1000

// New begins an empty report.
func New(title string, made time.Time) *Report { return &Report{Title: title, Made: made} }

// Span is a time from From on and before To; a zero one does not bound it.
type Span struct{ From, To time.Time }

func (s Span) holds(t time.Time) bool {
	return (s.From.IsZero() || !t.Before(s.From)) && (s.To.IsZero() || t.Before(s.To))
}

// Category is a kind of payment.
type Category uint8

// The categories.
const (
	CardOnline  Category = iota + 1 // card, the host was asked
	CardOffline                     // card, the decision was taken on the device
	QRCode
	Cash
	Voids
	Refunds
	categories
)

// Figure is a number of payments and their sum in minor units; voids and
// refunds are negative.
type Figure struct {
	Count int64 `json:"count"`
	Sum   int64 `json:"sum"`
}

// Row tells of one category in one currency.
type Row struct {
	Category Category
	Currency queue.Currency
	// Taken is what the device told its user as taken, Host what the host has:
	// as far as the journal knows, what the host has answered for.
	Taken, Host Figure
	// Open is what is not decided: waiting, in doubt or parked. A request in
	// doubt is open and not taken.
	Open Figure
}

// Undone is what ended in one state without effect, all amounts positive.
type Undone struct {
	State    queue.State
	Currency queue.Currency
	Figure
}

// Batch is a settlement, or, where it is of several currencies, what it says of one
// of them.
type Batch struct {
	ID        queue.BatchID
	HostBatch uint32
	// Records is how many entries were settled, of all currencies together; 0 in
	// all rows of a batch but its first.
	Records int
	// Debits and Credits are what the host was told, of inland and foreign
	// cards together.
	Debits, Credits Figure
	Currency        queue.Currency
	Result          BatchResult
}

// BatchResult is how a settlement ended.
type BatchResult uint8

// The results.
const (
	Balanced     BatchResult = iota + 1 // both sides had the same totals
	AfterUpload                         // they agree since the details were uploaded
	OutOfBalance                        // closed, and the sides differ
	NotSettled                          // not settled yet
	SettledAlone                        // recorded as settled without telling the host
	batchResults
)

// Statement is what comparing with an acquirer's statement came to.
type Statement struct {
	Rows []StatementRow
	// Fees is what the acquirer kept, by currency.
	Fees []queue.Money
}

// StatementRow counts what one finding came to: amounts as they stand here and
// there.
type StatementRow struct {
	Finding     Finding // 0: matched
	Currency    queue.Currency
	Count       int64
	Here, There int64
}

// Line is one thing to look at. Texts may come from anywhere: they are cleaned
// as they are written.
type Line struct {
	Finding Finding
	// Entry is its number in the journal, 0 where the journal has none.
	Entry queue.ID
	State queue.State // 0: none
	Ref   string
	// Terminal, HostBatch, STAN and RRN name the transaction to the host.
	Terminal  string
	HostBatch uint32
	STAN      queue.STAN
	RRN       string
	Card      string // masked
	Time      time.Time
	// Here and There are the amounts; a zero Currency: nothing is there.
	Here, There queue.Money
	// FileLine is the line of the acquirer's statement file, 0 for none.
	FileLine int
	// Detail is what is known beyond, like why an entry is parked.
	Detail string
}

// Add adds a line.
func (r *Report) Add(l Line) {
	if len(r.Lines) >= MaxLines {
		r.More++
		return
	}
	r.Lines = append(r.Lines, l)
}

// Agrees reports whether nothing needs a person: no line asks for one, no batch
// is out of balance, and what was taken is at the host or still on its way, like
// an entry that waits for the network.
func (r *Report) Agrees() bool {
	return r.More == 0 &&
		!slices.ContainsFunc(r.Lines, func(l Line) bool { return l.Finding.Acts() }) &&
		!slices.ContainsFunc(r.Batches, func(b Batch) bool { return b.Result == OutOfBalance }) &&
		!slices.ContainsFunc(r.Taken, Row.differs)
}

// differs tells whether what is open does not explain the row's two figures.
func (row Row) differs() bool {
	missing := row.Taken.Count - row.Host.Count
	return missing < 0 || missing > row.Open.Count || missing == 0 && row.Taken.Sum != row.Host.Sum
}

// ErrOverflow is returned when a sum does not fit 64 bits.
var ErrOverflow = reconcile.ErrOverflow

var errCurrency = errors.New("an amount has no currency")

// add adds one payment of so much.
func (f *Figure) add(minor int64) error {
	s, overflow := sum(f.Sum, minor)
	if overflow {
		return ErrOverflow
	}
	f.Sum = s
	f.Count++
	return nil
}

// row finds or makes the row of a category and currency.
func (r *Report) row(c Category, cur queue.Currency) *Row {
	i, found := slices.BinarySearchFunc(r.Taken, Row{Category: c, Currency: cur}, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.Category, b.Category))
	})
	if !found {
		r.Taken = slices.Insert(r.Taken, i, Row{Category: c, Currency: cur})
	}
	return &r.Taken[i]
}

func (r *Report) undone(s queue.State, cur queue.Currency) *Undone {
	i, found := slices.BinarySearchFunc(r.Undone, Undone{State: s, Currency: cur}, func(a, b Undone) int {
		return cmp.Or(cmp.Compare(a.Currency, b.Currency), cmp.Compare(a.State, b.State))
	})
	if !found {
		r.Undone = slices.Insert(r.Undone, i, Undone{State: s, Currency: cur})
	}
	return &r.Undone[i]
}

// totals are the rows added up by currency.
func (r *Report) totals() ([]Row, error) {
	var out []Row
	for _, row := range r.Taken {
		i := slices.IndexFunc(out, func(t Row) bool { return t.Currency == row.Currency })
		if i < 0 {
			i, out = len(out), append(out, Row{Currency: row.Currency})
		}
		for _, f := range [][2]*Figure{{&out[i].Taken, &row.Taken}, {&out[i].Host, &row.Host}, {&out[i].Open, &row.Open}} {
			count := f[0].Count + f[1].Count
			if err := f[0].add(f[1].Sum); err != nil {
				return nil, err
			}
			f[0].Count = count
		}
	}
	return out, nil
}
