package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/tallystick/tallystick/internal/boltfile"
)

// Remains is what is readable of a damaged journal. Every record that it gives
// has passed its digest at its place.
type Remains struct {
	f       *File
	x       *examination
	report  *SalvageReport
	reached func(page uint64) bool

	over     *recent // of the group records that are readable
	badGroup bool    // there are others
	tail     tail
	hasTail  bool
	sum      checksum // of what the tree reaches
	last     uint64   // the newest event that is known of
	most     uint64   // the file has no room for events behind this one
	found    map[uint64][]foundEvent
}

// leastEvent is less than what an event takes in the file. What tells of more
// events was forged: each one that is missing would be written as lost.
const leastEvent = 16

// foundEvent is an event with its place in the chain.
type foundEvent struct {
	n     uint64
	chain [chainSize]byte
	body  []byte
}

// openRemains surveys the damaged file of f, and sets f's header.
func openRemains(ctx context.Context, f *File) (*Remains, error) {
	x, err := f.openExamination(boltfile.Open)
	if errors.Is(err, ErrDamaged) {
		x, err = f.openExamination(func(r io.ReaderAt, size int64) (*boltfile.File, error) {
			return boltfile.Remains(r, size), nil
		})
	}
	if err != nil {
		return nil, err
	}
	old := &Remains{f: f, x: x, report: &SalvageReport{}, over: newRecent(), found: map[uint64][]foundEvent{}}
	if err := old.survey(ctx); err != nil {
		x.close()
		return nil, err
	}
	return old, nil
}

// survey finds the header, then what the tree still reaches, then what of the
// missing events lies elsewhere in the file.
func (old *Remains) survey(ctx context.Context) error {
	if err := old.findHeader(ctx); err != nil {
		return err
	}
	var missing []Range
	n := old.f.head.base.last
	old.most = n + uint64(old.x.info.Size())/leastEvent
	old.sum = checksum{}
	event := func(key, plain []byte) error {
		if len(key) != 8 || len(plain) < chainSize {
			return nil
		}
		k := binary.BigEndian.Uint64(key)
		if k <= n || k > old.most {
			return nil
		}
		if k > n+1 {
			missing = append(missing, Range{n + 1, k - 1})
		}
		n = k
		return nil
	}
	reached, err := old.walk(ctx, old.report.damage, func(b Bucket, key, plain []byte) error {
		switch {
		case b == events:
			return event(key, plain)
		case b == groups:
			return old.group(key, plain, event)
		case b == headers && string(key) == "tail":
			t, err := decodeTail(plain)
			old.tail, old.hasTail = t, err == nil && t.last <= old.most
		}
		return nil
	})
	if err != nil {
		return err
	}
	old.reached, old.last = reached, n
	old.report.EndUnknown = !old.hasTail
	old.report.Whole = old.hasTail && old.sum == old.tail.sum
	old.report.Stale = !old.report.Whole &&
		(old.over.groups > 0 || old.badGroup || !old.x.endedCleanly() || !old.hasTail || n < old.tail.last)
	if old.hasTail {
		old.last = max(n, old.tail.last)
	}
	if len(missing) == 0 && old.hasTail && n == old.tail.last {
		return nil
	}
	return old.findEvents(ctx, missing, n)
}

// group keeps what a commit changed and calls fn with each event in it.
func (old *Remains) group(key, plain []byte, fn func(key, value []byte) error) error {
	known := old.f.known()
	if err := eachChange(plain, known, func(change) error { return nil }); err != nil {
		old.badGroup = true
		old.report.damage(&DamageError{groups, key, err})
		return nil
	}
	if err := old.over.take(plain, known); err != nil {
		return err
	}
	return eachEvent(plain, known, fn)
}

// eachEvent calls fn with each event in a group record.
func eachEvent(plain []byte, known []Bucket, fn func(key, value []byte) error) error {
	return eachChange(plain, known, func(ch change) error {
		if ch.bucket != events {
			return nil
		}
		return fn(ch.key, ch.value)
	})
}

// findHeader takes the header from its place or, where that is damaged, from a
// page of an older commit: it never changes.
func (old *Remains) findHeader(ctx context.Context) error {
	var h header
	sealed, err := old.x.file.Get([]byte{byte(headers)}, []byte("header"))
	if err == nil {
		h, err = openHeader(sealed)
	}
	if errors.Is(err, ErrFormat) {
		return err
	}
	if err != nil {
		done := errors.New("found")
		e := old.x.file.Orphans(ctx, func(uint64) bool { return false }, func(key, value []byte) error {
			if !isHeader(headers, key) && !isHeader(events, key) {
				return nil
			}
			if h, err = openHeader(value); err == nil {
				return done
			}
			return nil
		})
		if e != nil && !errors.Is(e, done) {
			return e
		}
		if err != nil {
			return fmt.Errorf("no readable header is left: %w", translate(err))
		}
	}
	return old.f.setHeader(h)
}

