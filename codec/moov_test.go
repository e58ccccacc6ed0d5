package codec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// standIn is a message of another library as a host link meets it: an absent
// field is "" without an error, an undefined one an error, and numeric fields
// lose their zeros in front.
type standIn struct {
	inner   *Message
	numeric map[int]bool
}

var errStandIn = errors.New("failed to get string: field is not defined in the spec")

func (s *standIn) Pack() ([]byte, error)              { return s.inner.Pack() }
func (s *standIn) Unpack(b []byte) error              { return s.inner.Unpack(b) }
func (s *standIn) MTI(t string)                       { s.inner.MTI(t) }
func (s *standIn) GetMTI() (string, error)            { return s.inner.GetMTI() }
func (s *standIn) BinaryField(de int, b []byte) error { return s.inner.BinaryField(de, b) }
func (s *standIn) GetBytes(de int) ([]byte, error)    { return s.inner.GetBytes(de) }
func (s *standIn) UnsetField(de int)                  { s.inner.UnsetField(de) }

func (s *standIn) Field(de int, v string) error {
	if s.numeric[de] {
		n, err := strconv.Atoi(v)
		if err != nil {
			return err
		}
		v = fmt.Sprintf("%0*d", s.inner.Spec().field(de).max, n)
	}
	return s.inner.Field(de, v)
}

func (s *standIn) GetString(de int) (string, error) {
	v, err := s.inner.GetString(de)
	if err != nil {
		return "", errStandIn
	}
	if s.numeric[de] {
		v = strings.TrimLeft(v, "0")
	}
	return v, nil
}

// exchange does what a host link does with a message, by the interface alone.
func exchange(t *testing.T, ask, answer Carrier, wire func([]byte) []byte) {
	ask.MTI("0800")
	require.NoError(t, ask.Field(11, "000042"))
	require.NoError(t, ask.Field(41, "22003600"))
	require.NoError(t, ask.BinaryField(62, []byte{0, 1, 0xFF}))
	require.NoError(t, ask.Field(37, "123456789012"))
	ask.UnsetField(37)
	b, err := ask.Pack()
	require.NoError(t, err)
	require.NoError(t, answer.Unpack(wire(b)))
	mti, err := answer.GetMTI()
	require.NoError(t, err)
	require.Equal(t, "0800", mti)
	stan, err := answer.GetString(11)
	require.NoError(t, err)
	n, err := strconv.Atoi(stan)
	require.NoError(t, err)
	require.Equal(t, 42, n)
	raw, err := answer.GetBytes(62)
	require.NoError(t, err)
	require.Equal(t, []byte{0, 1, 0xFF}, raw)
	for _, de := range []int{37, 39} {
		v, err := answer.GetString(de)
		require.NoError(t, err)
		require.Empty(t, v)
		raw, err := answer.GetBytes(de)
		require.NoError(t, err)
		require.Empty(t, raw)
	}
	_, err = answer.GetString(7)
	require.Error(t, err)
	require.Error(t, ask.Field(7, "0101010101"))
}

func TestCarrier(t *testing.T) {
	other := func() *standIn { return &standIn{NewMessage(UnionPay(), 0), map[int]bool{4: true, 11: true}} }
	same := func(b []byte) []byte { return b }
	exchange(t, NewMessage(UnionPay(), 0), NewMessage(UnionPay(), 0), same)
	exchange(t, other(), NewMessage(UnionPay(), 0), same)
	exchange(t, NewMessage(UnionPay(), 0), other(), same)

	m := NewMessage(UnionPay(), 0x0200)
	m.MTI("02x0")
	_, err := m.GetMTI()
	require.ErrorIs(t, err, ErrMTI)
	_, err = m.Pack()
	require.ErrorIs(t, err, ErrMTI)
	var zero Message
	_, err = zero.Pack()
	require.ErrorIs(t, err, ErrDialect)
	require.ErrorIs(t, zero.Unpack(nil), ErrDialect)
	require.ErrorIs(t, zero.Set(3, "000000"), ErrDialect)
	_, err = zero.GetMTI()
	require.ErrorIs(t, err, ErrMTI)
	zero.MTI("0200")
	zero.UnsetField(3)
	require.False(t, zero.Has(3))
}

