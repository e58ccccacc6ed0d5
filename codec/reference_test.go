package codec

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"
)

// reference reads and writes messages of the dialects of this package a second
// time, as slowly and plainly as can be: from the text of the table, character
// by character, with nothing of the code that it is compared with.
type reference struct {
	bcd, gbk bool
	rows     map[int]refRow
}

type refRow struct {
	class                      string
	digits, max                int
	left, pad, countCharacters bool
}

var refLine = regexp.MustCompile(`^(\d+) +([anspbzx+]+?)(\.*)(\d+) +(\S+)`)

func newReference(text string) reference {
	r := reference{bcd: strings.Contains(text, "\ndigits  bcd"), gbk: strings.Contains(text, "\ntext    gbk"), rows: map[int]refRow{}}
	for _, line := range strings.Split(text, "\n") {
		w := refLine.FindStringSubmatch(line)
		if w == nil {
			continue
		}
		de, _ := strconv.Atoi(w[1])
		row := refRow{class: w[2], digits: len(w[3])}
		row.max, _ = strconv.Atoi(w[4])
		if row.class == "b" && row.digits == 0 {
			row.max /= 8
		}
		row.left = strings.Contains(text, "\nodd     left") && !strings.Contains(w[5], ",right") || strings.Contains(w[5], ",left")
		row.pad = strings.Contains(w[5], ",pad")
		row.countCharacters = strings.Contains(w[5], ",digits")
		r.rows[de] = row
	}
	return r
}

// refError is the field that is wrong, 0 for what belongs to none.
type refError int

func (e refError) Error() string { return fmt.Sprint("wrong: ", int(e)) }

// in is what is left of a message: nibbles, as hexadecimal digits, in BCD, else
// characters.
type refInput string

func (in *refInput) take(n, de int) string {
	if n > len(*in) {
		panic(refError(de))
	}
	s := (*in)[:n]
	*in = (*in)[n:]
	return string(s)
}

func (r reference) read(b []byte) (fields map[int]string, err error) {
	defer func() {
		if e, is := recover().(refError); is {
			fields, err = nil, e
		}
	}()
	in := refInput(b)
	if r.bcd {
		in = refInput(strings.ToUpper(hex.EncodeToString(b)))
	}
	number(in.take(4, 0), 0)
	bitmap := bitsOf(in.take(16, 0))
	if bitmap[0] == '1' {
		if bitmap += bitsOf(in.take(16, 0)); bitmap[64] == '1' {
			panic(refError(65))
		}
	}
	fields = map[int]string{}
	for de := 2; de <= len(bitmap); de++ {
		if bitmap[de-1] == '1' {
			fields[de] = r.field(&in, de)
		}
	}
	if in != "" {
		panic(refError(0))
	}
	return fields, nil
}

func number(s string, de int) int {
	n := 0
	for _, c := range s {
		if c < '0' || c > '9' {
			panic(refError(de))
		}
		n = 10*n + int(c-'0')
	}
	return n
}

func bitsOf(s string) string {
	bits := ""
	for _, c := range s {
		v := strings.IndexRune("0123456789ABCDEF", c)
		if v < 0 {
			panic(refError(0))
		}
		bits += fmt.Sprintf("%04b", v)
	}
	return bits
}

func (r reference) field(in *refInput, de int) string {
	row, is := r.rows[de]
	if !is {
		panic(refError(de))
	}
	n := row.max
	if row.digits > 0 {
		prefix := row.digits
		if r.bcd {
			prefix += prefix % 2
		}
		n = number(in.take(prefix, de), de)
		if r.bcd && n >= 1000 {
			panic(refError(de))
		}
		if row.countCharacters && !r.bcd {
			if n%2 != 0 {
				panic(refError(de))
			}
			n /= 2
		}
		if n > row.max {
			panic(refError(de))
		}
	}
	switch numeric := row.class == "n" || row.class == "z"; {
	case row.class == "b":
		return r.allowed(in.take(2*n, de), "b", de)
	case r.bcd && numeric && n%2 != 0 && row.left:
		v := in.take(n, de)
		r.filler(in.take(1, de), de)
		return r.allowed(v, row.class, de)
	case r.bcd && numeric && n%2 != 0:
		r.filler(in.take(1, de), de)
		return r.allowed(in.take(n, de), row.class, de)
	case r.bcd && numeric:
		return r.allowed(in.take(n, de), row.class, de)
	case row.class == "x+n":
		sign := r.characters(in, 1, de)
		if sign != "C" && sign != "D" {
			panic(refError(de))
		}
		return sign + r.allowed(in.take(n, de), "n", de)
	}
	return r.allowed(r.characters(in, n, de), row.class, de)
}

