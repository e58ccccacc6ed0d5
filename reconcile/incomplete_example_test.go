package reconcile_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// depot is a host in memory that compares.
type depot struct {
	journal *queue.Queue
	half    agree.Half
}

func (d *depot) Uplink(queue.Lane) (queue.Uplink, error) { return d, nil }

func (d *depot) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Approved}, d.half.Set(uint64(e.ID), agree.LeafOf(d.journal.Digest(e)))
}

func (d *depot) Retell(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	return d.Send(ctx, e)
}

func (d *depot) Agree(ctx context.Context, message []byte) ([]byte, error) {
	return agree.Answer(ctx, message, &d.half, func(uint64) ([]agree.Held, error) { return nil, nil })
}

func ExampleMirror_Incomplete() {
	dir, err := os.MkdirTemp("", "tallystick")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	q, err := queue.Open(filepath.Join(dir, "journal"), nil, &queue.Options{Unsealed: true})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	ctx := context.Background()
	lane := queue.Lane{Host: "depot", Merchant: "DEPOT", Terminal: "C0000001"}
	host := &depot{journal: q}
	for i := range 3 {
		if _, err := q.Append(ctx, queue.Transaction{Ref: fmt.Sprint("parcel-", i), Lane: lane, Op: queue.Sale, Tender: queue.Cash,
			Amount: queue.Money{Minor: 1250, Currency: queue.CNY}}); err != nil {
			log.Fatal(err)
		}
	}
	if err := q.Drain(ctx, lane, host); err != nil {
		log.Fatal(err)
	}
	host.half = agree.Half{} // the host was restored from an old backup

	mirror := reconcile.NewMirror(q, "depot") // kept for the next time
	for range 2 {
		r, err := mirror.Incomplete(ctx, host)
		if err != nil {
			log.Fatal(err)
		}
		for _, l := range r.Lines {
			fmt.Println(l.Entry.Ref, l.Problem, "mended:", l.Mended)
		}
		fmt.Println("agreed:", r.Agreed)
	}
	// Output:
	// parcel-0 missing at the host mended: true
	// parcel-1 missing at the host mended: true
	// parcel-2 missing at the host mended: true
	// agreed: true
	// agreed: true
}

func ExampleIncomplete() {
	dir, err := os.MkdirTemp("", "tallystick")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	q, err := queue.Open(filepath.Join(dir, "journal"), nil, &queue.Options{Unsealed: true})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	ctx := context.Background()
	lane := queue.Lane{Host: "depot", Merchant: "DEPOT", Terminal: "C0000001"}
	if _, err := q.Append(ctx, queue.Transaction{Ref: "parcel-7", Lane: lane, Op: queue.Sale, Tender: queue.Cash,
		Amount: queue.Money{Minor: 1250, Currency: queue.CNY}}); err != nil {
		log.Fatal(err)
	}
	r, err := reconcile.Incomplete(ctx, q, "depot", &depot{journal: q})
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range r.Lines {
		fmt.Println(l.Entry.Ref, l.Problem, "mended:", l.Mended, "now:", l.Now)
	}
	fmt.Println("agreed:", r.Agreed)
	// Output:
	// parcel-7 never sent mended: true now: accepted
	// agreed: true
}

func ExampleLoadMirror() {
	dir, err := os.MkdirTemp("", "tallystick")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	q, err := queue.Open(filepath.Join(dir, "journal"), nil, &queue.Options{Unsealed: true})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	ctx := context.Background()

	var kept bytes.Buffer // in life a file among the app's caches
	if err := reconcile.NewMirror(q, "depot").Save(&kept); err != nil {
		log.Fatal(err)
	}
	mirror, err := reconcile.LoadMirror(ctx, q, "depot", &kept)
	if errors.Is(err, reconcile.ErrMirror) {
		mirror, err = reconcile.NewMirror(q, "depot"), nil
	}
	if err != nil {
		log.Fatal(err)
	}
	r, err := mirror.Incomplete(ctx, &depot{journal: q})
	fmt.Println(r.Agreed, err)
	// Output: true <nil>
}
