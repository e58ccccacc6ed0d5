// Package route reads the list of parcels that a courier is to deliver in a
// day, and ships one such day.
//
// A route file is a CSV table with a header line. It needs four columns, in
// any order: the waybill, the address, the amount to collect on delivery and
// the tender the recipient asked for; the recipient's name and phone are
// optional and other columns are ignored. English and Chinese column names are
// understood (运单号, 地址, 代收货款, 付款方式, 收件人, 电话). The text is UTF-8,
// with or without a byte order mark, or GBK/GB18030: what is not valid UTF-8 is
// read as GB18030.
package route

import (
	"bytes"
	_ "embed"
	"errors"
	"io"
	"io/fs"
	"os"
)

// The bounds of a route file. A cell's length is counted in characters.
const (
	MaxBytes   = 4 << 20
	MaxParcels = 10_000

	MaxWaybill   = 32
	MaxRecipient = 60
	MaxPhone     = 32
	MaxAddress   = 200

	MinFen = 1         // 0.01 yuan
	MaxFen = 5_000_000 // 50,000.00 yuan
)

// Currency is the ISO 4217 code of every amount in a route file.
const Currency = "CNY"

// Tender is the way a recipient wants to pay.
type Tender uint8

// The tenders. The zero Tender is none of them.
const (
	Card Tender = iota + 1
	QR
	Cash
)

// Tenders lists all tenders in the order in which they are shown.
var Tenders = [...]Tender{Card, QR, Cash}

// String returns the tender as a route file spells it in English: card, qr or
// cash; and "?" for anything else.
func (t Tender) String() string {
	switch t {
	case Card:
		return "card"
	case QR:
		return "qr"
	case Cash:
		return "cash"
	}
	return "?"
}

// Parcel is one line of a route: something to deliver and to be paid for.
type Parcel struct {
	Line      int    // where it stands in the file, from 1
	Waybill   string // unique in the file: 1 to MaxWaybill of A-Z a-z 0-9 and -
	Recipient string // may be empty
	Phone     string // may be empty
	Address   string // never empty
	Fen       int64  // to collect, in hundredths of a yuan: MinFen to MaxFen
	Tender    Tender
}

// Open reads the route file at path. Every error is an *Error.
func Open(path string) ([]Parcel, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{File: path, Problem: CannotOpen, Cause: withoutPath(err)}
	}
	defer f.Close()
	return Read(path, f)
}

// Read reads a route from r; name is what errors call the file. It returns at
// least one parcel, in the order of the file, or an *Error about the first
// thing that is wrong, never a part of the list. It takes no more than
// MaxBytes from r.
func Read(name string, r io.Reader) ([]Parcel, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxBytes+1))
	if err != nil {
		return nil, &Error{File: name, Problem: CannotRead, Cause: withoutPath(err)}
	}
	if len(data) > MaxBytes {
		return nil, &Error{File: name, Line: 1 + bytes.Count(data, []byte("\n")), Problem: FileTooLarge, args: []any{MaxBytes >> 20}}
	}
	text, problem := decode(data)
	if problem != nil {
		problem.File = name
		return nil, problem
	}
	return parse(name, text)
}

//go:embed day.csv
var day []byte

// Day returns the shipped route: 200 parcels in one city, with invented
// recipients and streets. The caller owns the list.
func Day() ([]Parcel, error) {
	return Read("day.csv", bytes.NewReader(day))
}

// withoutPath strips the operation and the path that the os package puts
// before the reason, since an Error names the file itself.
func withoutPath(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
