package httplink_test

import (
	"context"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// pipes is a network in memory, for tests under synctest: what is dialled is
// accepted by a server of its own.
type pipes struct {
	conns  chan net.Conn
	done   chan struct{}
	once   sync.Once
	refuse func() error // of a dial; nil: none
}

func newPipes(t *testing.T, h http.Handler) *pipes {
	p := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: h}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(p) }()
	t.Cleanup(func() {
		require.NoError(t, server.Close())
		<-served
	})
	return p
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { p.once.Do(func() { close(p.done) }); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if p.refuse != nil {
		if err := p.refuse(); err != nil {
			return nil, err
		}
	}
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// fakeJournal gives the identities of entries that are in no journal.
type fakeJournal struct{}

func (fakeJournal) JournalID() [16]byte { return [16]byte{1, 2, 3} }
func (fakeJournal) Epoch() uint64       { return 1 }
func (j fakeJournal) Digest(e queue.Entry) [32]byte {
	w, of := wire.FromQueue(e, j.JournalID())
	return w.Digest(wire.Submission{Journal: of, Lane: e.Lane})
}

func newPipeLink(t *testing.T, p *pipes, j httplink.Journal, o httplink.Options) *httplink.Link {
	t.Helper()
	o.Plain, o.Dial = true, p.dial
	l, err := httplink.New(lane, "http://host", j, &o)
	require.NoError(t, err)
	return l
}
