package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// sample is a submission of n sales.
func sample(n int) wire.Submission {
	s := wire.Submission{Journal: wire.JournalID{1, 2, 3}, Epoch: 1, Lane: lane}
	for i := range n {
		e := wire.Entry{Seq: queue.ID(i + 1), Kind: queue.Advice, Op: queue.Sale, Tender: queue.Cash, Ref: fmt.Sprint("ref-", i),
			STAN: queue.STAN(i + 1), Amount: queue.Money{Minor: 100, Currency: queue.CNY}, Time: time.Unix(1_795_000_000, 0).UTC()}
		e.Key = s.KeyFor(e)
		s.Entries = append(s.Entries, e)
	}
	return s
}

func encoded(t testing.TB, s wire.Submission) string {
	t.Helper()
	body, err := s.Encode()
	require.NoError(t, err)
	return string(body)
}

// One damage, one place that the error names a row.
func TestBadSubmissions(t *testing.T) {
	one, two := sample(1), sample(2)
	good, several := encoded(t, one), encoded(t, two)
	swap := func(old, with string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, with, 1)
	}
	for name, c := range map[string]struct{ body, pointer string }{
		"empty":                     {"", ""},
		"no object":                 {"[]", ""},
		"cut short":                 {good[:len(good)-1], ""},
		"bytes behind the end":      {good + " x", ""},
		"a second value":            {good + "{}", ""},
		"bad UTF-8":                 {swap("ref-0", "ref-\xff"), ""},
		"half a surrogate":          {swap("ref-0", `ref-\ud800`), ""},
		"the other half":            {swap("ref-0", `ref-\udc00`), ""},
		"halves apart":              {swap("ref-0", `\ud800-\udc00`), ""},
		"too deep":                  {swap(`"cash"`, strings.Repeat("[", 20)+strings.Repeat("]", 20)), ""},
		"an unknown member":         {swap(`"epoch"`, `"foo":1,"epoch"`), "/foo"},
		"an unknown odd member":     {swap(`"epoch"`, `"6216261000000000018":1,"epoch"`), "/?"},
		"another case":              {swap(`"epoch"`, `"Epoch"`), "/Epoch"},
		"a member twice":            {swap(`"epoch":1`, `"epoch":1,"epoch":1`), ""},
		"an entry's member twice":   {swap(`"stan":1`, `"stan":1,"stan":1`), "/entries/0"},
		"null":                      {swap(`"cash"`, "null"), "/entries/0/tender"},
		"an unknown name":           {swap(`"cash"`, `"beads"`), "/entries/0/tender"},
		"a fraction":                {swap(`"amount":100`, `"amount":100.0`), "/entries/0/amount"},
		"an exponent":               {swap(`"amount":100`, `"amount":1e2`), "/entries/0/amount"},
		"negative":                  {swap(`"amount":100`, `"amount":-100`), "/entries/0/amount"},
		"zero":                      {swap(`"amount":100`, `"amount":0`), "/entries/0/amount"},
		"too much":                  {swap(`"amount":100`, `"amount":1000000000000`), "/entries/0/amount"},
		"beyond 64 bits":            {swap(`"seq":1`, `"seq":99999999999999999999999`), "/entries/0/seq"},
		"text for a number":         {swap(`"seq":1`, `"seq":"1"`), "/entries/0/seq"},
		"an empty text":             {swap(`"ref-0"`, `""`), "/entries/0/ref"},
		"a long text":               {swap(`ref-0`, strings.Repeat("r", 65)), "/entries/0/ref"},
		"a currency by letters":     {swap(`"156"`, `"CNY"`), "/entries/0/currency"},
		"no currency":               {swap(`"156"`, `"000"`), "/entries/0/currency"},
		"a signed currency":         {swap(`"156"`, `"+15"`), "/entries/0/currency"},
		"a time of another form":    {swap(`.000Z`, `Z`), "/entries/0/time"},
		"a time with +00:00":        {swap(`.000Z`, `.000+00:00`), "/entries/0/time"},
		"before 1970":               {swap(`"time":"2026`, `"time":"1969`), "/entries/0/time"},
		"a journal of another form": {swap(one.Journal.String(), strings.Repeat("A", 21)), "/journal"},
		"loose base64":              {swap(one.Journal.String(), strings.Repeat("A", 21)+"B"), "/journal"},
		"no entries":                {good[:strings.Index(good, "[")] + "[]}", "/entries"},
		"no epoch":                  {swap(`"epoch":1,`, ``), "/epoch"},
		"no kind":                   {swap(`"kind":"advice",`, ``), "/entries/0/kind"},
		"a void of nothing":         {swap(`"kind":"advice","op":"sale"`, `"kind":"request","op":"void"`), "/entries/0/original"},
		"a notice of a sale":        {swap(`"kind":"advice"`, `"kind":"notice"`), "/entries/0/kind"},
		"a reason of a sale":        {swap(`"kind":"advice"`, `"kind":"advice","reason":"fault"`), "/entries/0/reason"},
		"a whole card number":       {swap(`"stan":1`, `"stan":1,"pan":"6216261000000000018"`), "/entries/0/pan"},
		"data and its hash":         {swap(`"stan":1`, `"stan":1,"data":"AQ==","dataHash":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="`), "/entries/0/data"},
		"a short hash":              {swap(`"stan":1`, `"stan":1,"dataHash":"AQ=="`), "/entries/0/dataHash"},
		"a key of its own":          {swap(`"seq":1`, `"key":"`+one.Key().String()+`","seq":1`), "/entries/0/key"},
		"via itself":                {swap(`"host"`, `"via":"`+one.Journal.String()+`","host"`), "/via"},
		"a key less":                {strings.Replace(several, `"key":"`+two.Entries[1].Key.String()+`",`, "", 1), "/entries/1/key"},
		"one entry twice":           {strings.Replace(several, several[strings.Index(several, "},{")+2:len(several)-2], several[strings.Index(several, "[")+1:strings.Index(several, "},{")+1], 1), "/entries/1/key"},
	} {
		t.Run(name, func(t *testing.T) {
			key := one.Key()
			if strings.Contains(c.body, `"},{"key"`) {
				key = two.Key()
			}
			_, err := wire.DecodeSubmission([]byte(c.body), key)
			var p *wire.Problem
			require.True(t, errors.As(err, &p), "%v", err)
			require.Equal(t, wire.ProblemMalformed, p.Type, "%v", err)
			require.Equal(t, c.pointer, p.Pointer, "%v", err)
			require.Equal(t, http.StatusBadRequest, p.Status)
			require.NotContains(t, err.Error(), "6216261000000000018", "no value stands in an error")
		})
	}
	_, err := wire.DecodeSubmission([]byte(good), one.Key())
	require.NoError(t, err)
}

