package codec

import (
	"slices"
	"strconv"
)

// maxMessage bounds the encoded message, and with it all that a message can
// make this package allocate.
const maxMessage = 65535

// maxFields is how many bytes of fields fit into a message whatever its type
// and bitmaps take.
const maxFields = maxMessage - maxHead

const lastField = 128

// class is the kind of characters that a field holds.
type class uint8

const (
	classNone class = iota
	classN          // digits
	classA          // letters
	classAN         // letters and digits
	classANP        // letters, digits and spaces
	classAS         // letters and special characters
	classNS         // digits and special characters
	classANS        // all printable characters
	classZ          // track data: digits and "="
	classB          // bytes
	classXN         // C or D, then digits
)

var classes = map[string]class{
	"n": classN, "a": classA, "an": classAN, "anp": classANP, "as": classAS, "ns": classNS,
	"ans": classANS, "z": classZ, "b": classB, "x+n": classXN,
}

// sets gives the characters of a class; classXN's digits only.
func (c class) sets() uint8 {
	switch c {
	case classN, classXN:
		return setDigit
	case classA:
		return setAlpha | setSpace
	case classAN:
		return setAlpha | setDigit
	case classANP:
		return setAlpha | setDigit | setSpace
	case classAS:
		return setAlpha | setSpecial | setSpace
	case classNS:
		return setDigit | setSpecial | setSpace
	case classZ:
		return setDigit | setEqual
	}
	return setPrintable
}

// wire is how content, a length or the message type is written in bytes.
type wire uint8

const (
	wireNone wire = iota
	wireASCII
	wireBCD
	wireEBCDIC
	wireEBCDIC1047
	wireGBK
	wireGB18030
	wireRaw // bytes as they are
	wireHex // two upper-case hexadecimal characters a byte
)

var wires = map[string]wire{
	"ascii": wireASCII, "bcd": wireBCD, "ebcdic": wireEBCDIC, "ebcdic1047": wireEBCDIC1047,
	"gbk": wireGBK, "gb18030": wireGB18030, "raw": wireRaw, "binary": wireRaw, "hex": wireHex,
}

// page gives the code page of an EBCDIC wire form, nil for all others.
func (w wire) page() *page {
	switch w {
	case wireEBCDIC:
		return page037()
	case wireEBCDIC1047:
		return page1047()
	}
	return nil
}

// field is one row of a dialect's table, ready for use.
type field struct {
	class  class
	wire   wire
	allow  uint8  // sets of characters in the content
	before uint16 // bytes of the length prefix
	max    int    // digits, characters or bytes of content
	name   string
	de     int
	prefix wire   // how the length is written
	digits int    // decimal digits of the length; 0 for a fixed field
	inByte bool   // the length counts bytes, not digits, of BCD or hex content
	right  bool   // an odd number of digits is filled in front, not behind
	filler byte   // the nibble that fills up
	accept uint16 // the nibbles tolerated in its place, a bit each
	pad    bool   // short fixed text is filled with spaces on the right
	sign0  bool   // x+n also takes the sign "0"
	tlv    bool   // the bytes must be well-formed BER-TLV
	mask   mask
}

func (f *field) defined() bool { return f.max != 0 }

// prefixBytes is the number of bytes that the length takes.
func (f *field) prefixBytes() int {
	if f.digits == 0 {
		return 0
	}
	switch f.prefix {
	case wireBCD:
		return (f.digits + 1) / 2
	case wireRaw:
		if f.digits == 2 {
			return 1
		}
		return 2
	}
	return f.digits
}

// size is the number of bytes that n units of content take.
func (f *field) size(n int) int {
	switch {
	case f.class == classXN && f.wire == wireBCD:
		return 1 + n/2
	case f.class == classXN:
		return 1 + n
	case f.wire == wireBCD:
		return (n + 1) / 2
	case f.wire == wireHex:
		return 2 * n
	}
	return n
}

// Spec is a dialect of ISO 8583: which fields there are and how each is written
// on the wire. It never changes once made and may be used by any number of
// goroutines at once.
type Spec struct {
	name   string
	mti    wire
	bitmap wire // wireRaw or wireHex
	rules  rules
	frame  Framing
	mac    macRule
	signed []MTI          // requests that carry a MAC, as their answers do
	ways   [lastField]way // of the fields, from field 1 on
	fields [lastField + 1]field
}

// rules are what field lines take unless they say otherwise.
type rules struct {
	length wire
	digits wire
	text   wire
	bytes  wire
	right  bool
	filler byte
	accept uint16
}

// Framing is how messages of the dialect are wrapped on a line.
func (s *Spec) Framing() Framing { return s.frame }

// CarriesMAC reports whether messages of this type, a request or its answer,
// carry a MAC. Hosts leave it out of refusals.
func (s *Spec) CarriesMAC(t MTI) bool {
	return slices.Contains(s.signed, t.Unrepeated()&^0x0010)
}

// macRule is the algorithm of a dialect's MAC.
type macRule struct {
	name    string // ecb, x9.9, x9.19 or "" for none
	options MACOptions
}

// NewMAC makes the dialect's MAC with a key in software. A dialect without an
// algorithm returns ErrNoMAC.
func (s *Spec) NewMAC(key []byte) (MAC, error) {
	switch s.mac.name {
	case "ecb":
		return NewECBMAC(key)
	case "x9.9":
		return NewX99MAC(key, s.mac.options)
	case "x9.19":
		return NewX919MAC(key, s.mac.options)
	}
	return nil, &FieldError{Offset: -1, Err: ErrNoMAC, Detail: "the dialect names no algorithm"}
}

// Name is the dialect's name, as its table gives it.
func (s *Spec) Name() string { return s.name }

// FieldName is the name that the dialect gives to a data element, "" if it does
// not define it.
func (s *Spec) FieldName(de int) string {
	if f := s.field(de); f != nil {
		return f.name
	}
	return ""
}

// Defines reports whether the dialect has the data element.
func (s *Spec) Defines(de int) bool { return s.field(de) != nil }

// field gives the definition of a data element, nil if there is none.
func (s *Spec) field(de int) *field {
	if de < 2 || de > lastField || !s.fields[de].defined() {
		return nil
	}
	return &s.fields[de]
}

// mtiBytes is the number of bytes that the message type takes.
func (s *Spec) mtiBytes() int {
	if s.mti == wireBCD {
		return 2
	}
	return 4
}

// bitmapBytes is the number of bytes that one bitmap of 64 bits takes.
func (s *Spec) bitmapBytes() int {
	if s.bitmap == wireHex {
		return 16
	}
	return 8
}

// SpecError says where the text of a dialect is wrong. Line and Column count
// from 1, columns in characters.
type SpecError struct {
	Line, Column int
	Problem      string
}

func (e *SpecError) Error() string {
	return "iso8583 dialect: line " + strconv.Itoa(e.Line) + ", column " + strconv.Itoa(e.Column) + ": " + e.Problem
}