const moovExample = `{
	"name": "a host",
	"fields": {
		"0": {"type": "String", "length": 4, "description": "Message Type Indicator", "enc": "ASCII", "prefix": "ASCII.Fixed"},
		"1": {"type": "Bitmap", "length": 16, "description": "Bitmap", "enc": "HexToASCII", "prefix": "Hex.Fixed"},
		"2": {"type": "String", "length": 19, "description": "Primary # Account !Number", "enc": "ASCII", "prefix": "ASCII.LL"},
		"3": {"type": "Numeric", "length": 6, "description": "Processing Code", "enc": "ASCII", "prefix": "ASCII.Fixed", "padding": {"type": "Left", "pad": "0"}},
		"4": {"type": "String", "length": 12, "enc": "BCD", "prefix": "BCD.Fixed"},
		"23": {"type": "String", "length": 3, "enc": "LBCD", "prefix": "BCD.Fixed"},
		"32": {"type": "String", "length": 11, "enc": "BCD", "prefix": "BCD.LL"},
		"43": {"type": "String", "length": 10, "enc": "EBCDIC", "prefix": "EBCDIC.Fixed", "padding": {"type": "Right", "pad": " "}},
		"48": {"type": "Composite", "length": 255, "prefix": "ASCII.LLL", "tag": {"length": 2, "enc": "ASCII", "sort": "StringsByInt"},
			"subfields": {"01": {"type": "String", "length": 2, "enc": "ASCII", "prefix": "ASCII.LL"}}},
		"52": {"type": "String", "length": 8, "enc": "Hex", "prefix": "Hex.Fixed"},
		"55": {"type": "Binary", "length": 255, "enc": "Binary", "prefix": "Binary.L"},
		"64": {"type": "Binary", "length": 8, "enc": "Binary", "prefix": "Binary.Fixed"}
	}
}`

func TestParseMoovJSON(t *testing.T) {
	s, err := ParseMoovJSON([]byte(moovExample))
	require.NoError(t, err)
	require.Equal(t, "a host", s.Name())
	require.Equal(t, "Primary Account Number", s.FieldName(2))
	m := NewMessage(s, 0x0100)
	for de, v := range map[int]string{2: "4111111111111111", 3: "000123", 4: "000000000100", 23: "123", 32: "12345", 43: "AB", 48: "30310258", 52: "0011223344556677", 55: "5A0101", 64: "8899AABBCCDDEEFF"} {
		require.NoError(t, m.Set(de, v), "DE %d", de)
	}
	b, err := s.Append(nil, m)
	require.NoError(t, err)
	want := "0100" + "7000020100211201" + "16" + "4111111111111111" + "000123" + "\x00\x00\x00\x00\x01\x00" + "\x12\x30" + "\x05\x01\x23\x45" +
		"\xC1\xC2@@@@@@@@" + "004" + "01\x02X" + "0011223344556677" + "\x03\x5A\x01\x01" + "\x88\x99\xAA\xBB\xCC\xDD\xEE\xFF"
	require.Equal(t, want, string(b))
}

