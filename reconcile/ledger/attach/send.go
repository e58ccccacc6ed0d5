package attach

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/ledger/client"
)

// Sender sends what waits in an outbox to the journal's ledger.
type Sender struct {
	Outbox  *Outbox
	Client  *client.Client
	Journal *queue.Queue
	// Lanes are those that go before any attachment: while one of them has an
	// entry pending or in doubt nothing is sent, and what is under way is broken
	// off. None: every lane of the journal.
	Lanes []queue.Lane
	// Part is how many bytes go in one request. Default 64 KiB.
	Part int
	// Pause is how long Run waits after a failure, and at most before it looks
	// again. Default 30 s.
	Pause time.Duration
	// OnSent is called for each attachment that the ledger has, and OnError for
	// what went wrong with one; both may be nil and must not call the Sender.
	OnSent  func(Item)
	OnError func(Item, error)
}

// ErrWaits means that nothing was sent because entries wait.
var ErrWaits = errors.New("entries go first")

// tries bounds how often the bytes of one attachment are sent anew in one call
// because the ledger had others.
const tries = 3

// Run sends what waits, and what is added later, until ctx is done, and returns
// ctx.Err(). A failure is told to OnError and followed by a pause.
func (s *Sender) Run(ctx context.Context) error {
	pause := s.Pause
	if pause <= 0 {
		pause = 30 * time.Second
	}
	wake := make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(ctx)
	watched := make(chan struct{})
	defer func() { cancel(); <-watched }()
	go func() {
		defer close(watched)
		for range s.Journal.Watch(ctx) {
			select {
			case wake <- struct{}{}:
			default:
			}
		}
	}()
	for {
		err := s.Send(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		wait := pause
		var p *wire.Problem
		if errors.As(err, &p) && p.RetryAfter > wait {
			wait = p.RetryAfter
		}
		timer := time.NewTimer(wait)
		sooner, added := wake, s.Outbox.new
		if err != nil && !errors.Is(err, ErrWaits) {
			sooner, added = nil, nil // neither a sale nor a photo mends the line
		}
		select {
		case <-ctx.Done():
		case <-sooner:
		case <-added:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// Send sends all that waits, once, and returns nil when nothing waits any more.
// It goes on where the ledger has it, to the byte, whatever ended the call
// before: a lost line, a crash, an entry that went first. An attachment leaves
// the outbox when the ledger has all of it, checked against its hash.
//
// Errors: ErrWaits; the first error of an attachment, with the others tried all
// the same where it was that attachment's own; ctx.Err().
func (s *Sender) Send(ctx context.Context) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	items, err := s.Outbox.Items()
	if err != nil {
		return err
	}
	var first error
	for _, it := range items {
		err := s.sendOne(ctx, it)
		switch {
		case err == nil:
			if s.OnSent != nil {
				s.OnSent(it)
			}
			continue
		case errors.Is(err, ErrWaits), ctx.Err() != nil:
			return err
		}
		if s.OnError != nil {
			s.OnError(it, err)
		}
		if first == nil {
			first = err
		}
		if !ofItem(err) {
			return first
		}
	}
	return first
}

// ofItem tells whether the next attachment may fare better.
func ofItem(err error) bool {
	var p *wire.Problem
	return errors.Is(err, ErrDamaged) || (errors.As(err, &p) && (p.Status == http.StatusBadRequest || p.Status == http.StatusUnprocessableEntity ||
		p.Status == http.StatusForbidden || p.Status == http.StatusTooManyRequests))
}

func (s *Sender) sendOne(ctx context.Context, it Item) error {
	data, err := s.Outbox.read(it)
	if err != nil {
		return err
	}
	if err := s.idle(ctx); err != nil {
		return err
	}
	have, complete, err := s.Client.Announce(ctx, it.Entry, it.Hash, it.Size, it.Type)
	for anew := 0; err == nil && !complete; {
		if err = s.idle(ctx); err != nil {
			break
		}
		have, complete, err = s.part(ctx, it, data, have)
		var p *wire.Problem
		if errors.As(err, &p) && p.Status == http.StatusUnprocessableEntity && anew < tries {
			anew++
			have, err = 0, nil
		}
	}
	if err != nil {
		return fmt.Errorf("attachment of entry %d, %d of %d bytes sent: %w", it.Entry, have, it.Size, err)
	}
	return s.Outbox.sent(it)
}

// part sends one part from have on. It is broken off when an entry comes that
// goes first: the ledger keeps the bytes that have arrived.
func (s *Sender) part(ctx context.Context, it Item, data []byte, have int64) (now int64, complete bool, err error) {
	if have > it.Size {
		return have, false, fmt.Errorf("the ledger has %d bytes of %d", have, it.Size)
	}
	size := int64(s.Part)
	if size <= 0 {
		size = 64 << 10
	}
	ctx, giveWay := context.WithCancelCause(ctx)
	var beside sync.WaitGroup
	beside.Go(func() { s.mind(ctx, giveWay) })
	end := min(have+size, it.Size)
	now, complete, ok, err := s.Client.Part(ctx, it.Hash, have, bytes.NewReader(data[have:end]))
	if err != nil && errors.Is(context.Cause(ctx), ErrWaits) {
		err = ErrWaits
	}
	giveWay(nil)
	beside.Wait()
	if err != nil {
		return have, false, err
	}
	if ok && now <= have && !complete {
		return have, false, errors.New("the ledger took no byte")
	}
	return now, complete, nil
}

// lookAgain is how long a part goes on at most beside an entry that came in the
// moment in which the watch of the journal began.
const lookAgain = time.Second

// mind calls giveWay with ErrWaits when an entry comes that goes first.
func (s *Sender) mind(ctx context.Context, giveWay context.CancelCauseFunc) {
	changed := make(chan struct{}, 1)
	var watching sync.WaitGroup
	defer watching.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watching.Go(func() {
		for range s.Journal.Watch(ctx) {
			select {
			case changed <- struct{}{}:
			default:
			}
		}
	})
	again := time.NewTicker(lookAgain)
	defer again.Stop()
	for {
		select {
		case <-changed:
		case <-again.C:
		case <-ctx.Done():
			return
		}
		if s.idle(ctx) != nil {
			giveWay(ErrWaits)
			return
		}
	}
}

// idle returns ErrWaits while an entry goes first.
func (s *Sender) idle(ctx context.Context) error {
	all, err := s.Journal.Backlogs(ctx)
	if err != nil {
		return err
	}
	for _, b := range all {
		if b.Waiting > 0 && s.mine(b.Lane) {
			return ErrWaits
		}
	}
	return nil
}

func (s *Sender) mine(l queue.Lane) bool {
	for _, x := range s.Lanes {
		if x == l {
			return true
		}
	}
	return len(s.Lanes) == 0
}
