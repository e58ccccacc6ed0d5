package codec

import (
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

func TestSpecErrors(t *testing.T) {
	const ok = "3 n6 fixed processing code\n"
	for _, c := range []struct {
		text         string
		line, column int
		problem      string
	}{
		{"", 1, 1, "no field"},
		{"2 n..19 LLVAR,accept=any,filler=F card", 1, 26, "before accept"},
		{"dialect x\n# only a comment", 2, 1, "no field"},
		{ok + "colour red", 2, 1, "unknown directive"},
		{ok + "  mti", 2, 3, "needs a value"},
		{ok + "mti utf16", 2, 5, "none of"},
		{ok + "mti bcd bcd", 2, 9, "one value"},
		{ok + "bitmap ebcdic", 2, 8, "none of"},
		{ok + "length raw", 2, 8, "none of"},
		{ok + "digits gbk", 2, 8, "none of"},
		{ok + "text bcd", 2, 6, "none of"},
		{ok + "bytes ascii", 2, 7, "none of"},
		{ok + "odd up", 2, 5, "neither"},
		{ok + "filler G", 2, 8, "nibble"},
		{ok + "filler 10", 2, 8, "nibble"},
		{ok + "accept", 2, 1, "needs a value"},
		{ok + "accept 0 FG", 2, 11, "nibbles"},
		{ok + "frame utf8", 2, 7, "none of"},
		{ok + "frame bcd tdpu", 2, 11, "none of"},
		{ok + "frame bcd tpdu max=0", 2, 16, "max"},
		{ok + "frame bcd tpdu max=65536", 2, 16, "max"},
		{ok + "mac des", 2, 5, "none of"},
		{ok + "mac ecb hex", 2, 9, "no settings"},
		{ok + "mac x9.9 ascii", 2, 10, "none of"},
		{ok + "signed 0200 0210", 2, 13, "request"},
		{ok + "signed 0201", 2, 8, "request"},
		{ok + "signed sale", 2, 8, "request"},
		{"1 n6 fixed a", 1, 1, "2 to 128"},
		{"129 n6 fixed a", 1, 1, "2 to 128"},
		{"2x n6 fixed a", 1, 1, "2 to 128"},
		{"65 b8 fixed a", 1, 1, "tertiary"},
		{"2", 1, 1, "needs number"},
		{"2 n6 fixed", 1, 6, "needs number"},
		{"2 n6 fixed !pan", 1, 12, "needs a name"},
		{"2 n6 fixed a !none", 1, 14, "none of !pan"},
		{"2 n fixed a", 1, 3, "no length"},
		{"2 q6 fixed a", 1, 3, "class"},
		{"2 n.6 LLVAR a", 1, 4, "dots"},
		{"2 n.....6 LLVAR a", 1, 4, "dots"},
		{"2 n0 fixed a", 1, 4, "1 to 9999"},
		{"2 n-6 fixed a", 1, 3, "class"},
		{"2 n..+6 LLVAR a", 1, 6, "1 to 9999"},
		{"2 n6x fixed a", 1, 4, "1 to 9999"},
		{"2 ans....10000 LLLLVAR a", 1, 10, "1 to 9999"},
		{"2 b12 fixed a", 1, 4, "multiple of 8"},
		{"2 n..6 fixed a", 1, 8, "dots"},
		{"2 n..6 LLLVAR a", 1, 8, "dots"},
		{"2 n..6 LVAR a", 1, 8, "shape"},
		{"2 n..6 LLVAR,up a", 1, 14, "unknown setting"},
		{"2 n..6 LLVAR,up=1 a", 1, 14, "unknown setting"},
		{"2 n..6 LLVAR,bcd,filler=X a", 1, 25, "nibble"},
		{"2 n..6 LLVAR,accept= a", 1, 21, "nibbles"},
		{"2 n..6 LLVAR,length=raw a", 1, 21, "none of"},
		{"2 n..6 LLVAR,raw a", 1, 8, "class b"},
		{"2 b..6 LLVAR,bcd a", 1, 8, "class b"},
		{"2 ans6 fixed,bcd a", 1, 8, "n, z and x+n"},
		{"2 n6 fixed,gbk a", 1, 6, "for text"},
		{"2 n6 fixed,pad a", 1, 6, "fixed text"},
		{"2 ans..6 LLVAR,pad a", 1, 10, "fixed text"},
		{"2 n6 fixed,sign0 a", 1, 6, "x+n"},
		{"2 x+n..6 LLVAR a", 1, 10, "fixed length"},
		{"2 x+n7 fixed,bcd a", 1, 8, "even"},
		{"2 n..100 LLVAR a", 1, 3, "prefix"},
		{"2 b..50 LLVAR,hex,digits a", 1, 3, "prefix"},
		{"2 n..9 LLVAR,bcd,bytes,right a", 1, 8, "left"},
		{ok + "名 bcd", 2, 1, "unknown directive"},
		{ok + "3 n6 fixed 名字 !x", 2, 15, "none of !pan"},
		{ok + "\xff", 2, 1, "UTF-8"},
		{ok + "-2 n6 fixed x", 2, 1, "unknown directive"},
		{ok + "frames binary tpdu", 2, 1, "unknown directive"},
		{"\ufeff" + ok + "\ufeffmti bcd", 2, 1, "unknown directive"},
		{ok + "mti bcd\nmti bcd", 3, 1, "twice"},
		{"dialect x\n" + ok + "dialect x", 3, 1, "twice"},
		{ok + "mac x9.9 left hex", 2, 15, "one form"},
		{ok + "mac x9.9 left pad80 pad80", 2, 21, "one form"},
		{ok + "signed 0200 0100 0200", 2, 18, "twice"},
		{"02 n6 fixed a", 1, 1, "2 to 128"},
		{"+2 n6 fixed a", 1, 1, "unknown directive"},
		{"2 b64 fixed,left a", 1, 13, "n and z in bcd"},
		{"2 n6 fixed,right a", 1, 12, "n and z in bcd"},
		{"2 x+n6 fixed,bcd,left a", 1, 18, "n and z in bcd"},
		{"2 ans..9 LLVAR,filler=3 a", 1, 16, "n and z in bcd"},
		{"2 b..9 LLVAR,accept=1 a", 1, 14, "n and z in bcd"},
		{"2 n6 fixed,length=bcd a", 1, 12, "no length"},
		{"2 n6 fixed,bcd,digits a", 1, 16, "bcd and hex"},
		{"2 ans..6 LLVAR,bytes a", 1, 16, "bcd and hex"},
		{"2 n..6 LLVAR,digits a", 1, 14, "bcd and hex"},
		{"2 b..6 LLVAR,digits a", 1, 14, "bcd and hex"},
		{"2 n6 fixed,bcd,left,right a", 1, 21, "side is given twice"},
		{"2 n6 fixed,bcd,ascii a", 1, 16, "form is given twice"},
		{"2 n6 fixed,bcd,filler=1,filler=1 a", 1, 25, "filler is given twice"},
		{"2 n..6 LLVAR,length=bcd,length=bcd a", 1, 25, "length is given twice"},
		{"2 n6 fixed,bcd,left a", 1, 16, "nothing to fill"},
		{"digits bcd\n2 z4 fixed,filler=F a", 2, 12, "nothing to fill"},
		{"2 n6 fixed,bcd,accept=any a", 1, 16, "nothing to fill"},
		{"2 n..6 LLVAR,bcd,bytes,filler=F,accept=0 a", 1, 33, "by filler alone"},
		{"2 z..6 LLVAR,bcd,bytes,filler=D a", 1, 8, "separator"},
		{"43 n6 fixed name !hide number", 1, 18, "stands once"},
		{"43 n6 fixed name !hide !show", 1, 18, "stands once"},
		{"frame none tpdu tpdu", 1, 17, "second time"},
		{"frame none max=20 header header", 1, 26, "second time"},
		{"frame none max=20 max=30", 1, 19, "second time"},
		{"frame binary max=11 tpdu header", 1, 14, "no room"},
		{strings.Repeat("#", 1<<20+1), 1, 1, "1 MiB"},
	} {
		_, err := ParseSpec(c.text)
		var se *SpecError
		require.ErrorAs(t, err, &se, "%.60q", c.text)
		require.Contains(t, se.Problem, c.problem, "%.60q", c.text)
		require.Equal(t, [2]int{c.line, c.column}, [2]int{se.Line, se.Column}, "%.60q: %s", c.text, se.Problem)
	}
}

func TestWith(t *testing.T) {
	s, err := UnionPay().With("48 ans...999 LLLVAR additional data !hide\n54 an...20 LLLVAR balance\nframe ascii header max=500\nmac x9.9 hex\nsigned 0200")
	require.NoError(t, err)
	m := NewMessage(s, 0x0200)
	require.NoError(t, m.Set(48, "PA570900000001#中"))
	require.ErrorIs(t, m.Set(54, strings.Repeat("0", 40)), ErrTooLong)
	require.Equal(t, Framing{Length: LengthASCII, NoTPDU: true, Max: 500}, s.Framing())
	require.True(t, s.CarriesMAC(0x0210))
	require.False(t, s.CarriesMAC(0x0220))
	mac, err := s.NewMAC(make([]byte, 8))
	require.NoError(t, err)
	require.IsType(t, cbcMAC{}, mac)

	require.Equal(t, Framing{}, UnionPay().Framing())
	for _, mti := range []MTI{0x0100, 0x0110, 0x0200, 0x0210, 0x0220, 0x0230, 0x0400, 0x0410, 0x0401} {
		require.True(t, UnionPay().CarriesMAC(mti), mti)
	}
	for _, mti := range []MTI{0x0800, 0x0810, 0x0820, 0x0500, 0x0510, 0x0320, 0x0330} {
		require.False(t, UnionPay().CarriesMAC(mti), mti)
	}
	_, err = ISO1987BCD().NewMAC(make([]byte, 8))
	require.ErrorIs(t, err, ErrNoMAC)
	require.ErrorIs(t, NewMessage(UnionPay(), 0x0200).Set(48, "PA"), ErrContent, "the dialect it came from is as it was")
	require.Equal(t, "additional data", s.FieldName(48))
	require.Equal(t, "", s.FieldName(1))
	_, err = UnionPay().With("48 n..9 fixed x")
	require.Error(t, err)
}

// Every way of writing a field, there and back, with what it looks like.
func TestWireForms(t *testing.T) {
	for _, c := range []struct{ line, value, wire string }{
		{"n6 fixed", "001234", "303031323334"},
		{"n6 fixed,bcd", "001234", "001234"},
		{"n5 fixed,bcd,left", "12345", "123450"},
		{"n5 fixed,bcd,right", "12345", "012345"},
		{"n5 fixed,bcd,left,filler=F", "12345", "12345F"},
		{"n5 fixed,bcd,right,filler=F", "12345", "F12345"},
		{"n20 fixed,bcd", "12345678901234567890", "12345678901234567890"},
		{"n3 fixed,ebcdic", "123", "F1F2F3"},
		{"n..19 LLVAR,bcd,length=bcd", "12345", "05123450"},
		{"n..19 LLVAR,bcd,length=bcd,right", "12345", "05012345"},
		{"n..19 LLVAR,bcd,length=bcd,right", "", "00"},
		{"n..19 LLVAR,bcd,length=bcd,bytes,filler=F", "12345", "0312345F"},
		{"n..19 LLVAR,bcd,length=bcd,bytes", "123456", "03123456"},
		{"n..19 LLVAR,bcd,length=binary", "1234567890123", "0D12345678901230"},
		{"n..19 LLVAR,ascii,length=ascii", "12345", "30353132333435"},
		{"n..19 LLVAR,ascii,length=ebcdic", "12345", "F0F53132333435"},
		{"n...300 LLLVAR,bcd,length=bcd", "123", "00031230"},
		{"n...300 LLLVAR,bcd,length=ascii", "123", "3030331230"},
		{"n....4000 LLLLVAR,bcd,length=bcd", "1234", "00041234"},
		{"n....4000 LLLLVAR,ascii,length=binary", "1234", "000431323334"},
		{"n....4000 LLLLVAR,ascii,length=ascii", "12", "303030323132"},
		{"z..37 LLVAR,bcd,length=bcd", "12=34", "0512D340"},
		{"z..37 LLVAR,bcd,length=bcd,right", "12=34", "05012D34"},
		{"z..37 LLVAR,ascii,length=ascii", "12=34", "303531323D3334"},
		{"z4 fixed,bcd", "12=3", "12D3"},
		{"x+n8 fixed", "C00000100", "433030303030313030"},
		{"x+n8 fixed,bcd", "D00000100", "4400000100"},
		{"x+n8 fixed,ebcdic", "D00000100", "C4F0F0F0F0F0F1F0F0"},
		{"x+n8 fixed,bcd,sign0", "000000100", "3000000100"},
		{"an6 fixed", "A1b2C3", "413162324333"},
		{"an6 fixed,ebcdic", "A1b2C3", "C1F182F2C3F3"},
		{"ans..9 LLVAR,length=binary", "a b", "03612062"},
		{"ans..9 LLVAR,ebcdic1047,length=ebcdic", "[a]", "F0F3AD81BD"},
		{"ans..9 LLVAR,ebcdic,length=ebcdic", "[a]", "F0F3BA81BB"},
		{"ans6 fixed,pad", "ab    ", "616220202020"},
		{"ans..20 LLVAR,gbk,length=bcd", "中文a", "05D6D0CEC461"},
		{"ans..20 LLVAR,gb18030,length=bcd", "中\U0001F600", "06D6D09439FC36"},
		{"b64 fixed", "0011223344556677", "0011223344556677"},
		{"b16 fixed,hex", "00AF", "30304146"},
		{"b..99 LLVAR,length=bcd", "00AF", "0200AF"},
		{"b...999 LLLVAR,length=binary", "00AF", "000200AF"},
		{"b..49 LLVAR,hex,length=ascii", "00AF", "303230304146"},
		{"b..49 LLVAR,hex,length=ascii,digits", "00AF", "303430304146"},
	} {
		s, err := ParseSpec("mti bcd\n5 " + c.line + " name !show")
		require.NoError(t, err, c.line)
		m := NewMessage(s, 0x0200)
		require.NoError(t, m.Set(5, c.value), c.line)
		out, err := s.Append(nil, m)
		require.NoError(t, err)
		require.Equal(t, unhexed(t, "02000800000000000000"+c.wire), out, c.line)
		back, err := s.Decode(out)
		require.NoError(t, err, c.line)
		got, ok := back.Text(5)
		require.True(t, ok)
		require.Equal(t, c.value, got, c.line)
		raw, ok := back.Bytes(5)
		require.True(t, ok)
		fresh := NewMessage(s, 0x0200)
		require.NoError(t, fresh.SetBytes(5, raw), c.line)
		again, err := s.Append(nil, fresh)
		require.NoError(t, err)
		require.Equal(t, out, again, c.line)
		for n := range out {
			_, err := s.Decode(out[:n])
			require.Error(t, err, "%s cut to %d", c.line, n)
		}
		s, err = s.With("6 b320 fixed,raw more")
		require.NoError(t, err)
		more := unhexed(t, "02000C00000000000000"+c.wire+strings.Repeat("00", 40))
		back, err = s.Decode(more)
		require.NoError(t, err, c.line)
		got, _ = back.Text(5)
		require.Equal(t, c.value, got, c.line)
		out, err = s.Append(nil, back)
		require.NoError(t, err)
		require.Equal(t, more, out)
	}
}

// Wire forms that must be refused, by the dialect's own lights.
func TestWireFormsRefused(t *testing.T) {
	for _, c := range []struct {
		line, wire string
		err        error
	}{
		{"n..19 LLVAR,ascii,length=ascii", "2D31", ErrPrefix},
		{"n..19 LLVAR,ascii,length=ascii", "2B3131", ErrPrefix},
		{"n..19 LLVAR,ascii,length=ascii", "20313131", ErrPrefix},
		{"n..19 LLVAR,bcd,length=bcd", "D112", ErrPrefix},
		{"n..19 LLVAR,ascii,length=ebcdic", "303131", ErrPrefix},
		{"n..19 LLVAR,bcd,length=binary", "FF", ErrTooLong},
		{"n..19 LLVAR,bcd,length=bcd,bytes", "1112345678901234567890", ErrTooLong},
		{"n..19 LLVAR,bcd,length=bcd,bytes", "1012345678901234567890", ErrTooLong},
		{"n..19 LLVAR,bcd,length=bcd,bytes,filler=F", "0312F45F", ErrContent},
		{"n5 fixed,bcd,left", "12345F", ErrFiller},
		{"n5 fixed,bcd,left,accept=F", "123451", ErrFiller},
		{"n5 fixed,bcd,right", "A12345", ErrFiller},
		{"n5 fixed,bcd,right", "0A2345", ErrContent},
		{"n5 fixed,bcd,left", "1234A0", ErrContent},
		{"n....4000 LLLLVAR,ascii,length=binary", "FFFF31", ErrTooLong},
		{"n...300 LLLVAR,bcd,length=bcd", "1003", ErrPrefix},
		{"z..37 LLVAR,bcd,length=bcd", "04121F", ErrContent},
		{"z..37 LLVAR,bcd,length=bcd", "0312E0", ErrContent},
		{"z..37 LLVAR,ascii,length=ascii", "303132"[:4] + "41", ErrContent},
		{"x+n8 fixed", "4530303030303130", ErrTruncated},
		{"x+n8 fixed", "453030303030313030", ErrContent},
		{"x+n8 fixed,bcd", "3000000100", ErrContent},
		{"x+n8 fixed,bcd", "430000010A", ErrContent},
		{"x+n8 fixed,ebcdic", "C3F0F0F0F0F0F1F030", ErrContent},
		{"x+n8 fixed,ebcdic", "C5F0F0F0F0F0F1F0F0", ErrContent},
		{"an6 fixed", "413162324320", ErrContent},
		{"an6 fixed,ebcdic", "C1F182F2C340", ErrContent},
		{"ans..9 LLVAR,length=binary", "03610A62", ErrContent},
		{"ans..20 LLVAR,gbk,length=bcd", "02D6FF", ErrContent},
		{"ans..20 LLVAR,gbk,length=bcd", "01FF", ErrContent},
		{"n6 fixed,bcd", "12345A", ErrContent},
		{"n..8 LLVAR,bcd,length=bcd", "101234567890", ErrTooLong},
		{"n..8 LLVAR,bcd,length=bcd", "041A34", ErrContent},
		{"n..8 LLVAR,bcd,length=bcd", "A412341234", ErrPrefix},
		{"b...20 LLLVAR,length=bcd", "0021" + strings.Repeat("41", 21), ErrTooLong},
		{"b...20 LLLVAR,length=bcd", "0A014141", ErrPrefix},
		{"b...20 LLLVAR,length=bcd", "00A04141", ErrPrefix},
		{"b...200 LLLVAR,length=bcd", "00A0" + strings.Repeat("41", 100), ErrPrefix},
		{"an12 fixed", "41414141414141414141412D", ErrContent},
		{"anp12 fixed", "2D4141414141414141414120", ErrContent},
		{"ans12 fixed", "41414141414141417F414141", ErrContent},
		{"n12 fixed", "30303030303030303030303A", ErrContent},
		{"n12 fixed", "3030303A3030303030303030", ErrContent},
		{"b16 fixed,hex", "30306166", ErrContent},
		{"b16 fixed,hex", "3030412F", ErrContent},
		{"b16 fixed,hex", "30304147", ErrContent},
		{"b..49 LLVAR,hex,length=ascii,digits", "3033303041", ErrPrefix},
		{"b..49 LLVAR,hex,length=ascii", "3530", ErrTooLong},
	} {
		s, err := ParseSpec("mti bcd\n5 " + c.line + " name")
		require.NoError(t, err, c.line)
		_, err = s.Decode(unhexed(t, "02000800000000000000"+c.wire))
		require.ErrorIs(t, err, c.err, "%s %s", c.line, c.wire)
		if c.err == ErrTruncated {
			continue
		}
		// With more behind it, other ways through the decoder are taken.
		s, err = s.With("6 b320 fixed,raw more")
		require.NoError(t, err)
		_, err = s.Decode(unhexed(t, "02000C00000000000000"+c.wire+strings.Repeat("00", 40)))
		require.ErrorIs(t, err, c.err, "%s %s and more", c.line, c.wire)
	}
}

func TestHexBitmap(t *testing.T) {
	s := ISO1987ASCII()
	for raw, want := range map[string]error{
		"0800" + "8000000000000000" + "0000000000000000": nil,
		"0800" + "0000000000000000":                      nil,
		"0800" + "000000000000000a":                      ErrBitmap,
		"0800" + "000000000000000G":                      ErrBitmap,
		"0800" + "00000000000000":                        ErrTruncated,
		"0800" + "8000000000000000":                      ErrTruncated,
		"0800" + "8000000000000000" + "8000000000000000": ErrTertiary,
		"08x0" + "0000000000000000":                      ErrMTI,
	} {
		m, err := s.Decode([]byte(raw))
		if want != nil {
			require.ErrorIs(t, err, want, raw)
			continue
		}
		require.NoError(t, err, raw)
		out, err := s.Append(nil, m)
		require.NoError(t, err)
		require.Equal(t, raw, string(out))
	}
}

// No character of the Chinese charsets turns into another one on its way, and
// none that is not printable is taken.
func TestCharactersStayThemselves(t *testing.T) {
	step := rune(1)
	if testing.Short() {
		step = 29
	}
	for _, charset := range []string{"gbk", "gb18030"} {
		s, err := ParseSpec("dialect d\n2 ans..20 LLVAR," + charset + " text")
		require.NoError(t, err)
		m, taken := NewMessage(s, 0x0200), 0
		for r := rune(0x20); r < 0x20000; r += step {
			m.Reset(0x0200)
			if m.Set(2, string(r)) != nil {
				continue
			}
			taken++
			v, _ := m.Text(2)
			require.Equal(t, string(r), v, "%s %U", charset, r)
			require.True(t, unicode.IsGraphic(r), "%s %U", charset, r)
		}
		require.Greater(t, taken, 21000/int(step))
	}
	s, err := ParseSpec("dialect d\n2 ans..20 LLVAR,gb18030 text")
	require.NoError(t, err)
	for _, r := range "\u0085\u009b\u200b\u202e\ufeff\ue000" {
		b := append([]byte("0200\x40\x00\x00\x00\x00\x00\x00\x00"), "04"...)
		local, ok := fromUTF8(wireGB18030, string(r))
		require.True(t, ok)
		b[len(b)-1] = '0' + byte(len(local))
		_, err := s.Decode(append(b, local...))
		require.ErrorIs(t, err, ErrContent, "%U", r)
	}
}

// A filler is tolerated alone until an accept adds to it, in lines and in
// directives.
func TestFillersTolerated(t *testing.T) {
	for text, ok := range map[string]string{
		"2 n3 fixed card": "0", "2 n3 fixed,filler=F card": "F", "2 n3 fixed,filler=F,accept=any card": "0F7",
		"accept any\n2 n3 fixed card": "0F7", "accept any\n2 n3 fixed,filler=F card": "F", "accept any\nfiller F\n2 n3 fixed card": "F",
		"filler F\naccept 0\n2 n3 fixed card": "0F", "filler F\n2 n3 fixed,accept=7 card": "F7",
	} {
		s, err := ParseSpec("mti bcd\ndigits bcd\nodd left\n" + text)
		require.NoError(t, err, text)
		for _, n := range "0F7" {
			_, err := s.Decode(unhexed(t, "0200400000000000000012"+"3"+string(n)))
			if strings.ContainsRune(ok, n) {
				require.NoError(t, err, "%s: %c", text, n)
			} else {
				require.ErrorIs(t, err, ErrFiller, "%s: %c", text, n)
			}
		}
	}
}

func TestResponseIndicatorTakesLetters(t *testing.T) {
	for _, s := range []*Spec{ISO1987ASCII(), ISO1987BCD()} {
		m := NewMessage(s, 0x0312)
		require.NoError(t, m.Set(93, "AB123"))
		require.Equal(t, "AB123", string(m.data().wireOf(93)))
	}
}
