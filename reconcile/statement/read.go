package statement

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Bounds of a statement file.
const (
	maxRecord = 64 << 10 // bytes of one record, as UTF-8
	csvBuffer = 4 << 10  // what encoding/csv reads ahead
)

var errLong = errors.New("a record has more than 64 KiB: is a quotation mark not closed?")

// Read yields the lines of the statement file r, which m describes, one after
// the other: it keeps one record in memory. r is read once; so the result can
// be ranged over once.
//
// A file that is not what m says is refused: an *Error, or the error of r, is
// yielded once and last. What was yielded before it is part of a statement.
func Read(r io.Reader, m *Mapping) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		d, err := newDecoder(r, m)
		for err == nil {
			var l Line
			var ok bool
			if l, ok, err = d.next(); err == nil && ok && !yield(l, nil) {
				return
			}
		}
		if err != io.EOF {
			yield(Line{}, err)
		}
	}
}

// decoder reads one statement file.
type decoder struct {
	m       *Mapping
	bound   *boundReader
	csv     *csv.Reader
	columns [fields]int // index of each field's cell, -1 for none
	cells   int         // how many a record has
	layout  string
	above   int // lines above the records
}

func newDecoder(r io.Reader, m *Mapping) (*decoder, error) {
	utf := transform.Transformer(unicode.BOMOverride(transform.Nop))
	if m.gb18030 {
		utf = unicode.BOMOverride(simplifiedchinese.GB18030.NewDecoder())
	}
	d := &decoder{m: m, layout: m.layout()}
	text := bufio.NewReaderSize(transform.NewReader(r, utf), maxRecord)
	for d.above < m.skip {
		if err := skipLine(text); err != nil {
			if err == io.EOF {
				return nil, &Error{Line: d.above + 1, Problem: fmt.Sprintf("the file ends above its header; skip says %d lines", m.skip)}
			}
			return nil, &Error{Line: d.above + 1, Problem: "a line above the header cannot be read", Cause: err}
		}
		d.above++
	}
	d.bound = &boundReader{r: text, allowed: maxRecord + csvBuffer}
	d.csv = csv.NewReader(d.bound)
	d.csv.Comma, d.csv.FieldsPerRecord, d.csv.ReuseRecord = m.separator, -1, true
	if !m.header {
		return d, d.locate(nil)
	}
	head, err := d.record()
	if err == io.EOF {
		return nil, &Error{Line: d.above + 1, Problem: "the file has no header"}
	}
	if err != nil {
		return nil, err
	}
	return d, d.locate(head)
}

// skipLine reads up to a line's end, which stands within 64 KiB.
func skipLine(r *bufio.Reader) error {
	line, err := r.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return errLong
	case err == io.EOF && len(bytes.TrimSpace(line)) > 0:
		return nil
	}
	return err
}

// boundReader ends a record that grows beyond all bounds: whoever reads raises
// allowed after each record.
type boundReader struct {
	r       io.Reader
	read    int64
	allowed int64
}

func (b *boundReader) Read(p []byte) (int, error) {
	if b.read >= b.allowed {
		return 0, errLong
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.allowed-b.read)])
	b.read += int64(n)
	return n, err
}

// record reads one record; io.EOF at the end.
func (d *decoder) record() ([]string, error) {
	cells, err := d.csv.Read()
	d.bound.allowed = d.csv.InputOffset() + maxRecord + csvBuffer
	if err == nil || err == io.EOF {
		return cells, err
	}
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		return nil, &Error{Line: bad.StartLine + d.above, Problem: "the record is no CSV", Cause: bad.Err}
	}
	line := 1
	if len(cells) > 0 {
		line, _ = d.csv.FieldPos(0)
	}
	return nil, &Error{Line: line + d.above, Problem: "the statement cannot be read on", Cause: err}
}

func (d *decoder) fail(f field, i int, problem string) error {
	line, _ := d.csv.FieldPos(i)
	return &Error{Line: line + d.above, Column: i + 1, Field: fieldNames[f], Problem: problem}
}

// locate finds the column of each field in the header.
func (d *decoder) locate(head []string) error {
	d.cells = len(head)
	for f, c := range d.m.columns {
		d.columns[f] = -1
		switch {
		case !c.mapped:
		case c.number > 0:
			if d.columns[f] = c.number - 1; head != nil && c.number > len(head) {
				return &Error{Line: d.above + 1, Field: fieldNames[f], Problem: fmt.Sprintf("the header has %d columns, not %d", len(head), c.number)}
			}
		default:
			i, err := d.heading(head, c.heading)
			if err != nil {
				return &Error{Line: d.above + 1, Field: fieldNames[f], Problem: err.Error()}
			}
			d.columns[f] = i
		}
	}
	return nil
}

func (d *decoder) heading(head []string, name string) (int, error) {
	found := -1
	for i, h := range head {
		switch {
		case clean(h) != name:
		case found >= 0:
			return 0, fmt.Errorf("the header has %q twice; name the column by its number, like #%d", name, found+1)
		default:
			found = i
		}
	}
	if found < 0 {
		return 0, fmt.Errorf("the header has no column %q; compare the mapping, its encoding and skip with the file", name)
	}
	return found, nil
}

// next reads the next line; ok is false for a record that is to be skipped.
func (d *decoder) next() (l Line, ok bool, err error) {
	cells, err := d.record()
	if err != nil {
		return l, false, err
	}
	if d.m.end != "" && strings.HasPrefix(clean(cells[0]), d.m.end) {
		return l, false, io.EOF
	}
	if d.cells == 0 {
		if d.cells = len(cells); d.cells < d.most() {
			return l, false, d.fail(amountField, 0, fmt.Sprintf("the record has %d cells, the mapping names column %d", d.cells, d.most()))
		}
	}
	line, _ := d.csv.FieldPos(0)
	if len(cells) != d.cells {
		return l, false, &Error{Line: line + d.above, Problem: fmt.Sprintf("the record has %d cells where %d are expected; if it is a footer, name its beginning with end", len(cells), d.cells)}
	}
	l.Number = line + d.above
	ok, err = d.line(cells, &l)
	return l, ok, err
}

// most is the highest column that the mapping names.
func (d *decoder) most() (n int) {
	for _, c := range d.columns {
		n = max(n, c+1)
	}
	return n
}

// clean drops what stands around a cell's text: blanks, and the marks that keep
// a spreadsheet from taking it for a number.
func clean(s string) string {
	s = strings.Trim(s, " \t\r\n\u00a0\u3000")
	if inner, ok := strings.CutPrefix(s, `="`); ok {
		s = strings.TrimSuffix(inner, `"`)
	}
	if s != "" && (s[0] == '`' || s[0] == '\'') {
		s = s[1:]
	}
	return strings.Trim(s, " \t")
}

// intact tells whether a text was decoded without loss.
func intact(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsRune(s, utf8.RuneError)
}
