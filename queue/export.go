package queue

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"

	"github.com/tallystick/tallystick/internal/record"
)

// An export is a stream, numbers as unsigned varints:
//
//	8 bytes "TALLYEX1"   16 bytes journal id
//	'l'  length   a lane: its name, newest STAN, the host's batch number
//	'b'  length   a batch of the last lane: its record
//	'e'  length   an entry of the last batch: its record, whether it is under
//	              way, its Of, its card
//	'z'  32 bytes SHA-256 of all before
const exportMagic = "TALLYEX1"

const (
	frameLane  = 'l'
	frameBatch = 'b'
	frameEntry = 'e'
	frameEnd   = 'z'

	// maxFrame bounds one frame: a batch may carry 64 KiB of progress.
	maxFrame = 128 << 10
)

// Export writes all entries of batches that are not settled, with their cards,
// to w, for Import on another device: use package rescue, which seals them for
// the owner's public key. What w gets here is readable, card data and all.
//
// An entry that is handed over may be sent by the other device at any time. So
// here a pending advice, notice or reversal is in doubt from now on, bound to
// its batch number, and is repeated under the same identity as there; a request
// in doubt gets its reversal. Both devices may forward everything.
//
// Export may be called again, and goes on while the journal is in use: entries
// journalled meanwhile may or may not be in it.
//
// Errors: ErrDamaged, ErrKey, ErrNotSynced, ErrClosed, ctx.Err(), those of w.
// After any of them what w got is cut short, and Import refuses it.
func (q *Queue) Export(ctx context.Context, w io.Writer) (entries int, err error) {
	x := &exporter{q: q, w: bufio.NewWriter(w), sum: sha256.New()}
	id := q.JournalID()
	x.write([]byte(exportMagic))
	x.write(id[:])
	for n := uint32(1); ; n++ {
		more, err := x.lane(ctx, n)
		if err != nil {
			return x.entries, err
		}
		if !more {
			break
		}
	}
	x.write([]byte{frameEnd})
	x.write(x.sum.Sum(nil))
	return x.entries, errors.Join(x.err, x.w.Flush())
}

type exporter struct {
	q       *Queue
	w       *bufio.Writer
	sum     hash.Hash
	entries int
	err     error
}

func (x *exporter) write(b []byte) {
	x.sum.Write(b)
	if x.err == nil {
		_, x.err = x.w.Write(b)
	}
}

func (x *exporter) frame(kind byte, body []byte) {
	var w record.Writer
	w.Byte(kind)
	w.Bytes(body)
	x.write(w.B)
}

// lane writes what is not settled of one lane.
func (x *exporter) lane(ctx context.Context, number uint32) (found bool, err error) {
	var l laneRecord
	var open []uint32
	err = x.q.read(func(v *fileView) error {
		if l, err = v.laneAt(number); err != nil {
			return ignoreNotFound(err)
		}
		found = true
		return v.tx.Scan(inBatches, be32(nil, number), nil, func(_, b []byte) (bool, error) {
			rec, err := decodeBatch(b)
			if err == nil && rec.stage != BatchSettled && rec.entries > 0 {
				open = append(open, rec.n)
			}
			return true, err
		})
	})
	if err != nil || !found {
		return false, err
	}
	var w record.Writer
	encodeLaneName(&w, l.name)
	w.Uint(uint64(l.lastSTAN))
	w.Uint(uint64(l.hostBatch))
	x.frame(frameLane, w.B)
	for _, n := range open {
		if err := x.batch(ctx, number, n); err != nil {
			return true, err
		}
	}
	return true, x.err
}

func (x *exporter) batch(ctx context.Context, lane, n uint32) error {
	var rec batchRecord
	err := x.q.read(func(v *fileView) (err error) {
		rec, err = v.batch(lane, n)
		return err
	})
	if err != nil {
		return err
	}
	x.frame(frameBatch, rec.Encode())
	for from := ID(1); from != 0; {
		var step [][]byte
		err := x.q.update(ctx, func(v *fileView) error {
			step = nil
			ids, err := v.members(lane, n)
			if err != nil {
				return err
			}
			next := ID(0)
			for _, id := range ids {
				if id < from {
					continue
				}
				if len(step) == pendingStep {
					next = id
					break
				}
				b, err := x.q.handOver(v, id)
				if err != nil {
					return err
				}
				step = append(step, b)
			}
			if next == 0 && len(step) > 0 {
				// Look again: the last ones may have got their reversals.
				last := ids[len(ids)-1]
				next = last + 1
			}
			from = next
			return nil
		})
		if err != nil {
			return err
		}
		if len(step) == 0 {
			break
		}
		for _, b := range step {
			x.frame(frameEntry, b)
			x.entries++
		}
		if x.err != nil {
			return x.err
		}
	}
	return nil
}

// handOver marks an entry as one that another device may send, and encodes it.
func (q *Queue) handOver(v *fileView, id ID) ([]byte, error) {
	e, err := v.entry(id)
	if err != nil {
		return nil, err
	}
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return nil, err
	}
	number, err := v.bookedUnder(l)
	if err != nil {
		return nil, err
	}
	flying := q.lines.claimed(e.Lane, id)
	met := number != 0 || !l.contact.IsZero()
	switch {
	case e.Kind == Request && e.State == InDoubt && e.Reversal == 0 && !flying:
		_, err = v.reversalOf(e, Other)
	case e.Kind != Request && e.State == Pending && (met || e.Kind == Reversal):
		err = v.apply(event{kind: evAttempted, id: id, host: number})
	}
	if err == nil {
		e, err = v.entry(id)
	}
	if err == nil {
		e, err = v.full(e)
	}
	if err != nil {
		return nil, err
	}
	var w record.Writer
	card := e.Card
	if e.Kind == Reversal {
		card = Card{} // its original's
	}
	encodeEntry(&w, e)
	w.Bool(flying)
	encodeOf(&w, e.Of)
	w.Bytes(encodeCard(card))
	return w.B, nil
}

func encodeOf(w *record.Writer, o Original) {
	w.Uint(uint64(o.ID))
	w.Uint(uint64(o.STAN))
	w.Uint(uint64(o.HostBatch))
	w.String(o.RRN)
	w.String(o.AuthCode)
	w.Time(o.Time)
}

func decodeOf(r *record.Reader) Original {
	return Original{ID: ID(r.Uint()), STAN: STAN(r.Uint()), HostBatch: uint32(r.Uint()),
		RRN: r.String(), AuthCode: r.String(), Time: r.Time()}
}
