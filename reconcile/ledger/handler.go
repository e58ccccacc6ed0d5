package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// What Handler serves beside wire.LinePath and wire.EntriesPath.
const (
	AgreePath       = "/v1/agree"       // POST: a message of package agree
	RetellPath      = "/v1/retell"      // POST: an entry that was accepted before
	ReceiptPath     = "/v1/receipt"     // POST: ranges of a journal; the answer is a signed receipt
	ClaimPath       = "/v1/claim"       // POST: takes a key
	ReleasePath     = "/v1/release"     // POST: gives it back
	ConflictsPath   = "/v1/conflicts"   // GET ?journal=: what was set aside of it
	AttachmentsPath = "/v1/attachments" // POST announces; HEAD and PATCH /{hash}
)

// maxBody bounds the bodies that are not those of package wire.
const maxBody = 256 << 10

// bodyTime is how long a device may take to send a body.
const bodyTime = time.Minute

// Handler serves the HTTPS link (package wire), the reconciliation protocol
// (package agree), receipts, claims and attachments to the devices that the
// ledger knows. A device shows a client certificate that was pinned, which the
// server's TLS configuration must ask for (tls.RequestClientCert is enough: it
// is the pin that counts), or a token as "Authorization: Bearer …"; where it
// shows both, both must be its own. Serve it over TLS: the handler does not look.
//
// Every call sees what belongs to the device alone: its own journals, its own
// attachments. What is refused is told as a wire.Problem, of which those types
// that promise so booked nothing.
func (l *Ledger) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(http.ResponseWriter, *http.Request, Device) error{
		"GET " + wire.LinePath:                 l.serveLine,
		"POST " + wire.EntriesPath:             l.serveEntries,
		"POST " + AgreePath:                    l.serveAgree,
		"POST " + RetellPath:                   l.serveRetell,
		"POST " + ReceiptPath:                  l.serveReceipt,
		"POST " + ClaimPath:                    l.serveClaim,
		"POST " + ReleasePath:                  l.serveRelease,
		"GET " + ConflictsPath:                 l.serveConflicts,
		"POST " + AttachmentsPath:              l.serveAnnounce,
		"GET " + AttachmentsPath + "/{hash}":   l.serveOffset, // HEAD alone is answered
		"PATCH " + AttachmentsPath + "/{hash}": l.servePart,
	} {
		mux.Handle(pattern, l.authenticated(serve))
	}
	return mux
}

// authenticated lets in who is known, at the rate allowed, and turns the errors
// of serve into problems.
func (l *Ledger) authenticated(serve func(http.ResponseWriter, *http.Request, Device) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		timeBody(w, r)
		d, err := l.identify(r)
		if err == nil {
			if wait := l.rates.wait(d.Name, l.opts.limitsOf(d), 1, time.Now()); wait > 0 {
				err = &LimitError{Limit: "rate", RetryAfter: wait}
			}
		}
		if err == nil {
			err = serve(w, r, d)
		}
		if err != nil {
			l.refuse(w, r, d, err)
		}
	})
}

// timeBody bounds how long the body of r may take, and lifts the bound once it is
// read: a deadline that struck later would look like a device that went away.
func timeBody(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	c := http.NewResponseController(w)
	if c.SetReadDeadline(time.Now().Add(bodyTime)) == nil { // not every server can
		r.Body = &timedBody{r.Body, func() { _ = c.SetReadDeadline(time.Time{}) }}
	}
}

type timedBody struct {
	io.ReadCloser
	done func()
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.done()
	}
	return n, err
}

// identify tells which device sends r.
func (l *Ledger) identify(r *http.Request) (Device, error) {
	var shown [][]byte
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		// The handshake has proven that the peer has the leaf's key.
		shown = append(shown, certAccess(r.TLS.PeerCertificates[0]))
	}
	if a := r.Header.Values("Authorization"); len(a) > 0 {
		scheme, token, _ := strings.Cut(a[0], " ")
		if len(a) > 1 || !strings.EqualFold(scheme, "Bearer") || len(token) > 256 {
			return Device{}, ErrUnknownDevice
		}
		shown = append(shown, tokenAccess(strings.TrimSpace(token)))
	}
	if len(shown) == 0 {
		return Device{}, ErrUnknownDevice
	}
	d, err := l.who(r.Context(), shown[0])
	for _, a := range shown[1:] {
		if err != nil {
			break
		}
		var other Device
		if other, err = l.who(r.Context(), a); err == nil && other.Name != d.Name {
			err = ErrUnknownDevice
		}
	}
	if err != nil {
		return Device{}, err
	}
	return d, nil
}

