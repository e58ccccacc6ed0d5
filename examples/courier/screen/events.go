package screen

import (
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/examples/courier/route"
)

// Day is what is known before the day begins.
type Day struct {
	Route   string // the route file's name
	Parcels int
	Fen     int64 // to collect in all
	Seed    uint64
	Kills   int // planned
	Loss    int // of requests, and of answers, in per cent
}

// Begin opens the day and draws the bars.
func (s *Screen) Begin(d Day) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(plain, fmt.Sprintf(s.text.begin, d.Route, d.Parcels, yuan(d.Fen)))
	s.write(plain, fmt.Sprintf(s.text.conditions, d.Seed, d.Kills, d.Loss))
	s.total, s.killsPlanned = d.Parcels, d.Kills
	if s.live && s.bars == nil {
		s.bars = newBars(s.out, s.text)
		s.redraw()
	}
}

// Listening tells where the acquirer listens.
func (s *Screen) Listening(address string) {
	s.say(cyan, s.text.listening, address)
}

// ParcelDone counts a parcel that was delivered and paid for.
func (s *Screen) ParcelDone(t route.Tender, fen int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int(t) >= len(s.by) {
		t = 0
	}
	s.by[t].Count++
	s.by[t].Fen += fen
	s.advance()
}

// Refused counts a parcel that goes back because its payment was refused.
func (s *Screen) Refused(waybill string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event(yellow, fmt.Sprintf(s.text.refused, waybill))
	s.advance()
}

// advance counts one more parcel, and writes a progress line at each tenth.
func (s *Screen) advance() {
	s.done++
	if s.bars != nil {
		s.redraw()
		return
	}
	if s.total == 0 {
		return
	}
	tenths := s.done * 10 / s.total
	if tenths == s.tenths {
		return
	}
	s.tenths = tenths
	s.event(plain, fmt.Sprintf(s.text.progress, s.taken(), s.tenders(), s.uploads()))
}

// Uploads tells how many journalled entries were delivered to the host and how
// many wait for it.
func (s *Screen) Uploads(delivered, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delivered, s.waiting = delivered, waiting
	s.redraw()
}

// Outage marks the beginning (true) or the end of a network outage. Saying the
// same twice shows it once.
func (s *Screen) Outage(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down == down {
		return
	}
	s.down = down
	if down {
		s.event(yellow, s.text.outageBegins)
	} else {
		s.event(green, s.text.outageEnds)
	}
	s.redraw()
}

// PrimaryLine marks that the first of the lines to the acquirer goes down (true)
// or comes up again.
func (s *Screen) PrimaryLine(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if down {
		s.event(yellow, s.text.primaryDown)
	} else {
		s.event(green, s.text.primaryUp)
	}
}

// Route marks that a terminal's traffic takes the backup line (true) or is back
// on the primary one.
func (s *Screen) Route(terminal string, backup bool) {
	if backup {
		s.say(yellow, s.text.overBackup, terminal)
		return
	}
	s.say(green, s.text.overPrimary, terminal)
}

// Transition is one of a terminal's session with its host.
type Transition uint8

// The transitions. Those before SignedIn come with every connection: the bars
// show them, plain lines do not.
const (
	Connecting Transition = iota
	Connected
	LineLost
	NoLine
	SigningIn
	SignedIn
	SignedOff
	SignInDue
	HostAsks
	HostObeyed
	transitions
)

