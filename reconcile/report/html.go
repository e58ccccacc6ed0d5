package report

import (
	_ "embed"
	"html/template"
	"io"
)

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// htmlPage is what the template is given.
type htmlPage struct {
	Tag, Title, Verdict, Differs, More, Colon string
	Agrees                                    bool
	Facts                                     [][2]string
	Tables                                    []htmlTable
	Lines                                     []lineView
	Chart                                     htmlChart
}

type htmlTable struct {
	Name  string
	Heads []htmlCell
	Rows  []htmlRow
}

type htmlRow struct {
	Marked bool
	Cells  []htmlCell
}

type htmlCell struct {
	Text  string
	Right bool
}

// htmlChart is the drawing: two bars for each category, laid out in the units of
// its view box.
type htmlChart struct {
	Name, Taken, Host string
	Height            int
	Bars              []htmlBar
}

type htmlBar struct {
	Name, Taken, Host                 string
	Y, TakenY, HostY, TextY, HostText int
	TakenWidth, HostWidth             int
}

// The drawing's measures.
const (
	barTop    = 28 // below the legend
	barStep   = 44 // of a category
	barHeight = 14
	barLong   = 360
)

func (v *view) html(out io.Writer) error {
	p := htmlPage{Tag: v.words.tag, Title: v.title, Verdict: v.sentence(), Differs: v.words.differs, More: v.more, Colon: v.words.colon,
		Agrees: v.agrees, Facts: v.facts, Lines: v.lines}
	for _, t := range v.tables {
		h := htmlTable{Name: t.name}
		for _, c := range t.heads {
			h.Heads = append(h.Heads, htmlCell{c.text, c.right})
		}
		for i, row := range t.rows {
			r := htmlRow{Marked: t.marked[i]}
			for c, s := range row {
				r.Cells = append(r.Cells, htmlCell{s, t.heads[c].right})
			}
			h.Rows = append(h.Rows, r)
		}
		p.Tables = append(p.Tables, h)
	}
	p.Chart = htmlChart{Name: v.words.taken, Taken: v.words.takenHere, Host: v.words.atHost, Height: barTop + barStep*len(v.bars)}
	for i, b := range v.bars {
		y := barTop + barStep*i
		p.Chart.Bars = append(p.Chart.Bars, htmlBar{Name: b.name, Taken: b.taken, Host: b.host, Y: y + 18, TakenY: y, HostY: y + barHeight + 2,
			TextY: y + 11, HostText: y + barHeight + 13, TakenWidth: b.takenPermille * barLong / 1000, HostWidth: b.hostPermille * barLong / 1000})
	}
	return page.Execute(out, p)
}
