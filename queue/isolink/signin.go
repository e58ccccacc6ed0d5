package isolink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

// errAgain is the cause where the host has refused sign-ins, or asked for some
// that changed nothing.
var errAgain = errors.New("the host was asked for sign-ins in vain; waiting before the next one")

// firstPause is the longest pause before the second try; it doubles for each
// further one.
const firstPause = 200 * time.Millisecond

// asks keeps count of sign-ins that led to nothing.
type asks struct {
	n       int       // in a row: asked for by the host, or refused by it
	in      int       // the session in which the host asked last
	refused Reason    // of the newest, where it was a sign-in that the host refused
	code    string    // DE 39 of the newest
	hold    time.Time // no sign-in before
}

// again counts one more. The first two sign-ins that follow may go at once, the
// others wait ever longer, at a time that no two devices share.
func (a *asks) again(code string, refused Reason) {
	a.n, a.code, a.refused = a.n+1, code, refused
	if a.n > 2 {
		d := min(time.Second<<min(a.n-3, 20), 5*time.Minute)
		a.hold = time.Now().Add(d + rand.N(d))
	}
}

// ready connects and signs in where that is needed, and does what the host has
// asked for. It needs the turn.
func (l *Link) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.opts.LineTimeout)
	defer cancel()
	begun := time.Now()
	for try := 1; ; try++ {
		needed := !l.current().in
		err := l.getReady(ctx)
		if needed && (err == nil || lineError("", err).Reason == Silent) {
			l.noteSignIn(time.Since(begun))
		}
		if err == nil {
			l.doChores(ctx)
			return nil
		}
		if err = l.whyEnded(err); !l.tryAgain(ctx, err, try) {
			l.tell(Event{Kind: NoLine, Err: err})
			return err
		}
	}
}

// tryAgain pauses before the next try, where that can help and there is time.
func (l *Link) tryAgain(ctx context.Context, err error, try int) bool {
	var line *LineError
	var answer *AnswerError
	if !errors.As(err, &line) || line.Reason != Silent && line.Reason != Broken || errors.As(err, &answer) || try >= l.tries() {
		return false
	}
	pause := rand.N(firstPause << min(try-1, 8))
	if end, ok := ctx.Deadline(); ok && time.Until(end) <= pause {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (l *Link) getReady(ctx context.Context) error {
	c, err := l.connect(ctx)
	if err != nil || l.current().in {
		return err
	}
	return l.signIn(ctx, c)
}

// signIn takes working keys, batch number and clock from the host.
func (l *Link) signIn(ctx context.Context, c *conn) error {
	l.mu.Lock()
	asks, batch := l.asks, l.session.line.HostBatch
	l.mu.Unlock()
	if time.Now().Before(asks.hold) {
		reason := asks.refused
		if reason == 0 {
			reason = HostRefused
		}
		return &LineError{During: "sign-in", Reason: reason, Code: asks.code, Err: errAgain}
	}
	l.waitForLanding(ctx)
	stan, err := l.numbers.NextSTAN(ctx, l.lane)
	if err != nil {
		return fmt.Errorf("sign-in: no trace number: %w", err)
	}
	f := l.signInMessage(stan, batch)
	if f.err != nil {
		return f.err
	}
	l.tell(Event{Kind: SigningIn, STAN: stan})
	in, err := l.converse(ctx, c, f.m)
	if err != nil {
		return lineError("sign-in", err)
	}
	line, err := l.accept(in.m)
	if err != nil {
		l.countRefusal(err)
		return err
	}
	l.noteProcessing(in.header)
	l.tell(Event{Kind: Ready, Batch: line.HostBatch, HostTime: line.HostTime, STAN: stan})
	return nil
}

// countRefusal remembers that the host refused a sign-in.
func (l *Link) countRefusal(err error) {
	var line *LineError
	if errors.As(err, &line) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.asks.again(line.Code, line.Reason)
	}
}

func (l *Link) fly() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flying++; l.flying == 1 {
		l.landed = make(chan struct{})
	}
}

func (l *Link) land() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flying--; l.flying == 0 {
		close(l.landed)
	}
}

