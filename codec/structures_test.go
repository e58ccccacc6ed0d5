package codec

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMACPaddingAndKeys(t *testing.T) {
	key := unhexed(t, "5775204D69616F6A756E404726444311")
	pad80, err := NewX919MAC(key, MACOptions{Pad80: true})
	require.NoError(t, err)
	zeros, err := NewX919MAC(key, MACOptions{})
	require.NoError(t, err)
	aligned, err := pad80.Sum(make([]byte, 8))
	require.NoError(t, err)
	other, err := zeros.Sum(make([]byte, 8))
	require.NoError(t, err)
	require.NotEqual(t, aligned, other, "0x80 takes a block of its own, zeros none")

	for _, n := range []int{0, 7, 16} {
		_, err = NewX99MAC(make([]byte, n), MACOptions{})
		require.ErrorIs(t, err, ErrKeySize)
	}
	for _, n := range []int{0, 8, 24} {
		_, err = NewX919MAC(make([]byte, n), MACOptions{})
		require.ErrorIs(t, err, ErrKeySize)
	}
	for _, n := range []int{0, 7, 24} {
		_, err = NewECBMAC(make([]byte, n))
		require.ErrorIs(t, err, ErrKeySize)
	}
}

// failingMAC stands for a PED that is gone.
type failingMAC struct{}

var errNoPED = errors.New("no PED")

func (failingMAC) Sum([]byte) ([8]byte, error) { return [8]byte{}, errNoPED }

func TestMACErrors(t *testing.T) {
	m := NewMessage(UnionPay(), 0x0200)
	require.NoError(t, m.Set(3, "000000"))
	require.NoError(t, m.Set(64, "0011223344556677"))
	out, err := UnionPay().AppendMAC([]byte("kept"), m, failingMAC{})
	require.ErrorIs(t, err, errNoPED)
	require.Equal(t, "kept", string(out))
	require.False(t, m.Has(64), "an old MAC does not stay")
	mac, err := NewECBMAC(make([]byte, 8))
	require.NoError(t, err)
	out, err = UnionPay().AppendMAC(nil, m, mac)
	require.NoError(t, err)
	back, err := UnionPay().Decode(out)
	require.NoError(t, err)
	require.NoError(t, VerifyMAC(out, back, mac))
	require.ErrorIs(t, VerifyMAC(out, back, failingMAC{}), errNoPED)
	require.ErrorIs(t, VerifyMAC(out[:len(out)-1], back, mac), ErrBadMAC)
	require.ErrorIs(t, VerifyMAC(nil, back, mac), ErrBadMAC)
	require.ErrorIs(t, VerifyMAC(out, nil, mac), ErrNoMAC)
	no, err := ParseSpec("3 n6 fixed processing code")
	require.NoError(t, err)
	_, err = no.AppendMAC(nil, NewMessage(no, 0x0200), mac)
	require.ErrorIs(t, err, ErrUndefined)
}

// In a message with a second bitmap the MAC is field 128, in hexadecimal
// dialects its characters count.
func TestMACOfWideMessages(t *testing.T) {
	for _, s := range []*Spec{ISO1987ASCII(), ISO1987BCD(), ISO1993Binary()} {
		m := NewMessage(s, 0x0200)
		require.NoError(t, m.Set(3, "000000"))
		require.NoError(t, m.Set(73, "261122"))
		mac, err := NewX99MAC(make([]byte, 8), MACOptions{})
		require.NoError(t, err)
		raw, err := s.AppendMAC(nil, m, mac)
		require.NoError(t, err)
		require.True(t, m.Has(128))
		back, err := s.Decode(raw)
		require.NoError(t, err)
		require.NoError(t, VerifyMAC(raw, back, mac))
		raw[len(raw)-1] ^= 1
		if back, err = s.Decode(raw); err == nil {
			require.ErrorIs(t, VerifyMAC(raw, back, mac), ErrBadMAC)
		}
	}
}

// A wrapped key shows its check value only, alone and in what holds it.
func TestWrappedKeysStayHidden(t *testing.T) {
	k := WrappedKey{Cipher: []byte("\xA1\xB2\xC3\xD4\xE5\xF6\x07\x18"), Check: [4]byte{0x82, 0xE1, 0x36, 0x65}}
	hold := struct {
		K    WorkingKeys
		P    *WrappedKey
		List []WrappedKey
	}{WorkingKeys{PIN: k}, &k, []WrappedKey{k}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, v := range []any{k, &k, hold, &hold, hold.K} {
			s := strings.ToLower(fmt.Sprintf(verb, v))
			for _, secret := range []string{"b2c3", "b2, 0xc3", "178 195", "0xb2", "\xb2\xc3", "\\xb2"} {
				require.NotContains(t, s, secret, verb)
			}
		}
	}
	b, err := json.Marshal(hold)
	require.NoError(t, err)
	require.Contains(t, string(b), "key[8] 82E13665")
	require.NotContains(t, string(b), base64.StdEncoding.EncodeToString(k.Cipher))
}

