package queue

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// settledDay sells n offline and n online, delivers and settles them.
func settledDay(t testing.TB, q *Queue, day string, n int) BatchID {
	t.Helper()
	up := uplink{send: approve}
	for i := range n {
		s := offlineSale(fmt.Sprint(day, "-off-", i))
		s.Data = fmt.Appendf(nil, "data of %s-off-%d", day, i)
		_, err := q.Append(bg, s)
		require.NoError(t, err)
		_, err = q.Do(bg, up, cardSale(fmt.Sprint(day, "-on-", i)))
		require.NoError(t, err)
	}
	b, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cardLane, up))
	require.NoError(t, q.SettleBatch(bg, b))
	return b
}

func fileBytes(t testing.TB, q *Queue) string {
	t.Helper()
	b, err := os.ReadFile(q.Path())
	require.NoError(t, err)
	return string(b)
}

// I8: what is pruned still answers for its ref, keeps its number, its digest
// and its part of the totals; sequence and log hold.
func TestI8RefsOutlivePruning(t *testing.T) {
	q := openNew(t, fast)
	b := settledDay(t, q, "mon", 3)
	before := all(t, q, Filter{Batch: b})
	require.Len(t, before, 6)
	status, err := q.Status(bg)
	require.NoError(t, err)
	for range 2 {
		require.NoError(t, q.Prune(bg, b), "pruning again is no error")
		require.Empty(t, all(t, q, Filter{Batch: b}))
	}
	stubs := all(t, q, Filter{Batch: b, Pruned: true})
	require.Len(t, stubs, 6)
	for i, e := range stubs {
		was := before[i]
		require.Equal(t, []any{was.ID, was.STAN, was.State, was.Amount, was.Op, was.Kind, was.Tender, was.HostBatch, was.Answer.RRN},
			[]any{e.ID, e.STAN, e.State, e.Amount, e.Op, e.Kind, e.Tender, e.HostBatch, e.Answer.RRN})
		require.Equal(t, q.Digest(was), q.Digest(e))
		require.Empty(t, q.Canonical(nil, e))
		require.Empty(t, e.Ref+e.MaskedPAN+e.Operator+string(e.Data))
		again, err := q.ByRef(bg, was.Ref)
		require.NoError(t, err)
		require.Equal(t, was.ID, again.ID)
		require.Equal(t, was.Ref, again.Ref)
	}
	s := offlineSale("mon-off-1")
	s.Data = []byte("data of mon-off-1")
	e, err := q.Append(bg, s)
	require.NoError(t, err)
	require.Equal(t, Accepted, e.State)
	s.Amount.Minor++
	_, err = q.Append(bg, s)
	require.ErrorIs(t, err, ErrConflict)
	e, err = q.Do(bg, uplink{}, cardSale("mon-on-2"))
	require.NoError(t, err, "and nothing is sent")
	require.Equal(t, Accepted, e.State)
	e, err = q.Append(bg, offlineSale("tue"))
	require.NoError(t, err)
	require.EqualValues(t, 7, e.ID)
	after, err := q.Status(bg)
	require.NoError(t, err)
	require.Equal(t, status.Lanes[0].Tallies[0].Count, after.Lanes[0].Tallies[0].Count)
	known, err := q.Batch(bg, b)
	require.NoError(t, err)
	require.Equal(t, 6, known.Pruned)
	require.Equal(t, 6, known.Entries)
	// A refund of a pruned sale tells the host of it.
	refund, err := q.Append(bg, Transaction{Ref: "refund", Lane: cardLane, Op: Refund, Original: stubs[0].ID, Amount: Money{100, CNY}})
	require.NoError(t, err)
	require.Equal(t, before[0].Answer.RRN, refund.Of.RRN)
	require.NoError(t, q.Verify(bg))
}

