package handset

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/tallystick/tallystick/queue"
)

// command is one that the handset obeys: how many arguments it takes, what they
// are, and what carries it out.
type command struct {
	usage string
	args  int
	run   func(h *handset, ctx context.Context, args []string) error
}

func commands() map[string]command {
	return map[string]command{
		"card":    {"card REF AMOUNT", 2, sale(queue.CardTender)},
		"qr":      {"qr REF AMOUNT", 2, sale(queue.QR)},
		"cash":    {"cash REF AMOUNT", 2, sale(queue.Cash)},
		"void":    {"void REF OF", 2, void},
		"refund":  {"refund REF OF AMOUNT", 3, refund},
		"show":    {"show REF", 1, show},
		"offline": {"offline", 0, offline},
		"online":  {"online", 0, online},
		"status":  {"status", 0, status},
		"settle":  {"settle", 0, settle},
		"help":    {"help", 0, help},
		"arm":     {"arm TRAP N", 2, arm},
		"disarm":  {"disarm TRAP", 1, disarm},
	}
}

// obey carries out one command and writes its answer. The error is one after
// which the handset cannot go on; what the caller got wrong is an answer.
func (h *handset) obey(ctx context.Context, args []string) error {
	c, known := commands()[args[0]]
	if !known {
		h.mistake(h.words.unknown, clipped(args[0]))
		return nil
	}
	if len(args)-1 != c.args {
		h.mistake(h.words.usage, c.usage)
		return nil
	}
	if err := c.run(h, ctx, args[1:]); err != nil {
		return err
	}
	return h.tellReversals(ctx)
}

// mistake answers what was not understood.
func (h *handset) mistake(format string, args ...any) {
	h.say(newLine(WordError).with("why", fmt.Sprintf(format, args...)))
}

// clipped bounds what of a caller's word is repeated to him, so that a card
// number typed by mistake is not.
func clipped(s string) string {
	if len(s) > 10 {
		return s[:6] + "…"
	}
	return s
}

// answer writes what is told of a ref.
func (h *handset) answer(a Answer) { h.say(a.Line()) }

// tell writes what is told of an entry, or why err refused it. A refusal
// changes nothing in the journal; any other error is returned.
func (h *handset) tell(ctx context.Context, asked Answer, e queue.Entry, err error) error {
	if err == nil || errors.Is(err, queue.ErrInDoubt) && !errors.Is(err, queue.ErrNotSynced) {
		if e.State == queue.InDoubt && e.Kind == queue.Request {
			h.doubts[e.ID] = e.Ref
		}
		a := answerOf(e)
		if e.Original != 0 {
			orig, err := h.q.Get(ctx, e.Original)
			if err != nil {
				return err
			}
			a.Of = orig.Ref
		}
		h.answer(a)
		return nil
	}
	var invalid *queue.InvalidError
	refused := []error{queue.ErrState, queue.ErrNotFound, queue.ErrConflict, queue.ErrNumbers}
	if !errors.As(err, &invalid) && !slices.ContainsFunc(refused, func(r error) bool { return errors.Is(err, r) }) {
		return err
	}
	asked.State, asked.Why = Refused, err.Error()
	h.answer(asked)
	return nil
}

func show(h *handset, ctx context.Context, args []string) error {
	if h.badRef(args[0]) {
		return nil
	}
	e, err := h.q.ByRef(ctx, args[0])
	return h.tell(ctx, Answer{Ref: args[0]}, e, err)
}

func offline(h *handset, ctx context.Context, _ []string) error {
	h.network(true)
	return status(h, ctx, nil)
}

func online(h *handset, ctx context.Context, _ []string) error {
	h.traps.disarm(TrapTunnel)
	h.network(false)
	return status(h, ctx, nil)
}

func status(h *handset, ctx context.Context, _ []string) error {
	l, err := h.counts(ctx, newLine(WordStatus).with("line", lineState(h.wire.isOff())))
	if err != nil {
		return err
	}
	h.say(l.number("doubt", int64(len(h.doubts))))
	return nil
}

func help(h *handset, _ context.Context, _ []string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Fprintln(h.out, h.words.help)
	return nil
}

func arm(h *handset, _ context.Context, args []string) error {
	pass, err := strconv.Atoi(args[1])
	if t := Trap(args[0]); err == nil && pass >= 0 && slices.Contains(traps, t) {
		h.traps.arm(t, pass)
		h.say(newLine(WordStatus).with("armed", args[0]))
		return nil
	}
	h.mistake(h.words.usage, "arm TRAP N")
	return nil
}

func disarm(h *handset, _ context.Context, args []string) error {
	h.traps.disarm(Trap(args[0]))
	h.say(newLine(WordStatus).with("disarmed", args[0]))
	return nil
}
