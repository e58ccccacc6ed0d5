package codec

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// hostile are messages that must be refused, with what refuses them and where.
var hostile = []struct {
	name, hex string
	de, at    int
	err       error
}{
	{"nothing", "", 0, 0, ErrTruncated},
	{"half a type", "02", 0, 1, ErrTruncated},
	{"type of letters", "0A00 0000000000000000", 0, 0, ErrMTI},
	{"short bitmap", "0200 70000000000000", 0, 9, ErrTruncated},
	{"letter behind in the message type", "020A 0000000000000000", 0, 1, ErrMTI},
	{"no second bitmap", "0200 8000000000000000", 0, 10, ErrTruncated},
	{"tertiary bitmap", "0200 8000000000000000 8000000000000000", 65, 10, ErrTertiary},
	{"undefined field", "0200 0800000000000000 00", 5, 2, ErrUndefined},
	{"undefined field 70", "0200 8000000000000000 0400000000000000 00", 70, 10, ErrUndefined},
	{"trailing byte", "0800 0020000000000000 000001 00", 0, 13, ErrTrailing},
	{"only trailing bytes", "0800 0000000000000000 00", 0, 10, ErrTrailing},
	{"missing fixed field", "0800 0020000000000000", 11, 10, ErrTruncated},
	{"cut fixed field", "0800 0020000000000000 0000", 11, 12, ErrTruncated},
	{"letter among digits", "0800 0020000000000000 00000A", 11, 12, ErrContent},
	{"high nibble A", "0800 0020000000000000 A00000", 11, 10, ErrContent},
	{"missing length", "0200 4000000000000000", 2, 10, ErrTruncated},
	{"length of letters", "0200 4000000000000000 1A 4111", 2, 10, ErrPrefix},
	{"length with a letter that would fit", "0200 4000000000000000 0A 4111111111", 2, 10, ErrPrefix},
	{"length of bytes with a letter", "0200 0000000000000200 000A 5A080011223344556677", 55, 11, ErrPrefix},
	{"length of bytes with a letter for tens", "0200 0000000000000200 00A0" + strings.Repeat("00", 100), 55, 11, ErrPrefix},
	{"length above the maximum", "0200 4000000000000000 20 41111111111111111111", 2, 10, ErrTooLong},
	{"length beyond the end", "0200 4000000000000000 16 4111", 2, 13, ErrTruncated},
	{"letter in a card number", "0200 4000000000000000 04 411B", 2, 12, ErrContent},
	{"track separator in a card number", "0200 4000000000000000 04 4D11", 2, 11, ErrContent},
	{"letter E in a track", "0200 0000000020000000 04 41E1", 35, 12, ErrContent},
	{"letter in the last digit of an odd number", "0200 4000000000000000 03 41B0", 2, 12, ErrContent},
	{"three-digit length with a fourth digit", "0200 0000000000000020 1001", 59, 10, ErrPrefix},
	{"three-digit length above the maximum", "0200 0000000000000002 0164", 63, 10, ErrTooLong},
	{"control character in a terminal", "0200 0000000000800000 41424344 45464709", 41, 17, ErrContent},
	{"high byte in ASCII", "0200 0000000000008000 3135B6", 49, 12, ErrContent},
	{"letter with umlaut in an an field", "0200 0000000002000000 30FC", 39, 11, ErrContent},
	{"half a GBK character", "0200 0000000000000100 0003 B3C9B9", 56, 14, ErrContent},
	{"control character beside GBK", "0200 0000000000000100 0003 B3C90A", 56, 14, ErrContent},
	{"another way to write a wide space", "0200 0000000000000100 0004 B3C9 A3A0", 56, 14, ErrContent},
	{"another way to write the euro sign", "0200 0000000000000100 0003 41 A2E3", 56, 13, ErrContent},
	{"cut binary field", "0200 0000000000001000 00112233445566", 52, 17, ErrTruncated},
}

