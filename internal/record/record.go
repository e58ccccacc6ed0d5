// Package record writes and reads the fields of stored records: unsigned
// varints, length-prefixed bytes and fixed-size integers, in order, without
// names. A Reader never takes memory for more than the bytes it was given.
package record

import (
	"encoding/binary"
	"errors"
	"time"
)

// ErrMalformed is the error of a Reader whose bytes do not hold the fields
// asked of it, or hold them otherwise than a Writer writes them.
var ErrMalformed = errors.New("record is malformed")

// Writer appends fields to B.
type Writer struct{ B []byte }

// Uint appends v as an unsigned varint.
func (w *Writer) Uint(v uint64) { w.B = binary.AppendUvarint(w.B, v) }

// Int appends v as a zig-zag varint.
func (w *Writer) Int(v int64) { w.B = binary.AppendVarint(w.B, v) }

// Byte appends v.
func (w *Writer) Byte(v byte) { w.B = append(w.B, v) }

// Bool appends 1 or 0.
func (w *Writer) Bool(v bool) {
	if v {
		w.Byte(1)
	} else {
		w.Byte(0)
	}
}

// Bytes appends v behind its length.
func (w *Writer) Bytes(v []byte) {
	w.Uint(uint64(len(v)))
	w.B = append(w.B, v...)
}

// String appends v behind its length.
func (w *Writer) String(v string) {
	w.Uint(uint64(len(v)))
	w.B = append(w.B, v...)
}

// Time appends t in milliseconds since 1970 and its zone's offset in minutes;
// the zero time is kept as such.
func (w *Writer) Time(t time.Time) {
	if t.IsZero() {
		w.Byte(0)
		return
	}
	w.Byte(1)
	w.Int(t.UnixMilli())
	_, off := t.Zone()
	w.Int(int64(off / 60))
}

// Reader takes fields off its bytes. The first failure sticks: Err tells it,
// and all later fields are zero.
type Reader struct {
	b   []byte
	err error
}

// NewReader returns a reader of b, which it does not copy.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Fail makes the reader's bytes malformed: for what a caller finds wrong.
func (r *Reader) Fail() { r.fail() }

func (r *Reader) fail() {
	r.err = ErrMalformed
	r.b = nil
}

// padded tells whether a varint has more bytes than its value needs: one value
// has one form, so that what was read is written back as it was.
func padded(b []byte) bool { return len(b) > 1 && b[len(b)-1] == 0 }

// Uint takes an unsigned varint.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || padded(r.b[:n]) {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Int takes a zig-zag varint.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 || padded(r.b[:n]) {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Byte takes one byte.
func (r *Reader) Byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

// Bool takes a 1 or 0.
func (r *Reader) Bool() bool {
	v := r.Byte()
	if v > 1 {
		r.fail()
	}
	return v == 1
}

// Bytes takes bytes behind their length; they alias the reader's own.
func (r *Reader) Bytes() []byte {
	n := r.Uint()
	if n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// String takes a string behind its length.
func (r *Reader) String() string { return string(r.Bytes()) }

// Time takes a time.
func (r *Reader) Time() time.Time {
	if !r.Bool() {
		return time.Time{}
	}
	ms, off := r.Int(), r.Int()
	if off < -24*60 || off > 24*60 {
		r.fail()
		return time.Time{}
	}
	zone := time.UTC
	if off != 0 {
		zone = time.FixedZone("", int(off)*60)
	}
	t := time.UnixMilli(ms).In(zone)
	if t.IsZero() {
		r.fail()
	}
	return t
}

// Done returns the first failure, or ErrMalformed when bytes are left over.
func (r *Reader) Done() error {
	if r.err == nil && len(r.b) != 0 {
		return ErrMalformed
	}
	return r.err
}

// More tells whether there are bytes left, and no failure so far.
func (r *Reader) More() bool { return r.err == nil && len(r.b) > 0 }

// Err returns the first failure so far.
func (r *Reader) Err() error { return r.err }

// Rest takes all bytes that are left.
func (r *Reader) Rest() []byte {
	v := r.b
	r.b = r.b[len(r.b):]
	return v
}
