package queue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	bolt "go.etcd.io/bbolt"
)

var otherLane = Lane{"second acquirer", "999110048165678", "20000002"}

// A sale that was never attempted goes to another lane as itself: same id and
// ref, a number and batch of that lane, nothing left of it in the first.
func TestMove(t *testing.T) {
	q := openNew(t, fast)
	mustAppend(t, q, offlineSale("before"))
	e := mustAppend(t, q, offlineSale("s"))
	theirs := offlineSale("theirs")
	theirs.Lane = otherLane
	mustAppend(t, q, theirs)
	moved, err := q.Move(bg, e.ID, otherLane, "plan b", "the first host is away")
	require.NoError(t, err)
	require.Equal(t, e.ID, moved.ID)
	require.Equal(t, "s", moved.Ref)
	require.Equal(t, BatchID{otherLane, 1}, moved.Batch)
	require.EqualValues(t, 2, moved.STAN)
	require.Equal(t, Pending, moved.State)
	require.Equal(t, cardLane, moved.Home)
	require.Equal(t, testPAN, moved.Card.PAN.Reveal())
	require.NoError(t, q.Verify(bg))
	members := func(b BatchID) (refs []string) {
		for _, e := range all(t, q, Filter{Batch: b}) {
			refs = append(refs, e.Ref)
		}
		return refs
	}
	require.Equal(t, []string{"before"}, members(BatchID{cardLane, 1}))
	require.Equal(t, []string{"s", "theirs"}, members(BatchID{otherLane, 1}))
	for _, c := range []struct {
		lane Lane
		n    int
	}{{cardLane, 1}, {otherLane, 2}} {
		b, err := q.Batch(bg, BatchID{c.lane, 1})
		require.NoError(t, err)
		require.Equal(t, c.n, b.Entries)
		require.Equal(t, c.n, b.Unfinished)
	}

	again, err := q.Append(bg, offlineSale("s"))
	require.NoError(t, err, "the ref is still that sale's, in the lane that the app chose")
	require.Equal(t, otherLane, again.Lane)
	other := offlineSale("s")
	other.Amount.Minor++
	_, err = q.Append(bg, other)
	require.ErrorIs(t, err, ErrConflict)
	same, err := q.Move(bg, e.ID, otherLane, "plan b", "")
	require.NoError(t, err)
	require.Equal(t, moved.STAN, same.STAN)

	var first, second recorder
	require.NoError(t, q.Drain(bg, cardLane, uplink{send: first.through(approve)}))
	require.NoError(t, q.Drain(bg, otherLane, uplink{send: second.through(approve)}))
	require.Len(t, first.seen, 1)
	require.Len(t, second.seen, 2)
	require.Equal(t, "before", first.seen[0].Ref)
	require.NoError(t, q.Verify(bg))
	b, err := q.CloseBatch(bg, otherLane)
	require.NoError(t, err)
	require.NoError(t, q.SettleBatch(bg, b))
	require.NoError(t, q.Prune(bg, b))
	again, err = q.Append(bg, offlineSale("s"))
	require.NoError(t, err, "the ref outlives pruning, under the lane that the app chose")
	require.Equal(t, e.ID, again.ID)
	require.NoError(t, q.Compact(bg))
	require.NoError(t, q.Verify(bg))
}

// The log tells which, where to, by what plan and why.
func TestMoveIsInTheLog(t *testing.T) {
	q := openNew(t, fast)
	e := mustAppend(t, q, offlineSale("s"))
	_, err := q.Move(bg, e.ID, otherLane, "plan b", "the first host is away")
	require.NoError(t, err)
	var found []event
	require.NoError(t, q.read(func(v *fileView) error {
		last, err := v.tx.LastEvent()
		for n := uint64(1); n <= last && err == nil; n++ {
			var body []byte
			if body, err = v.tx.Event(n); err != nil {
				return err
			}
			ev, err := decodeEvent(body)
			require.NoError(t, err)
			require.Equal(t, body, ev.encode())
			if ev.kind == evRerouted {
				found = append(found, ev)
			}
		}
		return err
	}))
	require.Len(t, found, 1)
	require.Equal(t, e.ID, found[0].id)
	require.EqualValues(t, 2, found[0].lane)
	require.Equal(t, "plan b", found[0].who)
	require.Equal(t, "the first host is away", found[0].text)
}

