package codec

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What looks at eight bytes at a time agrees with what looks at one, for every
// length and every byte at every place.

func TestNibblesByWord(t *testing.T) {
	for n := range 40 {
		b := bytes.Repeat([]byte{0x19}, n)
		require.Equal(t, -1, badNibble(b))
		for i := range n {
			for v := range 256 {
				b[i] = byte(v)
				want := -1
				if v>>4 > 9 || v&15 > 9 {
					want = i
				}
				if got := badNibble(b); got != want {
					t.Fatalf("%d bytes, %02X at %d: %d", n, v, i, got)
				}
			}
			b[i] = 0x90
		}
	}
}

func TestClassesByWord(t *testing.T) {
	for _, c := range classes {
		allow := c.sets()
		good := byte('7')
		if allow&setDigit == 0 {
			good = 'Q'
		}
		for n := range 20 {
			b := bytes.Repeat([]byte{good}, n)
			for i := range n {
				for v := range 256 {
					b[i] = byte(v)
					want := -1
					if charSet[v]&allow == 0 {
						want = i
					}
					if got := badIn(b, allow); got != want {
						t.Fatalf("class %d, %d bytes, %02X at %d: %d", c, n, v, i, got)
					}
				}
				b[i] = good
			}
		}
	}
}

func TestHexByWord(t *testing.T) {
	for n := range 20 {
		b := bytes.Repeat([]byte{'A'}, n)
		for i := range n {
			for v := range 256 {
				b[i] = byte(v)
				want := -1
				if strings.IndexByte("0123456789ABCDEF", byte(v)) < 0 {
					want = i
				}
				if got := badHex(b); got != want {
					t.Fatalf("%d bytes, %02X at %d: %d", n, v, i, got)
				}
				if want < 0 && n%2 == 0 {
					raw, err := hex.DecodeString(string(b))
					require.NoError(t, err)
					if !bytes.Equal(raw, appendUnhex(nil, b)) || string(b) != string(appendHex(nil, raw)) {
						t.Fatalf("%s", b)
					}
				}
			}
			b[i] = '9'
		}
	}
}

func TestPackByWord(t *testing.T) {
	for n := 0; n <= 20; n += 2 {
		text := []byte(strings.Repeat("3141592653", 2)[:n])
		want, err := hex.DecodeString(string(text))
		require.NoError(t, err)
		packed := make([]byte, n/2+8)
		require.True(t, packFixed(packed, string(text)))
		require.Equal(t, want, packed[:n/2])
		got, ok := packDigits(nil, string(text))
		require.True(t, ok)
		require.Equal(t, string(want), string(got))
		require.Equal(t, string(text), string(unpackNibbles(nil, want)))
		for i := range n {
			for v := range 256 {
				was := text[i]
				text[i] = byte(v)
				good := v >= '0' && v <= '9'
				_, ok := packDigits(nil, string(text))
				if ok != good || packFixed(packed, string(text)) != good {
					t.Fatalf("%d digits, %02X at %d", n, v, i)
				}
				text[i] = was
			}
		}
	}
}

// quickSays lays out one field of a dialect whose bytes are content, with behind
// after it, the short way.
func quickSays(s *Spec, de int, content, behind []byte) bool {
	d := newData(s)
	d.bits[0] = 1 << (de - 1)
	d.buf = append(bytes.Clone(content), behind...)[:len(content)]
	return s.quick(d, len(content))
}

// The short way for text takes what is in the class, whatever stands behind it.
func TestPlainText(t *testing.T) {
	behind := bytes.Repeat([]byte{0xFF}, slack)
	for name, kind := range map[string]kind{"n": kindChars, "an": kindChars, "anp": kindChars, "ans": kindPrint} {
		for _, n := range []int{1, 3, 7, 8, 9, 12, 15, 16, 17} {
			s, err := ParseSpec(fmt.Sprintf("2 %s%d fixed a", name, n))
			require.NoError(t, err)
			w := &s.ways[1]
			require.Equal(t, kind, w.kind)
			b := bytes.Repeat([]byte{'7'}, n)
			for i := range n {
				for v := range 256 {
					b[i] = byte(v)
					want := charSet[v]&classes[name].sets() != 0
					if quickSays(s, 2, b, behind) != want || w.allows(string(b)) != want {
						t.Fatalf("class %s, %d characters, %02X at %d", name, n, v, i)
					}
				}
				b[i] = '7'
			}
		}
	}
}

// The short ways for numbers in BCD agree with digits written by hand.
func TestPlainNumbers(t *testing.T) {
	const digits = "3141592653589793"
	for n := 1; n <= 16; n++ {
		for _, side := range []string{"left", "right"} {
			for _, settings := range []string{"filler A", "filler 0\naccept any", "filler 5\naccept any"} {
				s, err := ParseSpec(fmt.Sprintf("digits bcd\nodd %s\n%s\n2 n%d fixed a\n64 b64 fixed b", side, settings, n))
				require.NoError(t, err)
				require.Equal(t, kindNumber, s.ways[1].kind)
				filler, lax := settings[7:8], strings.Contains(settings, "any")
				text := digits[:n]
				at := n // of the filler
				if n%2 != 0 && side == "right" {
					text, at = filler+text, 0
				} else if n%2 != 0 {
					text += filler
				}
				want := unhexed(t, text)
				m := NewMessage(s, 0x0200)
				require.NoError(t, m.Set(2, digits[:n]))
				require.Equal(t, want, m.data().wireOf(2))
				for _, room := range []int{0, n, n + 20} {
					dst := bytes.Repeat([]byte{'x'}, 1+room)
					got, ok := m.AppendBytes(dst[:1], 2)
					require.True(t, ok)
					require.Equal(t, "x"+digits[:n], string(got))
					if room > n {
						require.Equal(t, strings.Repeat("x", 20), string(dst[1+n:]), "what lies behind is not written to")
					}
				}
				for i := range text {
					for v := range 16 {
						b := bytes.Clone(want)
						b[i/2] = b[i/2]&^(0xF0>>(i%2*4)) | byte(v)<<(4-i%2*4)
						good := v <= 9
						if n%2 != 0 && i == at {
							good = lax || hexDigits[v] == filler[0]
						}
						require.Equal(t, good, quickSays(s, 2, b, bytes.Repeat([]byte{0xFF}, slack)), "%d %s %s: %X at %d", n, side, settings, v, i)
					}
				}
				for i := range n {
					require.ErrorIs(t, m.Set(2, digits[:i]+":"+digits[i+1:n]), ErrContent)
				}
			}
		}
	}
}

// A wrong nibble is found wherever it stands in a row of numbers.
func TestWrongNibbleAnywhere(t *testing.T) {
	m := NewMessage(ISO1987BCD(), 0x0200)
	require.NoError(t, setSale(m, &benchSale))
	good, err := m.Pack()
	require.NoError(t, err)
	spans, err := ISO1987BCD().Spans(good)
	require.NoError(t, err)
	for _, p := range spans[2:10] {
		for at := p.Start; at < p.End; at++ {
			for _, v := range []byte{0x0A, 0xA0, 0x1F, 0xF1, 0xFF} {
				b := bytes.Clone(good)
				b[at] = v
				_, err := ISO1987BCD().Decode(b)
				var fe *FieldError
				require.ErrorAs(t, err, &fe, "byte %d", at)
				require.Equal(t, p.DE, fe.DE, fmt.Sprint(err))
				require.Equal(t, at, fe.Offset)
			}
		}
	}
}
