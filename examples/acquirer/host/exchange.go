package host

import (
	"strings"
	"time"

	"github.com/tallystick/tallystick/codec"
)

// Codes of DE 39 with a part in the control flow.
const (
	codeDone     = "00"
	codeMerchant = "03"
	codeInvalid  = "12"
	codeFormat   = "30"
	codeFunction = "40"
	codeSignIn   = "77"
	codeTerminal = "97"
	codeBadMAC   = "A0"
)

// acquirerID is DE 32 of every answer.
const acquirerID = "48310000"

// exchange is one request on its way to its answer.
type exchange struct {
	req   *codec.Message
	raw   []byte // the request as it came, for its MAC
	reply *codec.Message
	fate  fate
	now   time.Time

	terminal *terminalRecord  // nil until it is known
	p60      codec.Private60  // the request's
	stan     uint32           // the request's, 0 if it has none
	mac      codec.MAC        // signs the answer, if not nil
	process  codec.Processing // what the answer's header asks the terminal to do
	err      error            // the first field that could not be set
	code     string           // DE 39, also where the answer does not carry it
	amount   int64            // for the log
	forgot   bool             // answered 00 and not booked
}

func newExchange(m *codec.Message, raw []byte, f fate, now time.Time) *exchange {
	return &exchange{req: m, raw: raw, fate: f, now: now, reply: codec.NewMessage(m.Spec(), m.Type().Response())}
}

func (x *exchange) text(de int) string {
	v, _ := x.req.Text(de)
	return v
}

// trimmed is a text field without the spaces that fill it.
func (x *exchange) trimmed(de int) string { return strings.TrimRight(x.text(de), " ") }

func (x *exchange) has(des ...int) bool {
	for _, de := range des {
		if !x.req.Has(de) {
			return false
		}
	}
	return true
}

func (x *exchange) set(de int, v string) { x.note(x.reply.Set(de, v)) }

func (x *exchange) setValue(de int, v codec.Value) { x.note(x.reply.SetValue(de, v)) }

func (x *exchange) note(err error) {
	if x.err == nil {
		x.err = err
	}
}

// echo copies fields of the request, as far as it has them.
func (x *exchange) echo(des ...int) {
	for _, de := range des {
		if v, ok := x.req.Text(de); ok {
			x.set(de, v)
		}
	}
}

// stamp sets the host's clock and names the acquirer.
func (x *exchange) stamp() {
	x.set(12, x.now.Format("150405"))
	x.set(13, x.now.Format("0102"))
	x.set(32, acquirerID)
}

// finish gives the answer its code.
func (x *exchange) finish(code string) {
	x.code = code
	x.set(39, code)
	if code == codeSignIn || code == codeBadMAC {
		x.process = codec.ProcessSignIn
	}
}

// identity is what the request is known by.
func (x *exchange) identity() Identity {
	return Identity{Terminal: x.trimmed(41), Batch: uint32(x.p60.Batch), STAN: x.stan}
}
