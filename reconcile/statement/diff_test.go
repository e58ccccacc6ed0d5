package statement

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

// short is a difference as the tests compare it.
func short(d Difference) string { return fmt.Sprintf("%s %d/%d", d.Kind, d.ID, d.Line.Number) }

func differences(t testing.TB, opts *Options, ours []queue.Entry, theirs []Line) []string {
	t.Helper()
	var out []string
	for d, err := range Diff(each(ours...), each(theirs...), opts) {
		require.NoError(t, err)
		out = append(out, short(d))
	}
	slices.Sort(out)
	return out
}

func TestDiff(t *testing.T) {
	state := func(s queue.State) func(*queue.Entry) { return func(e *queue.Entry) { e.State = s } }
	op := func(o queue.Op) func(*queue.Entry) { return func(e *queue.Entry) { e.Op = o } }
	reversal := func(l *Line) { l.Reversal, l.Op = true, 0 }
	nameless := func(l *Line) { l.Terminal, l.HostBatch, l.STAN, l.RRN, l.Ref = "", 0, 0, "", "" }
	at := func(hour int) func(*queue.Entry) {
		return func(e *queue.Entry) { e.Time = time.Date(2026, 11, 22, hour, 0, 0, 0, time.UTC) }
	}
	type entries = []queue.Entry
	type lines = []Line
	for name, c := range map[string]struct {
		ours   entries
		theirs lines
		want   []string
	}{
		"nothing":                 {nil, nil, nil},
		"matched":                 {entries{entry(1, 100)}, lines{line(1, 1, 100)}, []string{"matched 1/1"}},
		"fee":                     {entries{entry(1, 100)}, lines{line(1, 1, 100, func(l *Line) { l.Fee = 1 })}, []string{"fee taken 1/1"}},
		"missing there":           {entries{entry(1, 100)}, nil, []string{"missing there 1/0"}},
		"missing here":            {nil, lines{line(1, 1, 100)}, []string{"missing here 0/1"}},
		"nameless":                {entries{entry(1, 100)}, lines{line(1, 1, 100, nameless)}, []string{"missing here 0/1", "missing there 1/0"}},
		"other amount":            {entries{entry(1, 100)}, lines{line(1, 1, 99)}, []string{"amount differs 1/1"}},
		"other sign":              {entries{entry(1, 100)}, lines{line(1, 1, -100)}, []string{"amount differs 1/1"}},
		"other currency":          {entries{entry(1, 100, func(e *queue.Entry) { e.Amount.Currency = queue.USD })}, lines{line(1, 1, 100)}, []string{"amount differs 1/1"}},
		"doubled":                 {entries{entry(1, 100)}, lines{line(1, 1, 100), line(2, 1, 100)}, []string{"doubled 0/2", "matched 1/1"}},
		"doubled, not ours":       {nil, lines{line(1, 1, 100), line(2, 1, 100)}, []string{"doubled 0/2", "missing here 0/1"}},
		"once more, other amount": {entries{entry(1, 100)}, lines{line(1, 1, 100), line(2, 1, 70)}, []string{"matched 1/1", "missing here 0/2"}},
		"void":                    {entries{entry(1, 100), entry(2, 100, op(queue.Void))}, lines{line(1, 1, 100), line(2, 2, -100)}, []string{"matched 1/1", "matched 2/2"}},
		"void left out with its sale": {entries{entry(1, 100, func(e *queue.Entry) { e.VoidedBy = 2 }), entry(2, 100, op(queue.Void), func(e *queue.Entry) { e.Original = 1 }), entry(3, 100)},
			lines{line(1, 3, 100)}, []string{"matched 3/1", "netted 1/0", "netted 2/0"}},
		"void left out alone": {entries{entry(1, 100, func(e *queue.Entry) { e.VoidedBy = 2 }), entry(2, 100, op(queue.Void), func(e *queue.Entry) { e.Original = 1 })},
			lines{line(1, 1, 100)}, []string{"matched 1/1", "missing there 2/0"}},
		"voided sale left out alone": {entries{entry(1, 100, func(e *queue.Entry) { e.VoidedBy = 2 }), entry(2, 100, op(queue.Void), func(e *queue.Entry) { e.Original = 1 })},
			lines{line(1, 2, -100)}, []string{"matched 2/1", "missing there 1/0"}},
		"halves of two pairs": {entries{entry(1, 100, func(e *queue.Entry) { e.VoidedBy = 2 }), entry(2, 100, op(queue.Void), func(e *queue.Entry) { e.Original = 1 }),
			entry(3, 100, func(e *queue.Entry) { e.VoidedBy = 4 }), entry(4, 100, op(queue.Void), func(e *queue.Entry) { e.Original = 3 })},
			lines{line(1, 2, -100), line(2, 3, 100)}, []string{"matched 2/1", "matched 3/2", "missing there 1/0", "missing there 4/0"}},
		"pair of two amounts": {entries{entry(1, 100, func(e *queue.Entry) { e.VoidedBy = 2 }), entry(2, 90, op(queue.Void), func(e *queue.Entry) { e.Original = 1 })},
			nil, []string{"missing there 1/0", "missing there 2/0"}},
		"void not accepted": {entries{entry(1, 100, func(e *queue.Entry) { e.VoidedBy = 2 }), entry(2, 100, op(queue.Void), state(queue.Declined), func(e *queue.Entry) { e.Original = 1 })},
			nil, []string{"missing there 1/0"}},
		"refund as a debit": {entries{entry(2, 100, op(queue.Refund))}, lines{line(2, 2, 100)}, []string{"amount differs 2/2"}},
		"sale and refund of one RRN": {
			entries{entry(1, 100), entry(2, 40, op(queue.Refund), func(e *queue.Entry) { e.Answer.RRN = entry(1, 1).Answer.RRN })},
			lines{line(1, 1, 100, func(l *Line) { l.STAN = 0 }), line(2, 1, -40, func(l *Line) { l.STAN = 0 })},
			[]string{"matched 1/1", "matched 2/2"}},
		"declined":                   {entries{entry(1, 100, state(queue.Declined))}, nil, nil},
		"declined, there":            {entries{entry(1, 100, state(queue.Declined))}, lines{line(1, 1, 100)}, []string{"state differs 1/1"}},
		"in doubt, there":            {entries{entry(1, 100, state(queue.InDoubt))}, lines{line(1, 1, 90)}, []string{"state differs 1/1"}},
		"reversed":                   {entries{entry(1, 100, state(queue.Reversed))}, lines{line(1, 1, 100), line(2, 1, 100, reversal)}, nil},
		"reversed there only":        {entries{entry(1, 100)}, lines{line(1, 1, 100, reversal), line(2, 1, 100)}, []string{"missing there 1/0"}},
		"reversal of a void":         {entries{entry(1, 100, op(queue.Void), state(queue.Reversed))}, lines{line(1, 1, -100), line(2, 1, 100, reversal)}, nil},
		"reversal of nothing":        {nil, lines{line(1, 1, 100, reversal)}, []string{"missing here 0/1"}},
		"reversal of another amount": {entries{entry(1, 100)}, lines{line(1, 1, 100), line(2, 1, 90, reversal)}, []string{"matched 1/1", "missing here 0/2"}},
		"one reversal of two":        {entries{entry(1, 100)}, lines{line(1, 1, 100), line(2, 1, 100), line(3, 1, 100, reversal)}, []string{"matched 1/2"}},
		"reversal entry":             {entries{entry(1, 100, func(e *queue.Entry) { e.Kind = queue.Reversal })}, nil, nil},
		"cash":                       {entries{entry(1, 100, func(e *queue.Entry) { e.Tender = queue.Cash })}, nil, nil},
		"report":                     {entries{entry(1, 0, op(queue.Report), func(e *queue.Entry) { e.Kind, e.Tender = queue.Notice, 0 })}, nil, nil},
		"by RRN":                     {entries{entry(1, 100)}, lines{line(1, 1, 100, func(l *Line) { l.HostBatch = 0 })}, []string{"matched 1/1"}},
		"by ref":                     {entries{entry(1, 100)}, lines{line(1, 1, 100, func(l *Line) { l.HostBatch, l.RRN = 0, "" })}, []string{"matched 1/1"}},
		"numbers wrong, RRN right":   {entries{entry(1, 100), entry(2, 100)}, lines{line(1, 1, 100, func(l *Line) { l.STAN = 9 }), line(2, 2, 100)}, []string{"matched 1/1", "matched 2/2"}},
		"mixed": {entries{entry(1, 100), entry(2, 100), entry(3, 100)},
			lines{line(1, 1, 100), line(2, 2, 100, func(l *Line) { l.STAN, l.Ref = 0, "" }), line(3, 3, 100, func(l *Line) { l.STAN, l.RRN = 0, "" })},
			[]string{"matched 1/1", "matched 2/2", "matched 3/3"}},
		"presented anew under its ref": {
			entries{entry(1, 100, state(queue.Reversed)), entry(2, 100, func(e *queue.Entry) { e.Ref = "order-1" })},
			lines{line(1, 1, 100, func(l *Line) { l.STAN, l.RRN = 0, "" })},
			[]string{"matched 2/1"}},
		"outside the time": {entries{entry(1, 100, at(1)), entry(2, 100, at(2)), entry(3, 100, at(4)), entry(4, 100, at(5))},
			lines{line(1, 1, 100)}, []string{"matched 1/1", "missing there 2/0"}},
	} {
		t.Run(name, func(t *testing.T) {
			opts := &Options{}
			if name == "outside the time" {
				opts.From, opts.To = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC), time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)
			}
			got := differences(t, opts, c.ours, c.theirs)
			require.Equal(t, c.want, got)
		})
	}
}

