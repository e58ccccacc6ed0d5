package codec

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, v Value) string {
	t.Helper()
	b, err := v.Append([]byte("x"))
	require.NoError(t, err)
	require.Equal(t, "x", string(b[:1]))
	return string(b[1:])
}

func TestPrivate60(t *testing.T) {
	for s, want := range map[string]Private60{
		"07000727":          {Type: 7, Batch: 727, Digits: 8},
		"00000000003":       {Network: NetSignInDouble, Digits: 11},
		"220000010006":      {Type: TypeSale, Batch: 1, Capability: 6, Digits: 12},
		"2200660300060":     {Type: TypeSale, Batch: 6603, Capability: 6, Digits: 13},
		"22006603000601":    {Type: TypeSale, Batch: 6603, Capability: 6, Partial: 1, Digits: 14},
		"22006603000621048": {Type: TypeSale, Batch: 6603, Capability: 6, Condition: 2, Partial: 1, Account: 48, Digits: 17},
	} {
		got, err := ParsePrivate60(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got)
		require.Equal(t, s, write(t, got))
	}
	require.Equal(t, "22000001000", write(t, Private60{Type: 22, Batch: 1}))
	require.Equal(t, "220000010006", write(t, Private60{Type: 22, Batch: 1, Capability: 6}))
	require.Equal(t, "22000001000002", write(t, Private60{Type: 22, Batch: 1, Partial: 2}))
	for _, s := range []string{"", "2200660", "220066030", "2200660300060000", "22006603000621048 ", "22006603x00", "-2000001"} {
		_, err := ParsePrivate60(s)
		require.Error(t, err, s)
	}
	for _, p := range []Private60{{Type: 100}, {Batch: 1000000}, {Batch: -1}, {Network: 1000}, {Digits: 9}, {Digits: 8, Network: 1}, {Capability: 10}} {
		_, err := p.Append(nil)
		require.Error(t, err, p)
	}
}

func TestOriginal61(t *testing.T) {
	for s, want := range map[string]Original61{
		"000001000002":                  {Batch: 1, STAN: 2, Digits: 12},
		"0000010000020423":              {Batch: 1, STAN: 2, Date: "0423", Digits: 16},
		"000001000002042301":            {Batch: 1, STAN: 2, Date: "0423", Mode: 1, Digits: 18},
		"00000100000204230112345678901": {Batch: 1, STAN: 2, Date: "0423", Mode: 1, Org: "12345678901", Digits: 29},
	} {
		got, err := ParseOriginal61(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got)
		require.Equal(t, s, write(t, got))
		got.Digits = 0
		require.Equal(t, s, write(t, got), "the length follows from what is there")
	}
	require.Equal(t, "0000000000000423", write(t, Original61{Date: "0423"}))
	for _, s := range []string{"", "00000100000", "0000010000020", "00000100000204230", "000001000002042301123456789012", "00000100000x"} {
		_, err := ParseOriginal61(s)
		require.Error(t, err, s)
	}
	for _, o := range []Original61{{Batch: 1000000}, {STAN: -1}, {Date: "04235"}, {Date: "04x3"}, {Digits: 13}, {Date: "0423", Digits: 12}, {Org: "1", Digits: 18}, {Mode: 100}} {
		_, err := o.Append(nil)
		require.Error(t, err, o)
	}
}

func TestTotals48(t *testing.T) {
	const captured = "00000000000700700000000000000000000000000000000000000000000000"
	got, err := ParseTotals48(captured)
	require.NoError(t, err)
	require.Equal(t, Totals48{Inland: GroupTotals{DebitAmount: 7, DebitCount: 7}}, got)
	require.Equal(t, captured, write(t, got))

	all := Totals48{
		Inland:  GroupTotals{123456789012, 999, 1, 2, VerdictBalanced},
		Foreign: GroupTotals{3, 4, 999999999999, 5, VerdictUnbalanced},
	}
	require.Equal(t, "1234567890129990000000000010021"+"0000000000030049999999999990052", write(t, all))
	back, err := ParseTotals48(write(t, all))
	require.NoError(t, err)
	require.Equal(t, all, back)

	for _, s := range []string{"", captured[1:], captured + "0", strings.Replace(captured, "7", " ", 1)} {
		_, err := ParseTotals48(s)
		require.Error(t, err)
	}
	for _, g := range []GroupTotals{{DebitAmount: 1e12}, {DebitAmount: -1}, {DebitCount: 1000}, {Verdict: 10}} {
		_, err := Totals48{Foreign: g}.Append(nil)
		require.Error(t, err)
	}
}

