package resume

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// A session outlives a line that broke, not a host that would not have it.
func TestSessionsAreDroppedByRefusals(t *testing.T) {
	s := New(4)
	refused := errors.New("tls: the host would not have it")
	state := &tls.ClientSessionState{}
	has := func() bool {
		got, ok := s.Get("host")
		return ok && got == state
	}
	s.Put("host", state)
	s.Put("host", nil)
	s.Failed(io.EOF)
	s.Failed(nil)
	require.True(t, has())
	s.Put("host", state)
	s.Failed(refused)
	require.True(t, has(), "it was given anew since")
	s.Put("host", nil)
	s.Failed(refused)
	require.False(t, has())

	for _, err := range []error{io.EOF, io.ErrUnexpectedEOF, context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded,
		&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}} {
		require.True(t, broke(fmt.Errorf("dial: %w", err)), "%v", err)
	}
	for _, err := range []error{tls.AlertError(51), &net.OpError{Op: "remote error", Err: tls.AlertError(51)}, &tls.CertificateVerificationError{},
		tls.RecordHeaderError{Msg: "not TLS"}} {
		require.False(t, broke(err), "%v", err)
	}
}
