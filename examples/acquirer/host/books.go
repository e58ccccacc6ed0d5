package host

import (
	"bytes"
	"encoding/json"
	"fmt"

	"go.etcd.io/bbolt"
)

// books is the ledger within one transaction.
type books struct{ tx *bbolt.Tx }

// terminalRecord adds what never leaves the ledger: the working keys.
type terminalRecord struct {
	Terminal
	PIK, MAK []byte
}

// bookingRecord adds the HMAC of the content that was booked.
type bookingRecord struct {
	Booking
	Content []byte
}

func load[T any](tx *bbolt.Tx, bucket, key []byte) (*T, error) {
	raw := tx.Bucket(bucket).Get(key)
	if raw == nil {
		return nil, nil
	}
	v := new(T)
	if err := json.Unmarshal(raw, v); err != nil {
		return nil, fmt.Errorf("%w: a record of %s cannot be read", ErrLedgerDamage, bucket)
	}
	return v, nil
}

func save(tx *bbolt.Tx, bucket, key []byte, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return tx.Bucket(bucket).Put(key, raw)
}

func all[R, T any](tx *bbolt.Tx, bucket []byte, view func(*R) T) ([]T, error) {
	return prefixed(tx, bucket, nil, view)
}

func prefixed[R, T any](tx *bbolt.Tx, bucket, prefix []byte, view func(*R) T) ([]T, error) {
	b := tx.Bucket(bucket)
	if b == nil {
		return nil, ErrLedgerFormat
	}
	var out []T
	var last []byte
	c := b.Cursor()
	for k, raw := c.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, raw = c.Next() {
		if bytes.Compare(k, last) <= 0 {
			return nil, ErrLedgerDamage // and would perhaps never end
		}
		last = k
		r := new(R)
		if err := json.Unmarshal(raw, r); err != nil {
			return nil, fmt.Errorf("%w: a record of %s cannot be read", ErrLedgerDamage, bucket)
		}
		out = append(out, view(r))
	}
	return out, nil
}

func (b books) terminal(id string) (*terminalRecord, error) {
	return load[terminalRecord](b.tx, bucketTerminals, []byte(id))
}

func (b books) saveTerminal(t *terminalRecord) error {
	return save(b.tx, bucketTerminals, []byte(t.ID), t)
}

func (b books) booking(id Identity) (*bookingRecord, error) {
	return load[bookingRecord](b.tx, bucketBookings, id.key())
}

func (b books) saveBooking(r *bookingRecord) error {
	return save(b.tx, bucketBookings, r.key(), r)
}

func (b books) tombstone(id Identity) (*Tombstone, error) {
	return load[Tombstone](b.tx, bucketTombs, id.key())
}

func (b books) saveTombstone(t *Tombstone) error {
	return save(b.tx, bucketTombs, t.key(), t)
}

// byRRN finds the booking that was answered with rrn.
func (b books) byRRN(rrn string) (*bookingRecord, error) {
	key := b.tx.Bucket(bucketRRN).Get([]byte(rrn))
	if key == nil {
		return nil, nil
	}
	return load[bookingRecord](b.tx, bucketBookings, key)
}

// numbers draws the RRN and the authorisation code of a new booking.
func (b books) numbers() (rrn, auth string, err error) {
	seq, err := b.tx.Bucket(bucketBookings).NextSequence()
	return fmt.Sprintf("%012d", seq), fmt.Sprintf("%06d", seq%1_000_000), err
}

// add books a new transaction. It is found by its RRN unless another has it.
func (b books) add(r *bookingRecord) error {
	index := b.tx.Bucket(bucketRRN)
	if index.Get([]byte(r.RRN)) == nil {
		if err := index.Put([]byte(r.RRN), r.key()); err != nil {
			return err
		}
	}
	return b.saveBooking(r)
}

// conflict notes a message whose identity is taken by other content, once for
// each content.
func (b books) conflict(c Conflict, content []byte) error {
	key := append(c.key(), content[:8]...)
	known, err := load[Conflict](b.tx, bucketConflicts, key)
	if err != nil {
		return err
	}
	if known != nil {
		c = *known
	}
	c.Arrivals++
	return save(b.tx, bucketConflicts, key, c)
}

func (b books) inBatch(terminal string, batch uint32) ([]Booking, error) {
	prefix := Identity{Terminal: terminal, Batch: batch}.key()[:14]
	return prefixed(b.tx, bucketBookings, prefix, func(r *bookingRecord) Booking { return r.Booking })
}
