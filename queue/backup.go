package queue

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/tallystick/tallystick/internal/journal"
	"github.com/tallystick/tallystick/internal/record"
)

// Backup writes one synced state of the journal to w while it is in use, with
// all entries, cards and events, sealed as they are in the file (readable by
// anyone where Options.Unsealed was chosen). The state is first written beside
// the journal, which needs room for it, so that a slow w holds up nothing.
//
// Before that, entries that were never attempted are bound to the number under
// which their host books now: this device and a restored copy then tell the
// host the same of them.
//
// Errors: ErrDamaged, ErrKey, ErrNotSynced, ErrClosed, ctx.Err(), those of w
// and of the file system. What w got is then no backup, and Restore refuses it.
func (q *Queue) Backup(ctx context.Context, w io.Writer) error {
	if err := q.bindPending(ctx); err != nil {
		return err
	}
	return q.file.Backup(ctx, w, q.inFlight)
}

// inFlight lists the entries that are being sent at this moment.
func (q *Queue) inFlight() []byte {
	var w record.Writer
	ids := q.lines.inFlight()
	for _, id := range ids[:min(len(ids), maxInFlight)] {
		w.Uint(uint64(id))
	}
	return w.B
}

// maxInFlight bounds how many entries a backup says to be under way; there are
// never more than 256 to a lane.
const maxInFlight = 100_000

func (s *lines) inFlight() (ids []ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ln := range s.lanes {
		for id := range ln.flying {
			ids = append(ids, id)
		}
	}
	return ids
}

// pendingStep is how many entries one commit of these walks takes.
const pendingStep = 128

// eachWaiting hands the ids of entries that wait, a step at a time, to fn
// inside an update.
func (q *Queue) eachWaiting(ctx context.Context, fn func(v *fileView, ids []ID) error) error {
	var ids []ID
	give := func() error {
		step := ids
		ids = nil
		if len(step) == 0 {
			return nil
		}
		return q.update(ctx, func(v *fileView) error { return fn(v, step) })
	}
	for e, err := range q.All(ctx, Filter{States: []State{Pending, InDoubt}}) {
		if err != nil {
			return err
		}
		if ids = append(ids, e.ID); len(ids) == pendingStep {
			if err := give(); err != nil {
				return err
			}
		}
	}
	return give()
}

// unbound tells whether the host could still be told any batch number of e.
func (e Entry) unbound() bool {
	return e.State == Pending && e.Attempts == 0 && !e.copied && (e.Kind == Advice || e.Kind == Notice)
}

// firstTry tells whether the first attempt of e could still prove unsent, which
// would leave e unbound again.
func (e Entry) firstTry() bool {
	return e.State == InDoubt && e.Attempts == 1 && !e.copied && (e.Kind == Advice || e.Kind == Notice)
}

func (q *Queue) bindPending(ctx context.Context) error {
	return q.eachWaiting(ctx, func(v *fileView, ids []ID) error {
		bound := map[uint32][]ID{}
		for _, id := range ids {
			e, err := v.entry(id)
			if err != nil {
				return err
			}
			l, err := v.laneOf(e.Lane)
			if err != nil {
				return err
			}
			number, err := v.bookedUnder(l)
			if err != nil {
				return err
			}
			if (e.unbound() || (e.firstTry() && q.lines.claimed(e.Lane, id))) && (number != 0 || !l.contact.IsZero()) && !l.fenced {
				if err := v.rejoinBound(e, l, number); err != nil {
					return err
				}
				bound[l.number] = append(bound[l.number], id)
			}
		}
		return v.eachLane(func(l laneRecord) error {
			if len(bound[l.number]) == 0 {
				return nil
			}
			number, err := v.bookedUnder(l)
			if err != nil {
				return err
			}
			return v.apply(event{kind: evBound, lane: l.number, host: number, keep: keeping{ids: bound[l.number]}})
		})
	})
}

// rejoinBound moves an entry that is to be bound out of a batch that the host has
// gone on from: an attempt that was under way then has left it there unsent.
func (v *fileView) rejoinBound(e Entry, l laneRecord, number uint32) error {
	b, err := v.batch(l.number, e.Batch.N)
	if err != nil || !e.unbound() || !e.bound() || e.Batch.N == l.open || b.host == 0 || b.host == number {
		return err
	}
	return v.apply(event{kind: evMoved, id: e.ID, batch: l.open})
}

