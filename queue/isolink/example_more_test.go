package isolink_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
)

// A gateway takes many entries at once; what the link learns of its host stays
// over a restart.
func ExampleOptions() {
	address, q, stop := exampleTill()
	defer stop()
	dir, err := os.MkdirTemp("", "link-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	keys, err := codec.NewMasterKey(host.DefaultTMK())
	if err != nil {
		fmt.Println(err)
		return
	}
	lane := queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}
	link, err := isolink.New(lane, isolink.TCP(address), q, keys, &isolink.Options{
		Window: 64,
		Memory: isolink.MemoryFile(filepath.Join(dir, "link")),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer link.Close()
	for i := range 100 {
		_, err := q.Append(context.Background(), queue.Transaction{Ref: fmt.Sprint("parcel-", i), Lane: lane, Op: queue.Sale,
			Tender: queue.Cash, Amount: queue.Money{Minor: 100, Currency: queue.CNY}})
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(q.Drain(context.Background(), lane, link))
	_, err = os.Stat(filepath.Join(dir, "link"))
	fmt.Println(err)
	// Output:
	// <nil>
	// <nil>
}

// On a line that is paid by the byte a reconnect resumes the TLS session.
func ExampleThinTLS() {
	ca, err := newAuthority("acquirer")
	if err != nil {
		fmt.Println(err)
		return
	}
	server, err := ca.demand()
	if err != nil {
		fmt.Println(err)
		return
	}
	acquirer, err := host.Listen(host.Config{TLS: server})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer acquirer.Close()
	go func() { _ = acquirer.Serve(context.Background()) }()
	cert, err := ca.issue("terminal 10000001", x509.ExtKeyUsageClientAuth) // an ECDSA key
	if err != nil {
		fmt.Println(err)
		return
	}
	keys, err := codec.NewMasterKey(host.DefaultTMK())
	if err != nil {
		fmt.Println(err)
		return
	}
	dial := isolink.ThinTLS(acquirer.Addr().String(), &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{cert}})
	lane := queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}
	link, err := isolink.New(lane, dial, noNumbers{}, keys, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer link.Close()
	line, err := link.Prepare(context.Background())
	fmt.Println(line.HostBatch, err)
	// Output: 1 <nil>
}

// Where a terminal would sign in of its own accord: at night, each at its own
// minute.
func ExampleLink_NextSignIn() {
	keys, err := codec.NewMasterKey(host.DefaultTMK())
	if err != nil {
		fmt.Println(err)
		return
	}
	lane := queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}
	link, err := isolink.New(lane, isolink.TCP("127.0.0.1:1"), noNumbers{}, keys, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer link.Close()
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.FixedZone("UTC+8", 8*60*60))
	at := link.NextSignIn(noon, isolink.Plan{From: 1, To: 5})
	fmt.Println(at.Format("2006-01-02"), at.Hour() >= 1 && at.Hour() < 5)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	fmt.Println(link.SignInDaily(ctx, isolink.Plan{From: 1, To: 5})) // an app gives it a goroutine
	// Output:
	// 2026-03-05 true
	// context canceled
}

// The host asks for a download of parameters in an answer's header; the next
// entry finds them in use.
func ExampleLink_Parameters() {
	acquirer, err := host.Listen(host.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer acquirer.Close()
	go func() { _ = acquirer.Serve(context.Background()) }()
	keys, err := codec.NewMasterKey(host.DefaultTMK())
	if err != nil {
		fmt.Println(err)
		return
	}
	lane := queue.Lane{Host: "acquirer", Merchant: "898100000000001", Terminal: "10000001"}
	link, err := isolink.New(lane, isolink.TCP(acquirer.Addr().String()), noNumbers{}, keys, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer link.Close()
	ctx := context.Background()
	if _, err := link.Prepare(ctx); err != nil { // known to the host from here on
		fmt.Println(err)
		return
	}
	fmt.Println(acquirer.Ask("10000001", codec.ProcessStripeParams))
	fmt.Println(link.Renew(ctx)) // a sign-in, whose answer asks
	list, _ := link.Parameters()
	fmt.Println(len(list.List), "parameters")
	// Output:
	// <nil>
	// <nil>
	// 6 parameters
}
