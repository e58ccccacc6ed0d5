package queue

import (
	"bytes"
	"compress/gzip"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/journal"
	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/internal/seal"
)

var update = flag.Bool("update", false, "make the golden journal of the current format anew")

var goldenKeys = keyring{"k1": []byte(strings.Repeat("k", 32))}

// goldenDay puts entries of all kinds and states into q.
func goldenDay(t *testing.T, q *Queue) {
	h := newOneHost(40)
	b := settledDay(t, q, "settled", 2)
	require.NoError(t, q.Prune(bg, b))
	require.NoError(t, q.Compact(bg))
	_, err := q.Do(bg, h, cardSale("online"))
	require.NoError(t, err)
	_, err = q.Do(bg, h.lost(), cardSale("doubt"))
	require.ErrorIs(t, err, ErrInDoubt)
	_, err = q.Append(bg, Transaction{Ref: "signature", Lane: cardLane, Op: Report, Data: []byte("a picture")})
	require.NoError(t, err)
	cash := cashSale("cash")
	cash.Operator, cash.Time = "07", time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 8*3600))
	_, err = q.Append(bg, cash)
	require.NoError(t, err)
	e, err := q.Append(bg, offlineSale("cancelled"))
	require.NoError(t, err)
	_, err = q.Reverse(bg, e.ID)
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("refused"))
	require.NoError(t, err)
	once(t, q, answering(Refused, "30"))
	e, err = q.Append(bg, offlineSale("moved"))
	require.NoError(t, err)
	other := cardLane
	other.Host = "second"
	_, err = q.Move(bg, e.ID, other, "outage", "the first host is silent")
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("pending"))
	require.NoError(t, err)
	goldenDecisions(t, q)
	require.NoError(t, q.Backup(bg, io.Discard))
}

// goldenDecisions has hosts, persons and a card decide, on a lane of its own.
func goldenDecisions(t *testing.T, q *Queue) {
	there := cardLane
	there.Terminal = "10000009"
	on := func(tr Transaction) Transaction {
		tr.Lane = there
		return tr
	}
	e, err := q.Append(bg, on(offlineSale("argued about")))
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, there, answering(Refused, "30")))
	require.NoError(t, q.Unpark(bg, e.ID, "Li", "the merchant is set up now"))
	require.NoError(t, q.Drain(bg, there, answering(Refused, "30")))
	require.NoError(t, q.Resolve(bg, e.ID, Answer{Verdict: Approved, Code: "00"}, "Wang", "booked by telephone"))
	_, err = q.DoConfirm(bg, uplink{send: approve}, on(cardSale("confirmed")), func(context.Context, Entry) error { return nil })
	require.NoError(t, err)
	e, err = q.Do(bg, uplink{send: func(context.Context, Entry) (Answer, error) { return Answer{}, ErrNotSent }}, on(cardSale("taken offline")))
	require.ErrorIs(t, err, ErrNotSent)
	_, err = q.TakeOffline(bg, e.ID, "Y1")
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, there, uplink{send: approve}))
	_, err = q.NextSTAN(bg, there)
	require.NoError(t, err)
	b, err := q.CloseBatch(bg, there)
	require.NoError(t, err)
	require.NoError(t, q.SaveProgress(bg, b, []byte("half of it")))
	_, err = q.AppendAtRisk(bg, on(cardSale("at risk")))
	require.NoError(t, err)
}

// The golden journal has the events of a day in it.
func TestGoldenDay(t *testing.T) {
	q := openNew(t, fast)
	goldenDay(t, q)
	seen := map[string]bool{}
	for h, err := range q.History(bg, 0) {
		require.NoError(t, err)
		seen[h.What] = true
	}
	for _, k := range []eventKind{evKept, evAppended, evAttempted, evAnswered, evSilent, evUnsent, evHeld, evCancelled,
		evOffline, evReleased, evResolved, evRerouted, evSTAN, evClosed, evProgress, evBound} {
		require.True(t, seen[k.String()], "%s", k)
	}
}

