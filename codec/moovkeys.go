package codec

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// moovKeys are the keys of the format.
var moovKeys = []string{
	"name", "fields", "type", "length", "description", "enc", "prefix", "padding", "pad",
	"tag", "sort", "subfields", "bitmap", "disableautoexpand",
}

// moovObject is an object of JSON as far as its keys were read.
type moovObject struct {
	list  bool // an array, which has no keys
	free  bool // its keys are numbers and tags of fields, not words of the format
	inner bool // the value that follows has such keys
	value bool // a value follows, not a key
	seen  map[string]bool
}

// maxMoovDepth bounds how deeply composites may be nested, far above what there
// is.
const maxMoovDepth = 32

// misspelt looks in b for keys that occur twice or are not the format's own,
// letter for letter: a reader of JSON lets the last of them win, and takes
// others for the same. It gives what is wrong, "" if nothing is or b is no JSON
// up to there.
func misspelt(b []byte) string {
	var open []moovObject
	dec := json.NewDecoder(bytes.NewReader(b))
	for {
		token, err := dec.Token()
		if err != nil {
			return ""
		}
		if problem := readKey(&open, token); problem != "" {
			return problem
		}
		if len(open) > maxMoovDepth {
			return "nested too deeply"
		}
	}
}

func readKey(open *[]moovObject, token json.Token) string {
	var in *moovObject
	if n := len(*open); n > 0 {
		in = &(*open)[n-1]
	}
	switch d, _ := token.(json.Delim); {
	case d == '}' || d == ']':
		*open = (*open)[:len(*open)-1]
		return ""
	case in != nil && !in.list && !in.value:
		return in.key(token.(string))
	case in != nil:
		in.value = false
		fallthrough
	default:
		if d != 0 {
			*open = append(*open, moovObject{list: d == '[', free: in != nil && in.inner})
		}
	}
	return ""
}

func (o *moovObject) key(k string) string {
	switch {
	case o.seen[k]:
		return "key " + strconv.Quote(k) + " occurs twice"
	case !o.free && !slices.Contains(moovKeys, k):
		return "key " + strconv.Quote(k) + " is none of the format's"
	case o.seen == nil:
		o.seen = make(map[string]bool)
	}
	o.seen[k] = true
	o.value, o.inner = true, !o.free && (k == "fields" || k == "subfields")
	return ""
}

var (
	moovTypes     = []string{"String", "Numeric", "Binary", "Bitmap", "Composite", "Hex", "Track1", "Track2", "Track3"}
	moovEncodings = []string{"ASCII", "BCD", "LBCD", "EBCDIC", "Binary", "Hex", "HexToASCII", "ASCIIToHex", "BerTLVTag"}
	moovPrefixes  = []string{"ASCII", "BCD", "EBCDIC", "Hex", "Binary"}
)

// moovPrefix takes a prefix apart: how the length is written, and its letters
// or "Fixed".
func moovPrefix(s string) (how, size string, ok bool) {
	how, size, ok = strings.Cut(s, ".")
	ok = ok && slices.Contains(moovPrefixes, how) && (size == "Fixed" || size != "" && strings.Trim(size, "L") == "")
	return how, size, ok
}

// nested says what is wrong with the parts of a composite, which are not taken
// apart here but must be what the format has.
func (f moovField) nested() string {
	for _, key := range sortedByNumber(f.Subfields) {
		s := f.Subfields[key]
		_, _, ok := moovPrefix(s.Prefix)
		problem := s.nested()
		switch {
		case !slices.Contains(moovTypes, s.Type):
			problem = quoted("type", s.Type)
		case !ok && s.Prefix != "BerTLV":
			problem = quoted("prefix", s.Prefix)
		case len(s.Subfields) == 0 && !slices.Contains(moovEncodings, s.Enc):
			problem = quoted("encoding", s.Enc)
		}
		if problem != "" {
			return "subfield " + strconv.Quote(key) + ": " + problem
		}
	}
	return ""
}
