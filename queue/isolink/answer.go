package isolink

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

// judge turns an answer to an entry's message into what it means.
func (l *Link) judge(w *want, in incoming, e queue.Entry) (queue.Answer, error) {
	a, proven, err := l.check(w, in)
	if err != nil {
		l.tell(Event{Kind: Suspect, Type: in.m.Type().String(), STAN: e.STAN, Err: err})
		return queue.Answer{}, err
	}
	stale := a.Code == "77" && proven && e.HostBatch != l.current().line.HostBatch
	if stale {
		a.Verdict = queue.Refused
	}
	a.SignIn = !stale && l.opts.Codes(a.Code).Class == codec.SignIn
	l.heed(in, w.session, a.Code, stale)
	return a, nil
}

// check decides whether an answer can be taken for one. proven says that it
// bears a MAC of a key that only the host and this terminal have.
func (l *Link) check(w *want, in incoming) (a queue.Answer, proven bool, err error) {
	request := w.request
	if err := identity(request, in.m); err != nil {
		return a, false, err
	}
	code, ok := in.m.Text(39)
	if !ok {
		return a, false, &AnswerError{Type: in.m.Type(), DE: 39}
	}
	a = l.answer(in.m, code)
	moved := a.Verdict == queue.Approved || a.Verdict == queue.Partial
	err = l.verify(w, in)
	switch {
	case err == nil:
		proven = true
	case errors.Is(err, codec.ErrNoMAC) && !moved:
	default:
		return queue.Answer{}, false, badMAC(in.m.Type(), err)
	}
	if err := transaction(request, in.m, a.Verdict); err != nil {
		return queue.Answer{}, false, err
	}
	if a.Verdict == queue.Partial {
		a.Approved = partial(request, in.m)
	}
	return a, proven, nil
}

// badMAC is the error of an answer whose MAC is wrong or missing, or cannot be
// checked by the PED.
func badMAC(t codec.MTI, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, codec.ErrNoMAC) || errors.Is(err, codec.ErrBadMAC) {
		err = fmt.Errorf("%w: %w", queue.ErrBadMAC, err)
	}
	return &AnswerError{Type: t, DE: 64, Err: err}
}

// verify checks the MAC by the key of the request, or by that of a sign-in since:
// hosts differ in which of the two they take.
func (l *Link) verify(w *want, in incoming) error {
	now := l.current()
	if w.mac == nil { // the style has none
		return nil
	}
	l.maccing.Lock()
	defer l.maccing.Unlock()
	err := codec.VerifyMAC(in.raw, in.m, w.mac)
	if errors.Is(err, codec.ErrBadMAC) && now.n != w.session && now.in {
		return codec.VerifyMAC(in.raw, in.m, now.mac)
	}
	return err
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
		HostTime: l.hostTime(m),
		Planned:  code == cutOver,
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

// heed takes note of what an answer asks the terminal to do, by its code or its
// header. Asked for a sign-in by the header only, it signs in once, not in a
// loop. What answers a message of an older session is answered by the sign-in
// since, and counts once for all that was under way.
func (l *Link) heed(in incoming, session int, code string, stale bool) {
	l.noteProcessing(in.header)
	byCode := l.opts.Codes(code).Class == codec.SignIn && !stale
	byHeader := l.processing(in.header) == codec.ProcessSignIn && !stale
	l.mu.Lock()
	asked := l.asks.in == session
	switch {
	case session != l.session.n || asked && !l.session.in:
		l.mu.Unlock()
		return
	case !byCode && !byHeader:
		if !asked {
			l.asks = asks{}
		}
		l.mu.Unlock()
		return
	}
	l.asks.in = session
	l.asks.again(code, 0)
	if byCode || l.asks.n == 1 {
		l.session.in = false
	}
	l.mu.Unlock()
	l.tell(Event{Kind: Asked, Code: code, Processing: l.processing(in.header)})
}

// processing is what an answer's header asks for.
func (l *Link) processing(h codec.Header) codec.Processing {
	if l.opts.Framing.NoHeader || l.opts.Style != UnionPay {
		return codec.ProcessNothing
	}
	return h.Processing()
}
