package codec

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// MoovJSON writes the dialect in the JSON format of moov-io/iso8583, fields in
// order. Numbers become type String, which keeps their zeros; text in GBK or
// GB18030 becomes Binary; hexadecimal digits whose length counts characters
// become a String of them. What that format cannot say is refused with a
// *MoovError: track data and signed numbers in BCD, filler other than 0,
// lengths that count bytes of BCD. Of the dialects that ship with the package
// those in ASCII can be written, those with tracks or fees in BCD cannot.
func (s *Spec) MoovJSON() ([]byte, error) {
	out := &bytes.Buffer{}
	name, err := json.Marshal(s.name)
	if err != nil {
		return nil, &MoovError{Problem: "its name cannot be written"}
	}
	out.WriteString("{\n\t\"name\": " + string(name) + ",\n\t\"fields\": {")
	head := []moovField{s.moovType(), s.moovBitmap()}
	for de := range lastField + 1 {
		var f moovField
		switch {
		case de < len(head):
			f = head[de]
		case s.fields[de].defined():
			var problem string
			if f, problem = s.fields[de].moov(); problem != "" {
				return nil, &MoovError{strconv.Itoa(de), problem}
			}
		default:
			continue
		}
		b, err := json.MarshalIndent(f, "\t\t", "\t")
		if err != nil {
			return nil, &MoovError{strconv.Itoa(de), "cannot be written"}
		}
		if de > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n\t\t\"" + strconv.Itoa(de) + "\": ")
		out.Write(b)
	}
	out.WriteString("\n\t}\n}\n")
	return out.Bytes(), nil
}

var moovWires = map[wire]string{wireASCII: "ASCII", wireBCD: "BCD", wireEBCDIC: "EBCDIC", wireEBCDIC1047: "EBCDIC", wireRaw: "Binary"}

func (s *Spec) moovType() moovField {
	return moovField{Type: "String", Length: 4, Description: "message type", Enc: moovWires[s.mti], Prefix: moovWires[s.mti] + ".Fixed"}
}

func (s *Spec) moovBitmap() moovField {
	if s.bitmap == wireHex {
		return moovField{Type: "Bitmap", Length: 8, Description: "bitmap", Enc: "HexToASCII", Prefix: "Hex.Fixed"}
	}
	return moovField{Type: "Bitmap", Length: 8, Description: "bitmap", Enc: "Binary", Prefix: "Binary.Fixed"}
}

// moov gives the field in moov's words, or what is in the way.
func (f *field) moov() (m moovField, problem string) {
	m = moovField{Type: "String", Length: f.max, Description: f.name}
	switch f.wire {
	case wireASCII, wireEBCDIC:
		m.Enc = moovWires[f.wire]
		if f.class == classXN {
			m.Length++
		}
	case wireBCD:
		switch {
		case f.class != classN:
			return m, "track data and signed numbers in BCD have no counterpart"
		case f.filler != 0:
			return m, "filler other than 0 has no counterpart"
		case f.inByte:
			return m, "a length that counts bytes of BCD has no counterpart"
		}
		m.Enc = "LBCD"
		if f.right || f.digits == 0 && f.max%2 == 0 {
			m.Enc = "BCD"
		}
	case wireRaw, wireGBK, wireGB18030:
		m.Type, m.Enc = "Binary", "Binary"
	case wireHex:
		m.Type, m.Enc = "Binary", "HexToASCII"
		if !f.inByte && f.digits > 0 { // its length counts characters
			m.Type, m.Enc, m.Length = "String", "ASCII", 2*f.max
		}
	default:
		return m, "EBCDIC 1047 has no counterpart"
	}
	if f.pad {
		m.Padding = &moovPadding{"Right", " "}
	}
	m.Prefix = moovWires[f.prefix] + "." + strings.Repeat("L", f.digits)
	switch {
	case f.digits == 0 && f.wire == wireHex:
		m.Prefix = "Hex.Fixed"
	case f.digits == 0:
		m.Prefix = strings.TrimPrefix(m.Enc, "L") + ".Fixed"
	case f.prefix == wireRaw && f.digits > 2:
		m.Prefix = "Binary.LL"
	case f.prefix == wireRaw:
		m.Prefix = "Binary.L"
	}
	return m, ""
}
