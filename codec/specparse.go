package codec

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxSpecText bounds the text of a dialect.
const maxSpecText = 1 << 20

// ParseSpec reads a dialect from its text table. A table that is wrong is
// refused with a *SpecError that gives the line and the column.
//
// Lines are directives or fields; "#" at the start of a line or after a space
// begins a comment. Directives lay down what fields that follow them take
// unless they say otherwise; those about the whole dialect, which are dialect,
// mti, bitmap, frame, mac and signed, are given once:
//
//	dialect NAME
//	mti     ascii | bcd | ebcdic | ebcdic1047
//	bitmap  binary | hex
//	length  ascii | bcd | binary | ebcdic | ebcdic1047    how LL, LLL, LLLL are written
//	digits  ascii | bcd | ebcdic | ebcdic1047             how n, z and x+n are written
//	text    ascii | ebcdic | ebcdic1047 | gbk | gb18030   how all other characters are written
//	bytes   raw | hex                                     how b is written
//	odd     left | right                                  side of the digits of an odd BCD field
//	filler  0..F                                          nibble that fills up on the other side, alone tolerated from here on
//	accept  any | 0..F [0..F ...]                         nibbles tolerated and kept there besides
//	frame   binary | bcd | ascii | none [tpdu] [header] [max=BYTES]
//	mac     ecb | x9.9 | x9.19 [whole | left | hex] [pad80]
//	signed  MTI [MTI ...]                                 requests that carry a MAC
//
// A field line has the number, the attribute in the standard's notation (n6,
// n..19, ans...999, x+n8, b64 in bits, b..255 in bytes), the shape (fixed,
// LLVAR, LLLVAR, LLLLVAR, then settings of this field alone, joined by commas),
// the name in words, and last how it is shown: !pan (first 6 and last 4
// characters), !hide or !show; without one, as !pan is for DE 2 and !show for
// what no edition of the standard makes card data or leaves to the acquirer, all
// else being hidden. A later line for the same number replaces the earlier one.
//
//	2   n..19   LLVAR             primary account number   !pan
//	22  n3      fixed,left        point of service entry mode
//	54  an...40 LLLVAR,ascii      additional amounts       !hide
//
// The settings are ascii, bcd, ebcdic, ebcdic1047, gbk, gb18030, raw and hex
// (the wire form of the content); for n and z in BCD left, right, filler=0..F
// (tolerated alone unless an accept= follows it) and accept=any or accept=
// followed by nibbles; bytes or digits (what the length counts in BCD content,
// where digits is the rule, and in hex content, where bytes is); pad (fixed text
// shorter than the field is filled with spaces); sign0 (x+n takes the sign "0"
// too); tlv (raw bytes must be what ParseTLV accepts); and length=ascii, bcd,
// binary, ebcdic or ebcdic1047. A setting that says nothing about its field is
// refused.
func ParseSpec(text string) (*Spec, error) {
	s := &Spec{mti: wireASCII, bitmap: wireRaw, frame: Framing{NoTPDU: true, NoHeader: true}, rules: rules{
		length: wireASCII, digits: wireASCII, text: wireASCII, bytes: wireRaw, accept: 1,
	}}
	p := newSpecParser(s)
	fields, err := p.parse(text)
	if err == nil && fields == 0 {
		p.line--
		err = p.fail(1, "no field is defined")
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// With gives the dialect that results when the lines of text follow those of s:
// fields are replaced or added, directives hold for the fields in text.
//
//	s, err := codec.UnionPay().With("48 ans...999 LLLVAR additional data !hide")
func (s *Spec) With(text string) (*Spec, error) {
	c := *s
	if _, err := newSpecParser(&c).parse(text); err != nil {
		return nil, err
	}
	return &c, nil
}

type specParser struct {
	*rules // of spec
	spec   *Spec
	line   int
	given  map[string]bool // directives
}

func newSpecParser(s *Spec) *specParser {
	return &specParser{rules: &s.rules, spec: s, given: make(map[string]bool)}
}

// word is one word of a line and the column that it begins in.
type word struct {
	text string
	col  int
}

// parse reads the lines of text and gives the number of fields among them.
func (p *specParser) parse(text string) (fields int, err error) {
	p.line = 1
	if len(text) > maxSpecText {
		return 0, p.fail(1, "text is longer than 1 MiB")
	}
	text = strings.TrimPrefix(text, "\ufeff") // as some editors begin a file
	for line := range strings.SplitSeq(text, "\n") {
		if !utf8.ValidString(line) {
			return 0, p.fail(1, "line is not UTF-8")
		}
		words := splitWords(line)
		switch {
		case len(words) == 0:
		case words[0].text[0]-'0' <= 9:
			fields++
			err = p.field(words)
		default:
			err = p.directive(words)
		}
		if err != nil {
			return 0, err
		}
		p.line++
	}
	return fields, nil
}

func splitWords(line string) []word {
	var words []word
	col, start, startCol := 0, -1, 0
	for i, r := range line {
		col++
		switch {
		case r == '#' && start < 0:
			return words
		case unicode.IsSpace(r):
			if start >= 0 {
				words = append(words, word{line[start:i], startCol})
			}
			start = -1
		case start < 0:
			start, startCol = i, col
		}
	}
	if start >= 0 {
		words = append(words, word{line[start:], startCol})
	}
	return words
}

func (p *specParser) fail(col int, problem string) error {
	return &SpecError{p.line, col, problem}
}

// choices lists which wire forms each directive takes.
var choices = map[string]string{
	"mti":    "ascii bcd ebcdic ebcdic1047",
	"bitmap": "binary hex",
	"length": "ascii bcd binary ebcdic ebcdic1047",
	"digits": "ascii bcd ebcdic ebcdic1047",
	"text":   "ascii ebcdic ebcdic1047 gbk gb18030",
	"bytes":  "raw hex",
}

func (p *specParser) choose(key string, w word) (wire, error) {
	for c := range strings.FieldsSeq(choices[key]) {
		if c == w.text {
			return wires[c], nil
		}
	}
	return 0, p.fail(w.col, strconv.Quote(w.text)+" is none of: "+choices[key])
}

// directives are all there are; rulers are those that may be given again, for
// the fields that follow.
var (
	directives = []string{"dialect", "mti", "bitmap", "length", "digits", "text", "bytes", "odd", "filler", "accept", "frame", "mac", "signed"}
	rulers     = []string{"length", "digits", "text", "bytes", "odd", "filler", "accept"}
)

func (p *specParser) directive(words []word) error {
	key := words[0].text
	if !slices.Contains(directives, key) {
		return p.fail(words[0].col, "unknown directive "+strconv.Quote(key))
	}
	if once := !slices.Contains(rulers, key); once && p.given[key] {
		return p.fail(words[0].col, "directive "+key+" is given twice")
	}
	p.given[key] = true
	if len(words) < 2 {
		return p.fail(words[0].col, "directive "+strconv.Quote(key)+" needs a value")
	}
	if len(words) > 2 && !strings.Contains(" accept frame mac signed ", " "+key+" ") {
		return p.fail(words[2].col, "one value is enough here")
	}
	var err error
	v := words[1]
	switch key {
	case "dialect":
		p.spec.name = v.text
	case "mti":
		p.spec.mti, err = p.choose(key, v)
	case "bitmap":
		p.spec.bitmap, err = p.choose(key, v)
	case "length":
		p.length, err = p.choose(key, v)
	case "digits":
		p.digits, err = p.choose(key, v)
	case "text":
		p.text, err = p.choose(key, v)
	case "bytes":
		p.bytes, err = p.choose(key, v)
	case "odd":
		p.right, err = p.side(v)
	case "filler":
		p.filler, err = p.nibble(v)
		p.accept = 1 << p.filler
	case "accept":
		p.accept = 1 << p.filler
		for _, w := range words[1:] {
			var set uint16
			set, err = p.nibbles(w)
			p.accept |= set
			if err != nil {
				return err
			}
		}
	case "frame":
		err = p.frame(words[1:])
	case "mac":
		err = p.mac(words[1:])
	case "signed":
		err = p.signed(words[1:])
	}
	return err
}

var lengthForms = map[string]LengthForm{
	"binary": LengthBinary, "bcd": LengthBCD, "ascii": LengthASCII, "none": LengthNone,
}

func (p *specParser) frame(words []word) error {
	form, ok := lengthForms[words[0].text]
	if !ok {
		return p.fail(words[0].col, strconv.Quote(words[0].text)+" is none of: binary bcd ascii none")
	}
	f := Framing{Length: form, NoTPDU: true, NoHeader: true}
	maxAt := words[0].col
	for _, w := range words[1:] {
		limit, isMax := strings.CutPrefix(w.text, "max=")
		switch {
		case w.text == "tpdu" && !f.NoTPDU, w.text == "header" && !f.NoHeader, isMax && f.Max != 0:
			return p.fail(w.col, w.text+" is given a second time")
		case w.text == "tpdu":
			f.NoTPDU = false
		case w.text == "header":
			f.NoHeader = false
		case isMax:
			n, err := strconv.ParseUint(limit, 10, 16)
			if err != nil || n == 0 {
				return p.fail(w.col, "max needs 1 to 65535 bytes")
			}
			f.Max, maxAt = int(n), w.col
		default:
			return p.fail(w.col, strconv.Quote(w.text)+" is none of: tpdu header max=BYTES")
		}
	}
	if f.max() <= f.around() {
		return p.fail(maxAt, "max leaves no room for a message")
	}
	p.spec.frame = f
	return nil
}

func (p *specParser) mac(words []word) error {
	r := macRule{name: words[0].text}
	switch r.name {
	case "ecb", "x9.9", "x9.19":
	default:
		return p.fail(words[0].col, strconv.Quote(r.name)+" is none of: ecb x9.9 x9.19")
	}
	form := false
	for _, w := range words[1:] {
		if r.name == "ecb" {
			return p.fail(w.col, "ecb has no settings")
		}
		if w.text != "pad80" && form || w.text == "pad80" && r.options.Pad80 {
			return p.fail(w.col, "one form and one padding are enough")
		}
		form = form || w.text != "pad80"
		switch w.text {
		case "whole":
			r.options.Form = MACWhole
		case "left":
			r.options.Form = MACLeft
		case "hex":
			r.options.Form = MACHex
		case "pad80":
			r.options.Pad80 = true
		default:
			return p.fail(w.col, strconv.Quote(w.text)+" is none of: whole left hex pad80")
		}
	}
	p.spec.mac = r
	return nil
}

func (p *specParser) signed(words []word) error {
	p.spec.signed = nil // not a part of the dialect that this one may come from
	for _, w := range words {
		t, err := ParseMTI(w.text)
		if err != nil || t.IsResponse() || t.IsRepeat() {
			return p.fail(w.col, "a request's type of four digits is needed, without repeat mark")
		}
		if slices.Contains(p.spec.signed, t) {
			return p.fail(w.col, w.text+" is given twice")
		}
		p.spec.signed = append(p.spec.signed, t)
	}
	return nil
}

func (p *specParser) side(w word) (right bool, err error) {
	switch w.text {
	case "left":
		return false, nil
	case "right":
		return true, nil
	}
	return false, p.fail(w.col, strconv.Quote(w.text)+" is neither left nor right")
}

func (p *specParser) nibble(w word) (byte, error) {
	if len(w.text) == 1 {
		if v := hexValue(w.text[0]); v <= 15 {
			return v, nil
		}
	}
	return 0, p.fail(w.col, strconv.Quote(w.text)+" is no nibble 0..F")
}

// nibbles reads "any" or nibbles written one after the other.
func (p *specParser) nibbles(w word) (uint16, error) {
	if w.text == "any" {
		return 0xFFFF, nil
	}
	var set uint16
	for i := range len(w.text) {
		v := hexValue(w.text[i])
		if v > 15 {
			return 0, p.fail(w.col+i, "accept takes any or nibbles 0..F")
		}
		set |= 1 << v
	}
	if set == 0 {
		return 0, p.fail(w.col, "accept takes any or nibbles 0..F")
	}
	return set, nil
}
