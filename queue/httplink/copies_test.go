package httplink_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/queue/httplink/internal/refhost"
)

// A device and the restored copy of its journal both deliver what the backup
// held: each entry is booked once, and both know its one answer (I10).
func TestARestoredCopyDoublesNothing(t *testing.T) {
	s := newTill(t, &refhost.Host{}, nil)
	s.append(s.told())
	require.NoError(t, s.Drain(t.Context(), lane, s.link)) // so that the host's lack of batch numbers is known
	for range 20 {
		s.append(s.told())
	}
	var backup bytes.Buffer
	require.NoError(t, s.Backup(t.Context(), &backup))
	require.NoError(t, s.Drain(t.Context(), lane, s.link))
	s.agree()

	q, err := queue.Restore(t.Context(), filepath.Join(t.TempDir(), "copy"), &backup, nil, &queue.Options{Unsealed: true, PrepareTimeout: time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { _ = q.Close() })
	require.Equal(t, uint64(2), q.Epoch())
	copied := &till{Queue: q, t: t, host: s.host}
	copied.connect(s.url, nil)
	require.NoError(t, q.Drain(t.Context(), lane, copied.link))
	copied.agree()
	require.Len(t, s.host.Bookings(), 21)
	for id := queue.ID(1); id <= 21; id++ {
		require.Equal(t, s.state(id).Answer.RRN, copied.state(id).Answer.RRN)
	}
}

// A line may lead through a proxy; one that does not let us out costs no attempt.
func TestThroughAProxy(t *testing.T) {
	var passed atomic.Int32
	forward := &httputil.ReverseProxy{Rewrite: func(*httputil.ProxyRequest) { passed.Add(1) }}
	proxy := httptest.NewServer(forward)
	t.Cleanup(proxy.Close)
	at, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	via := func(*http.Request) (*url.URL, error) { return at, nil }

	s := newTill(t, &refhost.Host{}, &httplink.Options{Plain: true, Proxy: via})
	s.append(s.told())
	require.NoError(t, s.Drain(t.Context(), lane, s.link))
	s.agree()
	require.Positive(t, passed.Load())

	forward.Rewrite = nil
	proxy.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	l, err := httplink.New(lane, "https://host.example", s.Queue, &httplink.Options{Proxy: via})
	require.NoError(t, err)
	_, err = l.Send(t.Context(), s.append(s.told()))
	require.ErrorIs(t, err, queue.ErrNotSent)
	require.NoError(t, l.Close())
}
