package alarm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
)

// reasoned is an uplink's error that tells its reason.
type reasoned struct{ reason, code string }

func (r *reasoned) Error() string                     { return "no line" }
func (r *reasoned) LineReason() (reason, code string) { return r.reason, r.code }

func TestCauseOf(t *testing.T) {
	for c := NoLine; c <= KeysWrong; c++ {
		got, code := causeOf(fmt.Errorf("%w: %w", queue.ErrNotSent, &reasoned{c.String(), "58"}))
		require.Equal(t, c, got)
		require.Equal(t, "58", code)
	}
	_, code := causeOf(&reasoned{"host_refused", "a very long code"})
	require.Equal(t, "", code, "a code without blanks")
	_, code = causeOf(&reasoned{"host_refused", "58" + "99" + "0"})
	require.Equal(t, "5899", code)
	_, code = causeOf(&reasoned{"host_refused", "5\n"})
	require.Empty(t, code)
	planned, _ := causeOf(&queue.PauseError{CutOver: true, Err: &reasoned{"host_busy", "90"}})
	require.Equal(t, Paused, planned)
	slot, _ := causeOf(&queue.PauseError{Err: &reasoned{"host_busy", "91"}})
	require.Equal(t, HostBusy, slot)
	for want, errs := range map[Cause][]error{
		NoName:    {&net.DNSError{IsNotFound: true}},
		NoNetwork: {&net.DNSError{}},
		NoTrust:   {&tls.CertificateVerificationError{Err: errors.New("expired")}, x509.UnknownAuthorityError{}},
		Silent:    {context.DeadlineExceeded, os.ErrDeadlineExceeded, fmt.Errorf("dial: %w", context.DeadlineExceeded)},
		NoLine:    {errors.New("out of paper"), &reasoned{"draining", ""}, &reasoned{"", ""}},
	} {
		for _, err := range errs {
			got, _ := causeOf(err)
			require.Equal(t, want, got, "%v", err)
		}
	}
}
