package httplink_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/queue/httplink/internal/refhost"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// posts lets fn answer the first submission in the host's place.
func first(fn http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	var once sync.Once
	return func(w http.ResponseWriter, r *http.Request) (done bool) {
		if r.Method == http.MethodPost {
			once.Do(func() { fn(w, r); done = true })
		}
		return done
	}
}

func problem(t wire.ProblemType) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _ = wire.NewProblem(t, "").Write(w) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

// What a status, a problem or a broken answer means for an advice and for a
// request that a customer waits for. Doubt is the answer to all that does not say
// by a problem of ours that nothing was booked.
func TestWhatAnAnswerMeans(t *testing.T) {
	const (
		accepted = queue.Accepted
		declined = queue.Declined
		parked   = queue.Parked
		doubt    = queue.InDoubt
	)
	unlike := func(change func(*wire.Answers)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { (&refhost.Host{Change: change}).ServeHTTP(w, r) }
	}
	verdict := func(v wire.Verdict) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			(&refhost.Host{Decide: func(wire.Entry) (wire.Verdict, string) { return v, "77" }}).ServeHTTP(w, r)
		}
	}
	raw := func(media, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, c := range map[string]struct {
		host            http.HandlerFunc
		advice, request queue.State
		foreign         bool
	}{
		"approved":    {verdict(wire.Approved), accepted, accepted, false},
		"partial":     {verdict(wire.Partial), parked, doubt, false},
		"duplicate":   {verdict(wire.Duplicate), parked, parked, false},
		"unavailable": {verdict(wire.Unavailable), doubt, declined, false},
		"not found":   {verdict(wire.NotFound), parked, declined, false},
		"refused":     {verdict(wire.Refused), parked, declined, false},
		"unknown":     {verdict(wire.Unknown), doubt, doubt, false},
		"conflict":    {verdict(wire.Conflict), parked, parked, false},

		"problem malformed":     {problem(wire.ProblemMalformed), parked, declined, false},
		"problem key missing":   {problem(wire.ProblemKeyMissing), parked, declined, false},
		"problem key malformed": {problem(wire.ProblemKeyMalformed), parked, declined, false},
		"problem key mismatch":  {problem(wire.ProblemKeyMismatch), parked, declined, false},
		"problem key conflict":  {problem(wire.ProblemKeyConflict), parked, parked, false},
		"problem in progress":   {problem(wire.ProblemInProgress), doubt, doubt, false},
		"problem too large":     {problem(wire.ProblemTooLarge), parked, declined, false},
		"problem media type":    {problem(wire.ProblemMediaType), parked, declined, false},
		"problem fenced":        {problem(wire.ProblemFenced), parked, declined, false},
		"problem busy":          {problem(wire.ProblemBusy), doubt, declined, false},
		"problem unauthorized":  {problem(wire.ProblemUnauthorized), doubt, accepted, false}, // asked once more
		"problem not allowed":   {problem(wire.ProblemNotAllowed), doubt, declined, false},

		"400":                {status(400), doubt, doubt, false},
		"401":                {status(401), doubt, doubt, false},
		"404":                {status(404), doubt, doubt, false},
		"409":                {status(409), doubt, doubt, false},
		"422":                {status(422), doubt, doubt, false},
		"429":                {status(429), doubt, doubt, false},
		"500":                {status(500), doubt, doubt, false},
		"502":                {status(502), doubt, doubt, false},
		"503 of a gateway":   {status(503), doubt, doubt, false},
		"204":                {status(204), doubt, doubt, false},
		"200 without a body": {status(200), doubt, doubt, false},
		"our problem, other status": {func(w http.ResponseWriter, _ *http.Request) {
			p := wire.NewProblem(wire.ProblemMalformed, "")
			p.Status = 500
			_ = p.Write(w)
		}, doubt, doubt, false},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, doubt, doubt, false},
		"HTML":                       {raw("text/html", "<html>"), doubt, doubt, false},
		"broken JSON":                {raw("application/json", `{"answers":[`), doubt, doubt, false},
		"too much":                   {raw("application/json", strings.Repeat(" ", wire.MaxResponse)+"{}"), doubt, doubt, false},
		"a broken connection":        {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, doubt, doubt, false},
		"an answer for another key":  {unlike(func(a *wire.Answers) { a.Answers[0].Key[0]++ }), doubt, doubt, false},
		"an answer for another seq":  {unlike(func(a *wire.Answers) { a.Answers[0].Seq++ }), doubt, doubt, false},
		"an answer for another STAN": {unlike(func(a *wire.Answers) { a.Answers[0].STAN++ }), doubt, doubt, false},
		"another amount":             {unlike(func(a *wire.Answers) { a.Answers[0].Amount.Minor++ }), doubt, doubt, false},
		"another currency":           {unlike(func(a *wire.Answers) { a.Answers[0].Amount.Currency++ }), doubt, doubt, false},
		"two answers":                {unlike(func(a *wire.Answers) { a.Answers = append(a.Answers, a.Answers[0]) }), doubt, doubt, false},
		"another terminal":           {unlike(func(a *wire.Answers) { a.Lane.Terminal = "10000002" }), doubt, doubt, true},
		"another merchant":           {unlike(func(a *wire.Answers) { a.Lane.Merchant = "898100000000002" }), doubt, doubt, true},
		"another journal":            {unlike(func(a *wire.Answers) { a.Journal[0]++ }), doubt, doubt, true},
	} {
		for kind, want := range map[queue.Kind]queue.State{queue.Advice: c.advice, queue.Request: c.request} {
			t.Run(fmt.Sprintf("%s/%s", name, kind), func(t *testing.T) {
				var suspects []error
				var mu sync.Mutex
				s := newTill(t, &refhost.Host{Before: first(c.host)}, &httplink.Options{Plain: true, OnEvent: func(ev httplink.Event) {
					mu.Lock()
					defer mu.Unlock()
					if ev.Kind == httplink.Suspect {
						suspects = append(suspects, ev.Err)
					}
				}})
				e := sendOnce(t, s, kind)
				require.Equal(t, want, e.State, e.ParkedWhy)
				mu.Lock()
				defer mu.Unlock()
				var bad *httplink.AnswerError
				require.Equal(t, c.foreign, len(suspects) > 0 && errors.As(suspects[0], &bad) && bad.Foreign)
			})
		}
	}
}