func TestHostileMessages(t *testing.T) {
	reused := NewMessage(UnionPay(), 0)
	for _, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			b := unhexed(t, strings.ReplaceAll(h.hex, " ", ""))
			m, err := UnionPay().Decode(b)
			require.Nil(t, m)
			require.ErrorIs(t, err, h.err)
			var fe *FieldError
			require.ErrorAs(t, err, &fe)
			require.Equal(t, h.de, fe.DE)
			require.Equal(t, h.at, fe.Offset)

			require.Error(t, UnionPay().DecodeInto(reused, b))
			for de := range reused.Fields {
				t.Fatalf("DE %d is left after an error", de)
			}
		})
	}
}

// Every message cut short anywhere, or with anything behind it, is refused.
func TestTruncatedAndExtended(t *testing.T) {
	for _, g := range loadGolden(t, "testdata/unionpay.txt") {
		frame, err := g.framing().Decode(g.raw)
		require.NoError(t, err)
		for n := range frame.Body {
			_, err := UnionPay().Decode(frame.Body[:n])
			require.ErrorIs(t, err, ErrTruncated, "%s cut to %d", g.name, n)
		}
		_, err = UnionPay().Decode(append(bytes.Clone(frame.Body), 0))
		require.ErrorIs(t, err, ErrTrailing)
	}
}

func TestFillerIsKept(t *testing.T) {
	for _, filler := range []string{"0", "F", "7"} {
		for _, h := range []string{
			"0200 4000000000000000 03 411" + filler,
			"0200 0000020000000000 " + filler + "001",
			"0200 0000040000000000 021" + filler,
		} {
			b := unhexed(t, strings.ReplaceAll(h, " ", ""))
			m, err := UnionPay().Decode(b)
			require.NoError(t, err)
			out, err := UnionPay().Append(nil, m)
			require.NoError(t, err)
			require.Equal(t, b, out)
		}
	}
	strict, err := UnionPay().With("accept 0\n2 n..19 LLVAR primary account number !pan\n22 n3 fixed,filler=F point of service")
	require.NoError(t, err)
	_, err = strict.Decode(unhexed(t, "0200400000000000000003411F"))
	require.ErrorIs(t, err, ErrFiller)
	_, err = strict.Decode(unhexed(t, "02004000000000000000034110"))
	require.NoError(t, err)
	_, err = strict.Decode(unhexed(t, "020000000400000000000210"))
	require.ErrorIs(t, err, ErrFiller)
	m := NewMessage(strict, 0x0200)
	require.NoError(t, m.Set(22, "021"))
	b, err := strict.Append(nil, m)
	require.NoError(t, err)
	require.Equal(t, unhexed(t, "02000000040000000000021F"), b)
}

