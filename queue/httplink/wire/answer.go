package wire

import (
	"fmt"
	"net/http"
	"time"
	"unicode/utf8"

	"github.com/tallystick/tallystick/queue"
)

// Verdict is what a host says of an entry.
type Verdict string

// The verdicts, with what they mean to the device.
const (
	Approved    Verdict = "approved"    // booked
	Partial     Verdict = "partial"     // booked for less: Approved has the amount
	Duplicate   Verdict = "duplicate"   // another system behind the host knows the terminal's STAN already
	Unavailable Verdict = "unavailable" // refused for now, nothing booked; not kept
	NotFound    Verdict = "not found"   // nothing there to reverse or void
	Refused     Verdict = "refused"     // refused for good, nothing booked
	Unknown     Verdict = "unknown"     // in progress, or not known: ask again; not kept
	Conflict    Verdict = "conflict"    // the key is booked with another Fingerprint
)

var verdicts = []string{"", string(Approved), string(Partial), string(Duplicate), string(Unavailable),
	string(NotFound), string(Refused), string(Unknown), string(Conflict)}

// Kept tells whether an answer with this verdict is the entry's answer from then
// on: a host keeps it and gives it to every repeat.
func (v Verdict) Kept() bool {
	return v != Unavailable && v != Unknown && v != Conflict
}

// Answer is what a host says of one entry. Seq, STAN and Amount repeat the
// entry's: a device takes no answer in which they differ.
type Answer struct {
	Key      Key
	Seq      queue.ID
	STAN     queue.STAN
	Amount   queue.Money
	Verdict  Verdict
	Code     string    // the host's own code, up to 4 bytes
	RRN      string    // the host's reference, up to 24 bytes
	AuthCode string    // up to 12 bytes
	Approved int64     // of Partial: the minor units, less than Amount
	Time     time.Time // the host's clock when it decided; optional
	Detail   string    // for support, up to 200 bytes; no card data
}

// Answers is the body that answers a Submission with 200: an answer to each of
// its entries, in any order. Journal and lane are the Submission's.
type Answers struct {
	Journal JournalID
	Lane    queue.Lane
	Answers []Answer
}

type answersJSON struct {
	Journal  string       `json:"journal"`
	Host     string       `json:"host"`
	Merchant string       `json:"merchant"`
	Terminal string       `json:"terminal"`
	Answers  []answerJSON `json:"answers"`
}

type answerJSON struct {
	Key      string `json:"key"`
	Seq      uint64 `json:"seq"`
	STAN     uint32 `json:"stan"`
	Amount   int64  `json:"amount,omitempty"`
	Currency string `json:"currency,omitempty"`
	Verdict  string `json:"verdict"`
	Code     string `json:"code,omitempty"`
	RRN      string `json:"rrn,omitempty"`
	AuthCode string `json:"auth,omitempty"`
	Approved int64  `json:"approved,omitempty"`
	Time     string `json:"time,omitempty"`
	Detail   string `json:"detail,omitempty"`
}

// AnswersTo begins the answers to s.
func AnswersTo(s Submission) Answers { return Answers{Journal: s.Journal, Lane: s.Lane} }

// AnswerTo begins the answer to e.
func AnswerTo(e Entry, v Verdict) Answer {
	return Answer{Key: e.Key, Seq: e.Seq, STAN: e.STAN, Amount: e.Amount, Verdict: v}
}

// Encode returns the body. It fails for what a device would refuse to read.
func (a Answers) Encode() ([]byte, error) {
	if err := a.check(); err != nil {
		return nil, err
	}
	j := answersJSON{Journal: a.Journal.String(), Host: a.Lane.Host, Merchant: a.Lane.Merchant, Terminal: a.Lane.Terminal, Answers: []answerJSON{}}
	for i, x := range a.Answers {
		at := func(why string) error { return &SyntaxError{Pointer: fmt.Sprintf("/answers/%d", i), Problem: why} }
		if !utf8.ValidString(x.Code + x.RRN + x.AuthCode + x.Detail) {
			return nil, at("is not valid UTF-8, which JSON needs")
		}
		if len(x.Code) > 4 || len(x.RRN) > 24 || len(x.AuthCode) > 12 || len(x.Detail) > 200 {
			return nil, at("a text is too long: code 4, rrn 24, auth 12, detail 200 bytes")
		}
		if why := x.check(); why != "" {
			return nil, at(why)
		}
		clock := ""
		if year := x.Time.Year(); !x.Time.IsZero() && (year < 1 || year > 9999) {
			return nil, at("time has a year that cannot be written")
		}
		if !x.Time.IsZero() {
			clock = timeText(zoned(x.Time))
		}
		j.Answers = append(j.Answers, answerJSON{x.Key.String(), uint64(x.Seq), uint32(x.STAN), x.Amount.Minor, currencyText(x.Amount.Currency),
			string(x.Verdict), x.Code, x.RRN, x.AuthCode, x.Approved, clock, x.Detail})
	}
	body := marshal(j)
	if len(body) > MaxResponse {
		return nil, fmt.Errorf("%w: allowed are up to %d bytes", ErrTooLarge, MaxResponse)
	}
	return body, nil
}