// findEvents keeps every event among the missing ones, or behind the last one
// that the tree reaches, that lies on a page which it does not reach.
func (old *Remains) findEvents(ctx context.Context, missing []Range, last uint64) error {
	wanted := func(n uint64) bool {
		if n > last {
			return n <= old.most && (!old.hasTail || n <= old.tail.last)
		}
		for _, r := range missing {
			if r.From <= n && n <= r.To {
				return true
			}
		}
		return false
	}
	keep := func(key, plain []byte) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(key) != 8 || len(plain) < chainSize || !wanted(binary.BigEndian.Uint64(key)) {
			return nil
		}
		e := newFoundEvent(key, plain)
		for _, other := range old.found[e.n] {
			if other.chain == e.chain {
				return nil
			}
		}
		old.found[e.n] = append(old.found[e.n], e)
		return nil
	}
	if err := old.Orphans(events, keep); err != nil {
		return err
	}
	return old.Orphans(groups, func(_, plain []byte) error {
		err := eachEvent(plain, old.f.known(), keep)
		if errors.Is(err, ErrDamaged) {
			err = nil
		}
		return err
	})
}

func newFoundEvent(key, plain []byte) foundEvent {
	e := foundEvent{n: binary.BigEndian.Uint64(key), body: plain[chainSize:]}
	copy(e.chain[:], plain)
	return e
}

// eachEvent calls fn with the readable events in their order: those in the
// tree, and between and behind them those found elsewhere that the chain
// links to their neighbours.
func (old *Remains) eachEvent(ctx context.Context, fn func(foundEvent) error) error {
	base := old.f.head.base
	before := foundEvent{n: base.last, chain: base.head} // the newest event given
	give := func(e foundEvent) error {
		before = e
		return fn(e)
	}
	fill := func(until uint64, next *foundEvent) error {
		for n := before.n + 1; n < until; n++ {
			for _, e := range old.found[n] {
				if !old.links(before, e, next) {
					continue
				}
				if err := give(e); err != nil {
					return err
				}
				break
			}
		}
		return nil
	}
	event := func(key, plain []byte) error {
		if len(key) != 8 || len(plain) < chainSize {
			return nil
		}
		e := newFoundEvent(key, plain)
		if e.n <= before.n || e.n > old.most {
			return nil
		}
		if err := fill(e.n, &e); err != nil {
			return err
		}
		return give(e)
	}
	_, err := old.walk(ctx, func(error) {}, func(b Bucket, key, plain []byte) error {
		if b == events {
			return event(key, plain)
		}
		return nil
	})
	if err == nil {
		err = old.eachRecent(events, event)
	}
	if err != nil {
		return err
	}
	end := old.last
	if !old.hasTail {
		for n := range old.found {
			end = max(end, n)
		}
		old.last = end
	}
	return fill(end+1, nil)
}

// links tells whether nothing known speaks against e: its chain hash follows
// from the event before it, the one behind it follows from it, the log ends
// with it. next is the nearest one behind it in the tree.
func (old *Remains) links(before, e foundEvent, next *foundEvent) bool {
	follows := func(a, b foundEvent) bool {
		return a.n+1 != b.n || old.f.link.next(a.chain, b.n, b.body) == b.chain
	}
	if !follows(before, e) || (next != nil && !follows(e, *next)) {
		return false
	}
	if old.hasTail && e.n == old.tail.last {
		return e.chain == old.tail.head
	}
	// Without a neighbour to hold it to, only a single version can be taken.
	return before.n+1 == e.n || (next != nil && e.n+1 == next.n) || len(old.found[e.n]) == 1
}

// walk visits every readable record in the tree and tells what is damaged.
func (old *Remains) walk(ctx context.Context, lost func(error), fn func(b Bucket, key, plain []byte) error) (func(uint64) bool, error) {
	return old.x.file.WalkRest(ctx, func(bucket, key, sealed []byte) error {
		if len(bucket) != 1 || isHeader(Bucket(bucket[0]), key) {
			return nil
		}
		b := Bucket(bucket[0])
		plain, err := old.f.box.Open(sealed, place(b, key))
		if errors.Is(err, ErrDamaged) {
			old.badGroup = old.badGroup || b == groups
			lost(&DamageError{b, key, err})
			return nil
		}
		if err != nil {
			return err
		}
		if b != headers {
			old.sum.replace(nil, sealed)
		}
		return fn(b, bytes.Clone(key), plain)
	}, lost)
}

// Each calls fn with every readable record of b, the newest that is readable,
// in no order. fn may keep what it is given.
func (old *Remains) Each(b Bucket, fn func(key, value []byte) error) error {
	_, err := old.walk(context.Background(), func(error) {}, func(in Bucket, key, plain []byte) error {
		if in != b {
			return nil
		}
		if _, newer := old.over.tree.Get(at(b, key)); newer {
			return nil
		}
		return fn(key, plain)
	})
	if err != nil {
		return err
	}
	return old.eachRecent(b, fn)
}

// eachRecent calls fn with the recent records of b, in order.
func (old *Remains) eachRecent(b Bucket, fn func(key, value []byte) error) (err error) {
	old.over.tree.Ascend(string(rune(b)), func(k string, it *item) bool {
		if k[0] != byte(b) {
			return false
		}
		if !it.gone {
			err = fn([]byte(k[1:]), it.value)
		}
		return err == nil
	})
	return err
}

// Orphans calls fn with every readable record of b on pages that the newest
// commit does not reach: records whose way there is damaged, and older
// versions and deleted records besides, in no order. It is for records that
// never change.
func (old *Remains) Orphans(b Bucket, fn func(key, value []byte) error) error {
	return old.x.file.Orphans(context.Background(), old.reached, func(key, sealed []byte) error {
		plain, err := old.f.box.Open(sealed, place(b, key))
		if err != nil {
			return nil
		}
		return fn(bytes.Clone(key), plain)
	})
}
