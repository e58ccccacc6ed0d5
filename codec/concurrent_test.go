package codec

import (
	"bytes"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// One Spec, one MAC and one master key serve any number of goroutines.
func TestConcurrentUse(t *testing.T) {
	s, err := UnionPay().With("52 b64 fixed PIN block !hide")
	require.NoError(t, err)
	mac, err := NewECBMAC([]byte("8 bytes!"))
	require.NoError(t, err)
	master, err := NewMasterKey([]byte("sixteen bytes!!!"))
	require.NoError(t, err)
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			for i := range 200 {
				m := NewMessage(s, 0x0200)
				_ = m.Set(3, "000000")
				_ = m.SetValue(60, Private60{Type: TypeSale, Batch: g*1000 + i})
				_ = m.Set(63, "CUP余额不足")
				raw, err := s.AppendMAC(nil, m, mac)
				if err != nil {
					t.Error(err)
					return
				}
				back, err := s.Decode(raw)
				if err == nil {
					err = VerifyMAC(raw, back, mac)
				}
				if err != nil || back.String() != m.String() {
					t.Error("differs", err)
				}
				k, err := master.Wrap([]byte("12345678"))
				if err == nil {
					_, err = master.LoadMAC(k)
				}
				if err != nil {
					t.Error(err)
				}
				_ = UnionPayCode("51").En
				_ = ISO1993Code("116").Zh
				_, _ = ISO1993ASCII().With("2 n..19 LLVAR,ebcdic account")
			}
		})
	}
	wait.Wait()
}

// allocated is how many bytes run takes from the heap: the least of some turns,
// for the runtime takes memory of its own, and first uses build tables.
func allocated(run func()) uint64 {
	least := uint64(math.MaxUint64)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		run()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// No input makes decoding take more memory than a small multiple of its size.
func TestDecodingIsBounded(t *testing.T) {
	inputs := map[string]string{
		"largest length, nothing there": "0200" + "4000000000000000" + "99",
		"every bit set":                 "0200" + strings.Repeat("FF", 16),
		"long field, cut":               "0200" + "0000000000000200" + "0999" + "00",
		"GBK of 999 bytes":              "0200" + "0000000000000100" + "0999" + strings.Repeat("D6D0", 499) + "41",
		"TLV of the largest length":     "0200" + "0000000000000200" + "0004" + "5A82FFFF",
	}
	for name, h := range inputs {
		b := unhexed(t, h)
		for _, s := range Dialects() {
			taken := allocated(func() {
				m, err := s.Decode(b)
				if err == nil {
					_ = m.String()
					v, _ := m.Bytes(55)
					_, _ = ParseTLV(v)
				}
			})
			require.LessOrEqual(t, taken, 16*uint64(len(b))+8<<10, "%s in %s", name, s.Name())
		}
	}
	for _, f := range []Framing{{}, {Length: LengthBCD}, {Length: LengthASCII}} {
		taken := allocated(func() { _, _ = f.Read(strings.NewReader("\x1F\xFF"), nil) })
		require.LessOrEqual(t, taken, uint64(DefaultMaxFrame+4096))
	}
}

// Many small elements take little more memory than their bytes, and writing
// them or finding one that occurs twice does not look at each pair.
func TestManyElementsAreBounded(t *testing.T) {
	var b []byte
	for hi := 0x81; hi < 0x100; hi++ {
		for lo := range 0x80 {
			b = append(b, 0x9F, byte(hi), byte(lo), 0)
		}
	}
	for first := range 4 { // of other classes
		for hi := 0x81; hi < 0x100; hi++ {
			for lo := range 0x80 {
				b = append(b, 0x1F|byte(first)<<6|0x20, byte(hi), byte(lo), 1, byte(lo))
			}
		}
	}
	var list TLVs
	taken := allocated(func() { list, _ = ParseTLV(b) })
	require.LessOrEqual(t, taken, 16*uint64(len(b)))
	require.Len(t, list, 5*127*128)
	out, err := list.Append(nil)
	require.NoError(t, err)
	require.True(t, bytes.Equal(b, out))
	_, err = ParseTLV(append(out, 0x9F, 0x81, 0, 0))
	var fe *FieldError
	require.ErrorAs(t, err, &fe)
	require.Equal(t, FieldError{DE: 55, Offset: len(b), Part: "9F8100", Err: ErrStructure, Detail: "occurs twice"}, *fe)
	_, err = append(list, list[7], list[9]).Append(nil)
	require.ErrorAs(t, err, &fe)
	require.Equal(t, "9F8107", fe.Part)
}
