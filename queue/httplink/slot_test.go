package httplink_test

import (
	"context"
	"errors"
	"net/http"
	"strconv"
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

// entryOf is an entry as a journal would hand it to the link.
func entryOf(id queue.ID, kind queue.Kind) queue.Entry {
	return queue.Entry{ID: id, Kind: kind, STAN: queue.STAN(id), Attempts: 1, State: queue.InDoubt,
		Transaction: queue.Transaction{Ref: "ref-" + strconv.Itoa(int(id)), Lane: lane, Op: queue.Sale, Tender: queue.Cash, Amount: cny(100), Time: time.Unix(1_795_000_000, 0)}}
}

// What a host asks for by Retry-After is kept to, and up to a tenth is added;
// meanwhile nothing is sent and nothing is in doubt.
func TestRetryAfterIsASlot(t *testing.T) {
	for name, c := range map[string]struct {
		header string
		want   time.Duration
	}{
		"seconds":     {"30", 30 * time.Second},
		"a date":      {"in 90 s", 90 * time.Second},
		"too long":    {"864000", time.Hour},
		"digits":      {"99999999999999999999999999", time.Hour},
		"a past date": {"Fri, 31 Dec 1999 15:04:05 GMT", 0},
		"zero":        {"0", 0},
		"rubbish":     {"soon", 0},
		"negative":    {"-5", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var posts atomic.Int32
				h := &refhost.Host{}
				h.Before = func(w http.ResponseWriter, r *http.Request) bool {
					if r.Method != http.MethodPost || posts.Add(1) > 1 {
						return false
					}
					value := c.header
					if value == "in 90 s" {
						// The host's clock is days ahead of the device's.
						ahead := time.Now().Add(100 * time.Hour)
						w.Header().Set("Date", ahead.UTC().Format(http.TimeFormat))
						value = ahead.Add(90 * time.Second).UTC().Format(http.TimeFormat)
					}
					w.Header().Set("Retry-After", value)
					_ = wire.NewProblem(wire.ProblemBusy, "").Write(w)
					return true
				}
				ctx := t.Context()
				l := newPipeLink(t, newPipes(t, h), fakeJournal{}, httplink.Options{})
				defer l.Close()
				_, err := l.Prepare(ctx)
				require.NoError(t, err)
				start := time.Now()
				a, err := l.Send(ctx, entryOf(1, queue.Advice))
				require.NoError(t, err)
				require.Equal(t, queue.Unavailable, a.Verdict)
				require.Equal(t, c.want, a.RetryAfter)

				var wait *httplink.WaitError
				_, err = l.Send(ctx, entryOf(1, queue.Advice))
				if c.want == 0 {
					require.NoError(t, err)
					return
				}
				require.ErrorIs(t, err, queue.ErrNotSent)
				require.True(t, errors.As(err, &wait))
				require.Equal(t, c.want, wait.RetryAfter())
				require.Equal(t, c.want, wait.Until.Sub(start))
				require.EqualValues(t, 1, posts.Load())
				_, err = l.Prepare(ctx)
				require.NoError(t, err, "the host was heard: a customer's payment may go")
				a, err = l.Send(ctx, entryOf(2, queue.Request))
				require.NoError(t, err)
				require.Equal(t, queue.Approved, a.Verdict)

				time.Sleep(time.Until(wait.Until))
				a, err = l.Send(ctx, entryOf(1, queue.Advice))
				require.NoError(t, err)
				require.Equal(t, queue.Approved, a.Verdict)
			})
		})
	}
}

// A reversal that is outstanding holds up no customer for as long as the host's
// slot lasts: it goes before the request, alone.
func TestAReversalInASlot(t *testing.T) {
	posts := 0
	h := &refhost.Host{Before: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost {
			return false
		}
		switch posts++; posts {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			w.Header().Set("Retry-After", "1800")
			_ = wire.NewProblem(wire.ProblemBusy, "").Write(w)
			return true
		}
		return false
	}}
	s := newTill(t, h, nil)
	ctx := t.Context()
	_, err := s.Do(ctx, s.link, s.sale())
	require.ErrorIs(t, err, queue.ErrInDoubt)
	_, err = s.Do(ctx, s.link, s.sale())
	require.ErrorIs(t, err, queue.ErrHeldBack, "the reversal was not answered")
	pace, err := s.Pace(lane)
	require.NoError(t, err)
	require.Equal(t, queue.PaceSlot, pace.Why)
	e, err := s.Do(ctx, s.link, s.sale())
	require.NoError(t, err)
	require.Equal(t, queue.Accepted, e.State)
	s.append(s.told())
	var wait *httplink.WaitError
	_, err = s.link.Send(ctx, entryOf(9, queue.Advice))
	require.ErrorAs(t, err, &wait, "all else waits")
	require.Equal(t, 4, posts)
}

