package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/tallystick/tallystick/queue"
)

var lane = queue.Lane{Host: "acquirer", Merchant: "104110048161234", Terminal: "10000001"}

// lanes are enough for a million entries: a lane has 999,999 numbers.
var lanes = []queue.Lane{lane, {Host: "acquirer", Merchant: "104110048161234", Terminal: "10000002"}}

// laneOf is the lane of sale n.
func laneOf(n int) queue.Lane { return lanes[n/500_000%len(lanes)] }

// appKeys is one key, as an app's key store would give it.
type appKeys struct{}

func (appKeys) Current() (string, error) { return "2026-1", nil }

func (appKeys) Key(string) ([]byte, error) {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	return key, nil
}

// approving is a host in memory that approves everything at once.
type approving struct{}

func (approving) Window() int { return lifeWriters }

func (approving) Send(_ context.Context, e queue.Entry) (queue.Answer, error) {
	return queue.Answer{Verdict: queue.Approved, Code: "00", RRN: fmt.Sprintf("%012d", e.ID), AuthCode: "A00001"}, nil
}

// sale is a card taken offline by its chip: its fields have about recordSize
// bytes.
func sale(n int) queue.Transaction {
	return queue.Transaction{
		Ref: fmt.Sprintf("order-%08d", n), Lane: laneOf(n), Op: queue.Sale, Tender: queue.CardTender,
		Amount: queue.Money{Minor: 1000 + int64(n%5000), Currency: queue.CNY}, Approval: "Y1", EntryMode: "051", Operator: "0042",
		Card: queue.Card{PAN: queue.NewSecret("6221558812340000"), Expiry: queue.NewSecret("3012"), Sequence: "001",
			ICC: queue.NewSecret(string(chipData))},
		Data: saleNote,
	}
}

var (
	chipData = make([]byte, 110)
	saleNote = make([]byte, 40)
)

// journal is tallystick as an appender and with the whole life of its entries.
type journal struct{ q *queue.Queue }

// largestFile is beyond what any number of entries here needs; the journal
// bounds it further where it must.
const largestFile = 16 << 30

func journalPath(dir string) string { return filepath.Join(dir, "till.journal") }

func openJournal(dir string) (*journal, error) {
	q, err := queue.Open(journalPath(dir), appKeys{}, &queue.Options{MaxSize: largestFile})
	if err != nil {
		return nil, err
	}
	return &journal{q}, nil
}

func openTallystick(dir string, _ int) (appender, error) { return openJournal(dir) }

func (j *journal) Append(n int, _ []byte) error {
	_, err := j.q.Append(context.Background(), sale(n))
	return err
}

func (j *journal) Close() error { return j.q.Close() }

// Live has many writers append while a forwarder delivers, until all that was
// appended is answered.
func (j *journal) Live(ops int) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	forwarded := make(chan error, 1)
	go func() { forwarded <- j.q.Forward(ctx, lane, approving{}) }()
	err := eachWriter(lifeWriters, ops, func(n int) error { return j.Append(n, nil) })
	if err == nil {
		err = j.q.Drain(ctx, lane, approving{})
	}
	cancel()
	if ferr := <-forwarded; !errors.Is(ferr, context.Canceled) {
		err = errors.Join(err, ferr)
	}
	if err != nil {
		return err
	}
	return j.answered(ops)
}

// answered tells whether all of n entries have their answer.
func (j *journal) answered(n int) error {
	return j.tally(queue.Accepted, n)
}

// tally tells whether exactly n entries are in a state.
func (j *journal) tally(state queue.State, n int) error {
	s, err := j.q.Status(context.Background())
	if err != nil {
		return err
	}
	var count int64
	for _, l := range s.Lanes {
		for _, t := range l.Tallies {
			if t.State == state {
				count += t.Count
			}
		}
	}
	if count != int64(n) {
		return fmt.Errorf("tallystick: %d entries are %s, not %d", count, state, n)
	}
	return nil
}
