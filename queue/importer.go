package queue

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tallystick/tallystick/internal/record"
)

// importer journals the parts of an export, some at a time.
type importer struct {
	ctx  context.Context
	q    *Queue
	done *Imported

	from     [16]byte
	inLane   laneRecord
	inBatch  batchRecord
	incoming []incoming
}

func (im *importer) journal(id [16]byte) error {
	im.from, im.done.From = id, id
	return nil
}

func (im *importer) lane(l laneRecord) error {
	err := im.flush()
	im.inLane = l
	return err
}

func (im *importer) batch(b batchRecord) error {
	err := im.flush()
	im.inBatch = b
	return err
}

func (im *importer) entry(in incoming) error {
	if im.incoming = append(im.incoming, in); len(im.incoming) < 32 {
		return nil
	}
	return im.flush()
}

// flush journals the entries read so far; all are of one batch.
func (im *importer) flush() error {
	step := im.incoming
	im.incoming = nil
	if len(step) == 0 {
		return nil
	}
	var did Imported
	err := im.q.update(im.ctx, func(v *fileView) error {
		did = Imported{}
		for _, in := range step {
			if err := im.take(v, in, &did); err != nil {
				return err
			}
			// What follows looks it up in the file.
			if err := v.flush(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	im.done.Entries += did.Entries
	im.done.Known += did.Known
	im.done.Conflicts = append(im.done.Conflicts, did.Conflicts...)
	for _, l := range did.Shared {
		if !slices.Contains(im.done.Shared, l) {
			im.done.Shared = append(im.done.Shared, l)
		}
	}
	return nil
}

// The places, in the keyspace of refs, of what was imported.
func originKey(o Origin) []byte {
	b := append([]byte("entry of"), o.Journal[:]...)
	d := sha256.Sum256(be64(b, uint64(o.ID)))
	return append([]byte("o"), d[:16]...)
}

func foreignKey(journal [16]byte, l Lane, n uint32) []byte {
	w := record.Writer{B: append([]byte("batch of"), journal[:]...)}
	encodeLaneName(&w, l)
	d := sha256.Sum256(be32(w.B, n))
	return append([]byte("f"), d[:16]...)
}

func (v *fileView) placed(key []byte) (uint64, error) {
	b, err := v.tx.Get(inRefs, key)
	if err != nil || b == nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: the place of what was imported", ErrDamaged)
	}
	return binary.BigEndian.Uint64(b), nil
}

// comesHome finds the entry that was journalled here under an origin, be it
// before a copy was made of this journal.
func (v *fileView) comesHome(o Origin, like Entry) (ID, error) {
	n, err := v.count("entries")
	if err != nil || uint64(o.ID) > n || o.ID == 0 {
		return 0, err
	}
	e, err := v.entry(o.ID)
	if err != nil {
		return 0, err
	}
	same := e.Lane == like.Lane && e.STAN == like.STAN && e.Kind == like.Kind && e.Amount == like.Amount &&
		(e.Pruned || e.Ref == like.Ref || e.Ref == renamed(like, o.Original))
	if !same {
		return 0, nil
	}
	return e.ID, nil
}

// take journals one entry, unless it is here already.
func (im *importer) take(v *fileView, in incoming, did *Imported) error {
	e := in.entry
	origin := Origin{Journal: im.from, ID: e.ID, Original: e.Original}
	place := originKey(origin)
	if e.Origin != (Origin{}) {
		origin = e.Origin // it was imported there, too
	}
	if n, err := v.placed(place); err != nil || n != 0 {
		did.Known++
		return err
	}
	if origin.Journal == im.q.JournalID() {
		id, err := v.comesHome(origin, e)
		if err != nil || id != 0 {
			did.Known++
			return errors.Join(err, v.tx.Put(inRefs, place, idKey(id)))
		}
	}
	n, err := v.placed(originKey(Origin{Journal: im.from, ID: e.Original}))
	if err != nil {
		return err
	}
	original := ID(n)
	if e.Original != 0 && original == 0 && (e.Kind == Reversal || e.Op == Void) {
		did.Conflicts = append(did.Conflicts, e.Ref) // its original was not taken over
		return nil
	}
	e.Ref = renamed(e, original)
	first, found, err := v.byRef(e.Ref)
	if err != nil {
		return err
	}
	if found && (first.Origin.Journal != origin.Journal || first.Origin.ID > origin.ID) {
		did.Conflicts = append(did.Conflicts, e.Ref)
		return nil
	}
	e.Origin = origin
	if e.Batch.N, err = im.home(v, did); err != nil {
		return err
	}
	id, err := v.nextID()
	if err != nil {
		return err
	}
	if e.Kind == Request && e.State == InDoubt && e.Reversal != 0 {
		e.State, e.ParkedWhy = Parked, "its reversal is not imported yet"
	}
	e.ID, e.Original, e.Reversal, e.VoidedBy, e.copied = id, original, 0, 0, false
	e.first.boot, e.first.since = 0, 0 // of a clock that is not this device's
	e.Card = Card{}
	e.suspect(in.flying)
	if !in.card.isZero() {
		v.keepCard(id, in.card)
	}
	if err := v.apply(event{kind: evImported, entry: e}); err != nil {
		return err
	}
	did.Entries++
	return v.tx.Put(inRefs, place, idKey(id))
}

// renamed gives refs that hold an entry's id that of this journal.
func renamed(e Entry, original ID) string {
	switch e.Ref {
	case fmt.Sprintf("reversal of entry %d", e.Original):
		return fmt.Sprintf("reversal of entry %d", original)
	case fmt.Sprintf("void of entry %d", e.Original):
		return fmt.Sprintf("void of entry %d", original)
	case fmt.Sprintf("refund of entry %d", e.Original):
		return fmt.Sprintf("refund of entry %d", original)
	}
	return e.Ref
}

// suspect parks what the other device may have sent since.
func (e *Entry) suspect(flying bool) {
	switch {
	case e.State != Pending && (e.State != InDoubt || e.Kind != Request || !flying):
	case e.Kind == Request:
		e.State, e.ParkedWhy = Parked, "under way or waiting on the device that it comes from: that device may have its answer, ask there or the host"
	default:
		e.State, e.ParkedWhy = Parked, "the device that it comes from had not met the host: it may have sent it since under any batch number"
	}
}

// home is the batch here that stands for the one being imported.
func (im *importer) home(v *fileView, did *Imported) (uint32, error) {
	key := foreignKey(im.from, im.inLane.name, im.inBatch.n)
	if n, err := v.placed(key); err != nil || n != 0 {
		return uint32(n), err
	}
	_, err := v.laneOf(im.inLane.name)
	isNew := err != nil
	if isNew && ignoreNotFound(err) != nil {
		return 0, err
	}
	l, err := v.openLane(im.inLane.name)
	if err != nil {
		return 0, err
	}
	if isNew {
		if err := im.adopt(v, l); err != nil {
			return 0, err
		}
	} else if mine, err := v.soldHere(l); err != nil {
		return 0, err
	} else if mine {
		did.Shared = append(did.Shared, l.name)
	}
	b, err := v.batch(l.number, l.open)
	if err != nil {
		return 0, err
	}
	if b.entries > 0 {
		if err := v.apply(event{kind: evClosed, lane: l.number, batch: l.open, flag: true}); err != nil {
			return 0, err
		}
		l.open++
	}
	rec := batchRecord{lane: l.number, n: l.open, stage: BatchClosed, host: im.inBatch.host, superseded: true,
		closed: v.reading.Wall, progress: im.inBatch.progress}
	if err := v.apply(event{kind: evForeign, keep: keeping{body: rec.Encode()}}); err != nil {
		return 0, err
	}
	if err := v.flush(); err != nil {
		return 0, err
	}
	return rec.n, v.tx.Put(inRefs, key, be64(nil, uint64(rec.n)))
}

// soldHere tells whether a lane was used here for anything but an import.
func (v *fileView) soldHere(l laneRecord) (own bool, err error) {
	for n := uint32(1); n <= l.open && !own; n++ {
		ids, err := v.members(l.number, n)
		if err != nil {
			return false, err
		}
		if len(ids) > 0 {
			e, err := v.entry(ids[0])
			if err != nil {
				return false, err
			}
			own = e.Origin == Origin{}
		}
	}
	return own, nil
}

// adopt makes a lane of another device one of ours, held back where its host
// numbers its batches.
func (im *importer) adopt(v *fileView, l laneRecord) error {
	number := im.inLane.hostBatch
	if number == 0 {
		number = im.inBatch.host
	}
	if number != 0 {
		if err := v.apply(event{kind: evHostBatch, lane: l.number, host: number}); err != nil {
			return err
		}
	}
	return v.apply(event{kind: evEpoch, lane: l.number, stan: leap(max(1, im.inLane.lastSTAN)), flag: number != 0,
		keep: keeping{number: im.q.Epoch()}})
}
