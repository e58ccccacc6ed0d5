package queue

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// oneHost is a host that several devices reach; it knows a sale by terminal,
// batch number and STAN.
type oneHost struct {
	mu     sync.Mutex
	batch  uint32
	ledger map[string]*oneBooking
}

type oneBooking struct {
	ref      string
	effects  int // different sales under one identity
	reversed bool
}

func newOneHost(batch uint32) *oneHost {
	return &oneHost{batch: batch, ledger: map[string]*oneBooking{}}
}

func (h *oneHost) Prepare(context.Context) (Line, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return Line{HostBatch: h.batch}, nil
}

func (h *oneHost) Send(_ context.Context, e Entry) (Answer, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := fmt.Sprint(e.Lane.Terminal, "/", e.HostBatch, "/", e.STAN)
	b := h.ledger[k]
	switch {
	case e.Kind == Reversal && b == nil:
		h.ledger[k] = &oneBooking{reversed: true}
		return Answer{Verdict: Approved, Code: "00"}, nil
	case e.Kind == Reversal:
		b.reversed = true
		return Answer{Verdict: Approved, Code: "00"}, nil
	case b == nil:
		h.ledger[k] = &oneBooking{ref: e.Ref, effects: 1}
		return Answer{Verdict: Approved, Code: "00", RRN: fmt.Sprintf("%012d", len(h.ledger))}, nil
	case b.reversed:
		return Answer{Verdict: Refused, Code: "12"}, nil
	case b.ref != e.Ref:
		b.effects++
	}
	return Answer{Verdict: Duplicate, Code: "94"}, nil
}

// lost books e and loses the answer.
func (h *oneHost) lost() uplink {
	return uplink{prepare: h.Prepare, send: func(ctx context.Context, e Entry) (Answer, error) {
		_, _ = h.Send(ctx, e)
		return Answer{}, errSilent
	}}
}

// standing counts, for each ref, the sales that stand at the host.
func (h *oneHost) standing(t *testing.T) map[string]int {
	out := map[string]int{}
	for k, b := range h.ledger {
		require.LessOrEqual(t, b.effects, 1, "two sales under %s", k)
		if !b.reversed {
			out[b.ref]++
		}
	}
	return out
}

// once sends an advice whose answer is lost.
func once(t *testing.T, q *Queue, up uplink) {
	ctx, cancel := context.WithCancel(bg)
	defer cancel()
	send := up.send
	up.send = func(c context.Context, e Entry) (Answer, error) {
		cancel()
		return send(c, e)
	}
	_ = q.Drain(ctx, cardLane, up)
}

// I10: a copy goes on beside the first device; each sale has one effect at the
// host, none is lost, and new ones of the copy wait until they cannot meet
// those of the first.
func TestI10CopyAndFirstDeviceGoOn(t *testing.T) {
	for _, c := range []struct {
		name      string
		copyFirst bool
		newBatch  bool
	}{{"first device first", false, false}, {"copy first", true, false}, {"the host goes on in between", false, true}, {"the host goes on before the copy", true, true}} {
		t.Run(c.name, func(t *testing.T) { copyAndFirst(t, c.copyFirst, c.newBatch) })
	}
}

func copyAndFirst(t *testing.T, copyFirst, newBatch bool) {
	h := newOneHost(41)
	o := Options{RetryMin: 1, RetryMax: 2, ReversalTries: 1000, Unsealed: true}
	q := openNew(t, o)
	_, err := q.Do(bg, h, cardSale("online"))
	require.NoError(t, err)
	_, err = q.Append(bg, offlineSale("lost"))
	require.NoError(t, err)
	once(t, q, h.lost())
	for i := range 3 {
		_, err = q.Append(bg, offlineSale(fmt.Sprint("pending", i)))
		require.NoError(t, err)
	}
	var backup bytes.Buffer
	_, err = q.Do(bg, uplink{prepare: h.Prepare, send: func(ctx context.Context, e Entry) (Answer, error) {
		require.NoError(t, q.Backup(bg, &backup), "a request is under way")
		return h.Send(ctx, e)
	}}, cardSale("under way"))
	require.NoError(t, err)

	path := filepath.Join(t.TempDir(), "copy")
	second, err := Restore(bg, path, bytes.NewReader(backup.Bytes()), nil, &o)
	require.NoError(t, err)
	defer func() { _ = second.Close() }()
	require.EqualValues(t, 2, second.Epoch())
	require.NoError(t, second.Verify(bg))
	require.Equal(t, Parked, stateOf(t, second, "under way"))
	require.Equal(t, InDoubt, stateOf(t, second, "pending1"))
	require.Equal(t, Accepted, stateOf(t, second, "online"))

	fresh := func(d *Queue, who string) {
		_, err := d.Append(bg, offlineSale(who+" sold after"))
		require.NoError(t, err)
	}
	fresh(q, "first")
	fresh(second, "copy")
	goOn := []*Queue{q, second}
	if copyFirst {
		goOn = []*Queue{second, q}
	}
	if newBatch && copyFirst {
		h.batch = 42
	}
	for i, d := range goOn {
		if newBatch && i == 1 {
			h.batch = 42
		}
		require.NoError(t, d.Drain(bg, cardLane, h))
	}
	if !newBatch {
		_, err = second.Do(bg, h, cardSale("copy online"))
		require.ErrorIs(t, err, ErrHeldBack)
		require.Equal(t, Pending, stateOf(t, second, "copy sold after"), "it waits for a number")
		s, err := second.Status(bg)
		require.NoError(t, err)
		require.True(t, s.Lanes[0].Fenced)
		h.batch = 43
	}
	require.NoError(t, second.Drain(bg, cardLane, h))
	require.Equal(t, Accepted, stateOf(t, second, "copy sold after"))
	_, err = second.Do(bg, h, cardSale("copy online"))
	require.NoError(t, err)
	require.NoError(t, q.Drain(bg, cardLane, h))
	want := map[string]int{"online": 1, "lost": 1, "pending0": 1, "pending1": 1, "pending2": 1, "under way": 1,
		"first sold after": 1, "copy sold after": 1, "copy online": 1}
	require.Equal(t, want, h.standing(t))
	require.NoError(t, q.Verify(bg))
	require.NoError(t, second.Verify(bg))
}