// What Diff tells of a pair.
func TestDiffTells(t *testing.T) {
	l := line(5, 1, -90, func(l *Line) {
		l.Card, l.Merchant, l.Time = "622155******0000", "m", time.UnixMilli(1700000000000).UTC()
	})
	got := collect(t, Diff(each(entry(1, 100)), each(l), nil))
	require.Equal(t, []Difference{{Kind: AmountDiffers, ID: 1, Ours: yuan(100), State: queue.Accepted, Line: l}}, got)
}

func TestDiffPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	ours := func(yield func(queue.Entry, error) bool) { yield(queue.Entry{}, broken) }
	theirs := func(yield func(Line, error) bool) { yield(Line{}, broken) }
	for name, seq := range map[string]func(func(Difference, error) bool){
		"ours": Diff(ours, each(line(1, 1, 100)), nil), "theirs": Diff(each(entry(1, 100)), theirs, nil),
		"options": Diff(each(entry(1, 100)), each(line(1, 1, 100)), &Options{Memory: 1}),
		"folder":  Diff(each(entry(1, 100)), manyLines(30_000), &Options{Memory: leastMemory, TempDir: "/does/not/exist"}),
		"number":  Diff(each(entry(1, 100)), each(line(0, 1, 100)), nil),
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			var last error
			for _, err := range seq {
				n, last = n+1, err
			}
			require.Error(t, last)
			require.Equal(t, 1, n)
		})
	}
}

