package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// SyntaxError says where a body is not what it should be. It never holds a value.
type SyntaxError struct {
	Pointer string // JSON pointer; empty: the whole
	Offset  int64  // byte behind which it was noticed; 0: not at a byte
	Problem string
}

func (e *SyntaxError) Error() string {
	at := e.Pointer
	if at == "" {
		at = "the body"
	}
	if e.Offset > 0 {
		at += fmt.Sprintf(" (byte %d)", e.Offset)
	}
	return at + ": " + e.Problem
}

const (
	maxDepth  = 8         // of nesting in any message
	maxNumber = 1<<53 - 1 // what every JSON library holds exactly
)

// reader reads one JSON text strictly. The first error sticks and is told by end.
type reader struct {
	dec  *json.Decoder
	path []string
	err  error
}

// newReader checks that body is one JSON text of up to most bytes.
func newReader(body []byte, most int) (*reader, error) {
	switch {
	case len(body) > most:
		return nil, &SyntaxError{Problem: fmt.Sprintf("has %d bytes, allowed are up to %d", len(body), most)}
	case !utf8.Valid(body):
		return nil, &SyntaxError{Problem: "is not valid UTF-8"}
	}
	if at := tooDeep(body); at > 0 {
		return nil, &SyntaxError{Offset: int64(at), Problem: fmt.Sprintf("is nested deeper than %d", maxDepth)}
	}
	var raw json.RawMessage
	if err := json.Unmarshal(body, &raw); err != nil {
		return nil, &SyntaxError{Offset: offsetOf(err), Problem: "is not one JSON value"}
	}
	if at := halfSurrogate(body); at > 0 {
		return nil, &SyntaxError{Offset: int64(at), Problem: "half a surrogate pair"}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	return &reader{dec: dec}, nil
}

func offsetOf(err error) int64 {
	var s *json.SyntaxError
	if errors.As(err, &s) {
		return s.Offset
	}
	return 0
}

// tooDeep finds where brackets outside of strings nest deeper than maxDepth.
func tooDeep(body []byte) int {
	depth, inText := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			if depth++; depth > maxDepth {
				return i + 1
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return 0
}

// halfSurrogate finds an escape of half a surrogate pair in a valid JSON text,
// which decoders would turn into another character.
func halfSurrogate(body []byte) int {
	unit := func(i int) uint64 {
		if i+6 > len(body) || body[i] != '\\' || body[i+1] != 'u' {
			return 0
		}
		u, _ := strconv.ParseUint(string(body[i+2:i+6]), 16, 16)
		return u
	}
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		u := unit(i)
		switch {
		case u >= 0xD800 && u < 0xDC00:
			if low := unit(i + 6); low < 0xDC00 || low > 0xDFFF {
				return i + 1
			}
			i += 11
		case u >= 0xDC00 && u <= 0xDFFF:
			return i + 1
		default:
			i++
		}
	}
	return 0
}

func (r *reader) pointer() string {
	var b strings.Builder
	for _, p := range r.path {
		b.WriteByte('/')
		b.WriteString(strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
	}
	return b.String()
}

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = &SyntaxError{Pointer: r.pointer(), Offset: r.dec.InputOffset(), Problem: fmt.Sprintf(format, args...)}
	}
}

func (r *reader) token() json.Token {
	if r.err != nil {
		return nil
	}
	t, err := r.dec.Token()
	if err != nil {
		r.fail("is not JSON")
		return nil
	}
	return t
}

// object reads an object; member reads the value of a name, or returns false
// for a name that is not known.
func (r *reader) object(member func(name string) bool) {
	if r.token() != json.Delim('{') {
		r.fail("is not an object")
		return
	}
	var seen []string
	for r.err == nil && r.dec.More() {
		name, _ := r.token().(string)
		for _, s := range seen {
			if s == name {
				r.fail("has the member %s twice", naming(name))
				return
			}
		}
		if seen = append(seen, name); len(seen) > maxMembers {
			r.fail("has more than %d members", maxMembers)
			return
		}
		r.path = append(r.path, naming(name))
		if r.err == nil && !member(name) {
			r.fail("is not known here")
		}
		r.path = r.path[:len(r.path)-1]
	}
	r.token()
}

const maxMembers = 64

// naming bounds a name that came from outside for an error's text.
func naming(name string) string {
	if len(name) > 32 || strings.IndexFunc(name, func(c rune) bool { return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') }) >= 0 {
		return "?"
	}
	return name
}

// array reads an array of 1 to most elements.
func (r *reader) array(most int, element func()) {
	if r.token() != json.Delim('[') {
		r.fail("is not an array")
		return
	}
	n := 0
	for r.err == nil && r.dec.More() {
		if n++; n > most {
			r.fail("has more than %d elements", most)
			return
		}
		r.path = append(r.path, strconv.Itoa(n-1))
		element()
		if r.err == nil {
			r.path = r.path[:len(r.path)-1]
		}
	}
	if n == 0 {
		r.fail("is empty")
	}
	r.token()
}

// text reads a string of 1 to most bytes.
func (r *reader) text(most int) string {
	s, ok := r.token().(string)
	switch {
	case r.err != nil:
	case !ok:
		r.fail("is not a string")
	case s == "" || len(s) > most:
		r.fail("has %d bytes, allowed are 1 to %d", len(s), most)
	default:
		return s
	}
	return ""
}

// number reads an integer of 1 to most, or from 0 where zero is allowed.
func (r *reader) number(least, most uint64) uint64 {
	n, ok := r.token().(json.Number)
	if r.err != nil {
		return 0
	}
	v, err := strconv.ParseUint(n.String(), 10, 64)
	if !ok || err != nil || v < least || v > most {
		r.fail("is not an integer of %d to %d", least, most)
		return 0
	}
	return v
}

// base64 reads up to most bytes in padded base64.
func (r *reader) base64(most int) []byte {
	s := r.text(base64.StdEncoding.EncodedLen(most))
	if r.err != nil {
		return nil
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil || len(b) > most || strings.ContainsAny(s, "\r\n") {
		r.fail("is not base64 of up to %d bytes", most)
		return nil
	}
	return b
}

func (r *reader) id() [16]byte {
	b, err := decode16(r.text(22))
	if err != nil {
		r.fail("%s", err)
	}
	return b
}

// choice reads one of names and returns its place; 0 stands for none.
func (r *reader) choice(names []string) int {
	s := r.text(32)
	for i, n := range names {
		if i > 0 && n == s {
			return i
		}
	}
	r.fail("is none of the values allowed here")
	return 0
}

// skip reads any value.
func (r *reader) skip() {
	depth := 0
	for r.err == nil {
		switch r.token() {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return
		}
	}
}

// end returns the first error.
func (r *reader) end() error {
	if r.err != nil {
		return r.err
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return &SyntaxError{Offset: r.dec.InputOffset(), Problem: "has bytes behind its end"}
	}
	return nil
}
