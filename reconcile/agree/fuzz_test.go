package agree

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/tallystick/tallystick/internal/record"
)

// What is accepted is written back as it was read, and answered within bounds.
func FuzzMessage(f *testing.F) {
	half := dense(f, 300)
	about := head{Subject: subject, upTo: 280}
	for _, q := range []body{
		&rootQuery{root: leaf(1, 1), room: 32}, &sketchQuery{device: nonce{1}}, &moreQuery{way: spreads, from: 40, count: 200}, &moreQuery{count: 9},
		&nodesQuery{level: 2, indexes: []uint64{0, 1, 700}}, &heldQuery{seqs: []uint64{0, 5, 6, 300}}, &beyondQuery{},
	} {
		f.Add(writeMessage(about, q))
	}
	held := func(seq uint64) ([]Held, error) { return []Held{{Canonical: make([]byte, seq%500)}}, nil }
	f.Fuzz(func(t *testing.T, b []byte) {
		h, m, err := readMessage(b)
		if err != nil {
			if !errors.Is(err, ErrMessage) {
				t.Fatal(err)
			}
			return
		}
		if s, err := Head(b); err != nil || s != h.Subject {
			t.Fatal("the head reads otherwise", err)
		}
		if back := writeMessage(h, m); !bytes.Equal(back, b) {
			t.Fatalf("%x was read, %x is written", b, back)
		}
		a, err := Answer(context.Background(), b, half, held)
		if err != nil {
			t.Fatal(err)
		}
		if len(a) > MaxAnswer || a[0] != b[0] {
			t.Fatalf("an answer of %d bytes and kind %x to %x", len(a), a[0], b[0])
		}
	})
}

// An answer of any kind is written back as it was read.
func FuzzAnswer(f *testing.F) {
	for _, a := range []body{
		&rootAnswer{equal: true, highest: 9}, &rootAnswer{highest: 90, gaps: []Range{{1, 1}, {4, 80}}, cut: true},
		&sketchAnswer{asked: askSketch, cells: []cell{{1, 2}, {3, 4}}}, &sketchAnswer{asked: askMore, way: spreads, from: 9, cells: []cell{{1, 2}}},
		&nodesAnswer{kids: [][fan]Leaf{{2: leaf(1, 1)}, {}}}, &heldAnswer{held: [][]Held{{{Canonical: []byte("abc"), Stands: true}}, nil}},
		&beyondAnswer{highest: 200, seen: []Range{{101, 101}, {120, 200}}, upTo: 100},
	} {
		f.Add(writeAnswer(a))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		k := kind(b[0] & 15)
		a := map[kind]body{askRoot: &rootAnswer{upTo: 100}, askSketch: &sketchAnswer{asked: askSketch}, askMore: &sketchAnswer{asked: askMore},
			askNodes: &nodesAnswer{want: 2}, askHeld: &heldAnswer{want: 2}, askBeyond: &beyondAnswer{upTo: 100}}[k]
		if a == nil || readAnswer(b, a) != nil {
			return
		}
		if back := writeAnswer(a); !bytes.Equal(back, b) {
			t.Fatalf("%x was read, %x is written", b, back)
		}
	})
}

// A host that answers anything at all makes Compare end, with mine as it was.
func FuzzCompare(f *testing.F) {
	mine := dense(f, 300)
	root := mine.Root(300)
	add := func(answers ...[]byte) {
		var w record.Writer
		for _, a := range answers {
			w.Bytes(a)
		}
		f.Add(w.B)
	}
	gone, _ := mismatches(f, 300, 0)
	_ = gone.Set(7, Leaf{})
	add(writeAnswer(gone.answerRoot(head{upTo: 300}, &rootQuery{room: 1})))
	add(writeAnswer(&rootAnswer{highest: 400}), writeAnswer(&beyondAnswer{highest: 400, seen: []Range{{301, 400}}, upTo: 300}),
		writeAnswer(&sketchAnswer{asked: askSketch, way: spreads, cells: make([]cell, 9)}), writeAnswer(&sketchAnswer{asked: askMore, way: spreads, from: 9, cells: make([]cell, 9)}))
	add(writeAnswer(&rootAnswer{highest: 300}), writeAnswer(&sketchAnswer{asked: askSketch}), writeAnswer(&nodesAnswer{kids: [][fan]Leaf{{2: leaf(1, 1)}}}))
	f.Fuzz(func(t *testing.T, script []byte) {
		r := record.NewReader(script)
		d, _ := Compare(context.Background(), mine, subject, func(context.Context, []byte) ([]byte, error) {
			a := r.Bytes()
			if r.Err() != nil {
				return nil, errors.New("cut")
			}
			return a, nil
		})
		if mine.Root(300) != root {
			t.Fatal("mine was changed")
		}
		for _, found := range d.Found {
			if found.Seq == 0 || found.Seq > 300 {
				t.Fatalf("sequence %d is not among those compared", found.Seq)
			}
		}
	})
}
