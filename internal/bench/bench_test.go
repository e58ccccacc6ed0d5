package main

import (
	"encoding/xml"
	"errors"
	"hash/maphash"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuickRunWritesTableAndChart(t *testing.T) {
	out := t.TempDir()
	err := start([]string{"-quick", "-out", out}, io.Discard)
	if errors.Is(err, errVolatile) {
		t.Skip("the module lies on a file system in memory, where nothing is durable: ", err)
	}
	require.NoError(t, err)
	report, err := os.ReadFile(filepath.Join(out, "RESULTS.md"))
	require.NoError(t, err)
	chart, err := os.ReadFile(filepath.Join(out, "chart.svg"))
	require.NoError(t, err)
	for _, c := range contenders {
		require.Contains(t, string(report), "| "+c.name+" | ")
		require.Contains(t, string(chart), ">"+c.name+"<")
	}
	for _, want := range []string{"≤ 3.0", "≥ 0.38", "≥ 0.32", "≥ 0.30", "≤ 4.0", "1 and 1", "≤ 10 ms at 1 M", "≤ 1.5 s at 1 M", "≤ 64 MiB at 1 M", "≤ 8 MiB at 10 k"} {
		require.Contains(t, string(report), want)
	}
	require.NotContains(t, string(report), "NaN")
	require.NotContains(t, string(report), "Inf")
	require.NoError(t, xml.Unmarshal(chart, new(struct{})))
	left, err := filepath.Glob("data-*")
	require.NoError(t, err)
	require.Empty(t, left, "the stores are removed at the end")
}

func TestOutIsRequired(t *testing.T) {
	require.ErrorContains(t, start(nil, io.Discard), "-out is required")
	require.ErrorContains(t, start([]string{"-out", t.TempDir(), "-rounds", "0"}, io.Discard), "-rounds")
}

// What every contender promises: each record that Append returned for is
// there when the store is opened again. The peers' own tests show that; this
// one shows it of the raw file and of the group committer.
func TestRawFileHoldsWhatItAnswered(t *testing.T) {
	dir := t.TempDir()
	store, err := openRaw(dir, 32)
	require.NoError(t, err)
	const n = 500
	require.NoError(t, eachWriter(32, n, func(i int) error { return store.Append(i, newRecord(i)) }))
	require.NoError(t, store.Close())
	b, err := os.ReadFile(filepath.Join(dir, "raw"))
	require.NoError(t, err)
	require.Len(t, b, rawSize, "it was filled beforehand")
	found := map[string]int{}
	for i := range n {
		found[string(b[i*recordSize:(i+1)*recordSize])]++
	}
	for i := range n {
		found[string(newRecord(i))]--
	}
	for _, left := range found {
		require.Zero(t, left)
	}
	require.Equal(t, make([]byte, recordSize), b[n*recordSize:(n+1)*recordSize])
}

func TestCommitterJoinsWhatWaits(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	var groups []int
	c := newCommitter(16, func(r [][]byte) error {
		groups = append(groups, len(r))
		if len(groups) == 1 {
			close(began)
			<-release
		}
		return nil
	})
	var all sync.WaitGroup
	errs := make([]error, 16)
	all.Go(func() { errs[0] = c.Append(0, []byte{1}) })
	<-began
	for i := range 15 {
		all.Go(func() { errs[i+1] = c.Append(0, []byte{1}) })
	}
	for len(c.ops) < 15 {
		runtime.Gosched()
	}
	close(release)
	all.Wait()
	c.end()
	require.Equal(t, []int{1, 15}, groups)
	require.NoError(t, errors.Join(errs...))
	require.ErrorIs(t, c.Append(0, []byte{1}), errClosed)
}

func TestCommitterAnswersWithItsGroupsOutcome(t *testing.T) {
	fault := errors.New("disk is gone")
	for _, writers := range []int{1, 16} {
		records := 0
		c := newCommitter(writers, func(r [][]byte) error {
			records += len(r)
			if len(r[0]) == 0 {
				return fault
			}
			return nil
		})
		require.NoError(t, eachWriter(writers, 400, func(i int) error { return c.Append(i, []byte{1}) }))
		require.ErrorIs(t, c.Append(0, nil), fault)
		require.NoError(t, c.Append(0, []byte{1}), "a failed group is not the next one's")
		c.end()
		require.Equal(t, 402, records)
	}
}

func TestEachWriterStopsAtTheFirstError(t *testing.T) {
	fault := errors.New("no")
	var calls atomic.Int64
	seen := make([]atomic.Int64, 1000)
	require.NoError(t, eachWriter(7, len(seen), func(n int) error {
		seen[n].Add(1)
		return nil
	}))
	for i := range seen {
		require.EqualValues(t, 1, seen[i].Load())
	}
	failing := make(chan struct{})
	err := eachWriter(4, math.MaxInt, func(n int) error {
		calls.Add(1)
		if n == 0 {
			close(failing)
			return fault
		}
		<-failing
		return nil
	})
	require.ErrorIs(t, err, fault)
	require.Less(t, calls.Load(), int64(math.MaxInt))
}

func TestJournalsLifeEndsAnswered(t *testing.T) {
	j, err := openJournal(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	require.NoError(t, j.Live(200))
	require.NoError(t, j.answered(200))
	require.Error(t, j.answered(201))
}

func TestSQLiteQueueIsDurableAndClaimsOnce(t *testing.T) {
	for name, life := range map[string]func(*sqliteQueue) liver{
		"each":    func(q *sqliteQueue) liver { return sqliteEachLife{q} },
		"grouped": func(q *sqliteQueue) liver { return sqliteManyLife{q} },
	} {
		t.Run(name, func(t *testing.T) {
			q, err := newSQLite(t.TempDir(), 8)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, q.Close()) })
			require.NoError(t, life(q).Live(150))
			var rows, done, attempts int
			require.NoError(t, q.db.QueryRow(`SELECT count(*), sum(state = 2), sum(attempts) FROM q`).Scan(&rows, &done, &attempts))
			require.Equal(t, []int{150, 150, 150}, []int{rows, done, attempts})
		})
	}
}

