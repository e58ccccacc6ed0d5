package journal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tallystick/tallystick/internal/lock"
)

// ErrLost is wrapped by the error for an event that Salvage could not read.
var ErrLost = errors.New("the event was lost to damage")

// Range is the event numbers From to To, both among them.
type Range struct{ From, To uint64 }

// SalvageReport says what became of a damaged journal.
type SalvageReport struct {
	// Aside is where the damaged file is kept.
	Aside string
	// Events is how many events the fresh journal has, lost ones counted.
	Events uint64
	// Lost are the events that could not be read, ascending. Event returns
	// ErrLost for them.
	Lost []Range
	// EndUnknown says that the record of the log's end could not be read
	// either: events behind the last one found would be missing without a trace.
	EndUnknown bool
	// Whole says that nothing is lost and every keyspace was readable as the
	// newest commit left it: only what is between the records was damaged.
	Whole bool
	// Stale says that what the newest commits changed is not all readable: a
	// record may be as it was before them. Where events are lost then, and with
	// EndUnknown, the fresh journal is of the next epoch.
	Stale bool
	// Damage is what was found wrong, the first 100 of it.
	Damage []string
}

// LostEvents is how many events were lost.
func (r *SalvageReport) LostEvents() (n uint64) {
	for _, l := range r.Lost {
		n += l.To - l.From + 1
	}
	return n
}

func (r *SalvageReport) damage(err error) {
	if len(r.Damage) < 100 {
		r.Damage = append(r.Damage, err.Error())
	}
}

// Rebuild fills the keyspaces of a fresh journal, which holds the events
// already, from what is readable of the old one. Nobody else uses fresh yet; a
// crash before Rebuild's end leaves the damaged file in its place.
type Rebuild func(fresh *File, old *Remains, r *SalvageReport) error

// Salvage writes what is readable of the damaged journal at path into a fresh
// one of the same identity and puts that in its place. The damaged file is
// kept beside it, as path.damaged-YYYYMMDD-hhmmss (UTC).
//
// Every event that is readable keeps its number. An event that is nowhere in
// the tree is looked for on the pages that the tree does not reach, and taken
// from there if the chain links it to its neighbours; else it is lost. The
// other keyspaces are Rebuild's: nil carries over each record that is readable.
//
// A crash at any point leaves the damaged file or the whole fresh one at path,
// once it is opened again. Errors: *lock.HeldError, seal.ErrKey (a key that is
// missing is no damage: nothing is salvaged), ErrFormat, those of rebuild and
// of the file system; on all of them the damaged file is as it was.
func Salvage(ctx context.Context, path string, o Options, rebuild Rebuild) (*SalvageReport, error) {
	aside := func(real string) string { return asideName(real, time.Now()) }
	r, err := renew(ctx, path, o, rebuild, aside, func(*Remains) error { return nil })
	if err != nil {
		return nil, fmt.Errorf("salvage %s: %w", path, err)
	}
	return r, nil
}

// renew writes what is readable of the journal at path into a fresh one and
// puts that in its place, if fit allows it.
func renew(ctx context.Context, path string, o Options, rebuild Rebuild, aside func(string) string, fit func(*Remains) error) (*SalvageReport, error) {
	real, err := resolve(path)
	if err != nil {
		return nil, err
	}
	l, err := acquire(real, o)
	if err != nil {
		return nil, err
	}
	defer releaseQuietly(l)
	if err := finishSalvage(real); err != nil {
		return nil, err
	}
	old, err := openRemains(ctx, newFile(path, real, o))
	if err != nil {
		return nil, err
	}
	fresh := newFile(path, real+salvageSuffix, o)
	if err = fit(old); err == nil {
		err = old.refill(ctx, fresh, rebuild)
	}
	old.x.close()
	if err != nil {
		_ = os.Remove(fresh.real)
		return nil, err
	}
	old.report.Aside = aside(real)
	return old.report, swap(fresh.real, real, old.report.Aside)
}

func releaseQuietly(l *lock.Lock) { _ = l.Release() }

// swap puts the fresh file at tmp in the place of the damaged one. The name
// .salvaged says that the fresh one is whole: with the damaged one moved and
// the fresh one not yet, finishSalvage goes on from there.
func swap(tmp, real, aside string) error {
	dir := filepath.Dir(real)
	if err := os.Rename(tmp, real+".salvaged"); err != nil {
		return err
	}
	if err := syncDir(dir); err != nil {
		return err
	}
	if err := os.Rename(real, aside); err != nil {
		return err
	}
	if err := os.Rename(real+".salvaged", real); err != nil {
		return err
	}
	return syncDir(dir)
}

