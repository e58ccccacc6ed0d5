package queue

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func from(b []byte) func() (io.Reader, error) {
	return func() (io.Reader, error) { return bytes.NewReader(b), nil }
}

// brokenDay leaves an entry in every state that an export can find.
func brokenDay(t *testing.T, q *Queue, h *oneHost) []byte {
	settledDay(t, q, "settled", 2)
	old, err := q.ByRef(bg, "settled-off-0")
	require.NoError(t, err)
	h.batch = 41
	sold, err := q.Do(bg, h, cardSale("online"))
	require.NoError(t, err)
	_, err = q.Do(bg, h, cardSale("to be voided"))
	require.NoError(t, err)
	voided, err := q.ByRef(bg, "to be voided")
	require.NoError(t, err)
	_, err = q.Do(bg, h, Transaction{Ref: "void", Lane: cardLane, Op: Void, Original: voided.ID})
	require.NoError(t, err)
	_, err = q.Do(bg, answering(Refused, "51"), cardSale("declined"))
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("lost"))
	require.NoError(t, err)
	once(t, q, h.lost())
	for _, ref := range []string{"pending0", "pending1"} {
		_, err = q.Append(bg, offlineSale(ref))
		require.NoError(t, err)
	}
	_, err = q.Append(bg, Transaction{Ref: "refund", Lane: cardLane, Op: Refund, Original: old.ID, Amount: Money{100, CNY}})
	require.NoError(t, err)
	_, err = q.Do(bg, h.lost(), cardSale("doubt"))
	require.ErrorIs(t, err, ErrInDoubt)
	_ = sold
	var b bytes.Buffer
	n, err := q.Export(bg, &b)
	require.NoError(t, err)
	require.Equal(t, n, strings.Count(fmt.Sprint(refs(t, q)), "|")-4)
	return b.Bytes()
}

func refs(t *testing.T, q *Queue) (out []string) {
	for _, e := range all(t, q, Filter{}) {
		out = append(out, "|"+e.Ref)
	}
	return out
}

// identity is what a host knows an entry by, and what reconciling compares.
func identity(q *Queue, e Entry) string {
	ref := e.Ref
	if e.Kind == Reversal {
		ref = "reversal"
	}
	return fmt.Sprint(ref, e.Lane, e.STAN, e.HostBatch, e.Kind, e.Op, e.Amount, e.Time.UnixMilli(), e.Card.PAN.Reveal(),
		e.Card.Track2.Reveal(), e.Of.STAN, e.Of.RRN, e.Answer.RRN, e.Reason, fmt.Sprintf("%x", q.Digest(e)))
}

// What a device exports, another sends under the same identities: one effect
// each, whoever comes first, and importing again changes nothing.
func TestBothForwardWhatWasExported(t *testing.T) {
	for _, otherFirst := range []bool{false, true} {
		h := newOneHost(40)
		o := Options{RetryMin: 1, RetryMax: 2, ReversalTries: 1000}
		q, other := openNew(t, o), openNew(t, o)
		_, err := other.Append(bg, cashSale("own sale"))
		require.NoError(t, err)
		b := brokenDay(t, q, h)

		done, err := other.Import(bg, from(b))
		require.NoError(t, err)
		require.Equal(t, q.JournalID(), done.From)
		require.Equal(t, 10, done.Entries)
		require.Zero(t, done.Known)
		require.Empty(t, done.Shared)
		require.NoError(t, other.Verify(bg))
		theirs := map[string]bool{}
		for _, e := range all(t, other, Filter{Lane: cardLane}) {
			theirs[identity(other, e)] = true
			require.Equal(t, q.JournalID(), e.Origin.Journal)
		}
		for _, e := range all(t, q, Filter{From: 5}) {
			require.True(t, theirs[identity(q, e)], "%s", identity(q, e))
		}
		require.Len(t, theirs, 10)
		before := refs(t, other)
		for range 2 {
			again, err := other.Import(bg, from(b))
			require.NoError(t, err)
			require.Equal(t, Imported{From: q.JournalID(), Known: 10}, again)
			require.Equal(t, before, refs(t, other))
		}
		home, err := q.Import(bg, from(b))
		require.NoError(t, err)
		require.Equal(t, 10, home.Known, "at home all of it is known")

		goOn := []*Queue{q, other}
		if otherFirst {
			goOn = []*Queue{other, q}
		}
		for _, d := range goOn {
			require.NoError(t, d.Drain(bg, cardLane, h))
			require.NoError(t, d.Verify(bg))
		}
		want := map[string]int{"online": 1, "to be voided": 1, "void": 1, "lost": 1, "pending0": 1, "pending1": 1, "refund": 1}
		require.Equal(t, want, h.standing(t))
		for _, d := range goOn {
			for ref := range want {
				require.Equal(t, Accepted, stateOf(t, d, ref), ref)
			}
			require.Equal(t, Reversed, stateOf(t, d, "doubt"))
			require.Equal(t, Declined, stateOf(t, d, "declined"))
		}
		// The imported batch is settled like others.
		unsettled, err := other.Unsettled(bg, cardLane)
		require.NoError(t, err)
		require.Len(t, unsettled, 1)
		require.NoError(t, other.SettleBatch(bg, unsettled[0].ID))
		require.NoError(t, other.Prune(bg, unsettled[0].ID))
		require.NoError(t, other.Compact(bg))
		require.NoError(t, other.Verify(bg))
		again, err := other.Import(bg, from(b))
		require.NoError(t, err)
		require.Equal(t, 10, again.Known, "pruned is known, too")
	}
}

