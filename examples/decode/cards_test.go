package main

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever bit of a message is wrong, the dump of what cannot be read shows no
// card number.
func TestDamageShowsNoCardNumber(t *testing.T) {
	characters := hex.EncodeToString([]byte("02007024048020C09000" + "166221558812340000" + "000000" + "000000012300" +
		"000001" + "120000" + "021" + "00" + "206221558812340000=301" + "12345678" + "123456789012345" + "156"))
	step := 1
	if testing.Short() {
		step = 5
	}
	shown := 0
	for _, message := range []string{sale, characters} {
		for bit := 0; bit < 4*len(message); bit += step {
			b, err := hex.DecodeString(message)
			require.NoError(t, err)
			b[bit/8] ^= 0x80 >> (bit % 8)
			_, out, _ := decode(t, hex.EncodeToString(b))
			if !strings.Contains(out, "-clear shows them") {
				continue
			}
			shown++
			require.NotContains(t, out, "55 88 12 34", "bit %d", bit)
			require.NotContains(t, out, "35 35 38 38", "bit %d", bit)
		}
	}
	require.Greater(t, shown, 100/step)
	_, out, _ := decode(t, sale[:80], "-clear")
	require.Contains(t, out, "55 88 12 34")
}

func TestCardNumbers(t *testing.T) {
	for in, want := range map[string]string{
		"0016622155881234000001":                       "0016................01",
		"0116622155881234000D3012":                     "....................3012", // in front of a separator
		"FFF62215588123400D30":                         "FF................30",
		"FF62215588123400D301":                         "FF................01",
		"0017622155881234000002":                       "0017..................",
		"13211111111111110A":                           "13..............0A",
		"131111111111111101":                           "131111111111111101", // begins like none
		"136221558812AA":                               "136221558812AA",
		"303133" + "36323231353538383132333430" + "41": "303133..........................41",
		"31": "31", "3136": "3136", "16": "16", "": "",
	} {
		raw, err := hex.DecodeString(in)
		require.NoError(t, err)
		out := bytes.Clone([]byte(strings.ToUpper(in)))
		cardNumbers(raw, func(from, to int) {
			for i := max(from, 0); i < min(to, len(raw)); i++ {
				out[2*i], out[2*i+1] = '.', '.'
			}
		})
		require.Equal(t, want, string(out))
	}
}