// A request in doubt whose reversal is journalled ends reversed, whoever of
// the two comes first.
func TestI10RequestInDoubtIsReversedByBoth(t *testing.T) {
	h := newOneHost(41)
	o := Options{RetryMin: 1, RetryMax: 2, ReversalTries: 1000, Unsealed: true}
	q := openNew(t, o)
	_, err := q.Do(bg, h.lost(), cardSale("doubt"))
	require.ErrorIs(t, err, ErrInDoubt)
	var b bytes.Buffer
	require.NoError(t, q.Backup(bg, &b))
	second, err := Restore(bg, filepath.Join(t.TempDir(), "copy"), &b, nil, &o)
	require.NoError(t, err)
	defer func() { _ = second.Close() }()
	require.NoError(t, second.Drain(bg, cardLane, h))
	require.NoError(t, q.Drain(bg, cardLane, h))
	require.Empty(t, h.standing(t))
	require.Equal(t, Reversed, stateOf(t, q, "doubt"))
	require.Equal(t, Reversed, stateOf(t, second, "doubt"))
}

// A person's floor lets a restored lane sell again.
func TestI10STANFloor(t *testing.T) {
	h := newOneHost(41)
	o := Options{RetryMin: 1, RetryMax: 2, Unsealed: true}
	q := openNew(t, o)
	_, err := q.Do(bg, h, cardSale("s"))
	require.NoError(t, err)
	require.ErrorIs(t, q.SetSTANFloor(bg, cardLane, 5000, "Li", "first till is broken"), ErrState)
	var b bytes.Buffer
	require.NoError(t, q.Backup(bg, &b))
	second, err := Restore(bg, filepath.Join(t.TempDir(), "copy"), &b, nil, &o)
	require.NoError(t, err)
	defer func() { _ = second.Close() }()
	_, err = second.Do(bg, h, cardSale("n"))
	require.ErrorIs(t, err, ErrHeldBack)
	require.ErrorIs(t, err, ErrNotSent)
	require.Error(t, second.SetSTANFloor(bg, cardLane, 0, "Li", "x"))
	require.NoError(t, second.SetSTANFloor(bg, cardLane, 5000, "Li", "first till is broken"))
	e, err := second.Do(bg, h, cardSale("n"))
	require.NoError(t, err)
	require.EqualValues(t, 5000, e.STAN)
	require.NoError(t, second.Verify(bg))
}

// What was not bound, and requests that waited to be sent, need a person.
func TestI10WhatIsParked(t *testing.T) {
	o := Options{RetryMin: 1, RetryMax: 2, Unsealed: true}
	q := openNew(t, o)
	_, err := q.Append(bg, offlineSale("never met its host"))
	require.NoError(t, err)
	_, err = q.Do(bg, uplink{send: func(context.Context, Entry) (Answer, error) { return Answer{}, ErrNotSent }}, cardSale("unsent"))
	require.ErrorIs(t, err, ErrNotSent)
	var b bytes.Buffer
	require.NoError(t, q.Backup(bg, &b))
	second, err := Restore(bg, filepath.Join(t.TempDir(), "copy"), &b, nil, &o)
	require.NoError(t, err)
	defer func() { _ = second.Close() }()
	for _, ref := range []string{"never met its host", "unsent"} {
		require.Equal(t, Parked, stateOf(t, second, ref))
		require.Equal(t, Pending, stateOf(t, q, ref), "nothing changes here")
	}
	e, err := second.ByRef(bg, "never met its host")
	require.NoError(t, err)
	require.NoError(t, second.Unpark(bg, e.ID, "Li", "the first till lies broken here"))
	require.NoError(t, second.Drain(bg, cardLane, newOneHost(7)))
	require.Equal(t, Accepted, stateOf(t, second, "never met its host"))
}

// A crash, or a damaged backup, leaves nothing at the path of a Restore.
func TestRestoreIsAllOrNothing(t *testing.T) {
	o := Options{Unsealed: true}
	q := openNew(t, o)
	_, err := q.Append(bg, offlineSale("s"))
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, q.Backup(bg, &b))
	path := filepath.Join(t.TempDir(), "copy")
	_, err = Restore(bg, path, bytes.NewReader(b.Bytes()[:b.Len()-5]), nil, &o)
	require.ErrorIs(t, err, ErrDamaged)
	_, err = Restore(bg, path, strings.NewReader("not a backup at all"), nil, &o)
	require.ErrorIs(t, err, ErrFormat)
	left, err := filepath.Glob(path + "*")
	require.NoError(t, err)
	require.Empty(t, left)
	r, err := Restore(bg, path, bytes.NewReader(b.Bytes()), nil, &o)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	_, err = Restore(bg, path, bytes.NewReader(b.Bytes()), nil, &o)
	require.Error(t, err, "a journal is there")
	keys := keyring{"k1": []byte(strings.Repeat("k", 32))}
	_, err = Restore(bg, path+"2", bytes.NewReader(b.Bytes()), keys, nil)
	require.Error(t, err, "an unsealed backup proves nothing where keys are")
}
