package statement

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// field is what a column can hold.
type field uint8

const (
	amountField field = iota
	netField
	feeField
	terminalField
	batchField
	stanField
	rrnField
	refField
	merchantField
	cardField
	kindField
	dateField
	timeField
	fields
)

var fieldNames = [fields]string{"amount", "net", "fee", "terminal", "batch", "stan", "rrn", "ref", "merchant", "card",
	"kind", "date", "time"}

// column says where a field stands: under a heading, or at a number from 1.
type column struct {
	mapped  bool
	heading string
	number  int
	line    int // in the mapping
}

// meaning is what a word in the kind column says.
type meaning uint8

const (
	sale meaning = iota + 1
	void
	refund
	reversal
	skip
)

var meanings = map[string]meaning{"sale": sale, "void": void, "refund": refund, "reversal": reversal, "skip": skip}

// Mapping says how an acquirer's statement file is to be read. It comes from
// ParseMapping and is not changed afterwards: many may read with it at once.
type Mapping struct {
	gb18030   bool
	separator rune
	skip      int
	header    bool
	end       string
	currency  queue.Currency
	decimals  int
	zone      *time.Location
	columns   [fields]column
	minor     [fields]bool // amounts in fen
	kinds     map[string]meaning
	layouts   [fields]string
}

// Bounds of a mapping.
const (
	maxMapping  = 64 << 10
	maxSkip     = 1000
	maxColumns  = 1000
	maxDecimals = 4
	maxKinds    = 200
)

// ParseMapping reads a mapping in the notation that the package documentation
// gives. Every error is an *Error with line and column.
func ParseMapping(text string) (*Mapping, error) {
	if len(text) > maxMapping {
		return nil, &Error{Line: 1, Problem: fmt.Sprintf("the mapping has more than %d bytes", maxMapping)}
	}
	p := mappingParser{m: &Mapping{separator: ',', header: true, currency: queue.CNY, decimals: -1,
		zone: time.FixedZone("", 8*60*60)}, seen: map[string]int{}}
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		p.line = i + 1
		words, err := p.words(strings.TrimSuffix(line, "\r"))
		if err == nil && len(words) > 0 {
			err = p.declare(words)
		}
		if err != nil {
			return nil, err
		}
	}
	return p.finish()
}

// word is one word of a mapping and where it begins.
type word struct {
	text   string
	column int
}

type mappingParser struct {
	m    *Mapping
	line int
	seen map[string]int // what was declared in which line
}

func (p *mappingParser) fail(w word, format string, args ...any) error {
	return &Error{Line: p.line, Column: w.column, Problem: fmt.Sprintf(format, args...)}
}

// words splits a line at its blanks.
func (p *mappingParser) words(line string) (words []word, err error) {
	runes := []rune(line)
	for i := 0; i < len(runes); {
		start := i
		switch {
		case blank(runes[i]):
			i++
		case runes[i] == '#' && len(words) == 0:
			return nil, nil
		case runes[i] == '"':
			end := slices.Index(runes[i+1:], '"')
			if end < 0 {
				return nil, p.fail(word{column: start + 1}, "the quotation mark is not closed")
			}
			words = append(words, word{string(runes[i+1 : i+1+end]), start + 1})
			i += end + 2
		default:
			for i < len(runes) && !blank(runes[i]) {
				i++
			}
			words = append(words, word{string(runes[start:i]), start + 1})
		}
	}
	return words, nil
}

func blank(r rune) bool { return r == ' ' || r == '\t' || r == '\u3000' }

func (p *mappingParser) declare(words []word) error {
	name := words[0]
	if first, twice := p.seen[name.text]; twice {
		return p.fail(name, "%s is declared in line %d already", name.text, first)
	}
	p.seen[name.text] = p.line
	if len(words) < 2 || words[1].text == "" {
		return p.fail(name, "a value is missing behind %q", name.text)
	}
	if f := slices.Index(fieldNames[:], name.text); f >= 0 {
		return p.column(field(f), words[1:])
	}
	if len(words) > 2 {
		return p.fail(words[2], "one value is enough here; put a value with blanks in quotes")
	}
	return p.setting(name, words[1])
}

func (p *mappingParser) setting(name, v word) (err error) {
	m := p.m
	switch name.text {
	case "encoding":
		m.gb18030, err = choose(p, v, map[string]bool{"utf-8": false, "utf8": false, "gb18030": true, "gbk": true})
	case "separator":
		m.separator, err = choose(p, v, map[string]rune{"comma": ',', "semicolon": ';', "tab": '\t', "bar": '|'})
	case "header":
		m.header, err = choose(p, v, map[string]bool{"yes": true, "no": false})
	case "skip":
		m.skip, err = p.number(v, 0, maxSkip)
	case "decimals":
		m.decimals, err = p.number(v, 0, maxDecimals)
	case "currency":
		var n int
		n, err = p.number(v, 1, 999)
		m.currency = queue.Currency(n)
	case "end":
		m.end = v.text
	case "zone":
		var t time.Time
		if t, err = time.Parse("-07:00", v.text); err != nil {
			return p.fail(v, "a zone is written like +08:00")
		}
		_, offset := t.Zone()
		m.zone = time.FixedZone("", offset)
	default:
		return p.fail(name, "%q is neither a setting nor a field of a statement", name.text)
	}
	return err
}

