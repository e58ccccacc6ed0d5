package handset

import (
	"github.com/tallystick/tallystick/queue"
)

// State is what the handset tells of a ref: what the courier may believe.
type State string

// The states of an answer.
const (
	Accepted State = "accepted" // the host has it
	Stored   State = "stored"   // taken here, and journalled: it will be delivered
	Declined State = "declined" // the host refused it
	InDoubt  State = "in-doubt" // not known: it is being reversed, be paid otherwise
	Reversed State = "reversed" // undone at the host
	NotSent  State = "not-sent" // nothing was taken: there is no line
	Refused  State = "refused"  // not possible, nothing was journalled
	Parked   State = "parked"   // needs a person
)

// Taken says whether a sale in this state is money that the courier has.
func (s State) Taken() bool { return s == Accepted || s == Stored }

// Answer is what the handset tells of one ref.
type Answer struct {
	Ref, Of  string
	State    State
	Op       string // sale, void, refund
	Tender   string // card, qr, cash
	Fen      int64
	Entry    uint64 // in the journal, 0: none
	Terminal string
	Batch    uint32 // the host's number, 0: never attempted
	STAN     uint32
	Offline  bool   // taken here, not asked for
	Code     string // the host's
	Why      string // of a refusal
}

// Line returns the answer as it is written.
func (a Answer) Line() Line {
	l := newLine(WordAnswer).with("ref", a.Ref).with("state", string(a.State)).with("op", a.Op).with("of", a.Of).
		with("tender", a.Tender)
	if a.Fen != 0 {
		l = l.with("amount", Yuan(a.Fen))
	}
	if a.Entry != 0 {
		l = l.number("entry", int64(a.Entry)).with("terminal", a.Terminal).with("stan", queue.STAN(a.STAN).String())
	}
	if a.Batch != 0 {
		l = l.number("batch", int64(a.Batch))
	}
	if a.Offline {
		l = l.with("offline", "yes")
	}
	return l.with("code", a.Code).with("why", a.Why)
}

// ParseAnswer reads an answer from its line.
func ParseAnswer(l Line) Answer {
	a := Answer{
		Ref: l.Get("ref"), Of: l.Get("of"), State: State(l.Get("state")), Op: l.Get("op"), Tender: l.Get("tender"),
		Entry: uint64(l.Number("entry")), Terminal: l.Get("terminal"), Batch: uint32(l.Number("batch")),
		STAN: uint32(l.Number("stan")), Offline: l.Get("offline") == "yes", Code: l.Get("code"), Why: l.Get("why"),
	}
	a.Fen, _ = parseFen(l.Get("amount"))
	return a
}

// answerOf tells of an entry as it stands.
func answerOf(e queue.Entry) Answer {
	return Answer{
		Ref: e.Ref, State: stateOf(e), Op: e.Op.String(), Tender: e.Tender.String(), Fen: e.Amount.Minor,
		Entry: uint64(e.ID), Terminal: e.Lane.Terminal, Batch: e.HostBatch, STAN: uint32(e.STAN),
		Offline: e.Kind == queue.Advice, Code: e.Answer.Code,
	}
}

func stateOf(e queue.Entry) State {
	switch e.State {
	case queue.Accepted:
		return Accepted
	case queue.Declined:
		return Declined
	case queue.Reversed:
		return Reversed
	case queue.Cancelled:
		return NotSent
	case queue.Parked:
		return Parked
	}
	switch {
	case e.Kind == queue.Advice:
		return Stored
	case e.State == queue.Pending:
		return NotSent
	}
	return InDoubt
}
