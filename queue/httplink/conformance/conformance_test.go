package conformance_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/conformance"
	"github.com/tallystick/tallystick/queue/httplink/internal/refhost"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

var lane = queue.Lane{Host: "depot", Merchant: "898100000000001", Terminal: "10000001"}

// busyable is a host that can be made to refuse once.
type busyable struct {
	*refhost.Host
	busy atomic.Bool
}

func newBusyable() *busyable {
	b := &busyable{Host: &refhost.Host{}}
	b.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/busy" {
			b.busy.Store(true)
			return true
		}
		if r.Method != http.MethodPost || !b.busy.Swap(false) {
			return false
		}
		p := wire.NewProblem(wire.ProblemBusy, "")
		p.RetryAfter = 20 * time.Second
		_ = p.Write(w)
		return true
	}
	return b
}

func target(t *testing.T, h http.Handler) conformance.Target {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return conformance.Target{Base: server.URL, Lane: lane, Busy: func() {
		resp, err := http.Get(server.URL + "/busy")
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}}
}

func check(t *testing.T, h http.Handler) []conformance.Result {
	t.Helper()
	results, err := conformance.Check(t.Context(), target(t, h))
	require.NoError(t, err)
	return results
}

// A right host passes every rule, and none is skipped.
func TestARightHost(t *testing.T) {
	conformance.Test(t, target(t, newBusyable()))
	for _, r := range check(t, newBusyable()) {
		require.True(t, r.OK(), "%s", r)
		require.Empty(t, r.Skipped, r.Rule)
	}
}

