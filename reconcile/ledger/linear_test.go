package ledger

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// What one client of TestLinearizable did and heard.
type (
	try   struct{ entry wire.Entry }
	heard struct {
		busy, conflict bool
		repeat         bool
		rrn, code      string
		position       uint64
	}
)

// slot is what the model knows of one journal: for each of its entries, by
// digest, what was answered first; what was reversed; and which holds a ref.
type slot struct {
	answers  map[wire.Key]heard
	content  map[queue.ID]wire.Key
	refs     map[string]queue.ID
	reversed map[queue.ID]bool
}

func (s slot) clone() slot {
	c := slot{map[wire.Key]heard{}, map[queue.ID]wire.Key{}, map[string]queue.ID{}, map[queue.ID]bool{}}
	for k, v := range s.answers {
		c.answers[k] = v
	}
	for k, v := range s.content {
		c.content[k] = v
	}
	for k, v := range s.refs {
		c.refs[k] = v
	}
	for k, v := range s.reversed {
		c.reversed[k] = v
	}
	return c
}

// step is the ledger as one who waits for nobody would write it: is out a
// possible answer, and what is the state then?
func (s slot) step(in try, out heard) (bool, slot) {
	e := in.entry
	if out.busy {
		return true, s // nothing was done
	}
	if first, booked := s.answers[e.Key]; booked {
		first.repeat = true
		return out == first, s
	}
	if _, taken := s.content[e.Seq]; taken {
		return out.conflict, s
	}
	tombstone := s.reversed[e.Seq] && e.Kind == queue.Request
	if e.Kind != queue.Reversal {
		if holder, held := s.refs[e.Ref]; held && !s.reversed[holder] && !tombstone {
			return out.conflict, s
		}
	}
	want := "00"
	if tombstone {
		want = codeReversed
	}
	if out.conflict || out.repeat || out.code != want || out.position != uint64(len(s.answers)+1) || (want == "00") != (out.rrn == rrn(out.position)) {
		return false, s
	}
	next := s.clone()
	next.answers[e.Key], next.content[e.Seq] = out, e.Key
	switch {
	case e.Kind == queue.Reversal:
		next.reversed[e.Original] = true
	case !tombstone:
		next.refs[e.Ref] = e.Seq
	}
	return true, next
}

var ledgerModel = porcupine.Model{
	Init: func() any { return slot{}.clone() },
	Step: func(state, input, output any) (bool, any) { return state.(slot).step(input.(try), output.(heard)) },
	Equal: func(a, b any) bool {
		x, y := a.(slot), b.(slot)
		return fmt.Sprint(x.answers, x.refs, x.reversed) == fmt.Sprint(y.answers, y.refs, y.reversed)
	},
	DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %+v", in, out) },
}

// The ledger is linearizable: whatever many connections submit at once, over and
// again and in any order, was answered as if one had come after the other. The
// test fails without the look for what is booked already in submission.book.
func TestLinearizable(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rounds := much(300, 25, 5)
	for r := range rounds {
		rng := rand.New(rand.NewPCG(seed, uint64(r)))
		var e Engine = OpenMemory()
		if r%5 == 0 {
			f, err := OpenFile(filepath.Join(t.TempDir(), "ledger"), nil, &FileOptions{Unsealed: true})
			require.NoError(t, err)
			e = f
		}
		history := submitAtOnce(t, newLedger(t, e, &Options{Decide: yes}), rng)
		res, info := porcupine.CheckOperationsVerbose(ledgerModel, history, 5*time.Minute)
		require.Equal(t, porcupine.Ok, res, "round %d of seed %d: %v", r, seed, info)
		require.NoError(t, e.Close())
	}
}

// contested makes the entries of one journal that collide in every way.
func contested(in wire.Submission) []wire.Entry {
	other := advice(1)
	other.Amount.Minor = 7
	sameRef := advice(4)
	sameRef.Ref = "order-1"
	anew := request(5)
	anew.Ref = request(2).Ref
	all := []wire.Entry{advice(1), other, sameRef, request(2), reversalOf(3, request(2)), anew}
	for i := range all {
		all[i].Key = in.KeyFor(all[i])
	}
	return all
}

func submitAtOnce(t *testing.T, l *Ledger, rng *rand.Rand) []porcupine.Operation {
	const clients, each = 5, 7
	var clock atomic.Int64
	var mu sync.Mutex
	var history []porcupine.Operation
	in := sub(journalOf(1), 1)
	all := contested(in)
	var wg sync.WaitGroup
	for c := range clients {
		var mine [][]wire.Entry
		for range each {
			x := []wire.Entry{all[rng.IntN(len(all))]}
			if y := all[rng.IntN(len(all))]; rng.IntN(3) == 0 && y.Key != x[0].Key {
				x = append(x, y)
			}
			mine = append(mine, x)
		}
		wg.Go(func() {
			for _, x := range mine {
				call := clock.Add(1)
				out, err := l.Submit(bg, "till-1", sub(in.Journal, 1, x...))
				end := clock.Add(1)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for i := range x {
					history = append(history, porcupine.Operation{ClientId: c*10 + i, Input: try{x[i]}, Call: call, Output: hear(out[i]), Return: end})
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return history
}

func hear(r Result) heard {
	if r.Err == nil {
		a := r.Booking.Answer
		return heard{repeat: r.Repeat, rrn: a.RRN, code: a.Code, position: r.Booking.Position}
	}
	return heard{busy: r.Err == ErrBusy, conflict: r.Err != ErrBusy}
}
