package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// verdict is what a rule's check has found.
type verdict struct{ bad, skipped string }

var fine verdict

func failed(format string, args ...any) verdict { return verdict{bad: fmt.Sprintf(format, args...)} }

// check is one run.
type check struct {
	Target
	ctx     context.Context
	base    *url.URL
	client  *http.Client
	started time.Time

	line        wire.Line
	first       wire.Entry // the first sale, and its answer
	firstAnswer wire.Answer
	seq         queue.ID
	epoch       uint64

	mu       sync.Mutex
	badRetry string // what was wrong with a Retry-After
}

// sale is the next entry of the journal.
func (c *check) sale() wire.Entry {
	c.seq++
	return c.keyed(wire.Entry{Seq: c.seq, Kind: queue.Advice, Op: queue.Sale, Tender: c.Tender, STAN: queue.STAN(c.seq),
		Ref: fmt.Sprintf("conformance-%d", c.seq), Amount: queue.Money{Minor: 1, Currency: c.Currency},
		Time: c.started.Add(time.Duration(c.seq) * time.Second).UTC()})
}

// about is the next entry, about another.
func (c *check) about(op queue.Op, kind queue.Kind, original queue.ID) wire.Entry {
	e := c.sale()
	e.Op, e.Kind, e.Original = op, kind, original
	return c.keyed(e)
}

func (c *check) keyed(e wire.Entry) wire.Entry {
	e.Key = c.submission().KeyFor(e)
	return e
}

func (c *check) submission(entries ...wire.Entry) wire.Submission {
	return wire.Submission{Journal: c.Journal, Epoch: 1 + c.epoch, Lane: c.Lane, Entries: entries}
}

// encode returns the body of a submission that this package made.
func (c *check) encode(s wire.Submission) []byte {
	body, err := s.Encode()
	if err != nil {
		panic("conformance: " + err.Error())
	}
	return body
}

// response is what came back.
type response struct {
	err    error
	status int
	header http.Header
	body   []byte
}

func (c *check) get(l queue.Lane) response {
	u := c.base.JoinPath(wire.LinePath)
	u.RawQuery = url.Values{"host": {l.Host}, "merchant": {l.Merchant}, "terminal": {l.Terminal}}.Encode()
	req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return response{err: err}
	}
	return c.do(req)
}

// post sends a submission, changed by change where that is not nil.
func (c *check) post(s wire.Submission, change func(*http.Request)) response {
	return c.send(c.encode(s), s.Key().Header(), change)
}

func (c *check) send(body []byte, key string, change func(*http.Request)) response {
	req, err := http.NewRequestWithContext(c.ctx, http.MethodPost, c.base.JoinPath(wire.EntriesPath).String(), bytes.NewReader(body))
	if err != nil {
		return response{err: err}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(wire.KeyHeader, key)
	if change != nil {
		change(req)
	}
	return c.do(req)
}

func (c *check) do(req *http.Request) response {
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := c.client.Do(req)
	if err != nil {
		return response{err: err}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, wire.MaxResponse+1))
	if err == nil && len(body) > wire.MaxResponse {
		err = fmt.Errorf("a response of more than %d bytes", wire.MaxResponse)
	}
	if e := resp.Header.Get("Content-Encoding"); err == nil && e != "" && e != "identity" {
		err = fmt.Errorf("a response in a content coding that was not asked for")
	}
	c.lookAtRetry(resp)
	return response{err, resp.StatusCode, resp.Header, body}
}

// lookAtRetry checks the form of whatever Retry-After comes by.
func (c *check) lookAtRetry(resp *http.Response) {
	values := resp.Header.Values("Retry-After")
	if len(values) == 0 {
		return
	}
	v := values[0]
	_, err := http.ParseTime(v)
	digits := v != "" && len(v) < 10 && strings.Trim(v, "0123456789") == ""
	if len(values) > 1 || (err != nil && !digits) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.badRetry = fmt.Sprintf("a Retry-After that is neither seconds nor a date, with status %d", resp.StatusCode)
	}
}

// not200 says what came instead of JSON with 200; empty: that came.
func (r response) not200() string {
	if r.err != nil {
		return "no response: " + r.err.Error()
	}
	media, _, _ := strings.Cut(r.header.Get("Content-Type"), ";")
	switch {
	case r.status != http.StatusOK:
		p, err := wire.DecodeProblem(r.status, r.body)
		if err != nil {
			return fmt.Sprintf("status %d", r.status)
		}
		return p.Error()
	case media != "application/json":
		return "the Content-Type " + r.header.Get("Content-Type")
	}
	return ""
}

// problem holds r to a status and a problem of the type.
func (r response) problem(status int, t wire.ProblemType) verdict {
	media := ""
	if r.header != nil {
		media, _, _ = strings.Cut(r.header.Get("Content-Type"), ";")
	}
	if r.err != nil {
		return failed("no response: %v", r.err)
	}
	if r.status != status {
		return failed("status %d instead of %d", r.status, status)
	}
	if media != wire.ProblemMedia {
		return failed("status %d with the Content-Type %q instead of %s", r.status, media, wire.ProblemMedia)
	}
	p, err := wire.DecodeProblem(r.status, r.body)
	if err != nil {
		return failed("a problem that cannot be read: %v", err)
	}
	if p.Type != t {
		return failed("status %d with another type of problem than %s%s", r.status, wire.ProblemBase, t)
	}
	return fine
}

// one sends a submission of one entry and returns its answer.
func (c *check) one(s wire.Submission) (wire.Answer, string) { return c.answerOf(s, c.post(s, nil)) }

func (c *check) answerOf(s wire.Submission, r response) (wire.Answer, string) {
	all, bad := c.answersOf(s, r)
	return all[s.Entries[0].Key], bad
}

// several sends a submission and returns the answers by key.
func (c *check) several(s wire.Submission) (map[wire.Key]wire.Answer, string) {
	return c.answersOf(s, c.post(s, nil))
}

func (c *check) answersOf(s wire.Submission, r response) (map[wire.Key]wire.Answer, string) {
	if bad := r.not200(); bad != "" {
		return nil, bad
	}
	a, err := wire.DecodeAnswers(r.body)
	switch {
	case err != nil:
		return nil, err.Error()
	case a.Journal != s.Journal || a.Lane != s.Lane:
		return nil, "answers that name another journal or terminal"
	case len(a.Answers) != len(s.Entries):
		return nil, fmt.Sprintf("%d answers for %d entries", len(a.Answers), len(s.Entries))
	}
	all := map[wire.Key]wire.Answer{}
	for _, x := range a.Answers {
		all[x.Key] = x
	}
	for i, e := range s.Entries {
		x, ok := all[e.Key]
		switch {
		case !ok:
			return nil, fmt.Sprintf("no answer for entry %d", i)
		case x.Seq != e.Seq || x.STAN != e.STAN || x.Amount != e.Amount:
			return nil, fmt.Sprintf("the answer for entry %d has another seq, stan or amount", i)
		}
	}
	return all, ""
}