// A MAC of before a message got its secondary bitmap does not stay beside the
// new one.
func TestOneMACInAMessage(t *testing.T) {
	s := ISO1987BCD()
	m := NewMessage(s, 0x0800)
	require.NoError(t, m.Set(11, "000001"))
	mac, err := NewX99MAC(make([]byte, 8), MACOptions{})
	require.NoError(t, err)
	_, err = s.AppendMAC(nil, m, mac)
	require.NoError(t, err)
	require.True(t, m.Has(64))
	require.NoError(t, m.Set(70, "301"))
	raw, err := s.AppendMAC(nil, m, mac)
	require.NoError(t, err)
	require.False(t, m.Has(64))
	back, err := s.Decode(raw)
	require.NoError(t, err)
	require.NoError(t, VerifyMAC(raw, back, mac))
	require.False(t, back.Has(64))
}

func TestMACKeysStayHidden(t *testing.T) {
	key := []byte("ABCDEFGHIJKLMNOP")
	ecb, err := NewECBMAC(key)
	require.NoError(t, err)
	x919, err := NewX919MAC(key, MACOptions{})
	require.NoError(t, err)
	master, err := NewMasterKey(key)
	require.NoError(t, err)
	for _, v := range []any{ecb, x919, master, struct{ m MAC }{ecb}, master.For(NewECBMAC)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			out := fmt.Sprintf(verb, v)
			require.NotContains(t, out, "ABCD")
			require.NotContains(t, out, "41424344")
			require.NotContains(t, out, "65 66 67")
			require.Less(t, len(out), 200, "no key schedule either")
		}
	}
}

func TestSplitKeys(t *testing.T) {
	keys, err := SplitKeys([]byte("12345678abcd12345678123456781234"), 8, 16)
	require.NoError(t, err)
	require.Equal(t, []WrappedKey{{[]byte("12345678"), [4]byte{'a', 'b', 'c', 'd'}}, {[]byte("1234567812345678"), [4]byte{'1', '2', '3', '4'}}}, keys)
	for _, sizes := range [][]int{{8}, {8, 17}, {8, 16, 1}, {-1}} {
		_, err := SplitKeys([]byte("12345678abcd12345678123456781234"), sizes...)
		require.ErrorIs(t, err, ErrKeyLayout)
	}
}

func TestTLVOfCapturedMessages(t *testing.T) {
	n := 0
	for _, g := range loadGolden(t, "testdata/unionpay.txt") {
		if g.field[55] == "" {
			continue
		}
		n++
		raw := unhexed(t, g.field[55])
		list, err := ParseTLV(raw)
		require.NoError(t, err, g.name)
		require.Equal(t, raw, []byte(write(t, list)))
	}
	require.Equal(t, 4, n)
	list, err := ParseTLV(unhexed(t, "9F3602031E910A42FE066E2918B0883030"))
	require.NoError(t, err)
	require.Equal(t, "9F36[2] 91[10]", list.String())
	v, ok := list.Get(0x9F36)
	require.True(t, ok)
	require.Equal(t, []byte{3, 0x1E}, v)
	_, ok = list.Get(0x8A)
	require.False(t, ok)
	require.True(t, Tag(0xBF0C).Constructed())
	require.False(t, Tag(0x9F26).Constructed())
}

func TestTLVLengths(t *testing.T) {
	for _, n := range []int{0, 1, 0x7F, 0x80, 0xFF, 0x100, 65535} {
		in := TLVs{NewTLV(0x9F10, make([]byte, n)), NewTLV(0x5A, []byte{1})}
		out, err := ParseTLV([]byte(write(t, in)))
		require.NoError(t, err)
		require.Equal(t, write(t, in), write(t, out))
	}
	_, err := TLVs{NewTLV(0x5A, make([]byte, 65536))}.Append(nil)
	require.ErrorIs(t, err, ErrTooLong)
}

func TestTLVRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		hex string
		at  int
		err error
	}{
		"padding":             {"00", 0, ErrStructure},
		"padding behind":      {"5A01FF00", 3, ErrStructure},
		"tag without end":     {"9F", 0, ErrStructure},
		"tag of five bytes":   {"9F8182838401", 0, ErrStructure},
		"no length":           {"5A", 0, ErrStructure},
		"indefinite length":   {"7080 0000", 0, ErrStructure},
		"long form of 5":      {"5A8105 0102030405", 0, ErrStructure},
		"long form of 255":    {"5A8200FF", 0, ErrStructure},
		"length of 4 bytes":   {"5A8400000001FF", 0, ErrStructure},
		"cut length":          {"5A82FF", 0, ErrStructure},
		"value cut":           {"9F36020A", 0, ErrTruncated},
		"huge length":         {"5A82FFFF00", 0, ErrTruncated},
		"duplicate":           {"5A01015A0101", 3, ErrStructure},
		"second element torn": {"9F36020A0B95", 5, ErrStructure},
	} {
		_, err := ParseTLV(unhexed(t, strings.ReplaceAll(c.hex, " ", "")))
		require.ErrorIs(t, err, c.err, name)
		var fe *FieldError
		require.ErrorAs(t, err, &fe)
		require.Equal(t, c.at, fe.Offset, name)
	}
	for _, l := range []TLVs{{NewTLV(0, nil)}, {NewTLV(0x9F, nil)}, {NewTLV(0x5A5A, nil)}, {NewTLV(0x5A, nil), NewTLV(0x5A, nil)}} {
		_, err := l.Append(nil)
		require.ErrorIs(t, err, ErrStructure)
	}
}

// A dialect may demand well-formed TLV of a field, in both directions.
func TestTLVDemanded(t *testing.T) {
	s, err := UnionPay().With("55 b...255 LLLVAR,tlv chip data")
	require.NoError(t, err)
	m := NewMessage(s, 0x0200)
	require.NoError(t, m.Set(55, "9F3602031E"))
	require.NoError(t, m.SetBytes(55, []byte{0x5A, 1, 0x11}))
	require.ErrorIs(t, m.Set(55, "9F36020A"), ErrTruncated)
	require.ErrorIs(t, m.SetBytes(55, []byte{0x5A, 1, 1, 0x5A, 1, 1}), ErrStructure)
	good, err := m.Pack()
	require.NoError(t, err)
	require.Equal(t, unhexed(t, "0200000000000000020000035A0111"), good)
	_, err = s.Decode(good)
	require.NoError(t, err)
	_, err = s.Decode(unhexed(t, "0200000000000000020000065A01115A0111"))
	var fe *FieldError
	require.ErrorAs(t, err, &fe)
	require.Equal(t, FieldError{DE: 55, Offset: 15, Part: "5A", Err: ErrStructure, Detail: "occurs twice"}, *fe)
	_, err = UnionPay().With("55 b...255 LLLVAR,hex,tlv chip data")
	require.ErrorContains(t, err, "tlv is for raw bytes")
}

func TestStructuresShowNoValues(t *testing.T) {
	const secret = "6221558812340000"
	list := TLVs{NewTLV(0x5A, []byte(secret))}
	code := Private59{NewTagged59(TagPayCode, secret)}
	for _, v := range []any{list, list[0], struct{ l TLVs }{list}, code, code[0], struct{ c Private59 }{code}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			out := fmt.Sprintf(verb, v)
			require.NotContains(t, out, "5588")
			require.NotContains(t, out, "35353838")
		}
		b, err := json.Marshal(v)
		require.NoError(t, err)
		require.NotContains(t, string(b), "5588")
	}
}

func TestAmounts54(t *testing.T) {
	const text = "0002156C000000012345" + "1001156D000000000001"
	got, err := ParseAmounts54(text)
	require.NoError(t, err)
	require.Equal(t, Amounts54{{0, 2, "156", 12345}, {10, 1, "156", -1}}, got)
	require.Equal(t, text, write(t, got))
	for _, s := range []string{"1", text[1:], strings.Replace(text, "C", "X", 1), strings.Replace(text, "156", "15 ", 1), "0002156D000000000000", strings.Repeat(text, 4)} {
		_, err := ParseAmounts54(s)
		require.Error(t, err, s)
	}
	for _, l := range []Amounts54{{{100, 2, "156", 1}}, {{0, 2, "15", 1}}, {{0, 2, "156", 1e12}}, make(Amounts54, 7)} {
		_, err := l.Append(nil)
		require.Error(t, err)
	}
}

