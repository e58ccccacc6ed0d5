package codec_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"strings"

	"github.com/tallystick/tallystick/codec"
)

// Decode a captured sale and read it. What is printed is masked.
func Example() {
	raw, _ := hex.DecodeString("02003020048000C080310000000000000000010000010320003232303033363030313034353132353431" +
		"31313030303131353600244133303139363231313131313131313131313131313131310013220066030006004535383035454342")
	m, err := codec.UnionPay().Decode(raw)
	if err != nil {
		log.Fatal(err)
	}
	stan, _ := m.Text(11)
	fmt.Println(m.Type(), "STAN", stan)
	fmt.Println(m)
	// Output:
	// 0200 STAN 000001
	// 0200 3="000000" 4="000000000001" 11="000001" 22="032" 25="00" 41="22003600" 42="104512541110001" 49="156" 59="***" 60="2200660300060" 64="4535383035454342"
}

// Build a sale, sign it and put it on a line.
func Example_build() {
	s := codec.UnionPay()
	m := codec.NewMessage(s, 0x0200)
	for de, v := range map[int]string{
		2: "6221558812340000", 3: "000000", 4: "000000012300", 11: "000001", 22: "012", 25: "00",
		41: "22003600", 42: "104512541110001", 49: "156",
	} {
		if err := m.Set(de, v); err != nil {
			log.Fatal(err)
		}
	}
	if err := m.SetValue(60, codec.Private60{Type: codec.TypeSale, Batch: 1, Capability: 6}); err != nil {
		log.Fatal(err)
	}
	mac, err := codec.NewECBMAC([]byte("mac key!"))
	if err != nil {
		log.Fatal(err)
	}
	body, err := s.AppendMAC(nil, m, mac)
	if err != nil {
		log.Fatal(err)
	}
	tpdu, _ := codec.ParseTPDU("6000030000")
	header, _ := codec.ParseHeader("603100311300")
	wire, err := s.Framing().Append(nil, codec.Frame{TPDU: tpdu, Header: header, Body: body})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes: % X …\n", len(wire), wire[:13])
	// Output:
	// 89 bytes: 00 57 60 00 03 00 00 60 31 00 31 13 00 …
}

// A dialect is a table in the standard's notation.
func ExampleParseSpec() {
	s, err := codec.ParseSpec(`
dialect corner-shop
mti     bcd
bitmap  binary
length  bcd
digits  bcd

2   n..19    LLVAR       primary account number   !pan
3   n6       fixed       processing code
22  n3       fixed,left  point of service entry mode
63  ans...99 LLLVAR      texts                    !show
`)
	if err != nil {
		log.Fatal(err)
	}
	m := codec.NewMessage(s, 0x0200)
	_ = m.Set(2, "4111111111111111")
	_ = m.Set(22, "021")
	b, _ := s.Append(nil, m)
	fmt.Printf("%X\n%v\n", b, m)

	_, err = codec.ParseSpec("mti bcd\n2 n..19 LLLVAR account")
	fmt.Println(err)
	// Output:
	// 020040000400000000001641111111111111110210
	// 0200 2="411111******1111" 22="021"
	// iso8583 dialect: line 2, column 9: shape LLLVAR does not fit the attribute's dots
}

// A host that differs in a few things is a few lines over a dialect.
func ExampleSpec_With() {
	s, err := codec.UnionPay().With(`
48  ans...999  LLLVAR  additional data  !hide
frame  ascii tpdu
mac    x9.9 whole
`)
	if err != nil {
		log.Fatal(err)
	}
	m := codec.NewMessage(s, 0x0200)
	fmt.Println(m.Set(48, "PA570900000001#"), s.Framing().NoHeader)
	// Output: <nil> true
}

// A mistake is told by field and offset, never by content.
func ExampleFieldError() {
	m := codec.NewMessage(codec.UnionPay(), 0x0200)
	err := m.Set(2, "411111111111111x")
	var fe *codec.FieldError
	if errors.As(err, &fe) && errors.Is(err, codec.ErrContent) {
		fmt.Println(fe.DE, fe.Offset)
		fmt.Println(err)
	}
	// Output:
	// 2 15
	// iso8583: DE 2: a character is not allowed by the field's class at offset 15
}

// Code that asks for a Carrier takes messages of this package and, as they are,
// those of moov-io/iso8583.
func ExampleCarrier() {
	stanOf := func(m codec.Carrier) (string, error) {
		v, err := m.GetString(11)
		return fmt.Sprintf("%06s", v), err // the other library cuts zeros off
	}
	m := codec.NewMessage(codec.UnionPay(), 0x0800)
	_ = m.Field(11, "000042")
	fmt.Println(stanOf(m))
	// Output: 000042 <nil>
}

