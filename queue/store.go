package queue

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tallystick/tallystick/internal/clock"
	"github.com/tallystick/tallystick/internal/journal"
	"github.com/tallystick/tallystick/internal/record"
)

// The keyspaces beside the event log. All of them follow from the log by
// step; they are what makes reading it cheap.
const (
	inEntries journal.Bucket = 'n' // id → entry
	inCards   journal.Bucket = 'c' // id → card data, until it is forgotten
	inRefs    journal.Bucket = 'r' // digest of ref → id
	inSTANs   journal.Bucket = 's' // of a lane: the STANs of entries whose batch has not settled
	inMembers journal.Bucket = 'm' // of lane and batch: the ids of its entries
	inWork    journal.Bucket = 'w' // of lane, class, batch, demotion: the ids of what waits
	inLanes   journal.Bucket = 'l' // number → lane
	inNames   journal.Bucket = 'L' // digest of lane → number
	inBatches journal.Bucket = 'b' // lane, batch → batch
	inCounts  journal.Bucket = 'i' // "entries", "lanes" → how many; "clock" → clock
)

var buckets = []journal.Bucket{inEntries, inCards, inRefs, inSTANs, inMembers, inWork, inLanes, inNames, inBatches, inCounts}

// fileView is the view that step has on the journal's file. What it puts is
// held in memory until flush writes it, with the events that led to it.
type fileView struct {
	tx       *journal.Tx
	opts     *Options
	reading  clock.Reading
	stamped  bool
	own      near         // what this view has read or put
	shared   *near        // what the functions before it in the commit left
	entries  map[ID]*held // read or put
	put      []*held
	cards    []newCard
	log      [][]byte
	ids      uint64 // entries in the journal, once asked for
	newLanes uint64
	changed  bool
	changes  *[]change // where flush leaves what it changed, for those who watch
	warnings []*LimitError
}

// held is an entry as the file has it and as it is to be.
type held struct {
	old *Entry // was, or nil
	was Entry
	cur Entry
	put bool
}

func newFileView(tx *journal.Tx, opts *Options) *fileView {
	kept := tx.Kept()
	if kept == nil {
		return &fileView{tx: tx, opts: opts, reading: clock.Now(), shared: &near{}}
	}
	if *kept == nil {
		*kept = &near{reading: clock.Now()}
	}
	shared := (*kept).(*near)
	return &fileView{tx: tx, opts: opts, reading: shared.reading, shared: shared}
}

// update runs fn in a group commit; fn changes the view by apply.
func (q *Queue) update(ctx context.Context, fn func(*fileView) error) error {
	var done watched
	err := q.file.Update(ctx, func(tx *journal.Tx) error {
		v := newFileView(tx, &q.opts)
		done = watched{}
		v.changes = &done.changes
		if err := fn(v); err != nil {
			return err
		}
		done.warnings = v.warnings
		return v.flush()
	})
	if err == nil {
		q.changed.broadcast()
		q.watchers.publish(done)
	}
	return err
}

// read runs fn on a synced state.
func (q *Queue) read(fn func(*fileView) error) error {
	return q.file.View(func(tx *journal.Tx) error { return fn(newFileView(tx, &q.opts)) })
}

// apply steps ev and keeps it for the log.
func (v *fileView) apply(ev event) error {
	ev.at = v.reading.Wall
	if err := v.stamp(); err != nil {
		return err
	}
	if err := step(v, ev); err != nil {
		return err
	}
	v.log = append(v.log, ev.encode())
	return nil
}

func be32(b []byte, n uint32) []byte { return binary.BigEndian.AppendUint32(b, n) }
func be64(b []byte, n uint64) []byte { return binary.BigEndian.AppendUint64(b, n) }

func idKey(id ID) []byte { return be64(nil, uint64(id)) }

func refKey(ref string) []byte {
	d := sha256.Sum256([]byte(ref))
	return d[:16]
}

func nameKey(l Lane) []byte {
	var w record.Writer
	encodeLaneName(&w, l)
	d := sha256.Sum256(w.B)
	return d[:16]
}

func batchKey(lane, n uint32) []byte { return be32(be32(nil, lane), n) }