// listing shows what a journal says of its entries.
func listing(t *testing.T, q *Queue) string {
	var out strings.Builder
	for _, e := range all(t, q, Filter{Pruned: true}) {
		fmt.Fprintf(&out, "%d %q %s %s %s %s %s %s batch %d/%d attempts %d answer %s/%s/%s pan %s%s of %d pruned %t digest %x\n", e.ID, e.Ref, e.Lane,
			e.Kind, e.Op, e.Amount, e.STAN, e.State, e.Batch.N, e.HostBatch, e.Attempts, e.Answer.Verdict, e.Answer.Code, e.Answer.RRN,
			e.MaskedPAN, strings.Repeat("+", len(e.Card.PAN.Reveal())), e.Original, e.Pruned, q.Digest(e))
	}
	return out.String()
}

// Every format ever written opens and verifies, with the same entries in it.
func TestGoldenJournals(t *testing.T) {
	if *update {
		makeGolden(t)
	}
	files, err := filepath.Glob("testdata/format*.journal.gz")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		b := goldenFile(t, name)
		path := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		q, err := Open(path, goldenKeys, nil)
		require.NoError(t, err)
		require.NoError(t, q.Verify(bg))
		want, err := os.ReadFile(strings.TrimSuffix(name, ".journal.gz") + ".txt")
		require.NoError(t, err)
		require.Equal(t, string(want), listing(t, q))
		_, err = q.Append(bg, cashSale("and it is written on"))
		require.NoError(t, err)
		require.NoError(t, q.Compact(bg))
		require.NoError(t, q.Verify(bg))
		require.NoError(t, q.Close())
	}
}

// A backup of every format restores, and leaves nothing but the journal.
func TestGoldenBackups(t *testing.T) {
	files, err := filepath.Glob("testdata/format*.backup.gz")
	require.NoError(t, err)
	require.Len(t, files, int(journal.Format))
	for _, name := range files {
		dir := t.TempDir()
		q, err := Restore(bg, filepath.Join(dir, "journal"), bytes.NewReader(goldenFile(t, name)), goldenKeys, nil)
		require.NoError(t, err)
		require.NoError(t, q.Verify(bg))
		require.EqualValues(t, 2, q.Epoch())
		require.Len(t, all(t, q, Filter{Pruned: true}), strings.Count(listing(t, q), "\n"))
		require.NotEmpty(t, all(t, q, Filter{States: []State{InDoubt}}))
		require.NoError(t, q.Close())
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Len(t, left, 2, "the journal and its lock: %v", left)
	}
}

// The old file stays beside the migrated one until that has been used and
// closed once; a damaged one is not migrated, and left as it is.
func TestMigration(t *testing.T) {
	old := goldenFile(t, "testdata/format1.journal.gz")
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(path, old, 0o600))
	for _, kept := range []bool{true, false} {
		q, err := Open(path, goldenKeys, nil)
		require.NoError(t, err)
		require.NoError(t, q.Verify(bg))
		_, err = q.Append(bg, cashSale(fmt.Sprint("kept ", kept)))
		require.NoError(t, err)
		was, err := os.ReadFile(path + ".migrated")
		if kept {
			require.NoError(t, err)
			require.True(t, bytes.Equal(old, was))
		} else {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
		require.NoError(t, q.Close())
	}
	damaged := 0
	for page := 2; page < len(bytes.TrimRight(old, "\x00"))/4096; page++ {
		bad := bytes.Clone(old)
		clear(bad[page*4096+256 : page*4096+1024])
		path := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		q, err := Open(path, goldenKeys, nil)
		if err == nil {
			require.NoError(t, q.Verify(bg)) // the page is a free one
			require.NoError(t, q.Close())
			continue
		}
		damaged++
		require.ErrorIs(t, err, ErrDamaged)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(bad, after))
		_, err = Salvage(bg, path, goldenKeys, nil)
		require.NoError(t, err, "page %d", page)
		q, err = Open(path, goldenKeys, nil)
		require.NoError(t, err)
		require.NoError(t, q.Close())
	}
	require.Greater(t, damaged, 2)
}

func goldenFile(t *testing.T, name string) []byte {
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	r, err := gzip.NewReader(f)
	require.NoError(t, err)
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return b
}

