package httplink

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// Prepare asks the host for its line where that is needed: at first, after a
// failure, and when it was not heard for Options.AskAfter. It says under which
// batch number the host books, if it has any, and what else its line tells. With
// a line that is ready it returns at once. In a slot it asks nothing.
//
// Errors: a *LineError, a *WaitError, an *AnswerError, ErrClosed. With all of
// them nothing of an entry was sent.
func (l *Link) Prepare(ctx context.Context) (queue.Line, error) {
	ctx, cancel := context.WithTimeout(ctx, l.opts.AnswerTimeout)
	defer cancel()
	stop := context.AfterFunc(l.life, cancel)
	defer stop()
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return queue.Line{}, l.whyEnded(lineError("line", ctx.Err()))
	}
	l.mu.Lock()
	line, err := l.line, l.heldBack()
	ready := l.asked && (l.opts.AskAfter < 0 || time.Since(l.heard) < l.opts.AskAfter)
	var wait *WaitError
	if errors.As(err, &wait) && l.asked {
		ready, err = true, nil // a payment that a customer waits for may go
	}
	l.mu.Unlock()
	if err == nil && !ready {
		if line, err = l.ask(ctx); err == nil {
			l.mu.Lock()
			l.line, l.asked, l.heard, l.plain = line, true, time.Now(), false
			l.mu.Unlock()
			l.tell(Event{Kind: Ready, Batch: line.HostBatch})
		}
	}
	if err != nil {
		err = l.whyEnded(err)
		l.tell(Event{Kind: NoLine, Err: err})
		return queue.Line{}, err
	}
	return queue.Line{HostBatch: line.HostBatch, HostTime: line.Time, Spread: line.Spread}, nil
}

func (l *Link) whyEnded(err error) error {
	if l.life.Err() != nil {
		return ErrClosed
	}
	return err
}

func (l *Link) ask(ctx context.Context) (wire.Line, error) {
	u := l.base.JoinPath(wire.LinePath)
	u.RawQuery = url.Values{"host": {l.lane.Host}, "merchant": {l.lane.Merchant}, "terminal": {l.lane.Terminal}}.Encode()
	req := (&http.Request{Method: http.MethodGet, URL: u, Host: u.Host, Header: http.Header{}}).WithContext(ctx)
	l.mu.Lock()
	via := l.http
	l.mu.Unlock()
	r := l.roundTrip(req, via, new(atomic.Bool))
	switch {
	case r.err != nil:
		if ctx.Err() != nil {
			l.mu.Lock()
			l.renew()
			l.mu.Unlock()
		}
		return wire.Line{}, r.err
	case r.problem != nil || r.status != http.StatusOK:
		return wire.Line{}, r.refusal("line")
	}
	line, err := wire.DecodeLine(r.body)
	if err != nil {
		return wire.Line{}, &AnswerError{Err: err}
	}
	if line.Lane != l.lane {
		err := &AnswerError{Foreign: true}
		l.tell(Event{Kind: Suspect, Err: err})
		return wire.Line{}, err
	}
	return line, nil
}

// refusal is the error of a response that is no answer.
func (r response) refusal(during string) *LineError {
	e := &LineError{During: during, Reason: HostRefused, Status: r.status, after: r.after}
	if r.problem != nil {
		e.Err = r.problem
		if deaf(r.problem.Type) {
			e.Reason = Unauthorized
		}
	}
	return e
}

var (
	errNoAnswer = errors.New("the host's answer has none for this entry")
	errTwice    = errors.New("two answers for one entry")
)