func TestSetRefuses(t *testing.T) {
	const secret = "4111x11111111111"
	for _, c := range []struct {
		de  int
		v   string
		err error
	}{
		{0, "1", ErrUndefined}, {1, "1", ErrUndefined}, {5, "1", ErrUndefined}, {65, "1", ErrUndefined},
		{129, "1", ErrUndefined}, {-1, "1", ErrUndefined},
		{2, secret, ErrContent}, {2, strings.Repeat("1", 20), ErrTooLong},
		{4, "12345678901", ErrTooShort}, {4, "1234567890123", ErrTooLong}, {4, "-00000000001", ErrContent},
		{4, "00000000000１", ErrTooLong}, {11, "+00001", ErrContent}, {11, "00000 ", ErrContent},
		{22, "02", ErrTooShort}, {22, "02x", ErrContent}, {23, "x21", ErrContent},
		{35, "4111A", ErrContent}, {41, "1234567", ErrTooShort}, {41, "1234567\n", ErrContent},
		{39, "0é", ErrTooLong}, {49, "15é", ErrTooLong}, {43, "\xff", ErrContent}, {43, "\U0001F600", ErrContent}, {43, "字\t", ErrContent},
		{43, strings.Repeat("字", 21), ErrTooLong}, {52, "00112233445566", ErrTooShort}, {52, "001122334455667", ErrContent},
		{52, "00112233445566GG", ErrContent}, {52, "001122334455667788", ErrTooLong},
		{60, strings.Repeat("1", 18), ErrTooLong},
	} {
		m := NewMessage(UnionPay(), 0x0200)
		require.NoError(t, m.Set(3, "000000"))
		require.NoError(t, m.Set(11, "000007"))
		before, err := m.Pack()
		require.NoError(t, err)
		err = m.Set(c.de, c.v)
		require.ErrorIs(t, err, c.err, "DE %d %q", c.de, c.v)
		require.NotContains(t, err.Error(), "4111")
		var fe *FieldError
		require.True(t, errors.As(err, &fe))
		after, err := m.Pack()
		require.NoError(t, err)
		require.Equal(t, before, after, "a refused value leaves the message as it was")

		empty := NewMessage(UnionPay(), 0x0200)
		require.ErrorIs(t, empty.Set(c.de, c.v), c.err, "DE %d %q", c.de, c.v)
		require.False(t, empty.Has(c.de))
	}
	for de, n := range map[int]int{52: 7, 55: 1000, 62: 1000, 64: 9} {
		err := NewMessage(UnionPay(), 0x0200).SetBytes(de, make([]byte, n))
		require.Error(t, err, "DE %d", de)
	}
	require.Error(t, NewMessage(UnionPay(), 0x0200).SetBytes(64, make([]byte, 7)))
	require.Error(t, NewMessage(UnionPay(), 0x0200).SetBytes(3, []byte{0, 0, 0}))
}

// What a caller forgot is told as an error.
func TestNilIsRefused(t *testing.T) {
	m := NewMessage(UnionPay(), 0x0200)
	require.NoError(t, m.Set(64, "3031323334353637"))
	require.ErrorIs(t, UnionPay().DecodeInto(nil, nil), ErrDialect)
	require.ErrorIs(t, m.SetValue(60, nil), ErrStructure)
	out, err := UnionPay().AppendMAC([]byte("kept"), m, nil)
	require.ErrorIs(t, err, ErrNoMAC)
	require.Equal(t, "kept", string(out))
	require.True(t, m.Has(64))
	require.ErrorIs(t, VerifyMAC(nil, m, nil), ErrNoMAC)
	require.ErrorIs(t, VerifyMAC(nil, nil, nil), ErrNoMAC)
	_, err = UnionPay().AppendMAC(nil, nil, nil)
	require.ErrorIs(t, err, ErrDialect)
}

// A value that is refused for a character says which, by its byte in the value
// as it was given.
func TestSetSaysWhere(t *testing.T) {
	for _, c := range []struct {
		de int
		v  string
		at int
	}{
		{2, "4111x1", 4}, {35, "4111=A", 5}, {41, "1234567\n", 7}, {52, "00112233445566GG", 14},
		{43, "字\t", 3}, {43, "字字\xff", 6}, {43, "a\xff字", 1}, {43, "字a\U0001F600字", 4}, {43, "字\u200b", 3}, {43, "字\ufffd", 3}, {43, "\u0085", 0},
		{43, strings.Repeat("字", 21), -1}, {4, "1", -1},
	} {
		err := NewMessage(UnionPay(), 0x0200).Set(c.de, c.v)
		var fe *FieldError
		require.ErrorAs(t, err, &fe, "%q", c.v)
		require.Equal(t, c.at, fe.Offset, "%q", c.v)
		require.Equal(t, c.de, fe.DE)
	}
}

