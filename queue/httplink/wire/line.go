package wire

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// Line is the body that answers a GET of LinePath: what a device needs to know
// before it sends an entry. Lane is the one that was asked about.
type Line struct {
	Lane queue.Lane
	Time time.Time // the host's clock
	// HostBatch is the number under which the host books now; 0 where it has none.
	HostBatch  uint32
	MaxEntries int      // of one request, 1 to the constant MaxEntries; 0: that many
	MaxBytes   int      // of one request's JSON, at least 16384; 0: MaxRequest
	Codings    []string // the content codings that it reads, beside identity; up to 8
	// Spread is the interval over which devices spread their first contact after
	// an outage, in whole seconds up to a day; 0: the device's own default.
	Spread time.Duration
	// Dictionary is the DictionarySHA256 of the host; empty where it has none.
	Dictionary string
}

const minBytes = 16 << 10

type lineJSON struct {
	Host       string   `json:"host"`
	Merchant   string   `json:"merchant"`
	Terminal   string   `json:"terminal"`
	Time       string   `json:"time"`
	HostBatch  uint32   `json:"batch,omitempty"`
	MaxEntries int      `json:"maxEntries,omitempty"`
	MaxBytes   int      `json:"maxBytes,omitempty"`
	Codings    []string `json:"codings,omitempty"`
	Spread     int      `json:"spread,omitempty"`
	Dictionary string   `json:"dictionary,omitempty"`
}

// NewLine is the line of a host that takes all that this package offers, and has
// no batch numbers.
func NewLine(lane queue.Lane, now time.Time) Line {
	return Line{Lane: lane, Time: now, Codings: []string{Coding}, Dictionary: DictionarySHA256}
}

// Compressed tells whether the host reads Coding with our dictionary.
func (l Line) Compressed() bool {
	return l.Dictionary == DictionarySHA256 && slices.Contains(l.Codings, Coding)
}

// Encode returns the body.
func (l Line) Encode() []byte {
	return marshal(lineJSON{l.Lane.Host, l.Lane.Merchant, l.Lane.Terminal, timeText(zoned(l.Time)), l.HostBatch,
		l.MaxEntries, l.MaxBytes, l.Codings, int(l.Spread / time.Second), l.Dictionary})
}

// DecodeLine reads the body of an answer. The error is a *SyntaxError.
func DecodeLine(body []byte) (l Line, err error) {
	r, err := newReader(body, maxProblem)
	if err != nil {
		return l, err
	}
	r.object(func(name string) bool {
		switch name {
		case "host":
			l.Lane.Host = r.text(64)
		case "merchant":
			l.Lane.Merchant = r.text(64)
		case "terminal":
			l.Lane.Terminal = r.text(64)
		case "time":
			l.Time = r.clock()
		case "batch":
			l.HostBatch = uint32(r.number(1, maxBatch))
		case "maxEntries":
			l.MaxEntries = int(r.number(1, MaxEntries))
		case "maxBytes":
			l.MaxBytes = int(r.number(minBytes, MaxRequest))
		case "codings":
			r.array(8, func() { l.Codings = append(l.Codings, r.text(64)) })
		case "spread":
			l.Spread = time.Duration(r.number(1, 86400)) * time.Second
		case "dictionary":
			l.Dictionary = r.text(64)
		default:
			return false
		}
		return true
	})
	if err := r.end(); err != nil {
		return Line{}, err
	}
	if err := checkLane(l.Lane); err != nil {
		return Line{}, err
	}
	if l.Time.IsZero() {
		return Line{}, &SyntaxError{Pointer: "/time", Problem: "is required"}
	}
	return l, nil
}

// LaneOf reads the lane that a GET of LinePath asks about. The error is a *Problem.
func LaneOf(r *http.Request) (queue.Lane, error) {
	q := r.URL.Query()
	l := queue.Lane{Host: q.Get("host"), Merchant: q.Get("merchant"), Terminal: q.Get("terminal")}
	if !name(l.Host) || !name(l.Merchant) || !name(l.Terminal) {
		return queue.Lane{}, NewProblem(ProblemMalformed, "the query needs host, merchant and terminal, 1 to 64 bytes of UTF-8 each")
	}
	return l, nil
}

// ReadSubmission reads a request to EntriesPath: method and media type, key,
// coding, body. The error is a *Problem, ready to be written, or an error of the
// connection, which leaves nobody to answer.
func ReadSubmission(r *http.Request) (Submission, error) {
	key, err := KeyOf(r.Header)
	if err != nil {
		return Submission{}, err
	}
	media, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(media), "application/json") {
		return Submission{}, NewProblem(ProblemMediaType, "the Content-Type has to be application/json")
	}
	body, err := ReadBody(r.Body, r.Header.Get("Content-Encoding"), MaxRequest)
	if err != nil {
		return Submission{}, bodyProblem(err)
	}
	return DecodeSubmission(body, key)
}

// accepts tells whether Accept-Encoding names coding, without a weight of zero.
func accepts(h http.Header, coding string) bool {
	for part := range strings.SplitSeq(h.Get("Accept-Encoding"), ",") {
		name, weight, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), coding) {
			q := strings.TrimSpace(weight)
			return q == "" || strings.Trim(strings.TrimPrefix(q, "q="), "0.") != ""
		}
	}
	return false
}
