package codec

import (
	"math/bits"
	"strconv"
)

// Message is one message of a dialect: a type and the fields that are present.
// Make one with NewMessage or by decoding. A Message is not safe for concurrent
// use; a copy of the struct is the same message.
//
// However it is printed, a Message shows its fields masked.
type Message struct {
	// Behind two pointers, for fmt follows one of them, where a verb does not
	// fit, even into fields that are not exported.
	at **data
}

// data gives the content, nil of the zero Message.
func (m *Message) data() *data {
	if m.at == nil {
		return nil
	}
	return *m.at
}

// slot is where the wire form of a present field, length prefix included,
// stands in a buffer.
type slot uint32

func slotAt(off, size int) slot { return slot(uint16(off)) | slot(size)<<16 }

func (s slot) off() int  { return int(s & 0xFFFF) }
func (s slot) size() int { return int(s >> 16) }

// data holds the fields in the form in which they travel.
type data struct {
	spec  *Spec
	mti   MTI
	wide  bool // a secondary bitmap is there even if it is empty
	loose bool // buf is not simply the present fields in order
	last  uint8
	bits  [2]uint64 // field 1 is the lowest bit of the first
	buf   []byte
	slots [lastField]slot

	me    *data // what self points to
	self  Message
	first [512]byte // the first buffer, so that a usual message is one allocation
}

func newData(s *Spec) *data {
	d := new(data)
	d.spec, d.me, d.self.at, d.buf = s, d, &d.me, d.first[:0]
	return d
}

// NewMessage begins a message of type t in the dialect s.
func NewMessage(s *Spec, t MTI) *Message {
	d := newData(s)
	d.mti = t
	return &d.self
}

// Reset removes all fields and makes m a message of type t, keeping its dialect
// and its memory.
func (m *Message) Reset(t MTI) {
	if d := m.data(); d != nil {
		d.reset()
		d.mti = t
	}
}

func (d *data) reset() {
	clear(d.buf)
	d.forget()
	d.buf = d.buf[:0]
}

// fill makes b the bytes of all fields and wipes what it does not overwrite.
func (d *data) fill(b []byte) {
	if len(b) < len(d.buf) {
		clear(d.buf[len(b):])
	}
	if cap(d.buf) < len(b)+slack {
		clear(d.buf)
		d.buf = make([]byte, 0, len(b)+slack)
	}
	d.buf = append(d.buf[:0], b...)
}

// forget is reset but for the bytes of the fields.
func (d *data) forget() {
	d.bits = [2]uint64{}
	d.mti, d.wide, d.loose, d.last = 0, false, false, 0
}

// Spec is the dialect of m.
func (m *Message) Spec() *Spec {
	if d := m.data(); d != nil {
		return d.spec
	}
	return nil
}

// Type is the message type.
func (m *Message) Type() MTI {
	if d := m.data(); d != nil {
		return d.mti
	}
	return 0
}

// SetType changes the message type and nothing else.
func (m *Message) SetType(t MTI) {
	if d := m.data(); d != nil {
		d.mti = t
	}
}

func (d *data) has(de int) bool {
	i := uint(de - 1)
	return d != nil && i < lastField && d.bits[i>>6]>>(i&63)&1 != 0
}

// Has reports whether the field is present.
func (m *Message) Has(de int) bool { return m.data().has(de) }

// Unset removes a field; removing what is absent is fine.
func (m *Message) Unset(de int) {
	if d := m.data(); d.has(de) {
		d.drop(de)
	}
}

// drop removes a present field and wipes its bytes.
func (d *data) drop(de int) {
	i := uint(de - 1)
	d.bits[i>>6] &^= 1 << (i & 63)
	clear(d.wireOf(de))
	d.loose = true
}

// lastPresent is the highest field that is present, 0 if there is none.
func (d *data) lastPresent() uint8 {
	if d.bits[1] != 0 {
		return uint8(64 + bits.Len64(d.bits[1]))
	}
	return uint8(bits.Len64(d.bits[0]))
}

func (d *data) slotOf(de int) slot { return d.slots[de-1] }

// wireOf is the wire form of a present field.
func (d *data) wireOf(de int) []byte {
	s := d.slotOf(de)
	return d.buf[s.off() : s.off()+s.size()]
}

