package isolink

import (
	"fmt"

	"github.com/tallystick/tallystick/codec"
)

// Style is a family of messages: what a dialect's fields are used for.
type Style uint8

// The styles. The package's documentation has their messages.
const (
	UnionPay Style = iota // UnionPay's direct-connect terminals
	ISO1987               // ISO 8583:1987, with sign-on, advices and 0500/0520
	ISO1993               // ISO 8583:1993, the same
)

var styleNames = [...]string{"UnionPay", "ISO 8583:1987", "ISO 8583:1993"}

func (s Style) String() string {
	if int(s) < len(styleNames) {
		return styleNames[s]
	}
	return fmt.Sprintf("unknown(%d)", uint8(s))
}

// complete fills in what the style decides.
func (s Style) complete(o *Options) {
	spec, codes := codec.UnionPay, codec.UnionPayCode
	switch s {
	case ISO1987:
		spec, codes = codec.ISO1987ASCII, codec.ISO1987Code
	case ISO1993:
		spec, codes = codec.ISO1993ASCII, codec.ISO1993Code
	}
	if o.Spec == nil {
		o.Spec = spec()
	}
	if o.Codes == nil {
		o.Codes = codes
	}
	if s != UnionPay && o.Framing == (codec.Framing{}) {
		o.Framing = codec.Framing{NoTPDU: true, NoHeader: true}
	}
}
