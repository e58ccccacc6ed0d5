package queue

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func (s *trials) prepared() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Now())
}

func (s *trials) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.at...)
}

// noLine never gets a line.
func (s *trials) noLine() uplink {
	return uplink{prepare: func(context.Context) (Line, error) { s.prepared(); return Line{}, errNoLine }}
}

// line gets one and sends by send.
func (s *trials) line(send func(context.Context, Entry) (Answer, error)) uplink {
	return uplink{prepare: func(context.Context) (Line, error) { s.prepared(); return Line{}, nil },
		send: func(ctx context.Context, e Entry) (Answer, error) {
			s.mu.Lock()
			s.sends = append(s.sends, e)
			s.mu.Unlock()
			return send(ctx, e)
		}}
}

func (s *trials) sent() (refs []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.sends {
		refs = append(refs, e.Ref)
	}
	return refs
}

// forwarding runs Forward in a bubble and returns what ends it.
func forwarding(t *testing.T, q *Queue, l Lane, up Uplink) (stop func()) {
	ctx, cancel := context.WithCancel(bg)
	done := make(chan error, 1)
	go func() { done <- q.Forward(ctx, l, up) }()
	return func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	}
}

func mustAppend(t *testing.T, q *Queue, tr Transaction) Entry {
	t.Helper()
	e, err := q.Append(bg, tr)
	require.NoError(t, err)
	return e
}

func paceOf(t *testing.T, q *Queue, l Lane) Pace {
	t.Helper()
	p, err := q.Pace(l)
	require.NoError(t, err)
	return p
}

type windowed struct {
	uplink
	n int
}

func (w windowed) Window() int { return w.n }
