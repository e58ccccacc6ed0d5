package main

import (
	"errors"
	"strings"

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

// guess gives the first reading without an error whose parts all make sense, or
// else the most likely one.
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
			n, sound := r.likelihood()
			if r.err == nil && len(r.spans) > 2 && sound {
				return r
			}
			if n > most {
				best, most = r, n
			}
		}
	}
	return best
}

// likelihood weighs a reading: a length that fits is strong evidence, what
// stands around a message begins with known digits, a message type has the
// dialect's version and a class that exists, and then each field counts, and
// that nothing is wrong. A reading is sound if all digits are as they should be.
func (r reading) likelihood() (n int, sound bool) {
	n, sound = 2*len(r.spans), true
	weigh := func(fits bool) {
		n += weight(fits)
		sound = sound && fits
	}
	if r.framing.Length != codec.LengthNone {
		n += 50
	}
	if r.err == nil {
		n += 50
	}
	if !r.framing.NoTPDU {
		weigh(r.frame.TPDU[0] == 0x60)
	}
	if !r.framing.NoHeader {
		weigh(r.frame.Header[0] >= 0x60 && r.frame.Header[0] <= 0x63)
	}
	if len(r.spans) > 0 {
		version, class := typeDigits(r.frame.Body[:r.spans[0].End])
		weigh(class >= 1 && class <= 8)
		if want, known := versionOf(r.spec.Name()); known {
			weigh(version == want)
		}
	}
	return n, sound
}

// typeDigits gives the first two digits of a message type in two bytes of BCD
// or in four characters.
func typeDigits(b []byte) (version, class byte) {
	if len(b) == 2 {
		return b[0] >> 4, b[0] & 15
	}
	return b[0] & 15, b[1] & 15
}

// versionOf is the version digit in the message types of a dialect that comes
// with the package.
func versionOf(name string) (version byte, known bool) {
	switch {
	case name == "unionpay", strings.HasPrefix(name, "iso1987"):
		return 0, true
	case strings.HasPrefix(name, "iso1993"):
		return 1, true
	case strings.HasPrefix(name, "iso2003"):
		return 2, true
	}
	return 0, false
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
