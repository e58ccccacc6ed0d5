package codec

import (
	"bytes"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// seedMessages adds every golden and every hostile message.
func seedMessages(f *testing.F, add func(b []byte)) {
	for _, file := range []string{"testdata/unionpay.txt", "testdata/iso8583.txt"} {
		for _, g := range loadGolden(f, file) {
			frame, err := g.framing().Decode(g.raw)
			require.NoError(f, err)
			add(frame.Body)
		}
	}
	for _, h := range hostile {
		b, err := hex.DecodeString(strings.ReplaceAll(h.hex, " ", ""))
		require.NoError(f, err)
		add(b)
	}
	for _, p := range codecPairs() {
		var flat flatSale
		flat.set(&benchSale)
		add(p.encode(&flat, nil))
	}
}

// FuzzDecode holds all dialects to it that what Decode accepts, Append writes
// as the same bytes, and that the fields, set anew, say the same.
func FuzzDecode(f *testing.F) {
	seedMessages(f, func(b []byte) { f.Add(b) })
	reused := make([]Message, len(Dialects()))
	f.Fuzz(func(t *testing.T, b []byte) {
		for i, s := range Dialects() {
			m, err := s.Decode(b)
			checkCareful(t, s, m, b)
			if again := s.DecodeInto(&reused[i], b); (again == nil) != (err == nil) {
				t.Fatalf("%s: Decode says %v, DecodeInto %v", s.Name(), err, again)
			}
			spans, spansErr := s.Spans(b)
			if (err == nil) != (spansErr == nil) {
				t.Fatalf("%s: Spans disagrees", s.Name())
			}
			if err != nil {
				_ = err.Error()
				continue
			}
			if spans[len(spans)-1].End != len(b) {
				t.Fatalf("%s: Spans ends early", s.Name())
			}
			for _, m := range []*Message{m, &reused[i]} {
				out, err := s.Append(nil, m)
				if err != nil || !bytes.Equal(out, b) {
					t.Fatalf("%s: %x came back as %x, %v", s.Name(), b, out, err)
				}
			}
			checkRebuilt(t, s, m)
			_ = m.String()
		}
	})
}

// checkCareful holds that the careful way, field by field, says the same of b
// as Decode does, which made m of it or nil.
func checkCareful(t *testing.T, s *Spec, m *Message, b []byte) {
	d := newData(s)
	at, err := s.decodeHead(d, b)
	if err == nil {
		err = s.careful(d, b, at)
	}
	if (err == nil) != (m != nil) {
		t.Fatalf("%s: carefully %v", s.Name(), err)
	}
	for de := range d.self.Fields {
		if m != nil && d.slotOf(de) != m.data().slotOf(de) {
			t.Fatalf("%s: DE %d lies elsewhere", s.Name(), de)
		}
	}
}

// checkRebuilt sets the fields of m in a new message, which must say the same.
func checkRebuilt(t *testing.T, s *Spec, m *Message) {
	built := NewMessage(s, m.Type())
	for de := range m.Fields {
		v, _ := m.Text(de)
		if err := built.Set(de, v); err != nil {
			t.Fatalf("%s: DE %d decodes but cannot be set: %v", s.Name(), de, err)
		}
	}
	out, err := s.Append(nil, built)
	if err != nil {
		t.Fatal(err)
	}
	back, err := s.Decode(out)
	if err != nil {
		t.Fatalf("%s: what was built cannot be decoded: %v", s.Name(), err)
	}
	for de := range m.Fields {
		was, _ := m.Text(de)
		if is, _ := back.Text(de); is != was {
			t.Fatalf("%s: DE %d changed", s.Name(), de)
		}
	}
}

// FuzzSet holds that a value which Set accepts comes back.
func FuzzSet(f *testing.F) {
	for _, v := range []string{"6221558812340000", "000000", "021", "=", "12=34D", "墨文哲", "C00000100", "0011223344556677", "\xff", "-1"} {
		f.Add(uint8(2), v)
		f.Add(uint8(35), v)
		f.Add(uint8(43), v)
	}
	f.Fuzz(func(t *testing.T, de uint8, v string) {
		for _, s := range Dialects() {
			m := NewMessage(s, 0x0200)
			if err := m.Set(int(de), v); err != nil {
				if m.Has(int(de)) {
					t.Fatal("refused but there")
				}
				continue
			}
			checkRebuilt(t, s, m)
			got, _ := m.Text(int(de))
			if !sameValue(s.field(int(de)), got, v) {
				t.Fatalf("%s: DE %d: %q became %q", s.Name(), de, v, got)
			}
		}
	})
}

// sameValue allows for what Set does on purpose: digits of bytes in upper case,
// "=" for D in tracks written in BCD, spaces that fill up.
func sameValue(f *field, got, set string) bool {
	switch {
	case f.class == classB:
		return strings.EqualFold(got, set)
	case f.class == classZ && f.wire == wireBCD:
		return got == strings.ReplaceAll(set, "D", "=")
	case f.pad:
		return strings.TrimRight(got, " ") == strings.TrimRight(set, " ")
	}
	return got == set
}

func FuzzParseSpec(f *testing.F) {
	for _, s := range Dialects() {
		text, _ := DialectText(s.Name())
		f.Add(text, []byte("0200"))
	}
	f.Add("3 n6 fixed a\n35 z..37 LLVAR,bcd,length=bcd,right,accept=any b", []byte{2, 0})
	f.Add("frame ascii tpdu max=10\nmac x9.19 hex pad80\nsigned 0200\nmti bcd\n2 x+n8 fixed,bcd,sign0 a", []byte{2, 0})
	f.Fuzz(func(t *testing.T, text string, b []byte) {
		s, err := ParseSpec(text)
		if err != nil {
			if e := err.(*SpecError); e.Line < 1 || e.Column < 1 {
				t.Fatalf("no place: %v", err)
			}
			return
		}
		m, err := s.Decode(b)
		if err != nil {
			return
		}
		out, err := s.Append(nil, m)
		if err != nil || !bytes.Equal(out, b) {
			t.Fatalf("%x came back as %x, %v", b, out, err)
		}
		checkRebuiltWhereSettable(t, s, m)
	})
}

// checkRebuiltWhereSettable is checkRebuilt for tables in which a wire form may
// say what Set cannot: an odd number of digits whose length counts bytes.
func checkRebuiltWhereSettable(t *testing.T, s *Spec, m *Message) {
	for de := range m.Fields {
		if f := s.field(de); f.wire == wireBCD && f.inByte {
			return
		}
	}
	checkRebuilt(t, s, m)
}

func FuzzTLV(f *testing.F) {
	seedMessages(f, func(b []byte) {
		if m, err := UnionPay().Decode(b); err == nil && m.Has(55) {
			v, _ := m.Bytes(55)
			f.Add(v)
		}
	})
	f.Add([]byte{0x9F, 0x81, 0x01, 0x82, 0x01, 0x00})
	f.Add([]byte{0x5A, 0x81, 0x80})
	f.Add([]byte{0x70, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseTLV(b)
		if err != nil {
			return
		}
		out, err := list.Append(nil)
		if err != nil || !bytes.Equal(out, b) {
			t.Fatalf("%x came back as %x, %v", b, out, err)
		}
		_ = list.String()
	})
}

func FuzzFraming(f *testing.F) {
	f.Add([]byte{0, 11, 0x60, 0, 3, 0, 0, 0x60, 0x31, 0, 0x31, 0x13, 0})
	f.Add([]byte("0005hello"))
	f.Add([]byte("-001x"))
	f.Add([]byte{0xFF, 0xFF})
	var all []Framing
	for _, l := range []LengthForm{LengthBinary, LengthBCD, LengthASCII, LengthNone} {
		for i := range 4 {
			all = append(all, Framing{Length: l, NoTPDU: i&1 != 0, NoHeader: i&2 != 0}, Framing{Length: l, NoTPDU: i&1 != 0, NoHeader: i&2 != 0, Max: 32})
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, fr := range all {
			got, err := fr.Decode(b)
			r := bytes.NewReader(b)
			read, readErr := fr.Read(r, nil)
			if err != nil {
				if readErr == nil && r.Len() == 0 {
					t.Fatalf("%+v: Decode refuses (%v) what Read takes whole", fr, err)
				}
				continue
			}
			if len(b) == 0 && readErr == io.EOF {
				continue
			}
			if readErr != nil || !bytes.Equal(read.Body, got.Body) {
				t.Fatalf("%+v: Decode and Read disagree: %v", fr, readErr)
			}
			out, err := fr.Append(nil, got)
			if err != nil || !bytes.Equal(out, b) {
				t.Fatalf("%+v: %x came back as %x, %v", fr, b, out, err)
			}
		}
	})
}

func FuzzMoovJSON(f *testing.F) {
	f.Add([]byte(moovExample))
	f.Add([]byte(`{"name":"x","fields":{"3":{"type":"Numeric","length":6,"enc":"BCD","prefix":"BCD.Fixed"}}}`))
	f.Add([]byte(`{"fields":{"2":{"type":"String","length":19,"enc":"ASCII","prefix":"ASCII.LL","padding":{"type":"None","pad":""}}}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseMoovJSON(b)
		if err != nil {
			return
		}
		out, err := s.MoovJSON()
		if err != nil {
			return // what moov's format can say in a way that is not written
		}
		back, err := ParseMoovJSON(out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, out)
		}
		again, err := back.MoovJSON()
		if err != nil || !bytes.Equal(out, again) {
			t.Fatalf("written twice it differs: %v\n%s\n%s", err, out, again)
		}
	})
}

// FuzzValues holds that what a structured field's parser accepts, Append writes
// as the same characters.
func FuzzValues(f *testing.F) {
	for _, s := range []string{
		"2200660300060", "000001000002042301", "01" + "00000007" + "06216261000000000018" + "000000001200", "0042", "CUP余额不足", "A3003abc",
		"0002156C000000012345", "Sequence No12306022003600", "1160124526\xff\x00\x01\x02", "310000", "021", "51010151134C",
		"020000331609080645190000000020000000000000", "000000001000000000002000D00000003C00000004", "12000000012611220300001112345678901",
		"610100000000001200156", "4021",
	} {
		f.Add(s)
	}
	parsers := valueParsers()
	f.Fuzz(func(t *testing.T, s string) {
		for name, parse := range parsers {
			v, err := parse(s)
			if err != nil {
				continue
			}
			out, err := v.Append(nil)
			if err != nil || string(out) != s {
				t.Fatalf("%s: %q came back as %q, %v", name, s, out, err)
			}
		}
	})
}

// as makes parsers of one form of the parsers of all values.
func as[V Value, T ~string | ~[]byte](parse func(T) (V, error)) func(string) (Value, error) {
	return func(s string) (Value, error) { return parse(T(s)) }
}

func valueParsers() map[string]func(string) (Value, error) {
	return map[string]func(string) (Value, error){
		"3": as(ParseProcessing3), "22": as(ParseEntryMode22), "22 of 1993": as(ParsePointOfService22), "24": as(ParseFunction24),
		"25": as(ParseReason25), "48 totals": as(ParseTotals48), "48 count": as(ParseUploadCount48), "48 details": as(ParseDetails48),
		"54": as(ParseAmounts54), "55": as(ParseTLV), "56": as(ParseOriginal56), "59": as(ParsePrivate59), "60": as(ParsePrivate60),
		"61": as(ParseOriginal61), "62 keys": as(ParseWorkingKeys), "62 sequence": as(ParseSequence62), "62 parameters": as(ParseParameters62),
		"62 chip": as(ParseChipDetail62), "63": as(ParsePrivate63), "90": as(ParseOriginal90), "95": as(ParseReplacement95),
	}
}
