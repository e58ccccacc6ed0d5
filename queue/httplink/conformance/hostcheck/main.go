// Command hostcheck checks a host of the HTTPS link against the rules that its
// devices rely on:
//
//	hostcheck -url https://host.example/pos -host depot -merchant 898100000000001 -terminal 10000001 \
//	    -cert device.pem -key device.key
//
// It books some 60 sales of one minor unit each, so it is for a test host. A
// bearer token is read from a file (-token-file), so that it stands in no list of
// processes. The exit status is 1 where a rule is broken, 2 where the host could
// not be checked.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink/conformance"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, errs io.Writer) int {
	f := flag.NewFlagSet("hostcheck", flag.ContinueOnError)
	f.SetOutput(errs)
	base := f.String("url", "", "what stands before /v1")
	var lane queue.Lane
	f.StringVar(&lane.Host, "host", "host", "the host's name in the lane")
	f.StringVar(&lane.Merchant, "merchant", "", "a merchant that the host knows")
	f.StringVar(&lane.Terminal, "terminal", "", "a test terminal of that merchant")
	cert, key := f.String("cert", "", "client certificate, PEM"), f.String("key", "", "its key, PEM")
	ca := f.String("ca", "", "authority of the host's certificate, PEM; default: the system's")
	token := f.String("token-file", "", "file with a bearer token")
	if err := f.Parse(args); err != nil {
		return 2
	}
	client, err := newClient(*cert, *key, *ca, *token)
	if err != nil {
		fmt.Fprintln(errs, "hostcheck:", err)
		return 2
	}
	results, err := conformance.Check(ctx, conformance.Target{Base: *base, Lane: lane, Client: client})
	if err != nil {
		fmt.Fprintln(errs, "hostcheck:", err)
		return 2
	}
	broken, err := conformance.Write(out, results)
	switch {
	case err != nil:
		return 2
	case broken > 0:
		return 1
	}
	return 0
}

func newClient(cert, key, ca, token string) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("no certificate in " + ca)
		}
	}
	transport := http.RoundTripper(&http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true})
	if token != "" {
		text, err := os.ReadFile(token)
		if err != nil {
			return nil, err
		}
		transport = bearer{transport, strings.TrimSpace(string(text))}
	}
	return &http.Client{Transport: transport, Timeout: time.Minute}, nil
}

// bearer adds a token to each request.
type bearer struct {
	http.RoundTripper
	token string
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.RoundTripper.RoundTrip(r)
}