func TestAppendRefuses(t *testing.T) {
	other, err := UnionPay().With("")
	require.NoError(t, err)
	dst := []byte("kept")
	for _, m := range []*Message{nil, {}, NewMessage(other, 0x0200)} {
		out, err := UnionPay().Append(dst, m)
		require.ErrorIs(t, err, ErrDialect)
		require.Equal(t, dst, out)
	}
	_, err = UnionPay().Append(nil, NewMessage(UnionPay(), 0x02A0))
	require.ErrorIs(t, err, ErrMTI)
}

func TestMessageTooLong(t *testing.T) {
	s, err := ParseSpec("dialect big\n2 ans....9999 LLLLVAR a\n3 ans....9999 LLLLVAR b\n4 ans....9999 LLLLVAR c\n5 ans....9999 LLLLVAR d\n" +
		"6 ans....9999 LLLLVAR e\n7 ans....9999 LLLLVAR f\n8 ans....9999 LLLLVAR g")
	require.NoError(t, err)
	m := NewMessage(s, 0x0200)
	full := strings.Repeat("a", 9999)
	for round := range 3 { // replacing must not use up the room
		for de := 2; de <= 7; de++ {
			require.NoError(t, m.Set(de, full[:9999-round]))
		}
	}
	require.ErrorIs(t, m.Set(8, full), ErrTooLong)
	for de := 2; de <= 7; de++ {
		v, ok := m.Text(de)
		require.True(t, ok)
		require.Equal(t, full[:9997], v)
	}
	_, err = s.Decode(make([]byte, 65536))
	require.ErrorIs(t, err, ErrTooLong)
}

// A message that can be built can be read, to the last byte of room.
func TestLongestMessage(t *testing.T) {
	var table strings.Builder
	for _, de := range []string{"2", "3", "4", "5", "6", "7", "8", "66"} {
		table.WriteString(de + " ans....9999 LLLLVAR text\n")
	}
	table.WriteString("9 b....9999 LLLLVAR bytes\n67 n8 fixed number")
	s, err := ParseSpec(table.String())
	require.NoError(t, err)
	for de, head := range map[int]int{8: 4 + 8, 9: 4 + 8, 66: 4 + 16} {
		m := NewMessage(s, 0x0200)
		for de := 2; de <= 7; de++ {
			require.NoError(t, m.Set(de, strings.Repeat("a", 9999)))
		}
		room := 65535 - head - 6*10003 - 4
		require.ErrorIs(t, m.SetBytes(de, bytes.Repeat([]byte("b"), room+1)), ErrTooLong)
		require.NoError(t, m.SetBytes(de, bytes.Repeat([]byte("b"), room)))
		b, err := m.Pack()
		require.NoError(t, err)
		require.Len(t, b, 65535)
		back, err := s.Decode(b)
		require.NoError(t, err)
		m.data().buf = append(make([]byte, 0, 1<<17), m.data().buf...) // memory is not what limits it
		require.ErrorIs(t, m.Set(67, "12345678"), ErrTooLong)
		require.False(t, m.Has(67))
		require.NoError(t, back.Set(3, strings.Repeat("c", 9999)))
		_, err = back.Pack()
		require.NoError(t, err)
	}
}

// The way a message is built makes no difference to its wire form, wherever its
// memory ends.
func TestOrderAndMemory(t *testing.T) {
	s := ISO1987BCD()
	for n := 380; n < 540; n++ {
		values := map[int]string{
			48: strings.Repeat("a", n/2), 52: "0011223344556677", 53: "1234567890123456", 55: strings.Repeat("5A", n/2), 66: "1", 67: "23", 68: "456", 73: "261122", 74: "1234567890",
			86: "1234567890123456", 99: "1234", 100: "123", 102: "account", 128: "8899AABBCCDDEEFF",
		}
		up, down, bytesToo := NewMessage(s, 0x0200), NewMessage(s, 0x0200), NewMessage(s, 0x0200)
		upBytes := NewMessage(s, 0x0200)
		for de := 2; de <= 128; de++ {
			if v, ok := values[de]; ok {
				require.NoError(t, up.Set(de, v))
				raw, ok := up.Bytes(de)
				require.True(t, ok)
				require.NoError(t, upBytes.SetBytes(de, raw))
			}
			if v, ok := values[130-de]; ok {
				require.NoError(t, down.Set(130-de, v))
				raw, ok := down.Bytes(130 - de)
				require.True(t, ok)
				require.NoError(t, bytesToo.SetBytes(130-de, raw))
			}
		}
		a, err := up.Pack()
		require.NoError(t, err)
		for _, m := range []*Message{down, bytesToo, upBytes} {
			b, err := m.Pack()
			require.NoError(t, err)
			require.Equal(t, a, b)
		}
	}
}

