// Package client is what a device asks of a ledger (package ledger) beyond
// delivering entries, which package httplink does: comparing, telling again,
// receipts, claims, and sending attachments.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/agree"
	"github.com/tallystick/tallystick/reconcile/ledger"
)

// Options of New. The zero value, or nil, holds the defaults; New does not write
// to it.
type Options struct {
	// TLS is how hands are shaken; it is copied. Its zero MinVersion means TLS
	// 1.3, and Certificates are what the ledger knows the device by.
	TLS *tls.Config
	// Token gives the bearer token of each request, for a ledger that knows the
	// device by one. It goes over TLS only.
	Token func(ctx context.Context) (queue.Secret, error)
	// Plain allows an http:// base: a line that others keep private. No token
	// goes over it.
	Plain bool
	// Timeout bounds each call. Default 60 s.
	Timeout time.Duration
}

// Client speaks to one ledger for one journal. It is safe for concurrent use.
type Client struct {
	base    string
	journal *queue.Queue
	opts    Options
	http    *http.Client
}

// New returns a client of the ledger whose handler stands behind base, an https
// URL, for the device whose journal is q.
func New(base string, q *queue.Queue, o *Options) (*Client, error) {
	c := &Client{base: strings.TrimSuffix(base, "/"), journal: q}
	if o != nil {
		c.opts = *o
	}
	if c.opts.Timeout <= 0 {
		c.opts.Timeout = time.Minute
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && !(u.Scheme == "http" && c.opts.Plain)) {
		return nil, errors.New("a ledger needs an https:// base without a user, or http:// with Options.Plain")
	}
	if u.Scheme == "http" && c.opts.Token != nil {
		return nil, errors.New("a token goes over https alone")
	}
	shake := &tls.Config{}
	if c.opts.TLS != nil {
		shake = c.opts.TLS.Clone()
	}
	if shake.MinVersion == 0 {
		shake.MinVersion = tls.VersionTLS13
	}
	c.http = &http.Client{
		Transport:     &http.Transport{TLSClientConfig: shake, Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call sends one request and returns the status, header and at most most bytes
// of the body. A status of 300 or more is a *wire.Problem.
func (c *Client) call(ctx context.Context, method, path string, header http.Header, body io.Reader, most int) (http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, nil, err
	}
	if header != nil {
		req.Header = header
	}
	req.Header.Set("User-Agent", "tallystick")
	if c.opts.Token != nil {
		token, err := c.opts.Token(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("no token: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("the ledger does not answer: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= http.StatusMultipleChoices {
		most = maxProblem
	}
	b, err := wire.ReadBody(resp.Body, resp.Header.Get("Content-Encoding"), most)
	if resp.StatusCode >= http.StatusMultipleChoices {
		return resp.Header, nil, problem(resp, b)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("the ledger's answer: %w", err)
	}
	return resp.Header, b, nil
}

const maxProblem = 16 << 10

func problem(resp *http.Response, b []byte) error {
	p, err := wire.DecodeProblem(resp.StatusCode, b)
	if err != nil {
		p = &wire.Problem{Status: resp.StatusCode, Title: http.StatusText(resp.StatusCode)}
	}
	p.RetryAfter = wire.RetryAfter(resp.Header, time.Now(), time.Hour)
	return p
}

func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

// post sends v as JSON and reads a JSON answer into out, unless that is nil.
func (c *Client) post(ctx context.Context, path string, v, out any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, b, err = c.call(ctx, http.MethodPost, path, jsonHeader(), bytes.NewReader(b), wire.MaxResponse)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(b, out); err != nil {
		return errors.New("the ledger's answer is not the JSON that was asked for")
	}
	return nil
}

// Agree carries one message of package agree to the ledger and returns its
// answer. Errors: *wire.Problem, those of the line.
func (c *Client) Agree(ctx context.Context, message []byte) ([]byte, error) {
	_, b, err := c.call(ctx, http.MethodPost, ledger.AgreePath, http.Header{"Content-Type": {"application/octet-stream"}},
		bytes.NewReader(message), agree.MaxAnswer)
	return b, err
}

// Retell tells the ledger again of an entry that it accepted before and has no
// more, under the same identity and with e.Answer; nothing is decided anew.
// Approved means that it has it now, Duplicate that it has it and it is equal,
// Refused that it has something else there. Calling it again changes nothing.
//
// Errors: one that says so for an entry that was not accepted, or of which
// pruning has left a stub; *wire.Problem; those of the line. They leave open
// whether the ledger got it.
func (c *Client) Retell(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	if e.State != queue.Accepted || e.Pruned {
		return queue.Answer{}, fmt.Errorf("entry %d is %s (pruned: %t): only what was accepted, and is whole, can be told again", e.ID, e.State, e.Pruned)
	}
	told, journal := wire.FromQueue(e, c.journal.JournalID())
	in := wire.Submission{Journal: journal, Epoch: c.journal.Epoch(), Lane: e.Lane, Entries: []wire.Entry{told}}
	if journal != wire.JournalID(c.journal.JournalID()) {
		in.Via = c.journal.JournalID()
	}
	in.Entries[0].Key = in.KeyFor(told)
	raw, err := in.Encode()
	if err != nil {
		return queue.Answer{}, err
	}
	a := e.Answer
	msg := ledger.Told{Submission: raw, Code: a.Code, RRN: a.RRN, AuthCode: a.AuthCode, Time: a.HostTime}
	if a.Verdict == queue.Partial {
		msg.Partial = a.Approved.Minor
	}
	b, err := json.Marshal(msg)
	if err != nil {
		return queue.Answer{}, err
	}
	h := jsonHeader()
	h.Set(wire.KeyHeader, in.Key().Header())
	_, b, err = c.call(ctx, http.MethodPost, ledger.RetellPath, h, bytes.NewReader(b), wire.MaxResponse)
	if err != nil {
		return queue.Answer{}, err
	}
	return answerTo(in, b)
}

func answerTo(in wire.Submission, b []byte) (queue.Answer, error) {
	out, err := wire.DecodeAnswers(b)
	if err != nil {
		return queue.Answer{}, err
	}
	e := in.Entries[0]
	if out.Journal != in.Journal || len(out.Answers) != 1 || out.Answers[0].Key != in.KeyFor(e) || out.Answers[0].Amount != e.Amount {
		return queue.Answer{}, errors.New("the ledger answered for another entry")
	}
	a := out.Answers[0]
	res := queue.Answer{Code: a.Code, RRN: a.RRN, AuthCode: a.AuthCode, HostTime: a.Time}
	switch a.Verdict {
	case wire.Approved, wire.Partial:
		res.Verdict = queue.Approved
	case wire.Duplicate:
		res.Verdict = queue.Duplicate
	case wire.Refused, wire.NotFound, wire.Conflict:
		res.Verdict = queue.Refused
	case wire.Unavailable:
		res.Verdict = queue.Unavailable
	}
	return res, nil
}

// Receipt asks for a signed receipt of what the ledger holds of a journal at the
// sequences of ranges, which are ascending.
//
// Errors: *wire.Problem, those of the line.
func (c *Client) Receipt(ctx context.Context, journal [16]byte, ranges []agree.Range) ([]byte, error) {
	ask := ledger.ReceiptRequest{Journal: wire.JournalID(journal).String()}
	for _, r := range ranges {
		ask.Ranges = append(ask.Ranges, [2]uint64{r.From, r.To})
	}
	b, err := json.Marshal(ask)
	if err != nil {
		return nil, err
	}
	_, b, err = c.call(ctx, http.MethodPost, ledger.ReceiptPath, jsonHeader(), bytes.NewReader(b), wire.MaxResponse)
	return b, err
}

// Prune asks for the receipts that a settled batch needs and prunes it by them:
// see ledger.Prune. pub is the ledger's public key, which the device has from
// elsewhere than from this line.
//
// Errors: those of Receipt and of ledger.Prune. With any of them nothing, or a
// part, was pruned: call it again.
func (c *Client) Prune(ctx context.Context, b queue.BatchID, pub []byte) error {
	asks, err := ledger.Asks(ctx, c.journal, b)
	if err != nil {
		return err
	}
	var signed [][]byte
	for journal, ranges := range asks {
		r, err := c.Receipt(ctx, journal, ranges)
		if err != nil {
			return err
		}
		signed = append(signed, r)
	}
	return ledger.Prune(ctx, c.journal, b, pub, signed...)
}

// Claim books key for this device's journal if nobody holds it, and returns
// which journal holds it now and since when: this one's own id means granted,
// now or before; any other one taken. It is durable at the ledger once it is
// answered.
//
// Errors: *wire.Problem, those of the line: whether it was booked is then open,
// and asking again tells.
func (c *Client) Claim(ctx context.Context, key string) (holder [16]byte, since time.Time, err error) {
	var a ledger.ClaimAnswer
	if err := c.post(ctx, ledger.ClaimPath, c.claim(key), &a); err != nil {
		return holder, since, err
	}
	id, err := ledger.ParseJournal(a.Holder)
	return id, a.Since, err
}

// Release gives key back. What nobody holds is no error; what another journal
// holds is a *wire.Problem with the status 409.
func (c *Client) Release(ctx context.Context, key string) error {
	return c.post(ctx, ledger.ReleasePath, c.claim(key), nil)
}

func (c *Client) claim(key string) ledger.ClaimRequest {
	return ledger.ClaimRequest{Journal: wire.JournalID(c.journal.JournalID()).String(), Key: key}
}

// Conflicts returns what the ledger has set aside of this journal, the first 256.
func (c *Client) Conflicts(ctx context.Context) ([]ledger.Aside, error) {
	var out []ledger.Aside
	path := ledger.ConflictsPath + "?journal=" + wire.JournalID(c.journal.JournalID()).String()
	_, b, err := c.call(ctx, http.MethodGet, path, nil, nil, 1<<20)
	if err == nil && json.Unmarshal(b, &out) != nil {
		err = errors.New("the ledger's answer is not the JSON that was asked for")
	}
	return out, err
}

func jsonOf(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}
