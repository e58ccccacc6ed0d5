package main

import (
	"errors"

	"github.com/tallystick/tallystick/codec"
)

// reading is one way to read the input: a dialect and what stands around the
// message.
type reading struct {
	spec    *codec.Spec
	framing codec.Framing
	frame   codec.Frame
	from    int // offset of the message in the input
	spans   []codec.Span
	err     error
}

// framings are tried in this order: the most that can be taken off first, so
// that a bare message is not mistaken for one with a header.
func framings() []codec.Framing {
	var list []codec.Framing
	for _, length := range []codec.LengthForm{codec.LengthBinary, codec.LengthASCII, codec.LengthBCD, codec.LengthNone} {
		for _, f := range []codec.Framing{{}, {NoHeader: true}, {NoTPDU: true}, {NoTPDU: true, NoHeader: true}} {
			f.Length, f.Max = length, 65535
			list = append(list, f)
		}
	}
	return list
}

// guess gives the first reading without an error, or else the most likely one.
func guess(specs []*codec.Spec, raw []byte) reading {
	var best reading
	most := -1 << 30
	for _, f := range framings() {
		frame, err := f.Decode(raw)
		if err != nil {
			continue
		}
		for _, s := range specs {
			r := reading{spec: s, framing: f, frame: frame, from: len(raw) - len(frame.Body)}
			r.spans, r.err = s.Spans(frame.Body)
			if r.err == nil && len(r.spans) > 2 {
				return r
			}
			if n := r.likelihood(); n > most {
				best, most = r, n
			}
		}
	}
	return best
}

// likelihood weighs a reading that failed: a length that fits is strong
// evidence, what stands around a message begins with known digits, and then
// each field counts.
func (r reading) likelihood() int {
	n := 2 * len(r.spans)
	if r.framing.Length != codec.LengthNone {
		n += 50
	}
	if !r.framing.NoTPDU {
		n += weight(r.frame.TPDU[0] == 0x60)
	}
	if !r.framing.NoHeader {
		n += weight(r.frame.Header[0] >= 0x60 && r.frame.Header[0] <= 0x63)
	}
	return n
}

func weight(fits bool) int {
	if fits {
		return 20
	}
	return -100
}

// offsetOf is the byte that an error speaks of, n if it speaks of none.
func offsetOf(err error, n int) int {
	var fe *codec.FieldError
	if errors.As(err, &fe) && fe.Offset >= 0 {
		return min(fe.Offset, n)
	}
	return n
}