// A short number at the end of a message of any size is read, though its memory
// may end with it.
func TestLastNumber(t *testing.T) {
	s := ISO1987BCD()
	for n := 450; n < 999; n++ {
		m := NewMessage(s, 0x0200)
		require.NoError(t, m.Set(48, strings.Repeat("a", n)))
		require.NoError(t, m.SetBytes(55, make([]byte, n)))
		require.NoError(t, m.Set(67, "42"))
		b, err := m.Pack()
		require.NoError(t, err)
		back, err := s.Decode(b)
		require.NoError(t, err)
		back.data().buf = slices.Clip(back.data().buf)
		var out [8]byte
		v, ok := back.AppendText(out[:0], 67)
		require.True(t, ok)
		require.Equal(t, "42", string(v))
		v, ok = back.AppendBytes(out[:0], 67)
		require.True(t, ok)
		require.Equal(t, "42", string(v))
	}
}

// A length that goes far beyond the end of a message of any size is refused.
func TestLengthBeyondTheEnd(t *testing.T) {
	s, err := ISO1987BCD().With("67 n..99 LLVAR number\n68 b...999 LLLVAR bytes\n69 n60 fixed,ascii digits\n70 ans60 fixed text")
	require.NoError(t, err)
	for n := 400; n < 999; n++ {
		m := NewMessage(s, 0x0200)
		require.NoError(t, m.Set(48, strings.Repeat("a", n)))
		for _, de := range []int{67, 68} {
			require.NoError(t, m.SetBytes(de, nil))
			b, err := m.Pack()
			require.NoError(t, err)
			b[len(b)-1] = 0x99
			_, err = s.Decode(b)
			require.ErrorIs(t, err, ErrTruncated)
			m.Unset(de)
		}
		for _, de := range []int{69, 70} {
			require.NoError(t, m.Set(de, strings.Repeat("1", 60)))
			b, err := m.Pack()
			require.NoError(t, err)
			_, err = s.Decode(b[:len(b)-n%60-1])
			require.ErrorIs(t, err, ErrTruncated)
			m.Unset(de)
		}
	}
}

// Nothing of the message before is left in one that is used again.
func TestReuse(t *testing.T) {
	var m Message
	for _, g := range loadGolden(t, "testdata/unionpay.txt") {
		frame, err := g.framing().Decode(g.raw)
		require.NoError(t, err)
		require.NoError(t, UnionPay().DecodeInto(&m, frame.Body))
		for de := -1; de < 130; de++ {
			want, is := g.field[de]
			v, has := m.Text(de)
			require.Equal(t, is, has, "%s DE %d", g.name, de)
			require.Equal(t, is, m.Has(de))
			require.Equal(t, want, v)
		}
	}
	m.Reset(0x0800)
	require.Equal(t, MTI(0x0800), m.Type())
	for de := range 129 {
		require.False(t, m.Has(de))
	}
}

