package queue

import (
	"context"
	"errors"
)

// takeLate journals the answers that came after their wait had ended. One for
// an entry whose next attempt is under way is left out: that attempt has an
// answer of its own.
func (q *Queue) takeLate(ctx context.Context, l Lane, up Uplink) error {
	source, ok := up.(LateAnswerer)
	if !ok {
		return nil
	}
	late := source.LateAnswers()
	if len(late) == 0 {
		return nil
	}
	return q.update(context.WithoutCancel(ctx), func(v *fileView) error {
		for _, a := range late {
			e, err := v.entry(a.ID)
			if errors.Is(err, ErrNotFound) {
				continue
			} else if err != nil {
				return err
			}
			if e.Lane != l || e.STAN != a.STAN || q.lines.claimed(l, a.ID) || (e.State != InDoubt && !e.State.Final()) {
				continue
			}
			if err := v.apply(event{kind: evAnswered, id: a.ID, answer: clip(a.Answer)}); err != nil {
				return err
			}
			if e.Kind != Reversal || e.State != InDoubt {
				continue
			}
			if e, err = v.entry(a.ID); err != nil {
				return err
			}
			if e.State == Accepted {
				if err := v.presentAnew(e); err != nil {
					return err
				}
			}
		}
		return nil
	})
}
