package conformance

import (
	"bytes"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

type rule struct {
	name, expected string
	check          func(*check) verdict
}

// rules stands in the order in which they run: what they book stays.
var rules = []rule{
	{"line", "GET " + wire.LinePath + " answers 200 with a line for the terminal that was asked about", (*check).ruleLine},
	{"line query", "without a terminal it answers 400 with a problem", (*check).ruleLineQuery},
	{"one entry", "a sale is booked: 200, one answer, approved, with key, seq, stan and amount of the entry", (*check).ruleOne},
	{"replay", "the same request again is answered with the very same answer", (*check).ruleReplay},
	{"replay in a batch", "a booked entry in a batch with new ones keeps its answer, and so it does in another batch and order", (*check).ruleReplayInBatch},
	{"epoch", "a restored copy of the journal (the next epoch) that sends a booked entry gets its answer", (*check).ruleEpoch},
	{"key missing", "without an Idempotency-Key: 400, key-missing; the entry can be booked afterwards", (*check).ruleKeyMissing},
	{"key malformed", "with a key that is no structured-field string of 22 characters: 400, key-malformed", (*check).ruleKeyMalformed},
	{"key mismatch", "with the key of another entry, or of a batch in another order: 422, key-mismatch", (*check).ruleKeyMismatch},
	{"key conflict", "a booked key with another batch number: 422, key-conflict; in a batch the verdict conflict, for that entry only", (*check).ruleConflict},
	{"other content", "a booked key with another amount: 422", (*check).ruleOtherContent},
	{"at once", "the same request eight times at once: one booking; each is answered with it, or 409, in-progress", (*check).ruleAtOnce},
	{"part of a batch fails", "a batch with a void of nothing: 200, the void is not approved, the others are", (*check).rulePartly},
	{"order", "entries in any order of their sequence are booked", (*check).ruleOrder},
	{"reversal", "a reversal of a booked request is approved, and its repeat is answered the same", (*check).ruleReversal},
	{"reversal first", "a reversal that comes before its request is kept: the request is then not approved", (*check).ruleReversalFirst},
	{"compressed", "a body in " + wire.Coding + " is read, where the line names that coding and our dictionary", (*check).ruleCompressed},
	{"unknown coding", "a body in an unknown coding: 415, coding", (*check).ruleUnknownCoding},
	{"media type", "a body that is not application/json: 415, media-type", (*check).ruleMediaType},
	{"too large", fmt.Sprintf("a body of more than %d bytes: 413, too-large", wire.MaxRequest), (*check).ruleTooLarge},
	{"bomb", fmt.Sprintf("a compressed body that expands to more than %d bytes: 413, too-large", wire.MaxRequest), (*check).ruleBomb},
	{"bad JSON", "broken JSON, unknown, doubled or missing members, null, other types, bytes behind the end, bad UTF-8: 400, malformed; the entry can be booked afterwards", (*check).ruleBadJSON},
	{"digest", "an entry whose content is not that of its key in a batch: 422, key-mismatch; both can be booked afterwards", (*check).ruleDigest},
	{"Retry-After", "a busy host answers 503 or 429, busy, with Retry-After in seconds or as a date", (*check).ruleRetryAfter},
}

func (c *check) ruleLine() verdict {
	r := c.get(c.Lane)
	if bad := r.not200(); bad != "" {
		return failed("%s", bad)
	}
	line, err := wire.DecodeLine(r.body)
	switch {
	case err != nil:
		return failed("%v", err)
	case line.Lane != c.Lane:
		return failed("the line of another terminal")
	}
	c.line = line
	return fine
}

func (c *check) ruleLineQuery() verdict {
	return c.get(queue.Lane{Host: c.Lane.Host, Merchant: c.Lane.Merchant}).problem(http.StatusBadRequest, wire.ProblemMalformed)
}

func (c *check) ruleOne() verdict {
	c.first = c.sale()
	a, bad := c.one(c.submission(c.first))
	if bad != "" {
		return failed("%s", bad)
	}
	if a.Verdict != wire.Approved {
		return failed("the verdict %s", a.Verdict)
	}
	c.firstAnswer = a
	return fine
}

// booked says what is wrong when e has not the answer that it had.
func booked(had, has wire.Answer) verdict {
	if !reflect.DeepEqual(had, has) {
		return failed("another answer than the first: %+v, then %+v", had, has)
	}
	return fine
}

func (c *check) again(s wire.Submission, had wire.Answer) verdict {
	a, bad := c.one(s)
	if bad != "" {
		return failed("%s", bad)
	}
	return booked(had, a)
}

func (c *check) ruleReplay() verdict { return c.again(c.submission(c.first), c.firstAnswer) }

func (c *check) ruleReplayInBatch() verdict {
	two, three := c.sale(), c.sale()
	all, bad := c.several(c.submission(two, c.first, three))
	if bad != "" {
		return failed("%s", bad)
	}
	if v := booked(c.firstAnswer, all[c.first.Key]); v.bad != "" {
		return v
	}
	again, bad := c.several(c.submission(three, two))
	if bad != "" {
		return failed("%s", bad)
	}
	for _, e := range []wire.Entry{two, three} {
		if v := booked(all[e.Key], again[e.Key]); v.bad != "" {
			return v
		}
	}
	return fine
}

func (c *check) ruleEpoch() verdict {
	c.epoch++
	return c.again(c.submission(c.first), c.firstAnswer)
}

// after holds the host to book an entry that it had to refuse before.
func (c *check) after(e wire.Entry) verdict {
	a, bad := c.one(c.submission(e))
	switch {
	case bad != "":
		return failed("afterwards the entry is answered with %s", bad)
	case a.Verdict != wire.Approved:
		return failed("afterwards the entry is %s", a.Verdict)
	}
	return fine
}

func (c *check) ruleKeyMissing() verdict {
	e := c.sale()
	v := c.post(c.submission(e), func(r *http.Request) { r.Header.Del(wire.KeyHeader) }).problem(http.StatusBadRequest, wire.ProblemKeyMissing)
	if v.bad != "" {
		return v
	}
	return c.after(e)
}

func (c *check) ruleKeyMalformed() verdict {
	s := c.submission(c.sale())
	for _, value := range []string{``, s.Key().String(), `"short"`, `"` + strings.Repeat("!", 22) + `"`, `"` + s.Key().String(), `("` + s.Key().String() + `")`,
		`"` + strings.Repeat("A", 400) + `"`, `"` + s.Key().String() + `" , "x"`, `'` + s.Key().String() + `'`, `:` + s.Key().String() + `==:`} {
		v := c.post(s, func(r *http.Request) { r.Header.Set(wire.KeyHeader, value) }).problem(http.StatusBadRequest, wire.ProblemKeyMalformed)
		if v.bad != "" {
			return failed("for the value %s: %s", value, v.bad)
		}
	}
	return c.after(s.Entries[0])
}

func (c *check) ruleKeyMismatch() verdict {
	one, two := c.sale(), c.sale()
	for _, c2 := range []struct {
		s   wire.Submission
		key wire.Key
	}{
		{c.submission(one), two.Key},
		{c.submission(one), c.first.Key},
		{c.submission(one, two), c.submission(two, one).Key()},
		{c.submission(one, two), one.Key},
	} {
		v := c.post(c2.s, func(r *http.Request) { r.Header.Set(wire.KeyHeader, c2.key.Header()) }).problem(http.StatusUnprocessableEntity, wire.ProblemKeyMismatch)
		if v.bad != "" {
			return v
		}
	}
	return c.after(one)
}

func (c *check) ruleConflict() verdict {
	other := c.first
	other.HostBatch = 77
	if v := c.post(c.submission(other), nil).problem(http.StatusUnprocessableEntity, wire.ProblemKeyConflict); v.bad != "" {
		return v
	}
	fresh := c.sale()
	all, bad := c.several(c.submission(fresh, other))
	switch {
	case bad != "":
		return failed("in a batch: %s", bad)
	case all[other.Key].Verdict != wire.Conflict:
		return failed("in a batch the verdict %s", all[other.Key].Verdict)
	case all[fresh.Key].Verdict != wire.Approved:
		return failed("in a batch the entry beside it is %s", all[fresh.Key].Verdict)
	}
	return c.again(c.submission(c.first), c.firstAnswer)
}

func (c *check) ruleOtherContent() verdict {
	other := c.first
	other.Amount.Minor++
	other.Key = wire.Key{}
	s := c.submission(other)
	body := c.encode(s)
	r := c.send(body, c.first.Key.Header(), nil)
	if r.err == nil && r.status != http.StatusUnprocessableEntity {
		return failed("status %d", r.status)
	}
	v := r.problem(http.StatusUnprocessableEntity, wire.ProblemKeyMismatch)
	if v.bad != "" {
		v = r.problem(http.StatusUnprocessableEntity, wire.ProblemKeyConflict)
	}
	return v
}

func (c *check) ruleAtOnce() verdict {
	const times = 8
	s := c.submission(c.sale())
	answers := make([]response, times)
	var all sync.WaitGroup
	for i := range times {
		all.Go(func() { answers[i] = c.post(s, nil) })
	}
	all.Wait()
	var first *wire.Answer
	for _, r := range answers {
		if r.err == nil && r.status == http.StatusConflict {
			if v := r.problem(http.StatusConflict, wire.ProblemInProgress); v.bad != "" {
				return v
			}
			continue
		}
		a, bad := c.answerOf(s, r)
		if bad != "" {
			return failed("%s", bad)
		}
		if first == nil {
			first = &a
		} else if v := booked(*first, a); v.bad != "" {
			return v
		}
	}
	if first == nil {
		return failed("409 for all, so that nobody booked it")
	}
	return c.again(s, *first)
}

func (c *check) rulePartly() verdict {
	one, void, two := c.sale(), c.about(queue.Void, queue.Request, 999_999_999), c.sale()
	all, bad := c.several(c.submission(one, void, two))
	switch {
	case bad != "":
		return failed("%s", bad)
	case all[one.Key].Verdict != wire.Approved || all[two.Key].Verdict != wire.Approved:
		return failed("a sale beside the void is %s and %s", all[one.Key].Verdict, all[two.Key].Verdict)
	case !slices.Contains([]wire.Verdict{wire.NotFound, wire.Refused}, all[void.Key].Verdict):
		return failed("the void is %s", all[void.Key].Verdict)
	}
	return fine
}

func (c *check) ruleOrder() verdict {
	entries := []wire.Entry{c.sale(), c.sale(), c.sale(), c.sale()}
	slices.Reverse(entries)
	all, bad := c.several(c.submission(entries...))
	if bad != "" {
		return failed("%s", bad)
	}
	for _, e := range entries {
		if all[e.Key].Verdict != wire.Approved {
			return failed("one is %s", all[e.Key].Verdict)
		}
	}
	return fine
}

// reversal is that of a request.
func (c *check) reversal(of wire.Entry) wire.Entry {
	r := c.about(of.Op, queue.Reversal, of.Seq)
	r.STAN, r.Amount, r.Tender, r.Reason = of.STAN, of.Amount, of.Tender, queue.NoAnswer
	r.Ref = fmt.Sprintf("reversal of entry %d", of.Seq)
	return c.keyed(r)
}

func (c *check) request() wire.Entry {
	e := c.sale()
	e.Kind = queue.Request
	return c.keyed(e)
}

func (c *check) ruleReversal() verdict {
	sale := c.request()
	a, bad := c.one(c.submission(sale))
	if bad != "" || a.Verdict != wire.Approved {
		return failed("the request: %s %s", a.Verdict, bad)
	}
	reversal := c.reversal(sale)
	b, bad := c.one(c.submission(reversal))
	if bad != "" || b.Verdict != wire.Approved {
		return failed("the reversal: %s %s", b.Verdict, bad)
	}
	if v := c.again(c.submission(reversal), b); v.bad != "" {
		return v
	}
	return c.again(c.submission(sale), a)
}

func (c *check) ruleReversalFirst() verdict {
	sale := c.request()
	a, bad := c.one(c.submission(c.reversal(sale)))
	if bad != "" || !slices.Contains([]wire.Verdict{wire.Approved, wire.NotFound}, a.Verdict) {
		return failed("the reversal: %s %s", a.Verdict, bad)
	}
	b, bad := c.one(c.submission(sale))
	if bad != "" || b.Verdict == wire.Approved || !b.Verdict.Kept() {
		return failed("the request behind it: %s %s", b.Verdict, bad)
	}
	return fine
}

func (c *check) ruleCompressed() verdict {
	if !c.line.Compressed() {
		return verdict{skipped: "the line does not name it with our dictionary"}
	}
	e := c.sale()
	s := c.submission(e)
	r := c.send(wire.Compress(c.encode(s)), s.Key().Header(), func(r *http.Request) { r.Header.Set("Content-Encoding", wire.Coding) })
	a, bad := c.answerOf(s, r)
	if bad != "" {
		return failed("%s", bad)
	}
	return c.again(s, a)
}

func (c *check) ruleUnknownCoding() verdict {
	return c.post(c.submission(c.sale()), func(r *http.Request) { r.Header.Set("Content-Encoding", "tallystick-flate-0") }).
		problem(http.StatusUnsupportedMediaType, wire.ProblemCoding)
}

func (c *check) ruleMediaType() verdict {
	return c.post(c.submission(c.sale()), func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }).
		problem(http.StatusUnsupportedMediaType, wire.ProblemMediaType)
}

