package isolink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/tallystick/tallystick/codec"
)

// ErrClosed is wrapped by every call after Close.
var ErrClosed = errors.New("the link is closed")

// ErrSignInFirst is wrapped, with queue.ErrPrepareFirst, by a Send without a sign-in:
// call Prepare before it.
var ErrSignInFirst = errors.New("not signed in")

// Reason says why there is no line to the host, or no answer on it.
type Reason uint8

// The reasons.
const (
	NoNetwork       Reason = iota + 1 // the device has no network
	NoName                            // the host's name cannot be resolved
	ConnRefused                       // nothing listens at the address
	NoTrust                           // TLS failed: a certificate, a protocol version
	Silent                            // no connection or no answer in time
	Broken                            // the connection ended or carried rubbish
	HostBusy                          // the host refuses for now: Code
	HostRefused                       // the host refuses: Code
	TerminalUnknown                   // the host does not know terminal or merchant: Code
	KeysWrong                         // working keys are missing or their check values are wrong
	NoRoute                           // there is a network, but no way to the host's address
)

var reasonNames = [...]string{"", "there is no network", "the host's name is not known",
	"nothing listens at the host's address", "TLS failed, check certificates and clock", "the host is silent", "the connection broke",
	"the host refuses for now", "the host refuses", "the host does not know this terminal or merchant, have the acquirer register it",
	"the working keys are wrong, the master key may not be the host's", "there is no route to the host's address"}

// reasonWords are the reasons as package queue/alarm knows them.
var reasonWords = [...]string{"", "no_network", "no_name", "conn_refused", "no_trust", "silent", "broken", "host_busy", "host_refused",
	"terminal_unknown", "keys_wrong", "no_network"}

func (r Reason) String() string {
	if r > 0 && int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("unknown(%d)", r)
}

// LineError says that there is no line to the host, or that an answer did not
// come. From Prepare it means that no entry was sent.
type LineError struct {
	During string // "dial", "sign-in", or the message type
	Reason Reason
	Code   string // DE 39 where the host refuses
	Err    error  // the cause, if there is one
}

func (e *LineError) Error() string {
	s := e.During + ": " + e.Reason.String()
	if e.Code != "" {
		s += " (code " + e.Code + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *LineError) Unwrap() error { return e.Err }

// LineReason gives the reason in a word, such as "no_network", and the host's
// code: package queue/alarm makes a warning of it.
func (e *LineError) LineReason() (reason, code string) {
	return reasonWords[min(int(e.Reason), len(reasonWords)-1)], e.Code
}

// Planned tells of a host that refuses because it cuts over to its next day
// (code 90): the forwarder then waits without counting a failure.
func (e *LineError) Planned() bool { return e.Code == cutOver }

// ByHost tells that these are the host's own words: over another route to it they
// would be the same.
func (e *LineError) ByHost() bool { return e.Code != "" || e.Reason == KeysWrong }

// cutOver is the code of a host that changes to its next business day.
const cutOver = "90"

// AnswerError says that an answer to our message cannot be taken as one. What it
// answers is in doubt. It never holds a field's content.
type AnswerError struct {
	Type    codec.MTI // of the answer
	DE      int       // the field to blame
	Foreign bool      // the answer is for another terminal or merchant
	Err     error     // what is wrong: queue.ErrBadMAC or an error of package codec; nil: the field is not the request's
}

func (e *AnswerError) Error() string {
	s := fmt.Sprintf("answer %s: DE %d", e.Type, e.DE)
	switch {
	case e.Foreign:
		return s + " names another terminal or merchant than ours: tell the acquirer"
	case e.Err != nil:
		return s + ": " + e.Err.Error()
	}
	return s + " is not the request's"
}

// Unwrap gives the cause.
func (e *AnswerError) Unwrap() error { return e.Err }

// lineError classifies what went wrong on the network.
func lineError(during string, err error) *LineError {
	var known *LineError
	if errors.As(err, &known) {
		return known
	}
	return &LineError{During: during, Reason: reasonOf(err), Err: err}
}

func reasonOf(err error) Reason {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var unknown x509.UnknownAuthorityError
	var timeout net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return NoName
	case errors.As(err, &dns):
		return NoNetwork
	case errors.As(err, &cert), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &unknown),
		strings.Contains(err.Error(), "tls: "):
		return NoTrust
	case isAny(err, errnosRefused):
		return ConnRefused
	case isAny(err, errnosUnreachable):
		return NoNetwork
	case isAny(err, errnosNoRoute):
		return NoRoute
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed):
		return Broken
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return Silent
	}
	return Broken
}

func isAny(err error, targets []error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}
