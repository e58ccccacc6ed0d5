package isolink_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

// turmoil does a day's work while the host misbehaves, over a link that does not
// wait long, lets the host come to its senses, and delivers the rest over one
// that does: a busy machine is no silent host.
func (s *till) turmoil(t *testing.T, m host.Mischief, rounds int) {
	t.Helper()
	ctx := context.Background()
	s.again(t, &isolink.Options{AnswerTimeout: 300 * time.Millisecond, TryTimeout: 3 * time.Second})
	_, err := s.link.Prepare(ctx)
	require.NoError(t, err)
	require.NoError(t, s.host.SetMischief(m))
	var taken []queue.Entry
	for i := range rounds {
		e, err := s.Do(ctx, s.link, cardSale(fmt.Sprintf("sale-%d", i), int64(1000+i)))
		if err == nil && e.State == queue.Accepted {
			taken = append(taken, e)
		}
		told := cardSale(fmt.Sprintf("told-%d", i), int64(2000+i))
		told.Approval = "Y1"
		_, err = s.Append(ctx, told)
		require.NoError(t, err)
		if len(taken) > 1 {
			x := queue.Transaction{Ref: fmt.Sprintf("back-%d", i), Lane: cardLane, Op: queue.Void, Original: taken[0].ID}
			if i%2 == 0 {
				x.Op, x.Amount = queue.Refund, fen(10)
			}
			_, err := s.Append(ctx, x)
			require.NoError(t, err)
			taken = taken[1:]
		}
		short, cancel := context.WithTimeout(ctx, 30*time.Millisecond)
		_ = s.Drain(short, cardLane, s.link)
		cancel()
	}
	require.NoError(t, s.host.SetMischief(host.Mischief{}))
	s.again(t, nil)
	require.NoError(t, s.Drain(ctx, cardLane, s.link))
}

// agree compares the journal with the host's ledger, both ways.
func (s *till) agree(t *testing.T) (reversed int) {
	t.Helper()
	require.NoError(t, s.host.Close())
	books, err := host.ReadLedger(s.ledger)
	require.NoError(t, err)
	require.Empty(t, books.Conflicts)
	there := map[queue.STAN]host.Booking{}
	for _, b := range books.Bookings {
		if b.State != host.Reversed {
			there[queue.STAN(b.STAN)] = b
		}
	}
	kinds := map[queue.Op]host.Kind{queue.Sale: host.Sale, queue.Void: host.Void, queue.Refund: host.Refund}
	for e, err := range s.All(context.Background(), queue.Filter{Lane: cardLane}) {
		require.NoError(t, err)
		require.True(t, e.State.Final(), "%s is %s: %s", e.Ref, e.State, e.ParkedWhy)
		if e.Kind == queue.Reversal {
			reversed++
			continue
		}
		b, booked := there[e.STAN]
		require.Equal(t, e.State == queue.Accepted, booked, "%s is %s", e.Ref, e.State)
		if booked {
			require.Equal(t, e.Amount.Minor, b.Amount, e.Ref)
			require.Equal(t, e.HostBatch, b.Batch, e.Ref)
			require.Equal(t, codec.MaskPAN(testPAN), b.PAN, e.Ref)
			if e.Kind == queue.Request {
				require.Equal(t, kinds[e.Op], b.Kind, e.Ref)
			}
			delete(there, e.STAN)
		}
	}
	require.Empty(t, there, "booked, but not taken")
	return reversed
}

func TestMischiefCostsNothing(t *testing.T) {
	days := map[string]func(*testing.T){}
	for name, m := range map[string]host.Mischief{
		"lost requests":  {LoseRequest: 0.4},
		"lost answers":   {LoseAnswer: 0.4},
		"cut answers":    {Cut: 0.4},
		"late answers":   {Late: 0.4, LateBy: 350 * time.Millisecond},
		"double answers": {Twice: 1},
		"foreign ones":   {Foreign: 0.4},
		"refusals":       {Refuse: 0.3, RefuseCode: "51", Only: []codec.MTI{0x0200}},
		"temporary ones": {Refuse: 0.5, RefuseCode: "96"},
		"unknown ones":   {Refuse: 0.3, RefuseCode: "68"},
		"all of them":    {LoseRequest: 0.1, LoseAnswer: 0.1, Cut: 0.1, Late: 0.1, LateBy: 350 * time.Millisecond, Twice: 0.2, Foreign: 0.1},
	} {
		days[name] = func(t *testing.T) {
			s := newTill(t, host.Mischief{})
			s.turmoil(t, m, 12)
			t.Log("reversals:", s.agree(t))
		}
	}
	sideBySide(t, days)
}

// The host goes away and comes back between messages: what was not sent waits.
func TestOutages(t *testing.T) {
	s := newTill(t, host.Mischief{})
	ctx := context.Background()
	_, err := s.link.Prepare(ctx)
	require.NoError(t, err)
	for i := range 6 {
		s.host.Down()
		e, err := s.Do(ctx, s.link, cardSale(fmt.Sprintf("sale-%d", i), 1000))
		require.Error(t, err) // in doubt only if it went out before the end of the connection was seen
		if errors.Is(err, queue.ErrNotSent) && e.ID != 0 {
			_, err = s.TakeOffline(ctx, e.ID, "Y1")
			require.NoError(t, err)
		}
		told := cardSale(fmt.Sprintf("told-%d", i), 2000)
		told.Approval = "Y1"
		_, err = s.Append(ctx, told)
		require.NoError(t, err)
		require.NoError(t, s.host.Up())
		e, err = s.Do(ctx, s.link, cardSale(fmt.Sprintf("up-%d", i), 1000))
		require.NoError(t, err)
		require.Equal(t, queue.Accepted, e.State)
	}
	require.NoError(t, s.Drain(ctx, cardLane, s.link))
	s.agree(t)
}