func ExampleParseMoovJSON() {
	s, err := codec.ParseMoovJSON([]byte(`{"name": "a host", "fields": {
		"0": {"type": "String", "length": 4, "enc": "ASCII", "prefix": "ASCII.Fixed"},
		"1": {"type": "Bitmap", "length": 8, "enc": "HexToASCII", "prefix": "Hex.Fixed"},
		"2": {"type": "String", "length": 19, "description": "card number", "enc": "ASCII", "prefix": "ASCII.LL"}}}`))
	if err != nil {
		log.Fatal(err)
	}
	m := codec.NewMessage(s, 0x0100)
	_ = m.Set(2, "4111111111111111")
	b, _ := m.Pack()
	fmt.Println(string(b))
	_, err = codec.ParseMoovJSON([]byte(`{"fields": {"2": {"type": "Track2", "length": 37, "enc": "ASCII", "prefix": "ASCII.LL"}}}`))
	fmt.Println(err)
	// Output:
	// 01004000000000000000164111111111111111
	// moov specification: field 2: type "Track2" has no counterpart
}

func ExampleMoovError() {
	_, err := codec.UnionPay().MoovJSON()
	var me *codec.MoovError
	fmt.Println(errors.As(err, &me), err)
	// Output: true moov specification: field 35: track data and signed numbers in BCD have no counterpart
}

func ExampleSpec_MoovJSON() {
	s, _ := codec.ParseSpec("dialect small\nmti ascii\nbitmap hex\n3 n6 fixed processing code")
	b, err := s.MoovJSON()
	fmt.Println(strings.Contains(string(b), `"description": "processing code"`), err)
	// Output: true <nil>
}

func ExampleUnionPay() {
	s := codec.UnionPay()
	fmt.Println(s.Name(), s.FieldName(11), s.Defines(5), s.CarriesMAC(0x0210))
	// Output: unionpay system trace audit number false true
}

func ExampleISO1987ASCII() {
	m, err := codec.ISO1987ASCII().Decode([]byte("01007000000000000000164242424242424242123456000000000100"))
	fmt.Println(m, err)
	// Output: 0100 2="424242******4242" 3="123456" 4="000000000100" <nil>
}

func ExampleISO1987BCD() {
	m := codec.NewMessage(codec.ISO1987BCD(), 0x0800)
	_ = m.Set(70, "001")
	b, err := m.Pack()
	fmt.Printf("%X %v\n", b, err)
	// Output: 0800800000000000000004000000000000000001 <nil>
}

func ExampleISO1993ASCII() {
	m := codec.NewMessage(codec.ISO1993ASCII(), 0x1420)
	_ = m.SetValue(24, codec.FuncFullReversal)
	_ = m.SetValue(25, codec.ReasonNoAnswerTime)
	fmt.Println(m)
	// Output: 1420 24="400" 25="4021"
}

func ExampleISO1993Binary() {
	m := codec.NewMessage(codec.ISO1993Binary(), 0x1804)
	_ = m.SetValue(24, codec.FuncEcho)
	b, err := m.Pack()
	fmt.Printf("%X %v\n", b, err)
	// Output: 180400000100000000008310 <nil>
}

func ExampleISO2003ASCII() {
	fmt.Println(codec.ISO2003ASCII().FieldName(39))
	// Output: result code
}

func ExampleDialects() {
	for _, s := range codec.Dialects() {
		fmt.Println(s.Name())
	}
	// Output:
	// unionpay
	// iso1987-ascii
	// iso1987-bcd
	// iso1993-ascii
	// iso1993-binary
	// iso2003-ascii
}

func ExampleDialectText() {
	text, _ := codec.DialectText("unionpay")
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "22 ") {
			fmt.Print(line)
		}
	}
	// Output: 22   n3         fixed,left   point of service entry mode
}

func ExampleNewMessage() {
	m := codec.NewMessage(codec.UnionPay(), 0x0820)
	fmt.Println(m.Set(11, "000042"), m.Has(11), m.Has(41))
	m.Unset(11)
	fmt.Println(m.Has(11), m.Set(11, "42"))
	// Output:
	// <nil> true false
	// false iso8583: DE 11: shorter than its fixed length (has 2, needs 6)
}

// A Message shows itself masked wherever it is printed.
func ExampleMessage_LogValue() {
	m := codec.NewMessage(codec.UnionPay(), 0x0200)
	_ = m.Set(2, "6221558812340000")
	_ = m.Set(35, "6221558812340000=30122010000")
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	logger.Info("sent", "message", m)
	// Output: level=INFO msg=sent message.mti=0200 message.2=622155******0000 message.35=***
}

