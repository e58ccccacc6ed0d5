package route

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Problem is what is wrong with a route file.
type Problem uint8

// The problems of a route file.
const (
	fine Problem = iota
	CannotOpen
	CannotRead
	FileTooLarge
	NotText
	EmptyFile
	MissingColumn
	DuplicateColumn
	BadQuote
	ControlCharacter
	WrongCellCount
	TooManyParcels
	EmptyCell
	TooLong
	BadWaybill
	DuplicateWaybill
	BadAmount
	NegativeAmount
	FractionOfFen
	ZeroAmount
	AmountTooLarge
	UnknownTender
	problems
)

// sentence is a problem's text in both languages; the verbs are the same and
// in the same order.
type sentence struct{ english, chinese string }

var sentences = [problems]sentence{
	CannotOpen: {
		"the route file cannot be opened; give the path of a CSV file that can be read",
		"路线文件无法打开；请给出一个可读取的 CSV 文件的路径"},
	CannotRead: {
		"the route file cannot be read to its end; copy it to a sound disk and try again",
		"路线文件无法完整读取；请把它复制到完好的磁盘后再试"},
	FileTooLarge: {
		"the file goes on past %d MiB; split it into smaller routes",
		"文件超过 %d MiB；请拆分成几个较小的路线文件"},
	NotText: {
		"the text is neither UTF-8 nor GBK; save the table again as “CSV UTF-8”",
		"文字既不是 UTF-8 也不是 GBK 编码；请将表格重新另存为“CSV UTF-8”"},
	EmptyFile: {
		"there is no parcel in the file; write a header line and below it one line for each parcel",
		"文件中没有任何包裹；请先写一行表头，其后每个包裹一行"},
	MissingColumn: {
		"the header has no column “%s” (“%s”); add it, with cells separated by commas",
		"表头缺少“%[2]s”（“%[1]s”）这一列；请补上，单元格之间用英文逗号分隔"},
	DuplicateColumn: {
		"the header names this column a second time, after column %d; delete one of them",
		"表头中该列与第 %d 列重复；请删去其中一列"},
	BadQuote: {
		"a quotation mark is out of place or never closed; write \"…\" around a whole cell, and \"\" for a mark within it",
		"引号位置不对或没有闭合；请用 \"…\" 括住整个单元格，单元格内的引号写作 \"\""},
	ControlCharacter: {
		"the cell has a line break or another control character in it; write it on one line of plain text",
		"单元格内含有换行或其他控制字符；请写成一行普通文字"},
	WrongCellCount: {
		"the line has %d cells, but the header has %d; add or remove commas, and put a cell with a comma in it in quotation marks",
		"本行有 %d 个单元格，而表头有 %d 个；请增减逗号，含逗号的单元格请加英文引号"},
	TooManyParcels: {
		"a route has at most %d parcels; move the lines from here on into another file",
		"一条路线最多 %d 个包裹；请把本行及以后的内容移到另一个文件"},
	EmptyCell: {
		"the cell is empty; fill it in",
		"单元格为空；请补填"},
	TooLong: {
		"the text has %d characters; shorten it to %d at most",
		"文字有 %d 个字符；请缩短到 %d 个以内"},
	BadWaybill: {
		"a waybill is made of the letters A to Z, digits and hyphens; remove everything else",
		"运单号只能由字母、数字和连字符组成；请去掉其他字符"},
	DuplicateWaybill: {
		"the same waybill stands on line %d already; correct or delete one of the two",
		"该运单号已在第 %d 行出现；请更正或删去其中一行"},
	BadAmount: {
		"the amount%s is not a number; write yuan with at most two decimals, such as 1299.50",
		"金额%s不是数字；请以元为单位填写，最多两位小数，例如 1299.50"},
	NegativeAmount: {
		"the amount%s is negative; write what the recipient is to pay, from 0.01 to 50000.00",
		"金额%s为负数；请填写应收的金额，0.01 至 50000.00"},
	FractionOfFen: {
		"the amount%s has a fraction of a fen; write at most two decimals",
		"金额%s含有不足一分的小数；请最多保留两位小数"},
	ZeroAmount: {
		"the amount%s is zero; write what the recipient is to pay, or delete the line",
		"金额%s为零；请填写应收的金额，或删去此行"},
	AmountTooLarge: {
		"the amount%s is above the limit of 50000.00; correct it",
		"金额%s超过上限 50000.00；请更正"},
	UnknownTender: {
		"the tender%s is unknown; write card, qr or cash",
		"付款方式%s无法识别；请填写 刷卡、扫码 或 现金"},
}

// Error says what is wrong with a route file and where. Its texts are one
// sentence each; they repeat a cell only where it is at most 10 characters
// long, so that no phone or card number gets into them.
type Error struct {
	File    string
	Line    int    // from 1; 0 if the file could not be opened or read
	Column  int    // the cell's number in its line, from 1; 0 if the whole line is meant
	Header  string // the column's name in the file, or ""
	Problem Problem
	Cause   error // from the operating system, or nil

	args []any
}

// Error returns the sentence in English.
func (e *Error) Error() string {
	at := e.file()
	if e.Line > 0 {
		at += ", line " + strconv.Itoa(e.Line)
	}
	if e.Column > 0 {
		at += ", column " + strconv.Itoa(e.Column)
	}
	if e.Header != "" {
		at += " (" + e.Header + ")"
	}
	text := at + ": " + fmt.Sprintf(e.sentence().english, e.args...)
	if e.Cause != nil {
		text += " (" + e.Cause.Error() + ")"
	}
	return text + "."
}

// Chinese returns the sentence in Chinese.
func (e *Error) Chinese() string {
	at := e.file()
	if e.Line > 0 {
		at += " 第 " + strconv.Itoa(e.Line) + " 行"
	}
	if e.Column > 0 {
		at += "第 " + strconv.Itoa(e.Column) + " 列"
	}
	if e.Header != "" {
		at += "（" + e.Header + "）"
	}
	text := at + "：" + fmt.Sprintf(e.sentence().chinese, e.args...)
	if e.Cause != nil {
		text += "（" + e.Cause.Error() + "）"
	}
	return text + "。"
}

// Unwrap returns the cause, so that errors.Is finds fs.ErrNotExist and the
// like.
func (e *Error) Unwrap() error { return e.Cause }

// file is the file's name as it can be printed on one line.
func (e *Error) file() string {
	if strings.ContainsFunc(e.File, unicode.IsControl) {
		return strconv.Quote(e.File)
	}
	return e.File
}

func (e *Error) sentence() sentence {
	if e.Problem >= problems {
		return sentence{}
	}
	return sentences[e.Problem]
}