// What may be known to its host stays with it.
func TestMoveRefuses(t *testing.T) {
	q := openNew(t, Options{RetryMin: 1, RetryMax: 2, ReversalTries: 1})
	id := func(ref string) ID {
		e, err := q.ByRef(bg, ref)
		require.NoError(t, err)
		return e.ID
	}
	sold, err := q.Do(bg, uplink{send: approve}, cardSale("accepted"))
	require.NoError(t, err)
	voided, err := q.Do(bg, uplink{send: approve}, cardSale("voided"))
	require.NoError(t, err)
	_, err = q.Do(bg, answering(Refused, "51"), cardSale("declined"))
	require.NoError(t, err)
	mustAppend(t, q, offlineSale("parked"))
	once(t, q, answering(Refused, "30"))
	mustAppend(t, q, offlineSale("lost"))
	once(t, q, uplink{send: silent})
	mustAppend(t, q, Transaction{Ref: "refund", Lane: cardLane, Op: Refund, Original: sold.ID, Amount: Money{100, CNY}})
	mustAppend(t, q, Transaction{Ref: "void", Lane: cardLane, Op: Void, Original: voided.ID})
	mustAppend(t, q, Transaction{Ref: "report", Lane: cardLane, Op: Report, Data: []byte("x")})
	cancelled := mustAppend(t, q, offlineSale("cancelled"))
	_, err = q.Reverse(bg, cancelled.ID)
	require.NoError(t, err)
	unsent := uplink{send: func(context.Context, Entry) (Answer, error) { return Answer{}, ErrNotSent }}
	_, err = q.Do(bg, unsent, cardSale("waited for"))
	require.Error(t, err)
	_, err = q.Do(bg, uplink{send: silent}, cardSale("doubt"))
	require.ErrorIs(t, err, ErrInDoubt)
	doubt, err := q.ByRef(bg, "doubt")
	require.NoError(t, err)
	refused := []ID{doubt.Reversal, sold.ID}
	for _, ref := range []string{"declined", "lost", "parked", "refund", "void", "report", "cancelled", "waited for", "doubt"} {
		refused = append(refused, id(ref))
	}
	for _, n := range refused {
		before, err := q.Get(bg, n)
		require.NoError(t, err)
		_, err = q.Move(bg, n, otherLane, "plan b", "")
		require.ErrorIs(t, err, ErrState, "%s %s", before.Ref, before.State)
		require.ErrorIs(t, q.update(bg, func(v *fileView) error {
			if _, err := v.openLane(otherLane); err != nil {
				return err
			}
			return v.apply(event{kind: evRerouted, id: n, lane: 2, batch: 1, stan: 1})
		}), ErrState, "the log itself does not take the event")
		after, err := q.Get(bg, n)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(frozen(before), before.State, before.Attempts), fmt.Sprint(frozen(after), after.State, after.Attempts))
	}
	_, err = q.Move(bg, 999, otherLane, "plan b", "")
	require.ErrorIs(t, err, ErrNotFound)
	ok := mustAppend(t, q, offlineSale("ok"))
	var inv *InvalidError
	for _, bad := range []struct {
		to        Lane
		plan, why string
	}{{Lane{}, "p", ""}, {otherLane, "", ""}, {otherLane, "p", strings.Repeat("y", 257)}, {otherLane, strings.Repeat("p", 65), ""}} {
		_, err = q.Move(bg, ok.ID, bad.to, bad.plan, bad.why)
		require.ErrorAs(t, err, &inv)
	}
	_, err = q.Move(bg, ok.ID, otherLane, "p", "")
	require.NoError(t, err)
	require.NoError(t, q.Verify(bg))
}

// What a backup holds stays, for its copy may send it to the first host: where
// the host numbers its batches, and where it does not.
func TestMoveRefusesWhatACopyHolds(t *testing.T) {
	for _, batch := range []uint32{0, 41} {
		q := openNew(t, fast)
		_, err := q.Do(bg, numbered(approve, &batch), cardSale("contact"))
		require.NoError(t, err)
		e := mustAppend(t, q, offlineSale("s"))
		var b bytes.Buffer
		require.NoError(t, q.Backup(bg, &b))
		_, err = q.Move(bg, e.ID, otherLane, "plan b", "")
		require.ErrorIs(t, err, ErrState)
		later := mustAppend(t, q, offlineSale("later"))
		_, err = q.Move(bg, later.ID, otherLane, "plan b", "")
		require.NoError(t, err)
		require.NoError(t, q.Drain(bg, cardLane, numbered(approve, &batch)))
		require.Equal(t, Accepted, stateOf(t, q, "s"))
		require.NoError(t, q.Verify(bg))
	}
}

