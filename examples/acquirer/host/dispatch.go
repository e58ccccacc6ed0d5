package host

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/tallystick/tallystick/codec"
)

// The messages the host answers.
const (
	mtiFinancial codec.MTI = 0x0200
	mtiAdvice    codec.MTI = 0x0220
	mtiUpload    codec.MTI = 0x0320
	mtiReversal  codec.MTI = 0x0400
	mtiSettle    codec.MTI = 0x0500
	mtiSignIn    codec.MTI = 0x0800
	mtiNetwork   codec.MTI = 0x0820
)

// errNoMessage is what the host does not answer, and closes the connection for.
var errNoMessage = errors.New("not a request")

// answer is a frame ready to be sent, and what mischief does to it.
type answer struct {
	frame []byte // nil: nothing is sent
	fate  fate
}

// answer decodes a frame, books what it says and builds the answer. It returns
// after the sync. An error means that the connection is of no use any more.
func (s *Server) answer(framing codec.Framing, frame codec.Frame) (answer, error) {
	m, err := codec.UnionPay().Decode(frame.Body)
	if err == nil && (m.Type().IsResponse() || m.Type().IsRepeat()) {
		err = errNoMessage
	}
	if err != nil {
		s.cfg.Log.Warn("message refused", "err", err)
		return answer{}, err
	}
	x := newExchange(m, frame.Body, s.imp.draw(m.Type()), s.cfg.Now())
	if x.fate.loseRequest {
		s.log(x)
		return answer{}, nil
	}
	err = s.update(func(b books) error {
		if err := s.respond(b, x); err != nil {
			return err
		}
		if x.err != nil {
			return fmt.Errorf("%w: %w", errNoMessage, x.err)
		}
		return nil
	})
	if err != nil {
		return answer{}, err
	}
	if x.forgot {
		s.imp.forgot()
	}
	s.log(x)
	return s.seal(framing, frame, x)
}

// seal wraps the answer up: MAC, header, TPDU with the addresses exchanged.
func (s *Server) seal(framing codec.Framing, frame codec.Frame, x *exchange) (answer, error) {
	if x.fate.foreign {
		x.set(42, "999999999999999")
	}
	if x.process == codec.ProcessNothing && x.terminal != nil {
		x.process = x.terminal.Ask
	}
	var body []byte
	err := x.err
	if err == nil && x.mac != nil {
		body, err = codec.UnionPay().AppendMAC(nil, x.reply, x.mac)
	} else if err == nil {
		body, err = codec.UnionPay().Append(nil, x.reply)
	}
	if err != nil {
		s.cfg.Log.Error("answer cannot be built", "err", err)
		return answer{}, err
	}
	out, err := framing.Append(nil, codec.Frame{
		TPDU: frame.TPDU.Swap(), Header: frame.Header.WithProcessing(x.process), Body: body,
	})
	if x.fate.loseAnswer {
		out = nil
	}
	return answer{frame: out, fate: x.fate}, err
}

// respond fills x.reply by the rules. An error is the ledger's.
func (s *Server) respond(b books, x *exchange) error {
	x.echo(11, 41, 42)
	if refusal, err := s.admit(b, x); err != nil || refusal != "" {
		x.echo(60)
		x.finish(refusal)
		return err
	}
	switch x.req.Type() {
	case mtiSignIn:
		return s.signIn(b, x)
	case mtiNetwork:
		return s.network(b, x)
	case mtiFinancial, mtiAdvice, mtiReversal:
		return s.financial(b, x)
	case mtiSettle:
		return s.settlement(b, x)
	case mtiUpload:
		return s.batchUpload(b, x)
	}
	x.echo(60)
	x.finish(codeFunction)
	return nil
}

// admit checks what every message must have: a known terminal and merchant, and
// a DE 60 that can be understood.
func (s *Server) admit(b books, x *exchange) (refusal string, err error) {
	if x.p60, err = codec.ParsePrivate60(x.text(60)); err != nil {
		return codeFormat, nil
	}
	if x.has(11) {
		n, err := strconv.ParseUint(x.text(11), 10, 32)
		if err != nil || n == 0 {
			return codeFormat, nil
		}
		x.stan = uint32(n)
	}
	id := x.trimmed(41)
	merchant, known := s.cfg.Terminals[id]
	if !known {
		return codeTerminal, nil
	}
	if merchant != x.trimmed(42) {
		return codeMerchant, nil
	}
	if x.terminal, err = b.terminal(id); err != nil {
		return "", err
	}
	if x.terminal == nil {
		x.terminal = &terminalRecord{Terminal: Terminal{ID: id, Merchant: merchant, Batch: 1}}
	}
	return "", nil
}

// log writes the one line of a message: no card number, no key.
func (s *Server) log(x *exchange) {
	id := x.identity()
	s.cfg.Log.Info(x.req.Type().String(),
		slog.String("terminal", id.Terminal), slog.Int("batch", int(id.Batch)), slog.Int("stan", int(id.STAN)),
		slog.Int("type", x.p60.Type), slog.Int("net", x.p60.Network), slog.Int64("amount", x.amount),
		slog.String("code", x.code), slog.String("mischief", x.fate.String()))
}
