package httplink_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
	"github.com/tallystick/tallystick/queue/httplink/internal/refhost"
)

// A courier's device tells its depot of the cash that it took, over HTTPS.
func Example() {
	depot, q, stop := exampleDevice()
	defer stop()

	ctx := context.Background()
	lane := queue.Lane{Host: "depot", Merchant: "898100000000001", Terminal: "10000001"}
	link, err := httplink.New(lane, depot.URL, q, &httplink.Options{
		TLS:   &tls.Config{RootCAs: trust(depot)},
		Token: func(context.Context) (queue.Secret, error) { return queue.NewSecret("depot-token"), nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer link.Close()
	cash, err := q.Append(ctx, queue.Transaction{Ref: "parcel-1", Lane: lane, Op: queue.Sale, Tender: queue.Cash,
		Amount: queue.Money{Minor: 1250, Currency: queue.CNY}})
	if err == nil {
		err = q.Drain(ctx, lane, link) // or, for good: go q.Forward(ctx, lane, link)
	}
	cash, _ = q.Get(ctx, cash.ID)
	fmt.Println(cash.State, cash.Amount, cash.Answer.Code, err)
	// Output: accepted 12.50 CNY 00 <nil>
}

// exampleDevice starts a host and opens a journal.
func exampleDevice() (host *httptest.Server, q *queue.Queue, stop func()) {
	host = httptest.NewTLSServer(&refhost.Host{})
	dir, err := os.MkdirTemp("", "device-")
	if err != nil {
		panic(err)
	}
	if q, err = queue.Open(filepath.Join(dir, "journal"), nil, &queue.Options{Unsealed: true}); err != nil {
		panic(err)
	}
	return host, q, func() {
		host.Close()
		_ = errors.Join(q.Close(), os.RemoveAll(dir))
	}
}

func trust(s *httptest.Server) *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return pool
}

// A screen shows what happens on the line.
func ExampleNew() {
	lane := queue.Lane{Host: "depot", Merchant: "898100000000001", Terminal: "10000001"}
	link, err := httplink.New(lane, "https://127.0.0.1:1", fakeJournal{}, &httplink.Options{
		OnEvent: func(ev httplink.Event) { fmt.Println("event:", ev.Kind) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = link.Prepare(context.Background())
	var line *httplink.LineError
	fmt.Println(errors.As(err, &line), line.During, line.Reason)
	fmt.Println(link.Close())
	// Output:
	// event: no line
	// true line nothing listens at the host's address
	// <nil>
}

// A host tells its authors what it speaks.
func ExampleOpenAPI() {
	first, _, _ := strings.Cut(httplink.OpenAPI(), "\n")
	w := httptest.NewRecorder()
	httplink.ServeOpenAPI(w, httptest.NewRequest(http.MethodGet, "/openapi.yaml", nil))
	fmt.Println(first, w.Header().Get("Content-Type"), w.Body.String() == httplink.OpenAPI())
	// Output: openapi: 3.1.0 application/yaml true
}
