package codec

import (
	"bytes"
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// golden is one message of testdata.
type golden struct {
	name, dialect, frame string
	raw                  []byte
	field                map[int]string
	other                map[string]string // tpdu, header, mti, keys
	lines                string            // what replaces lines of the dialect
}

func loadGolden(t testing.TB, file string) []golden {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var list []golden
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, " ")
		require.True(t, ok, line)
		value = strings.TrimLeft(value, " ")
		if key == "message" {
			list = append(list, golden{name: value, field: map[int]string{}, other: map[string]string{}})
			continue
		}
		g := &list[len(list)-1]
		if strings.HasPrefix(value, `"`) {
			value, err = strconv.Unquote(value)
			require.NoError(t, err, line)
		}
		de, notField := strconv.Atoi(key)
		switch {
		case key == "dialect":
			g.dialect = value
		case key == "frame":
			g.frame = value
		case key == "line":
			g.lines += value + "\n"
		case key == "hex":
			g.raw = append(g.raw, unhexed(t, value)...)
		case notField == nil:
			g.field[de] = value
		default:
			g.other[key] = value
		}
	}
	return list
}

func unhexed(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func (g golden) framing() Framing {
	f := Framing{NoTPDU: !strings.Contains(g.frame, "tpdu"), NoHeader: !strings.Contains(g.frame, "header")}
	if !strings.HasPrefix(g.frame, "len2") {
		f.Length = LengthNone
	}
	return f
}

func TestUnionPayMessages(t *testing.T) {
	list := loadGolden(t, "testdata/unionpay.txt")
	require.Equal(t, 17, len(list))
	for _, g := range list {
		t.Run(g.name, func(t *testing.T) {
			f := g.framing()
			frame, err := f.Decode(g.raw)
			require.NoError(t, err)
			read, err := f.Read(bytes.NewReader(g.raw), nil)
			require.NoError(t, err)
			require.Equal(t, frame, read)
			if !f.NoTPDU {
				require.Equal(t, g.other["tpdu"], frame.TPDU.String())
			}
			if !f.NoHeader {
				require.Equal(t, g.other["header"], frame.Header.String())
			}
			checkGolden(t, UnionPay(), g, frame.Body)
			again, err := f.Append(nil, frame)
			require.NoError(t, err)
			require.Equal(t, g.raw, again)
		})
	}
}

func TestISO8583Messages(t *testing.T) {
	list := loadGolden(t, "testdata/iso8583.txt")
	require.Equal(t, 5, len(list))
	for _, g := range list {
		t.Run(g.name, func(t *testing.T) {
			s, err := dialectNamed(t, g.dialect).With(g.lines)
			require.NoError(t, err)
			checkGolden(t, s, g, g.raw)
		})
	}
}

func dialectNamed(t testing.TB, name string) *Spec {
	t.Helper()
	for _, s := range Dialects() {
		if s.Name() == name {
			return s
		}
	}
	t.Fatalf("no dialect %s", name)
	return nil
}

// checkGolden decodes body, compares it with what the vector says, encodes it
// and builds it afresh from the fields.
func checkGolden(t *testing.T, s *Spec, g golden, body []byte) {
	t.Helper()
	m, err := s.Decode(body)
	require.NoError(t, err)
	require.Equal(t, g.other["mti"], m.Type().String())
	got := map[int]string{}
	for de := range m.Fields {
		got[de], _ = m.Text(de)
	}
	require.Equal(t, g.field, got)
	b, err := s.Append(nil, m)
	require.NoError(t, err)
	require.Equal(t, body, b)

	built := NewMessage(s, m.Type())
	built.data().wide = m.data().wide
	for de := 128; de > 0; de-- { // against the order of the wire
		if v, ok := g.field[de]; ok {
			require.NoError(t, built.Set(de, v), "DE %d", de)
		}
	}
	b, err = s.Append(nil, built)
	require.NoError(t, err)
	require.Equal(t, body, b)
}

func TestMACOfCapturedSale(t *testing.T) {
	g := loadGolden(t, "testdata/unionpay.txt")[0]
	frame, err := g.framing().Decode(g.raw)
	require.NoError(t, err)
	mac, err := NewECBMAC(unhexed(t, g.other["mak"]))
	require.NoError(t, err)
	m, err := UnionPay().Decode(frame.Body)
	require.NoError(t, err)
	require.NoError(t, VerifyMAC(frame.Body, m, mac))

	m.Unset(64)
	raw, err := UnionPay().Append(nil, m)
	require.NoError(t, err)
	require.ErrorIs(t, VerifyMAC(raw, m, mac), ErrNoMAC)
	signed, err := UnionPay().AppendMAC([]byte("before"), m, mac)
	require.NoError(t, err)
	require.Equal(t, "before"+string(frame.Body), string(signed))
	require.True(t, m.Has(64))

	for i := range frame.Body {
		bad := bytes.Clone(frame.Body)
		bad[i] ^= 1
		if m, err := UnionPay().Decode(bad); err == nil && m.Has(64) {
			require.ErrorIs(t, VerifyMAC(bad, m, mac), ErrBadMAC, "byte %d", i)
		}
	}
}

func TestMACVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/mac.txt")
	require.NoError(t, err)
	n, v := 0, map[string]string{}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		v[key] = strings.TrimSpace(value)
		if key != "field" {
			continue
		}
		s, err := UnionPay().With("mac " + v["rule"])
		require.NoError(t, err, v["mac"])
		mac, err := s.NewMAC(unhexed(t, v["key"]))
		require.NoError(t, err, v["mac"])
		sum, err := mac.Sum(unhexed(t, v["text"]))
		require.NoError(t, err, v["mac"])
		require.Equal(t, unhexed(t, v["field"]), sum[:], v["mac"])
		n++
	}
	require.Equal(t, 7, n)
}

func TestWorkingKeysOfCapturedSignIn(t *testing.T) {
	for _, g := range loadGolden(t, "testdata/unionpay.txt") {
		if g.other["tmk"] == "" {
			continue
		}
		block := unhexed(t, g.field[62])
		keys, err := ParseWorkingKeys(block)
		require.NoError(t, err)
		require.Len(t, keys.MAC.Cipher, 8)
		tmk, err := NewMasterKey(unhexed(t, g.other["tmk"]))
		require.NoError(t, err)
		for _, k := range []struct {
			wrapped WrappedKey
			clear   string
		}{{keys.PIN, g.other["pik_clear"]}, {keys.MAC, g.other["mak_clear"]}} {
			key, err := tmk.Unwrap(k.wrapped)
			require.NoError(t, err)
			require.Equal(t, unhexed(t, k.clear), key)
			again, err := tmk.Wrap(key)
			require.NoError(t, err)
			require.Equal(t, k.wrapped, again)
			k.wrapped.Check[3] ^= 1
			_, err = tmk.Unwrap(k.wrapped)
			require.ErrorIs(t, err, ErrKeyCheck)
		}
		back, err := keys.Append(nil)
		require.NoError(t, err)
		require.Equal(t, block, back)
		return
	}
	t.Fatal("no message with keys")
}
