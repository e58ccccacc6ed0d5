package isolink_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

// hasty is the link of a till over a line that fails. It waits no longer than it
// must, for what is lost does not come; the busier the machine is, the longer.
type hasty struct {
	t    *testing.T
	q    *queue.Queue
	anew func(isolink.Options) (*isolink.Link, error)

	mu       sync.Mutex // guards what follows
	link     *isolink.Link
	opts     isolink.Options
	patience time.Duration
	failures int
}

// longest is how long such a link waits at most.
const longest = 10 * time.Second

// newHasty makes the link, on a line that does not fail yet.
func newHasty(t *testing.T, q *queue.Queue, anew func(isolink.Options) (*isolink.Link, error)) *hasty {
	h := &hasty{t: t, q: q, anew: anew}
	h.waits(plenty, isolink.Options{})
	t.Cleanup(func() { require.NoError(t, h.up().Close()) })
	start := time.Now()
	_, err := h.up().Prepare(t.Context())
	require.NoError(t, err)
	h.waits(min(max(150*time.Millisecond, 4*time.Since(start)), 2*time.Second), isolink.Options{})
	return h
}

// up is the link as it is now.
func (h *hasty) up() *isolink.Link {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.link
}

// renew exchanges the link for one with other options.
func (h *hasty) renew(o isolink.Options) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.exchange(h.patience, o)
}

// waits is renew with another patience.
func (h *hasty) waits(patience time.Duration, o isolink.Options) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.exchange(patience, o)
}

func (h *hasty) exchange(patience time.Duration, o isolink.Options) {
	if h.link != nil {
		require.NoError(h.t, h.link.Close())
	}
	h.patience, h.opts = patience, o
	o.AnswerTimeout, o.TryTimeout, o.LineTimeout = patience, patience, 2*patience
	var err error
	h.link, err = h.anew(o)
	require.NoError(h.t, err)
}

// failed counts something that came to nothing; when that is often, the link gets
// more time.
func (h *hasty) failed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failures++; h.failures%6 == 0 {
		h.exchange(max(h.patience, min(2*h.patience, longest)), h.opts)
	}
}

// deliver drains the lane. Where that takes long a link with more time takes over,
// which the host has not put off either.
func (h *hasty) deliver() {
	for {
		h.mu.Lock()
		link, most := h.link, max(h.patience, min(30*h.patience, 2*longest))
		h.mu.Unlock()
		ctx, cancel := context.WithTimeout(h.t.Context(), most)
		err := h.q.Drain(ctx, cardLane, link)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			require.NoError(h.t, err)
			return
		}
		h.mu.Lock()
		h.exchange(max(h.patience, min(2*h.patience, longest)), h.opts)
		h.mu.Unlock()
	}
}
