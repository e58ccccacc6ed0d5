package ledger

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// BenchmarkSubmit has many devices submit at once, one entry a request, on a file
// that is synced before each answer; file-B/entry is what an entry takes there.
func BenchmarkSubmit(b *testing.B) {
	for _, batch := range []int{1, 64} {
		b.Run(fmt.Sprint("batch-", batch), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "ledger")
			e, err := OpenFile(path, nil, &FileOptions{Unsealed: true})
			require.NoError(b, err)
			defer func() { _ = e.Close() }()
			l, err := New(bg, e, signer, &Options{Clock: func() time.Time { return noon }})
			require.NoError(b, err)
			before, err := os.Stat(path)
			require.NoError(b, err)
			var devices atomic.Int64
			b.SetParallelism(64)
			b.RunParallel(func(pb *testing.PB) {
				n := devices.Add(1)
				name, j := fmt.Sprint("till-", n), wire.JournalID{byte(n), byte(n >> 8), 1}
				for seq := queue.ID(1); pb.Next(); {
					var es []wire.Entry
					for range batch {
						es = append(es, advice(seq))
						seq++
					}
					if _, err := l.Submit(bg, name, sub(j, 1, es...)); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.StopTimer()
			after, err := os.Stat(path)
			require.NoError(b, err)
			b.ReportMetric(float64(b.N*batch)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(float64(after.Size()-before.Size())/float64(b.N*batch), "file-B/entry")
		})
	}
}

// BenchmarkHalf builds what is compared of a journal of 100,000 entries, from the
// file, as the first message after a start does; BenchmarkReceipt signs for all
// of it.
func BenchmarkHalf(b *testing.B) {
	l := large(b, 100_000)
	for b.Loop() {
		if _, _, err := l.buildHalf(bg, journalOf(1)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReceipt(b *testing.B) {
	l := large(b, 100_000)
	for b.Loop() {
		if _, err := l.Receipt(bg, "till-1", journalOf(1), []agree.Range{{From: 1, To: 100_000}}); err != nil {
			b.Fatal(err)
		}
	}
}

func large(b *testing.B, n int) *Ledger {
	b.Helper()
	e, err := OpenFile(filepath.Join(b.TempDir(), "ledger"), nil, &FileOptions{Unsealed: true})
	require.NoError(b, err)
	b.Cleanup(func() { _ = e.Close() })
	l, err := New(bg, e, signer, nil)
	require.NoError(b, err)
	for seq := 1; seq <= n; {
		var es []wire.Entry
		for ; seq <= n && len(es) < wire.MaxEntries; seq++ {
			es = append(es, advice(queue.ID(seq)))
		}
		_, err := l.Submit(bg, "till-1", sub(journalOf(1), 1, es...))
		require.NoError(b, err)
	}
	return l
}