// sendOnce makes one attempt of an entry of kind and returns it as it is then.
func sendOnce(t *testing.T, s *till, kind queue.Kind) queue.Entry {
	t.Helper()
	if kind == queue.Request {
		e, err := s.Do(t.Context(), s.link, s.sale())
		if err != nil {
			require.ErrorIs(t, err, queue.ErrInDoubt)
		}
		return s.state(e.ID)
	}
	e := s.append(s.told())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	_, err := s.link.Prepare(ctx)
	require.NoError(t, err)
	once := &onceOnly{Link: s.link, stop: cancel}
	_ = s.Drain(ctx, lane, once)
	require.Equal(t, 1, once.sends)
	return s.state(e.ID)
}

// onceOnly is a link that is taken away behind its first Send.
type onceOnly struct {
	*httplink.Link
	stop  func()
	sends int
}

func (o *onceOnly) Window() int { return 1 }

func (o *onceOnly) Send(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	defer o.stop()
	o.sends++
	return o.Link.Send(context.WithoutCancel(ctx), e)
}

// One entry that the host cannot read holds up none of the others.
func TestAPoisonedBatchGoesInHalves(t *testing.T) {
	h := &refhost.Host{}
	var splits atomic.Int32
	h.Before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		sub, err := wire.ReadSubmission(r)
		require.NoError(t, err)
		for _, e := range sub.Entries {
			if e.Ref == "poison" {
				_ = wire.NewProblem(wire.ProblemMalformed, "").Write(w)
				return true
			}
		}
		again, err := sub.Encode()
		require.NoError(t, err)
		r.Body = bodyOf(again)
		r.Header.Del("Content-Encoding")
		return false
	}
	s := newTill(t, h, &httplink.Options{Plain: true, OnEvent: func(ev httplink.Event) {
		if ev.Kind == httplink.Split {
			splits.Add(1)
		}
	}})
	for i := range 16 {
		x := s.told()
		if i == 5 {
			x.Ref = "poison"
		}
		s.append(x)
	}
	require.NoError(t, s.Drain(t.Context(), lane, s.link))
	for id := queue.ID(1); id <= 16; id++ {
		want := queue.Accepted
		if id == 6 {
			want = queue.Parked
		}
		require.Equal(t, want, s.state(id).State, "entry %d", id)
		require.Equal(t, 1, s.state(id).Attempts, "entry %d", id)
	}
	require.Positive(t, splits.Load())
}

