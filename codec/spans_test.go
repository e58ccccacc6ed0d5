package codec

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSpans(t *testing.T) {
	for _, g := range loadGolden(t, "testdata/iso8583.txt") {
		s, err := dialectNamed(t, g.dialect).With(g.lines)
		require.NoError(t, err)
		spans, err := s.Spans(g.raw)
		require.NoError(t, err)
		require.Len(t, spans, len(g.field)+2)
		at := 0
		for i, p := range spans {
			require.Equal(t, at, p.Start)
			require.Greater(t, p.End, p.Start)
			at = p.End
			if i > 1 {
				require.Contains(t, g.field, p.DE)
			}
		}
		require.Equal(t, len(g.raw), at)
	}
	b := unhexed(t, "0200"+"7000000000000000"+"104111111111111111"[:12]+"00000A"+"00")
	spans, err := UnionPay().Spans(b)
	require.ErrorIs(t, err, ErrContent)
	require.Equal(t, []Span{{0, 0, 2, false}, {1, 2, 10, false}, {2, 10, 16, true}}, spans)
	for _, h := range []string{"", "02", "0A000000000000000000"} {
		spans, err = UnionPay().Spans(unhexed(t, h))
		require.Error(t, err)
		require.Empty(t, spans)
	}
	spans, err = UnionPay().Spans(unhexed(t, "080000"))
	require.ErrorIs(t, err, ErrTruncated)
	require.Equal(t, []Span{{0, 0, 2, false}}, spans)
}
