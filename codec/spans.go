package codec

import "errors"

// Span is the part of an encoded message that one of its parts takes, its
// length prefix included.
type Span struct {
	DE         int // 0 the message type, 1 the bitmaps, else the field
	Start, End int // offsets of the first byte and of the one after the last
	Hidden     bool
}

// Spans gives the parts of an encoded message in order, as far as it can be
// decoded, and the error that Decode returns. Hidden are the fields that the
// dialect does not show in full. It is made for showing where a message went
// wrong.
func (s *Spec) Spans(b []byte) ([]Span, error) {
	d := newData(s)
	defer d.reset()
	err := s.decode(d, b)
	start := s.mtiBytes()
	if len(b) < start || errors.Is(err, ErrMTI) {
		return nil, err
	}
	spans := []Span{{0, 0, start, false}}
	at := start + s.bitmapBytes()
	if d.wide {
		at += s.bitmapBytes()
	}
	if len(b) < at || errors.Is(err, ErrBitmap) {
		return spans, err
	}
	spans = append(spans, Span{1, start, at, false})
	for de := range d.self.Fields {
		slot := d.slotOf(de)
		if slot == 0 {
			break
		}
		from := at + slot.off()
		spans = append(spans, Span{de, from, from + slot.size(), s.fields[de].mask != maskShow})
	}
	return spans, err
}
