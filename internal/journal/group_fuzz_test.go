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
	g := &group{over: newRecent()}
	g.set(at(events, eventKey(7)), &item{value: make([]byte, chainSize+3)})
	g.set(at('d', []byte("lost")), &item{gone: true})
	g.set(at('d', []byte("key")), &item{value: []byte("value")})
	var w record.Writer
	g.write(&w)
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
		g := &group{over: newRecent(), number: 1}
		r.tree.Scan(func(key string, it *item) bool {
			g.set(key, it)
			return true
		})
		var w record.Writer
		g.write(&w)
		if !bytes.Equal(w.B, plain) {
			t.Fatalf("%x became %x", plain, w.B)
		}
	})
}