func TestMoovJSONRefuses(t *testing.T) {
	field := func(s string) string { return `{"fields": {"2": ` + s + `}}` }
	for in, problem := range map[string]string{
		``:                "not its JSON",
		`[]`:              "not its JSON",
		`{}`:              "no field",
		`{"fields":{}} x`: "follows",
		`{"colour":1}`:    "none of the format's",
		`{"fields":{"0":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed"}}}`:                            "no field",
		`{"fields":{"0":{"type":"String","length":4,"enc":"Binary","prefix":"ASCII.Fixed"}}}`:                           "message type",
		`{"fields":{"1":{"type":"Bitmap","length":24,"enc":"Binary","prefix":"Binary.Fixed"}}}`:                         "bitmaps of 8",
		`{"fields":{"1":{"type":"Bitmap","length":8,"enc":"Binary","prefix":"Binary.Fixed","disableautoexpand":true}}}`: "bitmaps of 8",
		`{"fields":{"1":{"type":"String","length":8,"enc":"Binary","prefix":"Binary.Fixed"}}}`:                          "must be the bitmap",
		`{"fields":{"1":{"type":"Bitmap","length":8,"enc":"BCD","prefix":"Binary.Fixed"}}}`:                             "encoding",
		`{"fields":{"02":{"type":"String","length":8,"enc":"ASCII","prefix":"ASCII.Fixed"}}}`:                           "number",
		`{"fields":{"129":{"type":"String","length":8,"enc":"ASCII","prefix":"ASCII.Fixed"}}}`:                          "2 to 128",
		`{"fields":{"65":{"type":"String","length":8,"enc":"ASCII","prefix":"ASCII.Fixed"}}}`:                           "tertiary",
		`{"fields":{"x":{"type":"String","length":8,"enc":"ASCII","prefix":"ASCII.Fixed"}}}`:                            "number",
		field(`{"type":"String","length":0,"enc":"ASCII","prefix":"ASCII.Fixed"}`):                                      "length",
		field(`{"type":"String","length":10000,"enc":"ASCII","prefix":"ASCII.Fixed"}`):                                  "length",
		field(`{"type":"String","length":8,"Length":9,"enc":"ASCII","prefix":"ASCII.Fixed"}`):                           `"Length" is none of the format's`,
		field(`{"type":"String","length":8,"length":9,"enc":"ASCII","prefix":"ASCII.Fixed"}`):                           `"length" occurs twice`,
		field(`{"type":"\u017ftring","length":8,"enc":"ASCII","de\u017fcription":"a","prefix":"ASCII.Fixed"}`):          "none of the format's",
		`{"type":"String"}`:     "unknown field",
		strings.Repeat("[", 40): "nested too deeply",
		field(strings.Repeat(`{"subfields":{"a":`, 20) + "{}" + strings.Repeat("}}", 20)): "nested too deeply",
		`{"name":"a","name":"b","fields":{}}`:                                             `"name" occurs twice`,
		`{"Fields":{}}`:                                                                   `"Fields" is none of`,
		`{"fields":{"3":{"type":"String","length":6,"enc":"ASCII","prefix":"ASCII.Fixed"},"3":{"type":"String","length":7,"enc":"ASCII","prefix":"ASCII.Fixed"}}}`:                                     `"3" occurs twice`,
		`{"fields":{"0":{"type":"Binary","length":4,"enc":"ASCII","prefix":"ASCII.Fixed"},"3":{"type":"String","length":6,"enc":"ASCII","prefix":"ASCII.Fixed"}}}`:                                     "needs 4 fixed digits",
		`{"fields":{"0":{"type":"String","length":4,"enc":"ASCII","prefix":"ASCII.Fixed","padding":{"type":"Left","pad":"x"}},"3":{"type":"String","length":6,"enc":"ASCII","prefix":"ASCII.Fixed"}}}`: "no parts",
		`{"fields":{"1":{"type":"Bitmap","length":8,"enc":"Binary","prefix":"Binary.Fixed","subfields":{"1":{}}},"3":{"type":"String","length":6,"enc":"ASCII","prefix":"ASCII.Fixed"}}}`:              "no parts",
		`{"fields":{"0":{"type":"String","length":4,"enc":"ASCII","prefix":"Foo.Fixed"},"3":{"type":"String","length":6,"enc":"ASCII","prefix":"ASCII.Fixed"}}}`:                                       "message type",
		`{"fields":{"1":{"type":"Bitmap","length":8,"enc":"Binary","prefix":"ASCII.LL"}}}`:                                                                                                             "prefix",
		field(`{"type":"String","length":8,"enc":"ASCII","prefix":"Foo.Fixed"}`):                                                                                                                       `prefix "Foo.Fixed"`,
		field(`{"type":"String","length":8,"enc":"ASCII","prefix":"ASCII."}`):                                                                                                                          "prefix",
		field(`{"type":"String","length":8,"enc":"ASCIIToHex","prefix":"ASCII.LL"}`):                                                                                                                   "encoding",
		field(`{"type":"Composite","length":8,"prefix":"ASCII.LL","subfields":{"1":{"type":"Nonsense","length":2,"enc":"ASCII","prefix":"ASCII.Fixed"}}}`):                                             `subfield "1": type "Nonsense"`,
		field(`{"type":"Composite","length":8,"prefix":"ASCII.LL","subfields":{"1":{"type":"String","length":2,"enc":"Foo","prefix":"ASCII.Fixed"}}}`):                                                 `subfield "1": encoding "Foo"`,
		field(`{"type":"Composite","length":8,"prefix":"ASCII.LL","subfields":{"1":{"type":"String","length":2,"enc":"ASCII","prefix":"Foo"}}}`):                                                       `subfield "1": prefix "Foo"`,
		field(`{"type":"Composite","length":8,"prefix":"ASCII.LL","subfields":{"1":{"type":"Composite","prefix":"ASCII.LL","subfields":{"a":{"type":"x"}}}}}`):                                         `subfield "1": subfield "a": type "x"`,
		field(`{"type":"Composite","length":8,"prefix":"ASCII.LL","subfields":{"a":{"type":"String","length":2,"enc":"ASCII","prefix":"ASCII.L"},"a":1}}`):                                             "",
		field(`{"type":"Composite","length":8,"prefix":"ASCII.LL","subfields":{"fields":{"Type":"String","length":2,"enc":"ASCII","prefix":"ASCII.L"}}}`):                                              `"Type" is none of`,
		field(`{"type":"String","length":8,"enc":"ASCII","prefix":"ASCII.L"}`):                                                                                                                         "prefix",
		field(`{"type":"String","length":8,"enc":"ASCII","prefix":"ASCII.LLLLL"}`):                                                                                                                     "prefix",
		field(`{"type":"String","length":8,"enc":"ASCII","prefix":"Hex.LL"}`):                                                                                                                          "prefix",
		field(`{"type":"String","length":8,"enc":"ASCII","prefix":"BerTLV"}`):                                                                                                                          "prefix",
		field(`{"type":"String","length":8,"enc":"ASCII","prefix":"ASCII.XX"}`):                                                                                                                        "prefix",
		field(`{"type":"String","length":8,"enc":"ASCII","prefix":"Binary.LLL"}`):                                                                                                                      "prefix",
		field(`{"type":"String","length":100,"enc":"ASCII","prefix":"ASCII.LL"}`):                                                                                                                      "does not fit",
		field(`{"type":"String","length":8,"enc":"Binary","prefix":"ASCII.LL"}`):                                                                                                                       "encoding",
		field(`{"type":"Binary","length":8,"enc":"ASCII","prefix":"ASCII.LL"}`):                                                                                                                        "encoding",
		field(`{"type":"Numeric","length":8,"enc":"Hex","prefix":"ASCII.LL"}`):                                                                                                                         "encoding",
		field(`{"type":"Track2","length":37,"enc":"ASCII","prefix":"ASCII.LL"}`):                                                                                                                       "type",
		field(`{"type":"String","length":8,"enc":"ASCII","prefix":"ASCII.LL","padding":{"type":"Left","pad":"0"}}`):                                                                                    "variable",
		field(`{"type":"String","length":8,"enc":"ASCII","prefix":"ASCII.Fixed","padding":{"type":"Left","pad":" "}}`):                                                                                 "padding",
		field(`{"type":"Numeric","length":8,"enc":"ASCII","prefix":"ASCII.Fixed","padding":{"type":"Right","pad":" "}}`):                                                                               "padding",
		field(`{"type":"Composite","length":8,"prefix":"ASCII.LL","bitmap":{"type":"Bitmap"}}`):                                                                                                        "composites",
		field(`{"type":"String","length":8,"enc":"ASCII","prefix":"ASCII.LL","tag":{"length":2}}`):                                                                                                     "tags",
		field(`{"type":"String","length":8,"enc":"ASCII","prefix":"ASCII.LL","disableautoexpand":true}`):                                                                                               "bitmaps",
		field(`{"type":"String","length":8,"enc":"ASCII","prefix":"ASCII.LL","kind":1}`):                                                                                                               "none of the format's",
	} {
		_, err := ParseMoovJSON([]byte(in))
		var me *MoovError
		require.ErrorAs(t, err, &me, in)
		require.Contains(t, me.Error(), problem, in)
	}
	_, err := ParseMoovJSON([]byte(field(`{"type":"String","length":8,"enc":"ASCIIToHex","prefix":"Hex.Fixed"}`)))
	require.NoError(t, err)

	// What is right is refused all the same beyond 1 MiB.
	for n, fine := range map[int]bool{1 << 20: true, 1<<20 + 1: false} {
		_, err := ParseMoovJSON([]byte(moovExample + strings.Repeat(" ", n-len(moovExample))))
		require.Equal(t, fine, err == nil)
		if err != nil {
			require.EqualError(t, err, "moov specification: longer than 1 MiB")
		}
	}
}