// The forwarder keeps to the slot, and adds up to a tenth, never the same for
// two devices; a planned pause counts as no failure.
func TestSlotsAreKeptAndSpread(t *testing.T) {
	again := map[time.Duration]bool{}
	for i := range 8 {
		kind := wire.ProblemBusy
		if i%2 == 1 {
			kind = wire.ProblemMaintenance
		}
		synctest.Test(t, func(t *testing.T) {
			var at []time.Time
			h := &refhost.Host{}
			h.Before = func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPost {
					return false
				}
				if at = append(at, time.Now()); len(at) > 1 {
					return false
				}
				p := wire.NewProblem(kind, "")
				p.RetryAfter = 100 * time.Second
				_ = p.Write(w)
				return true
			}
			q := openJournal(t)
			l := newPipeLink(t, newPipes(t, h), q, httplink.Options{})
			_, err := q.Append(t.Context(), queue.Transaction{Ref: "a", Lane: lane, Op: queue.Sale, Tender: queue.Cash, Amount: cny(5)})
			require.NoError(t, err)
			require.NoError(t, q.Drain(t.Context(), lane, l))
			require.Len(t, at, 2)
			wait := at[1].Sub(at[0])
			require.GreaterOrEqual(t, wait, 100*time.Second)
			require.LessOrEqual(t, wait, 110*time.Second)
			again[wait] = true
			require.NoError(t, l.Close())
			require.NoError(t, q.Close())
		})
	}
	require.Greater(t, len(again), 4)
}

// A planned pause is told as one, with an answer and with an error.
func TestAPlannedPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &refhost.Host{Before: func(w http.ResponseWriter, _ *http.Request) bool {
			problem(wire.ProblemMaintenance)(w, nil)
			return true
		}}
		l := newPipeLink(t, newPipes(t, h), fakeJournal{}, httplink.Options{})
		defer l.Close()
		a, err := l.Send(t.Context(), entryOf(1, queue.Advice))
		require.NoError(t, err)
		require.Equal(t, queue.Unavailable, a.Verdict)
		require.True(t, a.Planned)
		_, err = l.Prepare(t.Context())
		var line *httplink.LineError
		require.True(t, errors.As(err, &line))
		require.True(t, line.Planned())
		reason, code := line.LineReason()
		require.Equal(t, "host_busy 503", reason+" "+code)
	})
}

// A gateway's Retry-After is kept to as well, but says nothing of the entry.
func TestAGatewaysRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &refhost.Host{Before: first(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusServiceUnavailable)
		})}
		l := newPipeLink(t, newPipes(t, h), fakeJournal{}, httplink.Options{})
		defer l.Close()
		_, err := l.Prepare(t.Context())
		require.NoError(t, err)
		_, err = l.Send(t.Context(), entryOf(1, queue.Advice))
		require.NotErrorIs(t, err, queue.ErrNotSent)
		var line *httplink.LineError
		require.True(t, errors.As(err, &line))
		require.Equal(t, 30*time.Second, line.RetryAfter())
		require.False(t, line.Planned())
		var wait *httplink.WaitError
		_, err = l.Prepare(t.Context())
		require.True(t, errors.As(err, &wait), "the line is in question, and may not be asked for now")
		time.Sleep(30 * time.Second)
		_, err = l.Prepare(t.Context())
		require.NoError(t, err)
	})
}

// The wait ends with Options.AnswerTimeout. An answer that comes later is handed
// over by LateAnswers; one that never comes ends after another minute.
func TestALateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &refhost.Host{Decide: func(e wire.Entry) (wire.Verdict, string) {
			if e.Seq == 1 {
				time.Sleep(70 * time.Second)
			}
			return wire.Approved, "00"
		}}
		var late atomic.Int32
		l := newPipeLink(t, newPipes(t, h), fakeJournal{}, httplink.Options{OnEvent: func(ev httplink.Event) {
			if ev.Kind == httplink.CameLate {
				late.Add(1)
			}
		}})
		defer l.Close()
		start := time.Now()
		_, err := l.Send(t.Context(), entryOf(1, queue.Request))
		var line *httplink.LineError
		require.True(t, errors.As(err, &line), "%v", err)
		require.Equal(t, httplink.Silent, line.Reason)
		require.NotErrorIs(t, err, queue.ErrNotSent)
		require.Equal(t, 60*time.Second, time.Since(start))
		a, err := l.Send(t.Context(), entryOf(2, queue.Request))
		require.NoError(t, err)
		require.Equal(t, queue.Approved, a.Verdict)
		require.Empty(t, l.LateAnswers())
		time.Sleep(11 * time.Second)
		synctest.Wait()
		require.EqualValues(t, 1, late.Load())
		all := l.LateAnswers()
		require.Len(t, all, 1)
		require.Equal(t, queue.ID(1), all[0].ID)
		require.Equal(t, queue.Approved, all[0].Answer.Verdict)
		require.Empty(t, l.LateAnswers())
	})
}