func TestDetails48(t *testing.T) {
	visa, err := NewPAN("4111111111111111")
	require.NoError(t, err)
	cup, err := NewPAN("6216261000000000018")
	require.NoError(t, err)
	list := Details48{{STAN: 7, PAN: cup, Amount: 1200}, {Foreign: true, STAN: 999999, PAN: visa, Amount: 999999999999}}
	const text = "02" + "00" + "000007" + "06216261000000000018" + "000000001200" + "01" + "999999" + "00004111111111111111" + "999999999999"
	require.Equal(t, text, write(t, list))
	back, err := ParseDetails48(text)
	require.NoError(t, err)
	require.Len(t, back, 2)
	require.Equal(t, "6216261000000000018", back[0].PAN.Reveal())
	require.Equal(t, text, write(t, back))

	var eight Details48
	for range MaxDetails48 {
		eight = append(eight, list[0])
	}
	m := NewMessage(UnionPay(), 0x0320)
	require.NoError(t, m.SetValue(48, eight))
	_, err = append(eight, list[0]).Append(nil)
	require.ErrorIs(t, err, ErrStructure)
	// A payment by code has no card number: the wire has zeros there.
	code, err := Details48{{STAN: 1, Amount: 5}}.Append(nil)
	require.NoError(t, err)
	require.Equal(t, "01"+"00"+"000001"+strings.Repeat("0", 20)+"000000000005", string(code))
	_, err = Details48{}.Append(nil)
	require.ErrorIs(t, err, ErrStructure)
	for _, s := range []string{"", "00", "09", text[:81], text + "0", "01" + "02" + text[4:42], "0x" + text[2:]} {
		_, err := ParseDetails48(s)
		require.Error(t, err)
	}
}

func TestUploadCount48(t *testing.T) {
	require.Equal(t, "0042", write(t, UploadCount48(42)))
	n, err := ParseUploadCount48("0042")
	require.NoError(t, err)
	require.EqualValues(t, 42, n)
	_, err = UploadCount48(10000).Append(nil)
	require.Error(t, err)
	_, err = ParseUploadCount48("042")
	require.Error(t, err)
}

func TestPrivate63(t *testing.T) {
	for _, s := range []string{"", "01 ", "CUP", "0", "CUP余额不足", "CUP" + strings.Repeat(" ", 20) + "银联" + strings.Repeat(" ", 16) + "收单行"} {
		p, err := ParsePrivate63(s)
		require.NoError(t, err, s)
		require.Equal(t, s, write(t, p))
	}
	p, err := ParsePrivate63("CUP余额不足            银联拒绝            x")
	require.NoError(t, err)
	require.Equal(t, Private63{"CUP", "余额不足            ", "银联拒绝            ", "x"}, p)
	require.Equal(t, "CUP"+strings.Repeat(" ", 40)+"x", write(t, Private63{Code: "CUP", Acquirer: "x"}))
	for _, s := range []string{"00中", "CUP" + strings.Repeat("字", 81), "CUP123456789012345678901234567890123456789字", "\x90"} {
		_, err := ParsePrivate63(s)
		require.Error(t, err, s)
	}
	for _, p := range []Private63{{Code: "01  "}, {Issuer: strings.Repeat("字", 11)}, {Acquirer: strings.Repeat("a", 121)}} {
		_, err := p.Append(nil)
		require.ErrorIs(t, err, ErrTooLong)
	}
}

// GBK writes the euro sign as one byte.
func TestEuroIsOneByte(t *testing.T) {
	m := NewMessage(UnionPay(), 0x0210)
	in := Private63{"CUP", "€" + strings.Repeat(" ", 19), "银联" + strings.Repeat(" ", 16), "€x"}
	require.NoError(t, m.SetValue(63, in))
	text, _ := m.Text(63)
	local, ok := fromUTF8(wireGBK, text)
	require.True(t, ok)
	require.Equal(t, "\x80", local[3:4])
	require.Equal(t, "\x80x", local[43:])
	out, err := ParsePrivate63(text)
	require.NoError(t, err)
	require.Equal(t, in, out)

	list := Private59{NewTagged59("A3", "€€"), NewTagged59("A4", "付€")}
	text = write(t, list)
	require.Equal(t, "A3002€€A4003付€", text)
	back, err := ParsePrivate59(text)
	require.NoError(t, err)
	require.Len(t, back, 2)
	voucher, _ := back.Get("A4")
	require.Equal(t, "付€", voucher)
}