// A second tap is noticed although the first sale has gone to another lane.
func TestDoubleTapAfterAMove(t *testing.T) {
	q := openNew(t, Options{DoubleTap: time.Hour})
	e := mustAppend(t, q, offlineSale("s"))
	_, err := q.Move(bg, e.ID, otherLane, "plan b", "")
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("again"))
	var tap *DoubleTapError
	require.ErrorAs(t, err, &tap)
	require.Equal(t, e.ID, tap.First)
}

// A Do of a ref that has moved sends nothing: its lane does.
func TestDoOfWhatHasMoved(t *testing.T) {
	q := openNew(t, fast)
	e, err := q.AppendAtRisk(bg, cardSale("s"))
	require.NoError(t, err)
	_, err = q.Move(bg, e.ID, otherLane, "plan b", "")
	require.NoError(t, err)
	got, err := q.Do(bg, uplink{send: func(context.Context, Entry) (Answer, error) {
		t.Error("sent to the first host")
		return Answer{}, errSilent
	}}, cardSale("s"))
	require.NoError(t, err)
	require.Equal(t, Pending, got.State)
	require.Equal(t, otherLane, got.Lane)
}

// covering is a plan for all that can move.
func covering(e Entry) bool { return movable(e) == nil }

// world is a device with two hosts.
type world struct {
	t     *testing.T
	q     *Queue
	hosts map[Lane]*simHost
}

// happening is one thing that happens to it.
type happening struct {
	name string
	do   func(w *world)
}

// attempt sends one entry of a lane and lets how decide what becomes of it.
func (w *world) attempt(l Lane, how func(h *simHost, e Entry) (Answer, error)) {
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	h := w.hosts[l]
	err := w.q.Drain(ctx, l, uplink{
		prepare: func(context.Context) (Line, error) { return Line{HostBatch: h.batch}, nil },
		send: func(_ context.Context, e Entry) (Answer, error) {
			cancel()
			return how(h, e)
		}})
	if err != nil {
		require.ErrorIs(w.t, err, context.Canceled)
	}
}

func (w *world) crash() { w.become(copied(w.t, w.q)) }

// copied is crashed, without writing the zeros that the file ends in.
func copied(t *testing.T, q *Queue) *Queue {
	b, err := os.ReadFile(q.file.Path())
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "journal")
	require.NoError(t, os.WriteFile(path, bytes.TrimRight(b, "\x00"), 0o600))
	require.NoError(t, os.Truncate(path, int64(len(b))))
	return openAt(t, path, simOptions)
}

func (w *world) become(next *Queue) {
	require.NoError(w.t, w.q.Close())
	w.q = next
}

// What a crash leaves is read back from the file in any case: syncing it would
// only take time.
var simOptions = Options{RetryMin: 1, RetryMax: 2, ReversalTries: 1000, onOpen: func(db *bolt.DB) { db.NoSync = true }}

// dying sends one entry and lets the device die in the middle of it, before or
// after the host has booked it.
func (w *world) dying(l Lane, booked bool) {
	var next *Queue
	w.attempt(l, func(h *simHost, e Entry) (Answer, error) {
		if booked {
			h.book(e)
		}
		next = copied(w.t, w.q)
		return Answer{}, errCrash
	})
	if next != nil {
		w.become(next)
	}
}

func orders() []happening {
	lost := func(h *simHost, e Entry) (Answer, error) { h.book(e); return Answer{}, errSilent }
	dead := func(*simHost, Entry) (Answer, error) { return Answer{}, errSilent }
	unsent := func(*simHost, Entry) (Answer, error) { return Answer{}, fmt.Errorf("cut: %w", ErrNotSent) }
	good := func(h *simHost, e Entry) (Answer, error) { return h.book(e), nil }
	move := func(w *world, from, to Lane) {
		require.NoError(w.t, w.q.moveAll(bg, from, to, "plan", "", func(Entry) {}, covering))
	}
	all := []happening{
		{"crash", (*world).crash},
		{"failover", func(w *world) { move(w, cardLane, otherLane) }},
		{"return", func(w *world) { move(w, otherLane, cardLane) }},
	}
	for _, l := range []Lane{cardLane, otherLane} {
		all = append(all,
			happening{"answer lost at " + l.Host, func(w *world) { w.attempt(l, lost) }},
			happening{"good at " + l.Host, func(w *world) { w.attempt(l, good) }},
			happening{"died after booking at " + l.Host, func(w *world) { w.dying(l, true) }})
	}
	return append(all,
		happening{"nothing arrives", func(w *world) { w.attempt(cardLane, dead) }},
		happening{"unsent", func(w *world) { w.attempt(cardLane, unsent) }},
		happening{"died before booking", func(w *world) { w.dying(cardLane, false) }})
}

