package alarm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

// Cause is why something is as it is: what a sentence names and what its next
// step mends.
type Cause uint8

// The causes. Those from NoLine to KeysWrong say why there is no line.
const (
	Draining        Cause = iota + 1 // the line works; the backlog goes down by itself
	NotForwarded                     // nothing on this device tries to send
	NoLine                           // there is no line; the uplink does not say why
	NoNetwork                        // the device has no network, or no route to the host
	NoName                           // the host's name cannot be resolved
	ConnRefused                      // nothing listens at the host's address
	NoTrust                          // TLS failed: a certificate, a protocol version, the device's clock
	Silent                           // no connection or no answer to the sign-in in time
	Broken                           // the connection ended or carried rubbish
	HostBusy                         // the host refuses for now
	HostRefused                      // the host refuses
	TerminalUnknown                  // the host does not know terminal or merchant
	KeysWrong                        // working keys are missing or wrong
	Unanswered                       // there is a line, and what is sent has no answer
	Settlement                       // the batch is full, or a closed one waits for its settlement
	Paused                           // the host asked for a pause, or one is planned
	Restored                         // a restored journal sends nothing new yet
	HostSlow                         // the host answers slower than it did
	NeedsPerson                      // a person has to decide
)

var causeNames = [...]string{"", "draining", "not_forwarded", "no_line", "no_network", "no_name", "conn_refused",
	"no_trust", "silent", "broken", "host_busy", "host_refused", "terminal_unknown", "keys_wrong", "unanswered",
	"settlement", "paused", "restored", "host_slow", "needs_person"}

// String returns the cause as a word for a label: no_network.
func (c Cause) String() string {
	if c > 0 && int(c) < len(causeNames) {
		return causeNames[c]
	}
	return fmt.Sprintf("unknown(%d)", uint8(c))
}

// lasting tells of a cause that time does not heal.
func (c Cause) lasting() bool {
	return c == NoTrust || c == HostRefused || c == TerminalUnknown || c == KeysWrong
}

// reasoner is what the error of an uplink's Prepare or Send may be: LineReason
// gives the word of a Cause from NoLine to KeysWrong and, where the host
// refuses, its code.
type reasoner interface {
	LineReason() (reason, code string)
}

// causeOf tells why there is no line; Paused says that the host planned it.
func causeOf(err error) (c Cause, code string) {
	var plan interface{ Planned() bool } // as package queue asks
	var known reasoner
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var timeout net.Error
	switch {
	case errors.As(err, &plan) && plan.Planned():
		return Paused, ""
	case errors.As(err, &known):
		reason, code := known.LineReason()
		for c := NoLine; c <= KeysWrong; c++ {
			if causeNames[c] == reason {
				return c, printable(code)
			}
		}
	case errors.As(err, &dns) && dns.IsNotFound:
		return NoName, ""
	case errors.As(err, &dns):
		return NoNetwork, ""
	case errors.As(err, &cert), errors.As(err, &authority):
		return NoTrust, ""
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return Silent, ""
	}
	return NoLine, ""
}

// printable bounds a host's code, which comes from outside.
func printable(code string) string {
	code = code[:min(len(code), 4)]
	for i := range len(code) {
		if code[i] <= ' ' || code[i] > '~' {
			return ""
		}
	}
	return code
}