func (c *check) ruleTooLarge() verdict {
	s := c.submission(c.sale())
	body := append(c.encode(s), bytes.Repeat([]byte(" "), wire.MaxRequest)...)
	return c.send(body, s.Key().Header(), nil).problem(http.StatusRequestEntityTooLarge, wire.ProblemTooLarge)
}

func (c *check) ruleBomb() verdict {
	if !c.line.Compressed() {
		return verdict{skipped: "the line does not name " + wire.Coding + " with our dictionary"}
	}
	s := c.submission(c.sale())
	body := append(c.encode(s), bytes.Repeat([]byte(" "), 2*wire.MaxRequest)...)
	return c.send(wire.Compress(body), s.Key().Header(), func(r *http.Request) { r.Header.Set("Content-Encoding", wire.Coding) }).
		problem(http.StatusRequestEntityTooLarge, wire.ProblemTooLarge)
}

func (c *check) ruleBadJSON() verdict {
	e := c.sale()
	s := c.submission(e)
	good := string(c.encode(s))
	swap := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	for _, x := range []struct{ why, body string }{
		{"empty", ""},
		{"cut short", good[:len(good)-2]},
		{"bytes behind the end", good + "{}"},
		{"an array", "[" + good + "]"},
		{"an unknown member", swap(`"epoch"`, `"surprise":1,"epoch"`)},
		{"an unknown member of an entry", swap(`"seq"`, `"surprise":1,"seq"`)},
		{"a name in capitals", swap(`"seq"`, `"Seq"`)},
		{"a member twice", swap(`"epoch":`, `"epoch":1,"epoch":`)},
		{"a member of an entry twice", swap(`"kind"`, fmt.Sprintf(`"amount":%d,"kind"`, e.Amount.Minor))},
		{"a missing member", swap(`"op":"sale",`, ``)},
		{"a missing lane", swap(fmt.Sprintf(`"terminal":"%s",`, c.Lane.Terminal), ``)},
		{"null", swap(`"kind":"advice"`, `"kind":null`)},
		{"text for a number", swap(fmt.Sprintf(`"seq":%d`, e.Seq), fmt.Sprintf(`"seq":"%d"`, e.Seq))},
		{"a fraction", swap(fmt.Sprintf(`"amount":%d`, e.Amount.Minor), fmt.Sprintf(`"amount":%d.0`, e.Amount.Minor))},
		{"a negative amount", swap(`"amount":`, `"amount":-`)},
		{"an unknown kind", swap(`"kind":"advice"`, `"kind":"rumour"`)},
		{"bad UTF-8", swap(`"ref":"`, "\"ref\":\"\xff")},
		{"nested deep", swap(`"kind":"advice"`, `"kind":`+strings.Repeat("[", 2000)+strings.Repeat("]", 2000))},
	} {
		if v := c.send([]byte(x.body), s.Key().Header(), nil).problem(http.StatusBadRequest, wire.ProblemMalformed); v.bad != "" {
			return failed("for %s: %s", x.why, v.bad)
		}
	}
	return c.after(e)
}

func (c *check) ruleDigest() verdict {
	one, two := c.sale(), c.sale()
	s := c.submission(one, two)
	body := strings.Replace(string(c.encode(s)), two.Ref, one.Ref, 1)
	if v := c.send([]byte(body), s.Key().Header(), nil).problem(http.StatusUnprocessableEntity, wire.ProblemKeyMismatch); v.bad != "" {
		return v
	}
	if v := c.after(one); v.bad != "" {
		return v
	}
	return c.after(two)
}

func (c *check) ruleRetryAfter() verdict {
	if c.badRetry != "" {
		return failed("%s", c.badRetry)
	}
	if c.Busy == nil {
		return verdict{skipped: "Target.Busy is not set, and no Retry-After that was seen was wrong"}
	}
	e := c.sale()
	c.Busy()
	r := c.post(c.submission(e), nil)
	status := http.StatusServiceUnavailable
	if r.status == http.StatusTooManyRequests {
		status = r.status
	}
	if v := r.problem(status, wire.ProblemBusy); v.bad != "" {
		return v
	}
	if r.header.Get("Retry-After") == "" {
		return failed("no Retry-After")
	}
	if c.badRetry != "" {
		return failed("%s", c.badRetry)
	}
	return fine
}