// A dialect written in moov's format and read back has the same wire form.
func TestMoovJSONRoundTrip(t *testing.T) {
	for base, side := range map[*Spec]string{ISO1987ASCII(): "", ISO1987BCD(): ",right"} {
		s, err := base.With("28 n8 fixed a\n29 n8 fixed a\n30 n8 fixed a\n31 n8 fixed a\n97 n16 fixed a\n35 n..37 LLVAR" + side + " track 2\n36 n...104 LLLVAR" + side + " track 3\n43 ans40 fixed,pad name\n55 b...255 LLLVAR,bytes chip data")
		require.NoError(t, err)
		out, err := s.MoovJSON()
		require.NoError(t, err)
		back, err := ParseMoovJSON(out)
		require.NoError(t, err)
		require.Equal(t, s.Name(), back.Name())
		a, b := NewMessage(s, 0x0200), NewMessage(back, 0x0200)
		require.NoError(t, setSale(a, &benchSale))
		require.NoError(t, setSale(b, &benchSale))
		for de, v := range map[int]string{32: "12345", 35: "123", 43: "name", 52: "0011223344556677", 90: strings.Repeat("1", 42)} {
			require.NoError(t, a.Set(de, v))
			require.NoError(t, b.Set(de, v), "DE %d", de)
		}
		pa, err := a.Pack()
		require.NoError(t, err)
		pb, err := b.Pack()
		require.NoError(t, err)
		require.Equal(t, pa, pb)
		again, err := back.MoovJSON()
		require.NoError(t, err)
		require.Equal(t, string(out), string(again))
	}
	for _, line := range []string{"35 z..37 LLVAR,bcd t", "28 x+n8 fixed,bcd t", "5 n5 fixed,bcd,filler=F t", "5 n..5 LLVAR,bcd,bytes t", "5 ans5 fixed,ebcdic1047 t"} {
		s, err := ParseSpec(line)
		require.NoError(t, err)
		_, err = s.MoovJSON()
		var me *MoovError
		require.ErrorAs(t, err, &me, line)
	}
}

