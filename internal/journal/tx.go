package journal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tidwall/btree"
	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/internal/seal"
)

// Tx reads, and inside Update writes, one state of the journal.
type Tx struct {
	f     *File
	tx    *bolt.Tx
	over  *recent // what is newer than the file's keyspaces; of a group, its own
	g     *group  // nil in View
	wrote bool
}

// DamageError says which record failed its digest.
type DamageError struct {
	Bucket Bucket
	Key    []byte
	Err    error
}

func (e *DamageError) Error() string {
	if e.Bucket == events && len(e.Key) == 8 {
		return fmt.Sprintf("event %d: %v", binary.BigEndian.Uint64(e.Key), e.Err)
	}
	if len(e.Key) == 8 { // a sequence number
		return fmt.Sprintf("record %c/%d: %v", e.Bucket, binary.BigEndian.Uint64(e.Key), e.Err)
	}
	return fmt.Sprintf("record %c/%x: %v", e.Bucket, e.Key, e.Err)
}

func (e *DamageError) Unwrap() error { return e.Err }

func place(b Bucket, key []byte) []byte {
	return append([]byte{byte(b)}, key...)
}

// at is place as a string.
func at(b Bucket, key []byte) string {
	var room [64]byte
	return string(append(append(room[:0], byte(b)), key...))
}

// Kept is a place for what the functions of one commit have in common: nil at
// its beginning, and again after one of them failed behind a write. The pointer
// itself is nil in View.
func (t *Tx) Kept() *any {
	if t.g == nil {
		return nil
	}
	return &t.g.kept
}

func (t *Tx) bucket(b Bucket) *bolt.Bucket { return t.tx.Bucket([]byte{byte(b)}) }

// Get returns the record at key, nil when there is none; it must not be
// changed. The error is a *DamageError or wraps seal.ErrKey.
func (t *Tx) Get(b Bucket, key []byte) ([]byte, error) {
	if it, ok := t.recent(b, key); ok {
		if it.late != nil {
			if err := t.g.encode(b, it); err != nil {
				return nil, err
			}
		}
		return it.value, nil
	}
	v := t.bucket(b).Get(key)
	if v == nil {
		return nil, nil
	}
	return t.open(b, key, v)
}

// Has tells whether there is a record at key.
func (t *Tx) Has(b Bucket, key []byte) bool {
	if it, ok := t.recent(b, key); ok {
		return !it.gone
	}
	return t.bucket(b).Get(key) != nil
}

func (t *Tx) recent(b Bucket, key []byte) (*item, bool) {
	over := t.over
	if t.g != nil {
		over = t.g.over
	}
	if over.tree.Len() == 0 {
		return nil, false
	}
	var room [64]byte
	return over.tree.Get(string(append(append(room[:0], byte(b)), key...)))
}

// Raw returns a record as it stands in its keyspace, nil when there is none.
func (t *Tx) Raw(b Bucket, key []byte) []byte { return bytes.Clone(t.bucket(b).Get(key)) }

func (t *Tx) open(b Bucket, key, v []byte) ([]byte, error) {
	plain, err := t.f.box.Open(v, place(b, key))
	if err != nil {
		return nil, &DamageError{b, bytes.Clone(key), err}
	}
	return plain, nil
}

// MaxValue bounds a record in bytes.
const MaxValue = 1 << 20

// Put stores value, of up to MaxValue bytes, at key, of 1 to 1024. value must not be changed
// afterwards.
func (t *Tx) Put(b Bucket, key, value []byte) error {
	if err := checkLength(b, len(value)); err != nil {
		return err
	}
	return t.change(b, key, &item{value: value})
}

func checkLength(b Bucket, n int) error {
	if n > MaxValue {
		return fmt.Errorf("a record of %c has %d bytes, allowed are up to %d", b, n, MaxValue)
	}
	return nil
}

// Encoder is a record that is not encoded yet.
type Encoder interface{ Encode() []byte }

// PutLate is Put of what value.Encode returns, which is called once: when the
// commit's functions have run, unless one of them reads the record before.
// What is put in its place first is never encoded. value must not be changed
// afterwards.
func (t *Tx) PutLate(b Bucket, key []byte, value Encoder) error {
	if it, ok := t.recent(b, key); ok && it.group == t.g.number && it.late != nil {
		t.wrote, it.late = true, value
		return nil
	}
	return t.change(b, key, &item{late: value})
}

// Edit returns the record at key, size zeros where there is none, in memory
// whose changes are part of the commit until the function ends.
func (t *Tx) Edit(b Bucket, key []byte, size int) ([]byte, error) {
	if it, ok := t.recent(b, key); ok && it.group == t.g.number && !it.gone && it.late == nil {
		t.wrote = true
		return it.value, nil
	}
	old, err := t.Get(b, key)
	if err != nil {
		return nil, err
	}
	value := make([]byte, size)
	if old != nil {
		value = bytes.Clone(old)
	}
	return value, t.Put(b, key, value)
}

// Delete removes the record at key, if there is one.
func (t *Tx) Delete(b Bucket, key []byte) error {
	return t.change(b, key, &item{gone: true})
}

func (t *Tx) change(b Bucket, key []byte, it *item) error {
	if len(key) == 0 || len(key) > maxKey {
		return fmt.Errorf("a key of %c has %d bytes, allowed are 1 to %d", b, len(key), maxKey)
	}
	t.wrote = true
	t.f.touch(b, key)
	t.g.set(at(b, key), it)
	return nil
}

