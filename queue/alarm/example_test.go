package alarm_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/alarm"
	"github.com/tallystick/tallystick/reconcile"
)

var lane = queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}

// open makes a journal with two sales in it.
func open() (q *queue.Queue, done func()) {
	dir, err := os.MkdirTemp("", "till-")
	if err != nil {
		panic(err)
	}
	if q, err = queue.Open(filepath.Join(dir, "journal"), nil, &queue.Options{Unsealed: true}); err != nil {
		panic(err)
	}
	for _, ref := range []string{"order-1", "order-2"} {
		_, err := q.Append(context.Background(), queue.Transaction{Ref: ref, Lane: lane, Op: queue.Sale, Tender: queue.Cash,
			Amount: queue.Money{Minor: 990, Currency: queue.CNY}})
		if err != nil {
			panic(err)
		}
	}
	return q, func() { _ = errors.Join(q.Close(), os.RemoveAll(dir)) }
}

// unplugged is a link without a network.
type unplugged struct{ reconcile.Host }

func (unplugged) Prepare(context.Context) (queue.Line, error) { return queue.Line{}, noNetwork{} }

// noNetwork tells its reason, as the errors of the links do.
type noNetwork struct{}

func (noNetwork) Error() string                     { return "no network" }
func (noNetwork) LineReason() (reason, code string) { return "no_network", "" }

// A till warns at two payments that wait. In an app Run and Forward go on as
// long as it does, and warnings come as Events of q.Watch.
func Example() {
	q, done := open()
	defer done()
	m, err := alarm.New(q, &alarm.Options{Thresholds: alarm.Thresholds{Backlog: 2}})
	if err != nil {
		fmt.Println(err)
		return
	}
	link := m.Host(lane, unplugged{})                             // in an app: an *isolink.Link
	if _, err := link.Prepare(context.Background()); err != nil { // in an app: go q.Forward(ctx, lane, link)
		fmt.Println(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- m.Run(ctx) }()
	screen := time.NewTicker(10 * time.Millisecond)
	defer screen.Stop()
	for len(m.Active()) == 0 {
		<-screen.C
	}
	for _, w := range m.Active() {
		fmt.Println(w.Cashier(alarm.English))
		fmt.Println(w.Cashier(alarm.Chinese))
	}
	stop()
	fmt.Println(<-ended)
	// Output:
	// no network
	// 2 transactions have not reached the host yet: the device has no network; check Wi-Fi, SIM card or cable, and go on with what can be paid offline.
	// 还有 2 笔交易没有送达主机：设备没有网络；请检查 Wi-Fi、SIM 卡或网线，其间可继续受理离线付款。
	// context canceled
}

// Thresholds differ by lane: the depot fetches its cash once a day.
func ExampleNew() {
	q, done := open()
	defer done()
	m, err := alarm.New(q, &alarm.Options{
		Thresholds: alarm.Thresholds{Amount: map[queue.Currency]int64{queue.CNY: 500_000}},
		Lanes:      map[queue.Lane]alarm.Thresholds{{Host: "depot", Merchant: "M", Terminal: "C1"}: {Age: 26 * time.Hour}},
	})
	fmt.Println(len(m.Active()), err)
	// Output: 0 <nil>
}

// A host link is used wrapped, wherever the link itself was used.
func ExampleMonitor_Host() {
	q, done := open()
	defer done()
	m, err := alarm.New(q, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	var host reconcile.Host = m.Host(lane, unplugged{})
	_, err = q.Do(context.Background(), host, queue.Transaction{Ref: "order-3", Lane: lane, Op: queue.Sale, Tender: queue.CardTender,
		Amount: queue.Money{Minor: 990, Currency: queue.CNY}, Card: queue.Card{PAN: queue.NewSecret("6221558812340000")}})
	fmt.Println(errors.Is(err, queue.ErrNotSent))
	// Output: true
}

// So is an uplink that cannot settle.
func ExampleMonitor_Uplink() {
	q, done := open()
	defer done()
	m, err := alarm.New(q, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = q.Drain(context.Background(), lane, m.Uplink(lane, depot{}))
	b, _ := q.Backlogs(context.Background())
	fmt.Println(b[0].Waiting, err)
	// Output: 0 <nil>
}

// depot takes whatever is sent.
type depot struct{}

func (depot) Send(context.Context, queue.Entry) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Approved}, nil
}

// Support reads another sentence than the cashier.
func ExampleWarning_Support() {
	w := &alarm.Warning{Lane: lane, Kind: alarm.SignIn, State: alarm.Raised, Have: 1, Threshold: 1, Cause: alarm.TerminalUnknown, Code: "03"}
	fmt.Println(w.Support(alarm.English))
	fmt.Println(w.Support(alarm.Chinese))
	// Output:
	// Terminal 10000001 of merchant 898100000000001 at acquirer: 1 attempt in a row to get a line failed (warns at 1): the host does not know terminal or merchant (code 03); have the acquirer register them.
	// acquirer 商户 898100000000001 终端 10000001：建链或签到连续失败 1 次（警戒值 1）：主机不认识该终端或商户（应答码 03）；请收单机构登记该终端。
}