func TestTooManyAndTooLarge(t *testing.T) {
	s := sample(wire.MaxEntries + 1)
	_, err := s.Encode()
	require.Error(t, err)
	body := []byte(encoded(t, sample(2)))
	_, err = wire.DecodeSubmission(append(body, bytes.Repeat([]byte(" "), wire.MaxRequest)...), wire.Key{})
	require.ErrorContains(t, err, "allowed are up to")
	full := sample(wire.MaxEntries)
	_, err = wire.DecodeSubmission([]byte(encoded(t, full)), full.Key())
	require.NoError(t, err)
}

// The key stands for the content: neither can be exchanged.
func TestKeyMismatch(t *testing.T) {
	one, two := sample(1), sample(2)
	swapped := two
	swapped.Entries = []wire.Entry{two.Entries[1], two.Entries[0]}
	for name, c := range map[string]struct {
		body string
		key  wire.Key
	}{
		"another key":          {encoded(t, one), two.Key()},
		"changed content":      {strings.Replace(encoded(t, one), `"amount":100`, `"amount":999`, 1), one.Key()},
		"a changed journal":    {strings.Replace(encoded(t, one), one.Journal.String(), wire.JournalID{9}.String(), 1), one.Key()},
		"a changed terminal":   {strings.Replace(encoded(t, one), lane.Terminal, "10000002", 1), one.Key()},
		"another order":        {encoded(t, two), swapped.Key()},
		"a key of the batch's": {encoded(t, two), two.Entries[0].Key},
		"changed in a batch":   {strings.Replace(encoded(t, two), `"amount":100`, `"amount":999`, 1), two.Key()},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := wire.DecodeSubmission([]byte(c.body), c.key)
			var p *wire.Problem
			require.True(t, errors.As(err, &p), "%v", err)
			require.Equal(t, wire.ProblemKeyMismatch, p.Type)
			require.Equal(t, http.StatusUnprocessableEntity, p.Status)
		})
	}
}