// For every order of crashes, failovers and returns, with every fault between
// them: each sale ends at exactly one of the two hosts, once, and as its entry
// says. A third of all pairs of happenings and some longer orders are tried; all
// triples and many longer ones with TALLYSTICK_LONG.
func TestEveryOrderOfCrashFailoverAndReturn(t *testing.T) {
	steps := orders()
	depth, longer, stride := 2, 12, 3
	switch {
	case os.Getenv("TALLYSTICK_LONG") != "":
		depth, longer, stride = 3, 1000, 1
	case testing.Short():
		longer, stride = 3, 13
	}
	base := openNew(t, simOptions)
	for _, ref := range []string{"s1", "s2"} {
		mustAppend(t, base, offlineSale(ref))
	}
	_, err := base.AppendAtRisk(bg, cardSale("risk"))
	require.NoError(t, err)
	total := 1
	for range depth {
		total *= len(steps)
	}
	for n := 0; n < total; n += stride {
		var order []happening
		for rest, i := n, 0; i < depth; rest, i = rest/len(steps), i+1 {
			order = append(order, steps[rest%len(steps)])
		}
		live(t, base, order)
	}
	rng := rand.New(rand.NewPCG(5, 7))
	for range longer {
		var order []happening
		for range 3 + rng.IntN(8) {
			order = append(order, steps[rng.IntN(len(steps))])
		}
		live(t, base, order)
	}
}

// live lets an order happen to a copy of base, and then all hosts answer.
func live(t *testing.T, base *Queue, order []happening) {
	w := &world{t: t, q: copied(t, base), hosts: map[Lane]*simHost{}}
	for i, l := range []Lane{cardLane, otherLane} {
		w.hosts[l] = &simHost{batch: uint32(41 + i), ledger: map[[2]uint32]*simBooking{}, lossless: true}
	}
	var names []string
	for _, s := range order {
		names = append(names, s.name)
		s.do(w)
	}
	w.crash()
	for l, h := range w.hosts {
		require.NoError(t, w.q.Drain(bg, l, h))
	}
	w.agrees(strings.Join(names, ", "))
	require.NoError(t, w.q.Close())
}

// agrees compares the device with both hosts.
func (w *world) agrees(order string) {
	t := w.t
	require.NoError(t, w.q.Verify(bg), order)
	standing := map[string]int{}
	for _, h := range w.hosts {
		for _, b := range h.ledger {
			require.LessOrEqual(t, b.times, 1, "two sales under one identity: %s", order)
			if !b.tomb && !b.reversed {
				standing[b.ref]++
			}
		}
	}
	require.Equal(t, map[string]int{"s1": 1, "s2": 1, "risk": 1}, standing, order)
	seen := map[ID]int{}
	for l := range w.hosts {
		for n := uint32(1); ; n++ {
			b := BatchID{l, n}
			if _, err := w.q.Batch(bg, b); errors.Is(err, ErrNotFound) {
				break
			}
			for _, e := range all(t, w.q, Filter{Batch: b}) {
				seen[e.ID]++
			}
		}
	}
	for _, e := range all(t, w.q, Filter{}) {
		require.Equal(t, 1, seen[e.ID], "entry %d is in %d batches: %s", e.ID, seen[e.ID], order)
		require.True(t, e.State.Final(), order)
		if e.Kind == Reversal {
			continue
		}
		b := w.hosts[e.Lane].ledger[[2]uint32{e.HostBatch, uint32(e.STAN)}]
		require.Equal(t, e.State == Accepted, b != nil && !b.tomb && !b.reversed, "%s is %s: %s", e.Ref, e.State, order)
	}
}

