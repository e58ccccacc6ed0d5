package journal

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/tallystick/tallystick/internal/record"
)

// A group record that is taken is written back as it was: what it says has one
// form.
func FuzzGroup(f *testing.F) {
	r := newRecent()
	r.set(at('d', []byte("key")), item{value: []byte("value")})
	r.set(at('d', []byte("lost")), item{gone: true})
	r.set(at(events, eventKey(7)), item{value: make([]byte, chainSize+3)})
	var w record.Writer
	r.encode(&w, []string{at('d', []byte("key")), at('d', []byte("lost")), at(events, eventKey(7))})
	f.Add(w.B)
	f.Add([]byte{})
	f.Add([]byte{'d', 0xff, 0xff, 0xff, 0xff, 0x7f, 'k', 0})
	f.Fuzz(func(t *testing.T, plain []byte) {
		r := newRecent()
		if err := r.take(slices.Clone(plain), []Bucket{events, 'd'}); err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		var w record.Writer
		r.encode(&w, r.tree.Keys())
		if !bytes.Equal(w.B, plain) {
			t.Fatalf("%x became %x", plain, w.B)
		}
	})
}