// A host that forgot our coding since it told its line gets the same in plain.
func TestARefusedCodingIsLeftOut(t *testing.T) {
	h := &refhost.Host{Before: first(func(w http.ResponseWriter, r *http.Request) {
		require.Equal(t, wire.Coding, r.Header.Get("Content-Encoding"))
		problem(wire.ProblemCoding)(w, r)
	})}
	s := newTill(t, h, nil)
	e, err := s.Do(t.Context(), s.link, s.sale())
	require.NoError(t, err)
	require.Equal(t, queue.Accepted, e.State)
}

// A host without our dictionary gets plain JSON from the first request on.
func TestNoCodingWithoutTheDictionary(t *testing.T) {
	for name, change := range map[string]func(*wire.Line){
		"another dictionary": func(l *wire.Line) { l.Dictionary = strings.Repeat("0", 64) },
		"no coding":          func(l *wire.Line) { l.Codings = nil },
	} {
		t.Run(name, func(t *testing.T) {
			h := &refhost.Host{Line: change}
			h.Before = func(_ http.ResponseWriter, r *http.Request) bool {
				require.Empty(t, r.Header.Get("Content-Encoding"))
				return false
			}
			s := newTill(t, h, nil)
			e, err := s.Do(t.Context(), s.link, s.sale())
			require.NoError(t, err)
			require.Equal(t, queue.Accepted, e.State)
		})
	}
}

// A sale at the merchant's risk is not lost by a busy host.
func TestADeferredSaleOutlivesABusyHost(t *testing.T) {
	s := newTill(t, &refhost.Host{Before: first(problem(wire.ProblemBusy))}, nil)
	x := s.sale()
	_, err := s.AppendAtRisk(t.Context(), x)
	require.NoError(t, err)
	require.NoError(t, s.Drain(t.Context(), lane, s.link))
	s.agree()
	require.Equal(t, x.Amount.Minor, s.host.Balance(lane))
}

// What decides nothing is not kept by the host: the next attempt is decided anew.
func TestUnavailableIsDecidedAnew(t *testing.T) {
	var tries atomic.Int32
	h := &refhost.Host{Decide: func(wire.Entry) (wire.Verdict, string) {
		switch tries.Add(1) {
		case 1:
			return wire.Unavailable, "91"
		case 2:
			return wire.Unknown, "09"
		}
		return wire.Approved, "00"
	}}
	s := newTill(t, h, nil)
	e := s.append(s.told())
	require.NoError(t, s.Drain(t.Context(), lane, s.link))
	require.Equal(t, queue.Accepted, s.state(e.ID).State)
	require.EqualValues(t, 3, tries.Load())
	s.agree()
}

func TestHostsLimitsAreKept(t *testing.T) {
	var mu sync.Mutex
	most := 0
	h := &refhost.Host{Line: func(l *wire.Line) { l.MaxEntries = 3 }}
	h.Change = func(a *wire.Answers) {
		mu.Lock()
		defer mu.Unlock()
		most = max(most, len(a.Answers))
	}
	s := newTill(t, h, nil)
	for range 20 {
		s.append(s.told())
	}
	require.NoError(t, s.Drain(t.Context(), lane, s.link))
	s.agree()
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, 3, most)
}