// Scan calls fn for the records whose keys are from ≤ key and begin with
// prefix, in key order, until fn returns false or an error. fn must not write
// to b; key is valid during the call only, value must not be changed.
func (t *Tx) Scan(b Bucket, prefix, from []byte, fn func(key, value []byte) (bool, error)) error {
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	if t.g != nil {
		if err := t.g.encodeAll(); err != nil {
			return err
		}
	}
	m := t.merge(b, from)
	for k, v, old := m.next(); k != nil && bytes.HasPrefix(k, prefix); k, v, old = m.next() {
		if old {
			var err error
			if v, err = t.open(b, k, v); err != nil {
				return err
			}
		}
		more, err := fn(k, v)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// merged is one keyspace in order, as it is now: its records in the file and
// what is recent of them.
type merged struct {
	b     Bucket
	file  *bolt.Cursor
	k, v  []byte // the file's next record
	newer btree.MapIter[string, *item]
	more  bool // newer stands on a record of b
}

func (t *Tx) merge(b Bucket, from []byte) *merged {
	over := t.over
	if t.g != nil {
		over = t.g.over.copy() // fn may write meanwhile
	}
	m := &merged{b: b, file: t.bucket(b).Cursor(), newer: over.tree.Iter()}
	m.k, m.v = m.file.Seek(from)
	m.more = m.newer.Seek(at(b, from))
	return m
}

// next returns the next record; old says that it is as sealed in the file.
func (m *merged) next() (key, value []byte, old bool) {
	for {
		recent := ""
		if m.more && m.newer.Key()[0] == byte(m.b) {
			recent = m.newer.Key()[1:]
		} else {
			m.more = false
		}
		switch {
		case m.k != nil && (!m.more || string(m.k) < recent):
			key, value = m.k, m.v
			m.k, m.v = m.file.Next()
			return key, value, true
		case !m.more:
			return nil, nil, false
		}
		if m.k != nil && string(m.k) == recent {
			m.k, m.v = m.file.Next()
		}
		it := m.newer.Value()
		m.more = m.newer.Next()
		if !it.gone {
			return []byte(recent), it.value, false
		}
	}
}

// tail is the end of the event log and the sum of all records, written once by
// each commit.
type tail struct {
	last uint64
	head [chainSize]byte
	sum  checksum
}

// checksum adds up the digests or seals of all records but header and tail: it
// tells when one is missing, too many, or of an older commit.
type checksum [2]uint64

func (s *checksum) replace(old, sealed []byte) {
	for i := range s {
		s[i] += mark(sealed, i) - mark(old, i)
	}
}

// mark is half of the 16 bytes that no two versions of a record share.
func mark(sealed []byte, half int) uint64 {
	if m := seal.Mark(sealed); m != nil {
		return binary.BigEndian.Uint64(m[8*half:])
	}
	return 0
}

const chainSize = 16

func (t *Tx) tail() (tail, error) {
	if t.g != nil {
		return t.g.tail, nil
	}
	key := []byte("tail")
	plain, err := t.open(headers, key, t.bucket(headers).Get(key))
	if err != nil {
		return tail{}, err
	}
	return decodeTail(plain)
}

func decodeTail(plain []byte) (v tail, err error) {
	r := record.NewReader(plain)
	v.last = r.Uint()
	n := copy(v.head[:], r.Bytes())
	v.sum = checksum{r.Uint(), r.Uint()}
	if r.Done() != nil || n != chainSize {
		return tail{}, &DamageError{headers, []byte("tail"), ErrDamaged}
	}
	return v, nil
}

func (t *Tx) putTail(v tail) error {
	var w record.Writer
	w.Uint(v.last)
	w.Bytes(v.head[:])
	w.Uint(v.sum[0])
	w.Uint(v.sum[1])
	key := []byte("tail")
	sealed, err := t.f.box.Seal(nil, w.B, place(headers, key))
	if err != nil {
		return err
	}
	return t.bucket(headers).Put(key, sealed)
}

// LastEvent is the number of the newest event, 0 when there is none.
func (t *Tx) LastEvent() (uint64, error) {
	v, err := t.tail()
	return v.last, err
}

// FirstEvent is the number of the first event that the file has: 1, or a later
// one where Compact has condensed the log.
func (t *Tx) FirstEvent() uint64 { return t.f.head.base.last + 1 }

// Log appends an event of 1 to MaxValue-16 bytes and returns its number, dense
// and from 1. The event is stored behind its chain hash:
// chain(n) = H(chain(n-1) | n | body)[:16]. It belongs inside Update.
func (t *Tx) Log(body []byte) (uint64, error) {
	if len(body) == 0 {
		return 0, errors.New("an event needs a body: an empty one stands for a lost event")
	}
	return t.log(body)
}

func (t *Tx) log(body []byte) (uint64, error) {
	v := t.g.tail
	v.last++
	v.head = t.g.next(t.f.link, v.head, v.last, body)
	stored := append(append(make([]byte, 0, chainSize+len(body)), v.head[:]...), body...)
	if err := t.Put(events, eventKey(v.last), stored); err != nil {
		return 0, err
	}
	t.g.tail = v
	return v.last, nil
}

// Event returns the body of event n, or ErrLost where Salvage could not read
// it. A missing one is damage: the log is dense.
func (t *Tx) Event(n uint64) ([]byte, error) {
	v, err := t.Get(events, eventKey(n))
	if err != nil {
		return nil, err
	}
	if len(v) < chainSize {
		return nil, &DamageError{events, eventKey(n), ErrDamaged}
	}
	if len(v) == chainSize {
		return nil, fmt.Errorf("event %d: %w", n, ErrLost)
	}
	return v[chainSize:], nil
}

func eventKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
