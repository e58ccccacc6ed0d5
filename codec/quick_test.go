package codec

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// randomTable is the table of some dialect, with what directives, shapes and
// settings there are in any mixture that is accepted.
func randomTable(random *rand.Rand) string {
	pick := func(words string) string {
		list := strings.Split(words, " ")
		return list[random.IntN(len(list))]
	}
	table := fmt.Sprintf("mti %s\nbitmap %s\nlength %s\ndigits %s\ntext %s\nbytes %s\nodd %s\nfiller %s\naccept %s\n",
		pick("ascii bcd ebcdic"), pick("binary hex"), pick("ascii bcd bcd binary ebcdic"), pick("ascii bcd bcd ebcdic"),
		pick("ascii gbk gb18030 ebcdic"), pick("raw hex"), pick("left right"), pick("0 5 F"), pick("any 0 F 9"))
	for range 12 {
		variable := random.IntN(4)
		class, size := pick("n n n a an anp as ns ans z b x+n"), 1+random.IntN(20)
		if class == "b" && variable == 0 {
			size *= 8
		}
		line := fmt.Sprintf("%d %s%s%d %s", 2+random.IntN(127), class, []string{"", "..", "...", "...."}[variable], size, pick([]string{"fixed", "LLVAR", "LLLVAR", "LLLLVAR"}[variable]))
		for range random.IntN(3) {
			line += "," + pick("left right bytes digits pad sign0 tlv filler=F accept=any accept=09 length=bcd length=binary bcd ascii raw hex gbk")
		}
		if _, err := ParseSpec(table + line + " name"); err == nil {
			table += line + " name\n"
		}
	}
	return table
}

// randomText is content that the field may take.
func randomText(random *rand.Rand, f *field) string {
	n := f.max
	if f.digits > 0 || f.pad {
		n = random.IntN(n + 1)
	}
	chars := map[class]string{
		classA: "aZ ", classAN: "a9Z", classANP: "a 9", classAS: "a! ", classNS: "9! ", classANS: "9a !~", classZ: "0123456789=", classB: hexDigits,
	}[f.class]
	v := ""
	switch f.class {
	case classANS:
		if f.wire == wireGB18030 && f.digits > 0 {
			return strings.Repeat("ä", n/4) // 2 bytes in UTF-8, 4 in that charset
		}
	case classB:
		n *= 2
	case classN:
		chars = "0123456789"
	case classXN:
		chars, v, n = "0123456789", "C", n+1
	}
	for len(v) < n {
		v += string(chars[random.IntN(len(chars))])
	}
	return v
}

// The short ways of decoding say the same as the careful one, whatever the
// dialect and whatever lies in memory behind the message, and what is read can
// be set again.
func TestQuickIsCareful(t *testing.T) {
	rounds := 3000
	if testing.Short() {
		rounds = 1000
	}
	random := rand.New(rand.NewPCG(8583, 1987))
	for range rounds {
		table := randomTable(random)
		s, err := ParseSpec(table)
		if err != nil {
			continue
		}
		m := NewMessage(s, 0x0200)
		for de := 2; de <= lastField; de++ {
			f := s.field(de)
			if f == nil || random.IntN(4) == 0 {
				continue
			}
			v := randomText(random, f)
			requireRoom(t, f, v)
			if m.Set(de, v) == nil && !f.pad {
				got, _ := m.Text(de)
				require.Equal(t, v, got, "%d of\n%s", de, table)
			}
		}
		b, err := s.Append(nil, m)
		require.NoError(t, err)
		requireSame(t, random, s, b, table)
		for range 8 {
			requireSame(t, random, s, damage(random, b), table)
		}
	}
}

// No field outgrows the memory that it is given, for what it would leave behind
// holds other fields.
func requireRoom(t *testing.T, f *field, v string) {
	d := data{buf: []byte("6221558812340000")}
	before := d.buf
	d.room(f, len(v))
	moved := d.buf
	out, err := f.encode(d.buf, v)
	if err != nil {
		return
	}
	require.Same(t, &moved[0], &out[0], "%+v %d", *f, len(v))
	require.Equal(t, make([]byte, len(before)), before)
	if f.class == classB {
		b, _ := unhex(nil, v)
		d.buf = bytes.Repeat([]byte{1}, 16)
		d.room(f, len(b))
		moved = d.buf
		out, err = f.encodeBytes(d.buf, b)
		require.NoError(t, err)
		require.Same(t, &moved[0], &out[0])
	}
}

func requireSame(t *testing.T, random *rand.Rand, s *Spec, b []byte, table string) {
	d := newData(s)
	at, err := s.decodeHead(d, b)
	if err != nil {
		return
	}
	d.fill(b[at:])
	for i := len(d.buf); i < cap(d.buf); i++ {
		d.buf[:cap(d.buf)][i] = byte(random.IntN(256))
	}
	took := s.quick(d, len(b)-at)
	slots, last := d.slots, d.last
	err = s.careful(d, b, at)
	require.Equal(t, err == nil, took, "%v: %X in\n%s", err, b, table)
	if err != nil {
		var fe *FieldError
		require.True(t, errors.As(err, &fe))
		require.LessOrEqual(t, fe.Offset, len(b))
		return
	}
	require.Equal(t, d.last, last)
	again := NewMessage(s, d.mti)
	for de := range d.self.Fields {
		require.Equal(t, d.slotOf(de), slots[de-1])
		v, _ := d.self.Text(de)
		require.NoError(t, again.Set(de, v), "%d of %X in\n%s", de, b, table)
		if f := s.field(de); f.accept == 1<<f.filler {
			require.Equal(t, d.wireOf(de), again.data().wireOf(de), "%d of %X in\n%s", de, b, table)
		}
	}
	out, err := s.Append(nil, &d.self)
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, out), "%X, %X in\n%s", b, out, table)
}

// The offset is that of the first byte that is wrong, whatever else is.
func TestFirstOfSeveral(t *testing.T) {
	for _, c := range []struct {
		s   *Spec
		b   string
		at  int
		err error
	}{
		{ISO1987BCD(), "\x02\x00\x40\x00\x00\x00\x00\x00\x00\x00\x03\xA1\x12", 11, ErrContent},
		{ISO1987BCD(), "\x02\x00\x40\x00\x00\x00\x00\x00\x00\x00\x03\x11\x12", 12, ErrFiller},
		{ISO1987ASCII(), "020xy000000000000000", 3, ErrMTI},
		{ISO1987ASCII(), "020040000000000000001x411111111111111", 21, ErrPrefix},
		{ISO1987ASCII(), "02000000000000000020+04abcd", 20, ErrPrefix},
	} {
		_, err := c.s.Decode([]byte(c.b))
		require.ErrorIs(t, err, c.err, "%q", c.b)
		var fe *FieldError
		require.ErrorAs(t, err, &fe)
		require.Equal(t, c.at, fe.Offset, "%q", c.b)
	}
}