func TestWorkingKeyLayouts(t *testing.T) {
	key := func(n int, b byte) WrappedKey {
		k := WrappedKey{Check: [4]byte{b, b, b, b}}
		for range n {
			k.Cipher = append(k.Cipher, b)
		}
		return k
	}
	for size, k := range map[int]WorkingKeys{
		24: {PIN: key(8, 1), MAC: key(8, 2)},
		40: {PIN: key(16, 1), MAC: key(8, 2)},
		60: {PIN: key(16, 1), MAC: key(16, 2), Track: key(16, 3)},
	} {
		b, err := k.Append(nil)
		require.NoError(t, err)
		require.Len(t, b, size)
		got, err := ParseWorkingKeys(b)
		require.NoError(t, err)
		require.Equal(t, k, got)
	}
	short, err := ParseWorkingKeys(make([]byte, 32))
	require.NoError(t, err)
	require.Len(t, short.MAC.Cipher, 8)
	b, err := short.Append(nil)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 32), b)
	for _, k := range []WorkingKeys{
		{PIN: key(8, 1), MAC: key(8, 2), Compact: true}, {PIN: key(16, 1), MAC: key(16, 2), Compact: true},
		{PIN: key(16, 1), MAC: key(8, 2), Track: key(16, 3), Compact: true}, {MAC: key(8, 2)},
		{PIN: key(16, 1), MAC: key(8, 2), Track: key(8, 3)},
	} {
		_, err := k.Append(nil)
		require.ErrorIs(t, err, ErrKeyLayout)
	}
	for _, n := range []int{0, 23, 41, 56, 84, 104} {
		_, err := ParseWorkingKeys(make([]byte, n))
		require.ErrorIs(t, err, ErrKeyLayout, n)
	}
	_, err = WorkingKeys{PIN: key(8, 1), MAC: key(16, 2)}.Append(nil)
	require.ErrorIs(t, err, ErrKeyLayout)
}

func TestUnionPayCodes(t *testing.T) {
	for code, want := range map[string]Class{
		"00": Approved, "11": Approved, "A6": Approved, "10": Partial, "51": Declined, "01": Refer, "04": Capture,
		"06": Unavailable, "90": Unavailable, "91": Unavailable, "92": Unavailable, "96": Unavailable,
		"09": InProgress, "68": InProgress, "98": InProgress, "77": SignIn, "99": SignIn, "A0": SignIn,
		"94": Duplicate, "12": NotFound, "25": NotFound, "95": Mismatch,
	} {
		r := UnionPayCode(code)
		require.True(t, r.Known, code)
		require.Equal(t, want, r.Class, code)
		require.Equal(t, want == Approved || want == Partial, r.Approved())
		require.Equal(t, want == Unavailable || want == InProgress || want == SignIn, r.Temporary())
	}
	require.Equal(t, 76, len(unionPayResponses()))
	for _, code := range []string{"", "Q8", "0", "000", "zz"} {
		r := UnionPayCode(code)
		require.Equal(t, Declined, r.Class)
		require.False(t, r.Known)
		require.NotEmpty(t, r.Zh)
		require.NotEmpty(t, r.En)
	}
	for code, r := range unionPayResponses() {
		require.Equal(t, code, r.Code)
		require.True(t, strings.HasSuffix(r.Zh, "。"), code)
		require.True(t, strings.HasSuffix(r.En, "."), code)
	}
}

func TestPANShowsItselfMasked(t *testing.T) {
	const digits = "6221558812340000"
	p, err := NewPAN(digits)
	require.NoError(t, err)
	hold := struct {
		A PAN
		b PAN
		c *PAN
		d []Detail48
	}{p, p, &p, []Detail48{{PAN: p}}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T"} {
		require.NotContains(t, fmt.Sprintf(verb, p), "5881")
		require.NotContains(t, fmt.Sprintf(verb, hold), "5881")
	}
	require.Equal(t, "622155******0000", p.String())
	b, err := json.Marshal(hold)
	require.NoError(t, err)
	require.Equal(t, `{"A":"622155******0000"}`, string(b))
	require.Equal(t, "***", MaskPAN("622155881234"))
	require.Equal(t, "***", MaskPAN("62215588123400 0"))
	require.Equal(t, "", PAN{}.Reveal())
	for _, bad := range []string{"", "4111 1111", strings.Repeat("1", 21)} {
		_, err := NewPAN(bad)
		require.Error(t, err)
	}
}
