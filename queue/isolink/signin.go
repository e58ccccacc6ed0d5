package isolink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

// errAgain is the cause where the host has asked for sign-ins that changed
// nothing.
var errAgain = errors.New("the host asks for a sign-in again and again; waiting before the next one")

// pause is how long after a sign-in the next one may follow, when the host has
// asked for sign-ins n times in a row: the first two at once.
func pause(n int) time.Duration {
	if n <= 2 {
		return 0
	}
	return min(time.Second<<min(n-3, 20), 5*time.Minute)
}

// signIn takes working keys, batch number and clock from the host.
func (l *Link) signIn(ctx context.Context) error {
	if time.Since(l.signed) < pause(l.asked) {
		return &LineError{During: "sign-in", Reason: HostRefused, Code: l.code, Err: errAgain}
	}
	stan, err := l.numbers.NextSTAN(ctx, l.lane)
	if err != nil {
		return fmt.Errorf("sign-in: no trace number: %w", err)
	}
	f := l.networkMessage(mtiSignIn, stan, l.line.HostBatch, l.opts.SignIn)
	f.value(63, codec.Private63{Code: pad(l.opts.Operator, 3)})
	if f.err != nil {
		return f.err
	}
	l.tell(Event{Kind: SigningIn, STAN: stan})
	in, err := l.converse(ctx, f.m)
	if err != nil {
		return lineError("sign-in", err)
	}
	if err := l.accept(in.m); err != nil {
		return err
	}
	l.signed = time.Now()
	l.tell(Event{Kind: Ready, Batch: l.line.HostBatch, STAN: stan})
	return nil
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
	if l.mac == nil {
		return nil
	}
	l.mac = nil
	if err := l.connect(ctx); err != nil {
		return l.whyEnded(err)
	}
	stan, err := l.numbers.NextSTAN(ctx, l.lane)
	if err != nil {
		return fmt.Errorf("sign-off: no trace number: %w", err)
	}
	f := l.networkMessage(mtiNetwork, stan, l.line.HostBatch, codec.NetSignOff)
	if f.err != nil {
		return f.err
	}
	in, err := l.converse(ctx, f.m)
	if err != nil {
		return lineError("sign-off", err)
	}
	l.tell(Event{Kind: SignedOff, STAN: stan})
	code, _ := in.m.Text(39)
	if r := l.opts.Codes(code); !r.Approved() {
		return &LineError{During: "sign-off", Reason: refusal(r), Code: code}
	}
	return nil
}

// converse sends a message without a MAC and checks that its answer is for us.
func (l *Link) converse(ctx context.Context, m *codec.Message) (incoming, error) {
	frame, err := l.frame(m, nil)
	if err != nil {
		return incoming{}, err
	}
	in, _, err := l.exchange(ctx, frame, newWant(m))
	if err != nil {
		return in, err
	}
	if err := identity(m, in.m); err != nil {
		l.tell(Event{Kind: Suspect, Type: in.m.Type().String(), STAN: stanOf(m), Err: err})
		return in, err
	}
	return in, nil
}

// accept takes the answer to a sign-in.
func (l *Link) accept(m *codec.Message) error {
	code, ok := m.Text(39)
	if !ok {
		return &LineError{During: "sign-in", Reason: Broken, Err: &AnswerError{Type: m.Type(), DE: 39}}
	}
	if r := l.opts.Codes(code); !r.Approved() {
		return &LineError{During: "sign-in", Reason: refusal(r), Code: code}
	}
	text, _ := m.Text(60)
	p, err := codec.ParsePrivate60(text)
	if err == nil && p.Batch == 0 {
		err = &AnswerError{Type: m.Type(), DE: 60}
	}
	if err != nil {
		return &LineError{During: "sign-in", Reason: Broken, Err: err}
	}
	mac, err := l.loadKeys(m)
	if err != nil {
		return &LineError{During: "sign-in", Reason: KeysWrong, Err: err}
	}
	l.mac = mac
	l.line = queue.Line{HostBatch: uint32(p.Batch), HostTime: hostTime(m, time.Now(), l.opts.Zone)}
	return nil
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