func (v *fileView) entry(id ID) (Entry, error) {
	if h, ok := v.entries[id]; ok {
		return h.cur, nil
	}
	b, err := v.tx.Get(inEntries, idKey(id))
	if err != nil {
		return Entry{}, err
	}
	if b == nil {
		return Entry{}, fmt.Errorf("entry %d: %w", id, ErrNotFound)
	}
	e, err := parseEntry(b)
	if err != nil {
		return Entry{}, err
	}
	h := &held{was: e, cur: e}
	h.old = &h.was
	v.hold(id, h)
	return e, nil
}

func parseEntry(b []byte) (Entry, error) {
	r := record.NewReader(b)
	e := decodeEntry(r)
	if err := r.Done(); err != nil {
		return Entry{}, fmt.Errorf("%w: entry: %w", ErrDamaged, err)
	}
	return e, nil
}

func (v *fileView) putEntry(old *Entry, e Entry) error {
	h, ok := v.entries[e.ID]
	if !ok {
		h = &held{old: old}
		v.hold(e.ID, h)
	}
	if !h.put {
		v.put = append(v.put, h)
	}
	h.cur, h.put = e, true
	v.changed = true
	return nil
}

func (v *fileView) hold(id ID, h *held) {
	if v.entries == nil {
		v.entries = map[ID]*held{}
	}
	v.entries[id] = h
}

func (v *fileView) laneAt(number uint32) (laneRecord, error) {
	l := v.own.lane(number)
	if l == nil {
		l = v.shared.lane(number)
	}
	if l != nil {
		return l.laneRecord, nil
	}
	b, err := v.tx.Get(inLanes, be32(nil, number))
	if err != nil {
		return laneRecord{}, err
	}
	if b == nil {
		return laneRecord{}, fmt.Errorf("lane %d: %w", number, ErrNotFound)
	}
	rec, err := decodeLane(b)
	if err == nil {
		v.own.setLane(nearLane{laneRecord: rec})
	}
	return rec, err
}

func (v *fileView) laneOf(name Lane) (laneRecord, error) {
	l := v.own.laneNamed(name)
	if l == nil {
		l = v.shared.laneNamed(name)
	}
	if l != nil {
		return l.laneRecord, nil
	}
	b, err := v.tx.Get(inNames, nameKey(name))
	if err != nil {
		return laneRecord{}, err
	}
	if len(b) != 4 {
		return laneRecord{}, fmt.Errorf("lane %s: %w", name, ErrNotFound)
	}
	rec, err := v.laneAt(binary.BigEndian.Uint32(b))
	if err == nil {
		v.own.setLane(nearLane{laneRecord: rec, named: true})
	}
	return rec, err
}

func (v *fileView) putLane(l laneRecord) error {
	known := v.shared.lane(l.number)
	v.own.setLane(nearLane{laneRecord: l, put: true, named: known != nil && known.named})
	v.changed = true
	return nil
}

func (v *fileView) batch(lane, n uint32) (batchRecord, error) {
	b := v.own.batch(lane, n)
	if b == nil {
		b = v.shared.batch(lane, n)
	}
	if b != nil {
		return b.batchRecord, nil
	}
	plain, err := v.tx.Get(inBatches, batchKey(lane, n))
	if err != nil {
		return batchRecord{}, err
	}
	if plain == nil {
		return batchRecord{}, fmt.Errorf("batch %d of lane %d: %w", n, lane, ErrNotFound)
	}
	rec, err := decodeBatch(plain)
	if err == nil {
		v.own.setBatch(nearBatch{batchRecord: rec})
	}
	return rec, err
}

func (v *fileView) putBatch(b batchRecord) error {
	v.own.setBatch(nearBatch{b, true})
	v.changed = true
	return nil
}

func (v *fileView) clock() (clockRecord, error) {
	if v.own.time != nil {
		return *v.own.time, nil
	}
	if v.shared.time != nil {
		return *v.shared.time, nil
	}
	b, err := v.tx.Get(inCounts, []byte("clock"))
	if err != nil || b == nil {
		return clockRecord{}, err
	}
	c, err := decodeClock(b)
	if err == nil {
		v.shared.time = &c
	}
	return c, err
}

func (v *fileView) putClock(c clockRecord) error {
	v.own.time, v.changed = &c, true
	return nil
}

