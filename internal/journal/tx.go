package journal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash"

	bolt "go.etcd.io/bbolt"

	"github.com/tallystick/tallystick/internal/record"
)

// Tx reads, and inside Update writes, one state of the journal.
type Tx struct {
	f     *File
	tx    *bolt.Tx
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
	return fmt.Sprintf("record %c/%x: %v", e.Bucket, e.Key, e.Err)
}

func (e *DamageError) Unwrap() error { return e.Err }

func place(b Bucket, key []byte) []byte {
	return append([]byte{byte(b)}, key...)
}

func (t *Tx) bucket(b Bucket) *bolt.Bucket { return t.tx.Bucket([]byte{byte(b)}) }

// Get returns the record at key, nil when there is none. The error is a
// *DamageError or wraps seal.ErrKey.
func (t *Tx) Get(b Bucket, key []byte) ([]byte, error) {
	v := t.bucket(b).Get(key)
	if v == nil {
		return nil, nil
	}
	return t.open(b, key, v)
}

func (t *Tx) open(b Bucket, key, v []byte) ([]byte, error) {
	plain, err := t.f.box.Open(v, place(b, key))
	if err != nil {
		return nil, &DamageError{b, bytes.Clone(key), err}
	}
	return plain, nil
}

// Put stores value at key.
func (t *Tx) Put(b Bucket, key, value []byte) error {
	sealed, err := t.f.box.Seal(nil, value, place(b, key))
	if err != nil {
		return err
	}
	t.wrote = true
	bk := t.bucket(b)
	bk.FillPercent = 1.0
	return bk.Put(key, sealed)
}

// Delete removes the record at key, if there is one.
func (t *Tx) Delete(b Bucket, key []byte) error {
	t.wrote = true
	return t.bucket(b).Delete(key)
}

// Scan calls fn for the records whose keys are from ≤ key and begin with
// prefix, in key order, until fn returns false or an error. fn must not write
// to b; key is valid during the call only.
func (t *Tx) Scan(b Bucket, prefix, from []byte, fn func(key, value []byte) (bool, error)) error {
	c := t.bucket(b).Cursor()
	if bytes.Compare(from, prefix) < 0 {
		from = prefix
	}
	for k, v := c.Seek(from); k != nil && bytes.HasPrefix(k, prefix); k, v = c.Next() {
		plain, err := t.open(b, k, v)
		if err != nil {
			return err
		}
		more, err := fn(k, plain)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// tail is the end of the event log, rewritten by each commit.
type tail struct {
	last  uint64
	head  [chainSize]byte
	clean bool
}

const chainSize = 16

func (t *Tx) tail() (tail, error) {
	plain, err := t.Get(headers, []byte("tail"))
	if err != nil {
		return tail{}, err
	}
	r := record.NewReader(plain)
	var v tail
	v.last = r.Uint()
	copy(v.head[:], r.Bytes())
	v.clean = r.Bool()
	if r.Done() != nil {
		return tail{}, &DamageError{headers, []byte("tail"), ErrDamaged}
	}
	return v, nil
}

func (t *Tx) putTail(v tail) error {
	var w record.Writer
	w.Uint(v.last)
	w.Bytes(v.head[:])
	w.Bool(v.clean)
	return t.Put(headers, []byte("tail"), w.B)
}

// LastEvent is the number of the newest event, 0 when there is none.
func (t *Tx) LastEvent() (uint64, error) {
	v, err := t.tail()
	return v.last, err
}

// Log appends an event and returns its number, dense and from 1. The event is
// stored behind its chain hash: chain(n) = H(chain(n-1) | n | body)[:16].
func (t *Tx) Log(body []byte) (uint64, error) {
	v, err := t.tail()
	if err != nil {
		return 0, err
	}
	v.last++
	v.head = t.f.link.next(v.head, v.last, body)
	if err := t.Put(events, eventKey(v.last), append(v.head[:len(v.head):len(v.head)], body...)); err != nil {
		return 0, err
	}
	v.clean = false
	return v.last, t.putTail(v)
}

// Event returns the body of event n. A missing one is damage: the log is dense.
func (t *Tx) Event(n uint64) ([]byte, error) {
	_, body, err := t.event(n)
	return body, err
}

func (t *Tx) event(n uint64) (chain, body []byte, err error) {
	v, err := t.Get(events, eventKey(n))
	if err != nil {
		return nil, nil, err
	}
	if len(v) < chainSize {
		return nil, nil, &DamageError{events, eventKey(n), ErrDamaged}
	}
	return v[:chainSize], v[chainSize:], nil
}

func eventKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// linker chains events.
type linker struct{ newHash func() hash.Hash }

func (l linker) next(prev [chainSize]byte, n uint64, body []byte) (head [chainSize]byte) {
	h := l.newHash()
	h.Write(prev[:])
	h.Write(eventKey(n))
	h.Write(body)
	copy(head[:], h.Sum(nil))
	return head
}
