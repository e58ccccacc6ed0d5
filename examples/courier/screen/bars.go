package screen

import (
	"io"
	"strings"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// bars are the live lines at the bottom of a terminal.
type bars struct {
	progress *mpb.Progress
	text     *texts
	width    int // of the widest label, in columns

	parcels, tenders, uploads *bar
	details                   *bar // nil until entries are sent one by one
}

func newBars(out io.Writer, t *texts) *bars {
	b := &bars{
		progress: mpb.New(mpb.WithOutput(out), mpb.WithAutoRefresh()),
		text:     t,
		width:    max(columnsOf(t.parcelsLabel), columnsOf(t.uploadsLabel), columnsOf(t.detailsLabel)),
	}
	b.parcels = b.add(t.parcelsLabel, mpb.BarStyle())
	b.tenders = b.add("", mpb.NopStyle())
	b.uploads = b.add(t.uploadsLabel, mpb.BarStyle())
	return b
}

func (b *bars) drawDetails(sent, of int, text string) {
	if b.details == nil {
		b.details = b.add(b.text.detailsLabel, mpb.BarStyle())
	}
	b.details.set(sent, of, text)
}

// line writes a line above the bars.
func (b *bars) line(text string) error {
	_, err := io.WriteString(b.progress, text+"\n")
	return err
}

// end leaves the bars as they are and stops drawing.
func (b *bars) end() {
	for _, bar := range []*bar{b.parcels, b.tenders, b.uploads, b.details} {
		if bar != nil {
			bar.mpb.Abort(false)
		}
	}
	b.progress.Wait()
}

// bar is one line: a label, the bar itself and a text.
type bar struct {
	mpb  *mpb.Bar
	text atomic.Pointer[string] // read by mpb's goroutine while it draws
}

func (b *bars) add(label string, style mpb.BarFillerBuilder) *bar {
	one := new(bar)
	one.text.Store(new(string))
	label += strings.Repeat(" ", b.width-columnsOf(label)+1)
	// A bar without a total never completes by itself: end does that.
	options := []mpb.BarOption{
		mpb.BarWidth(32),
		mpb.PrependDecorators(decor.Name(label)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return " " + *one.text.Load() })),
	}
	one.mpb = b.progress.New(0, style, options...)
	return one
}

func (b *bar) set(current, total int, text string) {
	b.text.Store(&text)
	b.mpb.SetTotal(int64(total), false)
	b.mpb.SetCurrent(int64(current))
}
