package ledger

import (
	"context"
	"slices"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/reconcile/agree"
)

// Agree answers a message of package agree, which a device sends to find out
// where the journal that the message names differs from the ledger. All that was
// answered before the call is in what it says. A journal that the ledger does
// not know is an empty one. A device of an older epoch is answered, too: it
// learns what is here, and books nothing by it.
//
// Errors: ErrForeign, agree.ErrMessage, a *LimitError for a journal of too wide
// gaps, ErrBusy while another message or receipt of the device is being worked
// at, those of the engine.
func (l *Ledger) Agree(ctx context.Context, device string, message []byte) ([]byte, error) {
	about, err := agree.Head(message)
	if err != nil {
		return nil, err
	}
	alone, err := l.alone(device)
	if err != nil {
		return nil, err
	}
	defer alone()
	journal, known := about.Journal, false
	err = l.engine.View(ctx, func(tx Tx) error {
		var b journalBook
		b, known, err = loadBook(tx, journal)
		if err == nil && known && !slices.Contains(b.Devices, device) {
			return ErrForeign
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if !known {
		return agree.Answer(ctx, message, &agree.Half{}, func(uint64) ([]agree.Held, error) { return nil, nil })
	}
	var out []byte
	err = l.withHalf(ctx, journal, func(h *agree.Half) (err error) {
		out, err = agree.Answer(ctx, message, h, func(seq uint64) ([]agree.Held, error) {
			return l.held(ctx, journal, queue.ID(seq))
		})
		return err
	})
	return out, err
}

// alone lets a device ask for one thing at a time that takes long.
func (l *Ledger) alone(device string) (done func(), err error) {
	k := []string{string(key('x', []byte(device)))}
	if !l.busy.take(k) {
		return nil, ErrBusy
	}
	return func() { l.busy.give(k) }, nil
}

func (l *Ledger) held(ctx context.Context, journal [16]byte, seq queue.ID) ([]agree.Held, error) {
	all, err := l.At(ctx, journal, seq)
	var out []agree.Held
	for _, b := range all {
		out = append(out, agree.Held{Canonical: b.Canonical(nil), Epoch: b.Epoch, Stands: b.State == queue.Accepted, Booked: b.Booked})
	}
	return out, err
}
