package queue

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// mixedDay makes a journal with entries in every state, one settled batch;
// where the log is to be condensed, that batch is pruned. It is closed, or left
// as a crash leaves it. It returns what All gives.
func mixedDay(t *testing.T, condensed, crashed bool) (path string, want []Entry) {
	path = filepath.Join(t.TempDir(), "journal")
	q := openAt(t, path, fast)
	batch := uint32(5)
	up := numbered(approve, &batch)
	for i := range 40 {
		_, err := q.Do(bg, up, cardSale(fmt.Sprint("settled", i)))
		require.NoError(t, err)
	}
	b, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	require.NoError(t, q.SettleBatch(bg, b))
	if condensed {
		require.NoError(t, q.Prune(bg, b))
		require.NoError(t, q.Compact(bg))
	}
	batch = 6
	for i := range 40 {
		_, err := q.Do(bg, up, cardSale(fmt.Sprint("online", i)))
		require.NoError(t, err)
		_, err = q.Append(bg, cashSale(fmt.Sprint("cash", i)))
		require.NoError(t, err)
	}
	_, err = q.Do(bg, numbered(silent, &batch), cardSale("doubt"))
	require.ErrorIs(t, err, ErrInDoubt)
	_, err = q.Append(bg, offlineSale("waiting"))
	require.NoError(t, err)
	want = all(t, q, Filter{})
	if crashed {
		left, err := os.ReadFile(path)
		require.NoError(t, err)
		path = filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(path, left, 0o600))
	}
	require.NoError(t, q.Close())
	return path, want
}

// salvaged opens the journal at path, salvaging it first where it is damaged.
func salvaged(t *testing.T, path string) (*Queue, SalvageReport) {
	o := fast
	o.Unsealed = true
	q, err := Open(path, nil, &o)
	if err == nil {
		if _, err = q.Status(bg); err == nil {
			t.Cleanup(func() { _ = q.Close() })
			return q, SalvageReport{}
		}
		require.NoError(t, q.Close())
	}
	require.ErrorIs(t, err, ErrDamaged)
	r, err := Salvage(bg, path, nil, &o)
	require.NoError(t, err)
	require.FileExists(t, r.Aside)
	q, err = Open(path, nil, &o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = q.Close() })
	return q, r
}

// view is what must be the same after a salvage.
func essential(e Entry) string {
	return fmt.Sprint(e.ID, e.Ref, e.State, e.Kind, e.STAN, e.HostBatch, e.Batch, e.Amount, e.Answer.RRN, e.Attempts, e.Card.PAN.Reveal())
}

// A damaged page costs nothing where the log survives, and otherwise exactly
// what the report names: nothing wrong is returned as right, and the lane goes
// on.
func TestSalvage(t *testing.T) {
	for _, condensed := range []bool{false, true} {
		for _, crashed := range []bool{false, true} {
			t.Run(fmt.Sprint("condensed ", condensed, " crashed ", crashed), func(t *testing.T) { salvageAll(t, condensed, crashed) })
		}
	}
}

func salvageAll(t *testing.T, condensed, crashed bool) {
	path, want := mixedDay(t, condensed, crashed)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	used := len(bytes.TrimRight(whole, "\x00"))
	rng := rand.New(rand.NewPCG(1, 2))
	pages := 24
	if testing.Short() {
		pages = 8
	}
	if os.Getenv("TALLYSTICK_LONG") != "" {
		pages = 4 * used / 4096
	}
	for range pages {
		page := 2 + rng.IntN(used/4096-2)
		t.Run(fmt.Sprint("page ", page), func(t *testing.T) {
			broken := bytes.Clone(whole)
			clear(broken[page*4096+512 : page*4096+1536])
			at := filepath.Join(t.TempDir(), "journal")
			require.NoError(t, os.WriteFile(at, broken, 0o600))
			q, r := salvaged(t, at)
			lost, parked := map[ID]bool{}, map[ID]bool{}
			for _, id := range r.Lost {
				lost[id] = true
			}
			for _, id := range r.Parked {
				parked[id] = true
			}
			got := map[ID]Entry{}
			for _, e := range all(t, q, Filter{}) {
				got[e.ID] = e
			}
			for _, e := range want {
				have, ok := got[e.ID]
				switch {
				case lost[e.ID]:
					require.False(t, ok)
				case parked[e.ID]:
					require.Equal(t, Parked, have.State)
					require.Equal(t, e.Amount, have.Amount)
				case r.Stale && !e.State.Final():
					require.Equal(t, InDoubt, have.State)
					require.Equal(t, e.STAN, have.STAN)
				default:
					e.Card, have.Card = Card{}, Card{}
					require.Equal(t, essential(e), essential(have))
				}
			}
			if len(r.LostEvents) == 0 && !r.EndUnknown {
				require.Empty(t, lost)
				require.Empty(t, parked)
				require.NoError(t, q.Verify(bg))
			}
			if r.Aside != "" && condensed && !lost[1] {
				first, err := q.Append(bg, offlineSale("settled0"))
				require.ErrorIs(t, err, ErrConflict, "the ref of a pruned entry outlives it: %v", first.ID)
				require.NoError(t, q.read(func(v *fileView) error {
					held, err := v.has(inSTANs, be32(nil, 1), 1)
					require.False(t, held, "a settled STAN is free")
					return err
				}))
			}
			batch := uint32(6)
			require.EqualValues(t, 1, q.Epoch()-boolTo(r.Stale), "a number that is given again is of another epoch")
			if r.Stale {
				batch = 7 // the host shows a number that nobody has sold under
			}
			_, err := q.Append(bg, offlineSale("after the salvage"))
			require.NoError(t, err)
			require.NoError(t, q.Drain(bg, cardLane, numbered(approve, &batch)))
			require.NoError(t, q.Drain(bg, cashLane, uplink{send: approve}))
			require.Equal(t, Accepted, stateOf(t, q, "after the salvage"))
			for _, e := range all(t, q, Filter{States: []State{Pending, InDoubt}}) {
				t.Errorf("entry %d is left %s", e.ID, e.State)
			}
		})
	}
}

func boolTo(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
