package statement_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/statement"
)

// approving is a host that approves everything.
type approving struct{}

func (approving) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Approved, Code: "00", RRN: fmt.Sprintf("%012d", 900+e.STAN)}, nil
}

func ExampleDiff() {
	dir, err := os.MkdirTemp("", "tallystick")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	q, err := queue.Open(filepath.Join(dir, "till.journal"), nil, &queue.Options{Unsealed: true})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	ctx := context.Background()
	lane := queue.Lane{Host: "acquirer", Merchant: "104110048161234", Terminal: "10000001"}
	for i, fen := range []int64{1250, 990, 4000} {
		if _, err := q.Do(ctx, approving{}, queue.Transaction{Ref: fmt.Sprint("order-", i+1), Lane: lane, Op: queue.Sale,
			Tender: queue.CardTender, Amount: queue.Money{Minor: fen, Currency: queue.CNY}}); err != nil {
			log.Fatal(err)
		}
	}
	m, err := statement.ParseMapping("rrn 检索参考号\namount 金额 yuan\nnet 清算金额 yuan\n")
	if err != nil {
		log.Fatal(err)
	}
	file := "检索参考号,金额,清算金额\n000000000901,12.50,12.43\n000000000902,9.00,9.00\n000000000955,1.00,1.00\n"
	kinds := map[statement.Kind]string{}
	for d, err := range statement.Diff(q.All(ctx, queue.Filter{Lane: lane}), statement.Read(strings.NewReader(file), m), nil) {
		if err != nil {
			log.Fatal(err)
		}
		kinds[d.Kind] = fmt.Sprintf("entry %d, line %d, %d fen there", d.ID, d.Line.Number, d.Line.Amount.Minor)
	}
	for k := statement.Matched; k <= statement.MissingHere; k++ {
		if kinds[k] != "" {
			fmt.Printf("%s: %s\n", k, kinds[k])
		}
	}
	// Output:
	// fee taken: entry 1, line 2, 1250 fen there
	// amount differs: entry 2, line 3, 900 fen there
	// missing there: entry 3, line 0, 0 fen there
	// missing here: entry 0, line 4, 100 fen there
}

func ExampleRead() {
	m, err := statement.ParseMapping("rrn rrn\namount amount yuan\ncard card\n")
	if err != nil {
		log.Fatal(err)
	}
	for l, err := range statement.Read(strings.NewReader("rrn,card,amount\n1,6221558812340000,￥5.50\n2,,5.505\n"), m) {
		fmt.Println(l.Number, l.Card, l.Amount.Minor, err)
	}
	// Output:
	// 2 622155******0000 550 <nil>
	// 0  0 line 3, column 3 (amount): the amount has more decimals than its currency
}

func ExampleParseMapping() {
	_, err := statement.ParseMapping("rrn 检索参考号\namount 金额 yen\n")
	fmt.Println(err)
	// Output: line 2, column 11: "yen" is none of fen, yuan
}