// A host that never answers holds nothing for ever: four requests at most are
// read on, and each for a minute.
func TestASilentHostIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var under, most atomic.Int32
		h := &refhost.Host{Before: func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost {
				return false
			}
			_, err := wire.ReadSubmission(r)
			require.NoError(t, err)
			most.Store(max(most.Load(), under.Add(1)))
			<-r.Context().Done()
			under.Add(-1)
			return true
		}}
		l := newPipeLink(t, newPipes(t, h), fakeJournal{}, httplink.Options{AnswerTimeout: time.Second})
		defer l.Close()
		for i := range 20 {
			_, err := l.Send(t.Context(), entryOf(queue.ID(i+1), queue.Advice))
			require.Error(t, err)
			require.NotErrorIs(t, err, queue.ErrNotSent)
		}
		synctest.Wait()
		require.LessOrEqual(t, most.Load(), int32(6))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Zero(t, under.Load())
	})
}

// Before there is a connection nothing has left the device.
func TestNotSentIsProven(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes(t, &refhost.Host{})
		refusal := errors.New("no such network")
		p.refuse = func() error { return refusal }
		l := newPipeLink(t, p, fakeJournal{}, httplink.Options{})
		for _, kind := range []queue.Kind{queue.Advice, queue.Request} {
			_, err := l.Send(t.Context(), entryOf(1, kind))
			require.ErrorIs(t, err, queue.ErrNotSent)
			require.ErrorIs(t, err, refusal)
		}
		// A dial that hangs is called back, and nothing left either.
		block := make(chan struct{})
		p.refuse = func() error { <-block; return refusal }
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, kind := range []queue.Kind{queue.Advice, queue.Request} {
			_, err := l.Send(ctx, entryOf(1, kind))
			require.ErrorIs(t, err, queue.ErrNotSent)
		}
		close(block)
		require.NoError(t, l.Close())
		_, err := l.Send(t.Context(), entryOf(1, queue.Advice))
		require.ErrorIs(t, err, queue.ErrNotSent)
		require.ErrorIs(t, err, httplink.ErrClosed)
		_, err = l.Prepare(t.Context())
		require.ErrorIs(t, err, httplink.ErrClosed)
	})
}

// Nothing blocks Close, and it says of each Send whether it is in doubt.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &refhost.Host{Before: func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost {
				_, _ = wire.ReadSubmission(r)
			}
			<-r.Context().Done()
			return true
		}}
		l := newPipeLink(t, newPipes(t, h), fakeJournal{}, httplink.Options{})
		ends := make(chan error, 3)
		go func() { _, err := l.Send(t.Context(), entryOf(1, queue.Advice)); ends <- err }()
		go func() { _, err := l.Prepare(t.Context()); ends <- err }()
		synctest.Wait()
		go func() { _, err := l.Send(t.Context(), entryOf(2, queue.Advice)); ends <- err }()
		synctest.Wait()
		start := time.Now()
		require.NoError(t, l.Close())
		require.NoError(t, l.Close())
		unsent := 0
		for range 3 {
			err := <-ends
			require.ErrorIs(t, err, httplink.ErrClosed)
			if errors.Is(err, queue.ErrNotSent) {
				unsent++
			}
		}
		require.Equal(t, 1, unsent, "the second waited for the first")
		require.Zero(t, time.Since(start))
	})
}

// The line is asked for at first, after silence and after a while, not each time.
func TestPrepareAsksWhereNeeded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int32
		h := &refhost.Host{Line: func(l *wire.Line) { asked.Add(1); l.HostBatch = uint32(asked.Load()) }}
		l := newPipeLink(t, newPipes(t, h), fakeJournal{}, httplink.Options{})
		defer l.Close()
		prepare := func(want uint32) {
			t.Helper()
			line, err := l.Prepare(t.Context())
			require.NoError(t, err)
			require.Equal(t, want, line.HostBatch)
			require.False(t, line.HostTime.IsZero())
		}
		prepare(1)
		prepare(1)
		time.Sleep(30 * time.Second)
		_, err := l.Send(t.Context(), entryOf(1, queue.Advice))
		require.NoError(t, err)
		time.Sleep(40 * time.Second)
		prepare(1) // it was heard meanwhile
		time.Sleep(61 * time.Second)
		prepare(2)
		h.Before = first(status(500))
		_, err = l.Send(t.Context(), entryOf(2, queue.Advice))
		require.Error(t, err)
		prepare(3)
	})
}

func TestPrepareRefusesAForeignLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &refhost.Host{Line: func(l *wire.Line) { l.Lane.Merchant = "another" }}
		l := newPipeLink(t, newPipes(t, h), fakeJournal{}, httplink.Options{})
		defer l.Close()
		_, err := l.Prepare(t.Context())
		var bad *httplink.AnswerError
		require.True(t, errors.As(err, &bad))
		require.True(t, bad.Foreign)
	})
}
