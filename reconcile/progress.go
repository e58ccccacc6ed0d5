package reconcile

import (
	"errors"
	"fmt"
	"slices"

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
	more            []part // the batch's other currencies
	rank            int    // the round of details that uploaded speaks of
	left            bool   // the host has left the batch without a word about its end
}

// part is one currency's totals and what the host says of them.
type part struct {
	totals          queue.Totals
	inland, foreign queue.Balance
}

// Forms of what is kept. The second adds more and rank, the third left; each stands
// only where there is some of that.
const (
	progressForm = 1
	progressMore = 2
	progressLeft = 3
	maxMore      = 998 // currencies have three digits
)

var errProgress = errors.New("the settlement's progress cannot be read")

// balanced tells whether the host has the same of a currency.
func (x part) balanced() bool {
	ok := func(b queue.Balance, s queue.Sums) bool {
		return b == queue.Balanced || (b == 0 && s == queue.Sums{})
	}
	return ok(x.inland, x.totals.Inland) && ok(x.foreign, x.totals.Foreign)
}

func (p progress) balanced() bool {
	for _, x := range p.parts() {
		if !x.balanced() {
			return false
		}
	}
	return p.stage >= totalling
}

// parts are the batch's currencies, the first among them.
func (p progress) parts() []part {
	return append([]part{{p.totals, p.inland, p.foreign}}, p.more...)
}

func (p *progress) setParts(all []part) {
	p.totals, p.inland, p.foreign, p.more = all[0].totals, all[0].inland, all[0].foreign, nil
	if len(all) > 1 {
		p.more = slices.Clone(all[1:])
	}
}

// said is what the host said of an entry's currency and group.
func (p progress) said(e queue.Entry, foreign bool) queue.Balance {
	for _, x := range p.parts() {
		if x.totals.Currency == e.Amount.Currency {
			if foreign {
				return x.foreign
			}
			return x.inland
		}
	}
	return 0
}

func writeTotals(w *record.Writer, t queue.Totals) {
	w.Uint(uint64(t.Currency))
	for _, s := range []queue.Sums{t.Inland, t.Foreign} {
		w.Uint(uint64(s.DebitCount))
		w.Int(s.Debit)
		w.Uint(uint64(s.CreditCount))
		w.Int(s.Credit)
	}
}

func readTotals(r *record.Reader) (t queue.Totals) {
	t.Currency = queue.Currency(r.Uint())
	for _, s := range []*queue.Sums{&t.Inland, &t.Foreign} {
		s.DebitCount, s.Debit = int(r.Uint()), r.Int()
		s.CreditCount, s.Credit = int(r.Uint()), r.Int()
	}
	return t
}

func (p progress) encode() []byte {
	var w record.Writer
	form := byte(progressForm)
	if p.left {
		form = progressLeft
	} else if len(p.more) > 0 || p.rank > 0 {
		form = progressMore
	}
	w.Byte(form)
	w.Byte(byte(p.stage))
	writeTotals(&w, p.totals)
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
	if form >= progressMore {
		w.Uint(uint64(p.rank))
		w.Uint(uint64(len(p.more)))
		for _, x := range p.more {
			writeTotals(&w, x.totals)
			w.Byte(byte(x.inland))
			w.Byte(byte(x.foreign))
		}
	}
	return w.B
}

func decodeProgress(b []byte) (progress, error) {
	var p progress
	if len(b) == 0 {
		return p, nil
	}
	r := record.NewReader(b)
	form := r.Byte()
	if form < progressForm || form > progressLeft {
		return p, fmt.Errorf("%w: it has form %d", errProgress, form)
	}
	p.stage = stage(r.Byte())
	p.totals = readTotals(r)
	p.records = int(r.Uint())
	p.inland, p.foreign = queue.Balance(r.Byte()), queue.Balance(r.Byte())
	p.uploaded = queue.ID(r.Uint())
	for _, ids := range []*[]queue.ID{&p.mended, &p.different} {
		for n := r.Uint(); n > 0 && r.Err() == nil; n-- {
			*ids = append(*ids, queue.ID(r.Uint()))
		}
	}
	p.agreed, p.left = r.Bool(), form == progressLeft
	if form >= progressMore {
		p.rank = int(min(r.Uint(), maxRank+1))
		n := r.Uint()
		if p.rank > maxRank || n > maxMore {
			return progress{}, errProgress
		}
		for ; n > 0 && r.Err() == nil; n-- {
			x := part{totals: readTotals(r)}
			x.inland, x.foreign = queue.Balance(r.Byte()), queue.Balance(r.Byte())
			p.more = append(p.more, x)
		}
	}
	if err := r.Done(); err != nil || p.stage > ended {
		return progress{}, errProgress
	}
	return p, nil
}