func (a Answers) check() error {
	switch err := checkLane(a.Lane); {
	case a.Journal == JournalID{}:
		return &SyntaxError{Pointer: "/journal", Problem: "is required"}
	case err != nil:
		return err
	case len(a.Answers) < 1 || len(a.Answers) > MaxEntries:
		return &SyntaxError{Pointer: "/answers", Problem: fmt.Sprintf("has %d elements, allowed are 1 to %d", len(a.Answers), MaxEntries)}
	}
	return nil
}

func checkLane(l queue.Lane) error {
	for _, x := range [][2]string{{"/host", l.Host}, {"/merchant", l.Merchant}, {"/terminal", l.Terminal}} {
		if !name(x[1]) {
			return &SyntaxError{Pointer: x[0], Problem: "is required, 1 to 64 bytes of UTF-8"}
		}
	}
	return nil
}

func (a Answer) check() string {
	known := false
	for _, v := range verdicts[1:] {
		known = known || v == string(a.Verdict)
	}
	switch {
	case a.Key == Key{}:
		return "key is required"
	case !known:
		return "verdict is required"
	case (a.Verdict == Partial) != (a.Approved != 0), a.Approved < 0, a.Approved != 0 && a.Approved >= a.Amount.Minor:
		return "approved belongs to a partial answer, and is less than the amount"
	case (a.Amount.Minor == 0) != (a.Amount.Currency == 0):
		return "amount and currency go together"
	case a.Seq < 1 || a.STAN < 1:
		return "seq and stan are required"
	}
	return ""
}

// DecodeAnswers reads the body of an answer. The error is a *SyntaxError.
func DecodeAnswers(body []byte) (a Answers, err error) {
	r, err := newReader(body, MaxResponse)
	if err != nil {
		return a, err
	}
	r.object(func(name string) bool {
		switch name {
		case "journal":
			a.Journal = r.id()
		case "host":
			a.Lane.Host = r.text(64)
		case "merchant":
			a.Lane.Merchant = r.text(64)
		case "terminal":
			a.Lane.Terminal = r.text(64)
		case "answers":
			r.array(MaxEntries, func() {
				x := r.answer()
				if why := x.check(); why != "" {
					r.fail("%s", why)
				}
				a.Answers = append(a.Answers, x)
			})
		default:
			return false
		}
		return true
	})
	if err := r.end(); err != nil {
		return Answers{}, err
	}
	if err := a.check(); err != nil {
		return Answers{}, err
	}
	return a, nil
}

func (r *reader) answer() (a Answer) {
	r.object(func(name string) bool {
		switch name {
		case "key":
			a.Key = r.id()
		case "seq":
			a.Seq = queue.ID(r.number(1, maxNumber))
		case "stan":
			a.STAN = queue.STAN(r.number(1, maxSTAN))
		case "amount":
			a.Amount.Minor = int64(r.number(1, maxAmount))
		case "currency":
			a.Amount.Currency = r.currency()
		case "verdict":
			a.Verdict = Verdict(verdicts[r.choice(verdicts)])
		case "code":
			a.Code = r.text(4)
		case "rrn":
			a.RRN = r.text(24)
		case "auth":
			a.AuthCode = r.text(12)
		case "approved":
			a.Approved = int64(r.number(1, maxAmount))
		case "time":
			a.Time = r.clock()
		case "detail":
			a.Detail = r.text(200)
		default:
			return false
		}
		return true
	})
	return a
}

// WriteJSON answers a request with 200 and body, in Coding where the request
// accepts it.
func WriteJSON(w http.ResponseWriter, r *http.Request, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Vary", "Accept-Encoding")
	if accepts(r.Header, Coding) {
		h.Set("Content-Encoding", Coding)
		body = Compress(body)
	}
	_, err := w.Write(body)
	return err
}