// A plan moves what it covers once the lane has failed for long enough, tries
// new entries at the first host first, and lets what waits return.
func TestFailover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{})
		defer q.Close()
		var mu sync.Mutex // guards what follows
		down, got := [2]bool{true, false}, [2][]string{}
		var moved []string
		seen := func(list *[]string) []string {
			mu.Lock()
			defer mu.Unlock()
			return slices.Clone(*list)
		}
		is := func(i int, away bool) {
			mu.Lock()
			defer mu.Unlock()
			down[i] = away
		}
		up := func(i int) uplink {
			return uplink{
				prepare: func(context.Context) (Line, error) {
					mu.Lock()
					defer mu.Unlock()
					if down[i] {
						return Line{}, errNoLine
					}
					return Line{}, nil
				},
				send: func(ctx context.Context, e Entry) (Answer, error) {
					mu.Lock()
					defer mu.Unlock()
					got[i] = append(got[i], e.Ref)
					return approve(ctx, e)
				}}
		}
		stop1, stop2 := forwarding(t, q, cardLane, up(0)), forwarding(t, q, otherLane, up(1))
		ctx, cancel := context.WithCancel(bg)
		ended := make(chan error)
		go func() {
			ended <- q.Failover(ctx, OutagePlan{Name: "b", From: cardLane, To: otherLane, After: 15 * time.Minute,
				Max: map[Currency]int64{CNY: 2000}, Return: true}, func(e Entry) {
				mu.Lock()
				defer mu.Unlock()
				moved = append(moved, e.Ref)
			})
		}()
		mustAppend(t, q, offlineSale("s"))
		large := offlineSale("large")
		large.Amount.Minor = 2001
		mustAppend(t, q, large)
		_, err := q.AppendAtRisk(bg, cardSale("risk"))
		require.NoError(t, err)
		time.Sleep(14 * time.Minute)
		synctest.Wait()
		require.Empty(t, seen(&moved))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"s"}, seen(&moved))
		require.Equal(t, []string{"s"}, seen(&got[1]))
		mustAppend(t, q, offlineSale("t"))
		synctest.Wait()
		require.Equal(t, []string{"s", "t"}, seen(&got[1]), "a new one goes on once its own host was tried")

		is(1, true)
		time.Sleep(time.Minute)
		mustAppend(t, q, offlineSale("u"))
		synctest.Wait()
		require.Equal(t, []string{"s", "t", "u"}, seen(&moved), "the second host was not known to be away")
		mustAppend(t, q, offlineSale("v"))
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.Len(t, seen(&moved), 3, "nothing goes to a lane that fails itself")
		is(0, false)
		time.Sleep(30 * time.Minute)
		synctest.Wait()
		require.Contains(t, seen(&got[0]), "u", "what waits at the second host returns")
		require.ElementsMatch(t, []string{"large", "risk", "u", "v"}, seen(&got[0]))
		for _, ref := range []string{"s", "t", "u", "large", "risk"} {
			require.Equal(t, Accepted, stateOf(t, q, ref), ref)
		}
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		stop1()
		stop2()
		require.NoError(t, q.Verify(bg))
	})
}

// Maintenance is no outage: entries wait for its end.
func TestFailoverLeavesMaintenanceAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openNew(t, Options{Lanes: map[Lane]LaneOptions{cardLane: {Maintenance: []Maintenance{
			{Start: time.Now().Add(time.Minute), Length: 2 * time.Hour}}}}})
		defer q.Close()
		over := time.Now().Add(2 * time.Hour)
		stop := forwarding(t, q, cardLane, uplink{send: approve, prepare: func(context.Context) (Line, error) {
			if time.Now().Before(over) {
				return Line{}, errNoLine
			}
			return Line{}, nil
		}})
		ctx, cancel := context.WithCancel(bg)
		ended := make(chan error)
		go func() {
			ended <- q.Failover(ctx, OutagePlan{Name: "b", From: cardLane, To: otherLane, After: time.Minute}, nil)
		}()
		mustAppend(t, q, offlineSale("s"))
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		e, err := q.ByRef(bg, "s")
		require.NoError(t, err)
		require.Equal(t, cardLane, e.Lane)
		require.Equal(t, Accepted, e.State)
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		stop()
	})
}

func TestFailoverRefusesAPlan(t *testing.T) {
	q := openNew(t, fast)
	var inv *InvalidError
	for _, p := range []OutagePlan{{}, {Name: "x", From: cardLane, To: cardLane}, {Name: "x", To: cardLane}, {From: cardLane, To: otherLane}} {
		require.ErrorAs(t, q.Failover(bg, p, nil), &inv)
	}
	require.NoError(t, q.Close())
	require.ErrorIs(t, q.Failover(bg, OutagePlan{Name: "x", From: cardLane, To: otherLane}, nil), ErrClosed)
}
