package httplink

import (
	"bytes"
	"context"
	"net/http"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// fly sends parcels in one request, or, where the host refuses it as a whole and
// has booked nothing, in two halves, so that one entry holds up no other.
func (l *Link) fly(ctx context.Context, f *flight, parcels []*parcel) {
	s := l.submission(parcels)
	body, err := s.Encode()
	if err != nil { // each was encoded alone before
		l.finishAll(parcels, result{err: &AnswerError{Err: err}})
		return
	}
	r := l.post(ctx, f, s.Key(), body)
	if r.problem != nil && r.problem.Type == wire.ProblemCoding && !l.uncompressed() {
		l.setUncompressed()
		r = l.post(ctx, f, s.Key(), body)
	}
	switch {
	case r.err != nil && !f.connected.Load():
		l.finishAll(parcels, result{err: notSent(l.whyEnded(r.err))})
	case r.err != nil:
		l.finishAll(parcels, result{err: l.whyEnded(r.err)})
	case r.status == http.StatusOK:
		l.distribute(s, parcels, r)
	case r.problem != nil && len(parcels) > 1 && ofTheBody(r.problem.Type):
		l.tell(Event{Kind: Split, Entries: len(parcels), Err: r.problem})
		half := len(parcels) / 2
		l.fly(ctx, f, parcels[:half])
		l.fly(ctx, f, parcels[half:])
	default:
		for _, p := range parcels {
			l.finish(p, r.without(p.entry))
		}
	}
}

func (l *Link) finishAll(parcels []*parcel, r result) {
	for _, p := range parcels {
		l.finish(p, r)
	}
}

// ofTheBody tells whether a problem may be that of one entry among several.
func ofTheBody(t wire.ProblemType) bool {
	switch t {
	case wire.ProblemMalformed, wire.ProblemTooLarge, wire.ProblemKeyMismatch, wire.ProblemKeyConflict, wire.ProblemFenced:
		return true
	}
	return false
}

func (l *Link) uncompressed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.plain || !l.line.Compressed()
}

func (l *Link) setUncompressed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.plain = true
}

// post sends one request.
func (l *Link) post(ctx context.Context, f *flight, key wire.Key, body []byte) response {
	u := l.base.JoinPath(wire.EntriesPath)
	h := http.Header{"Content-Type": {"application/json"}}
	// net/http repeats a request that has this field, under its usual spelling, when
	// a connection breaks: what was attempted once is to be sent once.
	h["idempotency-key"] = []string{key.Header()}
	if !l.uncompressed() {
		h.Set("Content-Encoding", wire.Coding)
		body = wire.Compress(body)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return response{err: lineError("entries", err)}
	}
	req.Header = h
	r := l.roundTrip(req, f.http, &f.connected)
	l.tell(Event{Kind: Sent, Entries: len(f.parcels), Bytes: len(body), Err: r.err})
	return r
}

// without is what a response that holds no answers means for e. Only a problem
// of a type that we know says that nothing was booked.
func (r response) without(e queue.Entry) result {
	decided := func(v queue.Verdict) result {
		t := r.problem.Type
		return result{answer: queue.Answer{Verdict: v, RetryAfter: r.after, Planned: t == wire.ProblemMaintenance,
			SignIn: t == wire.ProblemUnauthorized}}
	}
	if r.problem != nil {
		switch r.problem.Type {
		case wire.ProblemKeyConflict:
			return decided(conflict(e))
		case wire.ProblemMalformed, wire.ProblemKeyMissing, wire.ProblemKeyMalformed, wire.ProblemKeyMismatch,
			wire.ProblemTooLarge, wire.ProblemMediaType, wire.ProblemFenced:
			return decided(queue.Refused)
		case wire.ProblemBusy, wire.ProblemMaintenance, wire.ProblemUnauthorized, wire.ProblemNotAllowed, wire.ProblemCoding:
			// A sale at the merchant's risk is not declined by a host that is busy: in
			// doubt it is reversed, and presented anew.
			if !e.Deferred {
				return decided(queue.Unavailable)
			}
		case wire.ProblemInProgress:
			return decided(queue.Unknown)
		}
	}
	return result{err: r.refusal("entries")}
}

// conflict is what it means that the host has booked other content under the
// entry's key: of a request, that the host holds something; of all others, that a
// person has to look.
func conflict(e queue.Entry) queue.Verdict {
	if e.Kind == queue.Request {
		return queue.Duplicate
	}
	return queue.Refused
}

// distribute gives each parcel its answer. What is not answered, or answered
// twice, stays in doubt.
func (l *Link) distribute(s wire.Submission, parcels []*parcel, r response) {
	suspect := func(p *parcel, err *AnswerError) {
		l.tell(Event{Kind: Suspect, STAN: p.entry.STAN, Err: err})
		l.finish(p, result{err: err})
	}
	answers, err := wire.DecodeAnswers(r.body)
	if err != nil || answers.Journal != s.Journal || answers.Lane != s.Lane {
		l.trust(false)
		for _, p := range parcels {
			suspect(p, &AnswerError{Foreign: err == nil, Err: err})
		}
		return
	}
	byKey := make(map[wire.Key][]wire.Answer, len(parcels))
	for _, a := range answers.Answers {
		byKey[a.Key] = append(byKey[a.Key], a)
	}
	for _, p := range parcels {
		found := byKey[p.wire.Key]
		delete(byKey, p.wire.Key)
		switch {
		case len(found) == 0:
			suspect(p, &AnswerError{Err: errNoAnswer})
			continue
		case len(found) > 1:
			suspect(p, &AnswerError{Member: "key", Err: errTwice})
			continue
		}
		a, member := judge(p.entry, p.wire, found[0])
		if member != "" {
			suspect(p, &AnswerError{Member: member})
			continue
		}
		a.RetryAfter = r.after
		l.finish(p, result{answer: a})
	}
	if len(byKey) > 0 {
		l.tell(Event{Kind: Stray, Entries: len(byKey)})
	}
}

// judge turns an answer into what it means for e, or names the member in which
// it is not an answer to it.
func judge(e queue.Entry, w wire.Entry, a wire.Answer) (queue.Answer, string) {
	switch {
	case a.Seq != w.Seq:
		return queue.Answer{}, "seq"
	case a.STAN != w.STAN:
		return queue.Answer{}, "stan"
	case a.Amount != w.Amount:
		return queue.Answer{}, "amount"
	}
	out := queue.Answer{Verdict: verdicts[a.Verdict], Code: a.Code, RRN: a.RRN, AuthCode: a.AuthCode, HostTime: a.Time}
	switch a.Verdict {
	case wire.Partial:
		out.Approved = queue.Money{Minor: a.Approved, Currency: w.Amount.Currency}
	case wire.Conflict:
		out.Verdict = conflict(e)
	}
	return out, ""
}

// verdicts has Unknown for what it does not hold.
var verdicts = map[wire.Verdict]queue.Verdict{
	wire.Approved: queue.Approved, wire.Partial: queue.Partial, wire.Duplicate: queue.Duplicate,
	wire.Unavailable: queue.Unavailable, wire.NotFound: queue.NotFound, wire.Refused: queue.Refused,
}
