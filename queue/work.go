package queue

import "encoding/binary"

// The classes of work, in the order in which a lane does them.
const (
	classReversal byte = iota // reversals, and requests in doubt that need one
	classRequest              // deferred requests
	classAdvice
	classNotice
	classes
)

// demoteAfter is the number of attempts after which an advice goes behind
// those that were tried less often, so that one poison entry holds up none.
const demoteAfter = 3

// workPlace is where e stands in the work of its lane, nil when there is
// nothing to do for it: lane, class, batch, demotion. There it goes by its id.
func workPlace(lane uint32, e Entry) []byte {
	if e.State != Pending && e.State != InDoubt {
		return nil
	}
	var class byte
	switch {
	case e.Kind == Reversal:
		class = classReversal
	case e.Kind == Request && e.State == InDoubt:
		if e.Reversal != 0 {
			return nil
		}
		class = classReversal
	case e.Kind == Request:
		if !e.Deferred {
			return nil // its Do sends it, nobody else
		}
		class = classRequest
	case e.Kind == Advice:
		class = classAdvice
	default:
		class = classNotice
	}
	demoted := byte(0)
	if e.Attempts >= demoteAfter && class != classReversal {
		demoted = byte(min(e.Attempts, 255))
	}
	key := append(be32(nil, lane), class)
	key = be32(key, e.Batch.N)
	return append(key, demoted)
}

const workPlaceSize = 4 + 1 + 4 + 1

// heldFrom returns the first batch number that may not send now: while a
// closed batch is not settled, a host that numbers its batches would book
// later entries under the old number.
func (l laneRecord) heldFrom() uint32 {
	if l.fenced && (len(l.closing) == 0 || l.closing[0] >= l.open) {
		return l.open // a restored lane waits (I10)
	}
	if len(l.closing) == 0 || l.hostBatch == 0 {
		return l.open + 1
	}
	return l.closing[0] + 1
}

// work returns up to limit entries that the lane may send now, in order,
// without those that skip names. classes bounds how far down it looks.
// Requests wait while reversals do.
func (v *fileView) work(l laneRecord, limit int, upTo byte, skip func(ID) bool) (ids []ID, err error) {
	from := l.heldFrom()
	reversals := false
	full, err := v.batchFull(l)
	if err != nil {
		return nil, err
	}
	for class := classReversal; class <= upTo && len(ids) < limit; class++ {
		if class == classRequest && reversals {
			continue
		}
		prefix := append(be32(nil, l.number), class)
		err := v.numbers(inWork, prefix, workPlaceSize, 0, func(at []byte, n uint64) (bool, error) {
			id, batch := ID(n), binary.BigEndian.Uint32(at[5:])
			if batch >= from {
				return false, nil
			}
			reversals = reversals || class == classReversal
			if class == classAdvice {
				if waits, err := v.waits(id); err != nil || waits {
					return true, err
				}
			}
			if full && class != classReversal && batch == l.open {
				if e, err := v.entry(id); err != nil || (e.Attempts == 0 && e.bound()) {
					return true, err // waits for the next batch
				}
			}
			if !skip(id) {
				ids = append(ids, id)
			}
			return len(ids) < limit, nil
		})
		if err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// eachWork calls fn with what is to do in a class of the lane, in order, whether
// the lane may send it now or not, until fn returns false.
func (v *fileView) eachWork(l laneRecord, class byte, fn func(ID) (bool, error)) error {
	return v.numbers(inWork, append(be32(nil, l.number), class), workPlaceSize, 0, func(_ []byte, n uint64) (bool, error) {
		return fn(ID(n))
	})
}

// batchFull tells whether the lane's open batch takes no more records.
func (v *fileView) batchFull(l laneRecord) (bool, error) {
	b, err := v.batch(l.number, l.open)
	return err == nil && b.host != 0 && b.bound >= v.opts.batchLimit(l.name), err
}

// room is how many records the lane's open batch still takes, at least 1: a
// repeat or a reversal needs none.
func (v *fileView) room(l laneRecord) (int, error) {
	b, err := v.batch(l.number, l.open)
	if err != nil {
		return 0, err
	}
	limit := v.opts.batchLimit(l.name)
	return int(max(1, limit-min(limit, b.bound))), nil
}
