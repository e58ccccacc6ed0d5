package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ProblemType is a problem's type without ProblemBase.
type ProblemType string

// ProblemBase stands before each type of ours.
const ProblemBase = "https://github.com/tallystick/tallystick/problems/"

// The problems. With each of them nothing of the request was booked, but for
// ProblemKeyConflict and ProblemInProgress, which tell of an earlier one.
const (
	ProblemMalformed    ProblemType = "malformed"     // 400: the body cannot be read: Pointer
	ProblemKeyMissing   ProblemType = "key-missing"   // 400: no Idempotency-Key
	ProblemKeyMalformed ProblemType = "key-malformed" // 400: no structured-field string, or not a key
	ProblemUnauthorized ProblemType = "unauthorized"  // 401: who asks is not known
	ProblemNotAllowed   ProblemType = "not-allowed"   // 403: who asks may not write this journal or terminal
	ProblemFenced       ProblemType = "fenced"        // 403: a newer epoch of the journal is at work
	ProblemInProgress   ProblemType = "in-progress"   // 409: another request is booking the key now
	ProblemTooLarge     ProblemType = "too-large"     // 413: too many bytes or entries
	ProblemCoding       ProblemType = "coding"        // 415: the Content-Encoding is not known
	ProblemMediaType    ProblemType = "media-type"    // 415: the Content-Type is not JSON
	ProblemKeyConflict  ProblemType = "key-conflict"  // 422: the key is booked with other content
	ProblemKeyMismatch  ProblemType = "key-mismatch"  // 422: the key is not that of the body
	ProblemBusy         ProblemType = "busy"          // 503 (or 429): later; Retry-After says when
	ProblemMaintenance  ProblemType = "maintenance"   // 503: a planned pause; Retry-After says until when
)

var problems = map[ProblemType]struct {
	status int
	title  string
}{
	ProblemMalformed:    {http.StatusBadRequest, "The body cannot be read"},
	ProblemKeyMissing:   {http.StatusBadRequest, "Idempotency-Key is missing"},
	ProblemKeyMalformed: {http.StatusBadRequest, "Idempotency-Key is malformed"},
	ProblemUnauthorized: {http.StatusUnauthorized, "Not authenticated"},
	ProblemNotAllowed:   {http.StatusForbidden, "Not allowed"},
	ProblemFenced:       {http.StatusForbidden, "A newer epoch of this journal is at work"},
	ProblemInProgress:   {http.StatusConflict, "The same request is in progress"},
	ProblemTooLarge:     {http.StatusRequestEntityTooLarge, "The request is too large"},
	ProblemCoding:       {http.StatusUnsupportedMediaType, "The content coding is not known"},
	ProblemMediaType:    {http.StatusUnsupportedMediaType, "The media type is not known"},
	ProblemKeyConflict:  {http.StatusUnprocessableEntity, "Idempotency-Key was used with other content"},
	ProblemKeyMismatch:  {http.StatusUnprocessableEntity, "Idempotency-Key is not that of the body"},
	ProblemBusy:         {http.StatusServiceUnavailable, "Busy, nothing was booked"},
	ProblemMaintenance:  {http.StatusServiceUnavailable, "Maintenance, nothing was booked"},
}

// ProblemMedia is the media type of a Problem.
const ProblemMedia = "application/problem+json"

// Problem says what is wrong with a request as a whole (RFC 9457). It is an
// error. It must hold no card data.
type Problem struct {
	Type   ProblemType // empty: none of ours
	Status int         // the status of the response
	Title  string      // up to 256 bytes
	Detail string      // up to 1024 bytes
	// Pointer is the place of a ProblemMalformed as a JSON pointer (RFC 6901);
	// empty where none is known.
	Pointer string
	// RetryAfter goes into the header of that name: whole seconds, rounded up;
	// 0: none.
	RetryAfter time.Duration
}

// NewProblem makes a problem of one of the types above, with its status and title.
func NewProblem(t ProblemType, detail string) *Problem {
	k := problems[t]
	return &Problem{Type: t, Status: k.status, Title: k.title, Detail: detail}
}

// Error returns status, title, place and detail.
func (p *Problem) Error() string {
	s := fmt.Sprintf("%d %s", p.Status, p.Title)
	if p.Pointer != "" {
		s += " at " + p.Pointer
	}
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	return s
}

type problemJSON struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail,omitempty"`
	Pointer string `json:"pointer,omitempty"`
}

// Write answers a request with p. With ProblemCoding it says which coding is
// known (RFC 9110, section 12.5.3), with ProblemUnauthorized that a bearer token
// is asked for.
func (p *Problem) Write(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Content-Type", ProblemMedia)
	h.Set("Cache-Control", "no-store")
	switch p.Type {
	case ProblemCoding:
		h.Set("Accept-Encoding", Coding)
	case ProblemUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((p.RetryAfter+time.Second-1)/time.Second), 10))
	}
	w.WriteHeader(p.Status)
	_, err := w.Write(p.encode())
	return err
}

func (p *Problem) encode() []byte {
	kind := "about:blank"
	if p.Type != "" {
		kind = ProblemBase + string(p.Type)
	}
	return marshal(problemJSON{kind, p.Title, p.Status, p.Detail, p.Pointer})
}

// DecodeProblem reads the body of a response with this status. Members that are
// not known are skipped. A type that is not ours, or whose status is not the one
// that belongs to it (busy: 429 or 503), leaves Type empty.
func DecodeProblem(status int, body []byte) (*Problem, error) {
	p := &Problem{Status: status}
	r, err := newReader(body, maxProblem)
	if err != nil {
		return nil, err
	}
	r.object(func(name string) bool {
		switch name {
		case "type":
			p.Type = ourType(r.text(256), status)
		case "title":
			p.Title = r.text(256)
		case "detail":
			p.Detail = r.text(1024)
		case "pointer":
			p.Pointer = r.text(256)
		default:
			r.skip()
		}
		return true
	})
	if err := r.end(); err != nil {
		return nil, err
	}
	return p, nil
}

const maxProblem = 8 << 10

func ourType(uri string, status int) ProblemType {
	name, ours := strings.CutPrefix(uri, ProblemBase)
	t := ProblemType(name)
	known, ok := problems[t]
	if !ours || !ok || (known.status != status && (t != ProblemBusy || status != http.StatusTooManyRequests)) {
		return ""
	}
	return t
}

// marshal encodes a value of this package's own types, which cannot fail but by
// a mistake here.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("wire: " + fmt.Sprintf("%T cannot be encoded", v))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
