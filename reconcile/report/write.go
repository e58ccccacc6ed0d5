package report

import (
	"bufio"
	"fmt"
	"io"
)

// Format is a layout of a report, and the ending of a file of it.
type Format string

// The formats.
const (
	Text     Format = "text" // tables for a terminal
	Markdown Format = "md"
	CSV      Format = "csv"
	JSON     Format = "json"
	HTML     Format = "html" // one file without script or anything from elsewhere
)

// formats are all of them, for an error.
var formats = []Format{Text, Markdown, CSV, JSON, HTML}

// Write writes the report in a format and a language. Text has colours when w is
// a terminal and the environment does not forbid them (NO_COLOR, TERM=dumb).
//
// Errors: one for an unknown format or language, ErrOverflow when the rows do not
// add up in 64 bits, with nothing written; those of w.
func (r *Report) Write(w io.Writer, f Format, l Lang) error {
	words, err := wordsOf(l)
	if err != nil {
		return err
	}
	v, err := r.view(words)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	switch f {
	case Text:
		v.text(out, colours(w))
	case Markdown:
		v.markdown(out)
	case CSV:
		err = r.csv(out, v)
	case JSON:
		err = r.json(out, v)
	case HTML:
		err = v.html(out)
	default:
		return fmt.Errorf("the format %q is unknown: one of %v", string(f), formats)
	}
	if err != nil {
		return err
	}
	return out.Flush()
}
