package isolink

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

// judge turns an answer to an entry's message into what it means.
func (l *Link) judge(request *codec.Message, in incoming, e queue.Entry) (queue.Answer, error) {
	a, proven, err := l.check(l.mac, request, in)
	if err != nil {
		l.tell(Event{Kind: Suspect, Type: in.m.Type().String(), STAN: e.STAN, Err: err})
		return queue.Answer{}, err
	}
	stale := a.Code == "77" && proven && e.HostBatch != l.line.HostBatch
	if stale {
		a.Verdict = queue.Refused
	}
	l.heed(in, a.Code, stale)
	return a, nil
}

// check decides whether an answer can be taken for one. proven says that it
// bears a MAC of mac's key.
func (l *Link) check(mac codec.MAC, request *codec.Message, in incoming) (a queue.Answer, proven bool, err error) {
	if err := identity(request, in.m); err != nil {
		return a, false, err
	}
	code, ok := in.m.Text(39)
	if !ok {
		return a, false, &AnswerError{Type: in.m.Type(), DE: 39}
	}
	a = l.answer(in.m, code)
	moved := a.Verdict == queue.Approved || a.Verdict == queue.Partial
	err = codec.VerifyMAC(in.raw, in.m, mac)
	switch {
	case err == nil:
		proven = true
	case errors.Is(err, codec.ErrNoMAC) && !moved:
	case errors.Is(err, codec.ErrNoMAC), errors.Is(err, codec.ErrBadMAC):
		return queue.Answer{}, false, &AnswerError{Type: in.m.Type(), DE: 64, Err: fmt.Errorf("%w: %w", queue.ErrBadMAC, err)}
	default: // the PED cannot tell
		return queue.Answer{}, false, &AnswerError{Type: in.m.Type(), DE: 64, Err: err}
	}
	if err := transaction(request, in.m, a.Verdict); err != nil {
		return queue.Answer{}, false, err
	}
	if a.Verdict == queue.Partial {
		a.Approved = partial(request, in.m)
	}
	return a, proven, nil
}

// identity compares terminal and merchant.
func identity(request, m *codec.Message) error {
	for _, de := range []int{41, 42} {
		if !same(m, request, de) {
			return &AnswerError{Type: m.Type(), DE: de, Foreign: m.Has(de)}
		}
	}
	return nil
}

// transaction compares processing code and amount: a refusal may leave them out,
// and a partial approval has an amount of its own, which is less.
func transaction(request, m *codec.Message, v queue.Verdict) error {
	moved := v == queue.Approved || v == queue.Partial
	for _, de := range []int{3, 4} {
		bad := m.Has(de) && !same(m, request, de) || moved && !m.Has(de)
		if v == queue.Partial && de == 4 {
			asked, _ := request.Text(4)
			got, _ := m.Text(4)
			bad = got >= asked || got <= "000000000000" // twelve digits, or none
		}
		if bad {
			return &AnswerError{Type: m.Type(), DE: de}
		}
	}
	return nil
}

func partial(request, m *codec.Message) queue.Money {
	amount, _ := m.Text(4)
	currency, _ := request.Text(49)
	minor, _ := strconv.ParseInt(amount, 10, 64)
	number, _ := strconv.ParseUint(currency, 10, 16)
	return queue.Money{Minor: minor, Currency: queue.Currency(number)}
}

func (l *Link) answer(m *codec.Message, code string) queue.Answer {
	rrn, _ := m.Text(37)
	auth, _ := m.Text(38)
	return queue.Answer{
		Verdict:  verdict(l.opts.Codes(code).Class),
		Code:     code,
		RRN:      strings.TrimRight(rrn, " "),
		AuthCode: strings.TrimRight(auth, " "),
		HostTime: hostTime(m, time.Now(), l.opts.Zone),
	}
}

func verdict(c codec.Class) queue.Verdict {
	switch c {
	case codec.Approved:
		return queue.Approved
	case codec.Partial:
		return queue.Partial
	case codec.Duplicate:
		return queue.Duplicate
	case codec.InProgress:
		return queue.Unknown
	case codec.Unavailable, codec.SignIn:
		return queue.Unavailable
	case codec.NotFound:
		return queue.NotFound
	}
	return queue.Refused
}

// heed takes note of what an answer asks the terminal to do: to sign in, by its
// code or its header. Asked by the header only it does so once, not in a loop.
func (l *Link) heed(in incoming, code string, stale bool) {
	byCode := l.opts.Codes(code).Class == codec.SignIn && !stale
	byHeader := !l.opts.Framing.NoHeader && in.header.Processing() == codec.ProcessSignIn && !stale
	if !byCode && !byHeader {
		l.asked = 0
		return
	}
	l.asked++
	l.code = code
	l.tell(Event{Kind: Asked, Code: code})
	if byCode || l.asked == 1 {
		l.mac = nil
	}
}
