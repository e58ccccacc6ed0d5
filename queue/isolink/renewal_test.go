package isolink_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

// Eight sales at once that meet a host which has other keys by now are asked once
// more; one sign-in is enough for all of them.
func TestSalesOutliveAnotherSignIn(t *testing.T) {
	s := newTill(t, host.Mischief{})
	ctx := context.Background()
	var signIns atomic.Int32
	s.again(t, &isolink.Options{Window: 8, OnEvent: func(ev isolink.Event) {
		if ev.Kind == isolink.SigningIn {
			signIns.Add(1)
		}
	}})
	other := s.newLink(t, cardLane)
	for round := range 4 {
		_, err := s.link.Prepare(ctx)
		require.NoError(t, err)
		require.NoError(t, other.Renew(ctx))
		var sales sync.WaitGroup
		var states [8]queue.State
		var errs [8]error
		for i := range states {
			sales.Go(func() {
				e, err := s.Do(ctx, s.link, cardSale(fmt.Sprintf("sale-%d-%d", round, i), int64(100+i)))
				states[i], errs[i] = e.State, err
			})
		}
		sales.Wait()
		require.NoError(t, errors.Join(errs[:]...))
		for _, state := range states {
			require.Equal(t, queue.Accepted, state)
		}
		require.EqualValues(t, round+2, signIns.Load())
	}
	require.Zero(t, s.agree(t))
}

// retiring takes the sign-in and nothing more, and says so.
type retiring struct {
	net.Conn
	writes int
}

func (c *retiring) Write(b []byte) (int, error) {
	if c.writes++; c.writes > 1 {
		return 0, fmt.Errorf("%w: retired", queue.ErrNotSent)
	}
	return c.Conn.Write(b)
}

// A connection that is no plain one can say that nothing left over it.
func TestAWriteOfWhichNothingLeft(t *testing.T) {
	h := newScripted(t, nil)
	l, err := isolink.New(lane, func(ctx context.Context) (net.Conn, error) {
		c, err := isolink.TCP(h.ln.Addr().String())(ctx)
		return &retiring{Conn: c}, err
	}, new(series), h.tmk, nil)
	require.NoError(t, err)
	defer l.Close()
	_, err = h.send(l, cardEntry())
	require.ErrorIs(t, err, queue.ErrNotSent)
	require.Equal(t, 1, h.total())
}
