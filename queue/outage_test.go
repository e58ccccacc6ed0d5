package queue

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// spells are two hosts, each of which is there, without a line, or gives a line
// and takes nothing.
type spells struct {
	mu    sync.Mutex
	are   map[Lane]spell
	got   map[Lane][]string
	moves int
}

type spell int

const (
	there spell = iota
	lineless
	deaf
)

func (s *spells) be(l Lane, now spell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.are[l] = now
}

func (s *spells) moved(Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moves++
}

func (s *spells) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.moves
}

func (s *spells) uplink(l Lane) uplink {
	return uplink{
		prepare: func(context.Context) (Line, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.are[l] == lineless {
				return Line{}, errNoLine
			}
			return Line{}, nil
		},
		send: func(ctx context.Context, e Entry) (Answer, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.are[l] == deaf {
				return Answer{}, fmt.Errorf("cut: %w", ErrNotSent)
			}
			s.got[l] = append(s.got[l], e.Ref)
			return approve(ctx, e)
		}}
}

// withPlans runs test on a device with two hosts and plans for their outages.
func withPlans(t *testing.T, plans []OutagePlan, test func(t *testing.T, q *Queue, s *spells)) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		defer q.Close()
		s := &spells{are: map[Lane]spell{}, got: map[Lane][]string{}}
		ctx, cancel := context.WithCancel(bg)
		var running sync.WaitGroup
		for _, l := range []Lane{cardLane, otherLane} {
			running.Go(func() { _ = q.Forward(ctx, l, s.uplink(l)) })
		}
		for _, p := range plans {
			running.Go(func() { _ = q.Failover(ctx, p, s.moved) })
		}
		test(t, q, s)
		cancel()
		running.Wait()
		require.NoError(t, q.Verify(bg))
	})
}

// A device without any network does not fill the second host's lane: one entry
// goes ahead, and the others only behind its answer.
func TestOneEntryGoesAheadToTheSecondHost(t *testing.T) {
	withPlans(t, []OutagePlan{{Name: "p", From: cardLane, To: otherLane}}, func(t *testing.T, q *Queue, s *spells) {
		s.be(cardLane, lineless)
		s.be(otherLane, lineless)
		for i := range 10 {
			mustAppend(t, q, offlineSale(fmt.Sprint("s", i)))
		}
		time.Sleep(5 * time.Hour)
		require.Equal(t, 1, s.count())
		s.be(otherLane, there)
		q.NetworkBack()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		require.Equal(t, 10, s.count(), "the second host is there")
		require.Len(t, s.got[otherLane], 10)
		time.Sleep(time.Hour) // it has not been heard for long
		for i := range 3 {
			mustAppend(t, q, offlineSale(fmt.Sprint("t", i)))
		}
		time.Sleep(15 * time.Minute)
		synctest.Wait()
		require.Len(t, s.got[otherLane], 13)
		require.Empty(t, s.got[cardLane])
	})
}

// Two plans that name each other's lanes do not move a backlog to and fro, where
// both hosts give a line and take nothing.
func TestCrossedPlans(t *testing.T) {
	const backlog, hours = 20, 24
	withPlans(t, []OutagePlan{{Name: "out", From: cardLane, To: otherLane, Return: true}, {Name: "back", From: otherLane, To: cardLane, Return: true}},
		func(t *testing.T, q *Queue, s *spells) {
			s.be(cardLane, deaf)
			s.be(otherLane, deaf)
			for i := range backlog {
				mustAppend(t, q, offlineSale(fmt.Sprint("s", i)))
			}
			time.Sleep(hours * time.Hour)
			require.LessOrEqual(t, s.count(), 2*hours)
			s.be(cardLane, there)
			time.Sleep(3 * time.Hour)
			synctest.Wait()
			require.Len(t, s.got[cardLane], backlog)
			require.Empty(t, s.got[otherLane])
		})
}
