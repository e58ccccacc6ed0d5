package handset

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/isolink"
	"github.com/tallystick/tallystick/reconcile"
)

// What a lane's trouble is about.
type trouble string

const (
	aboutLine     trouble = "line"
	aboutSettling trouble = "settling"
)

// complain tells of a trouble once, until it is over or becomes another. No
// error ends it. What the end of the program or a line that was switched off
// brings about is none.
func (w *watched) complain(ctx context.Context, a trouble, err error) {
	ended := errors.Is(ctx.Err(), context.Canceled) || a == aboutSettling && ctx.Err() != nil
	if err != nil && (ended || w.off()) {
		return
	}
	sentence := ""
	if err != nil {
		sentence = w.words.why(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.told[a] == sentence {
		return
	}
	w.told[a] = sentence
	if sentence != "" {
		w.warn(a, sentence)
	}
}

// beside is the link as the settlements beside the commands use it.
type beside struct{ *watched }

func (b beside) EndBatch(ctx context.Context, batch queue.Batch, balanced bool, records int) (queue.Answer, error) {
	b.end(true)
	a, err := b.watched.EndBatch(ctx, batch, balanced, records)
	if err != nil {
		b.end(false)
	}
	return a, err
}

func (w *watched) end(ending bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ending = ending
}

// settled takes note of how a settlement beside the command settle went: the
// next one tells what does not agree.
func (w *watched) settled(ctx context.Context, err error) {
	var different *reconcile.OutOfBalanceError
	w.mu.Lock()
	w.ending = false
	if errors.As(err, &different) && !w.answered[different.Batch] {
		w.untold[different.Batch] = err
	}
	w.mu.Unlock()
	w.complain(ctx, aboutSettling, err)
}

// answers takes note that the command settle tells of err.
func (w *watched) answers(err error) {
	var different *reconcile.OutOfBalanceError
	if !errors.As(err, &different) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answered[different.Batch] = true
	delete(w.untold, different.Batch)
}

// unsaid returns what no settle command has told yet. A settlement that is just
// ending beside it is waited for: noted is rung when settled knows of it.
func (w *watched) unsaid(ctx context.Context, noted *bell) error {
	for {
		rung := noted.listen()
		w.mu.Lock()
		ending, untold := w.ending, slices.Collect(maps.Values(w.untold))
		w.mu.Unlock()
		if len(untold) > 0 {
			return untold[0]
		}
		if !ending {
			return nil
		}
		select {
		case <-rung:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// warn writes a sentence about a lane to standard error.
func (h *handset) warn(lane queue.Lane, a trouble, sentence string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cfg.errs == nil {
		return
	}
	format := h.words.noLine
	if a == aboutSettling {
		format = h.words.noSettlement
	}
	fmt.Fprintf(h.cfg.errs, "handset: "+format+"\n", lane.Terminal, sentence)
}

// why says what err means to the person at the handset.
func (w *words) why(err error) string {
	var line *isolink.LineError
	var different *reconcile.OutOfBalanceError
	var outstanding *queue.OutstandingError
	switch {
	case errors.As(err, &line) && w.line[line.Reason] != "":
		if line.Code != "" {
			return fmt.Sprintf(w.code, w.line[line.Reason], line.Code)
		}
		return w.line[line.Reason]
	case errors.As(err, &different):
		return fmt.Sprintf(w.different, different.Batch.N, different.Different)
	case errors.As(err, &outstanding):
		return fmt.Sprintf(w.outstanding, outstanding.Batch.N, outstanding.Entries)
	case errors.Is(err, queue.ErrUnsendable):
		return fmt.Sprintf(w.unsendable, err)
	}
	return err.Error()
}