func asideName(real string, now time.Time) string {
	base := real + ".damaged-" + now.UTC().Format("20060102-150405")
	name := base
	for i := 2; ; i++ {
		if _, err := os.Lstat(name); errors.Is(err, os.ErrNotExist) {
			return name
		}
		name = fmt.Sprintf("%s-%d", base, i)
	}
}

// finishSalvage ends a swap that a crash cut short.
func finishSalvage(real string) error {
	whole := real + ".salvaged"
	if _, err := os.Lstat(whole); errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if _, err := os.Stat(real); err == nil {
		return os.Remove(whole) // the damaged file is still in its place
	} else if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(whole, real); err != nil {
		return err
	}
	return syncDir(filepath.Dir(real))
}

// refillStep is how many events one commit of a refill carries over.
const refillStep = 512

// refill makes the fresh journal and fills it.
func (old *Remains) refill(ctx context.Context, fresh *File, rebuild Rebuild) (err error) {
	h := old.f.head
	h.format = Format
	lost, err := old.lostNewest(ctx)
	if err != nil {
		return err
	}
	if lost {
		h.epoch++ // what was lost and what comes in its place are of two epochs
		rand.Read(h.copy[:])
	}
	if err := fresh.createAt(fresh.real, h); err != nil {
		return err
	}
	x, err := fresh.inspect()
	if err != nil {
		return err
	}
	if err := fresh.load(ctx, x); err != nil {
		return err
	}
	close(fresh.ready)
	err = old.copyEvents(ctx, fresh)
	if err == nil {
		if rebuild == nil {
			rebuild = carryOver
		}
		err = rebuild(fresh, old, old.report)
	}
	if err == nil {
		err = fresh.VerifyLog(ctx)
	}
	fresh.end()
	return errors.Join(err, fresh.closeCleanly())
}

// lostNewest tells whether events are lost of which the newest commits' records
// do not show what they led to.
func (old *Remains) lostNewest(ctx context.Context) (lost bool, err error) {
	if old.report.EndUnknown || !old.report.Stale {
		return old.report.EndUnknown, nil
	}
	n := old.f.head.base.last
	err = old.eachEvent(ctx, func(e foundEvent) error {
		lost = lost || e.n != n+1 || len(e.body) == 0
		n = e.n
		return nil
	})
	return lost || n < old.last, err
}

// copyEvents writes the events, with an empty one for each that is lost.
func (old *Remains) copyEvents(ctx context.Context, fresh *File) error {
	var step [][]byte
	flush := func() error {
		if len(step) == 0 {
			return nil
		}
		bodies := step
		step = nil
		return fresh.Update(ctx, func(tx *Tx) error {
			for _, body := range bodies {
				if _, err := tx.log(body); err != nil {
					return err
				}
			}
			return nil
		})
	}
	n := old.f.head.base.last
	err := old.eachEvent(ctx, func(e foundEvent) error {
		for n++; n < e.n; n++ {
			old.lose(n)
			step = append(step, nil)
			if len(step) >= refillStep {
				if err := flush(); err != nil {
					return err
				}
			}
		}
		if len(e.body) == 0 {
			old.lose(n) // lost to a salvage before this one
		}
		if step = append(step, e.body); len(step) >= refillStep {
			return flush()
		}
		return nil
	})
	if err != nil {
		return err
	}
	for n++; n <= old.last; n++ {
		old.lose(n)
		if step = append(step, nil); len(step) >= refillStep {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	old.report.Events = n - 1
	return flush()
}

func (old *Remains) lose(n uint64) {
	r := old.report
	if k := len(r.Lost); k > 0 && r.Lost[k-1].To == n-1 {
		r.Lost[k-1].To = n
		return
	}
	r.Lost = append(r.Lost, Range{n, n})
}

// carryOver copies every readable record of every keyspace.
func carryOver(fresh *File, old *Remains, _ *SalvageReport) error {
	type kv struct{ key, value []byte }
	for _, b := range fresh.opts.Buckets {
		var step []kv
		size := 0
		flush := func() error {
			puts := step
			step, size = nil, 0
			return fresh.Update(context.Background(), func(tx *Tx) error {
				for _, p := range puts {
					if err := tx.Put(b, p.key, p.value); err != nil {
						return err
					}
				}
				return nil
			})
		}
		err := old.Each(b, func(key, value []byte) error {
			step = append(step, kv{key, value})
			if size += len(value); len(step) < refillStep && size < MaxValue {
				return nil
			}
			return flush()
		})
		if err == nil {
			err = flush()
		}
		if err != nil {
			return err
		}
	}
	return nil
}
