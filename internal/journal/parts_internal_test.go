package journal

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/boltfile"
)

// A log that is checked in parts is right where it is right as a whole,
// wherever it is divided.
func TestLogInParts(t *testing.T) {
	f, err := Open(filepath.Join(t.TempDir(), "j"), Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	const n = 7
	before := tail{last: 40, head: [chainSize]byte{4}}
	var log []foundEvent
	for head := before.head; len(log) < n; {
		e := foundEvent{n: before.last + uint64(len(log)) + 1, body: fmt.Appendf(nil, "body %d", len(log))}
		head = f.link.next(head, e.n, e.body)
		e.chain = head
		log = append(log, e)
	}
	end := tail{last: log[n-1].n, head: log[n-1].chain}
	// check joins the parts of log that end before the events of which ends has a bit.
	check := func(log []foundEvent, ends int) error {
		whole := f.logCheck()
		whole.begin(before)
		part := f.logCheck()
		for i, e := range log {
			if ends&(1<<i) != 0 {
				if err := whole.join(&part); err != nil {
					return err
				}
				part = f.logCheck()
			}
			if err := part.event(eventKey(e.n), append(e.chain[:len(e.chain):len(e.chain)], e.body...)); err != nil {
				return err
			}
		}
		if err := whole.join(&part); err != nil {
			return err
		}
		whole.tail, whole.hasTail = end, true
		return whole.end()
	}
	for ends := range 1 << n {
		require.NoError(t, check(log, ends))
		for i := range log {
			require.ErrorIs(t, check(slices.Delete(slices.Clone(log), i, i+1), ends), ErrDamaged, "event %d is missing", i)
			for what, change := range map[string]func(*foundEvent){
				"body":   func(e *foundEvent) { e.body = []byte("another") },
				"link":   func(e *foundEvent) { e.chain[3]++ },
				"number": func(e *foundEvent) { e.n++ },
			} {
				bad := slices.Clone(log)
				change(&bad[i])
				require.ErrorIs(t, check(bad, ends), ErrDamaged, "event %d has another %s", i, what)
			}
			if i > 0 {
				bad := slices.Clone(log)
				bad[i-1], bad[i] = bad[i], bad[i-1]
				require.ErrorIs(t, check(bad, ends), ErrDamaged, "event %d is out of order", i)
			}
		}
	}
}

// largeJournal is a journal whose trees have several levels, as a crash left it.
func largeJournal(t testing.TB, path string) {
	f, err := Open(path, Options{Buckets: []Bucket{'d'}})
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(6, 1))
	for range 40 {
		require.NoError(t, f.Update(t.Context(), func(tx *Tx) error {
			for range 400 {
				if _, err := tx.Log(make([]byte, 150+rng.IntN(200))); err != nil {
					return err
				}
				if err := tx.Put('d', eventKey(rng.Uint64()), make([]byte, 60)); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	file, err := boltfile.Open(bytes.NewReader(raw), int64(len(raw)))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, raw[:file.Meta().High*pageSize], 0o600))
}

// compareExaminations examines the file at path with one goroutine and with
// several. It returns what they agree on.
func compareExaminations(t *testing.T, path, what string) error {
	f := newFile(path, path, Options{Buckets: []Bucket{'d'}})
	x, err := f.inspect()
	if err != nil {
		return err
	}
	defer x.close()
	one, many := x.inOrder(t.Context()), x.inParts(t.Context(), 3)
	require.Equal(t, one == nil, many == nil, "%s: %v, in parts %v", what, one, many)
	both := x.examine(t.Context())
	if one == nil {
		require.NoError(t, both, what)
	} else {
		require.EqualError(t, both, one.Error(), what)
	}
	return one
}

// Several goroutines find what one finds, and the damage that is named is the
// same one.
func TestExaminationInParts(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	largeJournal(t, whole)
	raw, err := os.ReadFile(whole)
	require.NoError(t, err)
	require.NoError(t, compareExaminations(t, whole, "whole"))
	parts := 0
	f := newFile(whole, whole, Options{Buckets: []Bucket{'d'}})
	x, err := f.inspect()
	require.NoError(t, err)
	_, err = boltfile.WalkParts(t.Context(), x.file, 2, x.visitor, func(v *visitor) error {
		if v.log.first != nil {
			parts++
		}
		return nil
	})
	require.NoError(t, err)
	x.close()
	require.Greater(t, parts, 2, "parts with events")

	rng := rand.New(rand.NewPCG(9, 4))
	path := filepath.Join(dir, "bad")
	found, rounds := 0, 30
	switch {
	case os.Getenv("TALLYSTICK_LONG") != "":
		rounds = 5000
	case testing.Short():
		rounds = 8
	}
	for range rounds {
		bad, what := bytes.Clone(raw), ""
		for range 1 + rng.IntN(3) {
			id, other := 2+rng.IntN(len(raw)/pageSize-2), 2+rng.IntN(len(raw)/pageSize-2)
			what += fmt.Sprintf("%d, %d; ", id, other)
			switch p := bad[id*pageSize:][:pageSize]; rng.IntN(4) {
			case 0:
				copy(p[8:], bad[other*pageSize:][8:pageSize])
			case 1:
				clear(p[:512])
			default:
				p[rng.IntN(pageSize)] ^= 1 << rng.IntN(8)
			}
		}
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		if compareExaminations(t, path, what) != nil {
			found++
		}
	}
	require.Greater(t, found, rounds/3)

	for range rounds / 4 {
		require.NoError(t, os.WriteFile(path, raw, 0o600))
		var changed []uint64
		forgeEvents(t, path, func(log *bolt.Bucket) error {
			for range 1 + rng.IntN(3) {
				n := 1 + rng.Uint64N(15_000)
				changed = append(changed, n)
				stored := append(make([]byte, chainSize), "another body"...)
				sealed, err := f.box.Seal(nil, stored, place(events, eventKey(n)))
				require.NoError(t, err)
				if err := log.Put(eventKey(n), sealed); err != nil {
					return err
				}
			}
			return nil
		})
		err := compareExaminations(t, path, fmt.Sprint(changed))
		require.ErrorContains(t, err, fmt.Sprintf("event %d: ", slices.Min(changed)))
	}
}

// forgeEvents changes the keyspace of the events through bbolt.
func forgeEvents(t *testing.T, path string, fn func(*bolt.Bucket) error) {
	db, err := bolt.Open(path, 0o600, &bolt.Options{NoFreelistSync: true})
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error { return fn(tx.Bucket([]byte{byte(events)})) }))
	require.NoError(t, db.Close())
}

// What one record costs, examined by one goroutine and by all.
func BenchmarkExamination(b *testing.B) {
	path := filepath.Join(b.TempDir(), "j")
	largeJournal(b, path)
	f := newFile(path, path, Options{Buckets: []Bucket{'d'}})
	x, err := f.inspect()
	require.NoError(b, err)
	defer x.close()
	for name, examine := range map[string]func(context.Context) error{"in order": x.inOrder, "in parts": x.examine} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(x.info.Size())
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, examine(b.Context()))
			}
		})
	}
}