// Fields calls yield with the number of each present field in ascending order,
// until yield returns false. It has the form of an iterator:
//
//	for de := range m.Fields { … }
func (m Message) Fields(yield func(de int) bool) {
	d := m.data()
	if d == nil {
		return
	}
	for half, word := range d.bits {
		for word != 0 {
			if !yield(half<<6 + bits.TrailingZeros64(word) + 1) {
				return
			}
			word &= word - 1
		}
	}
}

// Set gives a field its content in the field's own characters: "000001" for a
// STAN, hexadecimal digits for a binary field, UTF-8 for text in any charset.
// What does not fit the field's class and length is refused with a *FieldError,
// and the message stays as it was.
func (m *Message) Set(de int, v string) error {
	if m.at != nil && (*m.at).put(de, v) {
		return nil
	}
	return m.set(de, v)
}

// set is Set without a short way.
func (m *Message) set(de int, v string) error {
	f, err := m.fieldFor(de)
	if err != nil {
		return err
	}
	d := m.data()
	d.room(f, len(v))
	out, err := f.encode(d.buf, v)
	return d.keep(f, len(d.buf), out, err)
}

// SetBytes gives a binary field its bytes; of any other field v is the content
// in characters, as in Set.
func (m *Message) SetBytes(de int, v []byte) error {
	if d := m.data(); d != nil && d.putBytes(de, v) {
		return nil
	}
	f, err := m.fieldFor(de)
	if err != nil {
		return err
	}
	if f.class != classB {
		return m.Set(de, string(v))
	}
	d := m.data()
	d.room(f, len(v))
	out, err := f.encodeBytes(d.buf, v)
	return d.keep(f, len(d.buf), out, err)
}

// Value is structured content that can write itself as a field's characters,
// or as the bytes of a binary field.
type Value interface {
	Append(dst []byte) ([]byte, error)
}

// SetValue gives a field the content that v writes; nil is refused with
// ErrStructure.
func (m *Message) SetValue(de int, v Value) error {
	if v == nil {
		return &FieldError{DE: de, Offset: -1, Err: ErrStructure, Detail: "no value"}
	}
	var scratch [128]byte
	b, err := v.Append(scratch[:0])
	if err != nil {
		return err
	}
	return m.SetBytes(de, b)
}

func (m *Message) fieldFor(de int) (*field, error) {
	d := m.data()
	if d == nil {
		return nil, &FieldError{DE: de, Offset: -1, Err: ErrDialect, Detail: "message was not made by NewMessage"}
	}
	f := d.spec.field(de)
	if f == nil {
		return nil, &FieldError{DE: de, Offset: -1, Err: ErrUndefined}
	}
	if d.loose && len(d.buf) >= compactAt {
		d.compact()
	}
	return f, nil
}

// put gives content to a field that comes after all others, as fields set in
// order do. If that fails it does nothing and reports false.
func (d *data) put(de int, v string) bool {
	i := uint(de - 1)
	if de <= int(d.last) || i >= lastField {
		return false
	}
	w, start := &d.spec.ways[i], len(d.buf)
	end := start + int(w.bytes)
	if end+slack > cap(d.buf) || end > maxFields {
		return d.putOther(&d.spec.fields[de], v)
	}
	out, ok := d.buf[start:end+slack], false // with room to write in vain
	switch w.kind {
	case kindNumber:
		ok = w.pack(out, v)
	case kindNumberVar:
		end = start + 1 + len(v)/2
		ok = len(v) <= int(w.max) && len(v)&1 == 0 && packFixed(out[1:], v)
		out[0] = byte(len(v)/10<<4 | len(v)%10)
	case kindPrint, kindChars:
		if ok = len(v) == int(w.max) && w.allows(v); ok {
			copy(out, v)
		}
	}
	if !ok {
		return d.putOther(&d.spec.fields[de], v)
	}
	d.follow(de, start, end)
	return true
}

// putOther is put without a short way.
func (d *data) putOther(f *field, v string) bool {
	if !f.defined() {
		return false
	}
	d.room(f, len(v))
	out, err := f.encode(d.buf, v)
	if err != nil || len(out) > maxFields {
		return false
	}
	d.follow(f.de, len(d.buf), len(out))
	return true
}