// bookedUnder is the newest batch number that is known of the lane's host.
func (v *fileView) bookedUnder(l laneRecord) (uint32, error) {
	if l.hostBatch != 0 {
		return l.hostBatch, nil
	}
	b, err := v.batch(l.number, l.open)
	return b.host, err
}

func (v *fileView) eachLane(fn func(laneRecord) error) error {
	n, err := v.count("lanes")
	for i := uint64(1); i <= n && err == nil; i++ {
		var l laneRecord
		if l, err = v.laneAt(uint32(i)); err == nil {
			err = fn(l)
		}
	}
	return err
}

// Restore makes a journal at path from a backup and opens it. It is the same
// journal of the next epoch (Epoch), since the first device may live and may
// have gone on after the backup (I10). So in the copy:
//
//   - what was not final is in doubt. An advice, notice or reversal is repeated
//     under the identity that the first device uses. A request in doubt is
//     reversed as usual, but one that was under way in the moment of the backup
//     is parked: the first device may have had its answer since. So is a request
//     that waited to be sent, and an advice that was not bound to a batch number
//     yet: a person finds out what became of it.
//   - a lane whose host numbers its batches sends nothing new until the host
//     shows a number that the copy has not seen, or a person gives a number with
//     SetSTANFloor. New entries are journalled meanwhile; Do returns ErrHeldBack.
//   - STANs go on far from where they stood, at a place drawn at random.
//
// What it cannot do: know what the first device did after the backup. A sale
// that was cancelled there is still sent by the copy. And if both go on selling
// under one terminal id, only the host can keep them apart: a number that both
// used shows as an answer Duplicate to a first transmission, which parks the
// entry.
//
// Nothing may be at path. All of the backup is checked before anything is put
// there; a crash leaves nothing at path, or the whole journal.
// Errors: those of Open; ErrDamaged for a backup that is cut short or changed,
// ErrFormat for what is none, ErrKey, those of r, ctx.Err(), os.ErrExist.
func Restore(ctx context.Context, path string, r io.Reader, keys Keys, opts *Options) (*Queue, error) {
	jo, err := journalOptions(keys, opts.withDefaults())
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("restore to %s: %w", path, os.ErrExist)
	}
	tmp := path + ".restore"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	note, err := journal.Restore(ctx, tmp, r, jo)
	if err != nil {
		return nil, err
	}
	if err := raise(ctx, tmp, keys, opts, note); err != nil {
		return nil, errors.Join(err, os.Remove(tmp))
	}
	if err := errors.Join(journal.Place(tmp, path, jo), journal.DropMigrated(tmp)); err != nil {
		return nil, err
	}
	return Open(path, keys, opts)
}

// raise makes the restored journal at tmp one of its epoch.
func raise(ctx context.Context, tmp string, keys Keys, opts *Options, note []byte) error {
	q, err := Open(tmp, keys, opts)
	if err != nil {
		return err
	}
	flying := map[ID]bool{}
	for r := record.NewReader(note); len(note) > 0; {
		id := r.Uint()
		if r.Err() != nil {
			return errors.Join(fmt.Errorf("%w: the backup's list of what was under way", ErrDamaged), q.Close())
		}
		flying[ID(id)] = true
		if r.Done() == nil {
			break
		}
	}
	err = q.Verify(ctx)
	if err == nil {
		err = q.raiseEpoch(ctx, flying)
	}
	return errors.Join(err, q.Close())
}

