package statement

import (
	"fmt"
	"iter"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/tallystick/tallystick/queue"
)

var lane = queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}

func yuan(minor int64) queue.Money { return queue.Money{Minor: minor, Currency: queue.CNY} }

// entry is an accepted sale with a STAN of its own.
func entry(id queue.ID, minor int64, change ...func(*queue.Entry)) queue.Entry {
	e := queue.Entry{ID: id, Kind: queue.Request, State: queue.Accepted, STAN: queue.STAN(id), HostBatch: 7,
		Answer: queue.Answer{RRN: fmt.Sprintf("%012d", id)}, Transaction: queue.Transaction{Ref: fmt.Sprint("order-", id),
			Lane: lane, Op: queue.Sale, Tender: queue.CardTender, Amount: yuan(minor)}}
	for _, c := range change {
		c(&e)
	}
	return e
}

// line is the statement's line of entry(id, minor).
func line(number int, id queue.ID, minor int64, change ...func(*Line)) Line {
	l := Line{Number: number, Op: queue.Sale, Amount: yuan(minor), Terminal: lane.Terminal, HostBatch: 7,
		STAN: queue.STAN(id), RRN: fmt.Sprintf("%012d", id), Ref: fmt.Sprint("order-", id)}
	for _, c := range change {
		c(&l)
	}
	return l
}

func each[T any](all ...T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range all {
			if !yield(v, nil) {
				return
			}
		}
	}
}

func collect[T any](t testing.TB, seq iter.Seq2[T, error]) (all []T) {
	t.Helper()
	for v, err := range seq {
		require.NoError(t, err)
		all = append(all, v)
	}
	return all
}

func mapping(t testing.TB, text string) *Mapping {
	t.Helper()
	m, err := ParseMapping(text)
	require.NoError(t, err)
	return m
}

func acquirerMapping(t testing.TB) *Mapping {
	text, err := os.ReadFile("testdata/acquirer.mapping")
	require.NoError(t, err)
	return mapping(t, string(text))
}

// acquirerFile is a statement as that mapping describes it, in GB18030.
const acquirerFile = `商户对账单
商户：小店,日期：2026-11-22
商户号,终端号,批次号,流水号,检索参考号,交易类型,卡号,"交易金额(元)",手续费,交易日期,交易时间
898100000000001,10000001,000007,000001,000000000001,消费,6221558812340000,"1,234.50",1.23,20261122,09:30:00
898100000000001,10000001,000007,000002,000000000002,消费撤销,622155******0000,3.00,0,20261122,09:31:00
898100000000001,10000001,000007,000003,000000000003,余额查询,622155******0000,0.00,,20261122,09:32:00
898100000000001,10000001,000007,000004,000000000004,退货,622155******0000,￥5,-0.01,20261122,09:33:00
898100000000001,10000001,000007,000005,000000000005,冲正,622155******0000,5.00,,20261122,09:34:00
合计,4笔,1226.50
`

func gb18030(t testing.TB, s string) *strings.Reader {
	t.Helper()
	out, err := simplifiedchinese.GB18030.NewEncoder().String(s)
	require.NoError(t, err)
	return strings.NewReader(out)
}