// Requests that were under way or waited, and what never met its host, need a
// person on the other device.
func TestImportParks(t *testing.T) {
	h := newOneHost(41)
	q, other := openNew(t, fast), openNew(t, fast)
	var b bytes.Buffer
	_, err := q.Do(bg, uplink{prepare: h.Prepare, send: func(ctx context.Context, e Entry) (Answer, error) {
		_, err := q.Append(bg, cashSale("never met"))
		require.NoError(t, err)
		_, err = q.Export(bg, &b)
		require.NoError(t, err)
		return h.Send(ctx, e)
	}}, cardSale("under way"))
	require.NoError(t, err)
	_, err = other.Import(bg, from(b.Bytes()))
	require.NoError(t, err)
	require.Equal(t, Parked, stateOf(t, other, "under way"))
	require.Equal(t, Parked, stateOf(t, other, "never met"))
	require.Equal(t, Pending, stateOf(t, q, "never met"))
	require.NoError(t, other.Drain(bg, cardLane, h))
	require.Equal(t, map[string]int{"under way": 1}, h.standing(t), "the other device reverses nothing")
	// New sales on the adopted lane wait for a number.
	_, err = other.Do(bg, h, cardSale("new"))
	require.ErrorIs(t, err, ErrHeldBack)
	h.batch = 42
	_, err = other.Do(bg, h, cardSale("new"))
	require.NoError(t, err)
	require.NoError(t, other.Verify(bg))
}

// A ref that stands for another transaction is told, not swallowed; so is a
// lane that both devices sell on.
func TestImportTellsConflicts(t *testing.T) {
	q, other := openNew(t, fast), openNew(t, fast)
	for _, ref := range []string{"a", "b"} {
		_, err := q.Append(bg, offlineSale(ref))
		require.NoError(t, err)
	}
	_, err := other.Append(bg, offlineSale("b"))
	require.NoError(t, err)
	var b bytes.Buffer
	_, err = q.Export(bg, &b)
	require.NoError(t, err)
	done, err := other.Import(bg, from(b.Bytes()))
	require.ErrorIs(t, err, ErrConflict)
	require.Equal(t, []string{"b"}, done.Conflicts)
	require.Equal(t, []Lane{cardLane}, done.Shared)
	require.Equal(t, 1, done.Entries)
	require.NoError(t, other.Verify(bg))
}