// A restored copy sends the same content under another epoch, an importer by
// another way: the keys are the same.
func TestTheKeyKnowsNoEpoch(t *testing.T) {
	s := sample(3)
	was := s.Key()
	s.Epoch, s.Via = 7, wire.JournalID{9}
	again, err := wire.DecodeSubmission([]byte(encoded(t, s)), was)
	require.NoError(t, err)
	require.Equal(t, uint64(7), again.Epoch)
	require.Equal(t, wire.JournalID{9}, again.Via)
	require.Equal(t, was, again.Key())
	e := s.Entries[0]
	print := e.Fingerprint(s)
	e.Card, e.Of = &wire.Card{PAN: queue.NewSecret("4111111111111111")}, &wire.Original{RRN: "1"}
	require.Equal(t, print, e.Fingerprint(s), "the card is no part of what a host keeps")
	e.HostBatch = 5
	require.NotEqual(t, print, e.Fingerprint(s))
}

func TestKeyOf(t *testing.T) {
	k := sample(1).Key()
	for value, want := range map[string]wire.ProblemType{
		k.Header():                               "",
		"  " + k.Header() + "  ":                 "",
		k.Header() + `;a=1;b="x";c`:              "",
		k.String():                               wire.ProblemKeyMalformed,
		`"` + k.String():                         wire.ProblemKeyMalformed,
		`""`:                                     wire.ProblemKeyMalformed,
		`"` + k.String() + `A"`:                  wire.ProblemKeyMalformed,
		`"` + strings.Repeat("\u4e00", 22) + `"`: wire.ProblemKeyMalformed,
		`(` + k.Header() + `)`:                   wire.ProblemKeyMalformed,
		k.Header() + `, ` + k.Header():           wire.ProblemKeyMalformed,
		`:` + k.String() + `==:`:                 wire.ProblemKeyMalformed,
		`42`:                                     wire.ProblemKeyMalformed,
		``:                                       wire.ProblemKeyMalformed,
		`"` + strings.Repeat("A", 300) + `"`:     wire.ProblemKeyMalformed,
		`"` + strings.Repeat("A", 21) + `B"`:     wire.ProblemKeyMalformed,
	} {
		got, err := wire.KeyOf(http.Header{wire.KeyHeader: {value}})
		if want == "" {
			require.NoError(t, err, value)
			require.Equal(t, k, got)
			continue
		}
		var p *wire.Problem
		require.True(t, errors.As(err, &p), value)
		require.Equal(t, want, p.Type, value)
	}
	_, err := wire.KeyOf(http.Header{})
	var p *wire.Problem
	require.True(t, errors.As(err, &p))
	require.Equal(t, wire.ProblemKeyMissing, p.Type)
	_, err = wire.KeyOf(http.Header{wire.KeyHeader: {k.Header(), k.Header()}})
	require.True(t, errors.As(err, &p))
	require.Equal(t, wire.ProblemKeyMalformed, p.Type)
}

func TestReadBody(t *testing.T) {
	text := []byte(encoded(t, sample(5)))
	for _, c := range []string{"", "identity", "Identity"} {
		got, err := wire.ReadBody(bytes.NewReader(text), c, wire.MaxRequest)
		require.NoError(t, err)
		require.Equal(t, text, got)
	}
	small := wire.Compress(text)
	require.Less(t, len(small), len(text)/2)
	for _, c := range []string{wire.Coding, strings.ToUpper(wire.Coding)} {
		got, err := wire.ReadBody(bytes.NewReader(small), c, len(text))
		require.NoError(t, err)
		require.Equal(t, text, got)
	}
	_, err := wire.ReadBody(bytes.NewReader(small), wire.Coding, len(text)-1)
	require.ErrorIs(t, err, wire.ErrTooLarge)
	bomb := wire.Compress(bytes.Repeat([]byte(" "), 10<<20))
	require.Less(t, len(bomb), 20_000)
	_, err = wire.ReadBody(bytes.NewReader(bomb), wire.Coding, wire.MaxRequest)
	require.ErrorIs(t, err, wire.ErrTooLarge)
	var at *wire.SyntaxError
	for name, broken := range map[string][]byte{"behind the end": append(slices.Clone(small), 0), "cut": small[:len(small)-1], "rubbish": {0xff, 0xff}, "empty": {}} {
		_, err = wire.ReadBody(bytes.NewReader(broken), wire.Coding, wire.MaxRequest)
		require.True(t, errors.As(err, &at), "%s: %v", name, err)
	}
	var p *wire.Problem
	for _, c := range []string{"gzip", "tallystick-flate-2", "identity, " + wire.Coding} {
		_, err = wire.ReadBody(bytes.NewReader(text), c, wire.MaxRequest)
		require.True(t, errors.As(err, &p), c)
		require.Equal(t, wire.ProblemCoding, p.Type)
	}
}

