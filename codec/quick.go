package codec

import (
	"encoding/binary"
	"math/bits"
)

// slack is how many bytes behind the fields of a message may be read or written
// in vain.
const slack = 16

// quick lays out the fields that the bitmaps announce in the first n bytes of
// d.buf, slack behind them, and reports whether they are right to the last
// byte. What it refuses, careful finds the fault of.
func (s *Spec) quick(d *data, n int) bool {
	b := d.buf[:cap(d.buf)]
	at, wrong := 0, uint64(0)
	for half, word := range d.bits {
		for word != 0 {
			var bad uint64
			ways, slots := (*[64]way)(s.ways[64*half:]), (*[64]slot)(d.slots[64*half:])
			word, at, bad = plain(ways, slots, b, word, at)
			wrong |= bad
			if word == 0 || wrong != 0 || at > n {
				break
			}
			i := bits.TrailingZeros64(word)
			word &= word - 1
			end := s.otherEnd(b[:n], at, 64*half+i+1)
			if end > n {
				return false
			}
			slots[i] = slotAt(at, end-at)
			at = end
		}
	}
	d.last = d.lastPresent()
	return wrong == 0 && at == n
}

// plain lays out fields at b[at] up to the first that has no plain shape, or
// that is not what its shape would have it. Other fields with a bit in word are
// left in rest, and any bit of wrong says that a field before is wrong. It
// calls no function and looks at words of 8 bytes though they may reach beyond
// their field, so end may lie beyond what b has of the message.
func plain(ways *[64]way, slots *[64]slot, b []byte, word uint64, at int) (rest uint64, end int, wrong uint64) {
	for word != 0 {
		if at+8 > len(b) {
			return 0, at, 1
		}
		i := bits.TrailingZeros64(word) & 63
		w := &ways[i]
		x := binary.BigEndian.Uint64(b[at : at+8 : at+8])
		end := at + int(w.bytes)
		switch w.kind {
		case kindNumber:
			wrong |= badNibbles(x)&w.check | (x^w.filler)&w.fill
		case kindRaw:
		case kindPrint:
			// What stands behind must not carry into the sums of within.
			x &= w.own
			bad := w.check & (^within(x, 0x20, 0x7E) | x)
			for next := at + 8; next < end && end <= len(b); next += 8 {
				last := min(next, end-8)
				x = binary.BigEndian.Uint64(b[last : last+8 : last+8])
				bad |= eachTop & (^within(x, 0x20, 0x7E) | x)
			}
			if bad != 0 {
				return word, at, wrong
			}
		case kindChars:
			x := x & w.own
			for next, check := at, w.check; ; {
				in := within(x, '0', '9') | within(x|0x20*eachOne, 'a', 'z')&w.letters | within(x, ' ', ' ')&w.spaces
				wrong |= (^in | x) & check
				if next += 8; next >= end || end > len(b) {
					break
				}
				next = min(next, end-8)
				x, check = binary.BigEndian.Uint64(b[next:next+8:next+8]), eachTop
			}
		case kindRawVar:
			hundreds, tens, ones := x>>56, x>>52&15, x>>48&15
			size := int(100*hundreds + 10*tens + ones)
			if hundreds > 9 || tens > 9 || ones > 9 || size > int(w.max) {
				return word, at, 1
			}
			end = at + 2 + size
		default:
			return word, at, wrong
		}
		slots[i] = slotAt(at, end-at)
		at = end
		word &= word - 1
	}
	return 0, at, wrong
}

// otherEnd gives the end of a field at b[at] that plain left, beyond b if it is
// wrong.
func (s *Spec) otherEnd(b []byte, at, de int) int {
	if w := &s.ways[de-1]; w.kind == kindNumberVar {
		if end := w.numberVarEnd(b, at); end >= 0 {
			return end
		}
	}
	if f := s.field(de); f != nil {
		if end, err := f.scan(b, at); err == nil {
			return end
		}
	}
	return len(b) + 1
}

// numberVarEnd gives the end of a number, -1 if it is wrong. Behind b there is
// slack.
func (w *way) numberVarEnd(b []byte, at int) int {
	if at >= len(b) {
		return -1
	}
	length := b[at]
	digits := int(length>>4)*10 + int(length&15)
	end := at + 1 + (digits+1)/2
	if length > 0x99 || length&15 > 9 || digits > int(w.max) || end > len(b) {
		return -1
	}
	wrong := uint64(0)
	if digits&1 != 0 {
		wrong = (uint64(b[end-1]) ^ w.filler) & w.fill
	}
	for at++; digits > 0; at += 8 {
		x := binary.BigEndian.Uint64(b[at : at+8 : at+8])
		wrong |= badNibbles(x) & (eachNibble << max(0, 64-4*digits))
		digits -= 16
	}
	if wrong != 0 {
		return -1
	}
	return end
}

// badNibbles sets the lowest bit of each nibble of x that is above 9, and other
// bits at random.
func badNibbles(x uint64) uint64 { return x >> 3 & (x>>2 | x>>1) }
