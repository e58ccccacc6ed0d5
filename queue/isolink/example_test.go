package isolink_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

// A till takes a card payment at an ISO 8583 host: here the example acquirer, on
// a port of this machine.
func Example() {
	address, q, stop := exampleTill()
	defer stop()

	ctx := context.Background()
	lane := queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}
	keys, err := codec.NewMasterKey(host.DefaultTMK()) // a PED in the field
	if err != nil {
		fmt.Println(err)
		return
	}
	link, err := isolink.New(lane, isolink.TCP(address), q, keys, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer link.Close()
	sale, err := q.Do(ctx, link, queue.Transaction{Ref: "parcel-1", Lane: lane, Op: queue.Sale, Tender: queue.CardTender,
		Amount: queue.Money{Minor: 1250, Currency: queue.CNY}, EntryMode: "012",
		Card: queue.Card{PAN: queue.NewSecret("6216261000000000018")}})
	fmt.Println(sale.State, sale.Amount, sale.Answer.Code, err)
	// Output: accepted 12.50 CNY 00 <nil>
}

// exampleTill starts an acquirer and opens a journal.
func exampleTill() (address string, q *queue.Queue, stop func()) {
	acquirer, err := host.Listen(host.Config{})
	if err != nil {
		panic(err)
	}
	served := make(chan error, 1)
	go func() { served <- acquirer.Serve(context.Background()) }()
	dir, err := os.MkdirTemp("", "till-")
	if err != nil {
		panic(err)
	}
	if q, err = queue.Open(filepath.Join(dir, "journal"), nil, &queue.Options{Unsealed: true}); err != nil {
		panic(err)
	}
	return acquirer.Addr().String(), q, func() {
		_ = errors.Join(q.Close(), acquirer.Close(), <-served, os.RemoveAll(dir))
	}
}

// A screen shows what happens on the line.
func ExampleNew() {
	tmk, err := codec.NewMasterKey(host.DefaultTMK())
	if err != nil {
		fmt.Println(err)
		return
	}
	lane := queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}
	link, err := isolink.New(lane, isolink.TCP("127.0.0.1:1"), noNumbers{}, tmk, &isolink.Options{
		OnEvent: func(ev isolink.Event) { fmt.Println("event:", ev.Kind) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = link.Prepare(context.Background())
	var line *isolink.LineError
	fmt.Println(errors.As(err, &line), line.During, line.Reason)
	fmt.Println(link.Close())
	// Output:
	// event: connecting
	// event: no line
	// true dial nothing listens at the host's address
	// event: ended
	// <nil>
}

type noNumbers struct{}

func (noNumbers) NextSTAN(context.Context, queue.Lane) (queue.STAN, error) { return 1, nil }
