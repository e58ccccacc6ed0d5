package queue

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// wantsSignIn is a host that answers so many requests by asking for a sign-in.
type wantsSignIn struct {
	times     int
	onPrepare func(n int) error // nil: there is a line
	onAsk     func()            // before it asks

	prepares int
	got      []Entry
}

func (h *wantsSignIn) Prepare(context.Context) (Line, error) {
	h.prepares++
	if h.onPrepare != nil {
		return Line{}, h.onPrepare(h.prepares)
	}
	return Line{HostBatch: uint32(40 + min(h.prepares, 2))}, nil
}

func (h *wantsSignIn) Send(ctx context.Context, e Entry) (Answer, error) {
	h.got = append(h.got, e)
	if len(h.got) > h.times {
		return approve(ctx, e)
	}
	if h.onAsk != nil {
		h.onAsk()
	}
	return Answer{Verdict: Unavailable, Code: "A0", SignIn: true}, nil
}

// A host that wants a sign-in has not looked at the sale: it is asked once more
// behind it, as an entry with a number and a batch of its own.
func TestTheHostWantsASignInFirst(t *testing.T) {
	q := openNew(t, fast)
	h := &wantsSignIn{times: 1}
	sale := cardSale("s")
	sale.Card.PINBlock = NewSecret("0123456789ABCDEF")
	e, err := q.Do(bg, h, sale)
	require.NoError(t, err)
	require.Equal(t, Accepted, e.State)
	require.EqualValues(t, 2, e.ID)
	require.Equal(t, "s", e.Ref)
	require.Equal(t, 2, h.prepares)
	require.Len(t, h.got, 2)
	require.NotEqual(t, h.got[0].STAN, h.got[1].STAN)
	require.EqualValues(t, 42, h.got[1].HostBatch)
	for _, sent := range h.got {
		require.Equal(t, sale.Card.PINBlock.Reveal(), sent.Card.PINBlock.Reveal())
		require.Equal(t, sale.Card.Track2.Reveal(), sent.Card.Track2.Reveal())
		require.False(t, sent.Repeat)
	}
	first, err := q.Get(bg, 1)
	require.NoError(t, err)
	require.Equal(t, Declined, first.State)
	require.Equal(t, "A0", first.Answer.Code)
	again, err := q.Do(bg, h, sale)
	require.NoError(t, err)
	require.Equal(t, e.ID, again.ID, "the ref stands for the one that counts")

	h.times = 3
	void := Transaction{Ref: "v", Lane: cardLane, Op: Void, Original: e.ID}
	e, err = q.Do(bg, h, void)
	require.NoError(t, err)
	require.Equal(t, Accepted, e.State)
	require.Len(t, h.got, 4)
	require.NoError(t, q.Verify(bg))
}

// It is asked once more, not for ever.
func TestAHostThatWantsSignInsForEver(t *testing.T) {
	q := openNew(t, fast)
	h := &wantsSignIn{times: 1000}
	e, err := q.Do(bg, h, cardSale("s"))
	require.NoError(t, err)
	require.Equal(t, Declined, e.State)
	require.EqualValues(t, 2, e.ID)
	require.Len(t, h.got, 2)
	require.NoError(t, q.Verify(bg))
}

// Where the sign-in fails the sale waits, for the app to take it offline.
func TestTheSignInThatTheHostWantsFails(t *testing.T) {
	q := openNew(t, fast)
	h := &wantsSignIn{times: 1, onPrepare: func(n int) error {
		if n > 1 {
			return errNoLine
		}
		return nil
	}}
	e, err := q.Do(bg, h, cardSale("s"))
	require.ErrorIs(t, err, ErrNotSent)
	require.ErrorIs(t, err, errNoLine)
	require.EqualValues(t, 2, e.ID)
	require.Equal(t, Pending, e.State)
	_, err = q.TakeOffline(bg, e.ID, "Y1")
	require.NoError(t, err)
	h.onPrepare = nil
	require.NoError(t, q.Drain(bg, cardLane, h))
	require.Equal(t, Accepted, stateOf(t, q, "s"))
}

// A session that ends between Prepare and Send costs one Prepare more, and no
// number: nothing was sent.
func TestTheSessionEndsBeforeTheSend(t *testing.T) {
	q := openNew(t, fast)
	prepares, sends := 0, 0
	lost := 1
	up := uplink{
		prepare: func(context.Context) (Line, error) {
			prepares++
			return Line{}, nil
		},
		send: func(ctx context.Context, e Entry) (Answer, error) {
			if sends++; sends <= lost {
				return Answer{}, fmt.Errorf("%w: signed off", ErrPrepareFirst)
			}
			return approve(ctx, e)
		}}
	e, err := q.Do(bg, up, cardSale("s"))
	require.NoError(t, err)
	require.Equal(t, Accepted, e.State)
	require.EqualValues(t, 1, e.ID)
	require.Equal(t, []int{2, 2}, []int{prepares, sends})

	lost = 1000
	e, err = q.Do(bg, up, cardSale("t"))
	require.ErrorIs(t, err, ErrNotSent)
	require.Equal(t, Pending, e.State)
	require.Equal(t, 4, sends, "once more, not for ever")

	sends, lost = 0, 1
	up.prepare = func(context.Context) (Line, error) {
		if sends > 0 {
			return Line{}, errNoLine
		}
		return Line{}, nil
	}
	e, err = q.Do(bg, up, cardSale("u"))
	require.ErrorIs(t, err, errNoLine)
	require.Equal(t, "u", e.Ref)
	require.Equal(t, Pending, e.State)
}

// A crash behind the refusal leaves a sale that nothing was sent of: it is not
// shown as declined, and Do sends it.
func TestACrashBeforeTheSignIn(t *testing.T) {
	q := openNew(t, fast)
	var died *Queue
	h := &wantsSignIn{times: 1}
	h.onPrepare = func(n int) error {
		if n == 2 {
			died = crashed(t, q, fast)
		}
		return nil
	}
	_, err := q.Do(bg, h, cardSale("s"))
	require.NoError(t, err)
	require.Equal(t, Pending, stateOf(t, died, "s"))
	e, err := died.Do(bg, uplink{send: approve}, cardSale("s"))
	require.NoError(t, err)
	require.Equal(t, Accepted, e.State)
	require.NoError(t, died.Verify(bg))
}

// A refusal that took too long, or that nobody waits for any more, is the last
// word.
func TestTheSignInComesTooLate(t *testing.T) {
	for name, slow := range map[string]bool{"half of the time is gone": true, "the customer has gone": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := openNew(t, Options{})
				defer q.Close()
				ctx, cancel := context.WithCancel(bg)
				defer cancel()
				h := &wantsSignIn{times: 1, onAsk: func() {
					if slow {
						time.Sleep(30 * time.Second)
					} else {
						cancel()
					}
				}}
				e, err := q.Do(ctx, h, cardSale("s"))
				require.NoError(t, err)
				require.Equal(t, Declined, e.State)
				require.EqualValues(t, 1, e.ID)
				require.Len(t, h.got, 1)
			})
		})
	}
}