func choose[T any](p *mappingParser, v word, from map[string]T) (T, error) {
	t, ok := from[strings.ToLower(v.text)]
	if !ok {
		names := make([]string, 0, len(from))
		for name := range from {
			names = append(names, name)
		}
		slices.Sort(names)
		return t, p.fail(v, "%q is none of %s", v.text, strings.Join(names, ", "))
	}
	return t, nil
}

func (p *mappingParser) number(v word, least, most int) (int, error) {
	n, err := strconv.Atoi(v.text)
	if err != nil || n < least || n > most {
		return 0, p.fail(v, "a number from %d to %d is wanted", least, most)
	}
	return n, nil
}

func (p *mappingParser) column(f field, words []word) error {
	c := &p.m.columns[f]
	c.mapped, c.heading, c.line = true, words[0].text, p.line
	if n, ok := strings.CutPrefix(words[0].text, "#"); ok {
		number, err := p.number(word{n, words[0].column + 1}, 1, maxColumns)
		if err != nil {
			return err
		}
		c.number = number
	}
	rest := words[1:]
	switch f {
	case amountField, netField, feeField:
		if len(rest) == 0 {
			return p.fail(words[0], "say behind the column whether it is in yuan or in fen")
		}
		minor, err := choose(p, rest[0], map[string]bool{"yuan": false, "fen": true})
		if err != nil {
			return err
		}
		p.m.minor[f] = minor
		rest = rest[1:]
	case dateField, timeField:
		if len(rest) == 0 {
			return p.fail(words[0], "say behind the column how it is written, like 2006-01-02 or 15:04:05")
		}
		p.m.layouts[f] = rest[0].text
		rest = rest[1:]
	case kindField:
		return p.kinds(words[0], rest)
	}
	if len(rest) > 0 {
		return p.fail(rest[0], "nothing more is wanted here; put a heading with blanks in quotes")
	}
	return nil
}

func (p *mappingParser) kinds(at word, words []word) error {
	if len(words) == 0 || len(words) > maxKinds {
		return p.fail(at, "say behind the column what its words mean, like 消费=sale (1 to %d words)", maxKinds)
	}
	p.m.kinds = map[string]meaning{}
	for _, w := range words {
		i := strings.LastIndexByte(w.text, '=')
		if i <= 0 {
			return p.fail(w, "a word and its meaning are written like 消费=sale")
		}
		m, err := choose(p, word{w.text[i+1:], w.column}, meanings)
		if err != nil {
			return err
		}
		if _, twice := p.m.kinds[w.text[:i]]; twice {
			return p.fail(w, "the word has a meaning already")
		}
		p.m.kinds[w.text[:i]] = m
	}
	return nil
}

// finish checks what only the whole mapping tells.
func (p *mappingParser) finish() (*Mapping, error) {
	m, c := p.m, &p.m.columns
	whole := func(format string, args ...any) error {
		return &Error{Line: p.line, Problem: fmt.Sprintf(format, args...)}
	}
	switch byNumber := c[terminalField].mapped && c[batchField].mapped && c[stanField].mapped; {
	case !c[amountField].mapped:
		return nil, whole("no column is declared for the amount")
	case !byNumber && !c[rrnField].mapped && !c[refField].mapped:
		return nil, whole("nothing names the transaction: declare terminal, batch and stan, or rrn, or ref")
	case c[netField].mapped && c[feeField].mapped:
		p.line = max(c[netField].line, c[feeField].line)
		return nil, whole("net and fee are two words for one thing: declare one of them")
	}
	for f, col := range c {
		if col.mapped && col.number == 0 && !m.header {
			return nil, &Error{Line: col.line, Field: fieldNames[f], Problem: "without a header a column is named by its number, like #3"}
		}
	}
	if m.decimals < 0 && !m.currencyDecimals() {
		return nil, whole("decimals of currency %s are not known here: declare decimals, or amounts could be read a hundred times too large", m.currency)
	}
	return m, m.checkLayout()
}

// currencyDecimals takes the decimals of a currency that has a name here. Those of
// another one are not guessed where amounts are in its major unit.
func (m *Mapping) currencyDecimals() (known bool) {
	major := false
	for _, f := range []field{amountField, netField, feeField} {
		major = major || m.columns[f].mapped && !m.minor[f]
	}
	m.decimals = 2
	if m.currency == queue.JPY || m.currency == queue.KRW {
		m.decimals = 0
	}
	return !major || m.currency.String() != m.currency.Numeric()
}

// checkLayout makes sure that the date and time layouts are such: a layout
// without any element of Go's notation would read only itself.
func (m *Mapping) checkLayout() error {
	for _, f := range []field{dateField, timeField} {
		c := m.columns[f]
		at := time.Date(1987, 11, 23, 19, 46, 58, 0, time.UTC)
		if c.mapped && at.Format(m.layouts[f]) == m.layouts[f] {
			return &Error{Line: c.line, Field: fieldNames[f], Problem: "the layout is written with the digits of 2006-01-02 15:04:05"}
		}
	}
	return nil
}

// layout is how the date and the time together are written.
func (m *Mapping) layout() string {
	return strings.TrimSpace(cmp.Or(m.layouts[dateField], "") + " " + m.layouts[timeField])
}
