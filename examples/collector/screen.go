package main

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/ledger"
)

// screen shows the ledger as it grows, a line for each booking.
type screen struct {
	l     *ledger.Ledger
	w     words
	mu    sync.Mutex
	out   io.Writer
	after uint64 // the last position that was shown
	aside map[ledger.Identity]bool
	wake  chan struct{}
}

func newScreen(l *ledger.Ledger, w words, out io.Writer) *screen {
	return &screen{l: l, w: w, out: out, aside: map[ledger.Identity]bool{}, wake: make(chan struct{}, 1)}
}

func (s *screen) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(s.out, format+"\n", args...)
}

// look tells the screen that there may be something new.
func (s *screen) look() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// catchUp passes over what was booked in earlier runs.
func (s *screen) catchUp(ctx context.Context) error {
	entries, journals := uint64(0), 0
	for h, err := range s.l.Journals(ctx) {
		if err != nil {
			return err
		}
		entries += h.Entries
		journals++
	}
	last, err := s.l.Last(ctx)
	if err != nil {
		return err
	}
	s.after = max(s.after, last)
	s.say(s.w.total, entries, journals)
	return nil
}

// follow shows what is new until ctx is done.
func (s *screen) follow(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.wake:
		}
		for b, err := range s.l.All(ctx, s.after) {
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			s.after = b.Position
			s.show(b)
		}
		for c, err := range s.l.Conflicts(ctx, [16]byte{}) {
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			if !s.aside[c.Entry] {
				s.aside[c.Entry] = true
				s.conflict(c)
			}
		}
	}
}

func (s *screen) show(b ledger.Booking) {
	e := b.Entry
	op := s.w.ops[e.Op]
	if e.Kind == queue.Reversal {
		op = s.w.reversal
	}
	result := s.w.booked
	switch {
	case b.State == queue.Reversed:
		result = s.w.reversed
	case b.State != queue.Accepted:
		result = fmt.Sprintf(s.w.refusedBy, b.Answer.Code)
	}
	amount := ""
	if e.Op != queue.Report {
		amount = e.Amount.String()
	}
	s.say("%s  %s %s %14s  %s %.40q", b.Booked.Local().Format(time.TimeOnly), wide(b.Device, 12), wide(op, 10), amount, wide(result, 12), e.Ref)
}

// wide fills s up to n columns, of which a Chinese character takes two.
func wide(s string, n int) string { return runewidth.FillRight(s, n) }

func (s *screen) conflict(c ledger.Conflict) {
	s.say(s.w.conflict, c.Device, c.Amount, c.Entry.Sequence, c.Ref, s.w.whys[c.Why])
}

func (s *screen) conflicts(ctx context.Context) error {
	n := 0
	for c, err := range s.l.Conflicts(ctx, [16]byte{}) {
		if err != nil {
			return err
		}
		n++
		s.conflict(c)
	}
	if n == 0 {
		s.say("%s", s.w.none)
	}
	return nil
}

// list shows each journal: its device, its id, and what the ledger has of it.
func (s *screen) list(ctx context.Context) error {
	n := 0
	for h, err := range s.l.Journals(ctx) {
		if err != nil {
			return err
		}
		n++
		s.say("%s %s  %d %s", wide(h.Devices[0], 12), wire.JournalID(h.Journal), h.Entries, s.w.entries)
	}
	if n == 0 {
		s.say("%s", s.w.none)
	}
	return nil
}
