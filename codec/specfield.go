package codec

import (
	"strconv"
	"strings"
)

// field reads a field line: number, attribute, shape, name, mask.
func (p *specParser) field(words []word) error {
	de, err := strconv.Atoi(words[0].text)
	if err != nil || de < 2 || de > lastField || words[0].text != strconv.Itoa(de) {
		return p.fail(words[0].col, "field number must be 2 to 128")
	}
	if de == 65 {
		return p.fail(words[0].col, "field 65 would announce a tertiary bitmap, which is not supported")
	}
	if len(words) < 4 {
		last := words[len(words)-1]
		return p.fail(last.col, "a field needs number, attribute, shape and name")
	}
	f := field{de: de, filler: p.filler, accept: p.accept, right: p.right, prefix: p.length, mask: defaultMask(de)}
	if err := p.attribute(&f, words[1]); err != nil {
		return err
	}
	f.allow = f.class.sets()
	switch f.class {
	case classN, classZ, classXN:
		f.wire = p.digits
	case classB:
		f.wire, f.inByte = p.bytes, true
	default:
		f.wire = p.text
	}
	if err := p.shape(&f, words[2]); err != nil {
		return err
	}
	name := words[3:]
	if last := name[len(name)-1]; strings.HasPrefix(last.text, "!") {
		m, ok := maskNames[last.text[1:]]
		if !ok {
			return p.fail(last.col, strconv.Quote(last.text)+" is none of !pan, !hide, !show")
		}
		f.mask = m
		if name = name[:len(name)-1]; len(name) == 0 {
			return p.fail(last.col, "a field needs a name")
		}
	}
	parts := make([]string, len(name))
	for i, w := range name {
		if strings.HasPrefix(w.text, "!") {
			return p.fail(w.col, "how a field is shown stands once, behind its name")
		}
		parts[i] = w.text
	}
	f.name = strings.Join(parts, " ")
	if err := p.sound(&f, words); err != nil {
		return err
	}
	f.before = uint16(f.prefixBytes())
	p.spec.fields[de] = f
	p.spec.ways[de-1] = f.way()
	return nil
}

// attribute reads the standard's notation: class, dots, number.
func (p *specParser) attribute(f *field, w word) error {
	s := w.text
	i := strings.IndexAny(s, ".0123456789")
	if i < 0 {
		return p.fail(w.col, "attribute "+strconv.Quote(s)+" has no length")
	}
	c, ok := classes[s[:i]]
	if !ok {
		return p.fail(w.col, "class "+strconv.Quote(s[:i])+" is none of n, a, an, anp, as, ns, ans, z, b, x+n")
	}
	rest := strings.TrimLeft(s[i:], ".")
	dots := len(s) - i - len(rest)
	if dots == 1 || dots > 4 {
		return p.fail(w.col+i, "two, three or four dots stand for a variable length")
	}
	n, err := strconv.ParseUint(rest, 10, 16)
	if err != nil || n == 0 || n > 9999 || rest[0] == '0' && dots == 0 {
		return p.fail(w.col+i+dots, "length must be 1 to 9999")
	}
	f.class, f.digits, f.max = c, dots, int(n)
	if c == classB && dots == 0 {
		if n%8 != 0 {
			return p.fail(w.col+i, "a fixed b field is given in bits, a multiple of 8")
		}
		f.max = int(n / 8)
	}
	return nil
}

var shapes = map[string]int{"fixed": 0, "LLVAR": 2, "LLLVAR": 3, "LLLLVAR": 4}

// shape reads "LLVAR,setting,setting".
func (p *specParser) shape(f *field, w word) error {
	col := w.col
	given := make(map[string]word)
	for i, s := range strings.Split(w.text, ",") {
		at := word{s, col}
		col += len([]rune(s)) + 1
		if i > 0 {
			kind := kindOfSetting(s)
			if _, twice := given[kind]; twice {
				return p.fail(at.col, "the "+kind+" is given twice")
			}
			if _, has := given["accept"]; has && kind == "filler" {
				return p.fail(at.col, "filler must stand before accept, which adds to it")
			}
			if err := p.setting(f, at); err != nil {
				return err
			}
			given[kind] = at
			continue
		}
		digits, ok := shapes[s]
		if !ok {
			return p.fail(at.col, "shape "+strconv.Quote(s)+" is none of fixed, LLVAR, LLLVAR, LLLLVAR")
		}
		if digits != f.digits {
			return p.fail(at.col, "shape "+s+" does not fit the attribute's dots")
		}
	}
	return p.meant(f, given)
}

// kindOfSetting is what a setting lays down; only one of a kind can hold.
func kindOfSetting(s string) string {
	key, _, _ := strings.Cut(s, "=")
	switch key {
	case "left", "right":
		return "side"
	case "bytes", "digits":
		return "count"
	}
	if _, form := wires[key]; form {
		return "form"
	}
	return key
}