func (r reference) filler(c string, de int) {
	if !r.gbk && c != "0" { // that dialect alone tolerates any
		panic(refError(de))
	}
}

func (r reference) characters(in *refInput, n, de int) string {
	if !r.bcd {
		return in.take(n, de)
	}
	b, _ := hex.DecodeString(in.take(2*n, de))
	return string(b)
}

const (
	refDigits  = "0123456789"
	refLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	refSpecial = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
)

var refClasses = map[string]string{
	"b": "0123456789ABCDEF", "n": refDigits, "z": refDigits + "=D", "an": refDigits + refLetters, "anp": refDigits + refLetters + " ",
	"ns": refDigits + refSpecial + " ", "ans": refDigits + refLetters + refSpecial + " ",
}

// allowed gives s, of a wire form, as text.
func (r reference) allowed(s, class string, de int) string {
	text := ""
	for i := 0; i < len(s); i++ {
		switch {
		case strings.IndexByte(refClasses[class], s[i]) >= 0:
			if class == "z" && r.bcd && s[i] == 'D' {
				text += "="
				continue
			}
			text += s[i : i+1]
		case r.gbk && class == "ans" && s[i] == 0x80:
			text += "€"
		case r.gbk && class == "ans" && i+1 < len(s):
			c, err := simplifiedchinese.GBK.NewDecoder().String(s[i : i+2])
			back, again := simplifiedchinese.GBK.NewEncoder().String(c)
			if one := []rune(c); err != nil || again != nil || back != s[i:i+2] || len(one) != 1 || !unicode.IsGraphic(one[0]) {
				panic(refError(de))
			}
			text += c
			i++
		default:
			panic(refError(de))
		}
	}
	return text
}

// write makes a message of random fields and gives it with them.
func (r reference) write(random *rand.Rand) ([]byte, map[int]string) {
	fields, wire := map[int]string{}, ""
	des := slices.Sorted(maps.Keys(r.rows))
	most := []int{64, 128}[random.IntN(2)]
	bitmap := []byte(strings.Repeat("0", most))
	if most > 64 {
		bitmap[0] = '1'
	}
	for _, de := range des {
		if de <= most && random.IntN(6) == 0 {
			v, w := r.writeField(random, r.rows[de])
			fields[de], bitmap[de-1] = v, '1'
			wire += w
		}
	}
	head := fmt.Sprintf("%04d", random.IntN(10000))
	for i := 0; i < most; i += 4 {
		v, _ := strconv.ParseUint(string(bitmap[i:i+4]), 2, 8)
		head += fmt.Sprintf("%X", v)
	}
	if !r.bcd {
		return []byte(head + wire), fields
	}
	b, err := hex.DecodeString(head + wire)
	if err != nil {
		panic(err)
	}
	return b, fields
}