func (q *Queue) raiseEpoch(ctx context.Context, flying map[ID]bool) error {
	err := q.eachWaiting(ctx, func(v *fileView, ids []ID) error {
		for _, id := range ids {
			if err := v.doubt(id, flying[id]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return q.update(ctx, func(v *fileView) error {
		return v.eachLane(func(l laneRecord) error { return v.fence(l, q.Epoch()) })
	})
}

// doubt takes an entry for one that another device may have sent since.
func (v *fileView) doubt(id ID, flying bool) error {
	e, err := v.entry(id)
	if err != nil {
		return err
	}
	l, err := v.laneOf(e.Lane)
	if err != nil {
		return err
	}
	number, err := v.bookedUnder(l)
	if err != nil {
		return err
	}
	park := func(why string) error { return v.apply(event{kind: evParked, id: id, text: why}) }
	switch {
	case e.State.Final() || e.State == Parked:
		return nil
	case e.Kind == Request && e.State == InDoubt && flying && e.Reversal == 0:
		return park("under way on another device when this copy was made: that device may have its answer, ask there or the host")
	case e.Kind == Request && e.State == Pending:
		return park("not sent yet when this copy was made: another device may have sent it, ask there or the host")
	case e.State == InDoubt:
		return nil
	case e.unbound() && (number != 0 || l.contact.IsZero()):
		return park("not bound to a batch number of the host when this copy was made: another device may have sent it under any")
	}
	return v.apply(event{kind: evAttempted, id: id, host: e.HostBatch})
}

// fence closes what was open and moves the numbers on (I10).
func (v *fileView) fence(l laneRecord, epoch uint64) error {
	number, err := v.bookedUnder(l)
	if err != nil {
		return err
	}
	b, err := v.batch(l.number, l.open)
	if err != nil {
		return err
	}
	if b.entries > 0 {
		if err := v.apply(event{kind: evClosed, lane: l.number, batch: l.open, flag: true}); err != nil {
			return err
		}
	}
	return v.apply(event{kind: evEpoch, lane: l.number, stan: leap(l.lastSTAN), flag: number != 0, keep: keeping{number: epoch}})
}

// leap is a number of the series far from s: two devices that go on from one
// copy then hardly ever draw the same.
func leap(s STAN) STAN {
	var b [4]byte
	rand.Read(b[:])
	by := 100_000 + STAN(binary.BigEndian.Uint32(b[:])%800_000)
	return (s+by-1)%maxSTAN + 1
}

// Epoch is 1, and one more in each journal that Restore made from a backup.
func (q *Queue) Epoch() uint64 { return q.file.Epoch() }

// SetSTANFloor lets a restored lane send again (I10): a person has made sure
// that no other device has used, or will use, the numbers from floor on. Who (1
// to 64 bytes) and why (1 to 256) are kept with the event.
//
// Errors: ErrNotFound, ErrState when the lane is not held back, *InvalidError,
// ErrNotSynced, ErrClosed, ctx.Err().
func (q *Queue) SetSTANFloor(ctx context.Context, lane Lane, floor STAN, who, why string) error {
	if floor < 1 || floor > maxSTAN {
		return invalid("floor", "is not a STAN, 1 to %d", maxSTAN)
	}
	if err := signed(who, why); err != nil {
		return err
	}
	return q.update(ctx, func(v *fileView) error {
		l, err := v.laneOf(lane)
		if err != nil {
			return err
		}
		return v.apply(event{kind: evLifted, lane: l.number, stan: floor - 1, who: who, text: why})
	})
}

// mayLift ends the holding back of a restored lane once the host shows a
// number that no batch of it had.
func (v *fileView) mayLift(l laneRecord) error {
	if !l.fenced || l.hostBatch == 0 {
		return nil
	}
	for n := uint32(1); n <= l.open; n++ {
		b, err := v.batch(l.number, n)
		if err != nil || b.host == l.hostBatch {
			return err
		}
	}
	return v.apply(event{kind: evLifted, lane: l.number, stan: l.lastSTAN, text: "the host shows a new batch number"})
}

// lift asks the host of a lane that is held back for its batch number.
func (q *Queue) lift(ctx context.Context, lane Lane, up Uplink) (lifted bool, err error) {
	fenced := false
	err = q.read(func(v *fileView) error {
		l, err := v.laneOf(lane)
		fenced = l.fenced
		return ignoreNotFound(err)
	})
	if err != nil || !fenced {
		return false, err
	}
	if err := q.lines.acquire(ctx, lane, window(up), false, q.changed.closed); err != nil {
		return false, err
	}
	defer q.lines.done(lane, 1)
	line, err := q.prepare(ctx, up)
	if err != nil {
		q.opts.Log.Info("no line", "lane", lane.String(), "error", err)
		return false, ctx.Err()
	}
	err = q.update(ctx, func(v *fileView) error {
		if err := v.follow(lane, line); err != nil {
			return err
		}
		l, err := v.laneOf(lane)
		lifted = !l.fenced
		return err
	})
	return lifted, err
}
