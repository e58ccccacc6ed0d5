package faultkit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/faultkit"
	"github.com/tallystick/tallystick/queue"
)

// booking is what a host has under one number.
type booking struct {
	ref      string
	reversed bool
	tomb     bool // a reversal came before what it reverses
}

// host keeps a ledger by number and does as it is told with the next messages.
type host struct {
	booked map[queue.STAN]booking
	orders []order
	note   func(booked) // what each message did to the ledger
}

// order is what becomes of one message that is not a reversal.
type order uint8

const (
	answers    order = iota
	loses            // the message is lost on its way
	losesBack        // booked, but the answer is lost
	declines         // refused, nothing booked
	isNotThere       // no byte leaves the device
)

// booked is what a message did to a host's ledger.
type booked struct {
	stan queue.STAN
	to   booking
}

func (h *host) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	what := answers
	if e.Kind != queue.Reversal && len(h.orders) > 0 {
		what, h.orders = h.orders[0], h.orders[1:]
	}
	switch what {
	case isNotThere:
		return queue.Answer{}, queue.ErrNotSent
	case loses:
		return queue.Answer{}, errSilent
	case declines:
		return queue.Answer{Verdict: queue.Refused, Code: "51"}, nil
	case losesBack:
		h.book(e)
		return queue.Answer{}, errSilent
	}
	return h.book(e), nil
}

func (h *host) book(e queue.Entry) queue.Answer {
	b, known := h.booked[e.STAN]
	a := approved(e)
	switch {
	case e.Kind == queue.Reversal && !known:
		b.tomb, a = true, queue.Answer{Verdict: queue.NotFound, Code: "25"}
	case e.Kind == queue.Reversal:
		b.reversed = true
	case !known:
		b.ref = e.Ref
	case b.tomb:
		return queue.Answer{Verdict: queue.NotFound, Code: "12"}
	default:
		return queue.Answer{Verdict: queue.Duplicate, Code: "94"}
	}
	h.booked[e.STAN] = b
	if h.note != nil {
		h.note(booked{e.STAN, b})
	}
	return a
}

// ways are the ways of a sale that a plain day does not see, each told what the
// app was told of it.
func ways(t *testing.T, h *host) func(q *queue.Queue, note func(fact)) {
	ask := func(q *queue.Queue, ref string, orders ...order) queue.Entry {
		h.orders = orders
		e, err := q.Do(bg, h, sale(ref))
		if err == nil {
			return e
		}
		require.True(t, errors.Is(err, queue.ErrInDoubt) || errors.Is(err, queue.ErrNotSent), err)
		return e
	}
	drain := func(q *queue.Queue, orders ...order) {
		h.orders = orders
		require.NoError(t, q.Drain(bg, cards, h))
	}
	return func(q *queue.Queue, note func(fact)) {
		told := func(ref string, s queue.State) { note(fact{ref: ref, state: s}) }
		for ref, chip := range map[string]error{"chip agrees": nil, "chip refuses": errors.New("AAC")} {
			e, err := q.DoConfirm(bg, h, sale(ref), func(context.Context, queue.Entry) error {
				note(fact{ref: ref, sent: true})
				return chip
			})
			require.Equal(t, chip == nil, err == nil)
			if err == nil {
				told(ref, e.State)
			}
		}
		drain(q)
		told("chip refuses", queue.Reversed)

		e := ask(q, "taken offline", isNotThere)
		_, err := q.TakeOffline(bg, e.ID, "Y1")
		require.NoError(t, err)
		note(fact{ref: "taken offline", state: queue.Accepted, promised: true})
		drain(q, losesBack)
		told("taken offline", queue.Accepted)

		e = ask(q, "withdrawn", isNotThere)
		_, err = q.Reverse(bg, e.ID)
		require.NoError(t, err)
		told("withdrawn", queue.Cancelled)

		ask(q, "second try", isNotThere)
		told("second try", ask(q, "second try", answers).State)

		for ref, orders := range map[string][]order{
			"at risk": {answers}, "at risk, lost": {loses, answers}, "at risk, answer lost": {losesBack, answers},
			"at risk, declined": {losesBack, declines},
		} {
			_, err := q.AppendAtRisk(bg, sale(ref))
			require.NoError(t, err)
			note(fact{ref: ref})
			drain(q, orders...)
			e, err := q.ByRef(bg, ref)
			require.NoError(t, err)
			told(ref, e.State)
		}
		h.orders = []order{losesBack}
		e, err = q.AppendAtRisk(bg, sale("at risk, given up"))
		require.NoError(t, err)
		up := uplink(func(e queue.Entry) (queue.Answer, error) {
			if e.Kind == queue.Reversal {
				return queue.Answer{}, queue.ErrNotSent // not yet
			}
			return h.Send(bg, e)
		})
		ctx, cancel := context.WithCancel(bg)
		require.ErrorIs(t, q.Drain(ctx, cards, uplink(func(e queue.Entry) (queue.Answer, error) {
			if e.Kind == queue.Reversal {
				cancel()
			}
			return up(e)
		})), context.Canceled)
		_, err = q.Reverse(bg, e.ID)
		require.NoError(t, err)
		drain(q)
		told("at risk, given up", queue.Reversed)

		for ref, orders := range map[string][]order{"void": {answers}, "void, lost": {loses}, "void, answer lost": {losesBack}} {
			e := ask(q, "sale to "+ref)
			require.Equal(t, queue.Accepted, e.State)
			_, err := q.Reverse(bg, e.ID)
			require.NoError(t, err)
			drain(q, orders...)
		}
		e = ask(q, "sale to refund")
		_, err = q.Append(bg, queue.Transaction{Ref: "refund", Lane: cards, Op: queue.Refund, Original: e.ID, Amount: e.Amount})
		require.NoError(t, err)
		note(fact{ref: "refund", state: queue.Accepted, promised: true})
		drain(q, losesBack)
		told("refund", queue.Accepted)
	}
}

