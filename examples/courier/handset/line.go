package handset

import (
	"strconv"
	"strings"
	"unicode"
)

// Line is one line that the handset writes: a word and key=value pairs.
type Line struct {
	Word   string
	fields [][2]string
}

// The words that lines begin with.
const (
	WordReady  = "ready"  // the journal is open; doubt=N entries were found in doubt
	WordAnswer = "answer" // to a command about a ref
	WordStatus = "status" // to status, offline, online
	WordSettle = "settle" // to settle
	WordEvent  = "event"  // beside the commands
	WordMark   = "mark"   // an armed point is reached: the process waits to be killed
	WordError  = "error"  // a command was not understood
)

func newLine(word string) Line { return Line{Word: word} }

// with returns l with one more pair; an empty value is left out.
func (l Line) with(key, value string) Line {
	if value != "" {
		l.fields = append(l.fields[:len(l.fields):len(l.fields)], [2]string{key, value})
	}
	return l
}

func (l Line) number(key string, n int64) Line { return l.with(key, strconv.FormatInt(n, 10)) }

// Get returns the value of a key, empty when there is none.
func (l Line) Get(key string) string {
	for _, f := range l.fields {
		if f[0] == key {
			return f[1]
		}
	}
	return ""
}

// Number returns the value of a key as a number, 0 when it is none.
func (l Line) Number(key string) int64 {
	n, _ := strconv.ParseInt(l.Get(key), 10, 64)
	return n
}

// String returns the line as it is written, without its end.
func (l Line) String() string {
	var b strings.Builder
	b.WriteString(l.Word)
	for _, f := range l.fields {
		v := f[1]
		if strings.ContainsFunc(v, func(r rune) bool { return r == ' ' || r == '"' || r == '=' || !unicode.IsPrint(r) }) {
			v = strconv.Quote(v)
		}
		b.WriteString(" " + f[0] + "=" + v)
	}
	return b.String()
}

// ParseLine reads what String writes. What it cannot read it leaves out.
func ParseLine(s string) Line {
	word, rest, _ := strings.Cut(strings.TrimSpace(s), " ")
	l := newLine(strings.TrimSpace(word))
	for rest != "" {
		key, value, ok := strings.Cut(strings.TrimLeft(rest, " "), "=")
		if !ok || strings.ContainsFunc(key, func(r rune) bool { return r < 'a' || r > 'z' }) {
			break
		}
		if q, err := strconv.QuotedPrefix(value); err == nil && q[0] == '"' {
			value, rest = value[:len(q)], value[len(q):]
			if plain, err := strconv.Unquote(value); err == nil {
				value = plain
			}
		} else {
			value, rest, _ = strings.Cut(value, " ")
		}
		l = l.with(key, value)
	}
	return l
}
