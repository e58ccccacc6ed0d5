package codec

import "strings"

// Sequence62 is DE 62 of a sign-in (usage 19): the number of the terminal's
// network licence and its serial number.
type Sequence62 struct {
	Licence string // four characters
	Serial  string // at most 95 characters
}

const sequenceMark = "Sequence No"

// ParseSequence62 reads the bytes of DE 62.
func ParseSequence62(b []byte) (Sequence62, error) {
	rest, ok := strings.CutPrefix(string(b), sequenceMark)
	if ok && len(rest) >= 6 && badChar(rest, setAlpha|setDigit|setSpecial|setSpace) < 0 {
		if n, ok := readNumber([]byte(rest[:2]), wireASCII); ok && n == len(rest)-2 {
			return Sequence62{rest[2:6], rest[6:]}, nil
		}
	}
	return Sequence62{}, &FieldError{DE: 62, Offset: -1, Part: "sequence number", Err: ErrStructure}
}

// Append appends the bytes of DE 62 to dst.
func (q Sequence62) Append(dst []byte) ([]byte, error) {
	all := q.Licence + q.Serial
	if len(q.Licence) != 4 || len(all) > 99 || badChar(all, setAlpha|setDigit|setSpecial|setSpace) >= 0 {
		return dst, &FieldError{DE: 62, Offset: -1, Part: "sequence number", Err: ErrStructure}
	}
	dst = append(dst, sequenceMark...)
	dst = appendNumber(dst, wireASCII, len(all), 2)
	return append(dst, all...), nil
}

// Parameter is one element of a parameter download or a status upload.
type Parameter struct {
	Tag   int    // 1 to 26, or 51
	Value string // digits; UTF-8 for ParamMerchant, hexadecimal digits for ParamEnabled
}

// Tags of parameters.
const (
	ParamApplication  = 11 // kind of application, two digits
	ParamTimeout      = 12 // seconds, two digits
	ParamRedials      = 13 // one digit
	ParamPhone1       = 14 // 14 digits, as are 15 and 16
	ParamPhone2       = 15
	ParamPhone3       = 16
	ParamManagement   = 17 // telephone of the management, 14 digits
	ParamTipAllowed   = 18 // 1 yes
	ParamTipPercent   = 19 // two digits
	ParamManualEntry  = 20 // 1 yes
	ParamAutoSignOff  = 21 // 1 after each settlement
	ParamMerchant     = 22 // name, at most 40 bytes of GBK
	ParamReversals    = 23 // how often a reversal is sent, one digit
	ParamOfflineMode  = 24 // when offline sales are uploaded, one digit
	ParamMasterKey    = 25 // index of the master key, one digit
	ParamEnabled      = 26 // which transactions are enabled, 4 bytes
	ParamStatistics   = 51 // status only: hours 4, dials 5, rate 3 digits
	paramStatusDigits = 1  // tags 1 to 5: hardware states, 1 good
)

// paramBytes gives the size of a value on the wire, 0 for a tag not known.
func paramBytes(tag int) int {
	switch {
	case tag >= 1 && tag <= 5:
		return paramStatusDigits
	case tag == ParamApplication, tag == ParamTimeout, tag == ParamTipPercent:
		return 2
	case tag >= ParamPhone1 && tag <= ParamManagement:
		return 14
	case tag == ParamMerchant:
		return 40
	case tag == ParamEnabled:
		return 4
	case tag == ParamStatistics:
		return 12
	case tag >= ParamRedials && tag < ParamEnabled:
		return 1
	}
	return 0
}

// Parameters62 is DE 62 of a parameter download or a status upload: two digits
// of tag and a value whose size the tag fixes. What follows from the first tag
// that is not known, a vendor's own, is kept in Rest as it is.
type Parameters62 struct {
	List []Parameter
	Rest []byte
}

