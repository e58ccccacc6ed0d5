package agree

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What a host has is told in as many answers as it takes, none beyond its bound.
func TestDetails(t *testing.T) {
	booked := time.UnixMilli(1750000000123).In(time.FixedZone("", 8*3600))
	has := func(seq uint64) (out []Held, _ error) {
		for i := range seq % 20 {
			out = append(out, Held{Canonical: bytes.Repeat([]byte{byte(i)}, maxCanonical), Epoch: i, Stands: i%2 == 0, Booked: booked})
		}
		return out, nil
	}
	messages := 0
	exchange := func(ctx context.Context, m []byte) ([]byte, error) {
		messages++
		a, err := Answer(ctx, m, &Half{}, has)
		require.LessOrEqual(t, len(a), MaxAnswer)
		return a, err
	}
	var seqs []uint64
	for s := uint64(300); s > 0; s-- {
		seqs = append(seqs, s, s)
	}
	next := uint64(1)
	require.NoError(t, Details(bg, subject, seqs, exchange, func(seq uint64, held []Held) error {
		require.Equal(t, next, seq)
		next++
		want, _ := has(seq)
		want = want[:min(len(want), maxCopy)]
		require.Len(t, held, len(want))
		for i := range want {
			require.True(t, want[i].Booked.Equal(held[i].Booked))
			want[i].Booked, held[i].Booked = time.Time{}, time.Time{}
		}
		if len(want) > 0 {
			require.Equal(t, want, held)
		}
		return nil
	}))
	require.Equal(t, uint64(301), next)
	require.Greater(t, messages, 30)

	require.NoError(t, Details(bg, subject, nil, nil, nil), "nothing asks nothing")
	require.Error(t, Details(bg, subject, []uint64{MaxSequence + 1}, nil, nil))
	stop := errors.New("enough")
	require.ErrorIs(t, Details(bg, subject, seqs, exchange, func(uint64, []Held) error { return stop }), stop)
	_, err := Answer(bg, writeMessage(head{}, &heldQuery{seqs: []uint64{1}}), &Half{}, func(uint64) ([]Held, error) { return nil, stop })
	require.ErrorIs(t, err, stop)
	_, err = Answer(bg, writeMessage(head{}, &heldQuery{seqs: []uint64{1}}), &Half{}, func(uint64) ([]Held, error) {
		return []Held{{Canonical: make([]byte, maxCanonical+1)}}, nil
	})
	require.Error(t, err)
	_, err = Answer(bg, writeMessage(head{}, &heldQuery{seqs: []uint64{1}}), &Half{}, nil)
	require.NoError(t, err)
}

// A host that answers of none of what was asked would be asked for ever.
func TestDetailsOfNothing(t *testing.T) {
	err := Details(bg, subject, []uint64{1}, func(context.Context, []byte) ([]byte, error) { return writeAnswer(&heldAnswer{}), nil }, nil)
	require.ErrorIs(t, err, ErrMessage)
}
