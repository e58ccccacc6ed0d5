package queue

import (
	"context"
	"slices"
	"time"
)

// OutagePlan says what goes to another host while one cannot be reached, and
// when. Only sales that were never attempted ever go: what was attempted stays
// with its host, so that no order of failures and returns books one twice.
type OutagePlan struct {
	// Name stands in the log with every move, 1 to 64 bytes.
	Name string
	// From is the lane whose host may be away, To the lane of another host.
	From, To Lane
	// After is for how long the background of From must have failed, with no
	// answer in between. Default 10 min. It is also what keeps a host that comes
	// and goes from moving entries to and fro: each outage counts anew.
	After time.Duration
	// Tenders are what moves; none: every tender.
	Tenders []Tender
	// Max bounds a sale that moves, in minor units; a currency that it does not
	// name does not move. Nil: every amount.
	Max map[Currency]int64
	// AtRisk lets what AppendAtRisk journalled move, too: the other host then
	// decides about it.
	AtRisk bool
	// Return lets what the plan has moved, and what was still never attempted
	// there, go back when From answers again while To fails.
	Return bool
}

const defaultOutage = 10 * time.Minute

func (p OutagePlan) validate() error {
	if err := validMove(p.To, p.Name, ""); err != nil {
		return err
	}
	if err := validMove(p.From, p.Name, ""); err != nil {
		return err
	}
	if p.From == p.To {
		return invalid("To", "is the lane that the plan is to leave")
	}
	return nil
}

// covers tells whether the plan moves e.
func (p OutagePlan) covers(e Entry) bool {
	if movable(e) != nil || (e.Deferred && !p.AtRisk) {
		return false
	}
	if len(p.Tenders) > 0 && !slices.Contains(p.Tenders, e.Tender) {
		return false
	}
	most, named := p.Max[e.Amount.Currency]
	return p.Max == nil || (named && e.Amount.Minor <= most)
}

// Failover applies a plan until ctx is done or the journal is closed, and
// returns ctx.Err() or ErrClosed, or an *InvalidError for the plan. It goes by
// how the Forward of each lane gets on, so both must run. While From is out,
// what the plan covers moves as soon as a try for it has failed; a new entry is
// tried there first. A planned pause is no outage, and nothing moves to a lane
// that fails itself. Where that is not known, because To has not answered for so
// long as After, and a minute, one entry goes ahead, and the others behind its
// answer: a device without any network leaves them where they are. moved, which may be nil, is told of each entry after its
// move is synced.
//
// A crash at any point leaves each entry in one lane. After a restart the
// failures of before count.
func (q *Queue) Failover(ctx context.Context, plan OutagePlan, moved func(Entry)) error {
	if err := plan.validate(); err != nil {
		return err
	}
	if plan.After <= 0 {
		plan.After = defaultOutage
	}
	if moved == nil {
		moved = func(Entry) {}
	}
	from, err := q.paces.of(q, plan.From)
	if err != nil {
		return err
	}
	to, err := q.paces.of(q, plan.To)
	if err != nil {
		return err
	}
	for {
		_, _, tried, fromChanged := from.wait()
		_, _, _, toChanged := to.wait()
		next := lookAgain
		failures, since := from.failing()
		switch {
		case failures > 0 && !to.struggling() && !q.held(plan.From, from):
			if left := plan.After - time.Since(since); left > 0 {
				next = left
				break
			}
			out := q.moveAll
			if !to.heardWithin(max(plan.After, time.Minute)) {
				out = q.moveScout
			}
			err = out(ctx, plan.From, plan.To, plan.Name, "its host cannot be reached", moved, func(e Entry) bool {
				return e.ID <= tried && plan.covers(e)
			})
		case failures == 0 && plan.Return && to.struggling():
			err = q.moveAll(ctx, plan.To, plan.From, plan.Name, "its own host answers again", moved, func(e Entry) bool {
				return e.Home == plan.From && plan.covers(e)
			})
		}
		if isClosed(err) || ctx.Err() != nil {
			return firstError(ctx.Err(), err)
		}
		if err != nil {
			q.opts.Log.Warn("moving entries failed", "plan", plan.Name, "error", err)
			err = nil
		}
		if err := q.sleep(ctx, next, fromChanged, toChanged); err != nil {
			return err
		}
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// moveStep bounds how many entries move in one commit.
const moveStep = 64

// moveAll moves what choose chooses of a lane's waiting sales.
func (q *Queue) moveAll(ctx context.Context, from, to Lane, plan, why string, moved func(Entry), choose func(Entry) bool) error {
	for {
		n, err := q.moveSome(ctx, from, to, plan, why, moveStep, moved, choose)
		if err != nil || n == 0 {
			return err
		}
	}
}

// moveScout moves one of them, unless one that it moved before still waits.
func (q *Queue) moveScout(ctx context.Context, from, to Lane, plan, why string, moved func(Entry), choose func(Entry) bool) error {
	var out []ID
	err := q.read(func(v *fileView) (err error) {
		l, err := v.laneOf(to)
		if err != nil {
			return ignoreNotFound(err)
		}
		out, err = v.chosen(l, 1, func(e Entry) bool { return e.Home == from })
		return err
	})
	if err != nil || len(out) > 0 {
		return err
	}
	_, err = q.moveSome(ctx, from, to, plan, why, 1, moved, choose)
	return err
}

// moveSome moves at most so many of them, in one commit, and tells how many.
func (q *Queue) moveSome(ctx context.Context, from, to Lane, plan, why string, most int, moved func(Entry), choose func(Entry) bool) (n int, err error) {
	free := func(e Entry) bool { return choose(e) && !q.lines.claimed(from, e.ID) }
	var any []ID
	err = q.read(func(v *fileView) error {
		l, err := v.laneOf(from)
		if err != nil {
			return ignoreNotFound(err)
		}
		any, err = v.chosen(l, 1, free)
		return err
	})
	if err != nil || len(any) == 0 {
		return 0, err
	}
	var out []Entry
	err = q.update(ctx, func(v *fileView) error {
		out = nil
		l, err := v.laneOf(from)
		if err != nil {
			return ignoreNotFound(err)
		}
		ids, err := v.chosen(l, most, free)
		if err != nil {
			return err
		}
		for _, id := range ids {
			e, err := v.entry(id)
			if err != nil {
				return err
			}
			if err := q.moveTo(v, e, to, plan, why); err != nil {
				return err
			}
			if e, err = v.entry(id); err != nil {
				return err
			}
			out = append(out, e)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, e := range out {
		moved(e)
	}
	return len(out), nil
}

// chosen are at most so many of a lane's waiting requests and advices.
func (v *fileView) chosen(l laneRecord, most int, choose func(Entry) bool) (ids []ID, err error) {
	for _, class := range []byte{classRequest, classAdvice} {
		err = v.eachWork(l, class, func(id ID) (bool, error) {
			e, err := v.entry(id)
			if err == nil && choose(e) {
				ids = append(ids, id)
			}
			return len(ids) < most, err
		})
		if err != nil || len(ids) == most {
			return ids, err
		}
	}
	return ids, nil
}
