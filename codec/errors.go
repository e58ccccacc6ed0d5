package codec

import (
	"errors"
	"strconv"
)

// What is wrong with a message or a value. Every error of this package that
// speaks of a message wraps one of these in a *FieldError.
var (
	ErrMTI         = errors.New("message type is not four decimal digits")
	ErrTruncated   = errors.New("ends too early")
	ErrTrailing    = errors.New("bytes follow the last field")
	ErrTooLong     = errors.New("longer than allowed")
	ErrTooShort    = errors.New("shorter than its fixed length")
	ErrPrefix      = errors.New("length prefix is malformed")
	ErrContent     = errors.New("a character is not allowed by the field's class")
	ErrFiller      = errors.New("filler is not one that the dialect tolerates")
	ErrUndefined   = errors.New("field is not defined by the dialect")
	ErrBitmap      = errors.New("bitmap is malformed")
	ErrTertiary    = errors.New("tertiary bitmaps (field 65) are not supported")
	ErrDialect     = errors.New("message belongs to another dialect")
	ErrStructure   = errors.New("structured content is malformed")
	ErrNoMAC       = errors.New("message carries no MAC")
	ErrBadMAC      = errors.New("MAC does not match")
	ErrKeyCheck    = errors.New("key check value does not match")
	ErrKeyLayout   = errors.New("length fits no known layout of working keys")
	ErrKeySize     = errors.New("key has a size that the algorithm does not take")
	ErrFrame       = errors.New("frame is malformed")
	ErrFrameTooBig = errors.New("frame is larger than the bound")
)

// FieldError says where a message or a value is wrong. It never holds any of
// the message's content.
type FieldError struct {
	DE     int    // the data element; 0 for the type, the bitmap and the message as a whole
	Offset int    // where the first byte that is wrong stands, from 0: in the message (decoding) or in the value as it was given (setting); -1 if no byte is to blame, as for a fixed length that is not met
	Part   string // the subfield or tag, if one is to blame
	Err    error  // one of the package's sentinel errors
	Detail string // lengths and limits in words, never content
}

func (e *FieldError) Error() string {
	s := "iso8583: "
	if e.DE > 0 {
		s += "DE " + strconv.Itoa(e.DE)
		if e.Part != "" {
			s += " " + e.Part
		}
		s += ": "
	} else if e.Part != "" {
		s += e.Part + ": "
	}
	s += e.Err.Error()
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	if e.Offset >= 0 {
		s += " at offset " + strconv.Itoa(e.Offset)
	}
	return s
}

// Unwrap gives the sentinel error.
func (e *FieldError) Unwrap() error { return e.Err }

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.Itoa(n) + " " + unit + "s"
}

func atMost(got, limit int) string {
	return "has " + strconv.Itoa(got) + ", at most " + strconv.Itoa(limit)
}

func exactly(got, want int) string {
	return "has " + strconv.Itoa(got) + ", needs " + strconv.Itoa(want)
}