func TestBytesOutOfOrder(t *testing.T) {
	s, err := UnionPay().With("62 b...100 LLLVAR keys")
	require.NoError(t, err)
	m, other := NewMessage(s, 0x0200), NewMessage(s, 0x0200)
	for _, de := range []int{64, 52, 52} {
		require.NoError(t, m.SetBytes(de, bytes.Repeat([]byte{byte(de)}, 8)))
	}
	require.NoError(t, other.Set(52, "3434343434343434"))
	require.NoError(t, other.Set(64, "4040404040404040"))
	a, err := m.Pack()
	require.NoError(t, err)
	b, err := other.Pack()
	require.NoError(t, err)
	require.Equal(t, b, a)
	require.ErrorIs(t, NewMessage(s, 0x0200).SetBytes(62, make([]byte, 101)), ErrTooLong)
}

// What is removed or replaced does not stay in memory.
func TestRemovedContentIsWiped(t *testing.T) {
	m := NewMessage(UnionPay(), 0x0200)
	require.NoError(t, m.Set(2, "6221558812340000"))
	require.NoError(t, m.Set(3, "000000"))
	require.NoError(t, m.Set(35, "6221558812340000=3012"))
	require.NoError(t, m.Set(52, "0A1B2C3D4E5F6071"))
	m.Unset(2)
	require.NoError(t, m.Set(35, "1"))
	require.NoError(t, m.Set(52, "1111111111111111"))
	memory := string(m.data().first[:])
	require.NotContains(t, memory, "\x62\x21\x55")
	require.NotContains(t, memory, "\x1B\x2C\x3D")
	m.Reset(0x0200)
	require.Equal(t, strings.Repeat("\x00", 512), string(m.data().first[:]))

	// Nor what was refused, nor what a message leaves behind that outgrew its
	// memory.
	for _, v := range []string{"6221558812340000x", "62215588123400000000", "622155881234000:"} {
		require.Error(t, m.Set(2, v))
		require.Error(t, m.Set(41, v))
		require.Equal(t, strings.Repeat("\x00", 512), string(m.data().first[:]), v)
	}
	for _, way := range []func(m *Message) error{
		func(m *Message) error { return m.Set(59, strings.Repeat("a", 600)) },
		func(m *Message) error { return m.Set(36, strings.Repeat("1", 104)) },
		func(m *Message) error { return m.SetBytes(55, make([]byte, 900)) },
	} {
		m := NewMessage(UnionPay(), 0x0200)
		require.NoError(t, m.Set(2, "6221558812340000"))
		for de := 46; de < 48; de++ {
			require.NoError(t, m.Set(de, strings.Repeat("b", 200)))
		}
		require.NoError(t, m.Set(58, strings.Repeat("00", 70)))
		require.NoError(t, way(m))
		require.Greater(t, cap(m.data().buf), 512)
		require.Equal(t, strings.Repeat("\x00", 512), string(m.data().first[:]))
		v, _ := m.Text(2)
		require.Equal(t, "6221558812340000", v)
	}

	short := unhexed(t, "02002000000000000000310000")
	for _, next := range [][]byte{short, short[:10]} {
		require.NoError(t, m.Set(35, "6221558812340000=3012"))
		_ = UnionPay().DecodeInto(m, next)
		require.NotContains(t, string(m.data().first[:]), "\x55\x88\x12")
	}
}

