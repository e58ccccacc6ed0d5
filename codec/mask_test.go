package codec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

// secrets are what must not be seen of the message that secretMessage makes, in
// characters, as hexadecimal digits, and as fmt prints bytes.
var secrets = []string{
	"5588123", "35353838", "22 21 55 88", "[98 33 85",
	"D6E8", "0A1B2C3D", "10 27 44 61", "11111222", "987654",
}

func secretMessage(t *testing.T) *Message {
	m := NewMessage(UnionPay(), 0x0200)
	for de, v := range map[int]string{
		2: "6221558812340000", 3: "000000", 4: "000000000001", 11: "000001", 14: "3012",
		35: "6221558812340000=30122010000D6E8"[:28], 41: "22003600", 52: "0A1B2C3D4E5F6071",
		55: "5A086221558812340000", 59: "A3019" + "6211111222233334444", 54: "0002156C000000987654",
	} {
		require.NoError(t, m.Set(de, v))
	}
	return m
}

func requireHidden(t *testing.T, out string) {
	t.Helper()
	for _, s := range secrets {
		require.NotContains(t, out, s, "%s", s)
	}
}

func TestMessageShowsItselfMasked(t *testing.T) {
	m := secretMessage(t)
	type nested struct {
		M *Message
		V Message
		m *Message
		v Message
		l []*Message
		k map[string]Message
		a any
	}
	deep := nested{m, *m, m, *m, []*Message{m}, map[string]Message{"x": *m}, *m}
	for _, v := range []any{m, *m, deep, &deep, []any{deep}, struct{ e error }{fmt.Errorf("sending %v", m)}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c", "%U", "%p", "%t"} {
			requireHidden(t, fmt.Sprintf(verb, v))
		}
		b, err := json.Marshal(v)
		require.NoError(t, err)
		requireHidden(t, string(b))
		for _, h := range []func(*bytes.Buffer) slog.Handler{
			func(w *bytes.Buffer) slog.Handler { return slog.NewTextHandler(w, nil) },
			func(w *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(w, nil) },
		} {
			var out bytes.Buffer
			slog.New(h(&out)).Info("sent", "message", v, "group", slog.GroupValue(slog.Any("m", v)))
			requireHidden(t, out.String())
		}
	}
	require.Equal(t, `0200 2="622155******0000" 3="000000" 4="000000000001" 11="000001" 14="***" 35="***" 41="22003600" 52="***" 54="***" 55="***" 59="***"`, m.String())
	b, err := json.Marshal(m)
	require.NoError(t, err)
	var back map[string]string
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, "622155******0000", back["2"])
	require.Equal(t, "***", back["52"])
	require.Equal(t, "iso8583 (empty)", fmt.Sprint(Message{}))

	odd := NewMessage(UnionPay(), 0x0200)
	require.NoError(t, odd.Set(41, `a"b\c"de`))
	require.NoError(t, odd.Set(63, "中文\"<>"))
	b, err = json.Marshal(odd)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(b, &back))
	require.Equal(t, `a"b\c"de`, back["41"])
	require.Equal(t, "中文\"<>", back["63"])
}

// A card number that is none by its length is hidden as a whole.
func TestMaskHidesWhatItCannotParse(t *testing.T) {
	m := NewMessage(UnionPay(), 0x0200)
	require.NoError(t, m.Set(2, "622155881234"))
	v, ok := m.Masked(2)
	require.True(t, ok)
	require.Equal(t, "***", v)
	_, ok = m.Masked(3)
	require.False(t, ok)
}

// Every dialect hides what it does not mark as harmless.
func TestDialectsHideCardData(t *testing.T) {
	for _, s := range Dialects() {
		for _, de := range []int{34, 35, 36, 45, 46, 47, 48, 52, 54, 55, 57, 59, 62, 102, 103, 120} {
			if f := s.field(de); f != nil && !(s == ISO1993Binary() || s == ISO1993ASCII() || s == ISO2003ASCII()) || f != nil && de != 57 {
				require.Equal(t, maskHide, f.mask, "%s DE %d", s.Name(), de)
			}
		}
		require.Equal(t, maskPAN, s.field(2).mask)
	}
}

// No error names the content that it is about.
func TestErrorsHoldNoContent(t *testing.T) {
	m := NewMessage(UnionPay(), 0x0200)
	for de := 2; de <= 64; de++ {
		for _, v := range []string{"62215588123400009", "6221558812340000622155881234000062215588123400006221558812340000\n", "\xff6221558812340000"} {
			if err := m.Set(de, v); err != nil {
				requireHidden(t, fmt.Sprintf("%v %+v %#v", err, err, err))
			}
		}
	}
	whole := secretMessage(t)
	b, err := whole.Pack()
	require.NoError(t, err)
	for n := range b {
		_, err := UnionPay().Decode(b[:n])
		require.Error(t, err)
		requireHidden(t, fmt.Sprintf("%v %+v %#v", err, err, err))
	}
}

// A table of one's own that says nothing of masks shows nothing that a table of
// this package hides.
func TestDefaultMasks(t *testing.T) {
	for _, s := range Dialects() {
		for de := 2; de <= lastField; de++ {
			f := s.field(de)
			if f == nil {
				continue
			}
			is := defaultMask(de)
			require.True(t, is == f.mask || is == maskHide && f.mask == maskShow, "%s %d", s.Name(), de)
		}
	}
	require.Equal(t, maskPAN, defaultMask(2))
	own, err := ParseSpec("14 n4 fixed expiry\n34 ans..28 LLVAR extended account number")
	require.NoError(t, err)
	m := NewMessage(own, 0x0200)
	require.NoError(t, m.Set(14, "3012"))
	require.NoError(t, m.Set(34, "6221558812340000"))
	require.Equal(t, `0200 14="***" 34="***"`, m.String())
}