func TestPrivate59(t *testing.T) {
	for _, s := range []string{"", "A30196211111111111111111", "A402058210526789789570802", "A1000A2003abcFF004中文"} {
		l, err := ParsePrivate59(s)
		require.NoError(t, err, s)
		require.Equal(t, s, write(t, l))
	}
	for _, s := range []string{"A3", "A3019", "A3-01x", "A3+01x", "A30x9", "A3002a", "A3001aA3001b", " 3001a", "A1003中文"} {
		_, err := ParsePrivate59(s)
		require.Error(t, err, s)
	}
	for _, l := range []Private59{{NewTagged59("A", "")}, {NewTagged59("A3", strings.Repeat("x", 1000))}, {NewTagged59("A3", ""), NewTagged59("A3", "")}} {
		_, err := l.Append(nil)
		require.ErrorIs(t, err, ErrStructure)
	}
}

func TestSequence62(t *testing.T) {
	for _, s := range []string{"Sequence No12306022003600", "Sequence No163150SXX-4C304119"} {
		q, err := ParseSequence62([]byte(s))
		require.NoError(t, err)
		require.Equal(t, s, write(t, q))
	}
	q, err := ParseSequence62([]byte("Sequence No12306022003600"))
	require.NoError(t, err)
	require.Equal(t, Sequence62{"3060", "22003600"}, q)
	for _, s := range []string{"", "Sequence No", "Sequence No13306022003600", "Sequence No-4306", "sequence no12306022003600", "Sequence No03306"} {
		_, err := ParseSequence62([]byte(s))
		require.ErrorIs(t, err, ErrStructure, s)
	}
	for _, q := range []Sequence62{{"306", "1"}, {"3060", strings.Repeat("1", 96)}, {"3060", "\n"}} {
		_, err := q.Append(nil)
		require.ErrorIs(t, err, ErrStructure)
	}
}

func TestParameters62(t *testing.T) {
	name, ok := fromUTF8(wireGBK, "顺风速递")
	require.True(t, ok)
	raw := []byte("1160" + "1245" + "133" + "1402088880000   " + "181" + "1910" + "22" + name + strings.Repeat(" ", 40-len(name)) + "233" + "26\xFF\x00\x01\x02" + "27vendor")
	p, err := ParseParameters62(raw)
	require.NoError(t, err)
	require.Equal(t, string(raw), write(t, p))
	require.Equal(t, []byte("27vendor"), p.Rest)
	require.Contains(t, p.List, Parameter{ParamMerchant, "顺风速递"})
	require.Contains(t, p.List, Parameter{ParamEnabled, "FF000102"})
	require.Contains(t, p.List, Parameter{ParamTimeout, "45"})
	status := "011021031041051" + "51" + "000100020095"
	p, err = ParseParameters62([]byte(status))
	require.NoError(t, err)
	require.Len(t, p.List, 6)
	require.Equal(t, status, write(t, p))
	for _, s := range []string{"1", "1x", "116", "11x0", "22short", "13A"} {
		_, err := ParseParameters62([]byte(s))
		require.Error(t, err, s)
	}
	for _, e := range []Parameter{{99, "1"}, {ParamTimeout, "1"}, {ParamTimeout, "100"}, {ParamTimeout, "x1"}, {ParamEnabled, "00"}, {ParamEnabled, "0000000G"}, {ParamMerchant, "\U0001F600"}, {ParamMerchant, strings.Repeat("字", 21)}} {
		_, err := Parameters62{List: []Parameter{e}}.Append(nil)
		require.Error(t, err, e)
	}
}