func TestProblemsSurviveTheWay(t *testing.T) {
	for _, kind := range []wire.ProblemType{wire.ProblemMalformed, wire.ProblemKeyMissing, wire.ProblemKeyMalformed, wire.ProblemUnauthorized,
		wire.ProblemNotAllowed, wire.ProblemFenced, wire.ProblemInProgress, wire.ProblemTooLarge, wire.ProblemCoding, wire.ProblemMediaType,
		wire.ProblemKeyConflict, wire.ProblemKeyMismatch, wire.ProblemBusy, wire.ProblemMaintenance} {
		p := wire.NewProblem(kind, "a detail")
		p.Pointer, p.RetryAfter = "/entries/0", 1500*time.Millisecond
		w := httptest.NewRecorder()
		require.NoError(t, p.Write(w))
		require.Equal(t, p.Status, w.Code)
		require.Equal(t, "2", w.Header().Get("Retry-After"), "rounded up")
		require.Equal(t, wire.ProblemMedia, w.Header().Get("Content-Type"))
		got, err := wire.DecodeProblem(w.Code, w.Body.Bytes())
		require.NoError(t, err)
		p.RetryAfter = 0
		require.Equal(t, p, got)
		got, err = wire.DecodeProblem(http.StatusTeapot, w.Body.Bytes())
		require.NoError(t, err)
		require.Empty(t, got.Type, "a type is believed with its own status only")
	}
	got, err := wire.DecodeProblem(500, []byte(`{"type":"about:blank","title":"x","trace":{"a":[1,{"b":null}]},"balance":30}`))
	require.NoError(t, err, "unknown members are skipped, as RFC 9457 asks")
	require.Equal(t, &wire.Problem{Status: 500, Title: "x"}, got)
	for _, bad := range []string{``, `[]`, `{"title":1}`, `{"title":"a","title":"b"}`, `{} {}`} {
		_, err := wire.DecodeProblem(500, []byte(bad))
		require.Error(t, err, bad)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, c := range []struct {
		value, date string
		want        time.Duration
	}{
		{"", "", 0}, {"0", "", 0}, {"7", "", 7 * time.Second}, {" 7 ", "", 7 * time.Second}, {"3600", "", time.Hour}, {"3601", "", time.Hour},
		{"99999999999999999999", "", time.Hour}, {"-1", "", 0}, {"1.5", "", 0}, {"+3", "", 0}, {"0x10", "", 0}, {"soon", "", 0},
		{at(time.Minute), "", time.Minute}, {at(-time.Minute), "", 0}, {at(48 * time.Hour), "", time.Hour},
		{at(time.Minute), at(30 * time.Second), 30 * time.Second}, // the host's clock counts
		{at(100*time.Hour + time.Minute), at(100 * time.Hour), time.Minute},
		{now.Add(time.Minute).Format(time.RFC3339), "", 0}, {strings.Repeat("7", 100), "", 0},
	} {
		h := http.Header{}
		if c.value != "" {
			h.Set("Retry-After", c.value)
		}
		if c.date != "" {
			h.Set("Date", c.date)
		}
		require.Equal(t, c.want, wire.RetryAfter(h, now, time.Hour), "%q %q", c.value, c.date)
	}
}

func TestWriteJSONAsksWhatIsAccepted(t *testing.T) {
	body := []byte(`{"answers":[]}`)
	for accept, coded := range map[string]bool{"": false, "gzip": false, wire.Coding: true, "gzip, " + strings.ToUpper(wire.Coding) + ";q=0.5": true,
		wire.Coding + ";q=0": false, wire.Coding + ";q=0.000": false, "*": false} {
		r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
		r.Header.Set("Accept-Encoding", accept)
		require.NoError(t, wire.WriteJSON(w, r, body))
		require.Equal(t, coded, w.Header().Get("Content-Encoding") == wire.Coding, accept)
		got, err := wire.ReadBody(w.Body, w.Header().Get("Content-Encoding"), 100)
		require.NoError(t, err)
		require.Equal(t, body, got)
	}
}

func TestAnswersAreHeldToTheirRules(t *testing.T) {
	s := sample(1)
	for name, change := range map[string]func(*wire.Answer){
		"no verdict":                    func(a *wire.Answer) { a.Verdict = "" },
		"an unknown verdict":            func(a *wire.Answer) { a.Verdict = "maybe" },
		"no key":                        func(a *wire.Answer) { a.Key = wire.Key{} },
		"an approved part of an answer": func(a *wire.Answer) { a.Approved = 5 },
		"a part that is the whole":      func(a *wire.Answer) { a.Verdict, a.Approved = wire.Partial, a.Amount.Minor },
		"a part that is none":           func(a *wire.Answer) { a.Verdict = wire.Partial },
		"no STAN":                       func(a *wire.Answer) { a.STAN = 0 },
		"an amount without currency":    func(a *wire.Answer) { a.Amount.Currency = 0 },
		"a long code":                   func(a *wire.Answer) { a.Code = "12345" },
		"a long detail":                 func(a *wire.Answer) { a.Detail = strings.Repeat("x", 201) },
		"bad UTF-8":                     func(a *wire.Answer) { a.Detail = "\xff" },
	} {
		a := wire.AnswersTo(s)
		a.Answers = append(a.Answers, wire.AnswerTo(s.Entries[0], wire.Approved))
		_, err := a.Encode()
		require.NoError(t, err)
		change(&a.Answers[0])
		_, err = a.Encode()
		require.Error(t, err, name)
	}
}

// What the description requires of a body is required by both sides.
func TestWhatAnAnswerMustHave(t *testing.T) {
	s := sample(1)
	a := wire.AnswersTo(s)
	a.Answers = append(a.Answers, wire.AnswerTo(s.Entries[0], wire.Approved))
	body, err := a.Encode()
	require.NoError(t, err)
	for pointer, change := range map[string]func(*wire.Answers){
		"/journal":  func(a *wire.Answers) { a.Journal = wire.JournalID{} },
		"/host":     func(a *wire.Answers) { a.Lane.Host = "" },
		"/merchant": func(a *wire.Answers) { a.Lane.Merchant = strings.Repeat("x", 65) },
		"/terminal": func(a *wire.Answers) { a.Lane.Terminal = "\xff" },
		"/answers":  func(a *wire.Answers) { a.Answers = nil },
	} {
		var at *wire.SyntaxError
		bad := a
		change(&bad)
		_, err := bad.Encode()
		require.ErrorAs(t, err, &at)
		require.Equal(t, pointer, at.Pointer)

		var members map[string]any
		require.NoError(t, json.Unmarshal(body, &members))
		delete(members, pointer[1:])
		without, err := json.Marshal(members)
		require.NoError(t, err)
		_, err = wire.DecodeAnswers(without)
		require.ErrorAs(t, err, &at)
		require.Equal(t, pointer, at.Pointer)
	}
	for _, member := range []string{"host", "merchant", "terminal", "time"} {
		var members map[string]any
		require.NoError(t, json.Unmarshal(wire.NewLine(lane, time.Unix(1_795_000_000, 0)).Encode(), &members))
		delete(members, member)
		without, err := json.Marshal(members)
		require.NoError(t, err)
		var at *wire.SyntaxError
		_, err = wire.DecodeLine(without)
		require.ErrorAs(t, err, &at)
		require.Equal(t, "/"+member, at.Pointer)
	}
}

// What JSON cannot hold is refused before it is sent, naming the place.
func TestEncodeRefuses(t *testing.T) {
	for name, change := range map[string]func(*wire.Submission){
		"/entries/0/ref":      func(s *wire.Submission) { s.Entries[0].Ref = "\xff" },
		"/entries/0/operator": func(s *wire.Submission) { s.Entries[0].Operator = "\xff" },
		"/entries/0/key":      func(s *wire.Submission) { s.Entries[0].Key[0]++ },
		"/entries/0/pan":      func(s *wire.Submission) { s.Entries[0].MaskedPAN = "4111111111111111" },
		"/merchant":           func(s *wire.Submission) { s.Lane.Merchant = "\xff" },
		"/entries/0/kind":     func(s *wire.Submission) { s.Entries[0].Kind = 9 },
		"/entries/0/op":       func(s *wire.Submission) { s.Entries[0].Op = 9 },
		"/entries/0/tender":   func(s *wire.Submission) { s.Entries[0].Tender = 9 },
		"/entries/0/reason":   func(s *wire.Submission) { s.Entries[0].Reason = 9 },
		"/entries/0/card":     func(s *wire.Submission) { s.Entries[0].Card = &wire.Card{Sequence: "\xff"} },
	} {
		s := sample(1)
		change(&s)
		_, err := s.Encode()
		var at *wire.SyntaxError
		require.True(t, errors.As(err, &at), "%s: %v", name, err)
		require.Equal(t, name, at.Pointer)
		require.NotContains(t, err.Error(), "4111111111111111")
	}
}
