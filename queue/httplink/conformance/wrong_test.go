package conformance_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/internal/refhost"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// bodyOf reads a request's body and puts it back.
func bodyOf(r *http.Request) []byte {
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body
}

// lax reads a submission without a look at its keys, as far as the check's own
// entries need.
func lax(body []byte) (s wire.Submission, ok bool) {
	var in struct {
		Journal, Host, Merchant, Terminal string
		Epoch                             uint64
		Entries                           []struct {
			Seq, Stan, Original, Batch                    uint64
			Kind, Op, Tender, Ref, Currency, Time, Reason string
			Amount                                        int64
		}
	}
	if json.Unmarshal(body, &in) != nil {
		return s, false
	}
	journal, err := wire.ParseKey(in.Journal)
	if err != nil {
		return s, false
	}
	s = wire.Submission{Journal: wire.JournalID(journal), Epoch: in.Epoch, Lane: queue.Lane{Host: in.Host, Merchant: in.Merchant, Terminal: in.Terminal}}
	place := func(names []string, n string) int { return slices.Index(names, n) + 1 }
	for _, e := range in.Entries {
		at, _ := time.Parse(time.RFC3339Nano, e.Time)
		currency, _ := strconv.Atoi(e.Currency)
		x := wire.Entry{Seq: queue.ID(e.Seq), STAN: queue.STAN(e.Stan), Original: queue.ID(e.Original), HostBatch: uint32(e.Batch), Ref: e.Ref, Time: at,
			Kind:   queue.Kind(place([]string{"request", "advice", "reversal", "notice"}, e.Kind)),
			Op:     queue.Op(place([]string{"sale", "void", "refund", "report"}, e.Op)),
			Tender: queue.Tender(place([]string{"card", "qr", "cash"}, e.Tender)),
			Reason: queue.Reason(place([]string{"no answer", "bad MAC", "fault", "other"}, e.Reason)),
			Amount: queue.Money{Minor: e.Amount, Currency: queue.Currency(currency)}}
		x.Key = s.KeyFor(x)
		s.Entries = append(s.Entries, x)
	}
	return s, len(s.Entries) > 0
}

// giveKey puts the key of the body into a request, as if the host looked at none.
func giveKey(r *http.Request) {
	if s, ok := lax(bodyOf(r)); ok {
		r.Header.Set(wire.KeyHeader, s.Key().Header())
	}
}

// believing makes the keys of a batch those of its content.
func believing() http.Handler {
	h := newBusyable()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, ok := lax(bodyOf(r)); ok && len(s.Entries) > 1 {
			if body, err := s.Encode(); err == nil {
				r.Body = io.NopCloser(bytes.NewReader(body))
				r.Header.Set(wire.KeyHeader, s.Key().Header())
			}
		}
		h.ServeHTTP(w, r)
	})
}

// elsewhere lets a host that has booked nothing answer what choose picks.
func elsewhere(choose func(h *refhost.Host, s wire.Submission) bool) http.Handler {
	h := newBusyable()
	var mu sync.Mutex
	n := 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		s, ok := lax(bodyOf(r))
		chosen := ok && choose(h.Host, s)
		n++
		rrn := fmt.Sprint("anew", n)
		mu.Unlock()
		if !chosen {
			h.ServeHTTP(w, r)
			return
		}
		(&refhost.Host{Change: func(a *wire.Answers) {
			for i := range a.Answers {
				a.Answers[i].RRN = rrn
			}
		}}).ServeHTTP(w, r)
	})
}

func forgetful(when func(wire.Submission) bool) http.Handler {
	return elsewhere(func(_ *refhost.Host, s wire.Submission) bool { return when(s) })
}

// twice books what it is sent the sixth time anew, as a host may that has no lock.
func twice() http.Handler {
	seen := map[wire.Key]int{}
	return forgetful(func(s wire.Submission) bool {
		seen[s.Key()]++
		return seen[s.Key()] == 6
	})
}

// dropping approves a reversal that comes first, and forgets it.
func dropping() http.Handler {
	return elsewhere(func(h *refhost.Host, s wire.Submission) bool {
		e := s.Entries[0]
		return e.Kind == queue.Reversal && !slices.ContainsFunc(h.Bookings(), func(b refhost.Booking) bool { return b.Entry.Seq == e.Original })
	})
}

// inOrder refuses what is older than the newest.
func inOrder() http.Handler {
	h := newBusyable()
	var mu sync.Mutex
	var newest queue.ID
	h.Decide = func(e wire.Entry) (wire.Verdict, string) {
		mu.Lock()
		defer mu.Unlock()
		if e.Seq < newest {
			return wire.Refused, "05"
		}
		newest = e.Seq
		return wire.Approved, "00"
	}
	return h
}

// restatedRequest answers what when picks with a bare status.
func restatedRequest(when func(*http.Request) bool, status int) http.Handler {
	h := newBusyable()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if when(r) {
			w.WriteHeader(status)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// approve turns one verdict into an approval.
func approve(v wire.Verdict) func(*wire.Answers) {
	return func(a *wire.Answers) {
		for i := range a.Answers {
			if a.Answers[i].Verdict == v {
				a.Answers[i].Verdict = wire.Approved
			}
		}
	}
}

// byHeader replays whatever it answered under an Idempotency-Key, without a look
// at the body, as a cache in front of a host does.
func byHeader() http.Handler {
	h := newBusyable()
	var mu sync.Mutex
	kept := map[string]*httptest.ResponseRecorder{}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		key := r.Header.Get(wire.KeyHeader)
		rec := kept[key]
		if rec == nil || r.Method == http.MethodGet {
			rec = httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			if rec.Code == http.StatusOK {
				kept[key] = rec
			}
		}
		for k, v := range rec.Header() {
			w.Header()[k] = v
		}
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}
