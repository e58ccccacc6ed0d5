package codec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// MoovError says which part of a specification in the JSON format of
// moov-io/iso8583 cannot be read or written, and why.
type MoovError struct {
	Field   string // the number as written; "" for the whole
	Problem string
}

func (e *MoovError) Error() string {
	if e.Field == "" {
		return "moov specification: " + e.Problem
	}
	return "moov specification: field " + e.Field + ": " + e.Problem
}

type moovSpec struct {
	Name   string               `json:"name,omitempty"`
	Fields map[string]moovField `json:"fields"`
}

type moovField struct {
	Type              string               `json:"type,omitempty"`
	Length            int                  `json:"length,omitempty"`
	Description       string               `json:"description,omitempty"`
	Enc               string               `json:"enc,omitempty"`
	Prefix            string               `json:"prefix,omitempty"`
	Padding           *moovPadding         `json:"padding,omitempty"`
	Tag               *moovTag             `json:"tag,omitempty"`
	Subfields         map[string]moovField `json:"subfields,omitempty"`
	Bitmap            *moovField           `json:"bitmap,omitempty"`
	DisableAutoExpand bool                 `json:"disableautoexpand,omitempty"`
}

type moovTag struct {
	Length  int          `json:"length,omitempty"`
	Enc     string       `json:"enc,omitempty"`
	Padding *moovPadding `json:"padding,omitempty"`
	Sort    string       `json:"sort,omitempty"`
}

type moovPadding struct {
	Type string `json:"type"`
	Pad  string `json:"pad"`
}

// ParseMoovJSON reads a dialect from the JSON format of moov-io/iso8583. The
// result has the same wire form. Numbers keep their zeros, values are checked
// by their class (String is ans, or n in BCD; Numeric is n), fixed fields take
// their exact length, and a composite is one binary field whose subfields stay
// together. What has no counterpart is refused with a *MoovError: one-digit and
// hexadecimal lengths, padding of variable fields or on the left with anything
// but zeros, ASCIIToHex of variable length (whose writer and reader disagree),
// fields above 128, keys that the format does not have, that are written in
// another case or that occur twice.
func ParseMoovJSON(b []byte) (*Spec, error) {
	var in moovSpec
	if len(b) > maxSpecText {
		return nil, &MoovError{Problem: "longer than 1 MiB"}
	}
	if problem := misspelt(b); problem != "" {
		return nil, &MoovError{Problem: problem}
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return nil, &MoovError{Problem: "not its JSON: " + err.Error()}
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, &MoovError{Problem: "something follows the JSON value"}
	}
	if len(in.Fields) == 0 {
		return nil, &MoovError{Problem: "no field is defined"}
	}
	lines, err := moovLines(in.Fields)
	if err != nil {
		return nil, err
	}
	s, err := ParseSpec(lines)
	if err != nil {
		return nil, &MoovError{Problem: err.Error()}
	}
	s.name = in.Name
	return s, nil
}

// moovLines writes the fields as lines of a table, trying each on its own.
func moovLines(fields map[string]moovField) (string, error) {
	var all strings.Builder
	for _, key := range sortedByNumber(fields) {
		f := fields[key]
		line, problem := f.line(key)
		if problem != "" {
			return "", &MoovError{key, problem}
		}
		if err := tryLine(line); err != nil {
			return "", &MoovError{key, err.Problem}
		}
		all.WriteString(line + "\n")
	}
	return all.String(), nil
}

// tryLine parses one line of a table.
func tryLine(line string) *SpecError {
	var s Spec
	if _, err := newSpecParser(&s).parse(line); err != nil {
		return err.(*SpecError)
	}
	return nil
}

func sortedByNumber[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return keys
}

// line gives the line of a table that means the same, or what is in the way.
func (f moovField) line(key string) (line, problem string) {
	switch {
	case len(key) > 3 || key == "" || badChar(key, setDigit) >= 0 || len(key) > 1 && key[0] == '0':
		return "", "its number is not 0 to 128"
	case f.Length < 1 || f.Length > 9999:
		return "", "its length is not 1 to 9999"
	case (key == "0" || key == "1") && !f.bare():
		return "", "the message type and the bitmap have no parts, and no padding but zeros on the left"
	case key == "0":
		return f.typeLine()
	case key == "1":
		return f.bitmapLine()
	}
	prefix, size, ok := moovPrefix(f.Prefix)
	shape, dots, how := "fixed", "", ""
	if !ok {
		return "", quoted("prefix", f.Prefix)
	}
	if size != "Fixed" {
		length, has := map[string]string{"ASCII": "ascii", "BCD": "bcd", "EBCDIC": "ebcdic", "Binary": "binary"}[prefix]
		if !has || len(size) > 4 {
			return "", quoted("prefix", f.Prefix)
		}
		if prefix == "Binary" {
			size += "L" // its letters count bytes
		}
		if len(size) < 2 || prefix == "Binary" && len(size) > 3 {
			return "", quoted("prefix", f.Prefix)
		}
		shape, dots, how = size+"VAR", strings.Repeat(".", len(size)), ",length="+length
	}
	class, wire, problem := f.content(size == "Fixed")
	if problem != "" {
		return "", problem
	}
	length := f.Length
	if class == "b" && dots == "" {
		length *= 8
	}
	pad, problem := f.padding(class, dots != "")
	if problem != "" {
		return "", problem
	}
	return fmt.Sprintf("%s %s%s%d %s%s,%s%s %s", key, class, dots, length, shape, how, wire, pad, plainName(f.Description, key)), ""
}

