package codec

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// setSale sets the fields one by one, as a program does.
func setSale(m *Message, s *sale) error {
	if err := m.Set(2, s.pan); err != nil {
		return err
	}
	if err := m.Set(3, s.proc); err != nil {
		return err
	}
	if err := m.Set(4, s.amount); err != nil {
		return err
	}
	if err := m.Set(7, s.sent); err != nil {
		return err
	}
	if err := m.Set(11, s.stan); err != nil {
		return err
	}
	if err := m.Set(12, s.time); err != nil {
		return err
	}
	if err := m.Set(13, s.date); err != nil {
		return err
	}
	if err := m.Set(14, s.expiry); err != nil {
		return err
	}
	if err := m.Set(22, s.mode); err != nil {
		return err
	}
	if err := m.Set(25, s.cond); err != nil {
		return err
	}
	if err := m.Set(37, s.rrn); err != nil {
		return err
	}
	if err := m.Set(41, s.term); err != nil {
		return err
	}
	if err := m.Set(42, s.merch); err != nil {
		return err
	}
	if err := m.Set(49, s.cur); err != nil {
		return err
	}
	if err := m.SetBytes(55, s.icc); err != nil {
		return err
	}
	return m.SetBytes(64, s.mac)
}

// readSale reads the fields one by one, as a program does.
func readSale(dst []byte, m *Message) []byte {
	dst, _ = m.AppendBytes(dst, 2)
	dst, _ = m.AppendBytes(dst, 3)
	dst, _ = m.AppendBytes(dst, 4)
	dst, _ = m.AppendBytes(dst, 7)
	dst, _ = m.AppendBytes(dst, 11)
	dst, _ = m.AppendBytes(dst, 12)
	dst, _ = m.AppendBytes(dst, 13)
	dst, _ = m.AppendBytes(dst, 14)
	dst, _ = m.AppendBytes(dst, 22)
	dst, _ = m.AppendBytes(dst, 25)
	dst, _ = m.AppendBytes(dst, 37)
	dst, _ = m.AppendBytes(dst, 41)
	dst, _ = m.AppendBytes(dst, 42)
	dst, _ = m.AppendBytes(dst, 49)
	dst, _ = m.AppendBytes(dst, 55)
	dst, _ = m.AppendBytes(dst, 64)
	return dst
}

type codecPair struct {
	name   string
	spec   *Spec
	encode func(*flatSale, []byte) []byte
	decode func(*flatSale, []byte)
}

func codecPairs() []codecPair {
	return []codecPair{
		{"ASCII", ISO1987ASCII(), (*flatSale).encodeASCII, (*flatSale).decodeASCII},
		{"BCD", ISO1987BCD(), (*flatSale).encodeBCD, (*flatSale).decodeBCD},
	}
}

// Two independent paths, the dialect's table and straight lines of code, agree.
func TestStraightLineAgrees(t *testing.T) {
	for _, p := range codecPairs() {
		m := NewMessage(p.spec, 0x0200)
		require.NoError(t, setSale(m, &benchSale))
		var flat, read flatSale
		flat.set(&benchSale)
		want := p.encode(&flat, nil)
		got, err := p.spec.Append(nil, m)
		require.NoError(t, err)
		require.Equal(t, want, got)
		back, err := p.spec.Decode(want)
		require.NoError(t, err)
		p.decode(&read, want)
		require.Equal(t, string(flat.read(nil)), string(readSale(nil, back)))
		require.Equal(t, string(flat.read(nil)), string(read.read(nil)))
	}
}

func TestAllocations(t *testing.T) {
	for _, p := range codecPairs() {
		var flat flatSale
		flat.set(&benchSale)
		wire := p.encode(&flat, nil)
		m := NewMessage(p.spec, 0x0200)
		out, text := make([]byte, 0, 512), make([]byte, 0, 512)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			m.Reset(0x0200)
			_ = setSale(m, &benchSale)
			out, _ = p.spec.Append(out[:0], m)
		}), "encode, reused")
		require.Zero(t, testing.AllocsPerRun(100, func() {
			_ = p.spec.DecodeInto(m, wire)
			text = readSale(text[:0], m)
		}), "decode, reused")
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
			m := NewMessage(p.spec, 0x0200)
			_ = setSale(m, &benchSale)
			_, _ = p.spec.Append(nil, m)
		}), 2.0, "encode, fresh")
		require.LessOrEqual(t, testing.AllocsPerRun(100, func() {
			m, _ := p.spec.Decode(wire)
			text = readSale(text[:0], m)
		}), 2.0, "decode, fresh")
	}
}

var sink []byte

// BenchmarkSale sets and encodes, and decodes and reads all fields of, a sale
// of 16 fields. The metric x-straight is how many times longer that takes than
// straight lines of code do, measured in turns with them, the best of all turns
// each, so that what else the machine does counts little:
//
//	go test -run '^$' -bench Sale ./codec
func BenchmarkSale(b *testing.B) {
	for _, p := range codecPairs() {
		straight := map[string]func(){}
		for _, c := range saleCases(p) {
			direction, who, _ := strings.Cut(c.name, "/")
			if who == "straight" {
				straight[direction] = c.run
			}
			b.Run(fmt.Sprintf("%s/%s", p.name, c.name), func(b *testing.B) {
				limit, ours := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
				for b.Loop() {
					limit = min(limit, turn(straight[direction]))
					ours = min(ours, turn(c.run))
				}
				b.ReportMetric(float64(ours)/turnLength, "best-ns")
				b.ReportMetric(float64(ours)/float64(limit), "x-straight")
				b.ReportMetric(testing.AllocsPerRun(100, c.run), "allocs/message")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

const turnLength = 64

func turn(run func()) time.Duration {
	start := time.Now()
	for range turnLength {
		run()
	}
	return time.Since(start)
}

type saleCase struct {
	name string
	run  func()
}

func saleCases(p codecPair) []saleCase {
	flat := new(flatSale)
	flat.set(&benchSale)
	wire := p.encode(flat, nil)
	m := NewMessage(p.spec, 0x0200)
	out := make([]byte, 0, 1024)
	return []saleCase{
		{"encode/straight", func() {
			flat.set(&benchSale)
			sink = p.encode(flat, out[:0])
		}},
		{"encode/codec", func() {
			m.Reset(0x0200)
			_ = setSale(m, &benchSale)
			sink, _ = p.spec.Append(out[:0], m)
		}},
		{"encode/codec-fresh", func() {
			m := NewMessage(p.spec, 0x0200)
			_ = setSale(m, &benchSale)
			sink, _ = p.spec.Append(nil, m)
		}},
		{"decode/straight", func() {
			p.decode(flat, wire)
			sink = flat.read(out[:0])
		}},
		{"decode/codec", func() {
			_ = p.spec.DecodeInto(m, wire)
			sink = readSale(out[:0], m)
		}},
		{"decode/codec-fresh", func() {
			m, _ := p.spec.Decode(wire)
			sink = readSale(out[:0], m)
		}},
	}
}
