package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue/httplink/internal/refhost"
	"github.com/tallystick/tallystick/queue/httplink/wire"
)

func TestRun(t *testing.T) {
	h := &refhost.Host{Before: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") == "Bearer s3cr3t" {
			return false
		}
		_ = wire.NewProblem(wire.ProblemUnauthorized, "").Write(w)
		return true
	}}
	server := httptest.NewServer(h)
	defer server.Close()
	token := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(token, []byte("s3cr3t\n"), 0o600))
	args := []string{"-url", server.URL, "-host", "depot", "-merchant", "m", "-terminal", "t"}
	var out, errs bytes.Buffer
	require.Equal(t, 0, run(context.Background(), append(args, "-token-file", token), &out, &errs), "%s%s", &out, &errs)
	require.Contains(t, out.String(), "24 rules, 0 broken")
	out.Reset()
	require.Equal(t, 1, run(context.Background(), args, &out, &errs))
	require.Contains(t, out.String(), "FAIL")
	require.NotContains(t, out.String()+errs.String(), "s3cr3t")
	for _, bad := range [][]string{{"-nonsense"}, {"-url", "::"}, {"-url", server.URL}, append(args, "-cert", "nowhere"), append(args, "-ca", "nowhere"), append(args, "-token-file", "nowhere")} {
		require.Equal(t, 2, run(context.Background(), bad, &out, &errs), "%v", bad)
	}
}
