package host_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/examples/acquirer/host"
)

// A test starts a host in its own process and points its terminal at it.
func ExampleListen() {
	s, err := host.Listen(host.Config{}) // a free port, a ledger that vanishes with it
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background()) }()
	fmt.Println(s.Addr().Network())
	fmt.Println(s.Close(), <-done)
	// Output:
	// tcp
	// <nil> <nil>
}

// From here on half of the answers are lost after their booking.
func ExampleServer_SetMischief() {
	s, err := host.Listen(host.Config{Seed: 7})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	fmt.Println(s.SetMischief(host.Mischief{LoseAnswer: 0.5}))
	fmt.Println(s.SetMischief(host.Mischief{LoseAnswer: 50}))
	fmt.Println(s.Mischief().LoseAnswer)
	// Output:
	// <nil>
	// lose-answer: a probability is a number from 0 to 1
	// 0.5
}

// An outage: while down there is no listener and no connection.
func ExampleServer_Down() {
	s, err := host.Listen(host.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	s.Down()
	fmt.Println(s.Status())
	fmt.Println(s.Up())
	// Output:
	// down conns=0 bookings=0 tombstones=0 conflicts=0 open-batches=0 <nil>
	// <nil>
}

// After the host has stopped its ledger is read for the comparison.
func ExampleReadLedger() {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "acquirer.ledger")
	status := host.Main(context.Background(), []string{"-listen", "127.0.0.1:0", "-ledger", path},
		strings.NewReader("quit\n"), new(strings.Builder), os.Stderr)
	l, err := host.ReadLedger(path)
	fmt.Println(status, len(l.Bookings), err)
	// Output:
	// 0 0 <nil>
}

// From the terminal's next answer on, its header asks it to download its
// parameters, until it has.
func ExampleServer_Ask() {
	s, err := host.Listen(host.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	fmt.Println(s.Ask("10000001", codec.ProcessStripeParams))
	// Output: terminal "10000001" has not signed in yet
}