// bare reports whether the field has nothing but a type, a length and a form.
func (f moovField) bare() bool {
	p := f.Padding
	return len(f.Subfields) == 0 && f.Tag == nil && f.Bitmap == nil &&
		(p == nil || p.Type == "None" || p.Type == "Left" && p.Pad == "0")
}

func quoted(what, value string) string {
	return what + " " + strconv.Quote(value) + " has no counterpart"
}

func (f moovField) typeLine() (line, problem string) {
	how, ok := map[string]string{"ASCII": "ascii", "BCD": "bcd", "EBCDIC": "ebcdic"}[f.Enc]
	number := f.Type == "String" || f.Type == "Numeric"
	if _, size, known := moovPrefix(f.Prefix); !ok || !number || f.Length != 4 || !known || size != "Fixed" || f.DisableAutoExpand {
		return "", "the message type needs 4 fixed digits in ASCII, BCD or EBCDIC"
	}
	return "mti " + how, ""
}

func (f moovField) bitmapLine() (line, problem string) {
	how, ok := map[string]string{"Binary": "binary", "Hex": "hex", "HexToASCII": "hex"}[f.Enc]
	_, size, known := moovPrefix(f.Prefix)
	switch {
	case !ok:
		return "", quoted("encoding", f.Enc)
	case !known || size != "Fixed":
		return "", quoted("prefix", f.Prefix)
	case f.Type != "Bitmap":
		return "", "field 1 must be the bitmap"
	case f.DisableAutoExpand || f.Length != 8 && f.Length != 16:
		return "", "only bitmaps of 8 bytes that a second one may follow are known"
	}
	return "bitmap " + how, ""
}

// content gives the class and the wire form in the words of a table.
func (f moovField) content(fixed bool) (class, wire, problem string) {
	composite := len(f.Subfields) > 0 || f.Type == "Composite"
	switch {
	case f.DisableAutoExpand:
		return "", "", "disableautoexpand is for bitmaps"
	case composite && f.Bitmap == nil:
		return "b", "raw", f.nested()
	case composite || f.Tag != nil || f.Bitmap != nil:
		return "", "", "composites with a bitmap, and tags without subfields, have no counterpart"
	}
	class = map[string]string{"String": "ans", "Numeric": "n", "Binary": "b"}[f.Type]
	switch {
	case class == "":
		return "", "", quoted("type", f.Type)
	case class == "b" && f.Enc == "Binary":
		return "b", "raw", ""
	case class != "n" && (f.Enc == "Hex" || f.Enc == "HexToASCII"):
		return "b", "hex", ""
	case class == "ans" && f.Enc == "ASCIIToHex" && fixed:
		return "b", "raw", ""
	case class != "b" && fixed && f.Length%2 == 0 && (f.Enc == "BCD" || f.Enc == "LBCD"):
		return "n", "bcd", "" // nothing is filled
	case class != "b" && f.Enc == "BCD":
		return "n", "bcd,right", ""
	case class != "b" && f.Enc == "LBCD":
		return "n", "bcd,left", ""
	case class != "b" && f.Enc == "ASCII":
		return class, "ascii", ""
	case class != "b" && f.Enc == "EBCDIC":
		return class, "ebcdic", ""
	}
	return "", "", quoted("encoding", f.Enc) + " in a field of type " + f.Type
}

// padding gives the setting that stands for the padding. Zeros in front are
// what a fixed number has anyway.
func (f moovField) padding(class string, variable bool) (setting, problem string) {
	p := f.Padding
	switch {
	case p == nil || p.Type == "None":
		return "", ""
	case variable:
		return "", "padding of a variable field has no counterpart"
	case p.Type == "Left" && p.Pad == "0":
		return "", ""
	case p.Type == "Right" && p.Pad == " " && class == "ans":
		return ",pad", ""
	}
	return "", "padding " + strconv.Quote(p.Type) + " with " + strconv.Quote(p.Pad) + " has no counterpart"
}

// plainName makes a description fit for the end of a line.
func plainName(s, key string) string {
	words := strings.FieldsFunc(s, func(r rune) bool { return r <= ' ' || r == '#' || r == '!' || r == '\u0085' || r == '\u00a0' })
	name := strings.Join(words, " ")
	if strings.TrimSpace(strings.ToValidUTF8(name, "")) == "" {
		return "field " + key
	}
	return strings.ToValidUTF8(name, "")
}