// Wherever the power is cut in a confirmation, a fallback to offline, a sale at
// risk, a void or a refund, device and host agree once the lane is drained.
// Without the long mode it looks at a third of what the syncs have left, and at
// few of the other states.
func TestPowerCutsInEveryWay(t *testing.T) {
	h := &host{booked: map[queue.STAN]booking{}}
	r := record(t, filepath.Join(t.TempDir(), "j"), func(q *queue.Queue, note func(fact)) {
		h.note = func(b booked) { note(fact{booked: &b}) }
		ways(t, h)(q, note)
	})
	rng := rand.New(rand.NewPCG(4, 23))
	images := 0
	r.cuts(rng, much(4, 1), func(img faultkit.Image, facts []fact, what string) {
		most := much(1, 40)
		if strings.HasPrefix(img.Name, "the first 0 of") {
			most = much(1, 3)
		}
		if rng.IntN(most) != 0 {
			return
		}
		images++
		after := &host{booked: map[queue.STAN]booking{}}
		var told []fact
		for _, f := range facts {
			if f.booked != nil {
				after.booked[f.booked.stan] = f.booked.to
				continue
			}
			told = append(told, f)
		}
		requireFacts(t, img.Data, told, what, func(q *queue.Queue) { requireAgreement(t, q, after, told, what) })
	})
	t.Logf("%d images, %d facts and bookings", images, len(r.facts))
}

// requireAgreement drains and compares each entry with the host's ledger.
func requireAgreement(t *testing.T, q *queue.Queue, h *host, told []fact, what string) {
	require.NoError(t, q.Drain(bg, cards, h), what)
	require.NoError(t, q.Verify(bg), what)
	for e, err := range q.All(bg, queue.Filter{}) {
		require.NoError(t, err, what)
		says := fmt.Sprintf("%s: entry %d, %q, is %s", what, e.ID, e.Ref, e.State)
		if e.Kind == queue.Request && e.State == queue.Pending && !e.Deferred {
			_, err := q.Reverse(bg, e.ID) // nobody asks for it any more
			require.NoError(t, err, says)
			continue
		}
		require.True(t, e.State.Final(), says)
		if e.Kind == queue.Reversal {
			require.Equal(t, queue.Accepted, e.State, says)
			continue
		}
		b, known := h.booked[e.STAN]
		stands := known && !b.tomb && !b.reversed
		require.Equal(t, e.State == queue.Accepted, stands, says)
		if stands {
			require.Equal(t, e.Ref, b.ref, says)
		}
	}
	for _, f := range told {
		if f.promised {
			e, err := q.ByRef(bg, f.ref)
			require.NoError(t, err, what)
			require.Equal(t, f.state, e.State, "%s: %q", what, f.ref)
		}
	}
}
