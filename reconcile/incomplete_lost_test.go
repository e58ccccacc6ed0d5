package reconcile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

// holed returns the journal as a salvage left it that lost entry 100 and those
// kept beside it, and which those are.
func holed(t *testing.T, q *queue.Queue) (*queue.Queue, []queue.ID) {
	broken, err := os.ReadFile(q.Path())
	require.NoError(t, err)
	for page := 2; page < len(broken)/4096; page++ {
		if at := broken[page*4096:][:4096]; bytes.Contains(at, []byte("sale 100")) {
			clear(at[512:1536])
		}
	}
	at := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(at, broken, 0o600))
	r, err := queue.Salvage(bg, at, nil, &queue.Options{Unsealed: true})
	require.NoError(t, err)
	require.NotEmpty(t, r.Lost)
	return openBook(t, at), r.Lost
}

// Out of a damaged journal entries may be lost for good: that the host has them is
// told, and all else is compared and mended.
func TestIncompleteOfAJournalThatLostEntries(t *testing.T) {
	q, b := journalOf(t, 200)
	batch, err := q.CloseBatch(bg, cashLane)
	require.NoError(t, err)
	require.NoError(t, q.SettleBatch(bg, batch))
	require.NoError(t, q.Compact(bg)) // what is lost of a condensed log is lost
	q, lost := holed(t, q)
	b.q = q
	b.lose(3, lost[0])
	r, err := Incomplete(bg, q, "depot", b)
	require.NoError(t, err)
	foreign := map[queue.ID]bool{}
	for _, l := range r.Lines {
		switch {
		case l.Problem == Foreign:
			require.Equal(t, queue.Entry{}, l.Entry)
			require.Len(t, l.Held, 1)
			require.Equal(t, fmt.Sprint("sale ", l.ID), l.Held[0].Ref)
			require.Equal(t, l.Held[0].Booked, l.Since)
			require.False(t, l.Mended)
			foreign[l.ID] = true
		case l.ID == 3:
			require.Equal(t, Missing, l.Problem)
			require.True(t, l.Mended)
		default:
			require.Equal(t, NeedsPerson, l.Problem)
			require.True(t, l.AtHost, "entry %d, of which the journal lost the answer, is there", l.ID)
		}
	}
	require.Len(t, foreign, len(lost)-1)
	for _, id := range lost[1:] {
		require.True(t, foreign[id])
	}
	require.False(t, r.Agreed)
}
