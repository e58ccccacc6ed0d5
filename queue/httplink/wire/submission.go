package wire

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/tallystick/tallystick/queue"
)

// What stands behind the base of a host's URL.
const (
	EntriesPath = "/v1/entries"
	LinePath    = "/v1/line"
)

// Bounds of what comes from outside, in bytes of JSON and in entries. A host may
// ask for less in its Line.
const (
	MaxRequest  = 1 << 20
	MaxResponse = 256 << 10
	MaxEntries  = 256
)

// Submission is the body of a POST to EntriesPath: entries of one journal and one
// lane.
type Submission struct {
	// Journal is the one that the entries' identities belong to.
	Journal JournalID
	// Epoch is that of the journal that sends; it tells two copies of one journal
	// apart and is no part of any identity.
	Epoch uint64
	// Via is the journal that sends entries which it imported from Journal; zero
	// where the two are the same.
	Via     JournalID
	Lane    queue.Lane
	Entries []Entry // 1 to MaxEntries
}

type submissionJSON struct {
	Journal  string      `json:"journal"`
	Epoch    uint64      `json:"epoch"`
	Via      string      `json:"via,omitempty"`
	Host     string      `json:"host"`
	Merchant string      `json:"merchant"`
	Terminal string      `json:"terminal"`
	Entries  []entryJSON `json:"entries"`
}

// Key is the Idempotency-Key of the request.
func (s Submission) Key() Key { return BatchKey(s.Entries) }

// KeyFor is the key of e in s: the beginning of its digest.
func (s Submission) KeyFor(e Entry) Key {
	d := e.Digest(s)
	return Key(d[:16])
}

