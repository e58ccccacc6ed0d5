package isolink

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

// PerCurrency tells that each currency of a batch is compared by itself: hosts of
// ISO 8583 are told the totals of one currency after the other.
func (l *Link) PerCurrency() bool { return l.opts.Style != UnionPay }

// EndTotals tells a host of ISO 8583 the totals t of the batch b for the last
// time, in the place of an end message: after the details, or without them where
// balanced says that the host agreed already, and then nothing is sent. Approved:
// both sides agree. Refused: they do not. It is called for each currency.
//
// Errors: as of SendTotals; for UnionPay errors.ErrUnsupported: it has EndBatch.
func (l *Link) EndTotals(ctx context.Context, b queue.Batch, t queue.Totals, balanced bool) (queue.Answer, error) {
	if l.opts.Style == UnionPay {
		return queue.Answer{}, fmt.Errorf("totals at the end of a batch: %w: use EndBatch", errors.ErrUnsupported)
	}
	if balanced {
		return queue.Answer{Verdict: queue.Approved}, nil
	}
	said, err := l.reconcile(ctx, b, t)
	switch {
	case err != nil:
		return queue.Answer{}, err
	case said == queue.Balanced:
		return queue.Answer{Verdict: queue.Approved}, nil
	}
	return queue.Answer{Verdict: queue.Refused}, nil
}

// endTold is EndTotals for each currency that was told of b.
func (l *Link) endTold(ctx context.Context, b queue.Batch, balanced bool) (queue.Answer, error) {
	l.mu.Lock()
	told := slices.Clone(l.told)
	if l.toldOf != b.ID {
		told = nil
	}
	l.mu.Unlock()
	if len(told) == 0 && !balanced {
		return queue.Answer{}, fmt.Errorf("the end of a batch: %w: this link has told no totals of it, use EndTotals", errors.ErrUnsupported)
	}
	all := queue.Answer{Verdict: queue.Approved}
	for _, t := range told {
		a, err := l.EndTotals(ctx, b, t, balanced)
		if err != nil {
			return a, err
		}
		if a.Verdict != queue.Approved {
			all = a
		}
	}
	return all, nil
}

// noteTold remembers what was told of a batch, the newest of each currency.
func (l *Link) noteTold(b queue.BatchID, t queue.Totals) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.toldOf != b {
		l.toldOf, l.told = b, nil
	}
	l.told = slices.DeleteFunc(l.told, func(o queue.Totals) bool { return o.Currency == t.Currency })
	l.told = append(l.told, t)
}

// reconcile tells the totals of one currency (0500, or 0520) and returns what the
// host says. What was reversed counts on neither side, as it is not known whether
// the host ever saw both: the reversals (DE 75, 77, 87, 89) are zero.
func (l *Link) reconcile(ctx context.Context, b queue.Batch, t queue.Totals) (queue.Balance, error) {
	told, err := sumsOf(t)
	if err != nil {
		return 0, err
	}
	l.noteTold(b.ID, t)
	mti := l.version(mtiSettle)
	if l.opts.AdviseTotals {
		mti = l.version(mtiSettleAdvice)
	}
	in, err := l.numbered(ctx, mti, func(stan queue.STAN) *fields {
		f := &fields{m: codec.NewMessage(l.opts.Spec, mti)}
		l.isoStamp(f, time.Now(), stan)
		l.nameBatch(f, b)
		f.set(50, t.Currency.Numeric())
		for de, v := range told.fields() {
			f.set(de, v)
		}
		return f
	})
	if err != nil {
		return 0, err
	}
	return l.balanceOf(in.m, t.Currency, told)
}

// nameBatch says which batch totals are of, so that a host knows them again: DE
// 71 of 1987, DE 28 and 29 of 1993.
func (l *Link) nameBatch(f *fields, b queue.Batch) {
	if l.opts.Style != ISO1993 {
		f.set(71, fmt.Sprintf("%04d", b.ID.N%10_000))
		return
	}
	f.set(24, "500")
	if !b.Closed.IsZero() {
		f.set(28, b.Closed.In(l.opts.Zone).Format("060102"))
	}
	f.set(29, fmt.Sprintf("%03d", b.ID.N%1000))
}

