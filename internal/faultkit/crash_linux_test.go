package faultkit_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/boltfile"
	"github.com/tallystick/tallystick/internal/faultkit"
	"github.com/tallystick/tallystick/queue"
)

// fact is what the app was told once the disk had come to op at.
type fact struct {
	at    int
	ref   string
	sent  bool        // a byte of it may have left the device (I2)
	state queue.State // the outcome that was returned, 0 when none
	// promised: state is the one that it comes to in the end.
	promised bool
	booked   *booked // nothing that the app was told, but what the host did
}

// recording is a workload with everything that the disk and the app saw.
type recording struct {
	base  []byte
	ops   []faultkit.Op
	facts []fact
}

// record runs a workload on the journal at path; where there is one already,
// opening it is recorded too.
func record(t *testing.T, path string, work func(q *queue.Queue, note func(f fact))) recording {
	t.Helper()
	var k faultkit.Kit
	o := options()
	faultkit.Into(o, "onOpen", k.Hold)
	var r recording
	if b, err := os.ReadFile(path); err == nil {
		r.base = b
		k.Record()
	}
	q, err := queue.Open(path, ring{}, o)
	require.NoError(t, err)
	if r.base == nil {
		_, err := q.Status(bg) // waits until the file may be used
		require.NoError(t, err)
		r.base, err = os.ReadFile(path)
		require.NoError(t, err)
		k.Record()
	}
	work(q, func(f fact) {
		f.at = len(k.Ops())
		r.facts = append(r.facts, f)
	})
	require.NoError(t, q.Close())
	r.ops = k.Ops()
	return r
}

// day is the mixed workload: requests approved, silent and reversed, advices
// forwarded and repeated, a sale cancelled, a batch closed and settled.
func day(t *testing.T, rounds int) func(q *queue.Queue, note func(f fact)) {
	return func(q *queue.Queue, note func(f fact)) {
		quiet := false
		up := uplink(func(e queue.Entry) (queue.Answer, error) {
			note(fact{ref: e.Ref, sent: true})
			if quiet && e.Kind != queue.Reversal {
				quiet = false
				return queue.Answer{}, errSilent
			}
			return approved(e), nil
		})
		for i := range rounds {
			name := func(what string) string { return fmt.Sprintf("%s %d", what, i) }
			for j := range 3 {
				e, err := q.Append(bg, offline(name(fmt.Sprint("advice ", j))))
				require.NoError(t, err)
				note(fact{ref: e.Ref})
			}
			e, err := q.Do(bg, up, sale(name("request")))
			require.NoError(t, err)
			note(fact{ref: e.Ref, state: e.State})
			quiet = true
			_, err = q.Do(bg, up, sale(name("silent")))
			require.ErrorIs(t, err, queue.ErrInDoubt)
			e, err = q.Append(bg, offline(name("withdrawn")))
			require.NoError(t, err)
			_, err = q.Reverse(bg, e.ID)
			require.NoError(t, err)
			note(fact{ref: e.Ref, state: queue.Cancelled})
			quiet = i%2 == 0
			require.NoError(t, q.Drain(bg, cards, up))
			for j := range 3 {
				note(fact{ref: name(fmt.Sprint("advice ", j)), state: queue.Accepted})
			}
			note(fact{ref: name("silent"), state: queue.Reversed})
			if i%3 == 2 {
				b, err := q.CloseBatch(bg, cards)
				require.NoError(t, err)
				require.NoError(t, q.SettleBatch(bg, b))
			}
		}
	}
}

// requireFacts opens a crash image, in which all facts must hold and Verify
// pass, and runs then on it.
func requireFacts(t *testing.T, img []byte, facts []fact, what string, then func(q *queue.Queue)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "j")
	require.NoError(t, os.WriteFile(path, img, 0o600))
	q, err := queue.Open(path, ring{}, options())
	require.NoError(t, err, what)
	defer os.RemoveAll(filepath.Dir(path))
	defer q.Close()
	require.NoError(t, q.Verify(bg), what)
	for _, f := range facts {
		e, err := q.ByRef(bg, f.ref)
		require.NoError(t, err, "%s: %q was acknowledged", what, f.ref)
		if f.sent {
			require.NotEqual(t, queue.Pending, e.State, "%s: %q was being sent (I2)", what, f.ref)
			require.NotEqual(t, queue.Cancelled, e.State, "%s: %q was being sent", what, f.ref)
		}
		if f.state != 0 && !f.promised {
			require.Equal(t, f.state, e.State, "%s: %q", what, f.ref)
		}
	}
	if then != nil {
		then(q)
	}
}

