package record_test

import (
	"bytes"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/internal/record"
)

func TestRoundTrip(t *testing.T) {
	east := time.Date(2026, 3, 1, 12, 30, 15, 250e6, time.FixedZone("", 8*3600))
	var w record.Writer
	w.Uint(0)
	w.Uint(math.MaxUint64)
	w.Int(math.MinInt64)
	w.Int(-1)
	w.Byte(0xFF)
	w.Bool(true)
	w.Bool(false)
	w.Bytes([]byte{1, 2, 3})
	w.Bytes(nil)
	w.String("text")
	w.Time(time.Time{})
	w.Time(east)
	w.Time(east.UTC())

	r := record.NewReader(w.B)
	require.Equal(t, uint64(0), r.Uint())
	require.Equal(t, uint64(math.MaxUint64), r.Uint())
	require.Equal(t, int64(math.MinInt64), r.Int())
	require.Equal(t, int64(-1), r.Int())
	require.Equal(t, byte(0xFF), r.Byte())
	require.True(t, r.Bool())
	require.False(t, r.Bool())
	require.Equal(t, []byte{1, 2, 3}, r.Bytes())
	require.Empty(t, r.Bytes())
	require.Equal(t, "text", r.String())
	require.True(t, r.Time().IsZero())
	got := r.Time()
	require.True(t, east.Equal(got))
	_, off := got.Zone()
	require.Equal(t, 8*3600, off)
	require.Equal(t, east.UTC(), r.Time())
	require.NoError(t, r.Done())
}

func TestReaderRefuses(t *testing.T) {
	uint := func(r *record.Reader) { r.Uint() }
	int := func(r *record.Reader) { r.Int() }
	bool := func(r *record.Reader) { r.Bool() }
	str := func(r *record.Reader) { _ = r.String() }
	tm := func(r *record.Reader) { r.Time() }
	for _, c := range []struct {
		name string
		in   []byte
		read func(*record.Reader)
	}{
		{"nothing for a number", nil, uint},
		{"number cut short", []byte{0x80}, uint},
		{"number of more than 64 bits", bytes.Repeat([]byte{0xFF}, 11), uint},
		{"padded number", []byte{0x81, 0x00}, uint},
		{"padded signed number", []byte{0x80, 0x00}, int},
		{"truth of 2", []byte{2}, bool},
		{"length beyond the end", []byte{3, 'a', 'b'}, str},
		{"length of 2^63", []byte{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}, str},
		{"zone beyond a day", []byte{1, 2, 0xC4, 0x16}, tm},
		{"zero time in another form", append([]byte{1}, zeroMilli()...), tm},
		{"bytes left over", []byte{1, 2}, uint},
	} {
		r := record.NewReader(c.in)
		c.read(r)
		require.ErrorIs(t, r.Done(), record.ErrMalformed, c.name)
	}
}

func zeroMilli() []byte {
	var w record.Writer
	w.Int(time.Time{}.UnixMilli())
	w.Int(0)
	return w.B
}

func TestFirstFailureSticks(t *testing.T) {
	r := record.NewReader([]byte{9, 'a', 7, 7, 7})
	require.Empty(t, r.Bytes())
	require.Zero(t, r.Uint())
	require.Zero(t, r.Byte())
	require.ErrorIs(t, r.Err(), record.ErrMalformed)
	require.ErrorIs(t, r.Done(), record.ErrMalformed)
}

// read takes fields as script says and returns what a Writer makes of them.
func read(r *record.Reader, script []byte) []byte {
	var w record.Writer
	for _, c := range script {
		switch c % 7 {
		case 0:
			w.Uint(r.Uint())
		case 1:
			w.Int(r.Int())
		case 2:
			w.Byte(r.Byte())
		case 3:
			w.Bool(r.Bool())
		case 4:
			w.Bytes(r.Bytes())
		case 5:
			w.String(r.String())
		case 6:
			w.Time(r.Time())
		}
		if r.Err() != nil {
			return nil
		}
	}
	return w.B
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{0, 4, 6}, []byte{1, 2, 'a', 'b', 1, 4, 0})
	f.Add([]byte{4, 5}, []byte{0xFF, 0xFF, 0xFF, 0xFF, 0x0F})
	f.Add([]byte{6}, append([]byte{1}, zeroMilli()...))
	f.Add([]byte{1, 3}, []byte{0x80, 0x00, 1})
	f.Fuzz(func(t *testing.T, script, in []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r := record.NewReader(in)
		out := read(r, script)
		runtime.ReadMemStats(&after)
		// A field takes at most its input's bytes, twice for a text and its
		// copy, and a zone's name; what a Writer keeps grows by doubling.
		limit := uint64(8*len(in) + 512*len(script) + 64<<10)
		require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, limit)
		if r.Done() == nil {
			require.Equal(t, in, append([]byte{}, out...), "what is accepted is written back as it was")
		}
	})
}
