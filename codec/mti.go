package codec

import "fmt"

// MTI is a message type indicator, its four digits read as hexadecimal:
// 0x0200 is the financial request, 0x0420 the reversal advice. The digits mean,
// from the left, version, class, function and origin (ISO 8583 clause 4.1).
type MTI uint16

// ParseMTI reads four decimal digits such as "0200".
func ParseMTI(s string) (MTI, error) {
	if len(s) != 4 {
		return 0, &FieldError{Offset: -1, Err: ErrMTI}
	}
	var t MTI
	for i := range 4 {
		c := s[i] - '0'
		if c > 9 {
			return 0, &FieldError{Offset: -1, Err: ErrMTI}
		}
		t = t<<4 | MTI(c)
	}
	return t, nil
}

// Response is the type that answers t: 0x0200 and 0x0201 are answered by
// 0x0210, 0x0420 and 0x0421 by 0x0430. A response answers itself.
func (t MTI) Response() MTI { return t.Unrepeated() | 0x0010 }

// Repeat is t with its repeat mark set: 0x0220 becomes 0x0221.
func (t MTI) Repeat() MTI { return t | 0x0001 }

// Unrepeated is t without its repeat mark: 0x0421 becomes 0x0420.
func (t MTI) Unrepeated() MTI { return t &^ 0x0001 }

// IsRepeat reports whether t bears the repeat mark.
func (t MTI) IsRepeat() bool { return t&0x0001 != 0 }

// IsResponse reports whether t answers another message.
func (t MTI) IsResponse() bool { return t&0x0010 != 0 }

// Valid reports whether every digit of t is decimal.
func (t MTI) Valid() bool {
	return t&0xF000 <= 0x9000 && t&0x0F00 <= 0x0900 && t&0x00F0 <= 0x0090 && t&0x000F <= 0x0009
}

// String gives the four digits, such as "0200".
func (t MTI) String() string { return fmt.Sprintf("%04X", uint16(t)) }