// refuse answers with a problem.
func (l *Ledger) refuse(w http.ResponseWriter, r *http.Request, d Device, err error) {
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError && p.Type == "" {
		l.log.Error("a request failed", "device", d.Name, "path", r.URL.Path, "error", err)
	} else {
		l.log.Info("a request was refused", "device", d.Name, "path", r.URL.Path, "status", p.Status, "why", p.Detail)
	}
	var at *OffsetError
	if errors.As(err, &at) {
		setOffset(w.Header(), at.Have, false)
	}
	_ = p.Write(w)
}

// problemOf names an error. Only what is sure to have booked nothing gets a type
// that says so.
func problemOf(err error) *wire.Problem {
	var p *wire.Problem
	var limit *LimitError
	var invalid *InvalidError
	var conflict *ConflictError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &limit):
		p = wire.NewProblem(wire.ProblemBusy, err.Error())
		p.Status, p.RetryAfter = http.StatusTooManyRequests, limit.RetryAfter
		if p.RetryAfter == 0 {
			p.RetryAfter = time.Hour // a person has to raise it
		}
		return p
	case errors.As(err, &conflict) && conflict.Why == OlderEpoch:
		return wire.NewProblem(wire.ProblemFenced, err.Error())
	case errors.Is(err, ErrUnknownDevice):
		return wire.NewProblem(wire.ProblemUnauthorized, "show a token or a client certificate of a device that this ledger knows")
	case errors.Is(err, ErrForeign), errors.Is(err, ErrLane):
		return wire.NewProblem(wire.ProblemNotAllowed, err.Error())
	case errors.Is(err, ErrFull):
		p = wire.NewProblem(wire.ProblemBusy, ErrFull.Error())
		p.RetryAfter = time.Minute
		return p
	case errors.As(err, &invalid), errors.Is(err, agree.ErrMessage):
		return wire.NewProblem(wire.ProblemMalformed, err.Error())
	case errors.Is(err, ErrBusy):
		p = wire.NewProblem(wire.ProblemInProgress, err.Error())
		p.RetryAfter = time.Second
		return p
	}
	return otherProblem(err)
}

func otherProblem(err error) *wire.Problem {
	var at *OffsetError
	for _, x := range []struct {
		is     bool
		status int
	}{
		{errors.Is(err, ErrNotFound), http.StatusNotFound},
		{errors.Is(err, ErrTaken), http.StatusConflict},
		{errors.As(err, &at), http.StatusConflict},
		{errors.Is(err, ErrDigest), http.StatusUnprocessableEntity},
		{errors.Is(err, ErrInDoubt), http.StatusBadGateway},
	} {
		if x.is {
			return &wire.Problem{Status: x.status, Title: http.StatusText(x.status), Detail: err.Error()}
		}
	}
	// What went wrong inside is for the log, not for the device.
	return &wire.Problem{Status: http.StatusInternalServerError, Title: http.StatusText(http.StatusInternalServerError)}
}

func (l *Ledger) serveLine(w http.ResponseWriter, r *http.Request, d Device) error {
	lane, err := wire.LaneOf(r)
	if err != nil {
		return err
	}
	if len(d.Lanes) > 0 && !slices.Contains(d.Lanes, lane) {
		return ErrLane
	}
	_ = wire.WriteJSON(w, r, wire.NewLine(lane, l.now()).Encode()) // nobody is left to be told
	return nil
}

