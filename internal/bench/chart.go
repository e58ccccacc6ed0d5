package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// bar is one row of a panel.
type bar struct {
	name  string
	value float64
	ours  bool
}

// panel is a chart of bars along one logarithmic axis.
type panel struct {
	title string
	bars  []bar
}

func (m measured) panels() []panel {
	appends := panel{title: "Durable appends per second, 64 writers"}
	for _, c := range contenders {
		appends.bars = append(appends.bars, bar{c.name, m.rounds.median(key{c.name, rateBy(64)}), c.name == tallystick})
	}
	single := panel{title: "Durable appends per second, one writer"}
	for _, c := range contenders {
		single.bars = append(single.bars, bar{c.name, m.rounds.median(key{c.name, rateBy(1)}), c.name == tallystick})
	}
	lives := panel{title: "Append, attempt and answer: entries per second by 64"}
	for _, who := range []string{tallystick, sqliteMany, sqliteEach} {
		lives.bars = append(lives.bars, bar{who, m.rounds.median(key{who, perSec}), who == tallystick})
	}
	return []panel{appends, single, lives}
}

const (
	chartWidth = 860
	axisFrom   = 270 // where the bars begin
	axisTo     = 760
	rowHeight  = 24
)

// svg draws the panels below each other on one scale.
func svg(panels []panel) string {
	lo, hi := decades(panels)
	at := func(v float64) float64 {
		return axisFrom + (axisTo-axisFrom)*(math.Log10(max(v, lo))-math.Log10(lo))/(math.Log10(hi)-math.Log10(lo))
	}
	var b strings.Builder
	y := 0
	for _, p := range panels {
		y += 34
		text(&b, 16, y, "start", "bold", p.title)
		top := y + 10
		bottom := top + rowHeight*len(p.bars)
		for v := lo; v <= hi*1.001; v *= 10 {
			fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/>`+"\n", at(v), top, at(v), bottom)
			text(&b, int(at(v)), bottom+14, "middle", "normal", fmt.Sprintf("%.0f", v))
		}
		for i, r := range p.bars {
			row := top + rowHeight*i
			fill := "#9aa5b1"
			if r.ours {
				fill = "#1f6f5c"
			}
			text(&b, axisFrom-10, row+16, "end", "normal", r.name)
			fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", axisFrom, row+4, at(r.value)-axisFrom, rowHeight-8, fill)
			text(&b, int(at(r.value))+6, row+16, "start", "normal", fmt.Sprintf("%.0f", r.value))
		}
		y = bottom + 24
	}
	text(&b, 16, y+10, "start", "normal", "The axis is logarithmic. Every answer is synced to the disk first.")
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n"+
		`<rect width="100%%" height="100%%" fill="white"/>`+"\n%s</svg>\n", chartWidth, y+24, b.String())
}

func text(b *strings.Builder, x, y int, anchor, weight, s string) {
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="%s" font-weight="%s">`, x, y, anchor, weight)
	_ = xml.EscapeText(b, []byte(s)) // a strings.Builder takes everything
	b.WriteString("</text>\n")
}

// decades is the powers of ten around all values.
func decades(panels []panel) (lo, hi float64) {
	lo, hi = math.Inf(1), 1
	for _, p := range panels {
		for _, r := range p.bars {
			if r.value > 0 {
				lo, hi = min(lo, r.value), max(hi, r.value)
			}
		}
	}
	if math.IsInf(lo, 1) {
		return 1, 10
	}
	lo = math.Pow(10, math.Floor(math.Log10(lo)))
	return lo, max(math.Pow(10, math.Ceil(math.Log10(hi))), 10*lo)
}