// What waits behind a split request does not wait for the part of it that is
// silent.
func TestASilentHalfHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, release := &refhost.Host{}, make(chan struct{})
		h.Before = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost {
				return false
			}
			body, err := wire.ReadBody(r.Body, r.Header.Get("Content-Encoding"), wire.MaxRequest)
			require.NoError(t, err)
			r.Body = bodyOf(body)
			r.Header.Del("Content-Encoding")
			switch {
			case bytes.Contains(body, []byte(`"ref-9"`)):
				<-release
			case bytes.Contains(body, []byte(`"ref-1"`)) && bytes.Contains(body, []byte(`"ref-2"`)):
				_ = wire.NewProblem(wire.ProblemTooLarge, "").Write(w)
				return true
			case bytes.Contains(body, []byte(`"ref-2"`)):
				<-r.Context().Done()
				return true
			}
			return false
		}
		l := newPipeLink(t, newPipes(t, h), fakeJournal{}, httplink.Options{AnswerTimeout: time.Second})
		_, err := l.Prepare(t.Context())
		require.NoError(t, err)
		ends := make(chan error, 3)
		send := func(id queue.ID) {
			go func() { _, err := l.Send(t.Context(), entryOf(id, queue.Advice)); ends <- err }()
			synctest.Wait()
		}
		send(9)
		send(1)
		send(2)
		close(release) // the two go together now
		require.NoError(t, <-ends)
		require.NoError(t, <-ends)
		require.Error(t, <-ends)
		start := time.Now()
		a, err := l.Send(t.Context(), entryOf(3, queue.Advice))
		require.NoError(t, err)
		require.Equal(t, queue.Approved, a.Verdict)
		require.Zero(t, time.Since(start))
		require.NoError(t, l.Close())
	})
}

// An entry for another link is no fault of the entry: it is not parked.
func TestAnotherLanesEntry(t *testing.T) {
	l, err := httplink.New(lane, "https://host", fakeJournal{}, nil)
	require.NoError(t, err)
	e := entryOf(1, queue.Advice)
	e.Lane.Terminal = "10000002"
	_, err = l.Send(t.Context(), e)
	require.ErrorIs(t, err, queue.ErrNotSent)
	require.NotErrorIs(t, err, queue.ErrUnsendable)
	require.NoError(t, l.Close())
}

// What JSON cannot hold, or is not what the journal says, never leaves.
func TestUnsendable(t *testing.T) {
	l, err := httplink.New(lane, "https://host", fakeJournal{}, nil)
	require.NoError(t, err)
	bad := entryOf(1, queue.Advice)
	bad.Ref = "\xff"
	_, err = l.Send(t.Context(), bad)
	require.ErrorIs(t, err, queue.ErrUnsendable)
	require.NoError(t, l.Close())
	l, err = httplink.New(lane, "https://host", wrongJournal{}, nil)
	require.NoError(t, err)
	_, err = l.Send(t.Context(), entryOf(1, queue.Advice))
	require.ErrorIs(t, err, queue.ErrUnsendable)
	require.NoError(t, l.Close())
}

type wrongJournal struct{ fakeJournal }

func (wrongJournal) Digest(queue.Entry) [32]byte { return [32]byte{} }

// The app's own code may fail in every way: nothing hangs, nothing crashes.
func TestTheAppsCodeFails(t *testing.T) {
	h := &refhost.Host{}
	server, client := secured(t, h, true)
	release := make(chan struct{})
	defer close(release)
	for name, token := range map[string]func(context.Context) (queue.Secret, error){
		"hangs":  func(context.Context) (queue.Secret, error) { <-release; return queue.Secret{}, nil },
		"panics": func(context.Context) (queue.Secret, error) { panic(testPAN) },
	} {
		l, err := httplink.New(lane, server.URL, fakeJournal{}, &httplink.Options{TLS: client, Token: token})
		require.NoError(t, err)
		for _, kind := range []queue.Kind{queue.Request, queue.Advice} {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			_, err = l.Send(ctx, entryOf(1, kind))
			cancel()
			require.ErrorIs(t, err, queue.ErrNotSent, name)
			require.NotContains(t, err.Error(), testPAN)
		}
		require.NoError(t, l.Close())
	}
	l, err := httplink.New(lane, server.URL, &breakingJournal{}, &httplink.Options{TLS: client})
	require.NoError(t, err)
	_, err = l.Send(t.Context(), entryOf(1, queue.Advice))
	require.Error(t, err)
	require.NotContains(t, err.Error(), testPAN)
	require.NoError(t, l.Close())
}

// breakingJournal panics once the entry is on its way.
type breakingJournal struct {
	fakeJournal
	asked atomic.Int32
}

func (j *breakingJournal) Epoch() uint64 {
	if j.asked.Add(1) > 1 {
		panic(testPAN)
	}
	return 1
}
