package custody

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/reconcile/ledger"
	"github.com/tallystick/tallystick/reconcile/ledger/client"
)

// handheld is a device whose depot embeds package ledger.
type handheld struct {
	*Book
	link   *httplink.Link
	client *client.Client
}

// noNetwork is a client out of reach.
type noNetwork struct{}

func (noNetwork) Claim(context.Context, string) ([16]byte, time.Time, error) {
	return [16]byte{}, time.Time{}, errors.New("no network")
}

func (noNetwork) Release(context.Context, string) error { return errors.New("no network") }

func handhelds(t *testing.T, l *ledger.Ledger, url string, tlsConfig *tls.Config) (out [2]handheld) {
	for i := range out {
		name := fmt.Sprint("handheld ", i)
		require.NoError(t, l.SetDevice(bg, ledger.Device{Name: name}))
		token, err := l.Token(bg, name)
		require.NoError(t, err)
		secret := func(context.Context) (queue.Secret, error) { return queue.NewSecret(token), nil }
		q := journal(t, filepath.Join(t.TempDir(), "journal"))
		link, err := httplink.New(laneOf(i), url, q, &httplink.Options{TLS: tlsConfig, Token: secret})
		require.NoError(t, err)
		t.Cleanup(func() { _ = link.Close() })
		c, err := client.New(url, q, &client.Options{TLS: tlsConfig, Token: secret})
		require.NoError(t, err)
		t.Cleanup(c.Close)
		b, err := New(q, Options{Depot: laneOf(i), Claims: c})
		require.NoError(t, err)
		out[i] = handheld{b, link, c}
	}
	return out
}

func laneOf(i int) queue.Lane {
	return queue.Lane{Host: "depot", Merchant: "898100000000001", Terminal: fmt.Sprint("2000000", i)}
}

// Two handhelds and the ledger of their depot: with a network the second one is
// told at once; without one both payments are booked, and the ledger and both
// devices tell of it.
func TestTwoHandheldsAndALedger(t *testing.T) {
	l, err := ledger.New(bg, ledger.OpenMemory(), ed25519.NewKeyFromSeed(make([]byte, 32)), &ledger.Options{Claims: WaybillOf})
	require.NoError(t, err)
	server := httptest.NewTLSServer(l.Handler())
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	devices := handhelds(t, l, server.URL, &tls.Config{RootCAs: pool})
	first, second := devices[0], devices[1]

	p, err := first.Take(bg, "SF1", cny(100))
	require.NoError(t, err)
	require.True(t, p.Claimed)
	_, err = second.Take(bg, "SF1", cny(100))
	var taken *TakenError
	require.ErrorAs(t, err, &taken)
	require.Equal(t, first.q.JournalID(), taken.Holder)
	_, err = first.Return(bg, "SF1", "nobody there")
	require.NoError(t, err)
	p, err = second.Take(bg, "SF1", cny(100))
	require.NoError(t, err)
	require.True(t, p.Claimed)
	_, err = first.Recheck(bg, time.Time{})
	require.NoError(t, err)

	for _, d := range devices {
		online := d.opts.Claims
		d.opts.Claims = noNetwork{}
		_, err := d.Take(bg, "SF2", cny(100))
		require.NoError(t, err)
		p, err := d.Collect(bg, "SF2", cash(100), nil)
		require.NoError(t, err)
		require.False(t, p.Claimed)
		d.opts.Claims = online
	}
	for i, d := range devices { // the network is back
		require.NoError(t, d.q.Drain(bg, laneOf(i), d.link))
		e, err := d.q.ByRef(bg, payRef("SF2", 1, 1))
		require.NoError(t, err)
		require.Equal(t, queue.Accepted, e.State, "money that was taken is booked")
	}
	for i, d := range devices {
		conflicts, err := d.Recheck(bg, time.Time{})
		require.NoError(t, err)
		require.Len(t, conflicts, 1)
		require.Equal(t, "SF2", conflicts[0].Waybill)
		require.Equal(t, devices[1-i].q.JournalID(), conflicts[0].Holder)
	}
	for _, d := range devices {
		asides, err := d.client.Conflicts(bg)
		require.NoError(t, err)
		require.NotEmpty(t, asides, "both devices can list it")
	}

	// What the second one was paid for without a network the first one, which had
	// claimed it, does not collect again.
	_, err = first.Take(bg, "SF3", cny(100))
	require.NoError(t, err)
	online := second.opts.Claims
	second.opts.Claims = noNetwork{}
	_, err = second.Take(bg, "SF3", cny(100))
	require.NoError(t, err)
	_, err = second.Collect(bg, "SF3", cash(100), nil)
	require.NoError(t, err)
	second.opts.Claims = online
	require.NoError(t, second.q.Drain(bg, laneOf(1), second.link))
	_, err = first.Collect(bg, "SF3", cash(100), nil)
	require.ErrorAs(t, err, &taken)
	require.Equal(t, second.q.JournalID(), taken.Holder)
}
