package screen

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every line of the table has its digits in the same columns, whatever the
// language and the lengths of names and sums.
func TestTableIsAligned(t *testing.T) {
	for _, lang := range []Lang{English, Chinese} {
		for _, wide := range []int64{0, 5_000_000_000_000, -5_000_000_000_000} {
			s := New(new(bytes.Buffer), lang)
			same := Figure{Count: 12345678, Fen: wide}
			var rows []Row
			for c := range categories {
				rows = append(rows, Row{c, same, same, same}, Row{c, Figure{}, Figure{}, Figure{}})
			}
			lines := s.table(rows)
			require.Len(t, lines, headLines+len(rows))
			for _, line := range lines {
				require.Equal(t, columnsOf(lines[0]), columnsOf(line), strings.Join(lines, "\n"))
			}
		}
	}
}

func TestChineseCharactersTakeTwoColumns(t *testing.T) {
	require.Equal(t, 12, columnsOf("刷卡（联机）"))
	require.Equal(t, "  上送", right("上送", 6))
}

func TestLongListOfDifferencesIsCut(t *testing.T) {
	var out bytes.Buffer
	New(&out, English).Compare(nil, make([]Difference, maxDifferences+7))
	require.Equal(t, maxDifferences, strings.Count(out.String(), "  lost "))
	require.Contains(t, out.String(), "  and 7 more\n")
	require.Contains(t, out.String(), "Entries that differ: 107\n")
}

func TestNoDifference(t *testing.T) {
	var out bytes.Buffer
	New(&out, Chinese).Compare(nil, nil)
	require.Contains(t, out.String(), "三方逐笔核对一致。\n")
}
