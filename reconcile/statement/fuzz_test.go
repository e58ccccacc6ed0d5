package statement

import (
	"errors"
	"io"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/reconcile/internal/mask"
)

// FuzzRead reads any file with any mapping: it ends, its lines keep what is
// promised of them, and an error says where.
func FuzzRead(f *testing.F) {
	const plain = "amount sum yuan\nfee fee yuan\nrrn rrn\nref ref\ncard card\nkind kind s=sale r=refund x=reversal -=skip\ntime at 15:04\n"
	f.Add(plain, []byte("rrn,ref,card,kind,at,sum,fee\n1,a,6221558812340000,s,10:00,\"1,234.50\",0.1\n2,b,,r,,-3,\n"))
	f.Add("encoding gbk\nskip 1\nend 合计\namount #2 fen\nnet #3 yuan\nrrn #1", []byte("\n\xba\xcf\xbc\xc6,1,2\n"))
	f.Add("header no\nseparator tab\namount #1 yuan\nterminal #2\nbatch #3\nstan #4\n", []byte("1\t10000001\t000001\t000001\n"))
	text, file := "", &strings.Builder{}
	_, _ = io.Copy(file, gb18030(f, acquirerFile))
	for _, l := range []string{"encoding gb18030", "skip 2", "amount \"交易金额(元)\" yuan", "rrn 检索参考号", "card 卡号", "date 交易日期 20060102"} {
		text += l + "\n"
	}
	f.Add(text, []byte(file.String()))
	masked := regexp.MustCompile(`^(\*\*\*|[0-9xX* -]*)$`)
	f.Fuzz(func(t *testing.T, text string, file []byte) {
		m, err := ParseMapping(text)
		var at *Error
		if err != nil {
			require.ErrorAs(t, err, &at)
			require.Positive(t, at.Line)
			return
		}
		last := 0
		for l, err := range Read(strings.NewReader(string(file)), m) {
			if err != nil {
				require.True(t, errors.As(err, &at) || errors.Is(err, errLong), err)
				require.Equal(t, Line{}, l)
				continue
			}
			require.Greater(t, l.Number, last)
			last = l.Number
			require.NotEqual(t, int64(math.MinInt64), l.Amount.Minor)
			require.Equal(t, m.currency, l.Amount.Currency)
			require.Regexp(t, masked, l.Card)
			for _, s := range []string{l.Terminal, l.Merchant, l.RRN, l.Ref, l.Card} {
				require.LessOrEqual(t, len(s), maxText)
				require.Equal(t, mask.Text(s), s)
			}
			var it item
			it.line, it.amount = l, l.Amount
			it.keys = (&namer{}).keys(l.Terminal, l.HostBatch, l.STAN, l.sumOfRRN(), l.sumOfRef(), l.RRN != "", l.Ref != "")
			back, err := decodeItem(it.encode(nil, byNumbers), byNumbers, false)
			require.NoError(t, err)
			require.Equal(t, it.keys, back.keys)
			require.True(t, back.line.Time.UnixMilli() == l.Time.UnixMilli())
			l.Time, l.refSum, l.rrnSum = back.line.Time, back.line.refSum, back.line.rrnSum
			require.Equal(t, l, back.line)
		}
	})
}
