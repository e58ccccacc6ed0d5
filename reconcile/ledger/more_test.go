package ledger

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// A ledger's file has one opener, and is no journal; a journal is no ledger.
func TestOneFileOneOpener(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ledger")
	e := openFile(t, path)
	_, err := OpenFile(path, nil, &FileOptions{Unsealed: true})
	require.ErrorIs(t, err, ErrHeld)
	_, err = OpenFile(filepath.Join(dir, "other"), nil, nil)
	require.ErrorContains(t, err, "Unsealed")
	require.NoError(t, e.Close())
	_, err = queue.Open(path, nil, &queue.Options{Unsealed: true})
	require.Error(t, err)
	q, err := queue.Open(filepath.Join(dir, "journal"), nil, &queue.Options{Unsealed: true})
	require.NoError(t, err)
	require.NoError(t, q.Close())
	_, err = OpenFile(filepath.Join(dir, "journal"), nil, &FileOptions{Unsealed: true})
	require.ErrorIs(t, err, ErrFormat)

	m := OpenMemory()
	require.NoError(t, m.Update(bg, func(tx Tx) error { return tx.Put(key(spaceMeta, []byte("form")), []byte("tallystick ledger 9")) }))
	_, err = New(bg, m, signer, nil)
	require.ErrorIs(t, err, ErrFormat)
	_, err = New(bg, OpenMemory(), nil, nil)
	require.Error(t, err)
	require.NoError(t, m.Close())
	require.ErrorIs(t, m.View(bg, func(Tx) error { return nil }), ErrClosed)
	require.ErrorIs(t, m.Update(bg, func(Tx) error { return nil }), ErrClosed)
}

// Sealed with the office's key: nothing of an entry shows in the file, and
// without the key it does not open.
func TestSealedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger")
	e, err := OpenFile(path, ring{1}, nil)
	require.NoError(t, err)
	l := newLedger(t, e, nil)
	require.NoError(t, submit(t, l, sub(journalOf(1), 1, advice(1))).Err)
	_, _, err = l.Claim(bg, "till-1", journalOf(1), "parcel")
	require.NoError(t, err)
	require.NoError(t, e.Close())
	requireNoText(t, path, "order-1")
	requireNoText(t, path, "parcel")
	_, err = OpenFile(path, ring{2}, nil)
	require.ErrorIs(t, err, queue.ErrKey)
	e, err = OpenFile(path, ring{1}, nil)
	require.NoError(t, err)
	l = newLedger(t, e, nil)
	require.NoError(t, l.Verify(bg))
	require.True(t, submit(t, l, sub(journalOf(1), 1, advice(1))).Repeat)
	require.NoError(t, e.Close())
}

// A backup, taken while the ledger is in use, opens as the ledger that it was.
func TestBackup(t *testing.T) {
	dir := t.TempDir()
	e := openFile(t, filepath.Join(dir, "ledger"))
	l := newLedger(t, e, nil)
	require.NoError(t, submit(t, l, sub(journalOf(1), 1, advice(1))).Err)
	var b bytes.Buffer
	require.NoError(t, e.Backup(bg, &b))
	require.NoError(t, submit(t, l, sub(journalOf(1), 1, advice(2))).Err)
	path := filepath.Join(dir, "copy")
	o := &FileOptions{Unsealed: true}
	require.Error(t, RestoreFile(bg, path, bytes.NewReader(b.Bytes()[:b.Len()/2]), nil, o))
	require.Error(t, RestoreFile(bg, path, bytes.NewReader(b.Bytes()), nil, nil))
	require.NoError(t, RestoreFile(bg, path, bytes.NewReader(b.Bytes()), nil, o))
	require.Error(t, RestoreFile(bg, path, bytes.NewReader(b.Bytes()), nil, o))
	l = newLedger(t, openFile(t, path), nil)
	require.NoError(t, l.Verify(bg))
	require.True(t, submit(t, l, sub(journalOf(1), 1, advice(1))).Repeat)
	res := submit(t, l, sub(journalOf(1), 1, advice(2)))
	require.False(t, res.Repeat)
	require.EqualValues(t, 2, res.Booking.Position)
}

