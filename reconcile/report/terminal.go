package report

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// palette are the escape sequences of a terminal; all empty without colours.
type palette struct{ bold, red, green, dim, off string }

// colours returns what w can show.
func colours(w io.Writer) palette {
	f, ok := w.(*os.File)
	if _, forbidden := os.LookupEnv("NO_COLOR"); !ok || forbidden || os.Getenv("TERM") == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return palette{}
	}
	return ansi
}

var ansi = palette{bold: "\x1b[1m", red: "\x1b[31m", green: "\x1b[32m", dim: "\x1b[2m", off: "\x1b[0m"}

func (p palette) paint(colour, s string) string {
	if colour == "" || s == "" {
		return s
	}
	return colour + s + p.off
}

// width counts a terminal's columns in the same way whatever the locale: a
// Chinese character takes two.
var width = runewidth.Condition{StrictEmojiNeutral: true}

// lineWidth is where a sentence is broken.
const lineWidth = 100

func (v *view) text(w *bufio.Writer, p palette) {
	fmt.Fprintln(w, p.paint(p.bold, v.title))
	for _, f := range v.facts {
		fmt.Fprintf(w, "%s%s%s\n", f[0], v.words.colon, f[1])
	}
	for _, t := range v.tables {
		fmt.Fprintf(w, "\n%s\n", p.paint(p.bold, t.name))
		for _, line := range t.text(p) {
			fmt.Fprintln(w, line)
		}
	}
	if len(v.lines) > 0 {
		fmt.Fprintf(w, "\n%s\n", p.paint(p.bold, v.words.differs))
	}
	for _, l := range v.lines {
		v.line(w, p, l)
	}
	if v.more != "" {
		fmt.Fprintln(w, v.more)
	}
	colour := p.red
	if v.agrees {
		colour = p.green
	}
	fmt.Fprintf(w, "\n%s\n", p.paint(colour, v.sentence()))
}

func (v *view) line(w *bufio.Writer, p palette, l lineView) {
	colour := p.dim
	if l.Acts {
		colour = p.red
	}
	number := fmt.Sprintf("%3d. ", l.Number)
	fmt.Fprint(w, number, p.paint(colour, l.Name), v.words.colon, fold(l.What, len(number), width.StringWidth(l.Name)+width.StringWidth(v.words.colon)), "\n")
	indent := strings.Repeat(" ", len(number))
	for _, s := range []string{l.Sides, l.Detail, l.Cause, "→ " + l.Next} {
		if s != "" {
			fmt.Fprint(w, indent, fold(s, len(number), 0), "\n")
		}
	}
}

// fold breaks s at blanks, and behind Chinese characters, where a line is full;
// used is what the first line has already.
func fold(s string, indent, used int) string {
	var b strings.Builder
	at, word := indent+used, 0 // column, and where the word under way begins in s
	flush := func(end int) {
		part := s[word:end]
		n := width.StringWidth(part)
		if at+n > lineWidth && at > indent {
			b.WriteString("\n" + strings.Repeat(" ", indent))
			at, part = indent, strings.TrimLeft(part, " ")
			n = width.StringWidth(part)
		}
		b.WriteString(part)
		at, word = at+n, end
	}
	for i, r := range s {
		if r == ' ' {
			flush(i)
		} else if i > word && width.RuneWidth(r) == 2 && !closing(r) {
			flush(i)
		}
	}
	flush(len(s))
	return b.String()
}

// closing tells what does not begin a line.
func closing(r rune) bool { return strings.ContainsRune("，。；：、）", r) }

// text lays a table out under its headings.
func (t *table) text(p palette) []string {
	widths := make([]int, len(t.heads))
	for c, h := range t.heads {
		widths[c] = width.StringWidth(h.text)
		for _, row := range t.rows {
			widths[c] = max(widths[c], width.StringWidth(row[c]))
		}
	}
	layOut := func(cells []string) string {
		var b strings.Builder
		for c, s := range cells {
			pad := strings.Repeat(" ", widths[c]-width.StringWidth(s))
			if t.heads[c].right {
				s = pad + s
			} else {
				s += pad
			}
			if c > 0 {
				b.WriteString("  ")
			}
			b.WriteString(s)
		}
		return strings.TrimRight(b.String(), " ")
	}
	heads := make([]string, len(t.heads))
	rule := 0
	for c, h := range t.heads {
		heads[c], rule = h.text, rule+widths[c]+2
	}
	lines := []string{layOut(heads), strings.Repeat("-", rule-2)}
	for i, row := range t.rows {
		colour := ""
		if t.marked[i] {
			colour = p.red
		}
		lines = append(lines, p.paint(colour, layOut(row)))
	}
	return lines
}
