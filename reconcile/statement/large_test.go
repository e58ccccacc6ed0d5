package statement

import (
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

const largeMapping = "amount amount yuan\nfee fee yuan\nterminal terminal\nbatch batch\nstan stan\nrrn rrn\nref ref\ncard card\n" +
	"kind kind S=sale R=refund\ntime time \"2006-01-02 15:04:05\""

// scattered maps 0..n-1 onto itself, far apart, for n that is no multiple of
// 7919.
func scattered(i, n int) int { return i * 7919 % n }

// numbersOf gives each of a million transactions a batch and a STAN of its own.
func numbersOf(i int) (batch uint32, stan queue.STAN) {
	return uint32(i/500 + 1), queue.STAN(i%500 + 1)
}

// statementFile is a statement of n lines, not in the journal's order, that
// lacks each 1000th transaction and has another amount in each 1000th + 1.
func statementFile(n int) io.Reader {
	r, w := io.Pipe()
	go func() {
		_, err := fmt.Fprintln(w, "time,terminal,batch,stan,rrn,ref,card,kind,amount,fee")
		var b strings.Builder
		for i := range n {
			k := scattered(i, n)
			if k%1000 == 0 || err != nil {
				continue
			}
			amount := 100 + k%9000
			if k%1000 == 1 {
				amount++
			}
			batch, stan := numbersOf(k)
			fmt.Fprintf(&b, "2026-11-22 12:00:00,%s,%06d,%06d,%012d,order-%d,622155******0000,S,\"%d.%02d\",0.00\n",
				lane.Terminal, batch, stan, k+1, k, amount/100, amount%100)
			if b.Len() > 32<<10 {
				_, err = io.WriteString(w, b.String())
				b.Reset()
			}
		}
		_, _ = io.WriteString(w, b.String())
		_ = w.CloseWithError(err)
	}()
	return r
}

func largeJournal(n int) iter.Seq2[queue.Entry, error] {
	return func(yield func(queue.Entry, error) bool) {
		for i := range n {
			e := entry(queue.ID(i+1), int64(100+i%9000))
			e.HostBatch, e.STAN = numbersOf(i)
			e.Ref = fmt.Sprint("order-", i)
			if !yield(e, nil) {
				return
			}
		}
	}
}

// A statement of a million lines and a journal of as many entries take seconds
// and at most 64 MiB of heap.
func TestMillionLines(t *testing.T) {
	n := 20_000
	if testing.Short() {
		n = 5_000
	}
	if os.Getenv("TALLYSTICK_LONG") != "" {
		n = 1_000_000
	}
	m := mapping(t, largeMapping)
	began := time.Now()
	var seen, peak uint64
	sample := func() {
		if seen++; seen%10_000 == 0 {
			var s runtime.MemStats
			runtime.ReadMemStats(&s)
			peak = max(peak, s.HeapInuse)
		}
	}
	lines := func(yield func(Line, error) bool) {
		for l, err := range Read(statementFile(n), m) {
			if sample(); !yield(l, err) {
				return
			}
		}
	}
	entries := func(yield func(queue.Entry, error) bool) {
		for e, err := range largeJournal(n) {
			if sample(); !yield(e, err) {
				return
			}
		}
	}
	got := map[Kind]int{}
	for d, err := range Diff(entries, lines, &Options{TempDir: t.TempDir()}) {
		require.NoError(t, err)
		got[d.Kind]++
		sample()
	}
	require.Equal(t, map[Kind]int{Matched: n - n/500, AmountDiffers: n / 1000, MissingThere: n / 1000}, got)
	require.LessOrEqual(t, peak, uint64(64<<20))
	t.Logf("%d lines: %v, heap at most %.1f MiB", n, time.Since(began).Round(time.Millisecond), float64(peak)/(1<<20))
}

func BenchmarkRead(b *testing.B) {
	m := mapping(b, largeMapping)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range Read(statementFile(10_000), m) {
			require.NoError(b, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/line")
}

func BenchmarkDiff(b *testing.B) {
	m := mapping(b, largeMapping)
	b.ReportAllocs()
	for b.Loop() {
		for _, err := range Diff(largeJournal(100_000), Read(statementFile(100_000), m), &Options{TempDir: b.TempDir()}) {
			require.NoError(b, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100_000, "ns/line")
}
