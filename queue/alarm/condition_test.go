package alarm

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each row is one look, in minutes from the start.
func TestCondition(t *testing.T) {
	type look struct {
		minute int
		have   int64
		want   change
	}
	for name, row := range map[string]struct {
		threshold int64
		looks     []look
	}{
		"raised at the threshold, told again at double, cleared when calm": {10, []look{
			{0, 9, nothing}, {1, 10, raise}, {2, 19, nothing}, {3, 20, worsen}, {4, 39, nothing}, {5, 40, worsen},
			{6, 12, nothing}, {7, 9, nothing}, {8, 8, nothing}, {9, 7, nothing}, {13, 7, nothing}, {14, 7, clear}, {15, 9, nothing}}},
		"between four fifths and the threshold nothing changes": {10, []look{
			{0, 10, raise}, {1, 8, nothing}, {60, 8, nothing}, {61, 10, nothing}, {62, 7, nothing}, {67, 7, clear}}},
		"calm begins anew with each rise": {10, []look{
			{0, 10, raise}, {1, 0, nothing}, {4, 8, nothing}, {5, 0, nothing}, {9, 0, nothing}, {10, 0, clear}}},
		"one is cleared at none": {1, []look{{0, 1, raise}, {1, 2, worsen}, {2, 1, nothing}, {9, 1, nothing}, {10, 0, nothing}, {15, 0, clear}}},
		"not watched":            {-1, []look{{0, 1 << 60, nothing}}},
		"the largest figure":     {10, []look{{0, 1<<63 - 1, raise}, {1, 1<<63 - 1, nothing}}},
		"watched no more":        {0, []look{{0, 5, nothing}}},
	} {
		t.Run(name, func(t *testing.T) {
			var c condition
			start := time.Unix(0, 0)
			for _, l := range row.looks {
				at := start.Add(time.Duration(l.minute) * time.Minute)
				require.Equal(t, l.want, c.look(at, l.have, row.threshold, 5*time.Minute), "minute %d", l.minute)
			}
		})
	}
}

// A figure that goes up and down at every look is told once per calm time.
func TestConditionDoesNotFlap(t *testing.T) {
	var c condition
	told := 0
	for second := range 3600 {
		have := int64(0)
		if second%10 < 5 {
			have = 10
		}
		if c.look(time.Unix(int64(second), 0), have, 10, 30*time.Second) != nothing {
			told++
		}
	}
	require.Equal(t, 1, told)
}
