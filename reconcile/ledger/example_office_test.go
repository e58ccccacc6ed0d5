package ledger_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/ledger"
)

// A second till took over what the first one had: the office lets it deliver that.
func ExampleLedger_Hand() {
	ctx := context.Background()
	l, _ := ledger.New(ctx, ledger.OpenMemory(), signer, nil)
	_ = l.SetDevice(ctx, ledger.Device{Name: "till-2"})
	first := wire.JournalID{1}
	_, _ = l.Submit(ctx, "till-1", sale(first, 1, "order-1"))

	rescued := sale(first, 2, "order-2")
	rescued.Via = wire.JournalID{2} // till-2's own journal
	for range 2 {
		out, _ := l.Submit(ctx, "till-2", rescued)
		fmt.Println(out[0].Err)
		_ = l.Hand(ctx, first, "till-2")
	}
	// Output:
	// the journal belongs to another device
	// <nil>
}

// The ledger was restored from yesterday's backup. A till tells it again of what
// it was answered since.
func ExampleLedger_Retell() {
	ctx := context.Background()
	l, _ := ledger.New(ctx, ledger.OpenMemory(), signer, nil)
	answer := queue.Answer{Verdict: queue.Approved, Code: "00", RRN: "000000004711"}
	for range 2 {
		r, err := l.Retell(ctx, "till-1", sale(wire.JournalID{1}, 1, "order-1"), answer)
		fmt.Println(r.Booking.Answer.RRN, r.Booking.Retold, r.Repeat, r.Err, err)
	}
	// Output:
	// 000000004711 true false <nil> <nil>
	// 000000004711 true true <nil> <nil>
}

// A backup of a ledger that is in use, and the ledger that it makes.
func ExampleFile_Backup() {
	dir, err := os.MkdirTemp("", "office")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, open := context.Background(), &ledger.FileOptions{Unsealed: true}
	engine, err := ledger.OpenFile(filepath.Join(dir, "ledger"), nil, open)
	if err != nil {
		log.Fatal(err)
	}
	l, _ := ledger.New(ctx, engine, signer, nil)
	_, _ = l.Submit(ctx, "till-1", sale(wire.JournalID{1}, 1, "order-1"))
	var backup bytes.Buffer
	fmt.Println(engine.Backup(ctx, &backup), engine.Close())

	fmt.Println(ledger.RestoreFile(ctx, filepath.Join(dir, "restored"), &backup, nil, open))
	if engine, err = ledger.OpenFile(filepath.Join(dir, "restored"), nil, open); err != nil {
		log.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	l, _ = ledger.New(ctx, engine, signer, nil)
	b, err := l.ByRef(ctx, wire.JournalID{1}, "order-1")
	fmt.Println(b.Entry.Amount, err, l.Verify(ctx))
	// Output:
	// <nil> <nil>
	// <nil>
	// 9.90 CNY <nil> <nil>
}

// A ledger that was found damaged, with no backup at hand.
func ExampleSalvageFile() {
	dir, err := os.MkdirTemp("", "office")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, path, open := context.Background(), filepath.Join(dir, "ledger"), &ledger.FileOptions{Unsealed: true}
	engine, err := ledger.OpenFile(path, nil, open)
	if err != nil {
		log.Fatal(err)
	}
	l, _ := ledger.New(ctx, engine, signer, nil)
	_, _ = l.Submit(ctx, "till-1", sale(wire.JournalID{1}, 1, "order-1"))
	_ = engine.Close()

	r, err := ledger.SalvageFile(ctx, path, nil, open)
	fmt.Println(r.Bookings, r.LostCount, filepath.Dir(r.Aside) == dir, err)
	if engine, err = ledger.OpenFile(path, nil, open); err != nil {
		log.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	l, _ = ledger.New(ctx, engine, signer, nil)
	fmt.Println(l.Last(ctx))
	// Output:
	// 1 0 true <nil>
	// 1 <nil>
}

// Two devices have the same number for different sales. A person has looked.
func ExampleLedger_Dismiss() {
	ctx := context.Background()
	l, _ := ledger.New(ctx, ledger.OpenMemory(), signer, nil)
	j := wire.JournalID{1}
	_, _ = l.Submit(ctx, "till-1", sale(j, 1, "order-1"))
	_, _ = l.Submit(ctx, "till-1", sale(j, 1, "order-2"))
	for range 2 {
		n := 0
		for c, err := range l.Conflicts(ctx, j) {
			n++
			fmt.Println(c.Ref, c.Why, err, l.Dismiss(ctx, c))
		}
		fmt.Println(n)
	}
	// Output:
	// order-2 the same entry with other content <nil> <nil>
	// 1
	// 0
}
