package reconcile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tallystick/tallystick/queue"
)

// Result is how a batch was settled.
type Result struct {
	Batch  queue.BatchID
	Totals queue.Totals
	// Others are the totals of the batch's other currencies, where the host is
	// PerCurrency.
	Others []queue.Totals
	// Records is how many entries the totals count.
	Records int
	// Balanced says that the host had the same totals at once; no details were
	// uploaded then.
	Balanced bool
	// Mended are the entries that the host lacked and took from the upload, the
	// first 3,000 of them.
	Mended []queue.ID
	// Different are the entries that the host has with other content, the first
	// 3,000 of them.
	Different []queue.ID
	// Left says that the host had left the batch by itself and said nothing of its
	// end: what it has of it only its statement tells.
	Left bool
}

// ErrWithoutHost is returned for a batch that was recorded as settled without
// its host having been told: nothing can be said of a balance.
var ErrWithoutHost = errors.New("the batch was settled without telling its host")

// OutOfBalanceError says that the host has closed the batch and the two sides
// do not agree: a person has to look at the entries.
type OutOfBalanceError struct {
	Batch queue.BatchID
	// Different are the entries that the host has with other content. When
	// there are none, and it has not Left, the host has entries that this device
	// does not know.
	Different []queue.ID
	// Left says that the host has left the batch by itself, with its totals not
	// equal: what it has of it only its statement tells.
	Left bool
	// Mended are the entries that the host lacked and took from the upload.
	Mended []queue.ID
}

func (e *OutOfBalanceError) Error() string {
	if e.Left {
		return fmt.Sprintf("batch %s is out of balance: the host has left it and says no more of it: compare its statement", e.Batch)
	}
	if len(e.Different) == 0 {
		return fmt.Sprintf("batch %s is out of balance: the host has something that is not in it", e.Batch)
	}
	ids := make([]string, len(e.Different))
	for i, id := range e.Different {
		ids[i] = fmt.Sprint(id)
	}
	return fmt.Sprintf("batch %s is out of balance: the host has other content for entries %s",
		e.Batch, strings.Join(ids, ", "))
}

// Settle settles the closed batch b with its host: it drains what is fenced,
// tells the totals, uploads the details one by one where the host's totals
// differ, tells the end, and records the batch as settled. Each step is synced
// before the next begins, so that after a crash, a lost line or an ended ctx
// at any point the same call goes on from there; for a batch that is settled it
// returns the same Result again and sends nothing.
//
// A batch that the host left by itself (queue.Batch.Superseded) is settled like
// any other. One that it will not speak of any more is out of balance, but where
// it had said that the totals are equal: hold its statement against the journal.
// A host that ends each call with its error leaves that to a person, too, who
// records the batch by queue.SettleBatch.
//
// Errors: ErrWithoutHost for a batch that queue.SettleBatch settled by itself;
// queue.ErrState for an open batch (CloseBatch it first);
// *queue.OutstandingError while an entry is parked (I6); *OutOfBalanceError,
// with the Result, when the batch is settled but the sides differ; ErrOverflow,
// ErrCurrencies; ctx.Err() and the host's own errors, after which Settle is to
// be called again.
func Settle(ctx context.Context, q *queue.Queue, b queue.BatchID, h Host) (Result, error) {
	batch, err := q.Batch(ctx, b)
	if err != nil {
		return Result{}, err
	}
	p, err := decodeProgress(batch.Progress)
	if err != nil {
		return Result{}, fmt.Errorf("batch %s: %w", b, err)
	}
	if batch.State == queue.BatchOpen {
		return Result{}, fmt.Errorf("batch %s is open: %w: close it first", b, queue.ErrState)
	}
	if batch.State == queue.BatchSettled {
		return p.result(b)
	}
	s := settlement{q: q, host: h, id: b}
	if p.stage == begun {
		if err := q.Drain(ctx, b.Lane, h); err != nil {
			return Result{}, err
		}
	}
	if err := q.WithLane(ctx, b.Lane, func() error { return s.run(ctx) }); err != nil {
		return Result{}, err
	}
	return s.progress.result(b)
}

