package boltfile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/boltfile"
)

// tall is a bbolt file with buckets of many levels, since four keys fill a page,
// beside one of a single leaf, an empty one and so many within their parent's
// page that the root bucket has several.
func tall(t testing.TB) []byte {
	path := filepath.Join(t.TempDir(), "b")
	db, err := bolt.Open(path, 0o600, &bolt.Options{PageSize: boltfile.PageSize, FreelistType: bolt.FreelistMapType})
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		for _, b := range []struct {
			name         string
			n, key, size int
		}{{"a leaf", 12, 6, 200}, {"empty", 0, 0, 0}, {"large", 9, 900, 9000}, {"small", 3, 6, 10}, {"tall", 320, 900, 20}, {"wide", 700, 6, 300}} {
			bk, err := tx.CreateBucket([]byte(b.name))
			if err != nil {
				return err
			}
			for i := range b.n {
				k := append(fmt.Appendf(nil, "%06d", i), make([]byte, b.key-6)...)
				if err := bk.Put(k, bytes.Repeat([]byte{byte(i)}, b.size)); err != nil {
					return err
				}
			}
		}
		for i := range 60 {
			bk, err := tx.CreateBucket(fmt.Appendf(nil, "%c %d", 'a'+i%26, i))
			if err != nil {
				return err
			}
			if err := bk.Put([]byte("key"), make([]byte, 200)); err != nil {
				return err
			}
		}
		return nil
	}))
	require.NoError(t, db.Close())
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	return raw
}

// listed is a part that lists its records.
type listed struct{ records []string }

func (l *listed) Visit(b, k, v []byte) error {
	l.records = append(l.records, fmt.Sprintf("%s/%.6s/%x", b, k, v))
	return nil
}

func inParts(f *boltfile.File, workers int) (records []string, parts int, err error) {
	_, err = boltfile.WalkParts(context.Background(), f, workers, func() *listed { return &listed{} }, func(l *listed) error {
		records, parts = append(records, l.records...), parts+1
		return nil
	})
	return records, parts, err
}

// What the parts have, one behind the other, is what Walk gives.
func TestPartsAreTheWhole(t *testing.T) {
	small, _ := sample(t, false)
	for _, c := range []struct {
		raw   []byte
		parts int
	}{{small, 4}, {tall(t), 40}} {
		f, err := openBytes(c.raw)
		require.NoError(t, err)
		var want listed
		require.NoError(t, f.Walk(t.Context(), want.Visit))
		for _, workers := range []int{1, 2, 5} {
			got, parts, err := inParts(f, workers)
			require.NoError(t, err)
			require.Equal(t, want.records, got)
			require.GreaterOrEqual(t, parts, c.parts)
		}
	}
}

// What Walk finds the parts find, and where it is not a page that two of them
// reach they say the same of it.
func TestDamageInParts(t *testing.T) {
	raw := tall(t)
	f, err := openBytes(raw)
	require.NoError(t, err)
	rng := rand.New(rand.NewPCG(5, 3))
	page := func(b []byte, id uint64) []byte { return b[id*4096:][:4096] }
	one := func() uint64 { return 2 + rng.Uint64N(f.Meta().High-2) }
	passed, refused, twice := 0, 0, 0
	for range flips(250) {
		bad := bytes.Clone(raw)
		for range 1 + rng.IntN(2) {
			switch id, other := one(), one(); rng.IntN(4) {
			case 0: // a page is another one
				copy(page(bad, id)[8:], page(bad, other)[8:])
			case 1: // a branch leads elsewhere
				if p := page(bad, id); p[8] == 1 && p[10] > 0 {
					p[16+16*rng.IntN(int(p[10]))+8] = byte(other)
				}
			case 2:
				page(bad, id)[rng.IntN(64)] ^= 1 << rng.IntN(8)
			default:
				page(bad, id)[rng.IntN(4096)] ^= 1 << rng.IntN(8)
			}
		}
		b, err := openBytes(bad)
		require.NoError(t, err)
		whole := b.Walk(t.Context(), func(_, _, _ []byte) error { return nil })
		_, many := boltfile.WalkParts(t.Context(), b, 3, func() visits { return func() error { return nil } }, func(visits) error { return nil })
		switch {
		case whole == nil:
			require.NoError(t, many)
			passed++
			continue
		case strings.Contains(fmt.Sprint(whole, many), "twice"):
			require.ErrorIs(t, many, boltfile.ErrDamaged)
			twice++
		default:
			require.EqualError(t, many, whole.Error())
		}
		refused++
	}
	t.Logf("%d passed, %d refused, %d of them for a page reached twice", passed, refused, twice)
	require.Positive(t, passed)
	require.Positive(t, twice)
	require.Greater(t, refused, 2*twice)
}

// visits is a part that visits all records alike.
type visits func() error

func (v visits) Visit(_, _, _ []byte) error { return v() }

// However many workers there are and whatever ends them, few parts are under
// way, and nothing is when WalkParts has returned.
func TestPartsUnderWay(t *testing.T) {
	f, err := openBytes(tall(t))
	require.NoError(t, err)
	own := errors.New("own")
	const workers = 3
	run := func(ctx context.Context, visit func() error, join func() error) (most int64, err error) {
		var live atomic.Int64
		var ended atomic.Bool
		_, err = boltfile.WalkParts(ctx, f, workers, func() visits {
			live.Add(1)
			return func() error {
				require.False(t, ended.Load())
				return visit()
			}
		}, func(visits) error {
			for range 500 { // the workers go on where they can
				runtime.Gosched()
			}
			most = max(most, live.Load())
			live.Add(-1)
			return join()
		})
		ended.Store(true)
		return most, err
	}
	nothing := func() error { return nil }

	most, err := run(t.Context(), nothing, nothing)
	require.NoError(t, err)
	require.LessOrEqual(t, most, int64(2*workers+2))

	_, err = run(t.Context(), func() error { return own }, nothing)
	require.ErrorIs(t, err, own)
	_, err = run(t.Context(), nothing, func() error { return own })
	require.ErrorIs(t, err, own)

	ctx, cancel := context.WithCancel(t.Context())
	_, err = run(ctx, nothing, func() error { cancel(); return nil })
	require.ErrorIs(t, err, context.Canceled)
	ctx, cancel = context.WithCancel(t.Context())
	_, err = run(ctx, func() error { cancel(); return nil }, nothing)
	require.ErrorIs(t, err, context.Canceled)

	require.PanicsWithValue(t, "own", func() { _, _ = run(t.Context(), func() error { panic("own") }, nothing) })
}
