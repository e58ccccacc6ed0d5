package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// depot is a host in memory that has all it was sent.
type depot struct {
	journal *queue.Queue
	mu      sync.Mutex
	half    agree.Half
}

func (d *depot) Uplink(queue.Lane) (queue.Uplink, error) { return d, nil }

func (*depot) Window() int { return 256 }

func (d *depot) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	l := agree.LeafOf(d.journal.Digest(e))
	d.mu.Lock()
	defer d.mu.Unlock()
	return queue.Answer{Verdict: queue.Approved}, d.half.Set(uint64(e.ID), l)
}

func (d *depot) Retell(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	return d.Send(ctx, e)
}

func (d *depot) Agree(ctx context.Context, message []byte) ([]byte, error) {
	return agree.Answer(ctx, message, &d.half, func(uint64) ([]agree.Held, error) { return nil, nil })
}

// reading is what it costs to read a journal for the first comparison, and for
// one after it, or to load what an earlier process saved.
type reading struct {
	entries       int
	first, second time.Duration // user time
	load          time.Duration // of what the first one saved
}

func measureJournal(entries int) (r reading, err error) {
	dir, err := os.MkdirTemp("", "agreebench")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	q, err := queue.Open(filepath.Join(dir, "journal"), nil, &queue.Options{Unsealed: true})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	ctx := context.Background()
	host := &depot{journal: q}
	if err := fill(ctx, q, host, entries); err != nil {
		return r, err
	}
	m := reconcile.NewMirror(q, lane.Host)
	for _, took := range []*time.Duration{&r.first, &r.second} {
		began := userTime()
		found, err := m.Incomplete(ctx, host)
		*took = userTime() - began
		if err != nil || !found.Agreed {
			return r, errors.Join(err, fmt.Errorf("agreed: %t", found.Agreed))
		}
	}
	r.entries = entries
	var saved bytes.Buffer
	if err := m.Save(&saved); err != nil {
		return r, err
	}
	began := userTime()
	_, err = reconcile.LoadMirror(ctx, q, lane.Host, &saved)
	r.load = userTime() - began
	return r, err
}

var lane = queue.Lane{Host: "depot", Merchant: "DEPOT", Terminal: "C0000001"}

// fill journals so many entries and delivers them.
func fill(ctx context.Context, q *queue.Queue, host *depot, entries int) error {
	const writers = 64
	failed := make([]error, writers)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := w; i < entries && failed[w] == nil; i += writers {
				_, failed[w] = q.Append(ctx, queue.Transaction{Ref: fmt.Sprint("order-", i), Lane: lane, Op: queue.Sale,
					Tender: queue.Cash, Amount: queue.Money{Minor: 1250, Currency: queue.CNY}})
			}
		})
	}
	all.Wait()
	return errors.Join(append(failed, q.Drain(ctx, lane, host))...)
}
