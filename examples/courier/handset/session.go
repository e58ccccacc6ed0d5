package handset

import (
	"context"
	"errors"
	"io"

	"github.com/tallystick/tallystick/examples/courier/screen"
	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/alarm"
	"github.com/tallystick/tallystick/queue/isolink"
	"github.com/tallystick/tallystick/queue/network"
	"github.com/tallystick/tallystick/queue/routes"
)

// The lines to the host, as events name them.
const (
	Primary = "primary"
	Backup  = "backup"
)

// holdLooks is for how many of the longest pauses a line that was left stays
// out of use, and a figure must be low before its warning is cleared.
const holdLooks = 5

// lines are the ways to the host, under the one session of a lane: a change of
// line costs no sign-in.
func (h *handset) lines(lane queue.Lane, wrote func()) (*routes.Dialer, error) {
	ways := []routes.Line{{Name: Primary, Dial: h.wire.dial(h.cfg.Host, wrote)}}
	if h.cfg.Backup != "" {
		ways = append(ways, routes.Line{Name: Backup, Dial: h.wire.dial(h.cfg.Backup, wrote)})
	}
	return routes.NewDialer(&routes.Options{
		Probe: h.cfg.RetryMax, Hold: holdLooks * h.cfg.RetryMax,
		OnEvent: func(ev routes.Event) {
			if ev.Kind == routes.Left || ev.Kind == routes.Returned {
				h.say(about("route", lane).with("is", ev.Kind.String()).with("from", ev.Route).with("to", ev.To))
			}
		},
	}, ways...)
}

// about begins an event of a lane.
func about(what string, lane queue.Lane) Line {
	return newLine(WordEvent).with("about", what).with("terminal", lane.Terminal)
}

// session tells of a transition of a lane's session.
func (h *handset) session(lane queue.Lane, ev isolink.Event) {
	l := about("session", lane).with("is", ev.Kind.String()).with("code", ev.Code)
	if ev.Batch != 0 {
		l = l.number("batch", int64(ev.Batch))
	}
	h.say(l)
}

// measured is a link whose figures the monitor sees, with the lines under it.
type measured struct {
	*alarm.HostUplink
	link, lines io.Closer
}

func (m measured) Close() error { return errors.Join(m.link.Close(), m.lines.Close()) }

// monitor makes the early warnings of the journal.
func (c Config) monitor(q *queue.Queue) (*alarm.Monitor, error) {
	return alarm.New(q, &alarm.Options{
		Thresholds: alarm.Thresholds{Backlog: c.Warn}, Every: c.RetryMax, Calm: holdLooks * c.RetryMax,
	})
}

// watch tells the warnings, each with its sentence for who stands at the handset.
func (h *handset) watch(ctx context.Context) {
	in := alarm.English
	if h.cfg.Lang == screen.Chinese {
		in = alarm.Chinese
	}
	for ev := range h.q.Watch(ctx) {
		var w *alarm.Warning
		if errors.As(ev.Warning, &w) {
			h.say(about("warning", w.Lane).with("kind", w.Kind.String()).with("state", w.State.String()).with("why", w.Cashier(in)))
		}
	}
}

// signer is a link that renews its sign-in each day.
type signer interface {
	SignInDaily(ctx context.Context, p isolink.Plan) error
}

// night is when a courier's handset signs in of its own accord.
var night = isolink.Plan{From: 3, To: 6}

// beside runs what goes on beside the commands and the delivery, until ctx is
// done: the warnings, the network's return, the planned sign-ins. What fails in
// it is told by its events and holds nothing up.
func (h *handset) beside(ctx context.Context, run func(func())) {
	run(func() { h.watch(ctx) })
	run(func() { _ = h.monitor.Run(ctx) })
	run(func() { _ = network.Watch(ctx, nil, h.q.NetworkBack) })
	for _, l := range []line{h.cards, h.cash} {
		if s, ok := l.host.Host.(measured).link.(signer); ok {
			run(func() { _ = s.SignInDaily(ctx, night) })
		}
	}
}