// writeField gives random content and its wire form.
func (r reference) writeField(random *rand.Rand, row refRow) (text, wire string) {
	n := row.max
	if row.digits > 0 {
		n = random.IntN(min(row.max, 40) + 1)
	}
	one := func(of string) string { i := random.IntN(len(of)); return of[i : i+1] }
	for len(text) < n {
		switch {
		case row.class == "b":
			wire += fmt.Sprintf("%02X", random.IntN(256))
			text = wire[:len(wire)/2]
		case row.class == "x+n":
			text += one(refDigits)
		case r.gbk && row.class == "ans" && n-len(text) > 1 && random.IntN(3) == 0:
			wire += "B3C9" // 成
			text += "\x00\x00"
		default:
			c := one(refClasses[row.class])
			text += c
			wire += hex.EncodeToString([]byte(c))
		}
	}
	length := ""
	if row.digits > 0 {
		count := n
		if row.countCharacters && !r.bcd {
			count *= 2
		}
		if length = fmt.Sprintf("%0*d", row.digits, count); r.bcd && row.digits == 3 {
			length = "0" + length
		}
	}
	numeric := row.class == "n" || row.class == "z"
	switch {
	case row.class == "b":
		return wire, length + wire
	case row.class == "x+n" && r.bcd:
		return "D" + text, length + "44" + text
	case row.class == "x+n":
		return "C" + text, length + "C" + text
	case numeric && r.bcd:
		text = strings.ReplaceAll(text, "D", "=")
		switch wire = strings.ReplaceAll(text, "=", "D"); {
		case n%2 != 0 && row.left:
			wire += "0"
		case n%2 != 0:
			wire = "0" + wire
		}
		return text, length + wire
	case r.bcd:
		return strings.ReplaceAll(text, "\x00\x00", "成"), length + wire
	}
	return text, length + text
}

// Two decoders and two encoders that share nothing say the same of random
// messages, and of what damage makes of them, down to the field that is wrong.
func TestReferenceAgrees(t *testing.T) {
	rounds := 400
	if testing.Short() {
		rounds = 40
	}
	for _, s := range Dialects() {
		text, _ := DialectText(s.Name())
		r := newReference(text)
		for de := 2; de <= lastField; de++ {
			_, is := r.rows[de]
			require.Equal(t, s.Defines(de), is, "%s %d", s.Name(), de)
		}
		random := rand.New(rand.NewPCG(8583, uint64(len(text))))
		refused := 0
		for range rounds {
			b, fields := r.write(random)
			m, err := s.Decode(b)
			require.NoError(t, err, "%s %X", s.Name(), b)
			require.Equal(t, fields, textsOf(m), "%s %X", s.Name(), b)
			built := NewMessage(s, m.Type())
			built.data().wide = m.data().wide
			for de, v := range fields {
				require.NoError(t, built.Set(de, v), "%s %d %q", s.Name(), de, v)
			}
			again, err := built.Pack()
			require.NoError(t, err)
			require.Equal(t, b, again, s.Name())
			for range 8 {
				if !agree(t, s, r, damage(random, b)) {
					refused++
				}
			}
		}
		require.Greater(t, refused, rounds)
		require.Less(t, refused, 8*rounds)
	}
}

func textsOf(m *Message) map[int]string {
	texts := map[int]string{}
	for de := range m.Fields {
		texts[de], _ = m.Text(de)
	}
	return texts
}

func damage(random *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	i := random.IntN(len(b))
	switch random.IntN(6) {
	case 0:
		return b[:i]
	case 1:
		return slices.Delete(b, i, i+1)
	case 2:
		return slices.Insert(b, i, byte(random.IntN(256)))
	case 3:
		b[i] = byte(random.IntN(256))
	case 4:
		b[i] ^= 1 << random.IntN(8)
	case 5:
		b[i] = "09AF/:@G`{ ~\x7F\x80\xFF\x1F"[random.IntN(16)]
	}
	return b
}

// agree reports whether both take b.
func agree(t *testing.T, s *Spec, r reference, b []byte) bool {
	want, wrong := r.read(b)
	m, err := s.Decode(b)
	require.Equal(t, wrong == nil, err == nil, "%s %X: %v, %v", s.Name(), b, wrong, err)
	if err != nil {
		var fe *FieldError
		require.True(t, errors.As(err, &fe))
		require.Equal(t, wrong.(refError), refError(fe.DE), "%s %X: %v", s.Name(), b, err)
		return false
	}
	require.Equal(t, want, textsOf(m), "%s %X", s.Name(), b)
	return true
}
