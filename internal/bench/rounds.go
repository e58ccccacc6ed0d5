package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// lifeWriters is how many writers, and how large a window, the whole life of
// entries is measured with.
const lifeWriters = 64

// trial is one contender's turn in a round: on a store of its own, made empty.
type trial struct {
	who     string
	writers int // 0: the whole life of entries instead of appends
	ops     int
}

// what names the figures of a trial.
func rateBy(writers int) string { return fmt.Sprintf("appends/s by %d", writers) }

const (
	p50    = "p50 of one writer, µs"
	perSec = "entries/s through append, attempt and answer by 64"
)

// plan is the trials of one round; scale multiplies how much each does.
func plan(scale int) []trial {
	ops := map[string]int{raw: 200, tallystick: 100, boltBatch: 50, tidwall: 50, raftWAL: 50, sqlite: 50, dqueue: 10}
	var out []trial
	for _, c := range contenders {
		out = append(out, trial{c.name, 1, 20 * scale})
		for _, writers := range []int{8, 64, 256} {
			if c.name == raw || c.name == tallystick || writers == 64 {
				out = append(out, trial{c.name, writers, max(writers, 64) * ops[c.name] * scale / 16})
			}
		}
	}
	return append(out,
		trial{tallystick, 0, 64 * 80 * scale / 16},
		trial{sqliteEach, 0, 64 * 12 * scale / 16},
		trial{sqliteMany, 0, 64 * 40 * scale / 16})
}

// runRounds runs the plan several times, each round beginning with another
// contender, so that what the machine does besides falls on all of them.
func runRounds(dir string, rounds, scale int, log func(string, ...any)) (results, error) {
	trials := plan(scale)
	r := results{}
	for round := range rounds {
		at := round * len(trials) / rounds
		for _, t := range slices.Concat(trials[at:], trials[:at]) {
			if err := t.run(dir, r); err != nil {
				return nil, fmt.Errorf("%s, %d writers: %w", t.who, t.writers, err)
			}
		}
		log("round %d of %d done", round+1, rounds)
	}
	return r, nil
}

func (t trial) run(dir string, r results) (err error) {
	own, err := os.MkdirTemp(dir, "trial-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(own)) }()
	runtime.GC() // what the one before left is not this one's work
	if t.writers == 0 {
		return t.live(own, r)
	}
	c := contenders[slices.IndexFunc(contenders, func(c contender) bool { return c.name == t.who })]
	store, err := c.open(own, t.writers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	warm := 2 * t.writers
	if err := eachWriter(t.writers, warm, func(n int) error { return store.Append(n, newRecord(n)) }); err != nil {
		return err
	}
	took := make([]float64, t.ops)
	began := time.Now()
	err = eachWriter(t.writers, t.ops, func(n int) error {
		start := time.Now()
		err := store.Append(warm+n, newRecord(n))
		took[n] = float64(time.Since(start)) / float64(time.Microsecond)
		return err
	})
	r.add(key{t.who, rateBy(t.writers)}, float64(t.ops)/time.Since(began).Seconds())
	if t.writers == 1 {
		r.add(key{t.who, p50}, median(took))
	}
	return err
}

// liver is a store that takes records through their whole life.
type liver interface {
	Live(ops int) error
	Close() error
}

func openLiver(who, dir string) (liver, error) {
	if who == tallystick {
		return openJournal(dir)
	}
	q, err := newSQLite(dir, lifeWriters)
	if err != nil {
		return nil, err
	}
	if who == sqliteEach {
		return sqliteEachLife{q}, nil
	}
	return sqliteManyLife{q}, nil
}

func (t trial) live(dir string, r results) (err error) {
	store, err := openLiver(t.who, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	began := time.Now()
	err = store.Live(t.ops)
	r.add(key{t.who, perSec}, float64(t.ops)/time.Since(began).Seconds())
	return err
}

func newRecord(n int) []byte {
	b := make([]byte, recordSize)
	for i := range b {
		b[i] = byte(n + i)
	}
	return b
}

// eachWriter calls fn for 0 to ops-1 from several goroutines and returns their
// first error, after which none begins another call.
func eachWriter(writers, ops int, fn func(n int) error) error {
	var next atomic.Int64
	var failed atomic.Bool
	errs := make([]error, writers)
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for !failed.Load() {
				n := int(next.Add(1)) - 1
				if n >= ops {
					return
				}
				if err := fn(n); err != nil {
					errs[w] = err
					failed.Store(true)
					return
				}
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