func ExampleMessage_Fields() {
	m := codec.NewMessage(codec.UnionPay(), 0x0820)
	_ = m.Set(41, "22003600")
	_ = m.Set(11, "000042")
	for de := range m.Fields {
		v, _ := m.Masked(de)
		fmt.Println(de, m.Spec().FieldName(de), v)
	}
	// Output:
	// 11 system trace audit number 000042
	// 41 terminal 22003600
}

func ExampleSpec_DecodeInto() {
	s := codec.UnionPay()
	raw, _ := hex.DecodeString("08000020000000000000000042")
	var m codec.Message // its memory serves again and again
	for range 2 {
		fmt.Println(s.DecodeInto(&m, raw), &m)
	}
	// Output:
	// <nil> 0800 11="000042"
	// <nil> 0800 11="000042"
}

func ExampleSpan() {
	raw, _ := hex.DecodeString("0800002000000000000000004A")
	spans, err := codec.UnionPay().Spans(raw)
	for _, p := range spans {
		fmt.Println(p.DE, p.Start, p.End)
	}
	fmt.Println(err)
	// Output:
	// 0 0 2
	// 1 2 10
	// iso8583: DE 11: a character is not allowed by the field's class at offset 12
}

func ExampleParseMTI() {
	t, err := codec.ParseMTI("0420")
	fmt.Println(t.Repeat(), t.Repeat().Response(), t.Response().IsResponse(), err)
	// Output: 0421 0430 true <nil>
}

func ExampleFraming() {
	f := codec.Framing{Length: codec.LengthASCII, NoTPDU: true, NoHeader: true, Max: 100}
	line, _ := f.Append(nil, codec.Frame{Body: []byte("hello")})
	fmt.Println(string(line))
	fr, err := f.Read(bytes.NewReader(line), nil)
	fmt.Println(string(fr.Body), err)
	_, err = f.Decode([]byte("0999hello"))
	fmt.Println(err)
	// Output:
	// 0005hello
	// hello <nil>
	// iso8583 frame: frame is larger than the bound (has 999, at most 100 bytes) at offset 0
}

func ExampleFrameError() {
	_, err := codec.Framing{}.Read(strings.NewReader("\x00\x10\x60"), nil)
	var fe *codec.FrameError
	fmt.Println(errors.As(err, &fe), fe.Offset)
	// Output: true 3
}

func ExampleParseTPDU() {
	t, _ := codec.ParseTPDU("6006010000")
	fmt.Println(t.Swap())
	// Output: 6000000601
}

func ExampleParseHeader() {
	h, _ := codec.ParseHeader("603103311300")
	fmt.Println(h.Application(), h.Version(), h.Processing() == codec.ProcessSignIn)
	// Output: 60 31 true
}

func ExampleUnionPayCode() {
	for _, code := range []string{"00", "51", "68", "A0", "Q8"} {
		r := codec.UnionPayCode(code)
		fmt.Println(code, r.Class, r.Next, r.Zh, r.En)
	}
	// Output:
	// 00 approved done 交易成功。 Approved.
	// 51 declined stop 余额不足，请换卡。 The balance is too low; ask for another card.
	// 68 progress enquire 应答超时，结果未定。 The issuer answered too late; the result is not known.
	// A0 signin signin 校验错误，请重新签到后再试。 The MAC is wrong; sign in again, then repeat.
	// Q8 declined stop 交易失败，请联系收单机构。 The transaction failed; call the acquirer.
}

func ExampleISO1987Code() {
	r := codec.ISO1987Code("94")
	fmt.Println(r.Class, r.Approved(), r.Temporary(), r.Unknown())
	// Output: duplicate false false false
}

func ExampleISO1993Code() {
	r := codec.ISO1993Code("911")
	fmt.Println(r.Class, r.Next, r.Unknown())
	// Output: progress enquire true
}

func ExampleISO2003Code() {
	r := codec.ISO2003Code("9113")
	fmt.Println(r.Class, r.Next, r.En)
	// Output: duplicate done Duplicate: the host already has this transaction.
}

func ExampleResponses() {
	for r := range codec.Responses("unionpay") {
		if r.Class == codec.SignIn {
			fmt.Println(r.Code, r.En)
		}
	}
	// Output:
	// 77 Sign in again, then repeat.
	// 99 The PIN block is wrong; sign in again, then repeat.
	// A0 The MAC is wrong; sign in again, then repeat.
}
