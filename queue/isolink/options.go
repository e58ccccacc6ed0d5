package isolink

import (
	"context"
	"time"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

const (
	echoTime  = 2 * time.Second // how long Prepare waits for an echo
	maxWindow = 256
)

// Numbers gives trace numbers for messages that are not entries: a
// *queue.Queue. The number must be durable before it is returned.
type Numbers interface {
	NextSTAN(ctx context.Context, lane queue.Lane) (queue.STAN, error)
}

// PINKeyLoader is optional on the keys of New: a PED that also takes the key
// that PIN blocks are encrypted with. An error fails the sign-in.
type PINKeyLoader interface {
	LoadPIN(codec.WrappedKey) error
}

// Options of New. The zero value, or nil, holds the defaults; New does not write
// to it. What goes into messages of entries (Spec, Capability, Zone) may change
// only while nothing is pending or in doubt.
type Options struct {
	// Style is the family of messages. Default UnionPay.
	Style Style
	// Operator is 63.1 of sign-in and settlement, 1 to 3 printable characters.
	// Default "01".
	Operator string
	// SignIn is 60.3 of the sign-in: codec.NetSignInSingle, NetSignInDouble or
	// NetSignInTrackKey. Default NetSignInDouble.
	SignIn int
	// Capability is 60.4, what the terminal can read. Default 6: stripe, contact
	// and contactless chip.
	Capability int
	// Spec is the dialect. Default by Style: codec.UnionPay(), ISO1987ASCII() or
	// ISO1993ASCII().
	Spec *codec.Spec
	// Framing is how messages are wrapped. Its length form cannot be
	// codec.LengthNone. Default: UnionPay's; for other styles two bytes of length
	// and nothing more.
	Framing codec.Framing
	// MAC signs and checks the messages of a style whose sign-in brings no keys.
	// Default: none, and nothing but TLS stands between a stranger and an
	// approval.
	MAC codec.MAC
	// Institution is the acquirer (DE 32) where the style has it, up to 11 digits.
	// Default: left out.
	Institution string
	// AdviseTotals tells totals by the advice 0520 instead of the request 0500.
	AdviseTotals bool
	// TPDU and Header stand in front of every message. Defaults 6000030000 and
	// 603100310000.
	TPDU   codec.TPDU
	Header codec.Header
	// Zone is the host's and the terminal's time zone. Default UTC+8.
	Zone *time.Location
	// Codes gives the meaning of DE 39. Default: the table of the style.
	Codes func(code string) codec.Response
	// Window is how many entries may be under way at a time, 1 to 256: 1 for the
	// host of a terminal, more for a gateway. Default 1.
	Window int
	// AnswerTimeout bounds the wait for the answer to an entry, from when it was
	// sent, and to a message of the settlement, and so does the ctx of each call.
	// Default: what the host's parameters say, else 60 s.
	AnswerTimeout time.Duration
	// TryTimeout bounds one try to connect, to sign in or to sign off. Default
	// 3 s.
	TryTimeout time.Duration
	// LineTimeout bounds connecting and signing in with all their tries: that
	// there is no line is known after that time at the latest. Default 5 s.
	LineTimeout time.Duration
	// Tries is how often connecting and signing in are tried where the host is
	// silent or the connection breaks, with random pauses of up to 200 ms, 400 ms
	// and so on between. What another try cannot mend ends at once. Default: what
	// the host's parameters say, else 3.
	Tries int
	// Memory keeps what was learned of the host over a restart. Default: it is
	// learned anew.
	Memory Memory
	// Status is what the terminal tells a host that asks for its status: elements
	// 1 to 5, the states of its hardware. Default: none.
	Status func() []codec.Parameter
	// SignOffAfterBatch signs off when the host has closed a batch, and so do the
	// host's parameters. Default: only those.
	SignOffAfterBatch bool
	// EchoAfter is how long the host may not have been heard before Prepare asks
	// it for an echo, and dials anew when none comes in 2 s. Default 60 s;
	// negative: never.
	EchoAfter time.Duration
	// OnEvent is told what happens on the line, for a screen. It is called from
	// several goroutines, must return soon and must not call the Link. A panic
	// in it is dropped.
	OnEvent func(Event)
}

func (o *Options) withDefaults() (d Options) {
	if o != nil {
		d = *o
	}
	if d.Operator == "" {
		d.Operator = "01"
	}
	if d.SignIn == 0 {
		d.SignIn = codec.NetSignInDouble
	}
	if d.Capability == 0 {
		d.Capability = 6
	}
	d.Style.complete(&d)
	if d.TPDU == (codec.TPDU{}) {
		d.TPDU = codec.TPDU{0x60, 0x00, 0x03, 0x00, 0x00}
	}
	if d.Header == (codec.Header{}) {
		d.Header = codec.Header{0x60, 0x31, 0x00, 0x31, 0x00, 0x00}
	}
	if d.Zone == nil {
		d.Zone = time.FixedZone("UTC+8", 8*60*60)
	}
	if d.Window <= 0 {
		d.Window = 1
	}
	if d.AnswerTimeout <= 0 {
		d.AnswerTimeout = 60 * time.Second
	}
	if d.TryTimeout <= 0 {
		d.TryTimeout = 3 * time.Second
	}
	if d.LineTimeout <= 0 {
		d.LineTimeout = 5 * time.Second
	}
	if d.Tries <= 0 {
		d.Tries = 3
	}
	if d.EchoAfter == 0 {
		d.EchoAfter = 60 * time.Second
	}
	if d.OnEvent == nil {
		d.OnEvent = func(Event) {}
	}
	return d
}