// meant refuses settings that say nothing about the field.
func (p *specParser) meant(f *field, given map[string]word) error {
	bcd := f.wire == wireBCD && (f.class == classN || f.class == classZ)
	for _, kind := range []string{"side", "filler", "accept", "length", "count"} {
		w, is := given[kind]
		switch {
		case !is:
		case kind == "length" && f.digits == 0:
			return p.fail(w.col, "a fixed field has no length")
		case kind == "count" && (f.digits == 0 || !bcd && f.wire != wireHex && (f.class != classB || w.text != "bytes")):
			return p.fail(w.col, w.text+" is for the length of bcd and hex")
		case kind != "length" && kind != "count" && !bcd:
			return p.fail(w.col, "left, right, filler and accept are for n and z in bcd")
		case kind != "length" && kind != "count" && f.digits == 0 && f.max%2 == 0:
			return p.fail(w.col, "an even number of digits leaves nothing to fill")
		case kind == "accept" && f.digits != 0 && f.inByte:
			return p.fail(w.col, "a length in bytes is told its filler by filler alone")
		}
	}
	return nil
}

func (p *specParser) setting(f *field, w word) (err error) {
	key, value, has := strings.Cut(w.text, "=")
	v := word{value, w.col + len(key) + 1}
	if has {
		switch key {
		case "filler":
			f.filler, err = p.nibble(v)
			f.accept = 1 << f.filler
		case "accept":
			var set uint16
			set, err = p.nibbles(v)
			f.accept |= set
		case "length":
			f.prefix, err = p.choose("length", v)
		default:
			err = p.fail(w.col, "unknown setting "+strconv.Quote(key))
		}
		return err
	}
	switch key {
	case "left", "right":
		f.right = key == "right"
	case "bytes", "digits":
		f.inByte = key == "bytes"
	case "pad":
		f.pad = true
	case "sign0":
		f.sign0 = true
	case "tlv":
		f.tlv = true
	default:
		form, ok := wires[key]
		if !ok || key == "binary" {
			return p.fail(w.col, "unknown setting "+strconv.Quote(key))
		}
		f.wire = form
	}
	return nil
}

// sound refuses combinations that mean nothing.
func (p *specParser) sound(f *field, words []word) error {
	at := words[2].col
	numeric := f.class == classN || f.class == classZ || f.class == classXN
	switch {
	case (f.wire == wireRaw || f.wire == wireHex) != (f.class == classB):
		return p.fail(at, "raw and hex are for class b, and class b takes no other")
	case f.wire == wireBCD && !numeric:
		return p.fail(at, "bcd is for n, z and x+n")
	case (f.wire == wireGBK || f.wire == wireGB18030) && f.class != classANS:
		if numeric {
			return p.fail(at, "gbk and gb18030 are for text")
		}
		f.wire = wireASCII
	case f.pad && (f.digits != 0 || numeric || f.class == classB):
		return p.fail(at, "pad is for fixed text")
	case f.sign0 && f.class != classXN:
		return p.fail(at, "sign0 is for x+n")
	case f.tlv && f.wire != wireRaw:
		return p.fail(at, "tlv is for raw bytes")
	case f.class == classXN && f.digits != 0:
		return p.fail(at, "x+n has a fixed length")
	case f.class == classXN && f.wire == wireBCD && f.max%2 != 0:
		return p.fail(at, "x+n in bcd needs an even number of digits")
	case f.right && f.digits != 0 && f.inByte && f.wire == wireBCD:
		return p.fail(at, "a length in bytes needs its digits on the left")
	case f.class == classZ && f.digits != 0 && f.inByte && f.wire == wireBCD && f.filler == 0xD:
		return p.fail(at, "a length in bytes needs a filler that is not the separator of tracks")
	}
	return p.fits(f, words[1].col)
}

// fits refuses a largest length that the length prefix cannot hold.
func (p *specParser) fits(f *field, col int) error {
	if f.digits == 0 {
		return nil
	}
	limit := [...]int{2: 99, 3: 999, 4: 9999}[f.digits]
	if f.prefix == wireRaw {
		limit = [...]int{2: 255, 3: 9999, 4: 9999}[f.digits]
	}
	if got := f.count(f.max); got > limit {
		return p.fail(col, "a length of "+strconv.Itoa(got)+" does not fit into the prefix")
	}
	return nil
}

// count is what the length prefix says of n units of content.
func (f *field) count(n int) int {
	switch {
	case f.wire == wireBCD && f.inByte:
		return (n + 1) / 2
	case f.wire == wireHex && !f.inByte:
		return 2 * n
	}
	return n
}
