package httplink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

// ErrClosed is wrapped by every call after Close.
var ErrClosed = errors.New("the link is closed")

// Reason says why there is no line to the host, or no answer on it.
type Reason uint8

// The reasons.
const (
	NoNetwork    Reason = iota + 1 // the device has no network, or no route to the host
	NoName                         // the host's name cannot be resolved
	ConnRefused                    // nothing listens at the address
	NoTrust                        // TLS failed: a certificate, a protocol version
	NoToken                        // Options.Token gave none
	Silent                         // no connection or no answer in time
	Broken                         // the connection ended or carried rubbish; so may a host that does not know our certificate
	HostRefused                    // the host, or what stands before it, answered with a status that is no answer: Status
	Unauthorized                   // the host does not know the device, or not for this terminal: Status
)

var reasonNames = [...]string{"", "there is no network or no route to the host", "the host's name is not known",
	"nothing listens at the host's address", "TLS failed, check certificates and clock", "there is no token",
	"the host is silent", "the connection broke", "the host answers with an error",
	"the host does not let this device in, have its certificate or token registered"}

var reasonWords = [...]string{"", "no_network", "no_name", "conn_refused", "no_trust", "no_line", "silent", "broken",
	"host_refused", "terminal_unknown"}

func (r Reason) String() string {
	if r > 0 && int(r) < len(reasonNames) {
		return reasonNames[r]
	}
	return fmt.Sprintf("unknown(%d)", r)
}

// LineError says that there is no line to the host, or that an answer did not
// come. From Prepare it means that no entry was sent.
type LineError struct {
	During string // "line" or "entries"
	Reason Reason
	Status int   // of HTTP, where there was an answer
	Err    error // the cause, if there is one: a *wire.Problem where the host says more

	after time.Duration
}

func (e *LineError) Error() string {
	s := e.During + ": " + e.Reason.String()
	if e.Status != 0 {
		s += fmt.Sprintf(" (status %d)", e.Status)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *LineError) Unwrap() error { return e.Err }

// RetryAfter is how long the host asks to be left alone; 0: it does not.
func (e *LineError) RetryAfter() time.Duration { return e.after }

// Planned tells of a host under maintenance: the forwarder then waits without
// counting a failure.
func (e *LineError) Planned() bool {
	var p *wire.Problem
	return errors.As(e.Err, &p) && p.Type == wire.ProblemMaintenance
}

// ByHost tells that these are the host's own words: over another route to it they
// would be the same.
func (e *LineError) ByHost() bool {
	var p *wire.Problem
	return errors.As(e.Err, &p) && p.Type != ""
}

// LineReason gives the reason in a word, such as "no_network", and the status:
// package queue/alarm makes a warning of it.
func (e *LineError) LineReason() (reason, code string) {
	if e.Status != 0 {
		code = strconv.Itoa(e.Status)
	}
	var p *wire.Problem
	switch known := errors.As(e.Err, &p); {
	case known && (p.Type == wire.ProblemBusy || p.Type == wire.ProblemMaintenance):
		return "host_busy", code
	case e.Reason == HostRefused && (e.Status >= http.StatusInternalServerError || e.Status == http.StatusTooManyRequests):
		return "host_busy", code // a gateway's, or a host that is being restarted: it passes
	case e.Reason == NoToken:
		return e.noToken(), code
	}
	return reasonWords[min(int(e.Reason), len(reasonWords)-1)], code
}

// noToken is why there is no token, where the network is what it lacks: the host
// was not asked.
func (e *LineError) noToken() string {
	if e.Err != nil {
		if r := reasonOf(e.Err); r != Broken {
			return reasonWords[r]
		}
	}
	return reasonWords[NoToken]
}

// WaitError says that the host has asked to be left alone until then. Nothing of
// an entry was sent.
type WaitError struct{ Until time.Time }

func (e *WaitError) Error() string {
	return "the host asks to wait until " + e.Until.Format(time.RFC3339)
}

// RetryAfter is how long it still is until then.
func (e *WaitError) RetryAfter() time.Duration { return max(0, time.Until(e.Until)) }

// LineReason says that the host is busy.
func (e *WaitError) LineReason() (reason, code string) { return "host_busy", "" }

// AnswerError says that an answer cannot be taken as one. What it should answer
// is in doubt. It never holds a value of the answer.
type AnswerError struct {
	Member  string // the part to blame, by its name on the wire; empty: the whole
	Foreign bool   // the answer is for another journal, host, merchant or terminal
	Err     error  // what is wrong; nil: it is not the request's
}

func (e *AnswerError) Error() string {
	s := "answer"
	if e.Member != "" {
		s += ": " + e.Member
	}
	switch {
	case e.Foreign:
		return s + " names another journal, host, merchant or terminal than ours: tell the host"
	case e.Err != nil:
		return s + ": " + e.Err.Error()
	}
	return s + " is not the request's"
}

// Unwrap gives the cause.
func (e *AnswerError) Unwrap() error { return e.Err }

func notSent(err error) error { return fmt.Errorf("%w: %w", queue.ErrNotSent, err) }

// lineError classifies what went wrong on the network.
func lineError(during string, err error) *LineError {
	return &LineError{During: during, Reason: reasonOf(err), Err: err}
}

var (
	refused     = []error{syscall.ECONNREFUSED, syscall.Errno(10061)}
	unreachable = []error{syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.Errno(10051), syscall.Errno(10065)}
)

func reasonOf(err error) Reason {
	is := func(targets []error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return NoName
	case errors.As(err, &dns):
		return NoNetwork
	case untrusted(err):
		return NoTrust
	case is(refused):
		return ConnRefused
	case is(unreachable):
		return NoNetwork
	case is([]error{context.DeadlineExceeded, context.Canceled, os.ErrDeadlineExceeded}), errors.As(err, &timeout) && timeout.Timeout():
		return Silent
	}
	return Broken
}

func untrusted(err error) bool {
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var unknown x509.UnknownAuthorityError
	return errors.As(err, &cert) || errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &unknown) ||
		strings.Contains(err.Error(), "tls: ")
}

// deaf tells whether a problem is about who asks, not about what is asked.
func deaf(t wire.ProblemType) bool {
	return t == wire.ProblemUnauthorized || t == wire.ProblemNotAllowed
}
