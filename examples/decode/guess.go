package main

import (
	"encoding/hex"
	"errors"
	"strconv"
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
	says    int // what the length in front says, if that is not what follows; else 0
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

// guess gives the first reading without an error whose parts all make sense and
// whose length fits, or else the most likely one.
func guess(specs []*codec.Spec, raw []byte) reading {
	var best reading
	most := -1 << 30
	for _, f := range framings() {
		frame, says, err := unwrap(f, raw)
		if err != nil {
			continue
		}
		for _, s := range specs {
			r := reading{spec: s, framing: f, frame: frame, from: len(raw) - len(frame.Body), says: says}
			r.spans, r.err = s.Spans(frame.Body)
			n, sound := r.likelihood()
			if r.err == nil && len(r.spans) > 2 && sound && says == 0 {
				return r
			}
			if n > most {
				best, most = r, n
			}
		}
	}
	return best
}

// unwrap takes off what stands around a message. The length of a capture that
// was cut, or that has more behind it, does not fit; then it is given as well.
func unwrap(f codec.Framing, raw []byte) (frame codec.Frame, says int, err error) {
	frame, err = f.Decode(raw)
	if err == nil || f.Length == codec.LengthNone {
		return frame, 0, err
	}
	says, size, ok := lengthInFront(f.Length, raw)
	if !ok {
		return frame, 0, err
	}
	f.Length = codec.LengthNone
	frame, err = f.Decode(raw[size:])
	return frame, says, err
}

func lengthInFront(form codec.LengthForm, raw []byte) (n, size int, ok bool) {
	size = 2
	if form == codec.LengthASCII {
		size = 4
	}
	if len(raw) < size {
		return 0, 0, false
	}
	digits := string(raw[:size])
	switch form {
	case codec.LengthBinary:
		n = int(raw[0])<<8 | int(raw[1])
		return n, size, n > 0
	case codec.LengthBCD:
		digits = hex.EncodeToString(raw[:size])
	}
	u, err := strconv.ParseUint(digits, 10, 16)
	return int(u), size, err == nil && u > 0
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
	switch {
	case r.says != 0:
		n -= 30
	case r.framing.Length != codec.LengthNone:
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
	if len(r.spans) == 0 {
		weigh(false)
	} else {
		version, class := typeDigits(r.frame.Body[:r.spans[0].End])
		weigh(class >= 1 && class <= 9)
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

// follow is how many bytes follow the length in front.
func (r reading) follow() int {
	n := len(r.frame.Body)
	if !r.framing.NoTPDU {
		n += len(r.frame.TPDU)
	}
	if !r.framing.NoHeader {
		n += len(r.frame.Header)
	}
	return n
}

// offsetOf is the byte that an error speaks of, n if it speaks of none.
func offsetOf(err error, n int) int {
	var fe *codec.FieldError
	if errors.As(err, &fe) && fe.Offset >= 0 {
		return min(fe.Offset, n)
	}
	return n
}