func manyLines(n int) func(func(Line, error) bool) {
	return func(yield func(Line, error) bool) {
		for i := range n {
			if !yield(line(i+1, queue.ID(i+1), 100), nil) {
				return
			}
		}
	}
}

// A loop that ends early leaves nothing behind, nor does one that ends late.
func TestDiffLeavesNoFiles(t *testing.T) {
	dir := t.TempDir()
	for _, stop := range []bool{true, false} {
		n := 0
		for _, err := range Diff(each(entry(1, 100)), manyLines(30_000), &Options{Memory: leastMemory, TempDir: dir}) {
			require.NoError(t, err)
			if n++; stop {
				break
			}
		}
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
		require.Equal(t, stop, n == 1)
	}
}

// However little fits the memory, and however the lines are mixed, Diff finds
// what was done to them: each change is of another transaction.
func TestDiffInRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var ours []queue.Entry
	var theirs []Line
	var want []string
	n := 8_000
	if testing.Short() {
		n = 4_000
	}
	for i := range n {
		id := queue.ID(i + 1)
		amount := 1 + rng.Int64N(1000)
		e, l := entry(id, amount), line(i+1, id, amount)
		switch rng.IntN(3) { // so that all names are in use
		case 1:
			l.STAN = 0
		case 2:
			l.STAN, l.RRN = 0, ""
		}
		switch rng.IntN(20) {
		case 0:
			ours, want = append(ours, e), append(want, fmt.Sprintf("missing there %d/0", id))
		case 1:
			theirs, want = append(theirs, l), append(want, fmt.Sprintf("missing here 0/%d", i+1))
		case 2:
			l.Amount.Minor += 5
			ours, theirs, want = append(ours, e), append(theirs, l), append(want, fmt.Sprintf("amount differs %d/%d", id, i+1))
		case 3:
			ours, theirs = append(ours, e), append(theirs, l)
			l.Number += n
			theirs, want = append(theirs, l), append(want, fmt.Sprintf("matched %d/%d", id, i+1), fmt.Sprintf("doubled 0/%d", l.Number))
		case 4:
			e.State = queue.Reversed
			ours = append(ours, e)
		default:
			ours, theirs, want = append(ours, e), append(theirs, l), append(want, fmt.Sprintf("matched %d/%d", id, i+1))
		}
	}
	rng.Shuffle(len(theirs), func(i, j int) { theirs[i], theirs[j] = theirs[j], theirs[i] })
	slices.Sort(want)
	for name, memory := range map[string]int{"many runs": 2 * n, "few runs": leastMemory, "in memory": mostMemory} {
		t.Run(name, func(t *testing.T) {
			var got []string
			c, err := newComparer(nil, func(d Difference, _ error) bool {
				got = append(got, short(d))
				return true
			})
			require.NoError(t, err)
			for k := range keyKinds {
				c.ours[k], c.theirs[k] = newSorter(t.TempDir(), memory), newSorter(t.TempDir(), memory)
			}
			require.NoError(t, c.run(each(ours...), each(theirs...)))
			require.NoError(t, c.close())
			slices.Sort(got)
			require.Equal(t, want, got)
		})
	}
}