// ParseParameters62 reads the bytes of DE 62.
func ParseParameters62(b []byte) (Parameters62, error) {
	var p Parameters62
	for at := 0; at < len(b); {
		fail := func(err error) (Parameters62, error) {
			return Parameters62{}, &FieldError{DE: 62, Offset: at, Part: "parameter", Err: err}
		}
		if len(b)-at < 2 {
			return fail(ErrTruncated)
		}
		tag, ok := readNumber(b[at:at+2], wireASCII)
		if !ok {
			return fail(ErrStructure)
		}
		n := paramBytes(tag)
		if n == 0 {
			p.Rest = append([]byte(nil), b[at:]...)
			return p, nil
		}
		if len(b)-at < 2+n {
			return fail(ErrTruncated)
		}
		value, ok := paramText(tag, b[at+2:at+2+n])
		if !ok {
			return fail(ErrContent)
		}
		p.List = append(p.List, Parameter{tag, value})
		at += 2 + n
	}
	return p, nil
}

// paramText gives the text of a value on the wire.
func paramText(tag int, b []byte) (string, bool) {
	switch tag {
	case ParamEnabled:
		return string(appendHex(nil, b)), true
	case ParamMerchant:
		return strings.TrimRight(string(appendUTF8(nil, wireGBK, b)), " "), badChinese(wireGBK, b) < 0
	}
	// A telephone number may be filled up with spaces.
	return string(b), badChar(b, setDigit|setSpace) < 0
}

// Append appends the bytes of DE 62 to dst.
func (p Parameters62) Append(dst []byte) ([]byte, error) {
	out := dst
	for _, e := range p.List {
		n := paramBytes(e.Tag)
		bad := func(err error) ([]byte, error) {
			return dst, &FieldError{DE: 62, Offset: -1, Part: "parameter", Err: err}
		}
		if n == 0 {
			return bad(ErrUndefined)
		}
		out = appendNumber(out, wireASCII, e.Tag, 2)
		at := len(out)
		switch e.Tag {
		case ParamEnabled:
			var odd int
			if out, odd = unhex(out, e.Value); odd >= 0 {
				return bad(ErrContent)
			}
		case ParamMerchant:
			local, ok := fromUTF8(wireGBK, e.Value)
			if !ok {
				return bad(ErrContent)
			}
			out = append(out, local...)
			for len(out) < at+n {
				out = append(out, ' ')
			}
		default:
			if badChar(e.Value, setDigit|setSpace) >= 0 {
				return bad(ErrContent)
			}
			out = append(out, e.Value...)
		}
		if len(out) != at+n {
			return bad(lengthError(len(out), at+n))
		}
	}
	return append(out, p.Rest...), nil
}

// ChipDetail62 is DE 62 of a chip transaction in a batch upload (network codes
// 203 to 206).
type ChipDetail62 struct {
	Usage    int // 61 approved online, 71 failed
	Foreign  bool
	State    int // two digits
	Amount   int64
	Currency string // ISO 4217, three digits
}

// ParseChipDetail62 reads the 21 characters of DE 62.
func ParseChipDetail62(b []byte) (ChipDetail62, error) {
	r := readDigits(62, string(b))
	c := ChipDetail62{Usage: int(r.number(2, "usage"))}
	kind := r.number(2, "card type")
	if kind > 1 {
		r.fail("card type", ErrStructure)
	}
	c.Foreign = kind == 1
	c.State, c.Amount, c.Currency = int(r.number(2, "state")), r.number(12, "amount"), r.text(3, "currency")
	if err := r.done(); err != nil {
		return ChipDetail62{}, err
	}
	return c, nil
}

// Append appends the 21 characters to dst.
func (c ChipDetail62) Append(dst []byte) ([]byte, error) {
	w := digitWriter{out: dst, de: 62}
	w.number(int64(c.Usage), 2, "usage")
	kind := int64(0)
	if c.Foreign {
		kind = 1
	}
	w.number(kind, 2, "card type")
	w.number(int64(c.State), 2, "state")
	w.number(c.Amount, 12, "amount")
	if len(c.Currency) != 3 {
		w.fail("currency", ErrStructure)
	}
	w.text(c.Currency, "currency")
	return w.result(dst)
}