func makeGolden(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	q, err := Open(path, goldenKeys, &fast)
	require.NoError(t, err)
	goldenDay(t, q)
	text := listing(t, q)
	var copied bytes.Buffer
	require.NoError(t, q.Backup(bg, &copied))
	require.NoError(t, q.Close())
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	name := fmt.Sprint("testdata/format", journal.Format)
	require.NoError(t, os.MkdirAll("testdata", 0o755))
	require.NoError(t, os.WriteFile(name+".journal.gz", packed(t, b), 0o644))
	require.NoError(t, os.WriteFile(name+".backup.gz", packed(t, copied.Bytes()), 0o644))
	require.NoError(t, os.WriteFile(name+".txt", []byte(text), 0o644))
}

func packed(t *testing.T, b []byte) []byte {
	var out bytes.Buffer
	w, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	require.NoError(t, err)
	_, err = w.Write(b)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}

// A journal of a newer format, and what is no journal, is refused and left as
// it is, to the byte.
func TestOtherFormatsAreLeftAlone(t *testing.T) {
	newer := filepath.Join(t.TempDir(), "journal")
	q := openAt(t, newer, fast)
	_, err := q.Append(bg, cashSale("s"))
	require.NoError(t, err)
	require.NoError(t, q.Close())
	db, err := bolt.Open(newer, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bolt.Tx) error {
		var w record.Writer
		w.Uint(journal.Format + 1)
		w.String("who knows what a later version puts here")
		sealed, err := seal.New(nil, [16]byte{}).Seal(nil, w.B, []byte("header"))
		require.NoError(t, err)
		return tx.Bucket([]byte("h")).Put([]byte("header"), sealed)
	}))
	require.NoError(t, db.Close())
	foreign := filepath.Join(t.TempDir(), "journal")
	db, err = bolt.Open(foreign, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	text := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(text, []byte(strings.Repeat("a shopping list\n", 1000)), 0o600))
	for _, path := range []string{newer, foreign, text} {
		before, err := os.ReadFile(path)
		require.NoError(t, err)
		_, err = Open(path, nil, &Options{Unsealed: true})
		require.ErrorIs(t, err, ErrFormat)
		after, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(before, after))
		left, err := filepath.Glob(path + "*")
		require.NoError(t, err)
		require.Equal(t, []string{path, path + ".lock"}, left)
	}
}

// FuzzOpen opens damaged journals, and arbitrary bytes, as a journal: an error,
// or a journal that can be read, but never the end of the process. The first
// byte of an input says whether the rest is the file, or what is changed in one.
func FuzzOpen(f *testing.F) {
	path := filepath.Join(f.TempDir(), "journal")
	q := openAt(f, path, fast)
	_, err := q.Append(bg, cashSale("s"))
	require.NoError(f, err)
	require.NoError(f, q.Close())
	whole, err := os.ReadFile(path)
	require.NoError(f, err)
	whole = append(bytes.TrimRight(whole, "\x00"), make([]byte, 8192)...)
	f.Add([]byte("0no journal"))
	f.Add([]byte("1"))
	f.Add([]byte{'1', 0, 0x10, 0x20, 0x80})
	f.Add([]byte{'1', 0, 0x20, 0x08, 0xff, 0, 0x30, 0x0a, 1, 0, 0x40, 0x18, 0xff})
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) == 0 {
			return
		}
		b := in[1:]
		if in[0] == '1' {
			b = bytes.Clone(whole)
			for edits := in[1:]; len(edits) >= 4; edits = edits[4:] {
				at := int(edits[0])<<16 | int(edits[1])<<8 | int(edits[2])
				b[at%len(b)] = edits[3]
			}
		}
		path := filepath.Join(t.TempDir(), "journal")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		q, err := Open(path, nil, &Options{Unsealed: true})
		if err != nil {
			return
		}
		for _, err := range q.All(bg, Filter{}) {
			_ = err
		}
		_ = q.Verify(bg)
		_, _ = q.Append(bg, cashSale("after"))
		_ = q.Close()
	})
}