// I8: only what is final in a settled batch is pruned, whoever asks.
func TestI8PruneTakesOnlyWhatIsSettled(t *testing.T) {
	q := openNew(t, fast)
	_, err := q.Append(bg, offlineSale("open"))
	require.NoError(t, err)
	open := BatchID{cardLane, 1}
	require.ErrorIs(t, q.Prune(bg, open), ErrState)
	b, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	require.ErrorIs(t, q.Prune(bg, b), ErrState)
	require.ErrorIs(t, q.Prune(bg, BatchID{cardLane, 9}), ErrNotFound)
	require.ErrorIs(t, q.Prune(bg, BatchID{cashLane, 1}), ErrNotFound)
	force := func(batch uint32, ids ...ID) error {
		return q.update(bg, func(v *fileView) error {
			return v.apply(event{kind: evPruned, lane: 1, batch: batch, keep: keeping{ids: ids, sums: make([][32]byte, len(ids))}})
		})
	}
	require.ErrorIs(t, force(1, 1), ErrState, "the log itself does not take the event")
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
	require.ErrorIs(t, force(1, 1), ErrState, "final, but not settled")
	require.NoError(t, q.SettleBatch(bg, b))
	later, err := q.Append(bg, offlineSale("later"))
	require.NoError(t, err)
	require.ErrorIs(t, force(1, later.ID), ErrState, "an entry of another batch")
	require.NoError(t, q.Prune(bg, b))
	require.ErrorIs(t, force(1, 1), ErrState, "once")
	require.NoError(t, q.Verify(bg))
}

func TestPruneRetains(t *testing.T) {
	o := fast
	o.RetainFor = time.Hour
	q := openNew(t, o)
	b := settledDay(t, q, "mon", 1)
	require.ErrorIs(t, q.Prune(bg, b), ErrState)
	require.Len(t, all(t, q, Filter{Batch: b}), 2)
}

// A notice that is not answered yet stays whole when its batch is pruned.
func TestPruneLeavesNotices(t *testing.T) {
	q := openNew(t, fast)
	_, err := q.Append(bg, offlineSale("sale"))
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
	_, err = q.Append(bg, Transaction{Ref: "signature", Lane: cardLane, Op: Report})
	require.NoError(t, err)
	b, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	require.NoError(t, q.SettleBatch(bg, b))
	require.ErrorIs(t, q.update(bg, func(v *fileView) error {
		return v.apply(event{kind: evPruned, lane: 1, batch: b.N, keep: keeping{ids: []ID{2}, sums: make([][32]byte, 1)}})
	}), ErrState, "the log itself does not take it")
	require.NoError(t, q.Prune(bg, b))
	left := all(t, q, Filter{})
	require.Len(t, left, 1)
	require.Equal(t, "signature", left[0].Ref)
	require.NoError(t, q.Compact(bg))
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
	require.Equal(t, Accepted, stateOf(t, q, "signature"))
	require.NoError(t, q.Prune(bg, b), "and goes once it is")
	require.Empty(t, all(t, q, Filter{}))
	require.NoError(t, q.Verify(bg))
}

// After Compact the raw file holds no track after the answer, no card after
// the settlement, nothing of what was pruned; before, it did.
func TestCompactForgetsTheBytes(t *testing.T) {
	q := openNew(t, fast)
	has := func(s string) bool { return strings.Contains(fileBytes(t, q), s) }
	_, err := q.Append(bg, offlineSale("first-ref"))
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}))
	track := testPAN + "=3012"
	require.True(t, has(track), "before: there")
	require.NoError(t, q.Compact(bg))
	require.False(t, has(track), "a track goes with the final answer")
	require.True(t, has(testPAN), "the PAN is kept for the batch upload")
	b, err := q.CloseBatch(bg, cardLane)
	require.NoError(t, err)
	require.NoError(t, q.SettleBatch(bg, b))
	require.True(t, has(testPAN))
	require.NoError(t, q.Compact(bg))
	require.False(t, has(testPAN), "the PAN goes with the settlement")
	require.True(t, has("622155******0000"))
	require.True(t, has("first-ref"))
	require.NoError(t, q.Prune(bg, b))
	require.NoError(t, q.Compact(bg))
	require.False(t, has("622155******0000"))
	require.False(t, has("first-ref"))
	require.NoError(t, q.Verify(bg))
	e, err := q.Append(bg, offlineSale("first-ref"))
	require.NoError(t, err)
	require.EqualValues(t, 1, e.ID)
}

// rotating is a keyring whose current key changes.
type rotating struct {
	mu      sync.Mutex
	current string
	keys    map[string]string
}

func (r *rotating) Current() (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current, nil
}

func (r *rotating) Key(name string) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := r.keys[name]
	if !ok {
		return nil, ErrNotFound
	}
	return []byte(strings.Repeat(k, 32)), nil
}

