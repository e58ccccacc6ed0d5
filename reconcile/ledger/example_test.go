package ledger_test

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/agree"
	"github.com/tallystick/tallystick/reconcile/ledger"
)

// sale is what a device's link sends of a cash sale.
func sale(journal wire.JournalID, seq queue.ID, ref string) wire.Submission {
	return wire.Submission{Journal: journal, Epoch: 1, Lane: queue.Lane{Host: "office", Merchant: "M", Terminal: "T1"},
		Entries: []wire.Entry{{Seq: seq, Kind: queue.Advice, Op: queue.Sale, Tender: queue.Cash, Ref: ref, STAN: queue.STAN(seq),
			Amount: queue.Money{Minor: 990, Currency: queue.CNY}, Time: time.Unix(1_800_000_000, 0).UTC()}}}
}

// A ledger on a file, served to one device by a token.
func Example() {
	dir, err := os.MkdirTemp("", "office")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx := context.Background()
	_, signer, _ := ed25519.GenerateKey(nil) // made once, kept in the office's safe

	engine, err := ledger.OpenFile(filepath.Join(dir, "ledger"), nil, &ledger.FileOptions{Unsealed: true})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = engine.Close() }()
	l, err := ledger.New(ctx, engine, signer, nil)
	if err != nil {
		log.Fatal(err)
	}
	_ = l.SetDevice(ctx, ledger.Device{Name: "till-1"})
	token, _ := l.Token(ctx, "till-1")
	server := httptest.NewTLSServer(l.Handler()) // in earnest: http.Server.ListenAndServeTLS
	defer server.Close()
	fmt.Println(strings.HasPrefix(server.URL, "https://"), len(token))
	// Output: true 43
}

// An entry that is submitted twice is booked once.
func ExampleLedger_Submit() {
	ctx := context.Background()
	l, _ := ledger.New(ctx, ledger.OpenMemory(), signer, nil)
	_ = l.SetDevice(ctx, ledger.Device{Name: "till-1"})
	for range 2 {
		out, err := l.Submit(ctx, "till-1", sale(wire.JournalID{1}, 1, "order-1"))
		fmt.Println(out[0].Booking.Answer.Verdict, out[0].Booking.Answer.RRN, out[0].Repeat, out[0].Err, err)
	}
	other, _ := l.Submit(ctx, "till-1", sale(wire.JournalID{1}, 2, "order-1"))
	fmt.Println(other[0].Err)
	// Output:
	// approved 000000000001 false <nil> <nil>
	// approved 000000000001 true <nil> <nil>
	// entry 01000000000000000000000000000000/1/2 is refused: the same ref under another sequence (01000000000000000000000000000000/1/1): a person has to look
}

// A back office follows the ledger from where it left off.
func ExampleLedger_All() {
	ctx := context.Background()
	l, _ := ledger.New(ctx, ledger.OpenMemory(), signer, nil)
	for i, ref := range []string{"a", "b", "c"} {
		_, _ = l.Submit(ctx, "till-1", sale(wire.JournalID{1}, queue.ID(i+1), ref))
	}
	done := uint64(1) // kept by the back office
	for b, err := range l.All(ctx, done) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(b.Position, b.Entry.Ref, b.Entry.Amount, b.Counts())
		done = b.Position
	}
	// Output:
	// 2 b 9.90 CNY true
	// 3 c 9.90 CNY true
}

// What was set aside needs a person.
func ExampleLedger_Conflicts() {
	ctx := context.Background()
	l, _ := ledger.New(ctx, ledger.OpenMemory(), signer, nil)
	first := sale(wire.JournalID{1}, 1, "order-1")
	_, _ = l.Submit(ctx, "till-1", first)
	first.Entries[0].Amount.Minor = 1
	_, _ = l.Submit(ctx, "till-1", first)
	for c, err := range l.Conflicts(ctx, wire.JournalID{1}) {
		fmt.Println(c.Device, c.Entry.Sequence, c.Ref, c.Why, err)
	}
	// Output: till-1 1 order-1 the same entry with other content <nil>
}

// The signed word that the ledger holds a range.
func ExampleLedger_Receipt() {
	ctx := context.Background()
	l, _ := ledger.New(ctx, ledger.OpenMemory(), signer, nil)
	journal := wire.JournalID{1}
	for i := range 3 {
		_, _ = l.Submit(ctx, "till-1", sale(journal, queue.ID(i+1), fmt.Sprint("order-", i)))
	}
	signed, err := l.Receipt(ctx, "till-1", journal, []agree.Range{{From: 1, To: 10}})
	if err != nil {
		log.Fatal(err)
	}
	r, err := ledger.OpenReceipt(signed, l.Public())
	fmt.Println(len(signed), r.Ranges, r.Covers(3), r.Covers(4), err)
	// Output: 118 [{1 3}] true false <nil>
}

// One journal deals with a key, no other.
func ExampleLedger_Claim() {
	ctx := context.Background()
	l, _ := ledger.New(ctx, ledger.OpenMemory(), signer, nil)
	for i, device := range []string{"courier-1", "courier-2"} {
		journal := [16]byte{byte(i + 1)}
		holder, _, err := l.Claim(ctx, device, journal, "SF1234567890")
		fmt.Println(device, holder == journal, err)
	}
	// Output:
	// courier-1 true <nil>
	// courier-2 false <nil>
}

// The photo of a delivery arrives in two parts, the second one after a restart.
func ExampleLedger_Receive() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "photos")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	l, _ := ledger.New(ctx, ledger.OpenMemory(), signer, &ledger.Options{Attachments: dir})
	photo := "a picture of a parcel"
	hash := sha256.Sum256([]byte(photo))
	a, _ := l.Announce(ctx, [16]byte{1}, 7, ledger.Attachment{Device: "till-1", Hash: hash, Size: int64(len(photo)), Type: "image/jpeg"})
	a, _ = l.Receive(ctx, "till-1", hash, a.Have, strings.NewReader(photo[:9]))
	fmt.Println(a.Have, a.Complete)
	a, err = l.Receive(ctx, "till-1", hash, a.Have, strings.NewReader(photo[a.Have:]))
	fmt.Println(a.Have, a.Complete, err)
	b, err := l.Read(ctx, "till-1", hash)
	fmt.Println(string(b), err)
	// Output:
	// 9 false
	// 21 true <nil>
	// a picture of a parcel <nil>
}
