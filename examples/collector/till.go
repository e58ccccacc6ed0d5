package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/tallystick/tallystick/queue"
	"github.com/tallystick/tallystick/queue/httplink"
)

// tillSettings are the flags of a device that is there to try the collector.
type tillSettings struct {
	url, ca, token, journal, lang string
	sales                         int
	wait                          time.Duration
}

// runTill takes some cash offline and delivers it.
func runTill(ctx context.Context, args []string, out, errs io.Writer) int {
	var s tillSettings
	f := flag.NewFlagSet("collector till", flag.ContinueOnError)
	f.SetOutput(errs)
	f.StringVar(&s.url, "url", "https://127.0.0.1:8443", "the collector")
	f.StringVar(&s.ca, "ca", "collector.data/"+tlsCertFile, "the collector's certificate")
	f.StringVar(&s.token, "token", os.Getenv("TILL_TOKEN"), "the token that \"add\" showed; default: $TILL_TOKEN")
	f.StringVar(&s.journal, "journal", "till.journal", "the device's journal")
	f.StringVar(&s.lang, "lang", "", "en or zh")
	f.IntVar(&s.sales, "sales", 10, "how many to take before delivering")
	f.DurationVar(&s.wait, "wait", time.Minute, "how long to try to deliver")
	if err := f.Parse(args); err != nil {
		return 2
	}
	w, err := speak(s.lang)
	if err == nil {
		err = sell(ctx, s, w, out)
	}
	if err != nil {
		_, _ = fmt.Fprintln(errs, err)
		return 1
	}
	return 0
}

var tillLane = queue.Lane{Host: "collector", Merchant: "898100000000001", Terminal: "10000001"}

func sell(ctx context.Context, s tillSettings, w words, out io.Writer) (err error) {
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate", s.ca)
	}
	q, err := queue.Open(s.journal, nil, &queue.Options{Unsealed: true}) // cash: there is no card to seal
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, q.Close()) }()
	link, err := httplink.New(tillLane, s.url, q, &httplink.Options{
		TLS:   &tls.Config{RootCAs: roots},
		Token: func(context.Context) (queue.Secret, error) { return queue.NewSecret(s.token), nil },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, link.Close()) }()
	first := time.Now().UnixNano()
	for i := range s.sales {
		_, err := q.Append(ctx, queue.Transaction{Ref: fmt.Sprintf("order-%d-%d", first, i), Lane: tillLane, Op: queue.Sale,
			Tender: queue.Cash, Amount: queue.Money{Minor: int64(100 + i), Currency: queue.CNY}})
		if err != nil {
			return err
		}
	}
	short, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	delivered := q.Drain(short, tillLane, link)
	counts := map[queue.State]int{}
	sum := 0
	for e, err := range q.All(ctx, queue.Filter{}) {
		if err != nil {
			return err
		}
		counts[e.State]++
		sum++
	}
	_, _ = fmt.Fprintf(out, w.till+"\n", sum, counts[queue.Accepted], sum-counts[queue.Accepted])
	return delivered
}
