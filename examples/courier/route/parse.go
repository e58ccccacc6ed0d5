package route

import (
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// parse reads the whole text of the file called name.
func parse(name, text string) ([]Parcel, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	p := parser{lines: strings.Split(text, "\n"), seen: map[string]int{}}
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var problem *Error
		if err != nil {
			problem = p.broken(err)
		} else {
			line, _ := r.FieldPos(0)
			problem = p.record(line, cells)
		}
		if problem != nil {
			problem.File = name
			return nil, problem
		}
	}
	if len(p.parcels) == 0 {
		return nil, &Error{File: name, Line: 1, Problem: EmptyFile}
	}
	return p.parcels, nil
}

// parser holds what was read of one file so far.
type parser struct {
	lines   []string // of the file
	header  *header  // nil before the header line
	parcels []Parcel
	seen    map[string]int // line of each waybill
}

// broken says where encoding/csv gave up. It reports a quotation mark that is
// never closed at the end of the file, a person looks for its beginning.
func (p *parser) broken(err error) *Error {
	var at *csv.ParseError
	if !errors.As(err, &at) {
		return &Error{Line: 1, Problem: CannotRead, Cause: err}
	}
	line := p.lines[at.StartLine-1]
	if at.Line == at.StartLine && at.Column-1 <= len(line) {
		line = line[:at.Column-1]
	}
	return &Error{Line: at.StartLine, Column: cellAt(line), Problem: BadQuote}
}

// record takes one record, which begins on the given line.
func (p *parser) record(line int, cells []string) *Error {
	if blank(cells) {
		return nil
	}
	for i, cell := range cells {
		if strings.ContainsFunc(strings.TrimSpace(cell), unprintable) {
			return &Error{Line: line, Column: i + 1, Problem: ControlCharacter}
		}
	}
	if p.header == nil {
		h, problem := readHeader(line, cells)
		p.header = h
		return problem
	}
	if n := len(cells); n != p.header.width {
		return &Error{Line: line, Column: min(n, p.header.width) + 1, Problem: WrongCellCount, args: []any{n, p.header.width}}
	}
	if len(p.parcels) == MaxParcels {
		return &Error{Line: line, Problem: TooManyParcels, args: []any{MaxParcels}}
	}
	parcel, problem := p.parcel(line, cells)
	if problem != nil {
		return problem
	}
	p.seen[parcel.Waybill] = line
	p.parcels = append(p.parcels, parcel)
	return nil
}

// parcel reads the cells of one parcel, from the left of the columns' list.
func (p *parser) parcel(line int, cells []string) (Parcel, *Error) {
	parcel := Parcel{Line: line}
	for _, t := range []struct {
		column column
		to     *string
		max    int
	}{
		{waybillColumn, &parcel.Waybill, MaxWaybill},
		{addressColumn, &parcel.Address, MaxAddress},
		{recipientColumn, &parcel.Recipient, MaxRecipient},
		{phoneColumn, &parcel.Phone, MaxPhone},
	} {
		at := p.header.at[t.column]
		if at < 0 {
			continue
		}
		*t.to = strings.TrimSpace(cells[at])
		if n := utf8.RuneCountInString(*t.to); n > t.max {
			return parcel, p.header.wrong(line, t.column, TooLong, n, t.max)
		}
		if *t.to == "" && t.column < requiredColumns {
			return parcel, p.header.wrong(line, t.column, EmptyCell)
		}
	}
	if strings.ContainsFunc(parcel.Waybill, notInWaybill) {
		return parcel, p.header.wrong(line, waybillColumn, BadWaybill)
	}
	if first, ok := p.seen[parcel.Waybill]; ok {
		return parcel, p.header.wrong(line, waybillColumn, DuplicateWaybill, first)
	}
	amount := strings.TrimSpace(cells[p.header.at[amountColumn]])
	fen, bad := parseYuan(amount)
	if bad != fine {
		return parcel, p.header.wrong(line, amountColumn, bad, shown(amount))
	}
	parcel.Fen = fen
	tender := strings.TrimSpace(cells[p.header.at[tenderColumn]])
	if parcel.Tender = tenderNamed(tender); parcel.Tender == 0 {
		return parcel, p.header.wrong(line, tenderColumn, UnknownTender, shown(tender))
	}
	return parcel, nil
}

// blank tells that a record says nothing, as the lines of commas do that
// spreadsheets put at the end of a file.
func blank(cells []string) bool {
	for _, cell := range cells {
		if strings.TrimSpace(cell) != "" {
			return false
		}
	}
	return true
}

// unprintable tells of control characters and of invisible ones that change how
// the text around them is shown.
func unprintable(c rune) bool {
	return unicode.IsControl(c) || unicode.Is(unicode.Cf, c)
}

func notInWaybill(c rune) bool {
	return !(c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '-')
}

// parseYuan reads an amount in yuan, at most two decimals, into fen. The
// Problem is fine for an amount within bounds.
func parseYuan(s string) (int64, Problem) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, point := strings.Cut(digits, ".")
	if whole == "" || !allDigits(whole) || !allDigits(fraction) || point && fraction == "" {
		return 0, BadAmount
	}
	switch {
	case negative:
		return 0, NegativeAmount
	case len(fraction) > 2:
		return 0, FractionOfFen
	}
	whole = strings.TrimLeft(whole, "0")
	if len(whole) > 9 {
		return 0, AmountTooLarge
	}
	var fen int64
	for _, d := range whole + (fraction + "00")[:2] {
		fen = fen*10 + int64(d-'0')
	}
	switch {
	case fen < MinFen:
		return 0, ZeroAmount
	case fen > MaxFen:
		return 0, AmountTooLarge
	}
	return fen, fine
}

func allDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// tenderNamed returns the tender that a cell names, or 0.
func tenderNamed(cell string) Tender {
	switch strings.ToLower(cell) {
	case "card", "bank card", "pos", "银行卡", "刷卡", "卡":
		return Card
	case "qr", "qr code", "扫码", "扫码支付", "二维码", "微信", "支付宝":
		return QR
	case "cash", "现金":
		return Cash
	}
	return 0
}

// shown quotes a cell for an error. A long cell, which may hold a phone or a
// card's number that slipped into another column, is left out.
func shown(cell string) string {
	if n := utf8.RuneCountInString(cell); n == 0 || n > 10 {
		return ""
	}
	return " “" + cell + "”"
}
