package queue

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A person lets parked requests go on: one that never left is sent, one in doubt
// is reversed, and one whose STAN is another transaction's is not touched.
func TestUnparkRequests(t *testing.T) {
	o := Options{RetryMin: 1, RetryMax: 2, Unsealed: true}
	q := openNew(t, o)
	h := newOneHost(7)
	notSent := uplink{send: func(context.Context, Entry) (Answer, error) { return Answer{}, ErrNotSent }}
	_, err := q.Do(bg, notSent, cardSale("unsent"))
	require.ErrorIs(t, err, ErrNotSent)
	_, err = q.AppendAtRisk(bg, cardSale("at risk"))
	require.NoError(t, err)
	var b bytes.Buffer
	flying := uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
		require.NoError(t, q.Backup(bg, &b)) // the copy is made while it is under way
		return h.Send(ctx, e)
	}}
	_, err = q.Do(bg, flying, cardSale("flying"))
	require.NoError(t, err)

	second, err := Restore(bg, filepath.Join(t.TempDir(), "copy"), &b, nil, &o)
	require.NoError(t, err)
	defer func() { _ = second.Close() }()
	for _, ref := range []string{"unsent", "at risk", "flying"} {
		e, err := second.ByRef(bg, ref)
		require.NoError(t, err)
		require.Equal(t, Parked, e.State, ref)
		require.NoError(t, second.Unpark(bg, e.ID, "Li", "the first till is lost"))
	}
	require.Equal(t, Pending, stateOf(t, second, "unsent"))
	require.Equal(t, InDoubt, stateOf(t, second, "flying"))
	require.NoError(t, second.Drain(bg, cardLane, h))
	require.Equal(t, Reversed, stateOf(t, second, "flying"), "nobody holds its answer any more")
	require.Equal(t, Accepted, stateOf(t, second, "at risk"))
	e, err := second.Do(bg, h, cardSale("unsent"))
	require.NoError(t, err)
	require.Equal(t, Accepted, e.State)
	require.NoError(t, second.Verify(bg))

	e, err = second.Do(bg, answering(Duplicate, "94"), cardSale("another's number"))
	require.ErrorIs(t, err, ErrInDoubt)
	require.ErrorContains(t, err, "another transaction")
	require.Equal(t, Parked, e.State)
	require.ErrorIs(t, second.Unpark(bg, e.ID, "Li", "try again"), ErrState)
	require.ErrorIs(t, second.Unpark(bg, 1, "Li", "try again"), ErrState, "it is final")
	require.NoError(t, second.Resolve(bg, e.ID, Answer{Verdict: Refused}, "Li", "the host has another sale there"))
	require.NoError(t, second.Compact(bg))
	require.NoError(t, second.Verify(bg))
}

// A decision has a name and a reason.
func TestDecisionsAreSigned(t *testing.T) {
	q := openNew(t, fast)
	_, err := q.Append(bg, offlineSale("s"))
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cardLane, answering(Refused, "30")))
	for _, c := range [][2]string{{"", "why"}, {"who", ""}, {strings.Repeat("w", 65), "why"}, {"who", strings.Repeat("y", 257)}} {
		var inv *InvalidError
		require.ErrorAs(t, q.Resolve(bg, 1, Answer{Verdict: Approved}, c[0], c[1]), &inv)
		require.ErrorAs(t, q.Unpark(bg, 1, c[0], c[1]), &inv)
		require.ErrorAs(t, q.SetSTANFloor(bg, cardLane, 5, c[0], c[1]), &inv)
	}
	require.Equal(t, Parked, stateOf(t, q, "s"))
}
