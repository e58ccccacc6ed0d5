package httplink

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tallystick/tallystick/internal/resume"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// Link is the line of one terminal to its host. It is safe for concurrent use.
type Link struct {
	lane    queue.Lane
	base    *url.URL
	journal Journal
	opts    Options
	resumed *resume.Sessions

	life context.Context // ends with Close
	end  context.CancelFunc
	work sync.WaitGroup
	turn chan struct{} // whoever holds its one token asks for the line

	coming atomic.Int32 // Sends that are about to hand over their parcel

	mu       sync.Mutex
	http     *http.Transport
	line     wire.Line
	asked    bool      // line is known, and nothing went wrong since
	heard    time.Time // when the host was heard last
	slot     time.Time // not before this is anything sent
	plain    bool      // the host refused our coding
	waiting  []*parcel // for the next request
	flushing bool
	old      []*flight // flights that nobody waits for any more, oldest first
	late     []queue.LateAnswer
}

// New makes the link of lane's terminal to the host at base,
// https://host[:port][/path]. Nothing is dialled before the first Prepare or Send.
//
// It refuses a base that is no such URL, or would show a token or a card.
func New(lane queue.Lane, base string, journal Journal, opts *Options) (*Link, error) {
	o := opts.withDefaults()
	u, err := o.check(base)
	if err != nil {
		return nil, err
	}
	if journal == nil || lane.Host == "" || lane.Merchant == "" || lane.Terminal == "" {
		return nil, errors.New("httplink: the journal and all of the lane are required")
	}
	if o.TLS = o.TLS.Clone(); o.TLS == nil {
		o.TLS = &tls.Config{}
	}
	l := &Link{lane: lane, base: u, journal: journal, resumed: resume.New(4), turn: make(chan struct{}, 1)}
	if o.TLS.ClientSessionCache == nil {
		o.TLS.ClientSessionCache = l.resumed
	}
	l.opts, l.http = o, o.transport()
	l.life, l.end = context.WithCancel(context.Background())
	return l, nil
}

// Window is Options.Window.
func (l *Link) Window() int { return l.opts.Window }

// Close ends all that is under way and returns once nothing of the link runs any
// more. It may be called more than once. What was under way is in doubt, unless
// provably nothing of it had left.
func (l *Link) Close() error {
	l.mu.Lock()
	l.end() // under the lock: no work is begun behind it
	l.mu.Unlock()
	l.work.Wait()
	l.turn <- struct{}{} // a Prepare returns soon, for its ctx has ended
	<-l.turn
	l.mu.Lock()
	defer l.mu.Unlock()
	l.http.CloseIdleConnections()
	return nil
}

// heldBack says what keeps the background from being sent: Close, or the host's
// slot. The caller holds mu.
func (l *Link) heldBack() error {
	if l.life.Err() != nil {
		return ErrClosed
	}
	if time.Now().Before(l.slot) {
		return &WaitError{l.slot}
	}
	return nil
}

// heed takes the host's Retry-After as a slot, and returns it. The forwarder of
// package queue, which is told by errors and answers, adds up to a tenth, so that
// not all devices come back in one moment, and keeps it over a restart.
func (l *Link) heed(h http.Header) time.Duration {
	wait := wire.RetryAfter(h, time.Now(), l.opts.MaxRetryAfter)
	if wait <= 0 {
		return 0
	}
	until := time.Now().Add(wait)
	l.mu.Lock()
	l.slot = until
	l.mu.Unlock()
	l.tell(Event{Kind: Slot, Err: &WaitError{until}})
	return wait
}

// trust notes that the host was heard, or that the line is in question.
func (l *Link) trust(ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if ok {
		l.heard = time.Now()
	} else {
		l.asked = false
	}
}

// LateAnswers returns the answers that came after the wait for them had ended,
// oldest first, at most 256: older ones are forgotten, as a repeat or a reversal
// settles what they were about. A request is read on for a minute after the last
// of those who wait for it has gone, up to four at once.
func (l *Link) LateAnswers() []queue.LateAnswer {
	l.mu.Lock()
	defer l.mu.Unlock()
	late := l.late
	l.late = nil
	return late
}