// openLane returns the lane, made by an event when it is new.
func (v *fileView) openLane(name Lane) (laneRecord, error) {
	l, err := v.laneOf(name)
	if !errors.Is(err, ErrNotFound) {
		return l, err
	}
	n, err := v.count("lanes")
	if err != nil {
		return laneRecord{}, err
	}
	n += v.newLanes
	v.newLanes++
	if err := v.apply(event{kind: evLane, lane: uint32(n + 1), laneName: name}); err != nil {
		return laneRecord{}, err
	}
	return v.laneOf(name)
}

func (v *fileView) count(what string) (uint64, error) {
	b, err := v.tx.Get(inCounts, []byte(what))
	if err != nil || b == nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, badCount(what)
	}
	return binary.BigEndian.Uint64(b), nil
}

func badCount(what string) error { return fmt.Errorf("%w: count of %s", ErrDamaged, what) }

// nextID returns the sequence number of the next entry, dense and from 1 (I4).
func (v *fileView) nextID() (ID, error) {
	if v.ids == 0 {
		n, err := v.count("entries")
		if err != nil {
			return 0, err
		}
		v.ids = n
	}
	v.ids++
	return ID(v.ids), nil
}

// nextSTAN returns the number after the lane's last one, 1 after 999999, and
// skips those that an entry not settled yet holds.
func (v *fileView) nextSTAN(l laneRecord) (STAN, error) {
	s := l.lastSTAN
	for range maxSTAN {
		if s++; s > maxSTAN {
			s = 1
		}
		used, err := v.has(inSTANs, be32(nil, l.number), uint64(s))
		if err != nil {
			return 0, err
		}
		if !used {
			return s, nil
		}
	}
	return 0, fmt.Errorf("lane %s: %w", l.name, ErrNumbers)
}

const maxSTAN STAN = 999999

func (v *fileView) byRef(ref string) (Entry, bool, error) {
	b, err := v.tx.Get(inRefs, refKey(ref))
	if err != nil || b == nil {
		return Entry{}, false, err
	}
	if len(b) != 8 {
		return Entry{}, false, fmt.Errorf("%w: a ref's entry", ErrDamaged)
	}
	e, err := v.entry(ID(binary.BigEndian.Uint64(b)))
	e.Ref = ref // a pruned entry has lost it
	return e, err == nil, err
}

// full adds to e what is kept beside it: its card and the entry it is about.
func (v *fileView) full(e Entry) (Entry, error) {
	owner := e.ID
	if e.Kind == Reversal {
		owner = e.Original
	}
	card, err := v.card(owner)
	if err != nil {
		return Entry{}, err
	}
	e.Card = card
	of := e.Original
	if e.Kind == Reversal {
		orig, err := v.entry(e.Original)
		if ignoreNotFound(err) != nil {
			return Entry{}, err
		}
		of = orig.Original
	}
	if of == 0 {
		return e, nil // an imported one brought its Of along
	}
	orig, err := v.entry(of)
	if err != nil {
		e.Of.ID = of // lost to damage
		return e, ignoreNotFound(err)
	}
	e.Of = Original{ID: orig.ID, STAN: orig.STAN, HostBatch: orig.HostBatch, RRN: orig.Answer.RRN,
		AuthCode: orig.Answer.AuthCode, Time: orig.Time}
	if e.Of.AuthCode == "" {
		e.Of.AuthCode = orig.Approval
	}
	return e, nil
}

func (v *fileView) card(id ID) (Card, error) {
	if c, ok := v.newCard(id); ok {
		return c, nil
	}
	b, err := v.tx.Get(inCards, idKey(id))
	if err != nil || b == nil {
		return Card{}, err
	}
	return decodeCard(b)
}

// newCard is the card of an entry that this view journals.
type newCard struct {
	id   ID
	card Card
}

// keepCard has the card of a new entry written with it.
func (v *fileView) keepCard(id ID, c Card) { v.cards = append(v.cards, newCard{id, c}) }

func (v *fileView) newCard(id ID) (Card, bool) {
	for _, n := range v.cards {
		if n.id == id {
			return n.card, true
		}
	}
	return Card{}, false
}
