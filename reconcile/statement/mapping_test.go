package statement

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

func TestParseMapping(t *testing.T) {
	m := mapping(t, "\ufeff# a comment\r\n\r\n  currency  392\nheader no\nzone -03:30\nseparator bar\nend \"in all\"\n"+
		"amount #2 fen\nterminal #3\nbatch #4\nstan #5\nkind #6 \"a b=sale\" =x=refund\n")
	require.Equal(t, queue.JPY, m.currency)
	require.Equal(t, 0, m.decimals)
	require.Equal(t, '|', m.separator)
	require.Equal(t, "in all", m.end)
	require.Equal(t, map[string]meaning{"a b": sale, "=x": refund}, m.kinds)
	require.True(t, m.minor[amountField])
	require.Equal(t, 2, m.columns[amountField].number)
	require.Equal(t, "-0330", m.zoneName())
}

// No decimals are guessed of a currency that may have none, or three.
func TestDecimalsOfACurrency(t *testing.T) {
	for text, want := range map[string]int{
		"amount a yuan\nrrn r":                           2,
		"currency 410\namount a yuan\nrrn r":             0,
		"currency 840\namount a yuan\nrrn r":             2,
		"currency 704\namount a fen\nrrn r":              2,
		"currency 704\ndecimals 0\namount a yuan\nrrn r": 0,
		"decimals 3\ncurrency 414\namount a yuan\nrrn r": 3,
		"decimals 4\namount a yuan\nrrn r\ncurrency 156": 4,
	} {
		require.Equal(t, want, mapping(t, text).decimals, text)
	}
	_, err := ParseMapping("currency 704\namount a yuan\nrrn r")
	require.ErrorContains(t, err, "declare decimals")
}

func (m *Mapping) zoneName() string { return time.Unix(0, 0).In(m.zone).Format("-0700") }

func TestParseMappingRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "line 1: no column is declared for the amount",
		"amount a yuan":                         "line 1: nothing names the transaction",
		"amount a":                              "line 1, column 8: say behind the column",
		"amount a yen\nrrn b":                   `line 1, column 10: "yen" is none of fen, yuan`,
		"amount a yuan x\nrrn b":                "line 1, column 15: nothing more",
		"amount a yuan\nrrn":                    `line 2, column 1: a value is missing behind "rrn"`,
		"amount a yuan\nrrn b\nrrn c":           "line 3, column 1: rrn is declared in line 2 already",
		"amount a yuan\nrrn \"b":                "line 2, column 5: the quotation mark",
		"amount a yuan\nterminal t\nstan s":     "line 3: nothing names the transaction",
		"colour red":                            `line 1, column 1: "colour"`,
		"skip -1":                               "line 1, column 6: a number from 0 to 1000",
		"skip 1 2":                              "line 1, column 8: one value",
		"currency CNY":                          "line 1, column 10: a number from 1 to 999",
		"encoding latin1":                       `"latin1" is none of gb18030, gbk, utf-8, utf8`,
		"zone UTC":                              "a zone is written like +08:00",
		"amount #0 yuan":                        "line 1, column 9: a number from 1",
		"header no\namount #1 yuan\nrrn b":      "line 3 (rrn): without a header",
		"amount a yuan\nnet b yuan\nfee c yuan": "line 3: nothing names",
		"amount a yuan\nrrn r\nnet b yuan\nfee c yuan": "line 4: net and fee",
		"kind k":               "line 1, column 6: say behind the column what its words mean",
		"kind k 消费":            "line 1, column 8: a word and its meaning",
		"kind k 消费=sold":       `"sold" is none of refund, reversal, sale, skip, void`,
		"kind k a=sale a=void": "has a meaning already",
		"time t":               "how it is written",
		"currency 704\namount a fen\nfee b yuan\nrrn r": "line 4: decimals of currency 704",
		"amount a yuan\nrrn b\ntime t HH:MM":            "line 3 (time): the layout",
		strings.Repeat("#", maxMapping+1):               "more than 65536 bytes",
	} {
		_, err := ParseMapping(text)
		var at *Error
		require.ErrorAs(t, err, &at, text)
		require.ErrorContains(t, err, want)
	}
}