// Encode returns the body. It gives an entry without a Key its own.
//
// Errors: a *SyntaxError for what the message cannot express or a host would
// refuse. It never holds a value.
func (s Submission) Encode() ([]byte, error) {
	j := submissionJSON{Journal: s.Journal.String(), Epoch: s.Epoch, Host: s.Lane.Host, Merchant: s.Lane.Merchant, Terminal: s.Lane.Terminal}
	if s.Via != (JournalID{}) {
		j.Via = s.Via.String()
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	for i, e := range s.Entries {
		if at := notUTF8(e); at != "" {
			return nil, &SyntaxError{Pointer: entryPointer(i, at), Problem: "is not valid UTF-8, which JSON needs"}
		}
		if e.Key == (Key{}) {
			e.Key = s.KeyFor(e)
		} else if e.Key != s.KeyFor(e) {
			return nil, &SyntaxError{Pointer: entryPointer(i, "key"), Problem: "is not the beginning of the entry's digest"}
		}
		ej := e.json()
		ej.Card = e.Card.json()
		if len(s.Entries) > 1 {
			ej.Key = e.Key.String()
		}
		j.Entries = append(j.Entries, ej)
	}
	return marshal(j), nil
}

func notUTF8(e Entry) string {
	texts := []struct{ member, text string }{{"ref", e.Ref}, {"approval", e.Approval}, {"mode", e.EntryMode}, {"operator", e.Operator}, {"pan", e.MaskedPAN}}
	if e.Of != nil {
		texts = append(texts, struct{ member, text string }{"of", e.Of.RRN + e.Of.AuthCode})
	}
	if c := e.Card; c != nil {
		texts = append(texts, struct{ member, text string }{"card", c.PAN.Reveal() + c.Expiry.Reveal() + c.Sequence + c.Track2.Reveal() + c.Track3.Reveal() + c.PayCode.Reveal()})
	}
	for _, t := range texts {
		if !utf8.ValidString(t.text) {
			return t.member
		}
	}
	return ""
}

func entryPointer(i int, member string) string {
	p := "/entries/" + strconv.Itoa(i)
	if member != "" {
		p += "/" + member
	}
	return p
}

func (s Submission) check() error {
	for _, rule := range []struct {
		broken          bool
		pointer, detail string
	}{
		{s.Journal == JournalID{}, "/journal", "is required"},
		{s.Epoch < 1 || s.Epoch > maxNumber, "/epoch", "is required, from 1"},
		{s.Via == s.Journal, "/via", "is the journal itself: leave it out"},
		{!name(s.Lane.Host), "/host", "is required, 1 to 64 bytes of UTF-8"},
		{!name(s.Lane.Merchant), "/merchant", "is required, 1 to 64 bytes of UTF-8"},
		{!name(s.Lane.Terminal), "/terminal", "is required, 1 to 64 bytes of UTF-8"},
		{len(s.Entries) < 1 || len(s.Entries) > MaxEntries, "/entries", fmt.Sprintf("has %d elements, allowed are 1 to %d", len(s.Entries), MaxEntries)},
	} {
		if rule.broken {
			return &SyntaxError{Pointer: rule.pointer, Problem: rule.detail}
		}
	}
	seen := make(map[Key]bool, len(s.Entries))
	for i, e := range s.Entries {
		if member, problem := e.check(); problem != "" {
			return &SyntaxError{Pointer: entryPointer(i, member), Problem: problem}
		}
		if e.Key != (Key{}) && seen[e.Key] {
			return &SyntaxError{Pointer: entryPointer(i, "key"), Problem: "stands twice in the request"}
		}
		seen[e.Key] = true
	}
	return nil
}

func name(s string) bool { return len(s) >= 1 && len(s) <= 64 && utf8.ValidString(s) }

// DecodeSubmission reads the body of a request that has this Idempotency-Key.
// All rules of the message are checked, and that every key is the beginning of
// its entry's digest: an entry is what its device journalled, or it is refused.
//
// The error is a *Problem, ready to be written: ProblemMalformed, with the place,
// or ProblemKeyMismatch.
func DecodeSubmission(body []byte, key Key) (Submission, error) {
	s, err := decodeSubmission(body)
	if err != nil {
		return Submission{}, malformed(err)
	}
	if len(s.Entries) == 1 {
		s.Entries[0].Key = key
	}
	for i, e := range s.Entries {
		if e.Key != s.KeyFor(e) {
			p := NewProblem(ProblemKeyMismatch, "the key is not the beginning of the entry's digest: it is another's, or the content was changed")
			p.Pointer = entryPointer(i, "")
			return Submission{}, p
		}
	}
	if s.Key() != key {
		return Submission{}, NewProblem(ProblemKeyMismatch, "the Idempotency-Key is not that of the entries' keys in this order")
	}
	return s, nil
}

func malformed(err error) *Problem {
	p := NewProblem(ProblemMalformed, err.Error())
	var at *SyntaxError
	if errors.As(err, &at) {
		p.Pointer = at.Pointer
	}
	return p
}

func decodeSubmission(body []byte) (s Submission, err error) {
	r, err := newReader(body, MaxRequest)
	if err != nil {
		return s, err
	}
	r.object(func(name string) bool {
		switch name {
		case "journal":
			s.Journal = r.id()
		case "epoch":
			s.Epoch = r.number(1, maxNumber)
		case "via":
			s.Via = r.id()
			if s.Via == (JournalID{}) {
				r.fail("is zero: leave it out")
			}
		case "host":
			s.Lane.Host = r.text(64)
		case "merchant":
			s.Lane.Merchant = r.text(64)
		case "terminal":
			s.Lane.Terminal = r.text(64)
		case "entries":
			r.array(MaxEntries, func() { s.Entries = append(s.Entries, r.entry()) })
		default:
			return false
		}
		return true
	})
	if err := r.end(); err != nil {
		return Submission{}, err
	}
	for i, e := range s.Entries {
		if (e.Key == Key{}) != (len(s.Entries) == 1) {
			return Submission{}, &SyntaxError{Pointer: entryPointer(i, "key"), Problem: "is required in a request of several entries, and only there"}
		}
	}
	return s, s.check()
}