func (p progress) result(b queue.BatchID) (Result, error) {
	if p.stage != ended {
		return Result{Batch: b}, fmt.Errorf("batch %s: %w", b, ErrWithoutHost)
	}
	r := Result{Batch: b, Totals: p.totals, Records: p.records, Balanced: p.balanced(), Mended: p.mended, Different: p.different, Left: p.left}
	for _, x := range p.more {
		r.Others = append(r.Others, x.totals)
	}
	if !p.agreed {
		return r, &OutOfBalanceError{Batch: b, Different: p.different, Mended: p.mended, Left: p.left}
	}
	return r, nil
}

// settlement is one call's way through the steps.
type settlement struct {
	q        *queue.Queue
	host     Host
	id       queue.BatchID
	batch    queue.Batch
	progress progress
}

func (s *settlement) save(ctx context.Context, st stage) error {
	s.progress.stage = st
	return s.q.SaveProgress(ctx, s.id, s.progress.encode())
}

// run takes the steps that are left. Only the host's messages and the saving
// of what came of them happen here.
func (s *settlement) run(ctx context.Context) error {
	var err error
	if s.batch, err = s.q.Batch(ctx, s.id); err != nil {
		return err
	}
	// Another call may have gone on with it before the lane was ours.
	if s.progress, err = decodeProgress(s.batch.Progress); err != nil || s.batch.State == queue.BatchSettled {
		return err
	}
	if err := s.q.Outstanding(ctx, s.id); err != nil {
		return err
	}
	heard, err := s.heard(ctx)
	if err != nil {
		return err
	}
	if !heard {
		s.progress.agreed = true
		if err := s.save(ctx, ended); err != nil {
			return err
		}
		return s.q.SettleBatch(ctx, s.id)
	}
	if p, ok := s.host.(queue.Preparer); ok {
		if _, err := p.Prepare(ctx); err != nil {
			return err
		}
	}
	for s.progress.stage < ended {
		if err := s.next(ctx); err != nil {
			return fmt.Errorf("settling batch %s: %w", s.id, err)
		}
	}
	return s.q.SettleBatch(ctx, s.id)
}