func TestDigitStructures(t *testing.T) {
	// Each: its text, the value, and texts and values that must be refused.
	check := func(text string, value Value, parse func(string) (Value, error), bad ...string) {
		t.Helper()
		require.Equal(t, text, write(t, value))
		got, err := parse(text)
		require.NoError(t, err)
		require.Equal(t, value, got)
		for _, s := range append(bad, "", text+"0", text[1:], strings.Repeat("x", len(text))) {
			_, err := parse(s)
			require.Error(t, err, s)
		}
	}
	check("310099", Processing3{ProcBalance, 0, 99}, func(s string) (Value, error) { v, err := ParseProcessing3(s); return v, err })
	check("021", EntryMode22{EntryStripe, PINEntered}, func(s string) (Value, error) { v, err := ParseEntryMode22(s); return v, err })
	check("200", FuncOriginal, func(s string) (Value, error) { v, err := ParseFunction24(s); return v, err })
	check("4021", ReasonNoAnswerTime, func(s string) (Value, error) { v, err := ParseReason25(s); return v, err })
	check("610100000000001200156", ChipDetail62{61, true, 0, 1200, "156"}, func(s string) (Value, error) {
		v, err := ParseChipDetail62([]byte(s))
		return v, err
	}, "610200000000001200156")
	check("020000331609080645190000000020000000000000", Original90{0x0200, 3316, "0908064519", "200", ""}, func(s string) (Value, error) {
		v, err := ParseOriginal90(s)
		return v, err
	})
	check("000000001000000000002000D00000003C00000004", Replacement95{1000, 2000, 3, -4}, func(s string) (Value, error) {
		v, err := ParseReplacement95(s)
		return v, err
	}, "000000001000000000002000X00000003C00000004", "000000001000000000002000D00000003C00000000")
	check("120000000126112203000011"+"12345678901", Original56{0x1200, 1, "261122030000", "12345678901"}, func(s string) (Value, error) {
		v, err := ParseOriginal56(s)
		return v, err
	}, "12000000012611220300001212345678901")
	check("51010151134C", PointOfService22{'5', '1', '0', '1', '0', '1', '5', '1', '1', '3', '4', 'C'}, func(s string) (Value, error) {
		v, err := ParsePointOfService22(s)
		return v, err
	}, "51010151134c")
	require.Equal(t, "000000000000", write(t, PointOfService22{}))
	for _, v := range []Value{
		Processing3{100, 0, 0}, EntryMode22{1, 10}, Function24(1000), Reason25(-1), ChipDetail62{Currency: "1"},
		Original90{Sent: "x"}, Original90{MTI: 0x0A00}, Original90{Acquirer: strings.Repeat("1", 12)}, Replacement95{Transaction: -1},
		Replacement95{SettlementFee: 1e8}, Original56{Local: "1"}, Original56{Local: "261122030000", Acquirer: strings.Repeat("1", 12)},
		PointOfService22{InputMode: ' '},
	} {
		_, err := v.Append(nil)
		require.Error(t, err, v)
	}
}

// A code of 2003 that is one of 1993 with a digit more says the same.
func TestCodesOf2003(t *testing.T) {
	for code, want := range map[string]Class{
		"0000": Approved, "0002": Partial, "0007": InProgress, "1016": Declined, "1017": Declined, "2008": Capture, "4000": Approved,
		"9102": NotFound, "9107": Unavailable, "9111": InProgress, "9113": Duplicate, "9114": NotFound, "9116": SignIn,
	} {
		require.Equal(t, want, ISO2003Code(code).Class, code)
	}
	require.False(t, ISO2003Code("000").Known)
	same := 0
	for code, old := range iso1993Responses() {
		longer := code[:1] + "0" + code[1:]
		switch {
		case code[0] == '9' && code > "901":
			longer = "91" + code[1:]
		case code == "007", code == "303", code == "499":
			continue
		}
		if r := ISO2003Code(longer); r.Known {
			same++
			require.Equal(t, Response{longer, old.Class, old.Next, old.Zh, old.En, true}, r)
		}
	}
	require.Equal(t, 89, same)
}

func TestISOCodes(t *testing.T) {
	for code, want := range map[string]Class{"00": Approved, "08": Approved, "10": Partial, "32": Partial, "68": InProgress, "94": Duplicate, "96": Unavailable, "41": Capture, "05": Declined} {
		require.Equal(t, want, ISO1987Code(code).Class, code)
	}
	for code, want := range map[string]Class{"000": Approved, "002": Partial, "116": Declined, "208": Capture, "400": Approved, "911": InProgress, "913": Duplicate, "914": NotFound, "916": SignIn, "923": InProgress, "907": Unavailable, "107": Refer, "501": Mismatch} {
		require.Equal(t, want, ISO1993Code(code).Class, code)
	}
	require.False(t, ISO1987Code("A0").Known)
	require.False(t, ISO1993Code("00").Known)
	require.Equal(t, 71, len(iso1987Responses()))
	for dialect, n := range map[string]int{"unionpay": 76, "iso1987-bcd": 71, "iso1993-ascii": 100, "iso2003-ascii": 133, "other": 0} {
		seen := 0
		for r := range Responses(dialect) {
			seen++
			require.True(t, r.Known)
			require.NotEqual(t, "unknown", r.Class.String())
			require.NotEqual(t, "unknown", r.Next.String())
			require.True(t, strings.HasSuffix(r.Zh, "。"), r.Code)
			require.True(t, strings.HasSuffix(r.En, "."), r.Code)
			require.Equal(t, r.Class == SignIn, r.Next == Resign, r.Code)
			require.Equal(t, r.Class == Capture, r.Next == Keep, r.Code)
			require.Equal(t, r.Class == InProgress, r.Next == Enquire, r.Code)
		}
		require.Equal(t, n, seen, dialect)
	}
}