func (l *Ledger) serveEntries(w http.ResponseWriter, r *http.Request, d Device) error {
	in, err := wire.ReadSubmission(r)
	if err != nil {
		return err
	}
	if wait := l.rates.wait(d.Name, l.opts.limitsOf(d), len(in.Entries)-1, time.Now()); wait > 0 {
		return &LimitError{Limit: "rate", RetryAfter: wait}
	}
	results, err := l.Submit(r.Context(), d.Name, in)
	if err != nil {
		return err
	}
	l.logResults(r.Context(), d, results)
	if err := wholeProblem(results); err != nil {
		return err
	}
	out := wire.AnswersTo(in)
	for i, res := range results {
		out.Answers = append(out.Answers, answerOf(in.Entries[i], res))
	}
	body, err := out.Encode()
	if err != nil {
		return err
	}
	_ = wire.WriteJSON(w, r, body) // nobody is left to be told
	return nil
}

// wholeProblem is the problem of a request of which nothing was booked for one
// reason: any other is told entry by entry.
func wholeProblem(results []Result) error {
	first := results[0].Err
	if first == nil || (len(results) == 1 && errors.Is(first, ErrInDoubt)) {
		return first
	}
	for _, res := range results {
		if res.Err == nil || problemOf(res.Err).Type != problemOf(first).Type {
			return nil
		}
	}
	var conflict *ConflictError
	if !errors.As(first, &conflict) || conflict.Why == OlderEpoch {
		return first
	}
	if conflict.Why == OtherBatch && len(results) == 1 {
		return wire.NewProblem(wire.ProblemKeyConflict, conflict.Error())
	}
	return nil
}

func (l *Ledger) logResults(ctx context.Context, d Device, results []Result) {
	for _, res := range results {
		var conflict *ConflictError
		if errors.As(res.Err, &conflict) {
			l.log.WarnContext(ctx, "an entry was set aside", "device", d.Name, "error", conflict)
		} else if errors.Is(res.Err, ErrInDoubt) {
			l.log.ErrorContext(ctx, "an entry was not decided", "device", d.Name, "error", res.Err)
		}
	}
}

// answerOf is the message's form of a result.
func answerOf(e wire.Entry, res Result) wire.Answer {
	if res.Err == nil {
		return wireAnswer(e, res.Booking.Answer)
	}
	v := wire.Unavailable
	var conflict *ConflictError
	switch {
	case errors.As(res.Err, &conflict):
		v = wire.Conflict
	case errors.Is(res.Err, ErrBusy), errors.Is(res.Err, ErrInDoubt):
		v = wire.Unknown
	}
	a := wire.AnswerTo(e, v)
	a.Detail = problemOf(res.Err).Detail
	a.Detail = a.Detail[:min(len(a.Detail), 200)]
	return a
}

var wireVerdicts = map[queue.Verdict]wire.Verdict{queue.Approved: wire.Approved, queue.Partial: wire.Partial,
	queue.Duplicate: wire.Duplicate, queue.Unavailable: wire.Unavailable, queue.NotFound: wire.NotFound, queue.Refused: wire.Refused}

func wireAnswer(e wire.Entry, from queue.Answer) wire.Answer {
	a := wire.AnswerTo(e, wireVerdicts[from.Verdict])
	a.Code, a.RRN, a.AuthCode, a.Time = from.Code, from.RRN, from.AuthCode, from.HostTime
	if from.Verdict == queue.Partial {
		a.Approved = from.Approved.Minor
	}
	return a
}

func (l *Ledger) serveAgree(w http.ResponseWriter, r *http.Request, d Device) error {
	message, err := readBody(r, agree.MaxMessage)
	if err != nil {
		return err
	}
	answer, err := l.Agree(r.Context(), d.Name, message)
	if err != nil {
		return err
	}
	return writeBytes(w, answer)
}

// readBody reads a body of a bounded size.
func readBody(r *http.Request, most int64) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err == nil && int64(len(b)) > most {
		err = wire.NewProblem(wire.ProblemTooLarge, "the body is too large")
	}
	return b, err
}

// readJSON reads a small body of one JSON value without unknown members.
func readJSON(r *http.Request, into any) error {
	b, err := readBody(r, maxBody)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return wire.NewProblem(wire.ProblemMalformed, "the body is not the JSON that is asked for here")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return wire.NewProblem(wire.ProblemMalformed, "bytes follow the JSON")
	}
	return nil
}

func writeBytes(w http.ResponseWriter, b []byte) error {
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b) // nobody is left to be told
	return nil
}

func writeJSON(w http.ResponseWriter, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(b) // nobody is left to be told
	return nil
}
