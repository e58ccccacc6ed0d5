package screen

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Category is one row of the comparison.
type Category uint8

// The categories.
const (
	CardOnline Category = iota
	CardOffline
	QRCode
	CashTaken
	Voids
	Refunds
	Reversals
	Total
	categories
)

// Figure is a number of entries and their sum in fen.
type Figure struct {
	Count int
	Fen   int64
}

// Row compares what three parties hold of one category.
type Row struct {
	Category                    Category
	Acknowledged, Journal, Host Figure
}

// DifferenceKind tells in which way an entry's three records disagree.
type DifferenceKind uint8

// The kinds of difference.
const (
	Lost      DifferenceKind = iota // acknowledged, but the host lacks it
	Doubled                         // the host has it more than once
	Different                       // its amount, state or numbers differ
	differenceKinds
)

// Difference is one entry whose three records disagree.
type Difference struct {
	Kind                        DifferenceKind
	Ref                         string
	Acknowledged, Journal, Host Figure
	Detail                      string // shown as it is, if not empty
}

// maxDifferences is how many differences are listed before the rest is counted.
const maxDifferences = 100

// Compare ends the bars and shows the comparison as a table, and below it the
// differences: the first 100 of them and the number of the others.
func (s *Screen) Compare(rows []Row, differences []Difference) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endBars()
	s.write(plain, "")
	lines := s.table(rows)
	for i, line := range lines {
		colour := plain
		if i >= headLines && differs(rows[i-headLines]) {
			colour = red
		}
		s.write(colour, line)
	}
	s.write(plain, "")
	if len(differences) == 0 {
		s.write(green, s.text.noDifference)
		return
	}
	s.write(red, fmt.Sprintf(s.text.differences, len(differences)))
	for _, d := range differences[:min(len(differences), maxDifferences)] {
		s.write(red, s.difference(d))
	}
	if more := len(differences) - maxDifferences; more > 0 {
		s.write(red, fmt.Sprintf(s.text.moreDifferences, more))
	}
}

func differs(r Row) bool {
	return r.Acknowledged != r.Journal || r.Journal != r.Host
}

func (s *Screen) difference(d Difference) string {
	kind := ""
	if d.Kind < differenceKinds {
		kind = s.text.differenceKinds[d.Kind]
	}
	side := func(f Figure) string { return strconv.Itoa(f.Count) + " (" + yuan(f.Fen) + ")" }
	line := fmt.Sprintf(s.text.difference, kind, d.Ref, side(d.Acknowledged), side(d.Journal), side(d.Host))
	if d.Detail != "" {
		line += "; " + d.Detail
	}
	return line
}

// headLines is how many lines of a table stand above its rows.
const headLines = 3

// table lays the rows out under two lines of headings and a rule. Each party
// has two columns, count and sum; a row that disagrees is marked at its end.
func (s *Screen) table(rows []Row) []string {
	cells := [][]string{{"", s.text.count, s.text.sum, s.text.count, s.text.sum, s.text.count, s.text.sum}}
	for _, r := range rows {
		name := ""
		if r.Category < categories {
			name = s.text.categories[r.Category]
		}
		line := []string{name}
		for _, f := range []Figure{r.Acknowledged, r.Journal, r.Host} {
			line = append(line, strconv.Itoa(f.Count), yuan(f.Fen))
		}
		cells = append(cells, line)
	}
	widths := columnWidths(cells)
	parties := s.text.categoryHead
	parties += strings.Repeat(" ", max(0, widths[0]-columnsOf(parties)))
	widths[0] = max(widths[0], columnsOf(s.text.categoryHead))
	for i, party := range []string{s.text.acknowledged, s.text.journal, s.text.host} {
		count, sum := &widths[1+2*i], &widths[2+2*i]
		*sum = max(*sum, columnsOf(party)-*count-gap)
		parties += right(party, gap+*count+gap+*sum)
	}
	lines := []string{parties}
	for i, line := range cells {
		text := line[0] + strings.Repeat(" ", widths[0]-columnsOf(line[0]))
		for c, cell := range line[1:] {
			text += right(cell, gap+widths[c+1])
		}
		if i > 0 && differs(rows[i-1]) {
			text += "  " + s.text.differs
		}
		lines = append(lines, text)
		if i == 0 {
			lines = append(lines, strings.Repeat("-", columnsOf(text)))
		}
	}
	return lines
}

// gap is the number of blanks between two columns.
const gap = 3

func columnWidths(cells [][]string) []int {
	widths := make([]int, len(cells[0]))
	for _, line := range cells {
		for c, cell := range line {
			widths[c] = max(widths[c], columnsOf(cell))
		}
	}
	return widths
}

// width counts a terminal's columns in the same way whatever the locale: a
// Chinese character takes two.
var width = runewidth.Condition{StrictEmojiNeutral: true}

func columnsOf(text string) int { return width.StringWidth(text) }

func right(text string, columns int) string {
	return strings.Repeat(" ", max(0, columns-columnsOf(text))) + text
}
