package route

import "strings"

// column is one of the columns that a route file may have.
type column int

const (
	waybillColumn column = iota
	addressColumn
	amountColumn
	tenderColumn
	recipientColumn
	phoneColumn
	columns

	requiredColumns = recipientColumn // those before it
)

// columnNames are the spellings of each column's name; the first two are the
// ones that errors propose, in English and in Chinese.
var columnNames = [columns][]string{
	waybillColumn:   {"waybill", "运单号", "waybill no", "waybill number", "tracking no", "tracking number", "运单编号", "快递单号", "面单号", "单号"},
	addressColumn:   {"address", "地址", "recipient address", "delivery address", "收件地址", "收件人地址", "收货地址", "派送地址"},
	amountColumn:    {"amount", "代收货款", "cod", "cod amount", "代收金额", "应收金额", "金额"},
	tenderColumn:    {"tender", "付款方式", "payment", "payment method", "支付方式", "收款方式"},
	recipientColumn: {"recipient", "收件人", "name", "recipient name", "consignee", "收件人姓名", "收货人", "姓名"},
	phoneColumn:     {"phone", "电话", "mobile", "tel", "recipient phone", "手机", "手机号", "联系电话", "收件人电话"},
}

// header says where each column stands.
type header struct {
	width int          // cells in the header line
	at    [columns]int // index of each column's cell, or -1
	names []string     // as the file spells them, without units
}

// readHeader finds the columns in the header's cells, which stand on the given
// line. The Error it returns lacks the file's name.
func readHeader(line int, cells []string) (*header, *Error) {
	h := &header{width: len(cells), names: make([]string, len(cells))}
	for c := range h.at {
		h.at[c] = -1
	}
	for i, cell := range cells {
		h.names[i] = columnTitle(cell)
		c, ok := columnNamed(h.names[i])
		if !ok {
			continue
		}
		if h.at[c] >= 0 {
			return nil, &Error{Line: line, Column: i + 1, Header: h.names[i], Problem: DuplicateColumn, args: []any{h.at[c] + 1}}
		}
		h.at[c] = i
	}
	for c := range requiredColumns {
		if h.at[c] < 0 {
			return nil, &Error{Line: line, Problem: MissingColumn, args: []any{columnNames[c][0], columnNames[c][1]}}
		}
	}
	return h, nil
}

// columnTitle is a header's cell without a unit in brackets, as in 代收货款(元).
func columnTitle(cell string) string {
	if i := strings.IndexAny(cell, "(（"); i >= 0 {
		cell = cell[:i]
	}
	return strings.TrimSpace(cell)
}

// columnNamed tells which column a title names. Case and underscores make no
// difference.
func columnNamed(title string) (column, bool) {
	name := strings.ToLower(strings.ReplaceAll(title, "_", " "))
	for c, names := range columnNames {
		for _, n := range names {
			if n == name {
				return column(c), true
			}
		}
	}
	return 0, false
}

// wrong is an Error about the given column of a record on the given line.
func (h *header) wrong(line int, c column, p Problem, args ...any) *Error {
	return &Error{Line: line, Column: h.at[c] + 1, Header: h.names[h.at[c]], Problem: p, args: args}
}
