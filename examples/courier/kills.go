package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tallystick/tallystick/examples/courier/handset"
	"github.com/tallystick/tallystick/examples/courier/screen"
)

// killer keeps which kills are due.
type killer struct {
	planned []kill           // not yet due
	due     []kill           // their trap is armed, or is to be
	sudden  <-chan time.Time // the next kill at a random moment
	done    map[screen.Moment]int
}

// before makes the kills due that were planned for before this parcel.
func (k *killer) before(parcel int) {
	for len(k.planned) > 0 && k.planned[0].before <= parcel {
		k.due = append(k.due, k.planned[0])
		k.planned = k.planned[1:]
	}
}

// wind lets the time run of the next kill at a random moment.
func (k *killer) wind() {
	if k.sudden != nil {
		return
	}
	if i := slices.IndexFunc(k.due, func(d kill) bool { return d.trap == "" }); i >= 0 {
		k.sudden = time.After(k.due[i].after)
	}
}

// traps are the due kills that wait for a trap, the first of each.
func (k *killer) traps() (out []kill) {
	seen := map[handset.Trap]bool{"": true}
	for _, d := range k.due {
		if !seen[d.trap] {
			seen[d.trap] = true
			out = append(out, d)
		}
	}
	return out
}

// waitsFor tells whether a due kill waits for one of the traps.
func (k *killer) waitsFor(traps ...handset.Trap) bool {
	return slices.ContainsFunc(k.due, func(d kill) bool { return slices.Contains(traps, d.trap) })
}

// strike takes the first due kill of a trap off the list.
func (k *killer) strike(trap handset.Trap) screen.Moment {
	m := kill{trap: trap}.moment()
	if i := slices.IndexFunc(k.due, func(d kill) bool { return d.trap == trap }); i >= 0 {
		k.due = slices.Delete(k.due, i, i+1)
	}
	k.done[m]++
	return m
}

// giveUp makes what could not be hit any more a kill at a random moment.
func (k *killer) giveUp() {
	for i := range k.due {
		k.due[i].trap = ""
	}
}

// ask gives the handset a command and returns the answer that mine knows. When
// the handset is killed before it has answered, it is started again and asked
// the same again.
func (d *day) ask(ctx context.Context, command string, mine func(handset.Line) bool) (handset.Line, error) {
	for {
		if err := d.raise(ctx); err != nil {
			return handset.Line{}, err
		}
		d.kills.wind()
		d.handset.say(command)
		answer, got, err := d.listen(ctx, mine)
		if err != nil || got {
			return answer, err
		}
	}
}

// listen reads the handset's lines until the answer comes or it is killed. What
// it had said before it died counts.
func (d *day) listen(ctx context.Context, mine func(handset.Line) bool) (answer handset.Line, got bool, err error) {
	killed := false
	silence := time.NewTimer(patience)
	defer silence.Stop()
	for {
		select {
		case <-ctx.Done():
			return answer, got, ctx.Err()
		case <-silence.C:
			return answer, got, fmt.Errorf(d.words.silent, d.handset.name)
		case _, more := <-d.acquirer.lines:
			if !more {
				return answer, got, d.acquirerEnded()
			}
		case <-d.kills.sudden:
			d.kills.sudden = nil
			killed = true
			d.kill("")
		case text, more := <-d.handset.lines:
			if !more {
				err := d.buried(killed)
				return answer, got, err
			}
			silence.Reset(patience)
			switch l := handset.ParseLine(text); {
			case l.Word == handset.WordEvent:
				d.event(l)
			case l.Word == handset.WordMark && !killed:
				killed = true
				d.kill(handset.Trap(l.Get("trap")))
			case !got && mine(l):
				answer, got = l, true
				if !killed {
					return answer, got, nil
				}
			}
		}
	}
}

func (d *day) kill(trap handset.Trap) {
	d.handset.kill()
	d.show.Kill(d.kills.strike(trap))
}

// buried takes note that the handset's process has ended.
func (d *day) buried(killed bool) error {
	dead := d.handset
	d.handset = nil
	if killed {
		return nil
	}
	return d.ended(dead)
}

// raise starts the handset if it does not run, and arms what is due.
func (d *day) raise(ctx context.Context) error {
	for d.handset == nil {
		if err := d.startHandset(); err != nil {
			return err
		}
		ready, got, err := d.listen(ctx, func(l handset.Line) bool { return l.Word == handset.WordReady })
		if err != nil {
			return err
		}
		if !got {
			continue // killed before it was ready
		}
		if d.started {
			d.show.Restart(int(ready.Number("doubt")))
		}
		d.started = true
		if d.handset == nil {
			continue
		}
		d.show.Uploads(int(ready.Number("delivered")), int(ready.Number("waiting")))
	}
	for _, k := range d.kills.traps() {
		if slices.Contains(d.armed, k.trap) {
			continue
		}
		d.armed = append(d.armed, k.trap)
		d.handset.say(fmt.Sprintf("arm %s %d", k.trap, k.pass))
	}
	if d.tunnel && !slices.Contains(d.armed, handset.TrapTunnel) {
		d.armed = append(d.armed, handset.TrapTunnel)
		d.handset.say("arm " + string(handset.TrapTunnel) + " 0")
	}
	return nil
}