func TestDevicesAreKeptToTheirLanes(t *testing.T) {
	l := newLedger(t, OpenMemory(), nil)
	other := queue.Lane{Host: "office", Merchant: "M", Terminal: "T2"}
	require.NoError(t, l.SetDevice(bg, Device{Name: "till-1", Lanes: []queue.Lane{other}}))
	require.ErrorIs(t, submit(t, l, sub(journalOf(1), 1, advice(1))).Err, ErrLane)
	in := sub(journalOf(1), 1, advice(1))
	in.Lane = other
	require.NoError(t, submit(t, l, in).Err)
	d, err := l.Device(bg, "till-1")
	require.NoError(t, err)
	require.Equal(t, []queue.Lane{other}, d.Lanes)
	require.Error(t, l.SetDevice(bg, Device{Name: "till-1", Lanes: make([]queue.Lane, 65)}))
	require.Error(t, l.SetDevice(bg, Device{}))
	_, err = l.Device(bg, "nobody")
	require.ErrorIs(t, err, ErrNotFound)
	names := l.Devices(bg)
	for range 2 { // an iterator can be used again
		n := 0
		for d, err := range names {
			require.NoError(t, err)
			require.NotEmpty(t, d.Name)
			n++
		}
		require.Equal(t, 2, n)
	}
}

// What can never be compared is not booked.
func TestSequencesAreBounded(t *testing.T) {
	l := newLedger(t, OpenMemory(), nil)
	var invalid *InvalidError
	for _, seq := range []queue.ID{0, agree.MaxSequence + 1} {
		_, err := l.Submit(bg, "till-1", sub(journalOf(1), 1, advice(1), advice(seq)))
		require.ErrorAs(t, err, &invalid)
	}
	_, err := l.Submit(bg, "till-1", sub(journalOf(1), 1))
	require.ErrorAs(t, err, &invalid)
	require.NoError(t, submit(t, l, sub(journalOf(1), 1, advice(agree.MaxSequence))).Err)
	_ = root(t, l, journalOf(1))
}

// A device that goes away while its request is decided has it booked all the
// same; and what Decide says is cut to what an answer can carry.
func TestADecisionIsBookedWhateverTheDeviceDoes(t *testing.T) {
	ctx, goAway := context.WithCancel(bg)
	l := newLedger(t, OpenMemory(), &Options{Decide: func(context.Context, Booking, *wire.Card) (queue.Answer, error) {
		goAway()
		return queue.Answer{Verdict: queue.Approved, Code: "0é0é", RRN: "issuer's", AuthCode: "1234567890123é"}, nil
	}})
	in := sub(journalOf(1), 1, request(1))
	out, err := l.Submit(ctx, "till-1", in)
	require.NoError(t, err)
	require.NoError(t, out[0].Err)
	require.Equal(t, "issuer's", out[0].Booking.Answer.RRN)
	all, err := l.At(bg, journalOf(1), 1)
	require.NoError(t, err)
	require.Len(t, all, 1)
	in.Entries[0].Key = in.KeyFor(in.Entries[0])
	a := wire.AnswersTo(in)
	a.Answers = append(a.Answers, answerOf(in.Entries[0], out[0]))
	_, err = a.Encode()
	require.NoError(t, err)
}

