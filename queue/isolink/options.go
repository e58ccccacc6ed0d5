package isolink

import (
	"context"
	"crypto/tls"
	"net"
	"time"

	"github.com/tallystick/tallystick/codec"
	"github.com/tallystick/tallystick/queue"
)

// Dialer opens a connection to the host. It returns when ctx is done.
type Dialer func(ctx context.Context) (net.Conn, error)

// TCP dials host:port without encryption. A peer that vanishes is noticed by the
// operating system's probes within 30 s or so.
func TCP(address string) Dialer {
	return func(ctx context.Context) (net.Conn, error) { return plain.DialContext(ctx, "tcp", address) }
}

// TLS dials host:port and shakes hands by config, which is copied: its zero
// MinVersion means TLS 1.3 here, and Certificates are what the host knows the
// terminal by.
func TLS(address string, config *tls.Config) Dialer {
	c := config.Clone()
	if c == nil {
		c = &tls.Config{}
	}
	if c.MinVersion == 0 {
		c.MinVersion = tls.VersionTLS13
	}
	d := tls.Dialer{NetDialer: plain, Config: c}
	return func(ctx context.Context) (net.Conn, error) { return d.DialContext(ctx, "tcp", address) }
}

var plain = &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}}

// echoTime is how long Prepare waits for an echo.
const echoTime = 2 * time.Second

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
	// Operator is 63.1 of sign-in and settlement, 1 to 3 printable characters.
	// Default "01".
	Operator string
	// SignIn is 60.3 of the sign-in: codec.NetSignInSingle, NetSignInDouble or
	// NetSignInTrackKey. Default NetSignInDouble.
	SignIn int
	// Capability is 60.4, what the terminal can read. Default 6: stripe, contact
	// and contactless chip.
	Capability int
	// Spec is the dialect. Default codec.UnionPay().
	Spec *codec.Spec
	// Framing is how messages are wrapped. Its length form cannot be
	// codec.LengthNone.
	Framing codec.Framing
	// TPDU and Header stand in front of every message. Defaults 6000030000 and
	// 603100310000.
	TPDU   codec.TPDU
	Header codec.Header
	// Zone is the host's and the terminal's time zone. Default UTC+8.
	Zone *time.Location
	// Codes gives the meaning of DE 39. Default codec.UnionPayCode.
	Codes func(code string) codec.Response
	// AnswerTimeout bounds the wait for any answer, and so does the ctx of each
	// call. Default 60 s.
	AnswerTimeout time.Duration
	// EchoAfter is how long the host may not have been heard before Prepare asks
	// it for an echo, and dials anew when none comes in 2 s. Default 60 s;
	// negative: never.
	EchoAfter time.Duration
	// OnEvent is told what happens on the line, for a screen. It is called from
	// several goroutines, must return soon and must not call the Link.
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
	if d.Spec == nil {
		d.Spec = codec.UnionPay()
	}
	if d.TPDU == (codec.TPDU{}) {
		d.TPDU = codec.TPDU{0x60, 0x00, 0x03, 0x00, 0x00}
	}
	if d.Header == (codec.Header{}) {
		d.Header = codec.Header{0x60, 0x31, 0x00, 0x31, 0x00, 0x00}
	}
	if d.Zone == nil {
		d.Zone = time.FixedZone("UTC+8", 8*60*60)
	}
	if d.Codes == nil {
		d.Codes = codec.UnionPayCode
	}
	if d.AnswerTimeout <= 0 {
		d.AnswerTimeout = 60 * time.Second
	}
	if d.EchoAfter == 0 {
		d.EchoAfter = 60 * time.Second
	}
	if d.OnEvent == nil {
		d.OnEvent = func(Event) {}
	}
	return d
}