// heard tells whether anything of the batch can have reached the host.
func (s *settlement) heard(ctx context.Context) (bool, error) {
	for e, err := range s.q.All(ctx, queue.Filter{Batch: s.id}) {
		if err != nil || e.Attempts > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

func (s *settlement) next(ctx context.Context) error {
	switch s.progress.stage {
	case begun:
		return s.total(ctx)
	case totalling:
		return s.sendTotals(ctx)
	case uploading:
		return s.upload(ctx)
	}
	return s.end(ctx)
}

// total freezes the totals.
func (s *settlement) total(ctx context.Context) error {
	all, records, err := TotalsByCurrency(ctx, s.q, s.id, s.host.Foreign)
	if err != nil {
		return err
	}
	if h, ok := s.host.(PerCurrency); len(all) > 1 && (!ok || !h.PerCurrency()) {
		return ErrCurrencies
	}
	parts := make([]part, max(1, len(all)))
	for i, t := range all {
		parts[i].totals = t
	}
	s.progress.setParts(parts)
	s.progress.records = records
	return s.save(ctx, totalling)
}

// sendTotals may run again after a crash: the host knows the batch by its
// number and changes nothing when it is asked twice.
func (s *settlement) sendTotals(ctx context.Context) error {
	parts := s.progress.parts()
	for i := range parts {
		var err error
		x := &parts[i]
		if x.inland, x.foreign, err = s.host.SendTotals(ctx, s.batch, x.totals); err != nil {
			return err
		}
	}
	s.progress.setParts(parts)
	if s.progress.balanced() {
		return s.save(ctx, ending)
	}
	return s.save(ctx, uploading)
}

// upload sends the details of the groups that differ one by one, in the host's
// order, each marked before the next goes out.
func (s *settlement) upload(ctx context.Context) error {
	cash, err := ofCash(ctx, s.q, s.id)
	if err != nil {
		return err
	}
	ranker, ranked := s.host.(DetailRanker)
	if !ranked && s.progress.rank > 0 { // another host's order: details are known when they come again
		s.progress.rank, s.progress.uploaded = 0, 0
	}
	for ranked && s.progress.rank < maxRank {
		if err := s.uploadRound(ctx, cash, ranker.DetailRank); err != nil {
			return err
		}
		s.progress.rank, s.progress.uploaded = s.progress.rank+1, 0
		if err := s.save(ctx, uploading); err != nil {
			return err
		}
	}
	last := func(queue.Entry) int { return s.progress.rank }
	if ranked {
		last = ranker.DetailRank
	}
	if err := s.uploadRound(ctx, cash, last); err != nil {
		return err
	}
	return s.save(ctx, ending)
}

// uploadRound sends the details of one rank.
func (s *settlement) uploadRound(ctx context.Context, cash bool, rank func(queue.Entry) int) error {
	if s.progress.left {
		return nil
	}
	for e, err := range s.q.All(ctx, queue.Filter{Batch: s.id, From: s.progress.uploaded + 1}) {
		if err != nil {
			return err
		}
		if !counts(e, cash) || min(max(rank(e), 0), maxRank) != s.progress.rank || s.progress.said(e, s.host.Foreign(e)) == queue.Balanced {
			continue
		}
		a, err := s.host.SendDetail(ctx, s.batch, e)
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.ID, err)
		}
		switch a.Verdict {
		case queue.Approved:
			s.progress.mended = withID(s.progress.mended, e.ID)
		case queue.Duplicate:
		case queue.Refused:
			s.progress.different = withID(s.progress.different, e.ID)
		case queue.NotFound: // and so of all others
			s.progress.left = true
			return nil
		default:
			return fmt.Errorf("entry %d: the host answered %q to its detail, call again", e.ID, a.Code)
		}
		s.progress.uploaded = e.ID
		if err := s.save(ctx, uploading); err != nil {
			return err
		}
	}
	return nil
}

// maxNamed is how many entries of a kind a settlement names: its progress has
// room for no more.
const maxNamed = 3000

func withID(ids []queue.ID, id queue.ID) []queue.ID {
	if len(ids) == maxNamed || slices.Contains(ids, id) {
		return ids
	}
	return append(ids, id)
}

// sayEnd tells the host the end of the batch, in the way that it knows.
func (s *settlement) sayEnd(ctx context.Context) (a queue.Answer, err error) {
	if h, ok := s.host.(TotalsEnder); ok {
		all := queue.Answer{Verdict: queue.Approved}
		for _, x := range s.progress.parts() {
			if a, err = h.EndTotals(ctx, s.batch, x.totals, x.balanced()); err != nil {
				break
			}
			if a.Verdict != queue.Approved && a.Verdict != queue.Duplicate {
				all = a
			}
		}
		if !errors.Is(err, errors.ErrUnsupported) {
			return all, err
		}
	}
	return s.host.EndBatch(ctx, s.batch, s.progress.balanced(), s.progress.records)
}

func (s *settlement) end(ctx context.Context) error {
	a, err := s.sayEnd(ctx)
	if err != nil {
		return err
	}
	switch a.Verdict {
	case queue.Approved, queue.Duplicate:
		s.progress.agreed = len(s.progress.different) == 0
	case queue.Refused:
		s.progress.agreed = false
	case queue.NotFound: // what it said before stands
		s.progress.left, s.progress.agreed = true, s.progress.balanced()
	default:
		return fmt.Errorf("the host answered %q to the end of the batch, call again", a.Code)
	}
	return s.save(ctx, ended)
}
