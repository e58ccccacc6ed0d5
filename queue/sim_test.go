package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// simHost is a host in memory that loses, repeats and refuses, and keeps a
// ledger by (host batch, STAN).
type simHost struct {
	rng      *rand.Rand
	batch    uint32
	ledger   map[[2]uint32]*simBooking
	crash    func() // called at random points of a send
	lossless bool
}

type simBooking struct {
	ref      string
	amount   int64
	times    int
	reversed bool
	tomb     bool
}

var errCrash = errors.New("the device died")

func (h *simHost) Prepare(context.Context) (Line, error) {
	if !h.lossless && h.rng.IntN(12) == 0 {
		return Line{}, errors.New("no network")
	}
	return Line{HostBatch: h.batch}, nil
}

func (h *simHost) Send(_ context.Context, e Entry) (Answer, error) {
	if h.lossless {
		return h.book(e), nil
	}
	switch h.rng.IntN(10) {
	case 0:
		return Answer{}, ErrNotSent
	case 1:
		return Answer{}, errSilent // the request was lost
	case 2:
		h.book(e)
		return Answer{}, errSilent // the answer was lost
	case 3:
		h.crash()
		return Answer{}, errCrash
	case 4:
		h.book(e)
		h.crash()
		return Answer{}, errCrash
	case 5:
		return Answer{Verdict: Unavailable, Code: "96"}, nil
	case 6:
		if e.Kind == Request {
			return Answer{Verdict: Refused, Code: "51"}, nil
		}
	}
	return h.book(e), nil
}

func (h *simHost) book(e Entry) Answer {
	k := [2]uint32{e.HostBatch, uint32(e.STAN)}
	b := h.ledger[k]
	switch {
	case e.Kind == Reversal && b == nil:
		h.ledger[k] = &simBooking{tomb: true}
		return Answer{Verdict: NotFound, Code: "25"}
	case e.Kind == Reversal:
		b.reversed = true
		return Answer{Verdict: Approved, Code: "00"}
	case b == nil:
		h.ledger[k] = &simBooking{ref: e.Ref, amount: e.Amount.Minor, times: 1}
		return Answer{Verdict: Approved, Code: "00", RRN: fmt.Sprintf("%012d", len(h.ledger))}
	case b.tomb:
		return Answer{Verdict: NotFound, Code: "12"}
	case b.ref != e.Ref:
		b.times++ // a second sale under one identity: the test fails on it
	}
	return Answer{Verdict: Duplicate, Code: "94"}
}

// TestDeviceAndHostAgree lives many short days of random sales, losses and
// crashes, and compares every entry with the host's ledger at the end.
func TestDeviceAndHostAgree(t *testing.T) {
	days := uint64(60)
	if testing.Short() {
		days = 10
	}
	for seed := range days {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			liveDay(t, seed)
		})
	}
}

func liveDay(t *testing.T, seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 7))
	opts := Options{RetryMin: 1, RetryMax: 2, ReversalTries: 1000}
	q := openNew(t, opts)
	h := &simHost{rng: rng, batch: 1, ledger: map[[2]uint32]*simBooking{}}
	died := false
	var next *Queue
	h.crash = func() {
		if !died {
			died, next = true, crashed(t, q, opts)
		}
	}
	reboot := func() {
		if died {
			require.NoError(t, q.Close())
			q, died = next, false
		}
	}
	acked := map[string]State{}
	for i := range 40 {
		ref := fmt.Sprint("s", i)
		switch rng.IntN(4) {
		case 0, 1:
			e, err := q.Do(bg, h, cardSale(ref))
			if !died && err == nil {
				acked[ref] = e.State
			}
		case 2:
			if _, err := q.Append(bg, offlineSale(ref)); err == nil {
				acked[ref] = Accepted
			}
		case 3:
			ctx, cancel := context.WithCancel(bg)
			_ = q.Drain(ctx, cardLane, stopAfter{h, rng.IntN(4), cancel, &died})
			cancel()
		}
		reboot()
	}
	h.lossless = true
	require.NoError(t, q.Drain(bg, cardLane, h))
	require.NoError(t, q.Verify(bg))
	compareLedgers(t, q, h, acked)
}

// stopAfter ends a Drain after n sends, or when the device has died.
type stopAfter struct {
	*simHost
	n      int
	cancel context.CancelFunc
	died   *bool
}

func (s stopAfter) Send(ctx context.Context, e Entry) (Answer, error) {
	a, err := s.simHost.Send(ctx, e)
	if s.n--; s.n <= 0 || *s.died {
		s.cancel()
	}
	return a, err
}

func (s stopAfter) Prepare(ctx context.Context) (Line, error) {
	if *s.died {
		s.cancel()
		return Line{}, errCrash
	}
	return s.simHost.Prepare(ctx)
}

func compareLedgers(t *testing.T, q *Queue, h *simHost, acked map[string]State) {
	seen := map[[2]uint32]bool{}
	for _, e := range all(t, q, Filter{}) {
		if e.Kind == Reversal {
			require.Equal(t, Accepted, e.State, "%+v", e)
			continue
		}
		k := [2]uint32{e.HostBatch, uint32(e.STAN)}
		b := h.ledger[k]
		standing := b != nil && !b.tomb && !b.reversed
		if standing {
			seen[k] = true
			require.Equal(t, e.Ref, b.ref)
			require.Equal(t, e.Amount.Minor, b.amount)
			require.Equal(t, 1, b.times, "doubled: %s", e.Ref)
		}
		require.Equal(t, e.State == Accepted, standing, "%s is %s here", e.Ref, e.State)
		if want, ok := acked[e.Ref]; ok {
			require.Equal(t, want, e.State, "%s was acknowledged as %s", e.Ref, want)
			delete(acked, e.Ref)
		}
	}
	require.Empty(t, acked, "acknowledged but not in the journal")
	for k, b := range h.ledger {
		if !b.tomb && !b.reversed {
			require.True(t, seen[k], "the host has %s, the device does not", b.ref)
		}
	}
}