// A file that is cut short, changed, or something else is refused before
// anything is journalled.
func TestImportRefusesWhatIsNotWhole(t *testing.T) {
	q, other := openNew(t, fast), openNew(t, fast)
	b := brokenDay(t, q, newOneHost(40))
	refuse := func(bad []byte, what string, at int) {
		_, err := other.Import(bg, from(bad))
		require.Error(t, err, "%s at %d", what, at)
		require.Empty(t, refs(t, other))
	}
	for i := range b {
		refuse(b[:i], "cut", i)
		bad := bytes.Clone(b)
		bad[i] ^= 4
		refuse(bad, "changed", i)
	}
	refuse(append(bytes.Clone(b), 0), "longer", 0)
	_, err := other.Import(bg, from(b[:10]))
	require.ErrorIs(t, err, ErrFormat)
	_, err = other.Import(bg, from(b[:len(b)-1]))
	require.ErrorIs(t, err, ErrDamaged)
}

// However long the export is, its end is read before anything is journalled.
func TestImportChecksAllOfIt(t *testing.T) {
	q, other := openNew(t, fast), openNew(t, fast)
	for i := range 100 {
		_, err := q.Append(bg, offlineSale(fmt.Sprint("s", i)))
		require.NoError(t, err)
	}
	var b bytes.Buffer
	_, err := q.Export(bg, &b)
	require.NoError(t, err)
	bad := bytes.Clone(b.Bytes())
	bad[len(bad)-1] ^= 1
	_, err = other.Import(bg, from(bad))
	require.ErrorIs(t, err, ErrDamaged)
	_, err = other.Import(bg, from(b.Bytes()[:b.Len()-40]))
	require.ErrorIs(t, err, ErrDamaged)
	require.Empty(t, refs(t, other))
}

// An import that a crash cut short goes on.
func TestImportGoesOnAfterACrash(t *testing.T) {
	q := openNew(t, fast)
	for i := range 100 {
		_, err := q.Append(bg, offlineSale(fmt.Sprint("s", i)))
		require.NoError(t, err)
	}
	var b bytes.Buffer
	_, err := q.Export(bg, &b)
	require.NoError(t, err)
	other := openNew(t, fast)
	ctx, cancel := context.WithCancel(bg)
	reads := 0
	_, err = other.Import(ctx, func() (io.Reader, error) {
		if reads++; reads == 1 {
			return bytes.NewReader(b.Bytes()), nil
		}
		return &cutter{r: bytes.NewReader(b.Bytes()), left: b.Len() / 2, cut: cancel}, nil
	})
	require.Error(t, err)
	after := crashed(t, other, fast)
	some := len(all(t, after, Filter{}))
	require.Greater(t, some, 0)
	require.Less(t, some, 100)
	done, err := after.Import(bg, from(b.Bytes()))
	require.NoError(t, err)
	require.Equal(t, 100, done.Known+done.Entries)
	require.Equal(t, some, done.Known)
	require.Len(t, all(t, after, Filter{}), 100)
	require.NoError(t, after.Verify(bg))
}

type cutter struct {
	r    io.Reader
	left int
	cut  func()
}

func (c *cutter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b[:min(len(b), 512)])
	if c.left -= n; c.left < 0 {
		c.cut()
	}
	return n, err
}

func FuzzImport(f *testing.F) {
	q := openAt(f, f.TempDir()+"/a", fast)
	_, err := q.Append(bg, Transaction{Ref: "r", Lane: cashLane, Op: Sale, Tender: Cash, Amount: Money{1, CNY}, Time: time.Unix(1, 0)})
	require.NoError(f, err)
	var b bytes.Buffer
	_, err = q.Export(bg, &b)
	require.NoError(f, err)
	f.Add(b.Bytes())
	f.Add([]byte(exportMagic))
	other := openAt(f, f.TempDir()+"/b", fast)
	f.Fuzz(func(t *testing.T, in []byte) {
		// The sum is mended, so that the fuzzer gets behind it.
		if n := len(in) - 33; n > 0 && in[n] == frameEnd {
			sum := sumOf(in[:n+1])
			in = append(bytes.Clone(in[:n+1]), sum[:]...)
		}
		before := len(all(t, other, Filter{}))
		done, err := other.Import(bg, from(in))
		if err == nil && done.Entries > 0 {
			require.NoError(t, other.Verify(bg))
			return
		}
		require.Len(t, all(t, other, Filter{}), before+done.Entries)
	})
}

func sumOf(b []byte) [32]byte { return sha256.Sum256(b) }
