package agree_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log"

	"github.com/tallystick/tallystick/reconcile/agree"
)

// digest stands for queue.Digest: SHA-256 over an entry's canonical bytes.
func digest(content string) [32]byte { return sha256.Sum256([]byte(content)) }

func half(entries map[uint64]string) *agree.Half {
	h := &agree.Half{}
	for seq, content := range entries {
		if err := h.Set(seq, agree.LeafOf(digest(content))); err != nil {
			log.Fatal(err)
		}
	}
	return h
}

func ExampleCompare() {
	device := half(map[uint64]string{1: "sale of 9.90", 2: "sale of 12.50", 3: "sale of 3.00", 4: "sale of 7.77"})
	host := half(map[uint64]string{1: "sale of 9.90", 3: "sale of 30.00", 4: "sale of 7.77"})

	about := agree.Subject{Journal: [16]byte{1}, Epoch: 1}
	send := func(ctx context.Context, message []byte) ([]byte, error) { // in life a POST
		return agree.Answer(ctx, message, host, nil)
	}
	d, err := agree.Compare(context.Background(), device, about, send)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range d.Found {
		fmt.Printf("%d here: %t there: %t\n", f.Seq, f.Here, f.There)
	}
	// Output:
	// 2 here: true there: false
	// 3 here: true there: true
}

func ExampleAnswer() {
	host := half(map[uint64]string{1: "sale of 9.90"})
	held := func(seq uint64) ([]agree.Held, error) {
		return []agree.Held{{Canonical: []byte("sale of 9.90"), Epoch: 1, Stands: true}}, nil
	}
	serve := func(ctx context.Context, message []byte) ([]byte, error) {
		about, err := agree.Head(message)
		if err != nil {
			return nil, err
		}
		fmt.Println("may the device ask about journal", about.Journal[0])
		return agree.Answer(ctx, message, host, held)
	}
	err := agree.Details(context.Background(), agree.Subject{Journal: [16]byte{7}, Epoch: 1}, []uint64{1}, serve,
		func(seq uint64, held []agree.Held) error {
			fmt.Printf("%d: %s\n", seq, held[0].Canonical)
			return nil
		})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// may the device ask about journal 7
	// 1: sale of 9.90
}

func ExampleHalf() {
	h := &agree.Half{}
	if err := h.Set(1, agree.LeafOf(digest("sale"))); err != nil {
		log.Fatal(err)
	}
	one := h.Root(1)
	if err := h.Set(2, agree.Leaf{}); err != nil { // seen, and declined: nothing stands there
		log.Fatal(err)
	}
	fmt.Println(h.Root(2) == one, h.Highest(), h.Seen(2), h.Seen(3))
	for seq, leaf := range h.All() {
		fmt.Println(seq, leaf != agree.Leaf{})
	}
	// Output:
	// true 2 true false
	// 1 true
	// 2 false
}