// Session marks a transition of a terminal's session.
func (s *Screen) Session(terminal string, t Transition) {
	if t >= transitions {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.session = fmt.Sprintf(s.text.session, terminal, s.text.transitions[t])
	if t >= SignedIn {
		s.event(cyan, s.session)
	}
	s.redraw()
}

// Warning shows an early warning about a terminal, or that it is over.
func (s *Screen) Warning(terminal, sentence string, over bool) {
	if over {
		s.say(green, s.text.allClear, terminal, sentence)
		return
	}
	s.say(yellow, s.text.warning, terminal, sentence)
}

// Moment is what the handset was doing when it was killed.
type Moment uint8

// The moments of a kill.
const (
	AtRandom Moment = iota
	InAttempt
	WhileAnswering
	InUpload
	InSettlement
	moments
)

// Kill marks that the handset's process was killed.
func (s *Screen) Kill(m Moment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m >= moments {
		m = AtRandom
	}
	s.kills++
	s.event(red, fmt.Sprintf(s.text.kill, s.kills, s.killsPlanned, s.text.moments[m]))
}

// Restart marks that the handset runs again, and how many entries it found in
// doubt in its journal.
func (s *Screen) Restart(inDoubt int) {
	s.say(green, s.text.restart, inDoubt)
}

// Reversal marks that the entry with this ref was reversed.
func (s *Screen) Reversal(ref string) {
	s.say(magenta, s.text.reversal, ref)
}

// Void marks that a sale was voided.
func (s *Screen) Void(ref string, fen int64) {
	s.say(magenta, s.text.void, ref, yuan(fen))
}

// Refund marks that a sale was refunded.
func (s *Screen) Refund(ref string, fen int64) {
	s.say(magenta, s.text.refund, ref, yuan(fen))
}

// Step is one of the steps of a settlement.
type Step uint8

// The steps of a settlement, in their order; the detail step is taken only
// when the totals differ.
const (
	ClosingBatch Step = iota
	Draining
	ComparingTotals
	SendingDetails
	EndingBatch
	Settled
	steps
)

// Settling marks a step in the settlement of one terminal's batch.
func (s *Screen) Settling(terminal string, step Step) {
	if step >= steps {
		return
	}
	s.say(cyan, s.text.settling, terminal, s.text.steps[step])
}

// Details tells how many of the batch's entries were sent one by one.
func (s *Screen) Details(sent, of int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if of <= 0 {
		return
	}
	if s.bars != nil {
		s.bars.drawDetails(sent, of, fmt.Sprintf(s.text.details, sent, of))
		return
	}
	tenths := sent * 10 / of
	if tenths == s.detailTenths {
		return
	}
	s.detailTenths = tenths
	if tenths > 0 {
		s.event(plain, fmt.Sprintf(s.text.details, sent, of))
	}
}

// Kept tells where the day's files can be looked at.
func (s *Screen) Kept(dir string) {
	s.say(plain, s.text.kept, dir)
}

// say writes an event line made from a format.
func (s *Screen) say(colour, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.event(colour, fmt.Sprintf(format, args...))
}

// taken is count and sum over all tenders.
func (s *Screen) taken() string {
	var all Figure
	for _, f := range s.by {
		all.Count += f.Count
		all.Fen += f.Fen
	}
	return fmt.Sprintf(s.text.taken, all.Count, yuan(all.Fen))
}

// tenders lists count and sum of each tender.
func (s *Screen) tenders() string {
	var list []string
	for _, t := range route.Tenders {
		list = append(list, fmt.Sprintf(s.text.tender, s.text.tenders[t], s.by[t].Count, yuan(s.by[t].Fen)))
	}
	return strings.Join(list, s.text.comma)
}

func (s *Screen) uploads() string {
	return fmt.Sprintf(s.text.uploads, s.delivered, s.waiting)
}

// redraw brings the bars up to date.
func (s *Screen) redraw() {
	if s.bars == nil {
		return
	}
	network := s.text.networkUp
	if s.down {
		network = s.text.networkDown
		if s.colour {
			network = yellow + network + reset
		}
	}
	s.bars.parcels.set(s.done, s.total, fmt.Sprintf("%d/%d", s.done, s.total)+s.text.comma+s.taken())
	s.bars.tenders.set(0, 1, s.tenders())
	if s.session != "" {
		network += s.text.comma + s.session
	}
	s.bars.uploads.set(s.delivered, s.delivered+s.waiting, s.uploads()+s.text.comma+network)
}
