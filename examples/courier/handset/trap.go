package handset

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tallystick/tallystick/queue"
)

// A Trap is a kind of point in the handset's work. Once one is armed, by the
// command "arm TRAP N", the process writes a mark when it has passed N points
// of the kind and comes to the next, and waits there to be killed.
type Trap string

// The traps.
const (
	TrapAttempt    Trap = "attempt"    // a request: journalled and not yet sent; sent
	TrapAnswer     Trap = "answer"     // a request's answer has come and is not yet journalled
	TrapUpload     Trap = "upload"     // an advice or a detail: not yet sent; answered and not yet journalled
	TrapDetails    Trap = "details"    // the same of a detail of the batch upload only
	TrapSettlement Trap = "settlement" // totals or end message: not yet sent; answered and not yet journalled
	TrapTunnel     Trap = "tunnel"     // a request was sent: no mark, the line goes off
)

var traps = []Trap{TrapAttempt, TrapAnswer, TrapUpload, TrapDetails, TrapSettlement, TrapTunnel}

// armoury keeps the armed traps.
type armoury struct {
	say  func(Line)
	gone <-chan struct{} // closed when nobody is left to kill this process

	mu    sync.Mutex
	armed map[Trap]int
}

func (a *armoury) arm(t Trap, pass int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.armed[t] = pass
}

func (a *armoury) disarm(t Trap) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.armed, t)
}

// springs tells whether t is armed for this point, and disarms it then.
func (a *armoury) springs(t Trap) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	left, armed := a.armed[t]
	if !armed {
		return false
	}
	if left > 0 {
		a.armed[t] = left - 1
		return false
	}
	delete(a.armed, t)
	return true
}

// at is a point of a kind.
func (a *armoury) at(t Trap, point string) {
	if a.springs(t) {
		a.say(newLine(WordMark).with("trap", string(t)).with("at", point))
		<-a.gone
	}
}

// watched is a link whose points the armoury sees.
type watched struct {
	Host
	traps  *armoury
	tunnel func()      // switches the line off
	asking atomic.Bool // a request is with the link
	tell   func(step string, e queue.Entry)
	place  func(e queue.Entry) (place, of int)
	off    func() bool // the line is switched off
	pause  time.Duration
	words  *words
	warn   func(a trouble, sentence string)

	mu       sync.Mutex
	told     map[trouble]string      // the trouble that was told last and is not over
	untold   map[queue.BatchID]error // batches out of balance, settled beside the commands
	answered map[queue.BatchID]bool  // out of balance, told in answer to settle
	ending   bool                    // a settlement beside the commands may have ended, and settled does not know yet
}

// Window hands on how many sends may run at once.
func (w *watched) Window() int {
	if v, ok := w.Host.(queue.Windower); ok {
		return v.Window()
	}
	return 1
}

// Prepare tells why there is no line.
func (w *watched) Prepare(ctx context.Context) (queue.Line, error) {
	line, err := w.Host.Prepare(ctx)
	w.complain(ctx, aboutLine, err)
	return line, err
}

// wrote is called after each write to the host.
func (w *watched) wrote() {
	if !w.asking.Load() {
		return
	}
	w.traps.at(TrapAttempt, "sent")
	if w.traps.springs(TrapTunnel) {
		w.tunnel()
	}
}

func (w *watched) Send(ctx context.Context, e queue.Entry) (queue.Answer, error) {
	switch e.Kind {
	case queue.Request:
		w.traps.at(TrapAttempt, "journalled")
		w.asking.Store(true)
		a, err := w.Host.Send(ctx, e)
		w.asking.Store(false)
		if err == nil {
			w.traps.at(TrapAnswer, "answered")
		}
		return a, err
	case queue.Advice:
		w.traps.at(TrapUpload, "journalled")
		a, err := w.Host.Send(ctx, e)
		if err == nil {
			w.traps.at(TrapUpload, "answered")
		}
		return a, err
	}
	return w.Host.Send(ctx, e)
}