// Of a statement about one transaction alone Diff holds groupLimit lines at a
// time: the first finding is told while the others are still to be read.
func TestDiffOneKeyForAll(t *testing.T) {
	const n = 5 * groupLimit
	theirs := func(yield func(Line, error) bool) {
		for i := range n {
			l := line(i+1, 1, int64(i+1), func(l *Line) { l.Reversal = i%3 == 0 })
			if !yield(l, nil) {
				return
			}
		}
	}
	kinds := map[Kind]int{}
	for d, err := range Diff(each(entry(1, n)), theirs, nil) {
		require.NoError(t, err)
		kinds[d.Kind]++
	}
	require.Equal(t, map[Kind]int{Matched: 1, MissingHere: n - 1}, kinds)
}

func TestGroupIsBounded(t *testing.T) {
	c, err := newComparer(nil, func(Difference, error) bool { return false })
	require.NoError(t, err)
	for i := range 3 * groupLimit {
		l := line(i+1, 1, int64(i+1), func(l *Line) { l.RRN, l.Ref = "", "" })
		require.NoError(t, c.line(l))
	}
	require.ErrorIs(t, c.pass(byNumbers), errStopped)
	left := 0
	for ; err == nil; left++ {
		_, err = c.theirs[byNumbers].next()
	}
	require.ErrorIs(t, err, io.EOF)
	require.Greater(t, left, groupLimit)
	require.NoError(t, c.close())
}
