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
					if got := bad(string(b), allow); got != want {
						t.Fatalf("class %d, %d characters, %02X at %d: %d", c, n, v, i, got)
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
		var word [8]byte
		if n > 0 && n <= 16 {
			copy(word[:], want)
			out := make([]byte, n)
			putDigits(out, be64(word))
			require.Equal(t, string(text), string(out))
		}
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

func be64(b [8]byte) (x uint64) {
	for _, c := range b {
		x = x<<8 | uint64(c)
	}
	return x
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