// room lets a field whose content is given in n bytes be written behind the
// others without moving them. If they must move, what they leave behind is
// wiped.
func (d *data) room(f *field, n int) {
	more := f.size(f.max)
	if f.digits > 0 {
		more = int(f.before) + min(more, 2*n) // bytes grow to two in hexadecimal digits and in GB18030
	}
	if old := d.buf; len(old)+more > cap(old) {
		d.buf = grow(old, more+slack)
		clear(old[:cap(old)])
	}
}

// putBytes is put for binary fields.
func (d *data) putBytes(de int, v []byte) bool {
	if de <= int(d.last) || de > lastField {
		return false
	}
	w, start := &d.spec.ways[de-1], len(d.buf)
	n, end := len(v), start+int(w.before)+len(v)
	if (w.kind == kindRawVar && n <= int(w.max) || w.kind == kindRaw && n == int(w.max)) && end <= min(cap(d.buf), maxFields) {
		out := d.buf[start:end]
		if w.kind == kindRawVar {
			out[0], out[1] = byte(n/100), byte(n/10%10<<4|n%10)
		}
		copy(out[w.before:], v)
		d.follow(de, start, end)
		return true
	}
	f := &d.spec.fields[de]
	if f.class != classB {
		return false
	}
	d.room(f, n)
	out, err := f.encodeBytes(d.buf, v)
	if err != nil || len(out) > maxFields {
		return false
	}
	d.follow(de, start, len(out))
	return true
}

// follow makes what stands in the buffer's memory from start to end the wire
// form of a field that comes after all others.
func (d *data) follow(de, start, end int) {
	i := uint(de - 1)
	d.last = uint8(de)
	d.bits[i>>6&1] |= 1 << (i & 63)
	d.slots[i] = slotAt(start, end-start)
	d.buf = d.buf[:end]
}

// keep makes what was written behind start the wire form of f, or takes it back
// if writing failed.
func (d *data) keep(f *field, start int, out []byte, err error) error {
	if err == nil && len(out) > maxFields {
		start, out, err = d.makeRoom(f, start, out)
	}
	if err != nil {
		clear(d.buf[len(d.buf):cap(d.buf)]) // of what was written before it failed
		return err
	}
	d.place(f.de, start, out)
	return nil
}

// makeRoom closes the gaps in front of what was written behind start, and of a
// field that this replaces, so that only what is present counts.
func (d *data) makeRoom(f *field, start int, out []byte) (int, []byte, error) {
	total := len(out) - start + d.spec.mtiBytes() + d.spec.bitmapBytes()
	if d.wide || d.bits[1] != 0 || f.de > 64 {
		total += d.spec.bitmapBytes()
	}
	for de := range d.self.Fields {
		if de != f.de {
			total += d.slotOf(de).size()
		}
	}
	if total > maxMessage {
		return start, out, &FieldError{DE: f.de, Offset: -1, Err: ErrTooLong, Detail: "message exceeds " + strconv.Itoa(maxMessage) + " bytes"}
	}
	written := append([]byte(nil), out[start:]...)
	clear(out[start:])
	d.self.Unset(f.de)
	d.compact()
	start, out = len(d.buf), append(d.buf, written...)
	clear(written)
	return start, out, nil
}

func (d *data) place(de, start int, out []byte) {
	i := uint(de - 1)
	bit := uint64(1) << (i & 63)
	n := len(out) - start
	if d.bits[i>>6]&bit != 0 {
		old := d.wireOf(de)
		if len(old) == n {
			copy(old, out[start:])
			clear(out[start:])
			return
		}
		clear(old)
		d.loose = true
	}
	d.loose = d.loose || de < int(d.last)
	d.last = max(d.last, uint8(de))
	d.bits[i>>6] |= bit
	d.slots[i] = slotAt(start, n)
	d.buf = out
}

// compactAt is the size from which a buffer with gaps is put in order before it
// grows further.
const compactAt = 16 << 10

// compact puts the fields in order and closes the gaps that replaced and
// removed fields have left.
func (d *data) compact() {
	tidy := make([]byte, 0, len(d.buf))
	var slots [lastField]slot
	for de := range d.self.Fields {
		w := d.wireOf(de)
		slots[de-1] = slotAt(len(tidy), len(w))
		tidy = append(tidy, w...)
		d.last = uint8(de)
	}
	clear(d.buf)
	d.buf, d.slots, d.loose = append(d.buf[:0], tidy...), slots, false
	clear(tidy)
}
