package network_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/network"
)

// What waits goes out within five seconds of the network's return.
func ExampleWatch() {
	dir, _ := os.MkdirTemp("", "network")
	defer os.RemoveAll(dir)
	q, err := queue.Open(filepath.Join(dir, "till.journal"), nil, &queue.Options{Unsealed: true})
	if err != nil {
		panic(err)
	}
	defer q.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- network.Watch(ctx, nil, q.NetworkBack) }()
	cancel()
	fmt.Println(errors.Is(<-ended, context.Canceled))
	// Output: true
}
