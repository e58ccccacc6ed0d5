package attach_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/tallystick/tallystick/reconcile/ledger/attach"
)

// A signature waits for the line to be free: a Sender takes it from here.
func ExampleOutbox_Add() {
	dir, err := os.MkdirTemp("", "outbox")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	box, err := attach.Open(dir, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = box.Close() }()
	const entry = 7 // the sale or report that the signature is for
	it, err := box.Add(context.Background(), entry, "image/png", strings.NewReader("strokes"))
	fmt.Println(it.Entry, it.Size, err)
	waiting, err := box.Items()
	fmt.Println(len(waiting), err)
	// Output:
	// 7 7 <nil>
	// 1 <nil>
}
