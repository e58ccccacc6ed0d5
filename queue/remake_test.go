package queue

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A lane that is not readable is made anew behind its last batch that is, also
// where that one is settled and nothing was sold since: every page of such a
// journal may be damaged.
func TestSalvageBehindASettledBatch(t *testing.T) {
	for _, condensed := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "journal")
		q := openAt(t, path, fast)
		for i := range 60 {
			_, err := q.Append(bg, offlineSale(fmt.Sprint("settled", i)))
			require.NoError(t, err)
		}
		batch := uint32(5)
		require.NoError(t, q.Drain(bg, cardLane, numbered(approve, &batch)))
		b, err := q.CloseBatch(bg, cardLane)
		require.NoError(t, err)
		require.NoError(t, q.SettleBatch(bg, b))
		if condensed {
			require.NoError(t, q.Compact(bg))
		}
		require.NoError(t, q.Close())
		whole, err := os.ReadFile(path)
		require.NoError(t, err)
		for page := 2; page < len(bytes.TrimRight(whole, "\x00"))/4096; page++ {
			t.Run(fmt.Sprint("condensed ", condensed, " page ", page), func(t *testing.T) {
				broken := bytes.Clone(whole)
				clear(broken[page*4096+512 : page*4096+1536])
				at := filepath.Join(t.TempDir(), "journal")
				require.NoError(t, os.WriteFile(at, broken, 0o600))
				q, _ := salvaged(t, at)
				_, err := q.Append(bg, offlineSale("after the salvage"))
				require.NoError(t, err)
				batch := uint32(6)
				require.NoError(t, q.Drain(bg, cardLane, numbered(approve, &batch)))
				require.Equal(t, Accepted, stateOf(t, q, "after the salvage"))
			})
		}
	}
}