// drainAll delivers what is left and requires that everything has an outcome.
func drainAll(t *testing.T, q *queue.Queue, what string) {
	t.Helper()
	up := uplink(func(e queue.Entry) (queue.Answer, error) { return approved(e), nil })
	require.NoError(t, q.Drain(bg, cards, up), what)
	require.NoError(t, q.Verify(bg), what)
	for e, err := range q.All(bg, queue.Filter{}) {
		require.NoError(t, err, what)
		require.True(t, e.State.Final(), "%s: entry %d is %s", what, e.ID, e.State)
	}
}

// cuts calls each with every state that the disk may hold at every moment of
// the recording, and with the facts that must hold then.
func (r recording) cuts(rng *rand.Rand, random int, each func(img faultkit.Image, facts []fact, what string)) {
	disk := faultkit.NewDisk(r.base)
	known := 0
	for i := range r.ops {
		for known < len(r.facts) && r.facts[known].at <= i {
			known++
		}
		// Between two syncs the longest run of writes has every shorter one
		// among its prefixes.
		if r.ops[i].Sync {
			for img := range disk.Images(rng, random) {
				each(img, r.facts[:known], fmt.Sprintf("cut before op %d of %d, %s", i, len(r.ops), img.Name))
			}
		}
		disk.Apply(r.ops[i])
	}
	each(faultkit.Image{Data: disk.Durable()}, r.facts, "after the end")
}

// checkpoints counts the commits of the recording that dropped the records of
// groups.
func (r recording) checkpoints(t *testing.T) (n int) {
	disk := faultkit.NewDisk(r.base)
	had := 0
	for i, op := range r.ops {
		disk.Apply(op)
		if !op.Sync || i == 0 || r.ops[i-1].Off >= 2*boltfile.PageSize {
			continue
		}
		b := disk.Durable()
		file, err := boltfile.Open(bytes.NewReader(b), int64(len(b)))
		require.NoError(t, err)
		has := 0
		require.NoError(t, file.Walk(bg, func(bucket, _, _ []byte) error {
			if string(bucket) == "g" {
				has++
			}
			return nil
		}))
		if has < had {
			n++
		}
		had = has
	}
	return n
}

// The states that a power cut may leave behind at any moment of a mixed day,
// and, for some, at any moment of the recovery from it. Without the long mode
// it looks at every sixth.
func TestPowerCuts(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 17))
	r := record(t, filepath.Join(t.TempDir(), "j"), day(t, much(6, 2)))
	settled := r.checkpoints(t)
	require.Greater(t, settled, 1, "one at Close, and others")
	images, subsets, second := 0, 0, 0
	r.cuts(rng, much(72, 1), func(img faultkit.Image, facts []fact, what string) {
		if rng.IntN(much(1, 6)) != 0 {
			return
		}
		images++
		if strings.HasPrefix(img.Name, "random") {
			subsets++
		}
		requireFacts(t, img.Data, facts, what, func(q *queue.Queue) {
			if images%8 == 0 {
				drainAll(t, q, what)
			}
		})
		if images%much(400, 60) != 0 {
			return
		}
		path := filepath.Join(t.TempDir(), "j")
		require.NoError(t, os.WriteFile(path, img.Data, 0o600))
		again := record(t, path, func(q *queue.Queue, _ func(fact)) { drainAll(t, q, what) })
		again.cuts(rng, 1, func(img faultkit.Image, _ []fact, where string) {
			if rng.IntN(much(2, 12)) == 0 {
				second++
				requireFacts(t, img.Data, facts, what+"; then "+where, nil)
			}
		})
	})
	t.Logf("%d images, %d of them random subsets, %d of second crashes, %d facts, %d checkpoints", images, subsets, second, len(r.facts), settled)
}
