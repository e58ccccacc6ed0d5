package queue

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

var cardLane = Lane{"host", "M", "T"}

func openTest(t *testing.T, o *Options) *Queue {
	t.Helper()
	if o == nil {
		o = &Options{}
	}
	o.Unsealed = true
	q, err := Open(filepath.Join(t.TempDir(), "j"), nil, o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func sale(ref string) Transaction {
	return Transaction{Ref: ref, Lane: cardLane, Op: Sale, Tender: Cash, Amount: Money{100, CNY}}
}

type upFunc func(ctx context.Context, e Entry) (Answer, error)

func (f upFunc) Send(ctx context.Context, e Entry) (Answer, error) { return f(ctx, e) }

func TestSmoke(t *testing.T) {
	q := openTest(t, nil)
	ctx := context.Background()
	for _, r := range []string{"a", "b", "c"} {
		_, err := q.Append(ctx, sale(r))
		require.NoError(t, err)
	}
	ok := upFunc(func(context.Context, Entry) (Answer, error) {
		return Answer{Verdict: Approved, Code: "00", RRN: "r"}, nil
	})
	require.NoError(t, q.Drain(ctx, cardLane, ok))
	e, err := q.Do(ctx, ok, sale("d"))
	require.NoError(t, err)
	require.Equal(t, Accepted, e.State)
	_, err = q.Do(ctx, upFunc(func(context.Context, Entry) (Answer, error) { return Answer{}, context.DeadlineExceeded }), sale("e"))
	require.ErrorIs(t, err, ErrInDoubt)
	_, err = q.Do(ctx, ok, sale("f"))
	require.NoError(t, err)
	for e, err := range q.All(ctx, Filter{}) {
		require.NoError(t, err)
		t.Log(e.ID, e.Ref, e.Kind, e.STAN, e.State, e.Attempts)
	}
	require.NoError(t, q.Verify(ctx))
	s, _ := q.Status(ctx)
	t.Logf("%+v", s)
}