// waitForLanding lets what is under way be answered before a sign-in changes the
// keys, for at most a half of the time that is left.
func (l *Link) waitForLanding(ctx context.Context) {
	l.mu.Lock()
	n, landed := l.flying, l.landed
	l.mu.Unlock()
	if n == 0 {
		return
	}
	end, _ := ctx.Deadline()
	timer := time.NewTimer(time.Until(end) / 2)
	defer timer.Stop()
	select {
	case <-landed:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// leave ends the session: the next Prepare signs in.
func (l *Link) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session.in = false
}

// SignOff tells the host that the terminal stops for now (0820); the next Prepare
// signs in again. Without a sign-in it does nothing.
//
// Errors: those of Prepare; the link is signed off all the same.
func (l *Link) SignOff(ctx context.Context) error {
	ctx, done, err := l.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	if !l.current().in {
		return nil
	}
	return l.signOff(ctx)
}

func (l *Link) signOff(ctx context.Context) (err error) {
	l.leave()
	ev := Event{Kind: SignedOff}
	defer func() { ev.Err = err; l.tell(ev) }()
	ctx, cancel := context.WithTimeout(ctx, l.opts.LineTimeout)
	defer cancel()
	c, err := l.connect(ctx)
	if err != nil {
		return l.whyEnded(err)
	}
	if ev.STAN, err = l.numbers.NextSTAN(ctx, l.lane); err != nil {
		return fmt.Errorf("sign-off: no trace number: %w", err)
	}
	f := l.signOffMessage(ev.STAN)
	if f.err != nil {
		return f.err
	}
	in, err := l.converse(ctx, c, f.m)
	if err != nil {
		return lineError("sign-off", err)
	}
	code, _ := in.m.Text(39)
	if r := l.opts.Codes(code); !r.Approved() {
		return &LineError{During: "sign-off", Reason: refusal(r), Code: code}
	}
	return nil
}

// converse sends a message without a MAC, waits for its answer for as long as a
// try may take, and checks that it is for us. It needs the turn.
func (l *Link) converse(ctx context.Context, c *conn, m *codec.Message) (incoming, error) {
	ctx, cancel := context.WithTimeout(ctx, l.opts.TryTimeout)
	defer cancel()
	return l.ask(ctx, c, m)
}

// ask is converse with the time that ctx leaves.
func (l *Link) ask(ctx context.Context, c *conn, m *codec.Message) (in incoming, err error) {
	w := newWant(m)
	if l.opts.Style != UnionPay && l.opts.Spec.CarriesMAC(m.Type()) {
		w.mac = l.opts.MAC
	}
	frame, err := l.frame(m, w.mac)
	if err != nil {
		return in, err
	}
	if _, err = l.post(ctx, c, frame, w); err != nil {
		return in, lineError(m.Type().String(), l.whyEnded(c.whyUnwritten(err)))
	}
	if in, err = l.await(ctx, c, w); err != nil {
		return in, err
	}
	if err = identity(m, in.m); err == nil {
		err = badMAC(in.m.Type(), l.verify(w, in))
	}
	if err != nil {
		l.tell(Event{Kind: Suspect, Type: in.m.Type().String(), STAN: stanOf(m), Err: err})
	}
	return in, err
}

// accept takes the answer to a sign-in.
func (l *Link) accept(m *codec.Message) (line queue.Line, err error) {
	code, ok := m.Text(39)
	if !ok {
		return line, &LineError{During: "sign-in", Reason: Broken, Err: &AnswerError{Type: m.Type(), DE: 39}}
	}
	if r := l.opts.Codes(code); !r.Approved() {
		return line, &LineError{During: "sign-in", Reason: refusal(r), Code: code}
	}
	if l.opts.Style != UnionPay {
		line.HostTime = l.hostTime(m)
		l.enter(l.opts.MAC, line)
		return line, nil
	}
	text, _ := m.Text(60)
	p, err := codec.ParsePrivate60(text)
	if err != nil || p.Batch == 0 {
		return line, &LineError{During: "sign-in", Reason: Broken, Err: &AnswerError{Type: m.Type(), DE: 60, Err: err}}
	}
	mac, err := l.loadKeys(m)
	if err != nil {
		return line, &LineError{During: "sign-in", Reason: KeysWrong, Err: err}
	}
	line = queue.Line{HostBatch: uint32(p.Batch), HostTime: l.hostTime(m)}
	l.enter(mac, line)
	return line, nil
}

// enter begins a session.
func (l *Link) enter(mac codec.MAC, line queue.Line) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.session = session{n: l.session.n + 1, in: true, mac: mac, line: line}
	if l.asks.refused != 0 {
		l.asks = asks{}
	}
}

func (l *Link) loadKeys(m *codec.Message) (codec.MAC, error) {
	b, _ := m.Bytes(62)
	keys, err := codec.ParseWorkingKeys(b)
	if err != nil {
		return nil, err
	}
	if ped, ok := l.keys.(PINKeyLoader); ok {
		if err := ped.LoadPIN(keys.PIN); err != nil {
			return nil, err
		}
	}
	return l.keys.LoadMAC(keys.MAC)
}

func refusal(r codec.Response) Reason {
	switch {
	case r.Code == "97" || r.Code == "03":
		return TerminalUnknown
	case r.Temporary():
		return HostBusy
	}
	return HostRefused
}
