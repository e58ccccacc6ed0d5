package routes_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/routes"
)

// office is an uplink of one route to a host that approves.
type office struct{ reachable bool }

func (o office) Send(context.Context, queue.Entry) (queue.Answer, error) {
	if !o.reachable {
		return queue.Answer{}, fmt.Errorf("no route to host: %w", queue.ErrNotSent)
	}
	return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
}

// Two ways to one host make one uplink: what provably never left over the first
// goes over the second.
func ExampleNew() {
	ctx := context.Background()
	dir, _ := os.MkdirTemp("", "routes")
	defer os.RemoveAll(dir)
	q, err := queue.Open(filepath.Join(dir, "till.journal"), nil, &queue.Options{Unsealed: true})
	if err != nil {
		panic(err)
	}
	defer q.Close()
	up, err := routes.New(&routes.Options{OnEvent: func(ev routes.Event) { fmt.Println(ev.Route, ev.Kind) }},
		routes.Route{Name: "fibre", Uplink: office{}},
		routes.Route{Name: "mobile", Uplink: office{reachable: true}})
	if err != nil {
		panic(err)
	}
	defer up.Close()
	e, err := q.Do(ctx, up, queue.Transaction{Ref: "order-1", Lane: queue.Lane{Host: "office", Merchant: "1", Terminal: "1"},
		Op: queue.Sale, Tender: queue.Cash, Amount: queue.Money{Minor: 990, Currency: queue.CNY}})
	fmt.Println(e.State, err)
	for _, h := range up.Health() {
		fmt.Println(h.Name, "in use:", h.InUse, "failures:", h.Failures)
	}
	// Output:
	// fibre failed
	// accepted <nil>
	// fibre in use: true failures: 1
	// mobile in use: false failures: 0
}

// Routes that settle make a Host of package reconcile.
func ExampleUplink_Host() {
	up, err := routes.New(nil, routes.Route{Name: "fibre", Uplink: office{}})
	if err != nil {
		panic(err)
	}
	defer up.Close()
	_, err = up.Host()
	fmt.Println(err)
	// Output: route fibre: its uplink does not settle
}

// Under a link with one session, as a UnionPay terminal has it, the routes are
// ways to dial: give Dial to isolink.New.
func ExampleNewDialer() {
	host, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer host.Close()
	dial := func(address string) func(context.Context) (net.Conn, error) {
		return func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", address)
		}
	}
	cut := func(context.Context) (net.Conn, error) { return nil, errors.New("no route to host") }
	lines, err := routes.NewDialer(nil,
		routes.Line{Name: "fibre", Dial: cut},
		routes.Line{Name: "mobile", Dial: dial(host.Addr().String())})
	if err != nil {
		panic(err)
	}
	defer lines.Close()
	c, err := lines.Dial(context.Background())
	fmt.Println(c.RemoteAddr().String() == host.Addr().String(), err)
	fmt.Println("fibre failed:", lines.Health()[0].Failures)
	_ = c.Close()
	// Output:
	// true <nil>
	// fibre failed: 1
}