func TestOnlineSaleIsCountedInTheFile(t *testing.T) {
	o, err := measureOnline(t.TempDir())
	require.NoError(t, err)
	require.Equal(t, online{beforeFirstByte: 1, beforeReturn: 1}, o)
}

func TestRatiosAreTakenWithinARound(t *testing.T) {
	r := results{}
	for _, v := range [][2]float64{{10, 10}, {100, 20}, {1000, 1000}} {
		r.add(key{"a", "x"}, v[0])
		r.add(key{"b", "x"}, v[1])
	}
	require.Equal(t, 1.0, r.ratio(key{"a", "x"}, key{"b", "x"}), "by medians it would be 5")
	require.Equal(t, 100.0, r.median(key{"a", "x"}))
	require.Equal(t, 2.5, median([]float64{4, 1, 2, 3}))
	require.Zero(t, median(nil))
}

func TestVerdicts(t *testing.T) {
	require.Equal(t, "met, stretch too", atMost(2.5, 3, 2.5))
	require.Equal(t, "met", atMost(3, 3, 2.5))
	require.Contains(t, atMost(3.3, 3, 2.5), "missed**: 1.1 times")
	require.Equal(t, "met", atLeast(.32, .32, .5))
	require.Contains(t, atLeast(.16, .32, .5), "missed**: 50 %")
	require.Contains(t, atMillion(999_999, "met"), "not judged")
	require.Equal(t, "met", atMillion(1_000_000, "met"))
}

func TestChangedPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	seed := maphash.MakeSeed()
	b := make([]byte, 5*pageBytes)
	b[0], b[2*pageBytes] = 1, 1
	require.NoError(t, os.WriteFile(path, b, 0o600))
	before, err := pageSums(path, seed)
	require.NoError(t, err)
	require.Len(t, before, 5)
	b[2*pageBytes], b[4*pageBytes+9] = 2, 7
	require.NoError(t, os.WriteFile(path, append(b, make([]byte, 300*pageBytes)...), 0o600))
	after, err := pageSums(path, seed)
	require.NoError(t, err)
	require.Equal(t, 2, changedPages(before, after), "zeros filled in ahead are no change")
	require.Zero(t, changedPages(after, after))
}

func TestChartEscapesAndScales(t *testing.T) {
	out := svg([]panel{{"a & b", []bar{{"x < y", 5, true}, {"none", 0, false}, {"large", 50_000, false}}}})
	require.Contains(t, out, "a &amp; b")
	require.Contains(t, out, "x &lt; y")
	require.Contains(t, out, ">100000<")
	require.NotContains(t, out, "NaN")
	require.NoError(t, xml.Unmarshal([]byte(out), new(struct{})))
	lo, hi := decades(nil)
	require.Less(t, lo, hi)
}

func TestWhatWasNotMeasuredIsMissed(t *testing.T) {
	m := measured{rounds: results{}, large: large{entries: million}, largeFailed: errors.New("no room")}
	rows := 0
	for _, target := range judge(m) {
		if strings.HasSuffix(target.bound, "at 1 M") {
			require.Contains(t, target.verdict, "missed")
			rows++
		}
	}
	require.Equal(t, 4, rows)
	require.Contains(t, m.markdown(), "no room")
}

func TestNotesOutliveTheNextRun(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "RESULTS.md")
	m := measured{rounds: results{}, fs: "first disk"}
	require.NoError(t, m.write(dir))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(notes + "\nBecause.\n")
	require.NoError(t, errors.Join(err, f.Close()))
	for range 2 {
		m.fs = "second disk"
		require.NoError(t, m.write(dir))
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Contains(t, string(b), "second disk")
		require.NotContains(t, string(b), "first disk")
		require.Equal(t, 1, strings.Count(string(b), "Because."))
	}
}

func TestReportSaysWhenItsFiguresMeanNothing(t *testing.T) {
	m := measured{rounds: results{}}
	require.NotContains(t, m.markdown(), "mean nothing")
	m.quick = true
	require.Contains(t, m.markdown(), "mean nothing")
	require.True(t, strings.HasPrefix(m.markdown(), "# "))
}