// A key is rotated while sales go on; after Compact no record names the old
// one, and the journal lives without it. The sealed bytes of a forgotten card
// are gone, too.
func TestRotationWhileInUse(t *testing.T) {
	keys := &rotating{current: "key-of-may", keys: map[string]string{"key-of-may": "m", "key-of-june": "j"}}
	path := filepath.Join(t.TempDir(), "journal")
	q, err := Open(path, keys, &fast)
	require.NoError(t, err)
	defer func() { _ = q.Close() }()
	b := settledDay(t, q, "may", 5)
	_, err = q.Append(bg, offlineSale("pending"))
	require.NoError(t, err)
	require.NoError(t, q.Close()) // every record goes to its place
	q, err = Open(path, keys, &fast)
	require.NoError(t, err)
	var sealed []byte
	require.NoError(t, q.file.View(func(tx *txn) error {
		sealed = tx.Raw(inCards, idKey(11))
		return nil
	}))
	require.NotEmpty(t, sealed)

	ctx, cancel := context.WithCancel(bg)
	var selling sync.WaitGroup
	selling.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			_, err := q.Append(bg, cashSale(fmt.Sprint("cash-", i)))
			require.NoError(t, err)
		}
	})
	selling.Go(func() {
		require.ErrorIs(t, q.Forward(ctx, cashLane, uplink{send: approve}), context.Canceled)
	})
	keys.mu.Lock()
	keys.current = "key-of-june"
	keys.mu.Unlock()
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: approve}), "old records open, new ones are sealed anew")
	raw := fileBytes(t, q)
	require.True(t, strings.Contains(raw, "key-of-may") && strings.Contains(raw, "key-of-june"))
	require.NoError(t, q.Compact(bg))
	raw = fileBytes(t, q)
	require.False(t, strings.Contains(raw, "key-of-may"), "no record names the old key")
	require.False(t, strings.Contains(raw, string(sealed)), "no old ciphertext is left")
	keys.mu.Lock()
	delete(keys.keys, "key-of-may")
	keys.mu.Unlock()
	cancel()
	selling.Wait()
	require.NoError(t, q.Close())
	q, err = Open(path, keys, &fast)
	require.NoError(t, err)
	require.NoError(t, q.Verify(bg))
	require.Len(t, all(t, q, Filter{Batch: b}), 10)
	require.Equal(t, Accepted, stateOf(t, q, "pending"))
	require.Equal(t, Accepted, stateOf(t, q, "may-on-3"))
}

// The condensed log says what the whole one said, over several compactions,
// keeps what a person said of entries that are there, and is smaller.
func TestCompactCondensesTheLog(t *testing.T) {
	q := openNew(t, fast)
	for d := range 3 {
		b := settledDay(t, q, fmt.Sprint("day", d), 20)
		if d == 2 {
			break
		}
		require.NoError(t, q.Prune(bg, b))
	}
	n := 0
	_, err := q.Append(bg, offlineSale("refused"))
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cardLane, answering(Refused, "30")))
	refused, err := q.ByRef(bg, "refused")
	require.NoError(t, err)
	require.NoError(t, q.Resolve(bg, refused.ID, Answer{Verdict: Refused}, "Li", "host rejects the form"))
	_, err = q.Do(bg, uplink{send: silent}, cardSale("in doubt"))
	require.ErrorIs(t, err, ErrInDoubt)
	_, err = q.Append(bg, cashSale("cash"))
	require.NoError(t, err)
	states := func() (out []string) {
		for _, e := range all(t, q, Filter{Pruned: true}) {
			out = append(out, fmt.Sprintf("%+v", e))
		}
		return out
	}
	logged := func() (events int, said []string) {
		require.NoError(t, q.file.View(func(tx *txn) error {
			return eachEvent(tx, func(_ uint64, body []byte) error {
				events++
				ev, err := decodeEvent(body)
				for err == nil && ev.kind == evNoted {
					ev, err = decodeEvent(ev.keep.body)
				}
				if ev.who != "" {
					said = append(said, ev.who+": "+ev.text)
				}
				return err
			})
		}))
		return events, said
	}
	before := states()
	n, _ = logged()
	for range 2 {
		require.NoError(t, q.Compact(bg))
		require.NoError(t, q.Verify(bg))
		require.Equal(t, before, states())
		after, said := logged()
		require.Less(t, after, n)
		require.Equal(t, []string{"Li: host rejects the form"}, said)
	}
	again := crashed(t, q, fast)
	require.NoError(t, again.Verify(bg))
	require.NoError(t, again.Drain(bg, cardLane, uplink{send: approve}))
	require.Equal(t, Reversed, stateOf(t, again, "in doubt"))
	require.NoError(t, again.Drain(bg, cashLane, uplink{send: approve}))
	require.NoError(t, again.Verify(bg))
	b := settledDay(t, again, "after", 3)
	require.NoError(t, again.Prune(bg, b))
	require.NoError(t, again.Compact(bg))
	require.NoError(t, again.Verify(bg))
}
