package queue

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// orphanDay makes a journal in which many voids and refunds wait, far from what
// they are about, as a crash leaves it.
func orphanDay(t *testing.T) []byte {
	path := filepath.Join(t.TempDir(), "journal")
	q := openAt(t, path, fast)
	var sold, asked []Entry
	for i := range 40 {
		e, err := q.Append(bg, offlineSale(fmt.Sprint("offline ", i)))
		require.NoError(t, err)
		sold = append(sold, e)
	}
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
	for i := range 40 {
		e, err := q.Do(bg, uplink{send: approve}, cardSale(fmt.Sprint("online ", i)))
		require.NoError(t, err)
		asked = append(asked, e)
	}
	_, err := q.Append(bg, offlineSale("in between"))
	require.NoError(t, err)
	for _, e := range sold {
		_, err := q.Append(bg, refundOf(fmt.Sprint("refund ", e.ID), e, 250))
		require.NoError(t, err)
	}
	for _, e := range asked {
		_, err := q.Reverse(bg, e.ID)
		require.NoError(t, err)
	}
	require.NoError(t, q.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return b
}

// What is about an entry that damage took holds nobody up: it needs a person,
// who can decide about it, and the batch can be settled.
func TestSalvagedOrphans(t *testing.T) {
	whole := orphanDay(t)
	for _, taken := range []string{"offline 15", "online 2", "offline 3"} {
		// No record with it is readable any more.
		broken, orphans := bytes.ReplaceAll(whole, []byte(taken), make([]byte, len(taken))), 0
		at := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(at, broken, 0o600))
		q, r := salvaged(t, at)
		lost := map[ID]bool{}
		for _, id := range r.Lost {
			lost[id] = true
		}
		for _, e := range all(t, q, Filter{}) {
			if lost[e.Original] {
				require.Equal(t, Parked, e.State)
				require.Contains(t, r.Parked, e.ID)
				orphans++
			}
		}
		_, err := q.Append(bg, offlineSale("after the salvage"))
		require.NoError(t, err)
		require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
		require.Equal(t, Accepted, stateOf(t, q, "after the salvage"))
		for range 3 { // what is resolved lets its refunds go on, or ends them in vain
			decideAll(t, q)
			require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
		}
		for _, e := range all(t, q, Filter{States: []State{Pending, InDoubt, Parked}}) {
			t.Errorf("entry %d, %s %s of entry %d, is %s (%s)", e.ID, e.Kind, e.Op, e.Original, e.State, e.ParkedWhy)
		}
		_, err = q.CloseBatch(bg, cardLane)
		require.NoError(t, err)
		left, err := q.Unsettled(bg, cardLane)
		require.NoError(t, err)
		for _, b := range left {
			require.NoError(t, q.SettleBatch(bg, b.ID))
		}
		require.NoError(t, q.Close())
		require.Positive(t, orphans, taken)
	}
}

// decideAll is a person who finds out about everything that is parked.
func decideAll(t *testing.T, q *Queue) {
	for i, e := range all(t, q, Filter{States: []State{Parked}}) {
		if e.Kind == Request && e.Reversal != 0 {
			continue // its reversal is resolved
		}
		v := Approved
		if i%2 == 0 && e.Kind != Reversal {
			v = Refused
		}
		require.NoError(t, q.Resolve(bg, e.ID, Answer{Verdict: v}, "Li", "asked the host"), "%s of entry %d", e.Op, e.Original)
	}
}