func TestFramesRefused(t *testing.T) {
	ascii := Framing{Length: LengthASCII, NoTPDU: true, NoHeader: true}
	bcd := Framing{Length: LengthBCD, NoTPDU: true, NoHeader: true}
	small := Framing{Max: 16}
	for _, c := range []struct {
		name string
		f    Framing
		b    string
		err  error
		at   int
	}{
		{"half a length", Framing{}, "\x00", io.ErrUnexpectedEOF, 1},
		{"no room for TPDU and header", Framing{}, "\x00\x0a0123456789", ErrFrame, 0},
		{"above the bound", small, "\x00\x11" + strings.Repeat("a", 17), ErrFrameTooBig, 0},
		{"largest length", Framing{}, "\xff\xff", ErrFrameTooBig, 0},
		{"cut", Framing{}, "\x00\x10" + strings.Repeat("a", 15), io.ErrUnexpectedEOF, 17},
		{"nothing behind the length", Framing{}, "\x00\x10", io.ErrUnexpectedEOF, 2},
		{"signed", ascii, "+001a", ErrFrame, 0},
		{"negative", ascii, "-001a", ErrFrame, 0},
		{"spaces", ascii, "   1a", ErrFrame, 0},
		{"letters", bcd, "\x00\x0aa", ErrFrame, 0},
	} {
		_, err := c.f.Read(iotest.OneByteReader(strings.NewReader(c.b)), nil)
		require.ErrorIs(t, err, c.err, c.name)
		var fe *FrameError
		require.ErrorAs(t, err, &fe, c.name)
		require.Equal(t, c.at, fe.Offset, c.name)
		_, err = c.f.Decode([]byte(c.b))
		require.ErrorIs(t, err, c.err, c.name)
	}
	_, err := Framing{}.Decode([]byte("\x00\x0b0123456789ab"))
	require.ErrorIs(t, err, ErrFrame, "more than the length says")
	_, err = Framing{}.Read(strings.NewReader(""), nil)
	require.Equal(t, io.EOF, err)
	for _, n := range []int{17, 18, 500} {
		_, err = Framing{Length: LengthNone, Max: 16}.Read(strings.NewReader(strings.Repeat("a", n)), nil)
		require.ErrorIs(t, err, ErrFrameTooBig)
	}
	_, err = Framing{Length: LengthNone}.Read(strings.NewReader("0123456789"), nil)
	require.ErrorIs(t, err, ErrFrame)
	boom := errors.New("boom")
	_, err = Framing{}.Read(io.MultiReader(strings.NewReader("\x00\x10abc"), iotest.ErrReader(boom)), nil)
	require.ErrorIs(t, err, boom)
	_, err = small.Append(nil, Frame{Body: make([]byte, 6)})
	require.ErrorIs(t, err, ErrFrameTooBig)
}

func TestFramings(t *testing.T) {
	tpdu, err := ParseTPDU("6000030000")
	require.NoError(t, err)
	require.Equal(t, "6000000003", tpdu.Swap().String())
	header, err := ParseHeader("613100311108")
	require.NoError(t, err)
	require.Equal(t, 61, header.Application())
	require.Equal(t, 31, header.Version())
	require.False(t, header.Testing())
	require.Equal(t, ProcessNothing, header.Processing())
	require.Equal(t, "613103311108", header.WithProcessing(ProcessSignIn).String())
	require.Equal(t, ProcessSignIn, header.WithProcessing(ProcessSignIn).Processing())
	for _, bad := range []string{"", "60000300", "600003000000", "60000300xx"} {
		_, err := ParseTPDU(bad)
		require.ErrorIs(t, err, ErrFrame)
	}
	buf := make([]byte, 64)
	for _, length := range []LengthForm{LengthBinary, LengthBCD, LengthASCII, LengthNone} {
		for _, noTPDU := range []bool{false, true} {
			for _, noHeader := range []bool{false, true} {
				f := Framing{Length: length, NoTPDU: noTPDU, NoHeader: noHeader}
				in := Frame{Body: []byte("the message itself")}
				if !noTPDU {
					in.TPDU = tpdu
				}
				if !noHeader {
					in.Header = header
				}
				b, err := f.Append(nil, in)
				require.NoError(t, err)
				out, err := f.Decode(b)
				require.NoError(t, err)
				require.Equal(t, in, out)
				r := bytes.NewReader(append(bytes.Clone(b), b...))
				if length == LengthNone {
					r.Reset(b)
				}
				for range r.Len() / len(b) {
					out, err = f.Read(iotest.HalfReader(r), buf)
					require.NoError(t, err)
					require.Equal(t, in, out)
				}
				_, err = f.Read(r, buf)
				require.Equal(t, io.EOF, err)
			}
		}
	}
}
