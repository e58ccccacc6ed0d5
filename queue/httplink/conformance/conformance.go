// Package conformance checks a host of the HTTPS link from outside, by the rules
// of package wire: what a device relies on so that each entry has one effect. An
// author runs it in a Go test against his server (Test), or against any URL by
// the program in hostcheck.
//
// The host has to know the terminal. It books what the check sends, some 60 sales
// of one minor unit each under a journal id drawn at random, so it must be a test
// host or a test terminal.
package conformance

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// Target is the host to check.
type Target struct {
	// Base is what stands before /v1, as https://host[:port][/path].
	Base string
	// Lane is the terminal that the host knows.
	Lane queue.Lane
	// Client carries certificates and tokens. Default: http.DefaultClient, but
	// without following redirects.
	Client *http.Client
	// Journal is the journal to write as; zero: drawn at random. A host that knows
	// its devices' journals is told one here, which must be new to it.
	Journal wire.JournalID
	// Tender and Currency are those of the sales. Default: cash, CNY.
	Tender   queue.Tender
	Currency queue.Currency
	// Busy makes the host refuse the next request for now. Where it is nil only a
	// Retry-After that happens to be seen is checked.
	Busy func()
}

// Result is what became of one rule.
type Result struct {
	Rule     string // its name
	Expected string
	Got      string // what came instead; empty where the rule holds
	Skipped  string // why it could not be checked
}

// OK tells whether the rule holds, or was skipped.
func (r Result) OK() bool { return r.Got == "" }

// String returns one line, and one more for what came instead.
func (r Result) String() string {
	switch {
	case r.Skipped != "":
		return fmt.Sprintf("skip  %-22s %s (%s)", r.Rule, r.Expected, r.Skipped)
	case r.OK():
		return fmt.Sprintf("ok    %-22s %s", r.Rule, r.Expected)
	}
	return fmt.Sprintf("FAIL  %-22s %s\n      got: %s", r.Rule, r.Expected, r.Got)
}

// Check checks every rule and returns a result for each, in a fixed order. The
// error says that the target cannot be checked at all.
func Check(ctx context.Context, t Target) ([]Result, error) {
	c := &check{ctx: ctx, Target: t}
	var err error
	if c.base, err = url.Parse(t.Base); err != nil || c.base.Host == "" {
		return nil, fmt.Errorf("conformance: the base is no URL of a host")
	}
	if c.base.Path == "" {
		c.base.Path = "/"
	}
	if c.Lane.Host == "" || c.Lane.Merchant == "" || c.Lane.Terminal == "" {
		return nil, fmt.Errorf("conformance: all of the lane is required")
	}
	if c.Journal == (wire.JournalID{}) {
		rand.Read(c.Journal[:])
	}
	if c.Tender == 0 {
		c.Tender = queue.Cash
	}
	if c.Currency == 0 {
		c.Currency = queue.CNY
	}
	client := http.Client{Timeout: time.Minute}
	if t.Client != nil {
		client = *t.Client
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.client = &client
	c.started = time.Now().Truncate(time.Millisecond)
	var out []Result
	for _, r := range rules {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		got := r.check(c)
		res := Result{Rule: r.name, Expected: r.expected, Got: got.bad, Skipped: got.skipped}
		out = append(out, res)
	}
	return out, nil
}

// Write writes the results, one line each, and returns how many rules are broken.
func Write(w io.Writer, results []Result) (broken int, err error) {
	for _, r := range results {
		if !r.OK() {
			broken++
		}
		if _, err := fmt.Fprintln(w, r); err != nil {
			return broken, err
		}
	}
	_, err = fmt.Fprintf(w, "%d rules, %d broken\n", len(results), broken)
	return broken, err
}

// Test checks every rule as a subtest of t.
func Test(t *testing.T, target Target) {
	t.Helper()
	results, err := Check(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		t.Run(r.Rule, func(t *testing.T) {
			switch {
			case r.Skipped != "":
				t.Skip(r.Skipped)
			case !r.OK():
				t.Errorf("expected: %s\ngot: %s", r.Expected, r.Got)
			}
		})
	}
}
