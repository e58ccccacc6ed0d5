package codec

// kind is one of the plain shapes that most fields have, for which there are
// short ways.
type kind uint8

const (
	kindOther     kind = iota
	kindNumber         // fixed, class n in BCD, at most 16 digits
	kindNumberVar      // class n in BCD on the left, a byte of length in BCD that counts digits
	kindPrint          // fixed text of all printable characters, in ASCII or in Chinese that happens to be
	kindChars          // fixed digits, letters and digits, or these and spaces, in ASCII
	kindRaw            // fixed bytes as they are
	kindRawVar         // bytes as they are, two bytes of length in BCD
)

// way is what the short ways must know of a field. The words of 64 bits are
// about the first 8 bytes on the wire, the first of them the highest.
type way struct {
	kind   kind
	plain  bool   // the content is read as it stands on the wire
	before uint8  // bytes of the length prefix
	skip   uint8  // bits of filler in front of a number
	bytes  uint16 // bytes of the longest content on the wire
	max    uint16 // digits, characters or bytes of content
	allow  uint8  // sets of characters in the content

	// The lowest bit of each nibble that must be a digit, or the highest of
	// each byte that must be a character of the class.
	check uint64
	own   uint64 // all bits of the text that the field has there

	fill, filler    uint64 // the bits of a number's filler that must be as in filler
	letters, spaces uint64 // all highest bits, if the characters may be such
}

// way works out the short way of a field that is otherwise complete.
func (f *field) way() way {
	w := way{
		plain:  f.wire == wireRaw || f.wire == wireASCII,
		before: uint8(f.before),
		bytes:  uint16(f.size(f.max)),
		max:    uint16(f.max),
		allow:  f.allow,
	}
	number := f.class == classN && f.wire == wireBCD
	text := f.class != classXN && (f.wire == wireASCII || f.wire == wireGBK || f.wire == wireGB18030)
	raw := f.wire == wireRaw && !f.tlv
	strict := f.accept == 1<<f.filler
	fills := strict || f.accept == 0xFFFF
	switch {
	case number && f.digits == 0 && f.max <= 16 && (fills || f.max%2 == 0):
		w.number(f, strict)
	case number && f.digits == 2 && f.prefix == wireBCD && !f.inByte && !f.right && fills:
		w.kind, w.filler = kindNumberVar, uint64(f.filler)
		if strict {
			w.fill = 15
		}
	case text && f.digits == 0:
		w.text(f.max)
	case raw && f.digits == 0:
		w.kind = kindRaw
	case raw && f.digits == 3 && f.prefix == wireBCD:
		w.kind = kindRawVar
	}
	return w
}

// number says where the digits of a fixed number are and where its filler is.
func (w *way) number(f *field, strict bool) {
	w.kind = kindNumber
	w.check = eachNibble << (64 - 4*f.max)
	if f.max%2 == 0 {
		return
	}
	at := 60 - 4*f.max // how far left the nibble behind the digits stands
	if f.right {
		w.check >>= 4
		w.skip, at = 4, 60
	}
	w.filler = uint64(f.filler) << at
	if strict {
		w.fill = 15 << at
	}
}

// text says which characters fixed text of size bytes may have.
func (w *way) text(size int) {
	behind := 8 * max(0, 8-size)
	w.check, w.own = eachTop<<behind, ^uint64(0)<<behind
	switch w.allow {
	case setPrintable:
		w.kind = kindPrint
	case setDigit | setAlpha | setSpace:
		w.kind, w.letters, w.spaces = kindChars, eachTop, eachTop
	case setDigit | setAlpha:
		w.kind, w.letters = kindChars, eachTop
	case setDigit:
		w.kind = kindChars
	}
}

// allows reports whether all of v is in the class of a field of kindPrint or
// kindChars. It may say no of what is not ASCII.
func (w *way) allows(v string) bool {
	if len(v) < 8 {
		return badChar(v, w.allow) < 0
	}
	wrong := uint64(0)
	for i := 0; i < len(v); i += 8 {
		x := load8(v[min(i, len(v)-8):])
		in := within(x, 0x20, 0x7E)
		if w.kind == kindChars {
			in = within(x, '0', '9') | within(x|0x20*eachOne, 'a', 'z')&w.letters | within(x, ' ', ' ')&w.spaces
		}
		wrong |= ^in | x
	}
	return wrong&eachTop == 0
}

// pack writes the digits of a fixed number and up to four bytes of nothing
// behind them. It reports false if v holds anything else.
func (w *way) pack(dst []byte, v string) bool {
	switch {
	case len(v) != int(w.max):
		return false
	case len(v)%2 == 0:
		return packFixed(dst, v)
	case w.skip != 0:
		c := v[0] - '0'
		dst[0] = byte(w.filler>>56) | c&15
		return c <= 9 && packFixed(dst[1:], v[1:])
	}
	n := len(v) / 2
	c := v[2*n] - '0'
	ok := packFixed(dst, v[:2*n])
	dst[n] = c<<4 | byte(w.filler>>(56-8*n))
	return ok && c <= 9
}
