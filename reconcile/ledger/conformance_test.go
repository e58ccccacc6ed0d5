package ledger_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/conformance"
	"github.com/tallystick/tallystick/queue/httplink/wire"
	"github.com/tallystick/tallystick/reconcile/ledger"
)

// bearer puts a device's token to each request.
type bearer struct{ token string }

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return http.DefaultTransport.RoundTrip(r)
}

// The handler keeps every rule of the HTTPS link, on either engine.
func TestConformance(t *testing.T) {
	for name, engine := range map[string]ledger.Engine{"memory": ledger.OpenMemory(), "file": nil} {
		t.Run(name, func(t *testing.T) {
			if engine == nil {
				f, err := ledger.OpenFile(filepath.Join(t.TempDir(), "ledger"), nil, &ledger.FileOptions{Unsealed: true})
				require.NoError(t, err)
				t.Cleanup(func() { require.NoError(t, f.Close()) })
				engine = f
			}
			l, err := ledger.New(bg, engine, signer, &ledger.Options{
				Decide: func(context.Context, ledger.Booking, *wire.Card) (queue.Answer, error) {
					return queue.Answer{Verdict: queue.Approved, Code: "00"}, nil
				}})
			require.NoError(t, err)
			require.NoError(t, l.SetDevice(bg, ledger.Device{Name: "checker"}))
			token, err := l.Token(bg, "checker")
			require.NoError(t, err)
			var busy atomic.Bool
			h := l.Handler()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				h.ServeHTTP(w, r)
				if busy.Swap(false) {
					require.NoError(t, l.SetDevice(bg, ledger.Device{Name: "checker"}))
				}
			}))
			t.Cleanup(server.Close)
			conformance.Test(t, conformance.Target{Base: server.URL, Lane: lane, Client: &http.Client{Transport: bearer{token}},
				Busy: func() { // the device's limit is reached, for one request
					require.NoError(t, l.SetDevice(bg, ledger.Device{Name: "checker", Limits: ledger.Limits{Entries: 1}}))
					busy.Store(true)
				}})
			require.NoError(t, l.Verify(bg))
		})
	}
}
