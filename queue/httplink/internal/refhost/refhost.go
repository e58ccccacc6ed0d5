// Package refhost is a small host of the HTTPS link for tests: it books in
// memory, by the rules of package wire, and can be told to break each of them.
package refhost

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// Host is an http.Handler.
type Host struct {
	// Decide answers what is not booked yet; nil: Approved, but Refused where the
	// amount is 51 minor units. It may wait.
	Decide func(wire.Entry) (wire.Verdict, string)
	// Before may answer a request in the host's place, and then returns true.
	Before func(http.ResponseWriter, *http.Request) bool
	// Change may spoil answers before they go out.
	Change func(*wire.Answers)
	// Line may change what a GET of the line is answered with.
	Line func(*wire.Line)

	mu       sync.Mutex
	booked   map[wire.Key]*Booking
	order    []wire.Key
	requests int
}

// Booking is what became of a key.
type Booking struct {
	Journal  wire.JournalID
	Lane     queue.Lane
	Entry    wire.Entry
	Print    [sha256.Size]byte
	Answer   wire.Answer
	Decided  bool // else it is in progress
	Reversed bool // its reversal came, before it or after
	Voided   bool
}

// Bookings returns what is booked, in the order in which it came.
func (h *Host) Bookings() []Booking {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []Booking
	for _, k := range h.order {
		if b := h.booked[k]; b != nil && b.Decided {
			out = append(out, *b)
		}
	}
	return out
}

// Requests counts the submissions that could be read.
func (h *Host) Requests() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.requests
}

func (h *Host) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if h.Before != nil && h.Before(w, r) {
		return
	}
	switch {
	case r.URL.Path == wire.LinePath && r.Method == http.MethodGet:
		h.serveLine(w, r)
	case r.URL.Path == wire.EntriesPath && r.Method == http.MethodPost:
		h.serveEntries(w, r)
	default:
		http.NotFound(w, r)
	}
}

// tell answers with a problem; of a broken connection nobody is told.
func tell(w http.ResponseWriter, err error) {
	var p *wire.Problem
	if errors.As(err, &p) {
		_ = p.Write(w)
	}
}

func (h *Host) serveLine(w http.ResponseWriter, r *http.Request) {
	lane, err := wire.LaneOf(r)
	if err != nil {
		tell(w, err)
		return
	}
	line := wire.NewLine(lane, time.Now())
	if h.Line != nil {
		h.Line(&line)
	}
	_ = wire.WriteJSON(w, r, line.Encode())
}

func (h *Host) serveEntries(w http.ResponseWriter, r *http.Request) {
	s, err := wire.ReadSubmission(r)
	if err != nil {
		tell(w, err)
		return
	}
	h.mu.Lock()
	h.requests++
	h.mu.Unlock()
	answers := wire.AnswersTo(s)
	for _, e := range s.Entries {
		a, p := h.book(s, e)
		if p != nil && len(s.Entries) == 1 {
			tell(w, p)
			return
		}
		answers.Answers = append(answers.Answers, a)
	}
	if h.Change != nil {
		h.Change(&answers)
	}
	body, err := answers.Encode()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_ = wire.WriteJSON(w, r, body)
}

// book gives e its answer, and, for a request of e alone, the problem that stands
// for an answer that decides nothing.
func (h *Host) book(s wire.Submission, e wire.Entry) (wire.Answer, *wire.Problem) {
	print := e.Fingerprint(s)
	h.mu.Lock()
	if h.booked == nil {
		h.booked = map[wire.Key]*Booking{}
	}
	b := h.booked[e.Key]
	switch {
	case b != nil && b.Print != print:
		h.mu.Unlock()
		return wire.AnswerTo(e, wire.Conflict), wire.NewProblem(wire.ProblemKeyConflict, "")
	case b != nil && !b.Decided:
		h.mu.Unlock()
		return wire.AnswerTo(e, wire.Unknown), wire.NewProblem(wire.ProblemInProgress, "")
	case b != nil:
		defer h.mu.Unlock()
		return b.Answer, nil
	}
	b = &Booking{Journal: s.Journal, Lane: s.Lane, Entry: e, Print: print}
	h.booked[e.Key] = b
	h.mu.Unlock()

	verdict, code := wire.Approved, "00"
	if h.Decide != nil {
		verdict, code = h.Decide(e)
	} else if e.Amount.Minor == 51 {
		verdict, code = wire.Refused, "51"
	}

	h.mu.Lock()
	defer h.mu.Unlock()
	if verdict == wire.Approved {
		verdict, code = h.relate(b)
	}
	a := wire.AnswerTo(e, verdict)
	a.Code, a.Time = code, time.Now()
	if !verdict.Kept() {
		delete(h.booked, e.Key)
		return a, nil
	}
	h.order = append(h.order, e.Key)
	if verdict == wire.Approved {
		a.RRN = fmt.Sprintf("%012d", len(h.order))
	}
	if verdict == wire.Partial {
		a.Approved = e.Amount.Minor / 2
	}
	b.Answer, b.Decided = a, true
	return a, nil
}

// relate books b against the entries that it is about. The caller holds mu.
func (h *Host) relate(b *Booking) (wire.Verdict, string) {
	if b.Entry.Kind == queue.Reversal {
		if o := h.find(b, b.Entry.Original, b.Entry.STAN); o != nil {
			o.Reversed = true
			if o.Entry.Op == queue.Void {
				if sale := h.find(o, o.Entry.Original, 0); sale != nil {
					sale.Voided = false
				}
			}
		}
		return wire.Approved, "00"
	}
	for _, r := range h.booked {
		if r.Decided && r.Entry.Kind == queue.Reversal && r.Journal == b.Journal && r.Entry.Original == b.Entry.Seq && r.Entry.STAN == b.Entry.STAN {
			b.Reversed = true
			return wire.Refused, "40" // its reversal came first
		}
	}
	if b.Entry.Original == 0 {
		return wire.Approved, "00"
	}
	o := h.find(b, b.Entry.Original, 0)
	if o == nil || o.Reversed || o.Voided || o.Answer.Verdict != wire.Approved {
		return wire.NotFound, "25"
	}
	o.Voided = b.Entry.Op == queue.Void
	return wire.Approved, "00"
}

func (h *Host) find(like *Booking, seq queue.ID, stan queue.STAN) *Booking {
	for _, b := range h.booked {
		if b.Decided && b.Journal == like.Journal && b.Entry.Seq == seq && b.Entry.Kind != queue.Reversal && (stan == 0 || b.Entry.STAN == stan) {
			return b
		}
	}
	return nil
}

// Balance is what the host has taken of a lane: sales and refunds that stand,
// in minor units, whatever their currency.
func (h *Host) Balance(lane queue.Lane) (sum int64) {
	for _, b := range h.Bookings() {
		if b.Lane != lane || b.Answer.Verdict != wire.Approved || b.Reversed || b.Voided || b.Entry.Kind == queue.Reversal {
			continue
		}
		switch b.Entry.Op {
		case queue.Sale:
			sum += b.Entry.Amount.Minor
		case queue.Refund:
			sum -= b.Entry.Amount.Minor
		}
	}
	return sum
}