// Which of the dialects can be written in moov's format, and what is in the way
// of the others.
func TestMoovJSONOfDialects(t *testing.T) {
	const tracks = "track data and signed numbers in BCD have no counterpart"
	inTheWay := map[string]MoovError{
		"unionpay":       {"35", tracks},
		"iso1987-bcd":    {"28", tracks},
		"iso1993-binary": {"35", tracks},
	}
	for _, s := range Dialects() {
		out, err := s.MoovJSON()
		if want, is := inTheWay[s.Name()]; is {
			var me *MoovError
			require.ErrorAs(t, err, &me, s.Name())
			require.Equal(t, want, *me, s.Name())
			continue
		}
		require.NoError(t, err, s.Name())
		back, err := ParseMoovJSON(out)
		require.NoError(t, err, s.Name())
		require.Equal(t, s.Name(), back.Name())
		for de := 2; de <= lastField; de++ {
			require.Equal(t, s.Defines(de), back.Defines(de))
		}
		// The same wire form of every field at its longest and, if it may be
		// empty, at its shortest.
		for _, whole := range []bool{true, false} {
			a, b := NewMessage(s, 0x0200), NewMessage(back, 0x0200)
			for de := 2; de <= lastField; de++ {
				f := s.field(de)
				if f == nil || !whole && f.digits == 0 {
					continue
				}
				v := strings.Repeat("1", f.max)
				switch {
				case !whole:
					v = ""
				case f.class == classXN:
					v = "C" + v
				case f.class == classB:
					v += v
				}
				require.NoError(t, a.Set(de, v), "DE %d", de)
				if f.class == classB && f.digits == 0 || back.field(de).class != classB {
					require.NoError(t, b.Set(de, v), "DE %d", de)
				} else {
					require.NoError(t, b.SetBytes(de, []byte(v)), "DE %d", de)
				}
			}
			pa, err := a.Pack()
			require.NoError(t, err)
			pb, err := b.Pack()
			require.NoError(t, err)
			require.Equal(t, pa, pb, s.Name())
		}
	}
}

// The messages that moov publishes, read by a specification in its format.
func TestMoovMessages(t *testing.T) {
	table, err := ISO1987ASCII().With("28 n8 fixed a\n29 n8 fixed a\n30 n8 fixed a\n31 n8 fixed a\n97 n16 fixed a\n55 ans...999 LLLVAR chip data")
	require.NoError(t, err)
	out, err := table.MoovJSON()
	require.NoError(t, err)
	s, err := ParseMoovJSON(out)
	require.NoError(t, err)
	n := 0
	for _, g := range loadGolden(t, "testdata/iso8583.txt") {
		if strings.HasPrefix(g.name, "moov") {
			checkGolden(t, s, g, g.raw)
			n++
		}
	}
	require.Equal(t, 3, n)
}
