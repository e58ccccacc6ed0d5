package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tallystick/tallystick/reconcile/agree"
)

// row is one line of the table: figures of all its seeds.
type row struct {
	n      uint64
	d      int
	kind   string // gaps, mismatches
	shape  string // random, bursts
	bytes  []int  // both ways
	trips  []int
	steps  map[agree.Step]int
	device []time.Duration // user time
	host   []time.Duration
	tree   []int // bytes of the tree alone
	iblt   []int // bytes of a rateless IBLT
}

var subject = agree.Subject{Journal: [16]byte{1}, Epoch: 1}

// sum is what one comparison cost.
type sum struct {
	agree.Difference
	device, host time.Duration
}

// compare compares and checks that exactly the true differences are found.
func compare(device, host *agree.Half, differ map[uint64]bool, change func(message, answer []byte) ([]byte, []byte)) (s sum, err error) {
	began := userTime()
	s.Difference, err = agree.Compare(context.Background(), device, subject, func(ctx context.Context, m []byte) ([]byte, error) {
		if m, answer := change(m, nil); answer != nil {
			return answer, nil
		} else {
			at := userTime()
			answer, err := agree.Answer(ctx, m, host, nil)
			s.host += userTime() - at
			return answer, err
		}
	})
	s.device = userTime() - began - s.host
	if err != nil {
		return s, err
	}
	if len(s.Found) != len(differ) {
		return s, fmt.Errorf("found %d of %d differences", len(s.Found), len(differ))
	}
	for _, f := range s.Found {
		if !differ[f.Seq] {
			return s, fmt.Errorf("sequence %d does not differ", f.Seq)
		}
	}
	return s, nil
}

func asItIs(message, _ []byte) ([]byte, []byte) { return message, nil }

// treeOnly is a host that tells no gaps and no sketch.
func treeOnly(message, _ []byte) ([]byte, []byte) {
	switch message[0] & 15 {
	case 1: // the root: no room for gaps, the last byte
		m := slices.Clone(message)
		m[len(m)-1] = 0
		return m, nil
	case 2: // a sketch: no cells of any
		return nil, append([]byte{message[0]}, make([]byte, 8+16+3)...)
	}
	return message, nil
}

func (r *report) measure(n uint64) error {
	for _, d := range []int{0, 1, 10, 1_000} {
		for _, kind := range []string{"gaps", "mismatches"} {
			for _, shape := range []string{"random", "bursts"} {
				if d < 2 && shape == "bursts" || d == 0 && kind == "gaps" || uint64(d) >= n {
					continue
				}
				if err := r.row(n, d, kind, shape); err != nil {
					return fmt.Errorf("%d entries, %d %s in %s: %w", n, d, kind, shape, err)
				}
			}
		}
	}
	return nil
}

func (r *report) row(n uint64, d int, kind, shape string) error {
	out := row{n: n, d: d, kind: kind, shape: shape, steps: map[agree.Step]int{}}
	if d == 0 {
		out.kind, out.shape = "equal", ""
	}
	for seed := range r.seeds {
		rnd := rand.New(rand.NewPCG(uint64(seed), n+uint64(d)))
		differ := draw(rnd, n, d, shape == "bursts")
		device, host, err := halves(n, differ, kind == "gaps")
		if err != nil {
			return err
		}
		began := userTime()
		device.Root(n)
		host.Root(n)
		r.hashing = append(r.hashing, hashing{n, (userTime() - began) / 2})
		s, err := compare(device, host, differ, asItIs)
		if err != nil {
			return err
		}
		out.bytes = append(out.bytes, s.Sent+s.Received)
		out.trips = append(out.trips, s.Messages)
		out.steps[s.Step]++
		out.device, out.host = append(out.device, s.device), append(out.host, s.host)
		if seed > 2 {
			continue // the others need no more seeds
		}
		t, err := compare(device, host, differ, treeOnly)
		if err != nil {
			return err
		}
		out.tree = append(out.tree, t.Sent+t.Received)
		items := d
		if kind == "mismatches" {
			items = 2 * d
		}
		out.iblt = append(out.iblt, ibltBytes(rnd, items))
	}
	r.rows = append(r.rows, out)
	return nil
}