// A receipt leaves out what was declined, reversed, or is there twice.
func TestReceiptsLeaveOutWhatDoesNotStand(t *testing.T) {
	l := newLedger(t, OpenMemory(), &Options{Decide: func(_ context.Context, b Booking, _ *wire.Card) (queue.Answer, error) {
		if b.Sequence == 2 {
			return queue.Answer{Verdict: queue.Refused, Code: "51"}, nil
		}
		return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
	}})
	j := journalOf(1)
	for _, e := range []wire.Entry{advice(1), request(2), request(3), reversalOf(4, request(3)), advice(5), advice(6)} {
		require.NoError(t, submit(t, l, sub(j, 1, e)).Err)
	}
	fork := advice(5)
	fork.STAN, fork.Ref = 800, "fork"
	require.NoError(t, submit(t, l, sub(j, 2, fork)).Err)
	b, err := l.Receipt(bg, "till-1", j, []agree.Range{{From: 1, To: 5}, {From: 6, To: 9}})
	require.NoError(t, err)
	r, err := OpenReceipt(b, l.Public())
	require.NoError(t, err)
	require.Equal(t, []agree.Range{{From: 1, To: 1}, {From: 4, To: 4}, {From: 6, To: 6}}, r.Ranges)
	require.EqualValues(t, 2, r.Epoch)
	var h agree.Half
	for _, e := range []wire.Entry{advice(1), reversalOf(4, request(3)), advice(6)} {
		in := sub(j, 1, e)
		require.NoError(t, h.Set(uint64(e.Seq), agree.LeafOf(e.Digest(in))))
	}
	require.Equal(t, h.Root(6), r.Root)
	done, err := l.alone("till-1")
	require.NoError(t, err)
	_, err = l.Receipt(bg, "till-1", j, []agree.Range{{From: 1, To: 5}})
	require.ErrorIs(t, err, ErrBusy, "one long question of a device at a time")
	done()
}

// What was refunded of a sale follows what becomes of the refund: a reversed one
// leaves room again, and a void of one cannot be taken back once the sale was
// refunded otherwise, or undone.
func TestRefundedFollowsTheRefund(t *testing.T) {
	sale := request(1)
	online := refundOf(2, sale, 1000)
	online.Kind = queue.Request
	void := voidOf(3, online)
	voidSale := voidOf(4, sale)
	for name, c := range map[string]struct {
		then []wire.Entry
		code string // of the last
		left int64  // refunded in the end
	}{
		"reversed":         {[]wire.Entry{reversalOf(5, online), refundOf(6, sale, 1000)}, "00", 1000},
		"reversed, void":   {[]wire.Entry{reversalOf(5, online), voidSale}, "00", 0},
		"unvoided":         {[]wire.Entry{void, reversalOf(5, void)}, "00", 1000},
		"refunded instead": {[]wire.Entry{void, refundOf(4, sale, 1000), reversalOf(5, void)}, "12", 1000},
		"sale voided":      {[]wire.Entry{void, voidSale, reversalOf(5, void)}, "12", 0},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger(t, OpenMemory(), &Options{Decide: yes})
			j := journalOf(1)
			code := ""
			for _, e := range append([]wire.Entry{sale, online}, c.then...) {
				res := submit(t, l, sub(j, 1, e))
				require.NoError(t, res.Err)
				code = res.Booking.Answer.Code
			}
			require.Equal(t, c.code, code)
			all, err := l.At(bg, j, 1)
			require.NoError(t, err)
			require.Equal(t, c.left, all[0].Refunded)
			require.NoError(t, l.Verify(bg))
		})
	}
}

// A conflict that was dealt with is listed no more, makes room for another, and
// comes again with its entry.
func TestDismiss(t *testing.T) {
	l := newLedger(t, OpenMemory(), nil)
	mine := journalOf(1)
	require.NoError(t, submit(t, l, sub(mine, 1, advice(1))).Err)
	conflicts := func() (out []Conflict) {
		for c, err := range l.Conflicts(bg, mine) {
			require.NoError(t, err)
			out = append(out, c)
		}
		return out
	}
	for minor := range 3 {
		other := advice(1)
		other.Amount.Minor = int64(minor + 1)
		conflict(t, submit(t, l, sub(mine, 1, other)))
	}
	all := conflicts()
	require.Len(t, all, 3)
	for range 2 {
		require.NoError(t, l.Dismiss(bg, all[1]))
		require.Equal(t, []Conflict{all[0], all[2]}, conflicts())
		require.NoError(t, l.engine.View(bg, func(tx Tx) error {
			n, err := countAside(tx, mine)
			require.EqualValues(t, 2, n)
			return err
		}))
	}
	again := advice(1)
	again.Amount = all[1].Amount
	conflict(t, submit(t, l, sub(mine, 1, again)))
	require.Equal(t, all, conflicts())
}