// isoSums are what DE 74 to 97 tell.
type isoSums struct {
	credits, debits int
	credit, debit   int64
}

// sumsOf adds inland and foreign cards up.
func sumsOf(t queue.Totals) (s isoSums, err error) {
	if t.Inland.Credit > math.MaxInt64-t.Foreign.Credit || t.Inland.Debit > math.MaxInt64-t.Foreign.Debit {
		return s, fmt.Errorf("totals: %w: they overflow", queue.ErrUnsendable)
	}
	return isoSums{credits: t.Inland.CreditCount + t.Foreign.CreditCount, debits: t.Inland.DebitCount + t.Foreign.DebitCount,
		credit: t.Inland.Credit + t.Foreign.Credit, debit: t.Inland.Debit + t.Foreign.Debit}, nil
}

// fields are the elements: a sale is a debit, the net amount is D where debits
// exceed credits.
func (s isoSums) fields() map[int]string {
	count := func(n int) string { return fmt.Sprintf("%010d", n) }
	amount := func(n int64) string { return fmt.Sprintf("%016d", n) }
	net, sign := s.credit-s.debit, "C"
	if net < 0 {
		net, sign = -net, "D"
	}
	return map[int]string{74: count(s.credits), 75: count(0), 76: count(s.debits), 77: count(0),
		86: amount(s.credit), 87: amount(0), 88: amount(s.debit), 89: amount(0), 97: sign + amount(net)}
}

// balanceOf is what the host says: DE 66 of 1987, else DE 39. A host that says
// "in balance" beside other figures than it was told speaks of something else.
func (l *Link) balanceOf(m *codec.Message, currency queue.Currency, told isoSums) (queue.Balance, error) {
	code, _ := m.Text(39)
	r := l.opts.Codes(code)
	said := queue.Balance(0)
	if v, ok := m.Text(66); ok && l.opts.Style == ISO1987 {
		n, _ := strconv.Atoi(v)
		said = map[int]queue.Balance{1: queue.Balanced, 2: queue.NotBalanced, 3: queue.BalanceError}[n]
	} else if r.Class == codec.Mismatch {
		said = queue.NotBalanced
	} else if r.Approved() {
		said = queue.Balanced
	}
	switch {
	case said == 0 && code == "":
		return 0, &AnswerError{Type: m.Type(), DE: 39}
	case said == 0:
		return 0, &LineError{During: m.Type().Unrepeated().String(), Reason: refusal(r), Code: code}
	case r.Temporary():
		return 0, &LineError{During: m.Type().String(), Reason: HostBusy, Code: code}
	}
	if said == queue.Balanced && !echoes(m, currency, told) {
		return queue.NotBalanced, nil
	}
	return said, nil
}

// echoes tells whether what the host repeats of the totals is what it was told.
func echoes(m *codec.Message, currency queue.Currency, told isoSums) bool {
	if v, ok := m.Text(50); ok && v != currency.Numeric() {
		return false
	}
	for de, v := range told.fields() {
		if got, ok := m.Text(de); ok && got != v {
			return false
		}
	}
	return true
}

// adviseDetail tells the host the entry by an advice (0220), under the entry's
// own trace number and time.
func (l *Link) adviseDetail(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	if e.Kind == queue.Reversal {
		return queue.Answer{}, fmt.Errorf("detail of entry %d: %w", e.ID, missing("a reversal is not uploaded"))
	}
	e.Repeat = true // as the host may have it
	m, err := l.isoMessage(e, queue.Advice)
	if err != nil {
		return queue.Answer{}, fmt.Errorf("detail of entry %d: %w", e.ID, err)
	}
	in, err := l.manage(ctx, func(context.Context) (*codec.Message, error) { return m, nil })
	return l.coded(in, err, ofEntry)
}
