package queue

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/boltfile"
)

// What one commit changed, of which no copy is readable, costs what the report
// names: nothing that a host has answered is shown as waiting, and nothing goes
// out again but as a repetition under its own number.
func TestSalvageWithoutOneCommit(t *testing.T) {
	path, want := mixedDay(t, false, true)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	file, err := boltfile.Open(bytes.NewReader(whole), int64(len(whole)))
	require.NoError(t, err)
	var groups [][]byte
	require.NoError(t, file.Walk(bg, func(b, _, v []byte) error {
		if string(b) == "g" {
			groups = append(groups, bytes.Clone(v))
		}
		return nil
	}))
	require.Greater(t, len(groups), 100)
	rng := rand.New(rand.NewPCG(7, 7))
	tries := 12
	if testing.Short() {
		tries = 4
	}
	for i := range tries {
		n := rng.IntN(len(groups))
		if i < 3 {
			n = len(groups) - 1 - i // the newest
		}
		t.Run(fmt.Sprint("group ", n), func(t *testing.T) {
			broken := bytes.Clone(whole)
			for at := bytes.Index(broken, groups[n]); at >= 0; at = bytes.Index(broken, groups[n]) {
				broken[at+20] ^= 1
			}
			at := filepath.Join(t.TempDir(), "journal")
			require.NoError(t, os.WriteFile(at, broken, 0o600))
			q, r := salvaged(t, at)
			require.NotEmpty(t, r.LostEvents)
			require.True(t, r.Stale)
			named := map[ID]bool{}
			for _, id := range append(r.Lost, r.Parked...) {
				named[id] = true
			}
			was, have := map[ID]Entry{}, map[ID]Entry{}
			for _, e := range all(t, q, Filter{}) {
				have[e.ID] = e
			}
			for _, e := range want {
				was[e.ID] = e
				h, ok := have[e.ID]
				switch {
				case named[e.ID]:
				case !ok:
					require.Equal(t, want[len(want)-1].ID, e.ID, "an entry is missing and not named")
				case h.State.Final():
					require.Equal(t, e.State, h.State)
					require.Equal(t, e.STAN, h.STAN)
				default:
					require.Contains(t, []State{InDoubt, Parked}, h.State)
					require.Equal(t, e.STAN, h.STAN)
				}
			}
			batch := uint32(7)
			up := uplink{send: func(ctx context.Context, e Entry) (Answer, error) {
				if w, ok := was[e.ID]; ok && e.Kind != Reversal {
					require.Equal(t, w.STAN, e.STAN)
					require.Equal(t, w.Amount, e.Amount)
					require.Greater(t, e.Attempts, 1, "entry %d goes out as if it never had", e.ID)
				}
				return approve(ctx, e)
			}}
			require.NoError(t, q.Drain(bg, cardLane, numbered(up.send, &batch)))
			require.NoError(t, q.Drain(bg, cashLane, up))
			fresh, err := q.Append(bg, offlineSale("after the salvage"))
			require.NoError(t, err)
			for _, e := range want {
				if e.Lane == fresh.Lane && e.Kind != Reversal {
					require.NotEqual(t, e.STAN, fresh.STAN)
				}
			}
			t.Logf("lost %v parked %v events %v; next is entry %d of %d", r.Lost, r.Parked, r.LostEvents, fresh.ID, len(want))
		})
	}
}
