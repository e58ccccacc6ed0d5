package queue

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/tallystick/tallystick/internal/record"
)

// flush writes the events, then everything that they changed.
func (v *fileView) flush() error {
	if !v.changed {
		return nil
	}
	slices.SortFunc(v.put, func(a, b *held) int { return cmp.Compare(a.cur.ID, b.cur.ID) })
	if v.changes != nil {
		if err := v.collect(); err != nil {
			return err
		}
	}
	for _, body := range v.log {
		if _, err := v.tx.Log(body); err != nil {
			return err
		}
	}
	if err := v.flushCount(); err != nil {
		return err
	}
	for _, h := range v.put {
		if err := v.flushEntry(h); err != nil {
			return err
		}
	}
	if err := v.flushLanes(); err != nil {
		return err
	}
	v.own.leave(v.shared)
	*v = fileView{tx: v.tx, opts: v.opts, reading: v.reading, stamped: v.stamped, shared: v.shared,
		changes: v.changes, warnings: v.warnings}
	return nil
}

// flushCount counts the entries that are new: their numbers are dense (I4).
func (v *fileView) flushCount() error {
	newest := ID(0)
	for _, h := range v.put {
		if h.old == nil {
			newest = h.cur.ID
		}
	}
	if newest == 0 {
		return nil
	}
	b, err := v.tx.Edit(inCounts, []byte("entries"), 8)
	if err == nil && len(b) != 8 {
		err = badCount("entries")
	}
	if err == nil {
		binary.BigEndian.PutUint64(b, uint64(newest))
	}
	return err
}

func (v *fileView) flushLanes() error {
	v.own.sort()
	for i := range v.own.lanes {
		if err := v.flushLane(&v.own.lanes[i]); err != nil {
			return err
		}
	}
	if v.own.time != nil {
		if err := v.tx.Put(inCounts, []byte("clock"), v.own.time.encode()); err != nil {
			return err
		}
	}
	for _, b := range v.own.batches {
		if !b.put {
			continue
		}
		if err := v.tx.PutLate(inBatches, batchKey(b.lane, b.n), &b.batchRecord); err != nil {
			return err
		}
	}
	return nil
}

func (v *fileView) flushLane(l *nearLane) error {
	if !l.put {
		return nil
	}
	if !l.named {
		known, err := v.tx.Get(inNames, nameKey(l.name))
		if err != nil {
			return err
		}
		if known == nil {
			if err := v.tx.Put(inNames, nameKey(l.name), be32(nil, l.number)); err != nil {
				return err
			}
			if err := v.tx.Put(inCounts, []byte("lanes"), be64(nil, uint64(l.number))); err != nil {
				return err
			}
		}
	}
	rec := l.laneRecord
	return v.tx.PutLate(inLanes, be32(nil, l.number), &rec)
}

// flushEntry writes an entry and moves it in the keyspaces that follow from it.
func (v *fileView) flushEntry(h *held) error {
	e := h.cur
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	if h.old != nil && h.old.Lane != e.Lane {
		if err := v.leaveLane(*h.old); err != nil {
			return err
		}
		h.old = nil // everything that follows from it is written anew
	}
	w := record.Writer{B: make([]byte, 0, 384)}
	encodeEntry(&w, e)
	if err := v.tx.Put(inEntries, idKey(e.ID), w.B); err != nil {
		return err
	}
	if h.old == nil {
		if at := e.refPlace(); at != nil {
			if err := v.tx.Put(inRefs, at, idKey(e.ID)); err != nil {
				return err
			}
		}
		if e.Kind != Reversal {
			if err := v.include(inSTANs, be32(nil, l.number), uint64(e.STAN)); err != nil {
				return err
			}
		}
	}
	if h.old == nil || h.old.Batch.N != e.Batch.N {
		if h.old != nil {
			if err := v.exclude(inMembers, batchKey(l.number, h.old.Batch.N), uint64(e.ID)); err != nil {
				return err
			}
		}
		if err := v.include(inMembers, batchKey(l.number, e.Batch.N), uint64(e.ID)); err != nil {
			return err
		}
	}
	if err := v.flushWork(l.number, h); err != nil {
		return err
	}
	return v.flushCard(e)
}

func (v *fileView) flushWork(lane uint32, h *held) error {
	var old []byte
	if h.old != nil {
		old = workPlace(lane, *h.old)
	}
	cur := workPlace(lane, h.cur)
	if string(old) == string(cur) {
		return nil
	}
	if old != nil {
		if err := v.exclude(inWork, old, uint64(h.cur.ID)); err != nil {
			return err
		}
	}
	if cur == nil {
		return nil
	}
	return v.include(inWork, cur, uint64(h.cur.ID))
}

// flushCard keeps of the card what e's state still needs: all until the final
// answer, no tracks after it, nothing of what did not come about.
func (v *fileView) flushCard(e Entry) error {
	card, isNew := v.newCard(e.ID)
	if isNew {
		return v.tx.Put(inCards, idKey(e.ID), encodeCard(card))
	}
	if !e.State.Final() || e.Kind == Reversal {
		return nil
	}
	b, err := v.tx.Get(inCards, idKey(e.ID))
	if err != nil || b == nil {
		return err
	}
	if e.State != Accepted {
		return v.tx.Delete(inCards, idKey(e.ID))
	}
	if card, err = decodeCard(b); err != nil {
		return err
	}
	if card.Track2.IsZero() && card.Track3.IsZero() {
		return nil
	}
	return v.tx.Put(inCards, idKey(e.ID), encodeCard(card.withoutTracks()))
}

// refPlace is where e's ref is kept, nil where e does not tell it.
func (e *Entry) refPlace() []byte {
	switch {
	case !e.Pruned:
		return refKey(e.Ref)
	case e.place != [16]byte{}:
		return bytes.Clone(e.place[:])
	}
	return nil
}
