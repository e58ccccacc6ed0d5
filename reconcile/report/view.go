package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/queue"
)

// view is a report in words, as all layouts show it. All its texts are safe.
type view struct {
	words   *words
	title   string
	facts   [][2]string
	verdict []string
	agrees  bool
	tables  []table
	lines   []lineView
	more    string
	bars    []bar
}

// table has a name, headings, and rows; a row that is marked differs.
type table struct {
	name   string
	heads  []head
	rows   [][]string
	marked []bool
}

type head struct {
	text  string
	right bool // amounts and numbers
}

// lineView is a line in words.
type lineView struct {
	Number                                 int
	Acts                                   bool
	Name, What, Sides, Detail, Cause, Next string
}

// bar is one category of the chart; taken and host are parts of a thousand of
// the longest.
type bar struct {
	name, taken, host           string
	takenPermille, hostPermille int
}

// ordered are the lines in the order in which they are shown: what needs a
// person first, then by finding, entry and ref.
func (r *Report) ordered() []Line {
	lines := slices.Clone(r.Lines)
	last := func(l Line) int {
		if l.Finding.Acts() {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(lines, func(a, b Line) int {
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(a.Finding, b.Finding), cmp.Compare(a.Entry, b.Entry),
			cmp.Compare(a.Ref, b.Ref))
	})
	return lines
}

func (r *Report) view(w *words) (*view, error) {
	v := &view{words: w, title: w.title, agrees: r.Agrees()}
	if r.Title != "" {
		v.title = safe(r.Title) + w.colon + w.title
	}
	v.facts = append(v.facts, [2]string{w.made, r.when(r.Made)})
	if from, to := r.when(r.Span.From), r.when(r.Span.To); from != "" || to != "" {
		v.facts = append(v.facts, [2]string{w.from, cmp.Or(from, "-")}, [2]string{w.to, cmp.Or(to, "-")})
	}
	for _, u := range r.Undone {
		v.facts = append(v.facts, [2]string{w.undone + w.sep + w.states[u.State],
			fmt.Sprintf("%d%s%s", u.Count, w.sep, money(queue.Money{Minor: u.Sum, Currency: u.Currency}))})
	}
	for i, l := range r.ordered() {
		v.lines = append(v.lines, r.lineView(w, i+1, l))
	}
	v.judge(r)
	if err := v.taken(r); err != nil {
		return nil, err
	}
	v.batches(r)
	v.statement(r)
	return v, nil
}

// judge says in a sentence or two whether all is well.
func (v *view) judge(r *Report) {
	act := 0
	for _, l := range v.lines {
		if l.Acts {
			act++
		}
	}
	if v.agrees && len(v.lines) == 0 {
		v.verdict = append(v.verdict, v.words.agreed)
	}
	if act > 0 {
		v.verdict = append(v.verdict, fmt.Sprintf(v.words.byPerson, act))
	}
	if rest := len(v.lines) - act; rest > 0 {
		v.verdict = append(v.verdict, fmt.Sprintf(v.words.goesOn, rest))
	}
	if r.More > 0 {
		v.more = fmt.Sprintf(v.words.more, r.More)
		v.verdict = append(v.verdict, v.more)
	}
}

// sentence joins the verdict.
func (v *view) sentence() string { return strings.Join(v.verdict, " ") }

func name[T ~uint8](names []string, i T) string {
	if int(i) < len(names) {
		return names[i]
	}
	return "?"
}

func (w *words) said(f Finding) said {
	if f < findings {
		return w.findings[f]
	}
	return w.findings[Remark]
}

func (r *Report) lineView(w *words, n int, l Line) lineView {
	s := w.said(l.Finding)
	out := lineView{Number: n, Acts: l.Finding.Acts(), Name: s.name, Detail: safe(l.Detail), Cause: s.cause, Next: s.next}
	var what []string
	say := func(name, value string) {
		if value != "" {
			what = append(what, name+" "+value)
		}
	}
	if l.Entry != 0 {
		say(w.entry, strconv.FormatUint(uint64(l.Entry), 10))
	}
	say(w.ref, safe(l.Ref))
	say(w.terminal, safe(l.Terminal))
	if l.HostBatch != 0 {
		say(w.batch, fmt.Sprint(l.HostBatch))
	}
	if l.STAN != 0 {
		say(w.stan, l.STAN.String())
	}
	say(w.rrn, safe(l.RRN))
	say(w.card, safe(l.Card))
	say(w.time, r.when(l.Time))
	if l.FileLine != 0 {
		say(w.fileLine, strconv.Itoa(l.FileLine))
	}
	out.What = strings.Join(what, w.sep)
	side := func(m queue.Money) string {
		if m.Currency == 0 {
			return w.nothing
		}
		return money(m)
	}
	if l.Here.Currency != 0 || l.There.Currency != 0 {
		here := w.here + " " + side(l.Here)
		if state := w.states[l.State]; state != "" {
			here = fmt.Sprintf(w.paren, here, state)
		}
		out.Sides = here
		if l.There.Currency != 0 || l.Finding == MissingThere {
			out.Sides += w.sep + w.there + " " + side(l.There)
		}
	}
	return out
}

// taken is the table of what was taken, and the chart.
func (v *view) taken(r *Report) error {
	w := v.words
	t := table{name: w.taken, heads: []head{{w.category, false}, {w.currency, false}, {w.takenHere, true}, {w.sum, true},
		{w.atHost, true}, {w.sum, true}, {w.open, true}, {w.sum, true}, {"", false}}}
	add := func(name string, row Row) {
		line := []string{name, currency(row.Currency)}
		for _, f := range []Figure{row.Taken, row.Host, row.Open} {
			line = append(line, strconv.FormatInt(f.Count, 10), amount(f.Sum, row.Currency))
		}
		mark := ""
		if row.Taken != row.Host {
			mark = w.differ
		}
		t.rows, t.marked = append(t.rows, append(line, mark)), append(t.marked, mark != "")
	}
	longest := map[queue.Currency]uint64{}
	for _, row := range r.Taken {
		add(name(w.categories[:], row.Category), row)
		longest[row.Currency] = max(longest[row.Currency], size(row.Taken.Sum), size(row.Host.Sum))
	}
	totals, err := r.totals()
	if err != nil {
		return err
	}
	for _, row := range totals {
		add(w.total, row)
	}
	for _, row := range r.Taken {
		most := longest[row.Currency]
		v.bars = append(v.bars, bar{name(w.categories[:], row.Category), money(queue.Money{Minor: row.Taken.Sum, Currency: row.Currency}),
			money(queue.Money{Minor: row.Host.Sum, Currency: row.Currency}), permille(row.Taken.Sum, most), permille(row.Host.Sum, most)})
	}
	v.tables = append(v.tables, t)
	return nil
}

func size(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// permille is for drawing.
func permille(v int64, of uint64) int {
	if of == 0 {
		return 0
	}
	return int(float64(size(v)) / float64(of) * 1000)
}

func (v *view) batches(r *Report) {
	if len(r.Batches) == 0 {
		return
	}
	w := v.words
	t := table{name: w.batches, heads: []head{{w.terminal, false}, {w.batch, true}, {w.hostBatch, true}, {w.records, true},
		{"", false}, {w.debits, true}, {w.sum, true}, {w.credits, true}, {w.sum, true}, {w.result, false}}}
	for _, b := range r.Batches {
		cur, debits, credits := "", "", ""
		if b.Currency != 0 {
			cur, debits, credits = currency(b.Currency), amount(b.Debits.Sum, b.Currency), amount(b.Credits.Sum, b.Currency)
		}
		t.rows = append(t.rows, []string{safe(b.ID.Lane.Terminal), fmt.Sprint(b.ID.N), fmt.Sprint(b.HostBatch), strconv.Itoa(b.Records),
			cur, fmt.Sprint(b.Debits.Count), debits, fmt.Sprint(b.Credits.Count), credits, name(w.results[:], b.Result)})
		t.marked = append(t.marked, b.Result == OutOfBalance)
	}
	v.tables = append(v.tables, t)
}

func (v *view) statement(r *Report) {
	if r.Statement == nil {
		return
	}
	w := v.words
	t := table{name: w.statement, heads: []head{{w.finding, false}, {w.currency, false}, {w.count, true}, {w.here, true}, {w.there, true}}}
	for _, s := range r.Statement.Rows {
		t.rows = append(t.rows, []string{w.said(s.Finding).name, currency(s.Currency), strconv.FormatInt(s.Count, 10),
			amount(s.Here, s.Currency), amount(s.There, s.Currency)})
		t.marked = append(t.marked, s.Finding != 0)
	}
	for _, fee := range r.Statement.Fees {
		t.rows = append(t.rows, []string{w.fees, currency(fee.Currency), "", "", amount(fee.Minor, fee.Currency)})
		t.marked = append(t.marked, false)
	}
	v.tables = append(v.tables, t)
}