// wrong hosts, each with the rule that it breaks.
func wrongHosts() map[string]struct {
	host   http.Handler
	breaks string
} {
	type wrong = struct {
		host   http.Handler
		breaks string
	}
	// rewritten changes requests before a right host sees them.
	rewritten := func(change func(*http.Request)) http.Handler {
		h := newBusyable()
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				change(r)
			}
			h.ServeHTTP(w, r)
		})
	}
	// restated changes the responses of a right host.
	restated := func(change func(*httptest.ResponseRecorder)) http.Handler {
		h := newBusyable()
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			change(rec)
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			w.WriteHeader(rec.Code)
			_, _ = w.Write(rec.Body.Bytes())
		})
	}
	respoken := func(from wire.ProblemType, to int) http.Handler {
		return restated(func(rec *httptest.ResponseRecorder) {
			if strings.Contains(rec.Body.String(), wire.ProblemBase+string(from)) {
				rec.Code = to
			}
		})
	}
	// corrected repairs what a right host would refuse: a lax host.
	corrected := func(repair func(body []byte, r *http.Request) []byte) http.Handler {
		return rewritten(func(r *http.Request) {
			body, err := wire.ReadBody(r.Body, r.Header.Get("Content-Encoding"), 100<<20)
			if err != nil {
				return
			}
			r.Header.Del("Content-Encoding")
			body = repair(body, r)
			r.Body = io.NopCloser(bytes.NewReader(body))
		})
	}
	changed := func(change func(*refhost.Host)) http.Handler {
		h := newBusyable()
		change(h.Host)
		return h
	}
	return map[string]wrong{
		"a line of another terminal": {changed(func(h *refhost.Host) { h.Line = func(l *wire.Line) { l.Lane.Terminal = "1" } }), "line"},
		"any line":                   {respoken(wire.ProblemMalformed, 200), "line query"},
		"declines all": {changed(func(h *refhost.Host) {
			h.Decide = func(wire.Entry) (wire.Verdict, string) { return wire.Refused, "05" }
		}), "one entry"},
		"names another STAN":      {changed(func(h *refhost.Host) { h.Change = func(a *wire.Answers) { a.Answers[0].STAN++ } }), "one entry"},
		"books each request anew": {forgetful(func(wire.Submission) bool { return true }), "replay"},
		"books each batch anew":   {forgetful(func(s wire.Submission) bool { return len(s.Entries) > 1 }), "replay in a batch"},
		"books by epoch":          {forgetful(func(s wire.Submission) bool { return s.Epoch > 1 }), "epoch"},
		"needs no key": {rewritten(func(r *http.Request) {
			if r.Header.Get(wire.KeyHeader) == "" {
				giveKey(r)
			}
		}), "key missing"},
		"takes a bare key": {rewritten(func(r *http.Request) {
			if k := r.Header.Get(wire.KeyHeader); len(k) == 22 {
				r.Header.Set(wire.KeyHeader, `"`+k+`"`)
			}
		}), "key malformed"},
		"does not look at the key": {rewritten(func(r *http.Request) {
			if _, err := wire.KeyOf(r.Header); err == nil {
				giveKey(r)
			}
		}), "key mismatch"},
		"422 as 400":            {respoken(wire.ProblemKeyMismatch, 400), "key mismatch"},
		"409 for other content": {respoken(wire.ProblemKeyConflict, 409), "key conflict"},
		"replays whatever is asked": {corrected(func(b []byte, _ *http.Request) []byte {
			return bytes.ReplaceAll(b, []byte(`,"batch":77`), nil)
		}), "key conflict"},
		"conflicts are approved": {changed(func(h *refhost.Host) { h.Change = approve(wire.Conflict) }), "key conflict"},
		"books twice at once":    {twice(), "at once"},
		"a batch fails as a whole": {restated(func(rec *httptest.ResponseRecorder) {
			if strings.Contains(rec.Body.String(), `"not found"`) {
				rec.Code = 422
			}
		}), "part of a batch fails"},
		"voids anything":      {changed(func(h *refhost.Host) { h.Change = approve(wire.NotFound) }), "part of a batch fails"},
		"wants them in order": {inOrder(), "order"},
		"a cache by the key":  {byHeader(), "other content"},
		"knows no reversals": {changed(func(h *refhost.Host) {
			h.Decide = func(e wire.Entry) (wire.Verdict, string) {
				if e.Kind == queue.Reversal {
					return wire.Refused, "40"
				}
				return wire.Approved, "00"
			}
		}), "reversal"},
		"drops an early reversal": {dropping(), "reversal first"},
		"reads no deflate":        {restatedRequest(func(r *http.Request) bool { return r.Header.Get("Content-Encoding") == wire.Coding }, 415), "compressed"},
		"ignores the coding": {rewritten(func(r *http.Request) {
			if r.Header.Get("Content-Encoding") != wire.Coding {
				r.Header.Del("Content-Encoding")
			}
		}), "unknown coding"},
		"ignores the media type": {rewritten(func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }), "media type"},
		"reads any size":         {corrected(func(b []byte, r *http.Request) []byte { return bytes.TrimRight(b, " ") }), "too large"},
		"expands any size": {rewritten(func(r *http.Request) {
			if r.Header.Get("Content-Encoding") != wire.Coding {
				return
			}
			body, err := wire.ReadBody(r.Body, wire.Coding, 100<<20)
			if err == nil {
				r.Header.Del("Content-Encoding")
				r.Body = io.NopCloser(bytes.NewReader(bytes.TrimRight(body, " ")))
			}
		}), "bomb"},
		"skips unknown members": {corrected(func(b []byte, _ *http.Request) []byte { return bytes.ReplaceAll(b, []byte(`"surprise":1,`), nil) }), "bad JSON"},
		"takes the last of two": {corrected(func(b []byte, _ *http.Request) []byte {
			return bytes.Replace(b, []byte(`"epoch":1,"epoch":`), []byte(`"epoch":`), 1)
		}), "bad JSON"},
		"stops at the end": {corrected(func(b []byte, _ *http.Request) []byte { return bytes.TrimSuffix(b, []byte("{}")) }), "bad JSON"},
		"plain text for problems": {restated(func(rec *httptest.ResponseRecorder) {
			if rec.Code == 400 {
				rec.Header().Set("Content-Type", "text/plain")
			}
		}), "bad JSON"},
		"believes the keys of a batch": {believing(), "digest"},
		"busy without a word":          {restated(func(rec *httptest.ResponseRecorder) { rec.Header().Del("Retry-After") }), "Retry-After"},
		"busy until whenever": {restated(func(rec *httptest.ResponseRecorder) {
			if rec.Header().Get("Retry-After") != "" {
				rec.Header().Set("Retry-After", "soon")
			}
		}), "Retry-After"},
	}
}

func TestWrongHosts(t *testing.T) {
	seen := map[string]bool{}
	for name, w := range wrongHosts() {
		t.Run(name, func(t *testing.T) {
			results := check(t, w.host)
			broken := map[string]bool{}
			for _, r := range results {
				if !r.OK() {
					broken[r.Rule] = true
				}
			}
			require.Contains(t, broken, w.breaks, "%v", broken)
			t.Log(broken)
		})
		seen[w.breaks] = true
	}
	for _, r := range check(t, newBusyable()) {
		require.True(t, seen[r.Rule], "no wrong host breaks the rule %q", r.Rule)
	}
}

func ExampleCheck() {
	server := httptest.NewServer(&refhost.Host{}) // the host to check
	defer server.Close()
	results, err := conformance.Check(context.Background(), conformance.Target{Base: server.URL,
		Lane: queue.Lane{Host: "depot", Merchant: "898100000000001", Terminal: "10000001"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(results[0])
	broken, err := conformance.Write(io.Discard, results)
	fmt.Println(broken, err)
	// Output:
	// ok    line                   GET /v1/line answers 200 with a line for the terminal that was asked about
	// 0 <nil>
}
