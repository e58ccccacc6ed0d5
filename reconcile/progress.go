package reconcile

import (
	"errors"
	"fmt"

	"github.com/tallystick/tallystick/internal/record"
	"github.com/tallystick/tallystick/queue"
)

// stage is how far the settlement of a batch has come. Its numbers stand in
// files: never change or reuse one.
type stage byte

const (
	begun     stage = 0 // nothing was said to the host
	totalling stage = 1 // the totals are frozen and may have been sent
	uploading stage = 2 // the host said that they differ: details are under way
	ending    stage = 3 // all is said but the end
	ended     stage = 4 // the host has closed the batch
)

// progress is what a settlement keeps in the journal between its steps.
type progress struct {
	stage           stage
	totals          queue.Totals
	records         int
	inland, foreign queue.Balance
	uploaded        queue.ID // all details up to this entry are answered
	mended          []queue.ID
	different       []queue.ID
	agreed          bool
}

const progressForm = 1

var errProgress = errors.New("the settlement's progress cannot be read")

func (p progress) balanced() bool {
	ok := func(b queue.Balance, s queue.Sums) bool {
		return b == queue.Balanced || (b == 0 && s == queue.Sums{})
	}
	return p.stage >= totalling && ok(p.inland, p.totals.Inland) && ok(p.foreign, p.totals.Foreign)
}

func (p progress) encode() []byte {
	var w record.Writer
	w.Byte(progressForm)
	w.Byte(byte(p.stage))
	w.Uint(uint64(p.totals.Currency))
	for _, s := range []queue.Sums{p.totals.Inland, p.totals.Foreign} {
		w.Uint(uint64(s.DebitCount))
		w.Int(s.Debit)
		w.Uint(uint64(s.CreditCount))
		w.Int(s.Credit)
	}
	w.Uint(uint64(p.records))
	w.Byte(byte(p.inland))
	w.Byte(byte(p.foreign))
	w.Uint(uint64(p.uploaded))
	for _, ids := range [][]queue.ID{p.mended, p.different} {
		w.Uint(uint64(len(ids)))
		for _, id := range ids {
			w.Uint(uint64(id))
		}
	}
	w.Bool(p.agreed)
	return w.B
}

func decodeProgress(b []byte) (progress, error) {
	var p progress
	if len(b) == 0 {
		return p, nil
	}
	r := record.NewReader(b)
	if form := r.Byte(); form != progressForm {
		return p, fmt.Errorf("%w: it has form %d", errProgress, form)
	}
	p.stage = stage(r.Byte())
	p.totals.Currency = queue.Currency(r.Uint())
	for _, s := range []*queue.Sums{&p.totals.Inland, &p.totals.Foreign} {
		s.DebitCount, s.Debit = int(r.Uint()), r.Int()
		s.CreditCount, s.Credit = int(r.Uint()), r.Int()
	}
	p.records = int(r.Uint())
	p.inland, p.foreign = queue.Balance(r.Byte()), queue.Balance(r.Byte())
	p.uploaded = queue.ID(r.Uint())
	for _, ids := range []*[]queue.ID{&p.mended, &p.different} {
		for n := r.Uint(); n > 0 && r.Err() == nil; n-- {
			*ids = append(*ids, queue.ID(r.Uint()))
		}
	}
	p.agreed = r.Bool()
	if err := r.Done(); err != nil || p.stage > ended {
		return progress{}, errProgress
	}
	return p, nil
}
