// Package screen shows a person what happens during a courier's day: progress,
// outages, sessions, routes, warnings, kills, restarts, reversals, settlement and the final comparison, in
// English or Chinese.
//
// On a terminal it draws live progress bars with the events above them, in
// colours unless NO_COLOR is set. Everywhere else it writes plain lines, among
// them one about every tenth of the parcels, and nothing that depends on time,
// so that two runs with the same events give the same bytes.
package screen

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"

	"golang.org/x/term"

	"github.com/tallystick/tallystick/examples/courier/route"
)

// Screen is what the person watching sees. Its methods may be called from
// several goroutines; each shows its event before it returns, save that bars
// follow within a tenth of a second.
type Screen struct {
	mu     sync.Mutex
	out    io.Writer
	text   *texts
	colour bool
	live   bool
	bars   *bars // nil when none are drawn
	err    error // the first that writing met

	total, done         int
	by                  [len(route.Tenders) + 1]Figure // by route.Tender
	delivered, waiting  int
	down                bool
	session             string // the newest transition
	tenths              int    // progress lines written, of ten
	kills, killsPlanned int
	detailTenths        int // of the batch upload, written
}

// New returns a Screen that writes to out in the given language. It draws bars
// only if out is a terminal. Close it when the day is over.
func New(out io.Writer, lang Lang) *Screen {
	terminal := false
	if f, ok := out.(*os.File); ok {
		terminal = term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"
	}
	colour := terminal && os.Getenv("NO_COLOR") == ""
	if runtime.GOOS == "windows" && os.Getenv("WT_SESSION") == "" && os.Getenv("TERM") == "" {
		colour = false // the old console shows escape sequences as they are
	}
	return newScreen(out, lang, terminal, colour)
}

func newScreen(out io.Writer, lang Lang, live, colour bool) *Screen {
	return &Screen{out: out, text: textsOf(lang), live: live, colour: colour}
}

// Close ends the bars and returns the first error that writing met. Events
// that come later are written as plain lines.
func (s *Screen) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endBars()
	return s.err
}

// Fail ends the bars and shows err as one sentence: in Chinese if the language
// is Chinese and err, or an error it wraps, has a method Chinese() string.
func (s *Screen) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endBars()
	s.write(red, fmt.Sprintf(s.text.failed, s.text.sentence(err)))
}

// The colours, as a terminal's escape sequences.
const (
	plain   = ""
	red     = "\x1b[31m"
	green   = "\x1b[32m"
	yellow  = "\x1b[33m"
	magenta = "\x1b[35m"
	cyan    = "\x1b[36m"
	reset   = "\x1b[0m"
)

// event writes a line that begins with how far the day is. The caller holds
// s.mu, as for all methods below.
func (s *Screen) event(colour, line string) {
	s.write(colour, s.position()+line)
}

// position is how many of the parcels are done, in a fixed width.
func (s *Screen) position() string {
	if s.total == 0 {
		return ""
	}
	width := len(fmt.Sprint(s.total))
	return fmt.Sprintf("[%*d/%d] ", width, s.done, s.total)
}

// write writes one line, above the bars if there are any.
func (s *Screen) write(colour, line string) {
	if s.colour && colour != plain {
		line = colour + line + reset
	}
	var err error
	if s.bars != nil {
		err = s.bars.line(line)
	} else {
		_, err = io.WriteString(s.out, line+"\n")
	}
	if s.err == nil {
		s.err = err
	}
}

func (s *Screen) endBars() {
	if s.bars != nil {
		s.bars.end()
		s.bars = nil
	}
	s.live = false
}
